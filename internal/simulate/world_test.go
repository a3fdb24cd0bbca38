package simulate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// simulated writes a world and returns where.
func simulated(t testing.TB, o Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := Intrusion(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tree is every file under dir with its content and, for evidence, its time.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		files[rel] = fmt.Sprintf("%x", sha256.Sum256(data))
		if info, err := d.Info(); err == nil && strings.HasPrefix(rel, "evidence/") {
			files[rel] += info.ModTime().UTC().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func truthOf(t testing.TB, dir string) (truth Truth, labels []Label) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &truth); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "labels.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	for {
		var l Label
		if err := d.Decode(&l); err == io.EOF {
			return truth, labels
		} else if err != nil {
			t.Fatal(err)
		}
		labels = append(labels, l)
	}
}

// content is a file's content as it is read: decompressed.
func content(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return data
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("%s: the gzip header has a time or a name", path)
	}
	if data, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSameOptionsGiveTheSameBytesAndOtherSeedsOthers(t *testing.T) {
	o := Options{Campaigns: []string{"all"}, Days: 2, Users: 8, Seed: 5, Spread: 3}
	a, b := tree(t, simulated(t, o)), tree(t, simulated(t, o))
	if len(a) != len(b) {
		t.Errorf("%d files, then %d", len(a), len(b))
	}
	for path, sum := range a {
		if b[path] != sum {
			t.Errorf("%s differs between two runs", path)
		}
	}
	o.Seed++
	for path, sum := range tree(t, simulated(t, o)) {
		if a[path] == sum {
			t.Errorf("%s is the same with another seed", path)
		}
	}
}

// formats are what the files are, by the end of their path without rotation.
var formats = map[string]string{
	"auth.log": "syslog", "syslog": "syslog", "kern.log": "syslog", "eve.json": "suricata.eve",
	"apache2/access.log": "apache.access", "apache2/error.log": "apache.error", "nginx/access.log": "nginx.access",
	"current/conn.log": "zeek", "current/dns.log": "zeek", "current/http.log": "zeek", "current/ssl.log": "zeek",
	"named/query.log": "bind.query", "dhcpd.log": "syslog", "eu-central-1.jsonl": "aws.cloudtrail", "audit/audit.log": "auditd.log",
	"15-main.log": "postgresql.log", "kubernetes/audit.log": "kubernetes.audit_logs", "W3SVC1/u_ex.log": "iis.access",
}

func TestEveryLineIsReadAsItsFormatAndUnderstood(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"all"}, Days: 3, Users: 10, Seed: 11})
	truth, _ := truthOf(t, dir)
	seen := map[string]bool{}
	for _, file := range truth.Files {
		if strings.HasSuffix(file.Path, ".evtx") {
			continue
		}
		name, want := "", ""
		for suffix, format := range formats {
			p := strings.TrimSuffix(file.Path, ".gz")
			p = strings.TrimRight(p, ".0123456789")
			if strings.HasSuffix(p, suffix) {
				name, want = suffix, format
			}
		}
		data := content(t, filepath.Join(dir, filepath.FromSlash(file.Path)))
		f, sure := format.Recognise(format.NewSample(name, data[:min(len(data), 64<<10)], len(data) <= 64<<10))
		if f == nil || f.Name != want && !(strings.HasSuffix(want, ".access") && strings.HasSuffix(f.Name, ".access")) {
			t.Errorf("%s is taken for %v (%d), not %s", file.Path, f, sure, want)
			continue
		}
		seen[want] = true
		framer := f.NewFramer(bytes.NewReader(data))
		var b event.Batch
		var records int64
		last := int64(0)
		for {
			c, err := framer.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Reset()
			ref := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
			f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, ref)}).Decode(c, &b)
			for i := range b.Events {
				e := &b.Events[i]
				records++
				if e.Err != "" {
					t.Fatalf("%s: not understood: %s: %s", file.Path, e.Err, e.Raw)
				}
				if e.Time < last && !strings.HasSuffix(name, "conn.log") || e.Time < truthTime(t, truth.First) || e.Time > truthTime(t, truth.Last) {
					t.Fatalf("%s: time goes back or is outside the world: %s", file.Path, e.Raw)
				}
				last = e.Time
			}
		}
		if records != file.Records {
			t.Errorf("%s: %d records decoded, %d written", file.Path, records, file.Records)
		}
	}
	for _, want := range formats {
		if !seen[want] {
			t.Errorf("no file of format %s was written", want)
		}
	}
}

