package format

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// buildLog writes an event log of records.
func buildLog(t testing.TB, records []evtx.Record) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := evtx.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var winStart = time.Date(2025, 3, 4, 5, 6, 7, 123456700, time.UTC)

// winRecord makes a record of "Name=value" data; "Name:T=value" gives the type.
func winRecord(provider, channel string, id uint32, keywords uint64, data ...string) evtx.Record {
	r := evtx.Record{
		DataKind: evtx.EventData,
		System: evtx.System{
			ProviderName: provider, EventID: id, Channel: channel, Computer: "ws01.example.com", Keywords: keywords,
			ProcessID: 620, ThreadID: 1234, Level: 4, HasOpcode: true, TimeCreated: evtx.FiletimeOf(winStart.Add(time.Duration(id) * time.Millisecond)),
		},
	}
	if provider == "Microsoft-Windows-Security-Auditing" {
		r.System.ProviderGUID, r.System.Level = "{54849625-5478-4994-a5ba-3e3b0328c30d}", 0
	}
	for _, d := range data {
		name, value, _ := strings.Cut(d, "=")
		name, kind, _ := strings.Cut(name, ":")
		f := evtx.Field{Name: name, Value: value, Type: evtx.TypeString}
		switch kind {
		case "sid":
			f.Type = evtx.TypeSID
		case "hex":
			f.Type = evtx.TypeHexInt64
		case "u32":
			f.Type = evtx.TypeUInt32
		}
		r.Data = append(r.Data, f)
	}
	return r
}

const (
	auditSuccess = 0x8020000000000000
	auditFailure = 0x8010000000000000
	auditing     = "Microsoft-Windows-Security-Auditing"
	sysmonName   = "Microsoft-Windows-Sysmon"
)

