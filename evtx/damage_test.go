package evtx

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// diagnose reads a log and returns its records and what was said of it.
func diagnose(t testing.TB, data []byte, recovering bool) (recs []*Record, codes []Code) {
	t.Helper()
	r := openBytes(t, data)
	r.Recover = recovering
	r.Diagnose = func(d Diagnostic) { codes = append(codes, d.Code) }
	return collect(t, r), codes
}

func ids(recs []*Record) (ids []uint64) {
	for _, rec := range recs {
		ids = append(ids, rec.ID)
	}
	return ids
}

// without returns the ids 1…n but those from a to b.
func without(n, a, b uint64) (ids []uint64) {
	for id := uint64(1); id <= n; id++ {
		if id < a || id > b {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestSoundLogHasNoDiagnostics(t *testing.T) {
	if _, codes := diagnose(t, writeLog(t, manyRecords(300)...), true); len(codes) > 0 {
		t.Errorf("diagnostics %v", codes)
	}
}

func TestDamageIsReportedAndCostsOnlyItself(t *testing.T) {
	const n = 600
	sound := writeLog(t, manyRecords(n)...)
	recs := readLog(t, sound)
	// Records of the second chunk, one of them in its middle.
	second := func(r *Record) bool { return r.Offset >= HeaderSize+ChunkSize }
	first := slices.IndexFunc(recs, second)
	third := slices.IndexFunc(recs, func(r *Record) bool { return r.Offset >= HeaderSize+2*ChunkSize })
	victim := recs[first+10]
	all := without(n, 0, 0)
	for name, c := range map[string]struct {
		damage func(data []byte) []byte
		ids    []uint64
		codes  []Code
	}{
		"file header": {func(d []byte) []byte { d[24]++; return d }, all, []Code{FileHeaderChecksum}},
		"dirty flag": {func(d []byte) []byte {
			d[120] |= 1
			le.PutUint32(d[124:], crc32.ChecksumIEEE(d[:120]))
			return d
		}, all, []Code{FileDirty}},
		"no file header":       {func(d []byte) []byte { clear(d[:128]); return d }, all, []Code{FileHeader}},
		"starts with a chunk":  {func(d []byte) []byte { return d[HeaderSize:] }, all, []Code{FileHeader}},
		"chunk header":         {func(d []byte) []byte { d[HeaderSize+8]++; return d }, all, []Code{ChunkChecksum}},
		"string table":         {func(d []byte) []byte { clear(d[HeaderSize+stringTable:][:384]); return d }, all, []Code{ChunkChecksum}},
		"free space offset 0":  {func(d []byte) []byte { le.PutUint32(d[HeaderSize+48:], 0); return d }, all, []Code{ChunkChecksum, ChunkHeader}},
		"free space too early": {func(d []byte) []byte { le.PutUint32(d[HeaderSize+48:], 5000); return d }, all, []Code{ChunkChecksum, RecordsChecksum}},
		"chunk signature": {func(d []byte) []byte { d[HeaderSize+ChunkSize]++; return d },
			without(n, recs[first].ID, recs[third-1].ID), []Code{ChunkHeader}},
		"zeroed chunk": {func(d []byte) []byte { clear(d[HeaderSize+ChunkSize:][:ChunkSize]); return d },
			without(n, recs[first].ID, recs[third-1].ID), []Code{ChunkErased}},
		"record size": {func(d []byte) []byte { d[victim.Offset+5]++; return d },
			without(n, victim.ID, victim.ID), []Code{RecordsChecksum, RecordDamaged}},
		"record signature": {func(d []byte) []byte { d[victim.Offset]++; return d },
			without(n, victim.ID, victim.ID), []Code{RecordsChecksum, RecordDamaged}},
		"record's second size": {func(d []byte) []byte { d[victim.Offset+int64(victim.Size)-4]++; return d }, all, []Code{RecordsChecksum}},
		"record content":       {func(d []byte) []byte { d[victim.Offset+28] = 0x7f; return d }, all, []Code{RecordsChecksum, RecordContent}},
		"template offset":      {func(d []byte) []byte { le.PutUint32(d[victim.Offset+34:], 70000); return d }, all, []Code{RecordsChecksum, RecordContent}},
		"number of values":     {func(d []byte) []byte { le.PutUint32(d[victim.Offset+38:], 1<<31); return d }, all, []Code{RecordsChecksum, RecordContent}},
		"zeroed records": {func(d []byte) []byte { clear(d[victim.Offset:][:victim.Size+recs[first+11].Size]); return d },
			without(n, victim.ID, victim.ID+1), []Code{RecordsChecksum, RecordDamaged}},
		"cut in a chunk": {func(d []byte) []byte { return d[:victim.Offset+40] },
			without(victim.ID-1, 0, 0), []Code{ChunkHeader, RecordDamaged, FileSize, FileSize}},
		"zeros appended": {func(d []byte) []byte { return append(d, make([]byte, 3*ChunkSize+100)...) }, all, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, codes := diagnose(t, c.damage(bytes.Clone(sound)), false)
			if !slices.Equal(ids(got), c.ids) {
				t.Errorf("ids are %v, want %v", ids(got), c.ids)
			}
			if !slices.Equal(codes, c.codes) {
				t.Errorf("diagnostics are %q, want %q", codes, c.codes)
			}
		})
	}
}

func TestRecoverFindsWhatIsNotInItsPlace(t *testing.T) {
	const n = 600
	sound := writeLog(t, manyRecords(n)...)
	all := without(n, 0, 0)
	for name, damage := range map[string]func(d []byte) []byte{
		"chunk signature": func(d []byte) []byte { d[HeaderSize+ChunkSize]++; return d },
		"all chunk headers": func(d []byte) []byte {
			for at := HeaderSize; at < len(d); at += ChunkSize {
				clear(d[at : at+128])
			}
			return d
		},
		"bytes lost between chunks": func(d []byte) []byte { return slices.Delete(d, HeaderSize+3*ChunkSize-20, HeaderSize+3*ChunkSize) },
		"bytes added":               func(d []byte) []byte { return slices.Insert(d, HeaderSize+ChunkSize, make([]byte, 777)...) },
		"chunk emptied": func(d []byte) []byte { // its header rewritten as of an empty chunk, its records left
			h := d[HeaderSize+ChunkSize:]
			le.PutUint32(h[48:], chunkHead)
			le.PutUint32(h[52:], crc32.ChecksumIEEE(nil))
			le.PutUint32(h[124:], crc32.Update(crc32.ChecksumIEEE(h[:120]), crc32.IEEETable, h[128:chunkHead]))
			return d
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := damage(bytes.Clone(sound))
			plain, _ := diagnose(t, data, false)
			if len(plain) >= n {
				t.Fatalf("nothing is lost without recovering")
			}
			got, codes := diagnose(t, data, true)
			if !slices.Equal(ids(got), all) {
				t.Errorf("ids are %v, diagnostics %v", ids(got), codes)
			}
			recovered := 0
			for i, rec := range got {
				if rec.Err != nil || !slices.Equal(rec.Data, sampleRecord(i).Data) {
					t.Fatalf("record %d is %+v", rec.ID, rec)
				}
				if rec.Recovered {
					recovered++
				}
			}
			if counted := countCode(codes, RecordRecovered); counted != recovered {
				t.Errorf("%d records marked recovered, %d reported", recovered, counted)
			}
		})
	}
}

func countCode(codes []Code, code Code) (n int) {
	for _, c := range codes {
		if c == code {
			n++
		}
	}
	return n
}

func TestSlackRecordSurvivesTheLossOfItsTemplates(t *testing.T) {
	// The second chunk's records are carved with its templates overwritten; those
	// of the first chunk, which have the same ids, take their place.
	data := writeLog(t, manyRecords(400)...)
	recs := readLog(t, data)
	second := slices.IndexFunc(recs, func(r *Record) bool { return r.Offset >= HeaderSize+ChunkSize })
	chunk := data[HeaderSize+ChunkSize:][:ChunkSize]
	clear(chunk[:chunkHead])
	clear(data[recs[second].Offset:][:recs[second].Size])
	clear(data[recs[second+1].Offset:][:recs[second+1].Size])
	got, _ := diagnose(t, data, true)
	for _, rec := range got {
		if rec.ID == recs[second+5].ID {
			if !rec.Recovered || rec.Err != nil || !slices.Equal(rec.Data, sampleRecord(int(rec.ID)-1).Data) {
				t.Errorf("record is %+v", rec)
			}
			return
		}
	}
	t.Error("record is not recovered")
}

func TestValuesWithoutTheirTemplateAreKept(t *testing.T) {
	data := writeLog(t, &Record{System: System{Channel: "Example"}, DataKind: EventData, Data: []Field{{"A", "left over", TypeString}}})
	recs := readLog(t, data)
	// Unknown token as the first of the inner template's definition.
	inner := bytes.LastIndex(data, []byte{tokFragment, 1, 1, 0, tokElement, 0xff, 0xff})
	if inner < int(recs[0].Offset) {
		t.Fatal("no inner definition")
	}
	data[inner+4] = 0x7f
	got, codes := diagnose(t, data, false)
	if len(got) != 1 || got[0].Err == nil || got[0].System.Channel != "Example" || !slices.Contains(codes, RecordContent) {
		t.Fatalf("record is %+v, diagnostics %v", got, codes)
	}
	if !slices.ContainsFunc(got[0].Extra, func(f Field) bool { return f.Name == "Substitution.0" && f.Value == "left over" }) {
		t.Errorf("extra is %q", got[0].Extra)
	}
}

func TestRecordsWithoutAnyTemplateKeepTheirSystem(t *testing.T) {
	in := manyRecords(4)
	data := writeLog(t, in...)
	sound := readLog(t, data)
	// The first two records hold the definitions of all.
	clear(data[sound[0].Offset:][:sound[0].Size+sound[1].Size])
	got, _ := diagnose(t, data, false)
	if !slices.Equal(ids(got), []uint64{3, 4}) {
		t.Fatalf("ids are %v", ids(got))
	}
	for i, rec := range got {
		want := sound[2+i]
		want.System.Computer = "" // is in the definition
		if rec.Err == nil || rec.System != want.System {
			t.Errorf("system is %+v\nwant %+v", rec.System, want.System)
		}
		for k, f := range want.Data {
			if f.Value != rec.Extra[k].Value || rec.Extra[k].Name != "Substitution."+strconv.Itoa(k) {
				t.Errorf("value %d is %q, want %q", k, rec.Extra[k], f)
			}
		}
	}
}

func TestTemplatesAreNotMistakenForOthersOfTheirID(t *testing.T) {
	// The same shape twice, with the same GUID, but another name behind the same offset:
	// the cache must not give the first chunk's name to the second.
	one := writeLog(t, &Record{DataKind: EventData, Data: []Field{{"Alpha", "1", TypeString}}})
	two := bytes.Clone(one)
	alpha, omega := encodeUTF16(nil, "Alpha"), encodeUTF16(nil, "Omega")
	i := bytes.Index(two, alpha)
	copy(two[i:], omega)
	event, other := encodeUTF16(nil, "Computer"), encodeUTF16(nil, "Komputer")
	copy(two[bytes.Index(two, event):], other)
	var dec ChunkDecoder
	for _, c := range []struct {
		data []byte
		name string
		xml  string
	}{{one, "Alpha", "<Computer>"}, {two, "Omega", "<Komputer>"}, {one, "Alpha", "<Computer>"}} {
		if err := dec.Decode(c.data[HeaderSize:], HeaderSize, func(rec *Record) error {
			if len(rec.Data) != 1 || rec.Data[0].Name != c.name || !strings.Contains(string(rec.AppendXML(nil)), c.xml) {
				t.Errorf("record is %q, want %s and %s", rec.AppendXML(nil), c.name, c.xml)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInlineNameIsPartOfWhatATemplateIs(t *testing.T) {
	one := writeLog(t, &Record{DataKind: EventData, Data: []Field{{"Alpha", "1", TypeString}}})[HeaderSize:]
	// The first name's offset leads to a copy of it elsewhere: what follows is
	// then no longer a name but tokens, and makes no sense.
	two := bytes.Clone(one)
	at := chunkHead + recordHead + 4 + 10 + templateHead + 4 + 7
	if name := le.Uint32(two[at:]); name != uint32(at+4) {
		t.Fatalf("name offset is %d", name)
	}
	copy(two[60000:], two[at+4:at+40])
	le.PutUint32(two[at:], 60000)
	var dec ChunkDecoder
	for i, chunk := range [][]byte{one, two} {
		if err := dec.Decode(chunk, 0, func(rec *Record) error {
			if (rec.Err != nil) != (i == 1) {
				t.Errorf("chunk %d: error is %v", i, rec.Err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSlackIsNotTakenForRecordsOfAnUnreliableChunk(t *testing.T) {
	data := writeLog(t, manyRecords(60)...)
	recs := readLog(t, data)
	// The header says the records end at the 20th and is damaged; what follows are
	// older records, as after the log has wrapped round.
	le.PutUint32(data[HeaderSize+48:], uint32(recs[20].Offset-HeaderSize))
	for _, rec := range recs[20:] {
		if rec.Offset < HeaderSize+ChunkSize {
			data[rec.Offset+8] += 100
		}
	}
	got, _ := diagnose(t, data, false)
	if !slices.Equal(ids(got)[:20], without(20, 0, 0)) || len(got) != 20+countAfter(recs, HeaderSize+ChunkSize) {
		t.Errorf("ids are %v", ids(got))
	}
	if got, _ := diagnose(t, data, true); len(got) != len(recs) {
		t.Errorf("%d records when recovering, want %d", len(got), len(recs))
	}
}

func countAfter(recs []*Record, offset int64) (n int) {
	for _, rec := range recs {
		if rec.Offset >= offset {
			n++
		}
	}
	return n
}

func TestErrorsOfTheCallerAndTheFileComeBack(t *testing.T) {
	data := writeLog(t, manyRecords(10)...)
	stop := errors.New("enough")
	n := 0
	if err := openBytes(t, data).Each(func(*Record) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("error is %v after %d records", err, n)
	}
	for range openBytes(t, data).Records() {
		break // must not panic
	}
	if _, err := NewReader(strings.NewReader("not a log"), 9); !errors.Is(err, ErrFormat) {
		t.Errorf("error is %v", err)
	}
	broken := &brokenReader{strings.NewReader(string(data[:10000]))}
	r, err := NewStreamReader(broken)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Each(func(*Record) error { return nil }); !errors.Is(err, errBroken) {
		t.Errorf("error is %v", err)
	}
}

var errBroken = errors.New("disk on fire")

type brokenReader struct{ r *strings.Reader }

func (b *brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil {
		err = errBroken
	}
	return n, err
}

func TestXMLOfARecordOfThePastIsNothing(t *testing.T) {
	var kept []Record
	for rec := range openBytes(t, writeLog(t, manyRecords(200)...)).Records() {
		kept = append(kept, *rec)
		if len(rec.AppendXML(nil)) == 0 {
			t.Fatal("no XML while the record is valid")
		}
	}
	for _, rec := range kept {
		if xml := rec.AppendXML(nil); len(xml) > 0 {
			t.Fatalf("record %d still has XML: %s", rec.ID, xml)
		}
	}
	if kept[7].System.Channel != "Security" {
		t.Error("strings do not outlive the record")
	}
}

func TestNamesCannotBreakOutOfTheXML(t *testing.T) {
	rec := &Record{DataKind: UserData, DataName: `x><script a='`, Data: []Field{{`a b"/>`, "v", TypeString}}}
	data := writeLog(t, rec)
	for got := range openBytes(t, data).Records() {
		xml := got.AppendXML(nil)
		if events, err := parseEvents(xml, true); err != nil || len(events) != 1 || bytes.Contains(xml, []byte("<script")) {
			t.Errorf("%s: %v", xml, err)
		}
		if got.DataName != rec.DataName || got.Data[0].Name != rec.Data[0].Name {
			t.Errorf("names are %q %q", got.DataName, got.Data)
		}
	}
}

// TestRandomDamageNeverPanics flips bytes of real shapes, with and without recovering.
func TestRandomDamageNeverPanics(t *testing.T) {
	data := writeLog(t, append([]*Record{everyType()}, manyRecords(80)...)...)
	random := rand.New(rand.NewPCG(1, 2))
	var plain, carving ChunkDecoder
	carving.Recover = true
	var xml []byte
	for range 1000 {
		chunk := bytes.Clone(data[HeaderSize:][:ChunkSize])
		for range 1 + random.IntN(30) {
			at := chunkHead + random.IntN(20000)
			switch random.IntN(3) {
			case 0:
				chunk[at] = byte(random.Uint32())
			case 1:
				le.PutUint32(chunk[at:], random.Uint32()>>random.IntN(32))
			default:
				copy(chunk[at:], chunk[chunkHead+random.IntN(20000):][:random.IntN(200)])
			}
		}
		for _, dec := range []*ChunkDecoder{&plain, &carving} {
			if err := dec.Decode(chunk, 0, func(rec *Record) error { xml = rec.AppendXML(xml[:0]); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzChunkDecoder(f *testing.F) {
	data := writeLog(f, everyType(), sampleRecord(0), sampleRecord(1), &Record{DataKind: UserData, DataName: "A", Data: []Field{{"B", "c", TypeString}}})
	chunk := data[HeaderSize:]
	f.Add(chunk[:le.Uint32(chunk[48:])])
	small := writeLog(f, &Record{DataKind: EventData, Data: []Field{{"", "x", TypeString}, {"", "y", TypeString | TypeArray}}})[HeaderSize:]
	f.Add(small[:le.Uint32(small[48:])])
	f.Add(small[chunkHead:le.Uint32(small[48:])])
	f.Fuzz(func(t *testing.T, chunk []byte) {
		before := bytes.Clone(chunk)
		for _, recovering := range []bool{false, true} {
			dec := ChunkDecoder{Recover: recovering, Diagnose: func(d Diagnostic) { _ = d.String() }}
			for range 2 { // the second time with the templates of the first
				err := dec.Decode(chunk, HeaderSize, func(rec *Record) error {
					if rec.Offset < HeaderSize || rec.Offset+int64(rec.Size) > HeaderSize+int64(len(chunk)) {
						t.Fatalf("record of %d bytes at %d", rec.Size, rec.Offset)
					}
					xml := rec.AppendXML(nil)
					if len(xml) > 8*maxOutput {
						t.Fatalf("%d bytes of XML", len(xml))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if !bytes.Equal(chunk, before) {
			t.Fatal("the chunk was changed")
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add(writeLog(f, everyType()))
	f.Add([]byte("ElfFile\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		r.Recover = true
		for _, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDamagedSamplesAreRead reads the damaged files of other projects.
func TestDamagedSamplesAreRead(t *testing.T) {
	for _, path := range logsBelow(t, corpus(t, "evtx", "evtx-rs")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := diagnose(t, data, false)
		recovered, _ := diagnose(t, data, true)
		if len(plain) == 0 || len(recovered) < len(plain) {
			t.Errorf("%s: %d records, %d when recovering", path, len(plain), len(recovered))
		}
	}
}
