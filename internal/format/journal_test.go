package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// journalWriter writes a journal file without its index, which readers of a stream do not need.
type journalWriter struct {
	compact     bool
	compression byte
	out         []byte
	data        map[string]int64
	seq         uint64
}

func newJournalWriter(compact bool, compression byte) *journalWriter {
	w := &journalWriter{compact: compact, compression: compression, data: map[string]int64{}, out: make([]byte, 272)}
	copy(w.out, "LPKSHHRH")
	if compact {
		w.out[12] = flagCompact
	}
	w.out[12] |= 1<<2 | 1<<3
	binary.LittleEndian.PutUint64(w.out[88:], 272)
	w.object(4, 0, make([]byte, 16*10)) // a hash table
	return w
}

func (w *journalWriter) object(kind, flags byte, body []byte) int64 {
	at := int64(len(w.out))
	head := make([]byte, 16)
	head[0], head[1] = kind, flags
	binary.LittleEndian.PutUint64(head[8:], uint64(16+len(body)))
	w.out = append(append(w.out, head...), body...)
	for len(w.out)%8 != 0 {
		w.out = append(w.out, 0)
	}
	return at
}

// entry writes an entry; uses is how often its fields say they are referred to.
func (w *journalWriter) entry(t testing.TB, realtime uint64, uses map[string]int, fields ...string) {
	var refs []int64
	for _, f := range fields {
		at, ok := w.data[f]
		if !ok {
			header := make([]byte, 48)
			binary.LittleEndian.PutUint64(header[40:], uint64(uses[f]))
			if w.compact {
				header = append(header, make([]byte, 8)...)
			}
			payload, flags := []byte(f), byte(0)
			if len(f) > 100 && w.compression != 0 {
				payload, flags = compressed(t, payload, w.compression), w.compression
			}
			at = w.object(objectData, flags, append(header, payload...))
			w.data[f] = at
			w.object(objectField, 0, append(make([]byte, 24), f[:strings.IndexByte(f, '=')]...))
		}
		refs = append(refs, at)
	}
	w.seq++
	body := binary.LittleEndian.AppendUint64(nil, w.seq)
	body = binary.LittleEndian.AppendUint64(body, realtime)
	body = binary.LittleEndian.AppendUint64(body, realtime-1e12)
	body = append(body, bytes.Repeat([]byte{0xb0}, 16)...)
	body = append(body, make([]byte, 8)...)
	for _, at := range refs {
		if w.compact {
			body = binary.LittleEndian.AppendUint32(body, uint32(at))
		} else {
			body = binary.LittleEndian.AppendUint64(body, uint64(at))
			body = append(body, make([]byte, 8)...)
		}
	}
	w.object(objectEntry, 0, body)
	w.object(objectEntryArray, 0, make([]byte, 8+8*4))
}

func compressed(t testing.TB, p []byte, how byte) []byte {
	var out bytes.Buffer
	switch how {
	case compressedZSTD:
		e, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return e.EncodeAll(p, nil)
	case compressedLZ4:
		block := make([]byte, lz4.CompressBlockBound(len(p)))
		n, err := lz4.CompressBlock(p, block, nil)
		if err != nil || n == 0 {
			t.Fatal("not compressed", err)
		}
		return append(binary.LittleEndian.AppendUint64(nil, uint64(len(p))), block[:n]...)
	}
	w, err := xz.WriterConfig{NoCheckSum: true, DictCap: 1 << 16}.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(p)
	w.Close()
	return out.Bytes()
}

const journalStart = 1772619072123456 // 2026-03-04T10:11:12.123456Z

// sampleJournal is a login with sshd and a long message of a service.
func sampleJournal(t testing.TB, compact bool, compression byte) []byte {
	w := newJournalWriter(compact, compression)
	host := []string{"_HOSTNAME=web1", "_MACHINE_ID=0123456789abcdef0123456789abcdef", "_BOOT_ID=" + strings.Repeat("b0", 16), "_TRANSPORT=syslog", "PRIORITY=6", "_UID=0"}
	uses := map[string]int{}
	for _, f := range host {
		uses[f] = 3
	}
	once := func(fields ...string) []string {
		for _, f := range fields {
			uses[f] = 1
		}
		return append(fields, host...)
	}
	w.entry(t, journalStart, uses, once("MESSAGE=Failed password for invalid user admin from 203.0.113.9 port 50022 ssh2", "SYSLOG_IDENTIFIER=sshd", "_PID=812", "_COMM=sshd", "SYSLOG_FACILITY=4")...)
	w.entry(t, journalStart+1e6, uses, once("MESSAGE="+strings.Repeat("the worker has come back and will be asked again; ", 8), "SYSLOG_IDENTIFIER=worker", "_PID=900", "_SYSTEMD_UNIT=worker.service", "OWN_FIELD=caf\xe9")...)
	w.entry(t, journalStart+2e6, uses, once("MESSAGE=pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)", "SYSLOG_IDENTIFIER=sudo", "_PID=901", "SYSLOG_FACILITY=10")...)
	return append(w.out, make([]byte, 4096)...) // as journald makes room ahead
}