var securityRecords = []evtx.Record{
	winRecord(auditing, "Security", 4625, auditFailure, "SubjectUserSid:sid=S-1-0-0", "SubjectUserName=-", "SubjectDomainName=-", "SubjectLogonId:hex=0x0",
		"TargetUserSid:sid=S-1-0-0", "TargetUserName=ADMIN", "TargetDomainName=EXAMPLE", "Status:hex=0xc000006d", "FailureReason=%%2313", "SubStatus:hex=0xc0000064",
		"LogonType:u32=3", "LogonProcessName=NtLmSsp ", "AuthenticationPackageName=NTLM", "WorkstationName=KIOSK", "ProcessId:hex=0x0", "ProcessName=-", "IpAddress=192.0.2.1", "IpPort=50123"),
	winRecord(auditing, "Security", 4624, auditSuccess, "SubjectUserSid:sid=S-1-5-18", "SubjectUserName=WS01$", "SubjectDomainName=EXAMPLE", "SubjectLogonId:hex=0x3e7",
		"TargetUserSid:sid=S-1-5-21-1-2-3-1001", "TargetUserName=alice", "TargetDomainName=EXAMPLE", "TargetLogonId:hex=0x51a3f", "LogonType:u32=10",
		"WorkstationName=WS01", "ProcessId:hex=0x26c", "ProcessName=C:\\Windows\\System32\\svchost.exe", "IpAddress=::ffff:198.51.100.7", "IpPort=0"),
	winRecord(auditing, "Security", 4688, auditSuccess, "SubjectUserSid:sid=S-1-5-21-1-2-3-1001", "SubjectUserName=alice", "SubjectDomainName=EXAMPLE", "SubjectLogonId:hex=0x51a3f",
		"NewProcessId:hex=0x1a2c", "NewProcessName=C:\\Windows\\System32\\cmd.exe", "TokenElevationType=%%1936", "ProcessId:hex=0x9f0",
		"CommandLine=\"C:\\Windows\\System32\\cmd.exe\" /c \"echo \\\"hi there\\\" & whoami\"", "TargetUserSid:sid=S-1-0-0", "TargetUserName=-", "TargetDomainName=-",
		"ParentProcessName=C:\\Windows\\explorer.exe", "MandatoryLabel:sid=S-1-16-12288"),
	winRecord(auditing, "Security", 4732, auditSuccess, "MemberName=CN=Bob\\, Jr.,CN=Users,DC=example,DC=com", "MemberSid:sid=S-1-5-21-1-2-3-1002", "TargetUserName=Administrators",
		"TargetDomainName=Builtin", "TargetSid:sid=S-1-5-32-544", "SubjectUserSid:sid=S-1-5-21-1-2-3-1001", "SubjectUserName=alice", "SubjectDomainName=EXAMPLE", "SubjectLogonId:hex=0x51a3f", "PrivilegeList=-"),
	winRecord(auditing, "Security", 4769, auditSuccess, "TargetUserName=alice@EXAMPLE.COM", "TargetDomainName=EXAMPLE.COM", "ServiceName=sql01$", "ServiceSid:sid=S-1-5-21-1-2-3-1110",
		"TicketOptions:hex=0x40810000", "TicketEncryptionType:hex=0x17", "IpAddress=::1", "IpPort=0", "Status:hex=0x0"),
	winRecord(auditing, "Security", 5145, auditSuccess, "SubjectUserSid:sid=S-1-5-21-1-2-3-1001", "SubjectUserName=alice", "SubjectDomainName=EXAMPLE", "SubjectLogonId:hex=0x51a3f",
		"ObjectType=File", "IpAddress=198.51.100.7", "IpPort=49822", "ShareName=\\\\*\\C$", "ShareLocalPath=\\??\\C:\\", "RelativeTargetName=Windows\\Temp\\a.exe", "AccessMask:hex=0x2", "AccessList=%%4417\r\n\t\t\t\t"),
	winRecord(auditing, "Security", 4663, auditSuccess, "SubjectUserName=alice", "ObjectType=File", "ObjectName=C:\\Data\\pay.xlsx", "AccessList=%%4416", "ProcessId:hex=0x9f0", "ProcessName=C:\\Windows\\explorer.exe"),
	{System: evtx.System{ProviderName: "Microsoft-Windows-Eventlog", ProviderGUID: "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}", EventID: 1102, Channel: "Security", Computer: "ws01.example.com",
		Keywords: 0x4020000000000000, Level: 4, Task: 104, TimeCreated: evtx.FiletimeOf(winStart.Add(time.Hour)), UserID: "S-1-5-18"}, DataKind: evtx.UserData, DataName: "LogFileCleared",
		Data: []evtx.Field{{Name: "SubjectUserSid", Value: "S-1-5-21-1-2-3-1001", Type: evtx.TypeSID}, {Name: "SubjectUserName", Value: "alice", Type: evtx.TypeString}, {Name: "SubjectDomainName", Value: "EXAMPLE", Type: evtx.TypeString}, {Name: "SubjectLogonId", Value: "0x51a3f", Type: evtx.TypeHexInt64}}},
	winRecord(auditing, "Security", 9999, auditSuccess, "Odd Name=\x1b[31mred", "SubjectUserName=bob", "Twice=1", "Twice=2", "Nothing="),
}

