package sigma

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/sextant-logs/sextant/internal/cputime"
)

// processEvents makes process-creation events such as Sysmon writes on an office machine: a few programs over and over, command lines that
// vary, and now and then something an attacker would type. The same seed gives the same events.
func processEvents(seed uint64, n int) [][][2]string {
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	type program struct{ dir, exe, description, company, args string }
	programs := []program{
		{`C:\Windows\System32\`, "svchost.exe", "Host Process for Windows Services", "Microsoft Corporation", ` -k netsvcs -p -s %s`},
		{`C:\Windows\System32\`, "conhost.exe", "Console Window Host", "Microsoft Corporation", ` 0xffffffff -ForceV1`},
		{`C:\Windows\System32\`, "backgroundTaskHost.exe", "Background Task Host", "Microsoft Corporation", ` -ServerName:%s.AppX2a`},
		{`C:\Windows\System32\`, "taskhostw.exe", "Host Process for Windows Tasks", "Microsoft Corporation", ` %s`},
		{`C:\Program Files (x86)\Microsoft\Edge\Application\`, "msedge.exe", "Microsoft Edge", "Microsoft Corporation",
			` --type=renderer --lang=en-US --device-scale-factor=1 --num-raster-threads=4 --renderer-client-id=%s --mojo-platform-channel-handle=4321 /prefetch:1`},
		{`C:\Program Files\Google\Chrome\Application\`, "chrome.exe", "Google Chrome", "Google LLC",
			` --type=utility --utility-sub-type=network.mojom.NetworkService --field-trial-handle=1756,i,%s --service-sandbox-type=none /prefetch:8`},
		{`C:\Program Files\Microsoft Office\root\Office16\`, "OUTLOOK.EXE", "Microsoft Outlook", "Microsoft Corporation", ` /recycle %s`},
		{`C:\Program Files\Example Backup\`, "agent.exe", "Backup Agent", "Example Ltd", ` --job %s --quiet --log "C:\ProgramData\Example\agent.log"`},
		{`C:\Windows\System32\`, "cmd.exe", "Windows Command Processor", "Microsoft Corporation", ` /c "C:\ProgramData\Example\inventory.bat" %s`},
		{`C:\Windows\System32\WindowsPowerShell\v1.0\`, "powershell.exe", "Windows PowerShell", "Microsoft Corporation",
			` -NoProfile -ExecutionPolicy Bypass -File "C:\Program Files\Example\collect.ps1" -Id %s`},
		{`C:\Windows\SysWOW64\`, "rundll32.exe", "Windows host process (Rundll32)", "Microsoft Corporation", ` C:\Windows\System32\shell32.dll,Control_RunDLL %s`},
		{`C:\Windows\System32\`, "reg.exe", "Registry Console Tool", "Microsoft Corporation", ` query HKLM\Software\Example\%s /v Version`},
		{`C:\Windows\System32\`, "whoami.exe", "whoami - displays logged on user information", "Microsoft Corporation", ` /all`},
	}
	weights := []int{30, 14, 8, 8, 14, 10, 2, 4, 3, 2, 2, 2, 1}
	total := 0
	for _, w := range weights {
		total += w
	}
	draw := func() program {
		k := r.IntN(total)
		for i, w := range weights {
			if k -= w; k < 0 {
				return programs[i]
			}
		}
		return programs[0]
	}
	users := []string{`EXAMPLE\anna`, `EXAMPLE\bert`, `NT AUTHORITY\SYSTEM`, `NT AUTHORITY\NETWORK SERVICE`, `EXAMPLE\svc_backup`}
	levels := []string{"Medium", "High", "System", "Low"}
	hex := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789ABCDEF"[r.IntN(16)]
		}
		return string(b)
	}
	events := make([][][2]string, n)
	for i := range events {
		p, parent := draw(), draw()
		args := p.args
		if len(args) > 2 && fmt.Sprintf(args, "") != args {
			args = fmt.Sprintf(args, hex(8))
		}
		parentArgs := fmt.Sprintf(parent.args+"%.0s", hex(6), "")
		events[i] = [][2]string{
			{"EventID", "1"}, {"Channel", "Microsoft-Windows-Sysmon/Operational"}, {"Provider_Name", "Microsoft-Windows-Sysmon"},
			{"Computer", fmt.Sprintf("ws%03d.example.com", r.IntN(200))}, {"RuleName", "-"},
			{"UtcTime", fmt.Sprintf("2024-03-%02d %02d:%02d:%02d.%03d", 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))},
			{"ProcessGuid", "{" + hex(8) + "-" + hex(4) + "-" + hex(4) + "-" + hex(12) + "}"}, {"ProcessId", fmt.Sprint(r.IntN(30000))},
			{"Image", p.dir + p.exe}, {"FileVersion", "10.0.19041.1 (WinBuild.160101.0800)"}, {"Description", p.description},
			{"Product", "Microsoft® Windows® Operating System"}, {"Company", p.company}, {"OriginalFileName", p.exe},
			{"CommandLine", `"` + p.dir + p.exe + `"` + args}, {"CurrentDirectory", pick([]string{`C:\Windows\system32\`, `C:\Users\anna\`, `C:\`})},
			{"User", pick(users)}, {"LogonGuid", "{" + hex(8) + "-" + hex(4) + "-" + hex(4) + "-" + hex(12) + "}"},
			{"LogonId", "0x" + hex(5)}, {"TerminalSessionId", "1"}, {"IntegrityLevel", pick(levels)},
			{"Hashes", "MD5=" + hex(32) + ",SHA256=" + hex(64) + ",IMPHASH=" + hex(32)},
			{"ParentProcessGuid", "{" + hex(8) + "-" + hex(4) + "-" + hex(4) + "-" + hex(12) + "}"}, {"ParentProcessId", fmt.Sprint(r.IntN(30000))},
			{"ParentImage", parent.dir + parent.exe}, {"ParentCommandLine", parent.dir + parent.exe + parentArgs}, {"ParentUser", pick(users)},
		}
	}
	return events
}

// slotted is an event as a caller that looked its slots up before has it.
type slotted struct {
	slots  []Slot
	values []string
}

func slotEvents(eng *Engine, events [][][2]string) (out []slotted, bytes int) {
	for _, ev := range events {
		var s slotted
		for _, f := range ev {
			s.slots = append(s.slots, eng.Slot(f[0]))
			s.values = append(s.values, f[1])
			bytes += len(f[1])
		}
		out = append(out, s)
	}
	return out, bytes
}

var windowsProcess = LogSource{Category: "process_creation", Product: "windows", Service: "sysmon"}

// BenchmarkMatchProcessCreation_Aim200kEventsPerCoreSecond matches decoded process-creation events against all public rules, on one core.
func BenchmarkMatchProcessCreation_Aim200kEventsPerCoreSecond(b *testing.B) {
	eng := Compile(corpusRules(b), Options{})
	events, bytes := slotEvents(eng, processEvents(1, 5000))
	sources := eng.SourcesOf(windowsProcess)
	rules := 0
	for _, s := range sources {
		rules += eng.RulesFor(s)
	}
	m := eng.NewMatcher()
	var matches []Match
	matched := 0
	b.SetBytes(int64(bytes / len(events)))
	b.ReportAllocs()
	i := 0
	before := cputime.Used()
	for b.Loop() {
		ev := &events[i%len(events)]
		i++
		m.Reset(sources)
		for k, s := range ev.slots {
			m.Set(s, ev.values[k])
		}
		matches = m.Match(matches[:0])
		matched += len(matches)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	if cpu := cputime.Used() - before; cpu > 0 { // what it would be with the machine to itself
		b.ReportMetric(float64(b.N)/cpu.Seconds(), "events/cpu-s")
	}
	b.ReportMetric(float64(rules), "rules")
	b.ReportMetric(float64(matched)/float64(b.N), "matches/event")
}

// BenchmarkLoad_AimOneSecondWithCompile reads and compiles all public rules.
func BenchmarkLoad_AimOneSecondWithCompile(b *testing.B) {
	dirs, _ := filepath.Glob(filepath.Join(corpusDir(b), "sigma", "rules*"))
	run := func(name string, do func()) {
		b.Run(name, func(b *testing.B) {
			before := cputime.Used()
			for b.Loop() {
				do()
			}
			b.ReportMetric((cputime.Used()-before).Seconds()*1e3/float64(b.N), "cpu-ms")
		})
	}
	run("parse", func() { Load(dirs...) })
	rules, _ := Load(dirs...)
	run("compile", func() { Compile(rules, Options{}) })
	run("compile for process creation", func() { // and all that its first event needs
		eng := Compile(rules, Options{})
		eng.NewMatcher().Reset(eng.SourcesOf(windowsProcess))
	})
	run("compile for every log", func() {
		eng := Compile(rules, Options{})
		var all []SourceID
		for s := SourceID(0); eng.SourceName(s) != ""; s++ {
			all = append(all, s)
		}
		eng.NewMatcher().Reset(all)
	})
}
