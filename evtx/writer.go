package evtx

import "io"

// Writer writes an event log that Windows and other readers open: chunks,
// checksums, string and template tables, one template per shape of event.
//
//	w, err := evtx.NewWriter(file)
//	err = w.Write(&evtx.Record{
//		System: evtx.System{
//			ProviderName: "Microsoft-Windows-Security-Auditing",
//			ProviderGUID: "{54849625-5478-4994-a5ba-3e3b0328c30d}",
//			EventID: 4624, Channel: "Security", Computer: "ws01.example.com",
//			Keywords: 0x8020000000000000, TimeCreated: evtx.FiletimeOf(t),
//		},
//		DataKind: evtx.EventData,
//		Data: []evtx.Field{
//			{Name: "TargetUserName", Value: "alice", Type: evtx.TypeString},
//			{Name: "TargetUserSid", Value: "S-1-5-21-1-2-3-1001", Type: evtx.TypeSID},
//			{Name: "TargetLogonId", Value: "0x3e7", Type: evtx.TypeHexInt64},
//		},
//	})
//	err = w.Close()
//
// The same records give the same bytes.
type Writer struct{}

// NewWriter starts a log on w. The file header counts the chunks, so it is written
// last: if w can seek (io.WriteSeeker) chunks are written as they fill, otherwise all are
// kept in memory until Close.
func NewWriter(w io.Writer) (*Writer, error) { panic("todo") }

// Write appends a record. ID 0 means the next one (from 1), Written 0 means
// TimeCreated, EventRecordID 0 means ID. Values are given as the text the reader
// would give for the Type (decimal also for hexadecimal types); text that is not of
// the type is an error. A Field without a Name becomes an unnamed Data; consecutive fields of
// one name with the TypeArray bit become one array. UserData needs a DataName. Extra is not written.
func (w *Writer) Write(rec *Record) error { panic("todo") }

// Close writes what is left and the file header. It does not close the underlying writer.
func (w *Writer) Close() error { panic("todo") }