var sysmonRecords = []evtx.Record{
	winRecord(sysmonName, channelSysmon, 1, 0x8000000000000000, "RuleName=technique_id=T1059", "UtcTime=2025-03-04 05:06:07.120", "ProcessGuid={5aa13a44-6494-68fe-6a56-000000004002}", "ProcessId:u32=7460",
		"Image=C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", "FileVersion=10.0.1", "Description=Windows PowerShell", "Product=Windows", "Company=Example", "OriginalFileName=PowerShell.EXE",
		"CommandLine=powershell.exe  -NoProfile -Command \"Get-Date\"", "CurrentDirectory=C:\\Users\\alice\\", "User=EXAMPLE\\alice", "IntegrityLevel=High",
		"Hashes=MD5=0CC175B9C0F1B6A831C399E269772661,SHA256=CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB,IMPHASH=00000000000000000000000000000000",
		"ParentProcessGuid={5aa13a44-6494-68fe-6a56-000000004001}", "ParentProcessId:u32=4212", "ParentImage=C:\\Windows\\explorer.exe", "ParentCommandLine=C:\\Windows\\Explorer.EXE"),
	winRecord(sysmonName, channelSysmon, 3, 0x8000000000000000, "ProcessId:u32=7460", "Image=C:\\Temp\\a.exe", "User=NT AUTHORITY\\SYSTEM", "Protocol=tcp", "Initiated=true", "SourceIsIpv6=false",
		"SourceIp=198.51.100.7", "SourceHostname=ws01.example.com", "SourcePort=49822", "DestinationIp=203.0.113.9", "DestinationHostname=-", "DestinationPort=443", "DestinationPortName=https"),
	winRecord(sysmonName, channelSysmon, 22, 0x8000000000000000, "ProcessId:u32=7460", "QueryName=www.example.com", "QueryStatus=0", "QueryResults=type:  5 edge.example.net;::ffff:192.0.2.80;2001:db8::80;", "Image=C:\\Temp\\a.exe"),
	winRecord(sysmonName, channelSysmon, 13, 0x8000000000000000, "EventType=SetValue", "Image=C:\\Temp\\a.exe", "TargetObject=HKLM\\SOFTWARE\\Example\\Run\\Updater", "Details=QWORD (0x00000001-0x00000002)", "User=EXAMPLE\\alice"),
	winRecord(sysmonName, channelSysmon, 23, 0x8000000000000000, "TargetFilename=C:\\Temp\\a.exe", "Hashes=SHA1=86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8", "IsExecutable=true", "Archived=true", "User=EXAMPLE\\alice"),
	winRecord(sysmonName, channelSysmon, 7, 0x8000000000000000, "Image=C:\\Temp\\a.exe", "ImageLoaded=C:\\Windows\\System32\\samlib.dll", "Signed=true", "Signature=Microsoft Windows", "SignatureStatus=Valid", "OriginalFileName=SAMLib.DLL"),
}

var powershellRecords = []evtx.Record{
	winRecord("PowerShell", "Windows PowerShell", 400, 0x80000000000000, "=Available", "=None",
		"=\tNewEngineState=Available\n\tPreviousEngineState=None\n\n\tSequenceNumber=13\n\n\tHostName=ConsoleHost\n\tHostVersion=5.1\n\tHostId=2458050c-5e21-47a6-bbdf-41ef2151b519\n\tHostApplication=powershell -c if ($a) {\n$b=1\n}\n\tEngineVersion=5.1.1\n\tRunspaceId=405e84eb-9ca3-40d8-a4da-cf6ed1b38ed2\n\tPipelineId=\n\tCommandName=\n\tScriptName=C:\\Scripts\\a.ps1\n\tCommandLine="),
	winRecord("Microsoft-Windows-PowerShell", channelPowerShell, 4103, 0, "ContextInfo=        Severity = Informational\r\n        Host Name = ServerRemoteHost\r\n        Host Application = C:\\Windows\\system32\\wsmprovhost.exe -Embedding\r\n        Engine Version = 5.1\r\n        Command Name = Out-File\r\n        Command Type = Cmdlet\r\n        User = EXAMPLE\\svc\r\n        Connected User = EXAMPLE\\alice\r\n        Shell ID = Microsoft.PowerShell\r\n",
		"UserData=", "Payload=CommandInvocation(Out-File): \"Out-File\"\r\nParameterBinding(Out-File): name=\"FilePath\"; value=\"a.txt\"\r\nfree text"),
	winRecord("Microsoft-Windows-PowerShell", channelPowerShell, 4104, 0, "MessageNumber:u32=1", "MessageTotal:u32=2", "ScriptBlockText=Get-Process |\nStop-Process", "ScriptBlockId=50d2dbda-7361-4926-a94d-d9eadfdb43fa", "Path=C:\\Scripts\\a.ps1"),
}