func truthTime(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

func TestEventLogsOpenWithoutDamageAndHoldTheRecordsNamed(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ransomware-windows", "password-spray", "pass-the-hash"}, Days: 2, Users: 8, Seed: 3})
	truth, labels := truthOf(t, dir)
	marked := map[string]map[int64]Label{}
	for _, l := range labels {
		if marked[l.Path] == nil {
			marked[l.Path] = map[int64]Label{}
		}
		marked[l.Path][l.Offset] = l
	}
	logs := 0
	for _, file := range truth.Files {
		if !strings.HasSuffix(file.Path, ".evtx") {
			continue
		}
		logs++
		data := content(t, filepath.Join(dir, filepath.FromSlash(file.Path)))
		r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		r.Diagnose = func(d evtx.Diagnostic) { t.Errorf("%s: %v", file.Path, d) }
		var records, last int64
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Err != nil {
				t.Fatalf("%s: record %d: %v", file.Path, rec.ID, rec.Err)
			}
			records++
			if at := rec.System.TimeCreated.Time().UnixNano(); at < last {
				t.Fatalf("%s: record %d: time goes back", file.Path, rec.ID)
			} else {
				last = at
			}
			if l, ok := marked[file.Path][rec.Offset]; ok {
				if l.Record != int64(rec.ID) {
					t.Errorf("%s: label says record %d at %d, there is %d", file.Path, l.Record, l.Offset, rec.ID)
				}
				delete(marked[file.Path], rec.Offset)
			}
		}
		if records != file.Records {
			t.Errorf("%s: %d records read, %d written", file.Path, records, file.Records)
		}
		if n := len(marked[file.Path]); n > 0 {
			t.Errorf("%s: %d labels point at no record", file.Path, n)
		}
	}
	if logs != 6 {
		t.Errorf("%d event logs, want 6", logs)
	}
}