func TestJournalsOfEachCompressionAndModeTellTheSame(t *testing.T) {
	f := Lookup("journal")
	plain := sampleJournal(t, false, 0)
	if *update {
		if err := os.MkdirAll("testdata/journal", 0o777); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{"plain": plain, "compact_zstd": sampleJournal(t, true, compressedZSTD)} {
			if err := os.WriteFile("testdata/journal/"+name+".log", data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := journalDocuments(t, decodeAll(t, f, plain, bytes.NewReader(plain)))
	if len(want) != 3 {
		t.Fatalf("%d entries, want 3", len(want))
	}
	for _, compact := range []bool{false, true} {
		for _, how := range []byte{0, compressedXZ, compressedLZ4, compressedZSTD} {
			data := sampleJournal(t, compact, how)
			if got := journalDocuments(t, decodeAll(t, f, data, bytes.NewReader(data))); !slices.Equal(got, want) {
				t.Errorf("compact %v, compression %d:\n%s\nwant\n%s", compact, how, got, want)
			}
		}
	}
}

// journalDocuments are the documents without what depends on the file.
func journalDocuments(t testing.TB, lines []byte) (docs []string) {
	for line := range bytes.Lines(lines) {
		var doc map[string]any
		if err := json.Unmarshal(line, &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc, "log.offset")
		delete(doc["event"].(map[string]any), "original")
		delete(doc["event"].(map[string]any), "sequence")
		delete(doc["journald"].(map[string]any), "seqnum_id") // journalctl writes both from systemd 254 on
		if l, ok := doc["log"].(map[string]any); ok {
			delete(l, "offset")
		}
		out, _ := json.Marshal(doc)
		docs = append(docs, string(out))
	}
	return docs
}

func TestADamagedJournalGivesWhatIsThere(t *testing.T) {
	f := Lookup("journal")
	whole := sampleJournal(t, true, compressedZSTD)
	for cut := 0; cut < len(whole); cut += 53 {
		decodeAll(t, f, whole[:cut], bytes.NewReader(whole[:cut]))
	}
	// The header of an object in the first entry is lost: the others are read.
	damaged := bytes.Clone(whole)
	at := bytes.Index(damaged, []byte("SYSLOG_IDENTIFIER=sshd")) - 72
	copy(damaged[at:], bytes.Repeat([]byte{0xff}, 16))
	got := journalDocuments(t, decodeAll(t, f, damaged, bytes.NewReader(damaged)))
	if len(got) != 3 || !strings.Contains(got[0], "missing") || !strings.Contains(got[0], "Failed password") || strings.Contains(got[1], "missing") {
		t.Errorf("%d entries: %s", len(got), got)
	}
}

// Real files, as systemd's own tools write them of the corpus's journal and read them again.
func TestBinaryJournalsAgreeWithJournalctl(t *testing.T) {
	const remote = "/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(remote); err != nil {
		t.Skip("systemd-journal-remote is not installed")
	}
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Skip("journalctl is not installed")
	}
	dir := t.TempDir()
	export := filepath.Join(dir, "in.export")
	if err := os.WriteFile(export, manyEntries(), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]string{{"COMPACT=0", "COMPRESS=0", "KEYED_HASH=0"}, {"COMPACT=0", "COMPRESS=XZ", "KEYED_HASH=1"}, {"COMPACT=1", "COMPRESS=LZ4", "KEYED_HASH=1"}, {"COMPACT=1", "COMPRESS=ZSTD", "KEYED_HASH=1"}} {
		file := filepath.Join(dir, strings.NewReplacer("=", "_").Replace(strings.Join(env, "-"))+".journal")
		cmd := exec.Command(remote, "--output="+file, export)
		cmd.Env = os.Environ()
		for _, e := range env {
			cmd.Env = append(cmd.Env, "SYSTEMD_JOURNAL_"+e)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", env, err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		again, err := exec.Command("journalctl", "--file", file, "-o", "export", "--all").Output()
		if err != nil {
			t.Fatal(err)
		}
		got := journalDocuments(t, decodeAll(t, Lookup("journal"), data, bytes.NewReader(data)))
		want := journalDocuments(t, decodeAll(t, Lookup("journald"), again, bytes.NewReader(again)))
		if len(got) != len(want) || len(got) < 500 {
			t.Fatalf("%s: %d entries, journalctl has %d", env, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: entry %d:\n%s\njournalctl:\n%s", env, i, got[i], want[i])
			}
		}
	}
}

// manyEntries is a journal in the export format: short and long messages, binary values.
func manyEntries() []byte {
	var out bytes.Buffer
	for i := range 600 {
		fmt.Fprintf(&out, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_HOSTNAME=web%d\nPRIORITY=%d\nSYSLOG_IDENTIFIER=app%d\n_PID=%d\n", journalStart+i*1000, 1000000+i*1000, strings.Repeat("b0", 16), i%3, i%7, i%20, 100+i%50)
		if i%5 == 0 {
			text := strings.Repeat(fmt.Sprintf("line %d of a long message\n", i), 40)
			fmt.Fprintf(&out, "MESSAGE\n")
			binary.Write(&out, binary.LittleEndian, uint64(len(text)))
			out.WriteString(text + "\n")
		} else {
			fmt.Fprintf(&out, "MESSAGE=request %d took %d ms\n", i, i*7%90)
		}
		out.WriteString("\n")
	}
	return out.Bytes()
}

func TestMemoryOfAJournalIsBoundedByWhatIsStillToBeReferredTo(t *testing.T) {
	w := newJournalWriter(true, 0)
	for i := range 1500 {
		message := fmt.Sprintf("MESSAGE=%d %s", i, strings.Repeat("x", 8000))
		w.entry(t, journalStart+uint64(i), map[string]int{message: 1, "_HOSTNAME=web1": 1500}, message, "_HOSTNAME=web1")
	}
	f := Lookup("journal").NewFramer(bytes.NewReader(w.out)).(*journalFramer)
	entries, most := 0, int64(0)
	for {
		c, err := f.Next()
		if err != nil {
			break
		}
		entries += len(c.Events)
		most = max(most, f.bytes[0]+f.bytes[1])
		for _, e := range c.Events {
			if e.Err != "" || !e.Has("_HOSTNAME") || !e.Has("MESSAGE") {
				t.Fatalf("entry %d lacks a field: %s", entries, e.Err)
			}
		}
	}
	if entries != 1500 || most > maxJournalSpent+1<<20 {
		t.Errorf("%d entries with %d bytes kept", entries, most)
	}
	if n := len(slices.Collect(maps.Keys(f.data))); n > 2000 {
		t.Errorf("%d values kept", n)
	}
}

func FuzzJournal(f *testing.F) {
	shortly(f)
	f.Add(sampleJournal(f, false, 0), uint16(0))
	f.Add(sampleJournal(f, true, compressedZSTD), uint16(300))
	f.Add(sampleJournal(f, true, compressedXZ), uint16(900))
	f.Add(sampleJournal(f, false, compressedLZ4), uint16(1200))
	f.Fuzz(func(t *testing.T, data []byte, flip uint16) {
		if len(data) > 0 {
			data = bytes.Clone(data)
			data[int(flip)%len(data)] ^= byte(flip >> 8)
		}
		decodeAll(t, Lookup("journal"), data, bytes.NewReader(data))
	})
}

func BenchmarkJournal(b *testing.B) {
	w := newJournalWriter(true, 0)
	for i := range 5000 {
		pid, message := fmt.Sprintf("_PID=%d", i%100), fmt.Sprintf("MESSAGE=Failed password for root from 203.0.113.%d port %d ssh2", i%250, i)
		w.entry(b, journalStart+uint64(i)*1000, map[string]int{message: 1}, message, pid, "_HOSTNAME=web1", "SYSLOG_IDENTIFIER=sshd", "PRIORITY=6", "_UID=0", "_TRANSPORT=syslog")
	}
	b.SetBytes(int64(len(w.out)))
	for b.Loop() {
		decodeAll(b, Lookup("journal"), w.out, bytes.NewReader(w.out))
	}
	b.ReportMetric(float64(5000*b.N)/b.Elapsed().Seconds(), "events/s")
}