var systemRecords = []evtx.Record{
	winRecord("Service Control Manager", "System", 7045, 0x8080000000000000, "ServiceName=Updater", "ImagePath=\"C:\\Program Files\\Up\\up.exe\" -svc", "ServiceType=user mode service", "StartType=auto start", "AccountName=LocalSystem"),
	winRecord("Service Control Manager", "System", 7036, 0x8080000000000000, "param1=Windows Defender Antivirus Service", "param2=stopped"),
	{System: evtx.System{ProviderName: "Microsoft-Windows-TerminalServices-LocalSessionManager", EventID: 21, Channel: "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", Computer: "ws01.example.com", Level: 4,
		TimeCreated: evtx.FiletimeOf(winStart)}, DataKind: evtx.UserData, DataName: "EventXML",
		Data: []evtx.Field{{Name: "User", Value: `EXAMPLE\alice`, Type: evtx.TypeString}, {Name: "SessionID", Value: "2", Type: evtx.TypeUInt32}, {Name: "Address", Value: "192.0.2.44", Type: evtx.TypeString}}},
	winRecord("Microsoft-Windows-TaskScheduler", "Microsoft-Windows-TaskScheduler/Operational", 106, 0x8000000000000000, "TaskName=\\Updater", "UserContext=EXAMPLE\\alice"),
	winRecord("Microsoft-Windows-Windows Defender", channelDefender, 1116, 0x8000000000000000, "Threat Name=HackTool:Win32/Example", "Path=containerfile:_C:\\a.zip; file:_C:\\a.zip->x.exe", "Detection User=EXAMPLE\\alice", "Process Name=C:\\Windows\\explorer.exe"),
	winRecord("OpenSSH", "OpenSSH/Operational", 4, 0x4000000000000000, "process=sshd", "payload=Failed password for alice from 192.0.2.9 port 50022 ssh2"),
	winRecord("MSSQLSERVER", "Application", 18456, 0x90000000000000, "param1=sa", "param2= Reason: Password did not match that for the login provided.", "param3= [CLIENT: 203.0.113.66]"),
	winRecord("Example-Unknown", "Example/Operational", 77, 0, "a=1", "b=two\nlines"),
}

var updateLogs = flag.Bool("update-logs", false, "rewrite the event logs among the golden inputs")

// The golden event logs are written from the records above: go test -run GoldenEventLogs -update-logs.
func TestGoldenEventLogsAreThoseOfTheRecords(t *testing.T) {
	for name, records := range map[string][]evtx.Record{
		"security": securityRecords, "sysmon": sysmonRecords, "powershell": powershellRecords, "system": systemRecords,
	} {
		file := filepath.Join("testdata/windows.eventlog", name+".log")
		data := buildLog(t, records)
		// What follows the last record in its chunk is empty: it need not be kept.
		data = data[:evtx.HeaderSize+binary.LittleEndian.Uint32(data[evtx.HeaderSize+48:])]
		if *updateLogs {
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(kept, data) {
			t.Errorf("%s differs: run with -update-logs", file)
		}
	}
}

// decodeLog gives the events of a log and what its bytes were.
func decodeLog(t testing.TB, data []byte) (*event.Batch, Bytes) {
	t.Helper()
	f := Lookup("windows.eventlog")
	framer := f.NewFramer(bytes.NewReader(data))
	b := &event.Batch{}
	var sum Bytes
	for {
		c, err := framer.Next()
		if err != nil {
			return b, sum
		}
		n := f.NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, b)
		if n.Events+n.Structure+n.Refused != int64(len(c.Data)) || n.Events < 0 || n.Structure < 0 || n.Refused < 0 {
			t.Fatalf("chunk at %d of %d bytes is accounted as %+v", c.Offset, len(c.Data), n)
		}
		sum.Events += n.Events
		sum.Structure += n.Structure
		sum.Refused += n.Refused
		sum.Refusals = append(sum.Refusals, n.Refusals...)
	}
}

