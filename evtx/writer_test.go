package evtx

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// everyType is a record with a value of each type, arrays among them.
func everyType() *Record {
	return &Record{
		System: System{
			ProviderName: "Example-Provider", ProviderGUID: "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}", EventSourceName: "Example",
			EventID: 4242, Qualifiers: 16384, HasQualifiers: true, Version: 2, Level: 4, Task: 12544, Opcode: 1, HasOpcode: true,
			Keywords: 0x8020000000000000, TimeCreated: FiletimeOf(time.Date(2024, 2, 29, 23, 59, 59, 123456700, time.UTC)),
			EventRecordID: 77, ActivityID: "{11111111-2222-3333-4444-555555555555}", RelatedActivityID: "{66666666-7777-8888-9999-aaaaaaaaaaaa}",
			ProcessID: 4, ThreadID: 8, ProcessorID: 1, SessionID: 2, KernelTime: 3, UserTime: 5, ProcessorTime: 6,
			Channel: "Example/Operational", Computer: "ws01.example.com", UserID: "S-1-5-18",
		},
		DataKind: EventData,
		DataName: "Everything",
		Data: []Field{
			{"Text", "päß <&'\"> 世界 𝄞\r\n\tend", TypeString},
			{"Empty", "", TypeString},
			{"Null", "", TypeNull},
			{"ANSI", "naïve €", TypeANSI},
			{"Int8", "-128", TypeInt8}, {"UInt8", "255", TypeUInt8},
			{"Int16", "-32768", TypeInt16}, {"UInt16", "65535", TypeUInt16},
			{"Int32", "-2147483648", TypeInt32}, {"UInt32", "4294967295", TypeUInt32},
			{"Int64", "-9223372036854775808", TypeInt64}, {"UInt64", "18446744073709551615", TypeUInt64},
			{"Real32", "1.5", TypeReal32}, {"Real64", "-2.25e+100", TypeReal64},
			{"Yes", "true", TypeBool}, {"No", "false", TypeBool},
			{"Bytes", "00FF10", TypeBinary},
			{"GUID", "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}", TypeGUID},
			{"Size", "0x1000", TypeSizeT},
			{"Time", "2020-05-14T07:00:30.8914235Z", TypeFiletime},
			{"Clock", "2020-05-14T07:00:30.891Z", TypeSystemtime},
			{"SID", "S-1-5-21-1-2-3-1001", TypeSID},
			{"Hex32", "0xdeadbeef", TypeHexInt32}, {"Hex64", "0x3e7", TypeHexInt64},
			{"List", "one", TypeString | TypeArray}, {"List", "", TypeString | TypeArray}, {"List", "three", TypeString | TypeArray},
			{"Numbers", "1", TypeUInt16 | TypeArray}, {"Numbers", "2", TypeUInt16 | TypeArray},
			{"SIDs", "S-1-1-0", TypeSID | TypeArray}, {"SIDs", "S-1-5-32-544", TypeSID | TypeArray},
			{"Letters", "a", TypeANSI | TypeArray}, {"Letters", "b", TypeANSI | TypeArray},
			{"Twice", "first", TypeString}, {"Twice", "second", TypeString},
		},
	}
}

func writeLog(t testing.TB, recs ...*Record) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readLog reads all records; anything wrong with the file fails the test.
func readLog(t testing.TB, data []byte) []*Record {
	t.Helper()
	r := openBytes(t, data)
	r.Diagnose = func(d Diagnostic) { t.Error(d) }
	return collect(t, r)
}

// collect copies the records of a reader.
func collect(t testing.TB, r *Reader) (recs []*Record) {
	t.Helper()
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		c := *rec
		c.Data, c.Extra, c.src = slices.Clone(rec.Data), slices.Clone(rec.Extra), source{}
		recs = append(recs, &c)
	}
	return recs
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	in := everyType()
	recs := readLog(t, writeLog(t, in))
	if len(recs) != 1 {
		t.Fatalf("%d records, want 1", len(recs))
	}
	got := recs[0]
	if got.ID != 1 || got.Written != in.System.TimeCreated || got.Err != nil {
		t.Errorf("header is %d, %v, %v", got.ID, got.Written, got.Err)
	}
	if !reflect.DeepEqual(got.System, in.System) {
		t.Errorf("System is %+v\nwant %+v", got.System, in.System)
	}
	if got.DataKind != EventData || got.DataName != "Everything" || len(got.Extra) != 0 {
		t.Errorf("data is %v %q, extra %v", got.DataKind, got.DataName, got.Extra)
	}
	for i := range max(len(in.Data), len(got.Data)) {
		if i >= len(in.Data) || i >= len(got.Data) || in.Data[i] != got.Data[i] {
			t.Fatalf("field %d is\n%q, want\n%q", i, got.Data[min(i, len(got.Data)):], in.Data[min(i, len(in.Data)):])
		}
	}
}

