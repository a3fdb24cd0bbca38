package detect_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/cputime"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/rulepack"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// windowsLog writes an event log of n records as an office machine's two busiest logs hold them: of ten records three are Sysmon process
// creations, two Sysmon network connections, two logons (4624), two process creations of the Security log (4688) and one
// privileged logon (4672). The same seed gives the same bytes.
func windowsLog(tb testing.TB, seed uint64, n int) []byte {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	var out bytes.Buffer
	w, err := evtx.NewWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for i := range n {
		at = at.Add(time.Duration(r.IntN(int(80 * time.Millisecond))))
		rec := windowsRecord(r, i)
		rec.System.TimeCreated = evtx.FiletimeOf(at)
		rec.System.Computer = "ws01.example.com"
		rec.System.HasOpcode, rec.System.ProcessID, rec.System.ThreadID = true, 700, uint32(4*r.IntN(300))
		if err := w.Write(rec); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// benchPrograms are executable, description and the form of their command lines.
var benchPrograms = [][3]string{
	{`C:\Windows\System32\svchost.exe`, "Host Process for Windows Services", ` -k netsvcs -p -s %s`},
	{`C:\Windows\System32\svchost.exe`, "Host Process for Windows Services", ` -k LocalServiceNetworkRestricted -p -s %s`},
	{`C:\Windows\System32\svchost.exe`, "Host Process for Windows Services", ` -k UnistackSvcGroup -s %s`},
	{`C:\Windows\System32\conhost.exe`, "Console Window Host", ` 0xffffffff -ForceV1 %s`},
	{`C:\Windows\System32\backgroundTaskHost.exe`, "Background Task Host", ` -ServerName:App.AppX%s.mca`},
	{`C:\Windows\System32\taskhostw.exe`, "Host Process for Windows Tasks", ` %s`},
	{`C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`, "Microsoft Edge",
		` --type=renderer --lang=en-US --device-scale-factor=1 --num-raster-threads=4 --renderer-client-id=%s --mojo-platform-channel-handle=4321 /prefetch:1`},
	{`C:\Program Files\Google\Chrome\Application\chrome.exe`, "Google Chrome",
		` --type=utility --utility-sub-type=network.mojom.NetworkService --field-trial-handle=1756,i,%s --service-sandbox-type=none /prefetch:8`},
	{`C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE`, "Microsoft Outlook", ` /recycle %s`},
	{`C:\Program Files\Example Backup\agent.exe`, "Backup Agent", ` --job %s --quiet --log "C:\ProgramData\Example\agent.log"`},
	{`C:\Windows\System32\cmd.exe`, "Windows Command Processor", ` /c "C:\ProgramData\Example\inventory.bat" %s`},
	{`C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, "Windows PowerShell",
		` -NoProfile -ExecutionPolicy Bypass -File "C:\Program Files\Example\collect.ps1" -Id %s`},
	{`C:\Windows\SysWOW64\rundll32.exe`, "Windows host process (Rundll32)", ` C:\Windows\System32\shell32.dll,Control_RunDLL %s`},
}

func windowsRecord(r *rand.Rand, i int) *evtx.Record {
	hex := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789ABCDEF"[r.IntN(16)]
		}
		return string(b)
	}
	guid := func() string { return "{" + hex(8) + "-" + hex(4) + "-" + hex(4) + "-" + hex(4) + "-" + hex(12) + "}" }
	text := func(name, value string) evtx.Field {
		return evtx.Field{Name: name, Value: value, Type: evtx.TypeString}
	}
	is := func(t evtx.Type, name, value string) evtx.Field { return evtx.Field{Name: name, Value: value, Type: t} }
	program, parent := benchPrograms[r.IntN(len(benchPrograms))], benchPrograms[r.IntN(len(benchPrograms))]
	command := func(p [3]string) string { return `"` + p[0] + `"` + fmt.Sprintf(p[2], hex(8)) }
	user := fmt.Sprintf("user%02d", r.IntN(40))
	sid := fmt.Sprintf("S-1-5-21-1111111111-222222222-333333333-%d", 1000+r.IntN(40))
	logon := "0x" + hex(5)
	rec := &evtx.Record{DataKind: evtx.EventData}
	s := &rec.System
	if i%10 < 5 {
		s.ProviderName, s.ProviderGUID = "Microsoft-Windows-Sysmon", "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}"
		s.Channel, s.Keywords, s.Level = "Microsoft-Windows-Sysmon/Operational", 0x8000000000000000, 4
	} else {
		s.ProviderName, s.ProviderGUID = "Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-a5ba-3e3b0328c30d}"
		s.Channel, s.Keywords = "Security", 0x8020000000000000
	}
	switch i % 10 {
	case 0, 1, 2:
		s.EventID, s.Version, s.Task = 1, 5, 1
		rec.Data = []evtx.Field{
			text("RuleName", "-"), text("UtcTime", "2026-03-02 08:00:00.000"), is(evtx.TypeGUID, "ProcessGuid", guid()),
			is(evtx.TypeUInt32, "ProcessId", fmt.Sprint(r.IntN(30000))), text("Image", program[0]), text("FileVersion", "10.0.19041.1 (WinBuild.160101.0800)"),
			text("Description", program[1]), text("Product", "Microsoft® Windows® Operating System"), text("Company", "Microsoft Corporation"),
			text("OriginalFileName", filepath.Base(program[1])+".exe"), text("CommandLine", command(program)), text("CurrentDirectory", `C:\Windows\system32\`),
			text("User", `EXAMPLE\`+user), is(evtx.TypeGUID, "LogonGuid", guid()), is(evtx.TypeHexInt64, "LogonId", logon),
			is(evtx.TypeUInt32, "TerminalSessionId", "1"), text("IntegrityLevel", "Medium"),
			text("Hashes", "MD5="+hex(32)+",SHA256="+hex(64)+",IMPHASH="+hex(32)), is(evtx.TypeGUID, "ParentProcessGuid", guid()),
			is(evtx.TypeUInt32, "ParentProcessId", fmt.Sprint(r.IntN(30000))), text("ParentImage", parent[0]), text("ParentCommandLine", command(parent)),
			text("ParentUser", `EXAMPLE\`+user),
		}
	case 3, 4:
		s.EventID, s.Version, s.Task = 3, 5, 3
		rec.Data = []evtx.Field{
			text("RuleName", "-"), text("UtcTime", "2026-03-02 08:00:00.000"), is(evtx.TypeGUID, "ProcessGuid", guid()),
			is(evtx.TypeUInt32, "ProcessId", fmt.Sprint(r.IntN(30000))), text("Image", program[0]), text("User", `EXAMPLE\`+user), text("Protocol", "tcp"),
			is(evtx.TypeBool, "Initiated", "true"), is(evtx.TypeBool, "SourceIsIpv6", "false"), text("SourceIp", "192.0.2.17"), text("SourceHostname", "ws01.example.com"),
			is(evtx.TypeUInt16, "SourcePort", fmt.Sprint(49152+r.IntN(16000))), text("SourcePortName", "-"), is(evtx.TypeBool, "DestinationIsIpv6", "false"),
			text("DestinationIp", fmt.Sprintf("198.51.100.%d", r.IntN(256))), text("DestinationHostname", "-"), is(evtx.TypeUInt16, "DestinationPort", "443"),
			text("DestinationPortName", "https"),
		}
	case 5, 6:
		s.EventID, s.Version, s.Task = 4624, 2, 12544
		rec.Data = []evtx.Field{
			is(evtx.TypeSID, "SubjectUserSid", "S-1-5-18"), text("SubjectUserName", "WS01$"), text("SubjectDomainName", "EXAMPLE"),
			is(evtx.TypeHexInt64, "SubjectLogonId", "0x3e7"), is(evtx.TypeSID, "TargetUserSid", sid), text("TargetUserName", user), text("TargetDomainName", "EXAMPLE"),
			is(evtx.TypeHexInt64, "TargetLogonId", logon), is(evtx.TypeUInt32, "LogonType", "3"), text("LogonProcessName", "Kerberos"),
			text("AuthenticationPackageName", "Kerberos"), text("WorkstationName", "-"), is(evtx.TypeGUID, "LogonGuid", guid()), text("TransmittedServices", "-"),
			text("LmPackageName", "-"), is(evtx.TypeUInt32, "KeyLength", "0"), is(evtx.TypeHexInt64, "ProcessId", "0x0"), text("ProcessName", "-"),
			text("IpAddress", fmt.Sprintf("192.0.2.%d", r.IntN(256))), text("IpPort", fmt.Sprint(49152+r.IntN(16000))), text("ImpersonationLevel", "%%1833"),
			text("VirtualAccount", "%%1843"), is(evtx.TypeHexInt64, "TargetLinkedLogonId", "0x0"), text("ElevatedToken", "%%1842"),
		}
	case 7, 8:
		s.EventID, s.Version, s.Task = 4688, 2, 13312
		rec.Data = []evtx.Field{
			is(evtx.TypeSID, "SubjectUserSid", sid), text("SubjectUserName", user), text("SubjectDomainName", "EXAMPLE"),
			is(evtx.TypeHexInt64, "SubjectLogonId", logon), is(evtx.TypeHexInt64, "NewProcessId", "0x"+hex(4)), text("NewProcessName", program[0]),
			text("TokenElevationType", "%%1936"), is(evtx.TypeHexInt64, "ProcessId", "0x2bc"), text("CommandLine", command(program)),
			is(evtx.TypeSID, "TargetUserSid", "S-1-0-0"), text("TargetUserName", "-"), text("TargetDomainName", "-"), is(evtx.TypeHexInt64, "TargetLogonId", "0x0"),
			text("ParentProcessName", parent[0]), is(evtx.TypeSID, "MandatoryLabel", "S-1-16-8192"),
		}
	default:
		s.EventID, s.Task = 4672, 12548
		rec.Data = []evtx.Field{
			is(evtx.TypeSID, "SubjectUserSid", sid), text("SubjectUserName", user), text("SubjectDomainName", "EXAMPLE"),
			is(evtx.TypeHexInt64, "SubjectLogonId", logon), text("PrivilegeList", "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege"),
		}
	}
	return rec
}

// matchFile decodes an event log and matches it with as many goroutines as there are threads, and returns how many events and matches
// there were.
func matchFile(tb testing.TB, matchers []*detect.Matcher, data []byte) (events, matches int64) {
	f, _ := format.Recognise(format.NewSample("Security.evtx", data, true))
	if f == nil || f.Name != "windows.eventlog" {
		tb.Fatal("the log is not recognised")
	}
	chunks := make(chan *format.Chunk, 2*len(matchers))
	var wait sync.WaitGroup
	for _, m := range matchers {
		wait.Go(func() {
			decoder := f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0), Skim: m.Skim})
			var b event.Batch
			var hits []detect.Hit
			for c := range chunks {
				b.Reset()
				decoder.Decode(c, &b)
				hits = m.MatchBatch(&b, hits[:0])
				atomic.AddInt64(&events, int64(len(b.Events)))
				atomic.AddInt64(&matches, int64(len(hits)))
			}
		})
	}
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			tb.Error(err)
			break
		}
		chunks <- c
	}
	close(chunks)
	wait.Wait()
	return events, matches
}

// BenchmarkEVTXToMatches_Aim100kEventsPerSecondOnTwoCores goes all the way from an event log's bytes to matches, on GOMAXPROCS goroutines.
func BenchmarkEVTXToMatches_Aim100kEventsPerSecondOnTwoCores(b *testing.B) {
	const n = 40_000
	var data []byte
	run := func(name string, options func(b *testing.B) detect.Options) {
		b.Run(name, func(b *testing.B) {
			opt := options(b)
			if data == nil {
				data = windowsLog(b, 1, n)
			}
			d, err := detect.Load(opt)
			if err != nil {
				b.Fatal(err)
			}
			matchers := make([]*detect.Matcher, runtime.GOMAXPROCS(0))
			for i := range matchers {
				matchers[i] = d.NewMatcher()
			}
			b.SetBytes(int64(len(data)))
			var matches int64
			before := cputime.Used()
			for b.Loop() {
				var events int64
				if events, matches = matchFile(b, matchers, data); events != n {
					b.Fatalf("%d events, want %d", events, n)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			if cpu := cputime.Used() - before; cpu > 0 { // what it would be with the machine to itself
				b.ReportMetric(n*float64(b.N)/cpu.Seconds(), "events/cpu-s")
			}
			b.ReportMetric(float64(len(d.Rules())), "rules")
			b.ReportMetric(float64(matches)/n, "matches/event")
		})
	}
	run("SigmaHQ", func(b *testing.B) detect.Options { return detect.Options{Paths: sigmaHQ(b)} })
	run("builtin", func(*testing.B) detect.Options { return detect.Options{Embedded: rulepack.Rules} })
}

// BenchmarkLoad_AimOneSecond reads all public rules and compiles them for every log of the table.
func BenchmarkLoad_AimOneSecond(b *testing.B) {
	rules := sigmaHQ(b)
	before := cputime.Used()
	for b.Loop() {
		if _, err := detect.Load(detect.Options{Paths: rules}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cputime.Used()-before).Seconds()*1e3/float64(b.N), "cpu-ms")
}

// sigmaHQ returns the folders of the public rules.
func sigmaHQ(b *testing.B) []string {
	rules, _ := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("SEXTANT_CORPUS"), "../../../shared/corpus"), "sigma", "rules*"))
	if len(rules) == 0 {
		b.Skip("no Sigma rules in ../shared/corpus: set SEXTANT_CORPUS to a corpus that has them")
	}
	return rules
}

// The log that the benchmark uses is read whole, and the same seed gives the same bytes.
func TestTheBenchmarkLogIsReadWhole(t *testing.T) {
	data := windowsLog(t, 3, 500)
	if !bytes.Equal(data, windowsLog(t, 3, 500)) {
		t.Error("the same seed gives other bytes")
	}
	d, err := detect.Load(detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if events, _ := matchFile(t, []*detect.Matcher{d.NewMatcher(), d.NewMatcher()}, data); events != 500 {
		t.Errorf("%d events are read of 500", events)
	}
}