func TestDamageOfAnEventLogIsRefusedWithItsReason(t *testing.T) {
	whole := buildLog(t, securityRecords)
	b, sum := decodeLog(t, whole)
	if len(b.Events) != len(securityRecords) || len(sum.Refusals) != 0 {
		t.Fatalf("%d events, refused %v", len(b.Events), sum.Refusals)
	}
	third := b.Events[2]
	for _, c := range []struct {
		name    string
		damage  func([]byte) []byte
		events  int
		refused int64
		reason  string
	}{
		{"a record without its beginning", func(p []byte) []byte { clear(p[third.Offset : third.Offset+8]); return p }, len(securityRecords) - 1, third.Length, refusals[evtx.RecordDamaged]},
		{"no chunk", func(p []byte) []byte { copy(p[evtx.HeaderSize:], "garbage!"); return p }, 0, evtx.ChunkSize, refusals[evtx.ChunkHeader]},
		{"a checksum that is wrong", func(p []byte) []byte { p[evtx.HeaderSize+52] ^= 1; return p }, len(securityRecords), 0, refusals[evtx.RecordsChecksum]},
		{"a file header that changed", func(p []byte) []byte { p[124] ^= 1; return p }, len(securityRecords), 0, refusals[evtx.FileHeaderChecksum]},
		{"no file header", func(p []byte) []byte { return p[evtx.HeaderSize:] }, len(securityRecords), 0, ""},
		{"a file cut off behind a record", func(p []byte) []byte { return p[:third.Offset] }, 2, 0, refusals[evtx.ChunkHeader]},
		{"a file cut off inside a record", func(p []byte) []byte { return p[:third.Offset+100] }, 2, 100, refusals[evtx.RecordDamaged]},
		{"half a file header", func(p []byte) []byte { return p[:100] }, 0, 0, refusals[evtx.FileHeader]},
	} {
		b, sum := decodeLog(t, c.damage(bytes.Clone(whole)))
		if len(b.Events) != c.events || sum.Refused != c.refused {
			t.Errorf("%s: %d events and %d bytes refused, want %d and %d: %v", c.name, len(b.Events), sum.Refused, c.events, c.refused, sum.Refusals)
		}
		told := c.reason == ""
		for _, r := range sum.Refusals {
			told = told || r.Reason == c.reason
		}
		if !told {
			t.Errorf("%s: %v, want %q", c.name, sum.Refusals, c.reason)
		}
	}
}

func TestRecordsKeepTheirPlaceTimeAndEmptyData(t *testing.T) {
	b, _ := decodeLog(t, buildLog(t, securityRecords))
	e := &b.Events[0]
	if want := winStart.Add(4625 * time.Millisecond).UnixNano(); e.Time != want || e.Sequence != 1 || e.Offset != evtx.HeaderSize+512 || !strings.HasPrefix(e.Raw, "<Event ") {
		t.Errorf("time %d (want %d), sequence %d, offset %d, raw %.20q", e.Time, want, e.Sequence, e.Offset, e.Raw)
	}
	if next := b.Events[1].Offset; next != e.Offset+e.Length {
		t.Errorf("the second record begins at %d, the first ends at %d", next, e.Offset+e.Length)
	}
	odd := &b.Events[len(b.Events)-1]
	if v := odd.Get("winlog.event_data.Nothing"); v != "" || !odd.Has("winlog.event_data.Nothing") {
		t.Error("an empty datum is lost")
	}
	var twice []string
	odd.Values("winlog.event_data.Twice", func(v string) { twice = append(twice, v) })
	if fmt.Sprint(twice) != "[1 2]" {
		t.Errorf("repeated data are %v", twice)
	}
	if m := odd.Get("message"); strings.ContainsAny(m, "\x1b\n") || len(m) > 2*maxMessageBytes {
		t.Errorf("message %q", m)
	}
}