func TestLabelsPointAtTheLinesTheyMean(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-succeeds", "web-shell"}, Days: 3, Users: 8, Seed: 2})
	_, labels := truthOf(t, dir)
	contents, ids := map[string][]byte{}, map[string]string{}
	checked := 0
	for _, l := range labels {
		if strings.HasSuffix(l.Path, ".evtx") {
			continue
		}
		data, ok := contents[l.Path]
		if !ok {
			data = content(t, filepath.Join(dir, filepath.FromSlash(l.Path)))
			sum := sha256.Sum256(data)
			contents[l.Path], ids[l.Path] = data, hex.EncodeToString(sum[:12])
		}
		if l.Offset >= int64(len(data)) || l.Offset > 0 && data[l.Offset-1] != '\n' {
			t.Fatalf("%s: no line starts at %d", l.Path, l.Offset)
		}
		if want := fmt.Sprintf("%s-%010x", ids[l.Path], l.Offset); l.Event != want {
			t.Fatalf("event id %s, want %s", l.Event, want)
		}
		line, _, _ := bytes.Cut(data[l.Offset:], []byte("\n"))
		switch l.Step {
		case "account":
			if strings.Contains(l.Path, "auth.log") {
				checked++
				if !bytes.Contains(line, []byte("sudo")) && !bytes.Contains(line, []byte("useradd")) && !bytes.Contains(line, []byte("chpasswd")) {
					t.Errorf("%s: labelled account: %s", l.Path, line)
				}
			}
		case "guess":
			if strings.Contains(l.Path, "auth.log") {
				checked++
				if !bytes.Contains(line, []byte("sshd")) {
					t.Errorf("%s: labelled guess: %s", l.Path, line)
				}
			}
		case "shell":
			if strings.Contains(l.Path, "access.log") {
				checked++
				if !bytes.Contains(line, []byte("/uploads/")) {
					t.Errorf("%s: labelled shell: %s", l.Path, line)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d labels had a line to compare", checked)
	}
}

func TestTruthAgreesWithTheLabels(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"all"}, Days: 3, Users: 6, Seed: 9})
	truth, all := truthOf(t, dir)
	if len(truth.Incidents) != len(Campaigns()) {
		t.Fatalf("%d incidents, want one for each of %d campaigns", len(truth.Incidents), len(Campaigns()))
	}
	for _, k := range truth.Incidents {
		t.Run(k.ID, func(t *testing.T) {
			want := "succeeded"
			if strings.HasSuffix(k.Campaign, "-fails") || strings.HasSuffix(k.Campaign, "-blocked") {
				want = "failed"
			}
			if k.Outcome != want || !k.OutcomeVisible {
				t.Errorf("outcome %s (visible %v), want %s", k.Outcome, k.OutcomeVisible, want)
			}
			var records, techniques []string
			steps := map[string]int64{}
			first, last := "", ""
			for _, l := range all {
				if l.Incident != k.ID {
					continue
				}
				records = append(records, l.Event)
				steps[l.Step]++
				add(&techniques, l.Technique)
				if first == "" || l.Time < first {
					first = l.Time
				}
				last = max(last, l.Time)
			}
			slices.Sort(techniques)
			if !slices.Equal(records, k.Records) || !slices.Equal(techniques, k.Techniques) || k.First != first || k.Last != last {
				t.Errorf("labels: %d records, %v, %s to %s; truth: %d records, %v, %s to %s",
					len(records), techniques, first, last, len(k.Records), k.Techniques, k.First, k.Last)
			}
			if len(k.Records) < 3 || len(k.What) == 0 {
				t.Errorf("only %d records of %d steps", len(k.Records), len(k.What))
			}
			kept := map[string]int64{}
			for _, s := range k.What {
				kept[s.Name] += s.Records
				if s.Records == 0 && s.Lost == 0 {
					t.Errorf("step %s left nothing", s.Name)
				}
			}
			for name, n := range steps {
				if kept[name] != n {
					t.Errorf("step %s: %d labels, truth says %d", name, n, kept[name])
				}
			}
			if len(k.Users) == 0 && len(k.Sources) == 0 {
				t.Error("no one did it")
			}
		})
	}
}

// Whoever reads the evidence can find who did it: the truth names no account
// and no address that is in no record.
func TestTruthNamesOnlyWhatRecordsName(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"all"}, Days: 3, Users: 6, Seed: 13, Spread: 4})
	truth, labels := truthOf(t, dir)
	text := map[string]*strings.Builder{}
	contents := map[string][]byte{}
	for _, l := range labels {
		if l.Incident == "" {
			continue
		}
		if contents[l.Path] == nil {
			contents[l.Path] = content(t, filepath.Join(dir, filepath.FromSlash(l.Path)))
		}
		if text[l.Incident] == nil {
			text[l.Incident] = &strings.Builder{}
		}
		data := contents[l.Path][l.Offset:]
		if strings.HasSuffix(l.Path, ".evtx") { // the record with its text made narrow
			size := binary.LittleEndian.Uint32(data[4:])
			data = bytes.ReplaceAll(data[:size], []byte{0}, nil)
		} else {
			data, _, _ = bytes.Cut(data, []byte("\n"))
		}
		text[l.Incident].Write(data)
		text[l.Incident].WriteByte('\n')
	}
	for _, k := range truth.Incidents {
		for _, name := range slices.Concat(k.Users, k.Sources) {
			if !strings.Contains(text[k.ID].String(), name) {
				t.Errorf("%s: no record names %s", k.ID, name)
			}
		}
	}
}

