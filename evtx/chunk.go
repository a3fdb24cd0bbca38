package evtx

// ChunkDecoder decodes chunks one at a time. The zero value is ready. It keeps
// compiled templates between calls; use one per goroutine.
type ChunkDecoder struct {
	// Recover also delivers records carved from unused and damaged space.
	Recover bool
	// Diagnose, if not nil, is told what is wrong with the chunk.
	Diagnose func(Diagnostic)
}

// Decode calls fn for every record of one chunk, in order. chunk is normally
// ChunkSize bytes (a shorter one is a truncated file: what is there is read) and
// must not change until Decode returns; offset is where it lies in the file, for
// Record.Offset and diagnostics. Decode returns only the error fn returned;
// everything wrong with the chunk is a diagnostic. A chunk of zeros, which Windows
// allocates in advance, gives nothing.
func (d *ChunkDecoder) Decode(chunk []byte, offset int64, fn func(*Record) error) error { panic("todo") }

// AppendXML appends the record as the XML Windows would show for it: one line,
// no declaration, attributes in single quotes. It can be called only while the record is valid.
func (r *Record) AppendXML(dst []byte) []byte { panic("todo") }

type source struct{}