func TestUnnamedAndUserDataAreNamed(t *testing.T) {
	recs := readLog(t, writeLog(t,
		&Record{DataKind: EventData, Data: []Field{{"", "a", TypeString}, {"Named", "b", TypeString}, {"", "c", TypeString},
			{"", "d", TypeString | TypeArray}, {"", "e", TypeString | TypeArray}, {"Binary", "00", TypeBinary}}},
		&Record{DataKind: UserData, DataName: "LogFileCleared", Data: []Field{{"SubjectUserName", "alice", TypeString}}},
		&Record{}))
	want := []Field{{"param1", "a", TypeString}, {"Named", "b", TypeString}, {"param3", "c", TypeString},
		{"param4", "d", TypeString | TypeArray}, {"param5", "e", TypeString | TypeArray}, {"Binary", "00", TypeBinary}}
	if !slices.Equal(recs[0].Data, want) {
		t.Errorf("data is %q, want %q", recs[0].Data, want)
	}
	if r := recs[1]; r.DataKind != UserData || r.DataName != "LogFileCleared" || len(r.Data) != 1 || r.Data[0].Name != "SubjectUserName" {
		t.Errorf("user data is %q %q", r.DataName, r.Data)
	}
	if r := recs[2]; r.DataKind != NoData || len(r.Data) != 0 || r.ID != 3 {
		t.Errorf("empty record is %+v", r)
	}
}

// manyRecords makes logon and process records that fill several chunks.
func manyRecords(n int) []*Record {
	recs := make([]*Record, n)
	for i := range recs {
		recs[i] = sampleRecord(i)
	}
	return recs
}