func TestDaysAndRotationFollowTheZone(t *testing.T) {
	zone := time.FixedZone("", -8*3600)
	dir := simulated(t, Options{Campaigns: []string{"stolen-key-login"}, Days: 3, Users: 5, Seed: 4, Zone: zone})
	for name, prefix := range map[string]string{"auth.log.2.gz": "Mar  2 ", "auth.log.1": "Mar  3 ", "auth.log": "Mar  4 "} {
		lines := strings.Split(strings.TrimSuffix(string(content(t, filepath.Join(dir, "evidence/web1/var/log", name))), "\n"), "\n")
		for _, line := range lines {
			if !strings.HasPrefix(line, prefix) {
				t.Fatalf("%s holds %s", name, line)
			}
		}
	}
	truth, _ := truthOf(t, dir)
	if truth.First != "2026-03-02T08:00:00.000000Z" {
		t.Error("the world begins", truth.First)
	}
}

func TestAMissingLogIsNotWrittenAndMakesTheOutcomeInvisible(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-succeeds"}, Days: 1, Users: 5, Seed: 4, Without: []string{"web1/auth"}})
	truth, _ := truthOf(t, dir)
	for _, f := range truth.Files {
		if strings.HasPrefix(f.Path, "evidence/web1/var/log/auth.log") {
			t.Error("written though left out:", f.Path)
		}
	}
	if k := truth.Incidents[0]; k.OutcomeVisible || k.Outcome != "succeeded" || len(k.Records) == 0 {
		t.Errorf("outcome %s, visible %v, %d records", k.Outcome, k.OutcomeVisible, len(k.Records))
	}
}

func TestAnAttackIsSpreadOverAsManyAddressesAsAskedFor(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-fails"}, Days: 1, Users: 5, Seed: 4, Spread: 12})
	truth, _ := truthOf(t, dir)
	if n := len(truth.Incidents[0].Sources); n != 12 {
		t.Errorf("%d sources, want 12", n)
	}
}

func TestASkewedClockShowsInTheLogAndNotInTheTruth(t *testing.T) {
	o := Options{Campaigns: []string{"ssh-brute-force-fails"}, Days: 1, Users: 5, Seed: 4}
	straight, _ := truthOf(t, simulated(t, o))
	o.Skew = map[string]time.Duration{"bastion1": 2 * time.Hour}
	dir := simulated(t, o)
	skewed, _ := truthOf(t, dir)
	if straight.Incidents[0].First != skewed.Incidents[0].First {
		t.Error("the truth follows a clock that is wrong")
	}
	line, _, _ := strings.Cut(string(content(t, filepath.Join(dir, "evidence/bastion1/var/log/auth.log.1"))), "\n")
	if !strings.HasPrefix(line, "Mar  2 02:") {
		t.Error("the first line of a clock two hours fast:", line)
	}
}

