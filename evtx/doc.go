// Package evtx reads and writes Windows event logs (.evtx, Windows Vista and
// later) in pure Go, quickly and without trusting a byte of them.
//
// # Reading
//
// A whole file, in file order:
//
//	r, err := evtx.NewReader(file, size)
//	r.Diagnose = func(d evtx.Diagnostic) { log.Print(d) }
//	for rec, err := range r.Records() {
//		if err != nil { … } // the file could not be read; damage is never an error
//		fmt.Println(rec.ID, rec.System.ProviderName, rec.System.EventID)
//		for _, f := range rec.Data {
//			fmt.Println(f.Name, f.Value) // SubjectUserName, alice
//		}
//	}
//
// In parallel: a file is a header of [HeaderSize] bytes and then chunks of
// [ChunkSize] bytes that know nothing of each other. Cut it there, and give each
// goroutine its own [ChunkDecoder]:
//
//	var dec evtx.ChunkDecoder
//	err := dec.Decode(chunk, offsetInFile, func(rec *evtx.Record) error { … })
//
// A decoder keeps compiled templates from chunk to chunk, so reuse it.
//
// # What stays valid
//
// A [Record] and the slices it holds belong to the decoder: they are overwritten
// when the callback returns or the iterator moves on. The strings in it are
// ordinary immutable strings and may be kept for ever; many share one block of
// memory, so clone a few that must outlive many. [Record.AppendXML] works only
// while the record is valid.
//
// # Names and values
//
// System is a struct. EventData and UserData become one ordered list of fields,
// named the way Winlogbeat names winlog.event_data.* and winlog.user_data.*:
// the Name attribute, else the element's name, and paramN (its place among its
// siblings, from 1) for an unnamed Data element. Unlike Winlogbeat, repeated
// names are all kept, empty values are kept (with the type [TypeNull] when there
// was none), and elements deeper than one level, whose text Winlogbeat drops,
// are kept under a dotted name (Parent.Child). Values are text as Windows itself
// renders it: 0x3e7 for hexadecimal integers, {lower-case} GUIDs, S-1-5-18,
// true, 2020-05-14T07:00:30.8914235Z, upper-case hexadecimal for binary. Line
// ends stay as logged (Winlogbeat replaces CR LF by LF and cuts final ones). Attributes other
// than Name become fields Element.Attribute. ANSI text is taken as Windows-1252, since a
// log does not say which code page its host used.
//
// # Damage
//
// Damaged input gives a [Diagnostic] and goes on: a corrupt record costs that
// record, a corrupt chunk that chunk. A record whose frame is sound but whose
// content is not is still delivered, with what could be read and Err set; values
// whose template is lost are in Extra as Substitution.0, Substitution.1 and so on.
// Checksums are checked and reported, never obeyed; record numbers and flags in
// headers are not trusted. With Recover set, records are also carved from the
// unused end of chunks and from whatever is not a chunk. [Gaps] finds missing record ids.
//
// The format is described in MS-EVEN6 §2.2.12–2.2.18 (binary XML) and in the
// documentation of libevtx (file, chunk and record headers).
package evtx
