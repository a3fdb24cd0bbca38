package evtx

import "fmt"

// Diagnostic says what is wrong with a file, and where. It is never a reason to
// stop: reading has gone on.
type Diagnostic struct {
	Code Code
	// Offset is the place in the file, in bytes from its start.
	Offset int64
	// RecordID is the record concerned, 0 if none.
	RecordID uint64
	// Lost is how many bytes were given up because of it.
	Lost int64
	// Detail is one sentence for a person. Text from the log is quoted in it.
	Detail string
}

func (d Diagnostic) String() string {
	if d.RecordID != 0 {
		return fmt.Sprintf("%s at byte %d, record %d: %s", d.Code, d.Offset, d.RecordID, d.Detail)
	}
	return fmt.Sprintf("%s at byte %d: %s", d.Code, d.Offset, d.Detail)
}

// Code is the kind of a Diagnostic; stable, for counting and filtering.
type Code string

const (
	FileHeader         Code = "file-header"          // signature, sizes or version not as they must be
	FileHeaderChecksum Code = "file-header-checksum" // the header changed since it was written
	FileDirty          Code = "file-dirty"           // the log was not closed properly, or was copied while in use
	FileSize           Code = "file-size"            // size is not a header and whole chunks, or chunks the header counts are missing
	ChunkHeader        Code = "chunk-header"         // no chunk, or impossible offsets in its header
	ChunkErased        Code = "chunk-erased"         // zeros where a chunk should be, as others follow
	ChunkChecksum      Code = "chunk-checksum"       // chunk header changed since it was written
	RecordsChecksum    Code = "records-checksum"     // records of a chunk changed since they were written
	RecordDamaged      Code = "record-damaged"       // bytes that hold no record, where records should be
	RecordContent      Code = "record-content"       // a record was read only in part
	RecordRecovered    Code = "record-recovered"     // a record was carved from unused or damaged space
)