func TestLimitsAreSaidBeforeAnythingIsWritten(t *testing.T) {
	for _, o := range []Options{
		{Days: 400}, {Users: 2}, {Users: 6000}, {Campaigns: []string{"nothing"}}, {Without: []string{"web1/security2"}},
		{Without: []string{"elsewhere/auth"}}, {Spread: 1000}, {Skew: map[string]time.Duration{"nohost": 1}},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Intrusion(dir, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%+v left files", o)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Intrusion(full, Options{}); err == nil {
		t.Error("a directory with files in it was accepted")
	}
}

// BenchmarkIntrusion reports the records written in a second, all campaigns in
// three days of 25 people.
func BenchmarkIntrusion(b *testing.B) {
	var records, bytes int64
	for b.Loop() {
		sum, err := Intrusion(filepath.Join(b.TempDir(), "out"), Options{Campaigns: []string{"all"}, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		records += sum.Records
		bytes += sum.Bytes
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	b.SetBytes(bytes / int64(b.N))
}

func TestExportedEventLogsHoldTheSameRecordsAtTheirOffsets(t *testing.T) {
	for _, c := range []struct {
		options                                   Options
		extension, format, begin, event, numbered string
	}{
		{Options{WindowsXML: true}, ".xml", "windows.xml", "<Event ", "</Event>", "<EventRecordID>%d</EventRecordID>"},
		{Options{WindowsJSON: true}, ".jsonl", "windows.json", `{"Event":`, "}\n", `"EventRecordID":%d,`},
	} {
		o := c.options
		o.Campaigns, o.Days, o.Users, o.Seed = []string{"kerberoasting"}, 1, 6, 4
		dir := simulated(t, o)
		truth, labels := truthOf(t, dir)
		logs, checked := 0, 0
		for _, file := range truth.Files {
			if strings.HasSuffix(file.Path, ".evtx") {
				t.Errorf("%s was left", file.Path)
			}
			if !strings.HasSuffix(file.Path, c.extension) || !strings.Contains(file.Path, "winevt") {
				continue
			}
			logs++
			data := content(t, filepath.Join(dir, filepath.FromSlash(file.Path)))
			f, _ := format.Recognise(format.NewSample(file.Path, data[:min(len(data), 64<<10)], len(data) <= 64<<10))
			if f == nil || f.Name != c.format {
				t.Errorf("%s is taken for %v", file.Path, f)
			}
			if n := int64(bytes.Count(data, []byte(c.event))); n != file.Records {
				t.Errorf("%s: %d events, want %d", file.Path, n, file.Records)
			}
			for _, l := range labels {
				if l.Path == file.Path {
					checked++
					if want := fmt.Sprintf(c.numbered, l.Record); !bytes.HasPrefix(data[l.Offset:], []byte(c.begin)) || !bytes.Contains(data[l.Offset:min(int64(len(data)), l.Offset+2000)], []byte(want)) {
						t.Fatalf("%s: no event %d at %d", l.Path, l.Record, l.Offset)
					}
				}
			}
		}
		if logs == 0 || checked == 0 {
			t.Errorf("%s: %d logs, %d labels", c.format, logs, checked)
		}
	}
}

func TestAHostInAnotherZoneWritesItsOwnTime(t *testing.T) {
	east := time.FixedZone("+05:30", 5*3600+1800)
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-succeeds"}, Days: 1, Users: 6, Seed: 4, Zones: map[string]*time.Location{"web1": east}})
	_, labels := truthOf(t, dir)
	checked := 0
	for _, l := range labels {
		if !strings.HasPrefix(l.Path, "evidence/web1/var/log/auth.log") || l.Label != "malicious" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, l.Time)
		if err != nil {
			t.Fatal(err)
		}
		data := content(t, filepath.Join(dir, filepath.FromSlash(l.Path)))
		if want := at.In(east).Format("Jan _2 15:04:05"); !bytes.HasPrefix(data[l.Offset:], []byte(want)) {
			t.Fatalf("%.40q, want %s", data[l.Offset:], want)
		}
		checked++
	}
	if checked == 0 {
		t.Error("nothing to check")
	}
}

func TestATruncatedLogEndsAmidARecordAndLosesItsLabels(t *testing.T) {
	o := Options{Campaigns: []string{"ssh-brute-force-succeeds"}, Days: 1, Users: 6, Seed: 4}
	_, whole := truthOf(t, simulated(t, o))
	o.Truncate = map[string]float64{"web1/auth": 0.3}
	dir := simulated(t, o)
	truth, labels := truthOf(t, dir)
	if len(labels) >= len(whole) {
		t.Errorf("%d labels of a cut log, %d of the whole", len(labels), len(whole))
	}
	for _, file := range truth.Files {
		if file.Path != "evidence/web1/var/log/auth.log" {
			continue
		}
		data := content(t, filepath.Join(dir, filepath.FromSlash(file.Path)))
		sum := sha256.Sum256(data)
		if file.SHA256 != hex.EncodeToString(sum[:]) {
			t.Error("the hash is not that of what is left")
		}
		for _, l := range labels {
			if l.Path == file.Path && l.Offset >= int64(len(data)) {
				t.Fatalf("a label at %d of %d bytes", l.Offset, len(data))
			}
		}
		return
	}
	t.Error("the log is gone")
}