func TestCommandLinesSplitAsWindowsDoes(t *testing.T) {
	for line, want := range map[string]string{
		`a b  c`:            "a|b|c",
		`"a b" c`:           "a b|c",
		`"a b`:              "a b",
		`a\b "c:\d\\" e`:    `a\b|c:\d\|e`,
		`a \"b c\" d`:       `a|"b|c"|d`,
		`a\\\"b`:            `a\"b`,
		`a "" b`:            "a||b",
		`"a""b"`:            `a"b`,
		"a\tb ":             "a|b",
		`x"y z"w`:           "xy zw",
		`C:\dir\prog.exe \`: `C:\dir\prog.exe|\`,
		"":                  "",
	} {
		var b event.Batch
		b.Begin(0, "")
		w := winlog{b: &b}
		w.commandLine("process", line)
		var got []string
		b.Event().Values("process.args", func(v string) { got = append(got, v) })
		if strings.Join(got, "|") != want {
			t.Errorf("%s gives %q, want %q", line, got, want)
		}
	}
}

func TestEventTablesAreWhole(t *testing.T) {
	tables := []map[uint32]*winEvent{securityEvents, sysmonEvents, powershellEvents, powershellClassicEvents}
	for _, p := range serviceEvents {
		tables = append(tables, p.events)
	}
	allowed := " authentication configuration database driver file host iam malware network package process registry session "
	types := " access admin allowed change connection creation deletion denied end group info installation protocol start user "
	for _, table := range tables {
		for id, ev := range table {
			if ev.title == "" {
				t.Errorf("%d has no title", id)
			}
			for _, c := range strings.Fields(ev.categories) {
				if !strings.Contains(allowed, " "+c+" ") {
					t.Errorf("%d: %q is no event.category of ECS", id, c)
				}
			}
			for _, c := range strings.Fields(ev.types) {
				if !strings.Contains(types, " "+c+" ") {
					t.Errorf("%d: %q is no event.type of ECS", id, c)
				}
			}
		}
	}
}

// benchmarkLog is a log of n records as a workstation writes them.
func benchmarkLog(b testing.TB, n int) []byte {
	mix := append(append([]evtx.Record{}, securityRecords[:5]...), sysmonRecords[0], sysmonRecords[0], sysmonRecords[1], sysmonRecords[2], sysmonRecords[3], powershellRecords[2], systemRecords[1])
	records := make([]evtx.Record, n)
	for i := range records {
		r := mix[i%len(mix)]
		r.System.TimeCreated = evtx.FiletimeOf(winStart.Add(time.Duration(i) * time.Second))
		records[i] = r
	}
	return buildLog(b, records)
}

func BenchmarkEventLog(b *testing.B) {
	const n = 20_000
	data := benchmarkLog(b, n)
	f := Lookup("windows.eventlog")
	var batch event.Batch
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		framer := f.NewFramer(bytes.NewReader(data))
		d := f.NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)})
		for {
			c, err := framer.Next()
			if err != nil {
				break
			}
			batch.Reset()
			d.Decode(c, &batch)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkEventLogXML is what event.original costs of that.
func BenchmarkEventLogXML(b *testing.B) {
	const n = 20_000
	data := benchmarkLog(b, n)
	var xml []byte
	for b.Loop() {
		r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		r.Each(func(rec *evtx.Record) error {
			xml = rec.AppendXML(xml[:0])
			return nil
		})
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func FuzzEventLog(f *testing.F) {
	shortly(f)
	for _, records := range [][]evtx.Record{sysmonRecords[2:3], systemRecords[:1]} { // small: without header and empty end
		data := buildLog(f, records)[evtx.HeaderSize:]
		f.Add(data[:binary.LittleEndian.Uint32(data[48:])])
	}
	f.Fuzz(func(t *testing.T, data []byte) { decodeLog(t, data) })
}

// FuzzWinlogData gives the mapping of each provider any data.
func FuzzWinlogData(f *testing.F) {
	shortly(f)
	f.Add(uint8(0), uint32(4625), "TargetUserName", "x@y", "IpAddress", "::1")
	f.Add(uint8(1), uint32(22), "QueryResults", "type:  5 a;::1;", "QueryName", "q")
	f.Add(uint8(2), uint32(400), "param3", "\tHostName=a\n\tHostApplication=\"b\n", "x", "")
	f.Add(uint8(3), uint32(4103), "ContextInfo", "User = a\\b", "Payload", "ParameterBinding(a): name=b; value=c")
	f.Add(uint8(4), uint32(8003), "Fqbn", "O=A, C=B\\C\\D\\1", "Path", "file:_")
	channels := [][2]string{{"Security", auditing}, {channelSysmon, sysmonName}, {"Windows PowerShell", "PowerShell"}, {channelPowerShell, "Microsoft-Windows-PowerShell"}}
	for name := range serviceEvents {
		channels = append(channels, [2]string{"Other", name})
	}
	f.Fuzz(func(t *testing.T, which uint8, id uint32, n1, v1, n2, v2 string) {
		var b event.Batch
		b.Begin(0, "")
		c := channels[int(which)%len(channels)]
		var w winlog
		w.begin(&b, c[0], c[1], id, "S-1-5-18")
		w.data = append(w.data, datum{n1, v1}, datum{n2, v2})
		w.addECS(w.kind())
		event.AppendJSON(nil, b.Event())
	})
}

// An agent's document that carries the event's XML beside its own fields is a document.
func TestDocumentThatCarriesXMLIsJSON(t *testing.T) {
	const xml = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='PowerShell'/><EventID>600</EventID></System></Event>`
	for input, want := range map[string]string{
		`{"@timestamp":"2025-01-02T03:04:05Z","ecs":{"version":"8.0.0"},"event":{"original":"` + xml + `"},"winlog":{"event_id":"600","channel":"Windows PowerShell"}}`: "json",
		"\ufeff" + xml: "windows.xml",
	} {
		if f, _ := Recognise(NewSample("", []byte(input+"\n"), true)); f == nil || f.Name != want {
			t.Errorf("%.40s is taken for %v, want %s", input, f, want)
		}
	}
}

// Chunks of zeros between others are refused and told of, wherever they lie; those at the end are none. The books add up.
func TestErasedChunksAreAccountedFor(t *testing.T) {
	records := make([]evtx.Record, 2400)
	for i := range records {
		records[i] = winRecord(auditing, "Security", uint32(4000+i%100), auditSuccess, "Text="+strings.Repeat("x", 200))
	}
	sound := buildLog(t, records)
	chunks := (len(sound) - evtx.HeaderSize) / evtx.ChunkSize
	if chunks < 12 {
		t.Fatalf("%d chunks", chunks)
	}
	sound = append(sound, make([]byte, 6*evtx.ChunkSize)...)
	f := Lookup("windows.eventlog")
	for _, erased := range [][]int{nil, {1}, {3}, {4, 5, 6, 7, 8, 9}, {2, 3, 4}, {1, 3, 4, 8}, {chunks - 1}, {chunks - 3, chunks - 2, chunks - 1}} {
		data := bytes.Clone(sound)
		want := int64(0)
		for _, k := range erased {
			clear(data[evtx.HeaderSize+k*evtx.ChunkSize:][:evtx.ChunkSize])
			if k < chunks-1 && !(len(erased) == 3 && erased[0] == chunks-3) {
				want += evtx.ChunkSize
			}
		}
		var total, refused int64
		framer, decoder := f.NewFramer(bytes.NewReader(data)), f.NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)})
		for {
			c, err := framer.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Offset != total {
				t.Fatalf("%v: a chunk at %d, want %d", erased, c.Offset, total)
			}
			var b event.Batch
			n := decoder.Decode(c, &b)
			total += n.Events + n.Structure + n.Refused
			for _, r := range n.Refusals {
				if r.Reason == refusals[evtx.ChunkErased] {
					refused += r.Length
				}
			}
		}
		if total != int64(len(data)) || refused != want {
			t.Errorf("chunks %v of %d erased: %d bytes of %d accounted for, %d refused, want %d", erased, chunks, total, len(data), refused, want)
		}
	}
}