// sampleRecord is the i-th of an endless series shaped like Security 4624 and 4688.
func sampleRecord(i int) *Record {
	user := fmt.Sprintf("user%02d", i%50)
	sid := fmt.Sprintf("S-1-5-21-1111111111-222222222-333333333-%d", 1000+i%50)
	logon := fmt.Sprintf("0x%x", 0x10000+i)
	rec := &Record{
		System: System{
			ProviderName: "Microsoft-Windows-Security-Auditing", ProviderGUID: "{54849625-5478-4994-a5ba-3e3b0328c30d}",
			Keywords: 0x8020000000000000, HasOpcode: true, ProcessID: 700, ThreadID: uint32(4 * (i % 300)),
			TimeCreated: FiletimeOf(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i) * 37 * time.Millisecond)),
			Channel:     "Security", Computer: "ws01.example.com",
		},
		DataKind: EventData,
	}
	if i%2 == 0 {
		rec.System.EventID, rec.System.Version, rec.System.Task = 4624, 2, 12544
		rec.Data = []Field{
			{"SubjectUserSid", "S-1-5-18", TypeSID}, {"SubjectUserName", "WS01$", TypeString}, {"SubjectDomainName", "EXAMPLE", TypeString},
			{"SubjectLogonId", "0x3e7", TypeHexInt64}, {"TargetUserSid", sid, TypeSID}, {"TargetUserName", user, TypeString},
			{"TargetDomainName", "EXAMPLE", TypeString}, {"TargetLogonId", logon, TypeHexInt64}, {"LogonType", "3", TypeUInt32},
			{"LogonProcessName", "Kerberos", TypeString}, {"AuthenticationPackageName", "Kerberos", TypeString}, {"WorkstationName", "-", TypeString},
			{"LogonGuid", "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}", TypeGUID}, {"TransmittedServices", "-", TypeString}, {"LmPackageName", "-", TypeString},
			{"KeyLength", "0", TypeUInt32}, {"ProcessId", "0x0", TypeHexInt64}, {"ProcessName", "-", TypeString},
			{"IpAddress", fmt.Sprintf("192.0.2.%d", i%254+1), TypeString}, {"IpPort", fmt.Sprint(49152 + i%16000), TypeString},
			{"ImpersonationLevel", "%%1833", TypeString}, {"RestrictedAdminMode", "-", TypeString}, {"TargetOutboundUserName", "-", TypeString},
			{"TargetOutboundDomainName", "-", TypeString}, {"VirtualAccount", "%%1843", TypeString}, {"TargetLinkedLogonId", "0x0", TypeHexInt64},
			{"ElevatedToken", "%%1842", TypeString},
		}
		return rec
	}
	rec.System.EventID, rec.System.Version, rec.System.Task = 4688, 2, 13312
	rec.Data = []Field{
		{"SubjectUserSid", sid, TypeSID}, {"SubjectUserName", user, TypeString}, {"SubjectDomainName", "EXAMPLE", TypeString},
		{"SubjectLogonId", logon, TypeHexInt64}, {"NewProcessId", fmt.Sprintf("0x%x", 4*i), TypeHexInt64},
		{"NewProcessName", `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, TypeString}, {"TokenElevationType", "%%1936", TypeString},
		{"ProcessId", "0x2bc", TypeHexInt64}, {"CommandLine", fmt.Sprintf(`powershell.exe -NoProfile -File "C:\Scripts\job%d.ps1" -Target 'srv%d'`, i, i%20), TypeString},
		{"TargetUserSid", "S-1-0-0", TypeSID}, {"TargetUserName", "-", TypeString}, {"TargetDomainName", "-", TypeString},
		{"TargetLogonId", "0x0", TypeHexInt64}, {"ParentProcessName", `C:\Windows\explorer.exe`, TypeString}, {"MandatoryLabel", "S-1-16-8192", TypeSID},
	}
	return rec
}

func TestManyChunksKeepOrderAndContent(t *testing.T) {
	in := manyRecords(1000)
	data := writeLog(t, in...)
	if chunks := (len(data) - HeaderSize) / ChunkSize; chunks < 5 || (len(data)-HeaderSize)%ChunkSize != 0 {
		t.Fatalf("file of %d bytes is not a header and several chunks", len(data))
	}
	recs := readLog(t, data)
	if len(recs) != len(in) {
		t.Fatalf("%d records, want %d", len(recs), len(in))
	}
	for i, rec := range recs {
		if rec.ID != uint64(i+1) || rec.System.EventRecordID != rec.ID || rec.System.TimeCreated != in[i].System.TimeCreated || !slices.Equal(rec.Data, in[i].Data) {
			t.Fatalf("record %d is %+v\nwant %+v", i, rec, in[i])
		}
		if got := data[rec.Offset:][:4]; string(got) != "**\x00\x00" {
			t.Fatalf("record %d is not at its offset %d", rec.ID, rec.Offset)
		}
	}
}

func TestSeekingAndMemoryWriteTheSameBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.evtx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	in := manyRecords(300)
	for _, rec := range in {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, writeLog(t, in...)) {
		t.Error("a file and memory differ")
	}
}

func TestWriterRefusesWhatItCannotWriteAndGoesOn(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	ok := func() {
		t.Helper()
		if err := w.Write(&Record{DataKind: EventData, Data: []Field{{"A", "b", TypeString}}}); err != nil {
			t.Fatal(err)
		}
	}
	ok()
	for name, rec := range map[string]*Record{
		"not a number":    {DataKind: EventData, Data: []Field{{"N", "x", TypeUInt32}}},
		"too big":         {DataKind: EventData, Data: []Field{{"N", "256", TypeUInt8}}},
		"not a SID":       {DataKind: EventData, Data: []Field{{"N", "S-1", TypeSID}}},
		"not a GUID":      {DataKind: EventData, Data: []Field{{"N", "{}", TypeGUID}}},
		"not a time":      {DataKind: EventData, Data: []Field{{"N", "now", TypeFiletime}}},
		"not hexadecimal": {DataKind: EventData, Data: []Field{{"N", "0x00", TypeBinary}}},
		"not Boolean":     {DataKind: EventData, Data: []Field{{"N", "1", TypeBool}}},
		"unknown type":    {DataKind: EventData, Data: []Field{{"N", "1", 0x7f}}},
		"not in 1252":     {DataKind: EventData, Data: []Field{{"N", "世", TypeANSI}}},
		"too long":        {DataKind: EventData, Data: []Field{{"N", strings.Repeat("x", 40000), TypeString}}},
		"long in all":     {DataKind: EventData, Data: []Field{{"N", strings.Repeat("x", 20000), TypeString}, {"M", strings.Repeat("x", 20000), TypeString}}},
		"no data name":    {DataKind: UserData},
		"event id":        {System: System{EventID: 65536}},
		"system GUID":     {System: System{ProviderGUID: "x"}},
	} {
		if err := w.Write(rec); err == nil {
			t.Errorf("%s: written", name)
		}
		ok()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&Record{}); err == nil {
		t.Error("written after Close")
	}
	recs := readLog(t, out.Bytes())
	for i, rec := range recs {
		if rec.ID != uint64(i+1) || len(rec.Data) != 1 || rec.Data[0].Value != "b" {
			t.Errorf("record %d is %+v", i, rec)
		}
	}
	if len(recs) != 15 {
		t.Errorf("%d records, want 15", len(recs))
	}
}

func TestEmptyLogIsValid(t *testing.T) {
	if recs := readLog(t, writeLog(t)); len(recs) != 0 {
		t.Errorf("%d records", len(recs))
	}
}

// benchmarkLog is a log of about 60 chunks of logon and process records.
func benchmarkLog(b *testing.B) (chunks [][]byte, records int) {
	b.Helper()
	const n = 6000
	data := writeLog(b, manyRecords(n)...)
	for at := HeaderSize; at < len(data); at += ChunkSize {
		chunks = append(chunks, data[at:at+ChunkSize])
	}
	return chunks, n
}

func reportRecords(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkDecodeFields_Aim150kRecordsPerCoreSecond(b *testing.B) {
	chunks, n := benchmarkLog(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(chunks) * ChunkSize))
	var dec ChunkDecoder
	for b.Loop() {
		got := 0
		for i, c := range chunks {
			if err := dec.Decode(c, int64(HeaderSize+i*ChunkSize), func(*Record) error { got++; return nil }); err != nil {
				b.Fatal(err)
			}
		}
		if got != n {
			b.Fatalf("%d records, want %d", got, n)
		}
	}
	reportRecords(b, n)
}

func BenchmarkDecodeFieldsAndXML(b *testing.B) {
	chunks, n := benchmarkLog(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(chunks) * ChunkSize))
	var dec ChunkDecoder
	var xml []byte
	for b.Loop() {
		for i, c := range chunks {
			if err := dec.Decode(c, int64(HeaderSize+i*ChunkSize), func(rec *Record) error { xml = rec.AppendXML(xml[:0]); return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
	reportRecords(b, n)
}

// BenchmarkDecodeRealLog decodes a Security log of Windows from the corpus.
func BenchmarkDecodeRealLog(b *testing.B) {
	data, err := os.ReadFile(corpus(b, "evtx", "evtx-rs", "security_bad_string_cache.evtx"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	var dec ChunkDecoder
	n := 0
	for b.Loop() {
		n = 0
		for at := HeaderSize; at < len(data); at += ChunkSize {
			if err := dec.Decode(data[at:min(at+ChunkSize, len(data))], int64(at), func(*Record) error { n++; return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
	reportRecords(b, n)
}

func BenchmarkWrite(b *testing.B) {
	recs := manyRecords(6000)
	b.ReportAllocs()
	for b.Loop() {
		w, err := NewWriter(struct{ io.Writer }{io.Discard})
		if err != nil {
			b.Fatal(err)
		}
		for _, rec := range recs {
			if err := w.Write(rec); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	reportRecords(b, len(recs))
}

// libevtx does not read a record that ends on the last byte of its chunk.
func TestNoRecordEndsWithItsChunk(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 { // sizes in steps of 8 bytes, so that some would fill a chunk exactly
		err := w.Write(&Record{
			System:   System{ProviderName: "Example", EventID: 1, Channel: "Example", Computer: "ws01.example.com"},
			DataKind: EventData,
			Data:     []Field{{Name: "Text", Value: strings.Repeat("x", 40+i*37%256), Type: TypeString}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	chunks := 0
	for data := file.Bytes()[HeaderSize:]; len(data) > 0; data = data[ChunkSize:] {
		chunks++
		if free := le.Uint32(data[48:]); free >= ChunkSize {
			t.Errorf("chunk %d is filled to its last byte", chunks)
		}
	}
	if chunks < 100 {
		t.Errorf("only %d chunks", chunks)
	}
}
