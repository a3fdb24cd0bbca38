package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/analyze"
)

const (
	attacker = "203.0.113.9"
	stranger = "198.51.100.77"
)

func TestBruteForceFollowedByAcceptedLoginFromTheSameAddressSucceeded(t *testing.T) {
	w := &world{}
	w.bruteForce(0, 40, 3, "web1", attacker, "root", "admin", "deploy")
	ok := w.log(130, sshd("web1", attacker, "deploy", "success"))
	w.quiet(9000, "linux.auth", "web1", "process")
	inc := w.one(t)
	if inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, ok) || !cited(inc.Outcome.Why, "e00000") {
		t.Errorf("outcome %+v", inc.Outcome)
	}
	if want := "SSH brute force from 203.0.113.9 against web1 succeeded as deploy"; inc.Title != want {
		t.Errorf("title %q, want %q", inc.Title, want)
	}
	if inc.Impact.Level != "medium" || !cited(inc.Impact.Facts, ok) {
		t.Errorf("impact %+v", inc.Impact)
	}

	// Without the record that proves it, the answer is another.
	w.remove(ok)
	inc = w.one(t)
	if inc.Outcome.Result != Failed || cited(inc.Outcome.Why, ok) {
		t.Errorf("without the acceptance: %+v", inc.Outcome)
	}
}

func TestBruteForceWithoutAcceptedLoginFailed(t *testing.T) {
	w := &world{}
	w.bruteForce(0, 40, 3, "web1", attacker, "root", "admin")
	w.log(50, sshd("web1", "192.0.2.10", "alice", "success")) // somebody else
	w.quiet(9000, "linux.auth", "web1", "process")
	inc := w.one(t)
	if inc.Outcome.Result != Failed || inc.Impact.Level != "none" || inc.Outcome.Needs != nil {
		t.Errorf("outcome %+v impact %+v", inc.Outcome, inc.Impact)
	}
	if !said(inc.Outcome.Why, "None of 40 recorded attempts") {
		t.Errorf("why: %+v", inc.Outcome.Why)
	}
}

func TestBruteForceSeenByASensorOnlyIsUnknownAndNamesTheLog(t *testing.T) {
	w := &world{ips: []hostAddress{{"web1", "10.0.0.5"}}}
	var ids []string
	for i := range 20 {
		ids = append(ids, w.log(i, record{dataset: "suricata.eve", host: "sensor", category: []string{"network", "intrusion_detection"}, types: []string{"allowed"}, source: attacker, destination: "10.0.0.5", port: "22"}))
	}
	w.find("SSH scan alert", "medium", []string{"T1110"}, []string{"credential-access"}, ids...)
	inc := w.one(t)
	if inc.Outcome.Result != Unknown || len(inc.Outcome.Needs) != 1 || inc.Outcome.Needs[0] != "authentication log of host web1 (sshd or Windows Security)" {
		t.Errorf("outcome %+v", inc.Outcome)
	}
	if inc.Impact.Level != "unknown" {
		t.Errorf("impact %+v", inc.Impact)
	}

	// With the log there, and nothing in it, it failed.
	w.quiet(-10, "linux.auth", "web1", "authentication")
	w.quiet(9000, "linux.auth", "web1", "authentication")
	if inc = w.one(t); inc.Outcome.Result != Failed {
		t.Errorf("with the log: %+v", inc.Outcome)
	}
}

func TestBruteForceIsUnknownWhenTheLogEndsAmidIt(t *testing.T) {
	w := &world{}
	w.bruteForce(0, 40, 3, "web1", attacker, "root") // the log ends with the last attempt
	inc := w.one(t)
	if inc.Outcome.Result != Failed {
		t.Errorf("outcome %+v", inc.Outcome)
	}
	later := w.log(400, record{dataset: "iptables", host: "gate", category: []string{"network"}, types: []string{"allowed"}, source: attacker, destination: "10.0.0.5", port: "22"})
	inc = w.one(t)
	if inc.Outcome.Result != Unknown || !cited(inc.Outcome.Why, later) {
		t.Errorf("while a firewall still sees the attacker: %+v", inc.Outcome)
	}
}

func TestSpraySucceedsForTheOneUserWhoseLoginIsAccepted(t *testing.T) {
	w := &world{}
	var ids []string
	users := []string{}
	for i := range 30 {
		users = append(users, fmt.Sprintf("user%02d", i))
		ids = append(ids, w.log(i*20, record{dataset: "windows.security", host: "dc1", category: []string{"authentication"}, types: []string{"start"}, action: "logon-failed",
			outcome: "failure", code: "4625", provider: "Microsoft-Windows-Security-Auditing", source: "10.0.8.44", user: users[i]}))
	}
	w.find("Password spray", "high", []string{"T1110.003"}, []string{"credential-access"}, ids...)
	ok := w.log(800, record{dataset: "windows.security", host: "fs1", category: []string{"authentication"}, types: []string{"start"}, action: "logged-in",
		outcome: "success", code: "4624", provider: "Microsoft-Windows-Security-Auditing", source: "10.0.8.44", user: "user17"})
	inc := w.one(t)
	if inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, ok) || !strings.Contains(inc.Title, "password spray") || !strings.HasSuffix(inc.Title, "as user17") {
		t.Errorf("%q %+v", inc.Title, inc.Outcome)
	}
}

func TestAttemptsSpreadOverAddressesSucceedByALoginFromANewOne(t *testing.T) {
	spread := func(habit bool) (*world, string) {
		w := &world{}
		if habit { // the account's owner has always come from there
			w.log(-90000, sshd("web1", stranger, "deploy", "success"))
		}
		for i := range 12 {
			w.bruteForce(i*40, 3, 10, "web1", fmt.Sprintf("203.0.113.%d", i+1), "deploy")
		}
		ok := w.log(500, sshd("web1", stranger, "deploy", "success"))
		w.quiet(9000, "linux.auth", "web1", "process")
		return w, ok
	}
	w, ok := spread(false)
	inc := w.build(t)[0]
	if inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, ok) {
		t.Errorf("%q %+v", inc.Title, inc.Outcome)
	}
	w, ok = spread(true)
	for _, inc := range w.build(t) {
		if inc.Outcome.Result != Failed || cited(inc.Outcome.Why, ok) {
			t.Errorf("the owner's login was taken for the attacker's: %+v", inc.Outcome)
		}
	}
}

func TestKeyLoginOfTheAddressesOwnerIsNoGuessedPassword(t *testing.T) {
	w := &world{}
	login := sshd("web1", "192.0.2.10", "backup-job", "success")
	login.method = "publickey"
	w.log(-4000, login)
	w.bruteForce(0, 20, 3, "web1", "192.0.2.10", "root")
	w.log(300, login)
	w.quiet(9000, "linux.auth", "web1", "process")
	if inc := w.one(t); inc.Outcome.Result != Failed {
		t.Errorf("outcome %+v", inc.Outcome)
	}
}

func TestMistypedPasswordOfAKnownUserScoresLow(t *testing.T) {
	build := func(known bool) Incident {
		w := &world{}
		if known {
			w.log(-80000, sshd("web1", "192.0.2.10", "alice", "success"))
		}
		w.bruteForce(0, 6, 4, "web1", "192.0.2.10", "alice")
		w.log(40, sshd("web1", "192.0.2.10", "alice", "success"))
		return w.one(t)
	}
	known, new := build(true), build(false)
	if known.Score >= new.Score || !said(known.Outcome.Why, "it may be the account's owner") {
		t.Errorf("known %d, new %d: %+v", known.Score, new.Score, known.Outcome)
	}
}

func TestWebAttackRefusedFailed(t *testing.T) {
	w := &world{}
	var ids []string
	for i := range 10 {
		ids = append(ids, w.log(i, accessed("web1", attacker, "GET", "/login.php?id=1' OR 1=1", 403+i%2, 300)))
	}
	w.find("SQL injection in a URL", "high", []string{"T1190"}, []string{"initial-access"}, ids...)
	if inc := w.one(t); inc.Outcome.Result != Failed || inc.Impact.Level != "none" {
		t.Errorf("%+v %+v", inc.Outcome, inc.Impact)
	}
}

func TestWebAttackAnsweredIsUnknownUnlessMoreIsSeen(t *testing.T) {
	build := func(more func(w *world)) Incident {
		w := &world{}
		var ids []string
		for i := range 5 {
			ids = append(ids, w.log(i, accessed("web1", attacker, "GET", "/item.php", 200, 900_000)))
		}
		w.find("SQL injection in a URL", "high", []string{"T1190"}, []string{"initial-access"}, ids...)
		more(w)
		return w.one(t)
	}
	inc := build(func(w *world) {})
	if inc.Outcome.Result != Unknown || len(inc.Outcome.Needs) == 0 || inc.Outcome.Needs[1] != "process audit log of host web1 (auditd or Sysmon)" {
		t.Errorf("alone: %+v", inc.Outcome)
	}

	var child string
	inc = build(func(w *world) {
		child = w.log(6, record{dataset: "auditd.log", host: "web1", category: []string{"process"}, types: []string{"start"}, parent: "apache2", process: "sh", command: "sh -c id", user: "www-data"})
	})
	if inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, child) || !said(inc.Outcome.Why, `"sh -c id"`) {
		t.Errorf("with a child process: %+v", inc.Outcome)
	}

	inc = build(func(w *world) {
		for i := range 5 {
			w.log(100+i, accessed("web1", fmt.Sprintf("192.0.2.%d", i+1), "GET", "/item.php", 200, 4000))
		}
	})
	if inc.Outcome.Result != Succeeded || inc.Impact.Level != "high" || !said(inc.Impact.Facts, "878.9 KiB from /item.php") {
		t.Errorf("with an answer bigger than others': %+v %+v", inc.Outcome, inc.Impact)
	}

	var call string
	inc = build(func(w *world) {
		w.ips = []hostAddress{{"web1", "10.0.0.5"}}
		call = w.log(9, record{dataset: "zeek.conn", category: []string{"network"}, types: []string{"connection"}, source: "10.0.0.5", destination: attacker, port: "4444", sentBytes: 900, receivedBytes: 900})
	})
	if inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, call) {
		t.Errorf("with a call back: %+v", inc.Outcome)
	}

	inc = build(func(w *world) {
		w.quiet(-5, "auditd.log", "web1", "process")
		w.quiet(500, "auditd.log", "web1", "process")
		for i := range 5 {
			w.log(100+i, accessed("web1", fmt.Sprintf("192.0.2.%d", i+1), "GET", "/item.php", 200, 900_000))
		}
	})
	if inc.Outcome.Result != Failed {
		t.Errorf("with a process log that shows nothing and usual answers: %+v", inc.Outcome)
	}
}

func TestScanSucceededByALaterSession(t *testing.T) {
	w := &world{}
	var ids []string
	for i := range 50 {
		ids = append(ids, w.log(i, record{dataset: "iptables", host: "gate", category: []string{"network"}, types: []string{"denied", "connection"}, action: "drop", source: attacker, destination: "10.0.0.5", port: fmt.Sprint(20 + i)}))
	}
	w.find("Port scan", "medium", []string{"T1046"}, []string{"discovery"}, ids...)
	w.quiet(9000, "iptables", "gate", "network")
	inc := w.one(t)
	if inc.Outcome.Result != Failed {
		t.Errorf("dropped: %+v", inc.Outcome)
	}
	flow := w.log(300, record{dataset: "zeek.conn", category: []string{"network"}, types: []string{"connection"}, connection: "SF", source: attacker, destination: "10.0.0.5", port: "8080", sentBytes: 4000, receivedBytes: 90000})
	inc = w.one(t)
	if inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, flow) {
		t.Errorf("with a session: %+v", inc.Outcome)
	}
}

func TestAccountCreationIsItsOwnSuccess(t *testing.T) {
	w := &world{}
	id := w.log(0, record{dataset: "windows.security", host: "dc1", category: []string{"iam"}, types: []string{"user", "creation"}, action: "added-user-account",
		outcome: "success", code: "4720", provider: "Microsoft-Windows-Security-Auditing", user: "mallory", target: "svc-print"})
	w.find("User account created", "medium", []string{"T1136.001"}, []string{"persistence"}, id)
	inc := w.one(t)
	if inc.Outcome.Result != Succeeded || inc.Impact.Level != "high" || !said(inc.Impact.Facts, "1 account was created on host dc1: svc-print") {
		t.Errorf("%+v %+v", inc.Outcome, inc.Impact)
	}
	w = &world{}
	id = w.log(0, record{dataset: "linux.auth", host: "web1", category: []string{"iam"}, types: []string{"user", "creation"}, outcome: "failure", user: "x"})
	w.find("User account created", "medium", []string{"T1136.001"}, []string{"persistence"}, id)
	if inc := w.one(t); inc.Outcome.Result != Failed {
		t.Errorf("a creation that failed: %+v", inc.Outcome)
	}
}

func TestClearedLogIsAnEffect(t *testing.T) {
	w := &world{}
	id := w.log(0, record{dataset: "windows.security", host: "ws7", category: []string{"iam"}, types: []string{"admin", "change"}, action: "audit-log-cleared", outcome: "success", code: "1102", provider: "Microsoft-Windows-Eventlog", user: "mallory"})
	w.find("Security log cleared", "high", []string{"T1070.001"}, []string{"defense-evasion"}, id)
	inc := w.one(t)
	if inc.Outcome.Result != Succeeded || inc.Impact.Level != "high" || !cited(inc.Impact.Facts, id) {
		t.Errorf("%+v %+v", inc.Outcome, inc.Impact)
	}
}

// intrusion is a chain: guessed password, root by sudo, a new account, a cleared log.
func intrusion(w *world, start int, host, source, user string) {
	w.bruteForce(start, 40, 2, host, source, "root", "admin", user)
	w.log(start+100, sshd(host, source, user, "success"))
	sudo := w.log(start+400, record{dataset: "linux.auth", host: host, category: []string{"process"}, types: []string{"start"}, outcome: "success", process: "sudo", user: user, effective: "root", command: "/bin/bash"})
	w.find("Shell by sudo", "medium", []string{"T1548.003"}, []string{"privilege-escalation"}, sudo)
	added := w.log(start+600, record{dataset: "linux.auth", host: host, category: []string{"iam"}, types: []string{"user", "creation"}, outcome: "success", process: "useradd", user: "backdoor-" + user})
	w.find("Local user created", "medium", []string{"T1136.001"}, []string{"persistence"}, added)
	cleared := w.log(start+700, record{dataset: "auditd.log", host: host, category: []string{"process"}, types: []string{"start"}, outcome: "success", process: "shred", executable: "/usr/bin/shred", command: "shred -u /var/log/auth.log", user: "root"})
	w.find("Log destroyed", "high", []string{"T1070.002"}, []string{"defense-evasion"}, cleared)
	w.quiet(start+9000, "linux.auth", host, "process")
}

func TestStepsOfOneIntrusionAreOneIncident(t *testing.T) {
	w := &world{}
	intrusion(w, 0, "web1", attacker, "deploy")
	inc := w.one(t)
	if inc.Outcome.Result != Succeeded || inc.Impact.Level != "high" || inc.Severity != "critical" {
		t.Errorf("%d %s %+v %+v", inc.Score, inc.Severity, inc.Outcome, inc.Impact)
	}
	for _, fact := range []string{"login was obtained on host web1: deploy", "account was created on host web1: backdoor-deploy", "log was cleared"} {
		if !said(inc.Impact.Facts, fact) {
			t.Errorf("no fact %q in %+v", fact, inc.Impact.Facts)
		}
	}
	if want := "SSH brute force from 203.0.113.9 against web1 succeeded as deploy, with account created and logs destroyed"; inc.Title != want {
		t.Errorf("title %q, want %q", inc.Title, want)
	}
	if got := strings.Join(inc.Tactics, " "); got != "persistence privilege-escalation defense-evasion credential-access" {
		t.Errorf("tactics %q", got)
	}
}

func TestUnrelatedIncidentsNeverMerge(t *testing.T) {
	w := &world{}
	intrusion(w, 0, "web1", attacker, "deploy")
	intrusion(w, 30, "db1", stranger, "carol")             // at the same time, elsewhere
	intrusion(w, 5*86400, "web1", "192.0.2.200", "gerald") // same host, another week
	incs := w.build(t)
	if len(incs) != 3 {
		for _, i := range incs {
			t.Logf("%s %v", i.Title, i.Findings)
		}
		t.Fatalf("%d incidents, want 3", len(incs))
	}
	for _, inc := range incs {
		if len(inc.Where.Hosts) != 1 || len(inc.Findings) != 4 {
			t.Errorf("%s: hosts %v, findings %v", inc.Title, inc.Where.Hosts, inc.Findings)
		}
	}
}

func TestTwoAttackersOfOneHostAtOneTimeStayApart(t *testing.T) {
	w := &world{}
	w.bruteForce(0, 40, 2, "web1", attacker, "root", "deploy")
	w.log(100, sshd("web1", attacker, "deploy", "success"))
	w.bruteForce(20, 40, 2, "web1", stranger, "root", "carol")
	w.log(110, sshd("web1", stranger, "carol", "success"))
	w.quiet(9000, "linux.auth", "web1", "process")
	if incs := w.build(t); len(incs) != 2 {
		t.Fatalf("%d incidents, want 2", len(incs))
	}
}

func TestThousandsOfFailingAddressesAreOneIncidentADay(t *testing.T) {
	w := &world{}
	for day := range 2 {
		for i := range 300 {
			w.bruteForce(day*86400+i*100, 3, 5, "web1", fmt.Sprintf("203.0.%d.%d", i/200, i%200+1), "root", "admin", "pi")
		}
	}
	w.bruteForce(5000, 30, 1, "web1", attacker, "deploy")
	ok := w.log(5040, sshd("web1", attacker, "deploy", "success"))
	w.quiet(3*86400, "linux.auth", "web1", "process")
	incs := w.build(t)
	if len(incs) != 3 {
		for _, i := range incs[:min(len(incs), 10)] {
			t.Logf("%d %s", i.Score, i.Title)
		}
		t.Fatalf("%d incidents, want one a day and the one that succeeded", len(incs))
	}
	if incs[0].Outcome.Result != Succeeded || !cited(incs[0].Outcome.Why, ok) || len(incs[0].Findings) != 1 {
		t.Errorf("first is %q with %d findings", incs[0].Title, len(incs[0].Findings))
	}
	for _, inc := range incs[1:] {
		if inc.Outcome.Result != Failed || inc.Severity == "high" || inc.Severity == "critical" {
			t.Errorf("%q: %s, %+v", inc.Title, inc.Severity, inc.Outcome.Result)
		}
	}
}

func TestLowFindingsJoinButMakeNoIncident(t *testing.T) {
	w := &world{}
	id := w.log(50, sshd("web1", attacker, "root", "failure"))
	w.find("Failed login", "low", []string{"T1110"}, []string{"credential-access"}, id)
	if incs := w.build(t); len(incs) != 0 {
		t.Fatalf("low findings made %d incidents", len(incs))
	}
	w.bruteForce(0, 20, 2, "web1", attacker, "root")
	w.quiet(9000, "linux.auth", "web1", "process")
	if inc := w.one(t); len(inc.Findings) != 2 {
		t.Errorf("findings %v", inc.Findings)
	}
}

func TestAttemptsAreCountedByTheRuleThatSawAll(t *testing.T) {
	w := &world{}
	var ids []string
	for i := range 200 {
		ids = append(ids, w.log(i*2, sshd("web1", attacker, "root", "failure")))
	}
	w.find("Failed login", "informational", []string{"T1110"}, []string{"credential-access"}, ids...)
	w.find("Brute force", "medium", []string{"T1110.001"}, []string{"credential-access"}, ids[:5]...) // fires at the fifth
	w.quiet(9000, "linux.auth", "web1", "process")
	inc := w.one(t)
	if !said(inc.Outcome.Why, "None of 200 recorded attempts") || !said(inc.What, "200 recorded attempts of SSH logins") {
		t.Errorf("what %+v\nwhy %+v", inc.What, inc.Outcome.Why)
	}
	w.findings = w.findings[1:] // also where no rule saw the rest
	if inc := w.one(t); !said(inc.Outcome.Why, "None of 200 recorded attempts") || inc.When.Last != "2025-03-04T09:06:38Z" {
		t.Errorf("when %v why %+v", inc.When, inc.Outcome.Why)
	}
	early := w.log(-86400, sshd("web1", attacker, "alice", "success"))
	if inc := w.one(t); cited(inc.Outcome.Why, early) {
		t.Error("a login before the attempts is taken for their success")
	}
}

func TestOrderOfInputDoesNotShow(t *testing.T) {
	w := &world{}
	intrusion(w, 0, "web1", attacker, "deploy")
	intrusion(w, 30, "db1", stranger, "carol")
	for i := range 30 {
		w.bruteForce(i*50, 3, 5, "web1", fmt.Sprintf("192.0.2.%d", i+1), "root", "pi")
	}
	want := bytesOf(t, w.build(t))
	for seed := range uint64(20) {
		s := &world{rs: shuffled(w.rs, seed), findings: shuffled(w.findings, seed+100)}
		if got := bytesOf(t, s.build(t)); got != want {
			t.Fatalf("seed %d: another answer", seed)
		}
	}
}

func TestRemovingACitedRecordChangesOrVoidsTheSentence(t *testing.T) {
	w := &world{}
	intrusion(w, 0, "web1", attacker, "deploy")
	inc := w.one(t)
	findings := map[string]bool{}
	for _, f := range w.findings {
		for _, e := range f.Evidence {
			findings[e.ID] = true
		}
	}
	gone := 0
	for _, s := range append(inc.Outcome.Why, inc.Impact.Facts...) {
		for _, id := range s.Evidence {
			if findings[id] { // it rests on a finding, which the store does not take back
				continue
			}
			gone++
			without := &world{findings: w.findings, rs: append([]record{}, w.rs...)}
			without.remove(id)
			for _, inc := range without.build(t) {
				if cited(inc.Outcome.Why, id) || cited(inc.Impact.Facts, id) || said(inc.Outcome.Why, s.Text) || said(inc.Impact.Facts, s.Text) {
					t.Errorf("without %s it still says: %s", id, s.Text)
				}
			}
		}
	}
	if gone == 0 {
		t.Fatal("no sentence rests on a record from the store")
	}
}

func TestHostileTextIsBoundedAndReadable(t *testing.T) {
	w := &world{}
	evil := "x\x1b[31m\r\n\u202eevil\xff" + strings.Repeat("A", 5000) + `" OR *`
	w.bruteForce(0, 20, 2, evil, attacker, evil)
	w.log(60, sshd(evil, attacker, evil, "success"))
	id := w.log(90, record{dataset: "linux.auth", host: evil, category: []string{"process"}, types: []string{"start"}, process: "sudo", user: evil, command: evil, outcome: "success"})
	w.find(evil, "high", []string{"T1548"}, []string{"privilege-escalation"}, id)
	for _, inc := range w.build(t) { // build checks for control characters
		for _, s := range append(inc.What, append(inc.Outcome.Why, inc.Impact.Facts...)...) {
			if len(s.Text) > 2000 {
				t.Errorf("%d bytes: %.100s", len(s.Text), s.Text)
			}
		}
	}
}

func TestFindingsWithoutTimesMakeAnIncident(t *testing.T) {
	w := &world{}
	f := w.bruteForce(0, 20, 2, "web1", attacker, "root")
	f.First, f.Last = noTime, noTime
	for i := range f.Evidence {
		f.Evidence[i].Time = noTime
	}
	for i := range w.rs {
		w.rs[i].time = noTime
	}
	inc := w.one(t)
	if inc.Outcome.Result != Unknown || inc.When.First != "" {
		t.Errorf("%+v %+v", inc.When, inc.Outcome)
	}
}

func TestManyFindings(t *testing.T) {
	findings := manyFindings(20_000)
	incs, err := build(t.Context(), Input{Findings: findings}, &world{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(incs, nil); err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, i := range incs {
		most = max(most, len(i.Findings))
	}
	t.Logf("%d incidents, the biggest of %d findings", len(incs), most)
	if len(incs) > len(findings)/3 || most > 5_000 {
		t.Errorf("%d incidents, the biggest of %d findings", len(incs), most)
	}
}

// manyFindings is the life of a network of 50 hosts and 200 people with rules
// that fire too often.
func manyFindings(n int) []analyze.Finding {
	fs := make([]analyze.Finding, n)
	x := uint64(7)
	next := func(m int) int {
		x = x*6364136223846793005 + 1442695040888963407
		return int(x>>33) % m
	}
	tactics := []string{"execution", "persistence", "discovery", "lateral-movement", "command-and-control"}
	for i := range fs {
		t := at(next(26 * n)) // 30 days for 100,000
		user, host, rule := next(200), next(50), next(40)
		fs[i] = analyze.Finding{
			ID: fmt.Sprintf("f%06d", i), Kind: "sigma", Rule: analyze.Rule{ID: fmt.Sprint("rule", rule)}, Title: fmt.Sprint("Rule ", rule),
			Level: analyze.Levels[1+next(3)], First: t, Last: t + int64(next(600))*1e9, Count: 1 + next(5), Tactics: []string{tactics[rule%5]},
			Entities: analyze.Entities{Users: []string{fmt.Sprint("user", user)}, Hosts: []string{fmt.Sprint("host", host)}},
			Evidence: []analyze.Evidence{{ID: fmt.Sprintf("e%06d", i), Time: t, Outcome: "success"}},
		}
		if next(3) == 0 {
			fs[i].Entities.Sources = []string{fmt.Sprintf("10.0.%d.%d", user/100, user%100)}
		}
	}
	return fs
}

func BenchmarkGather(b *testing.B) {
	findings := manyFindings(100_000)
	for b.Loop() {
		if _, err := build(b.Context(), Input{Findings: findings}, &world{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(findings))*float64(b.N)/b.Elapsed().Seconds(), "findings/s")
}

func TestAHostGoesByOneNameHoweverLogsSpellIt(t *testing.T) {
	n := nameHosts([]string{"WS7", "ws7.corp.example.com", "web1", "web1.prod.example.com", "web1.dev.example.com", "10.0.0.5", "localhost"})
	for spelling, want := range map[string]string{
		"WS7": "WS7", "ws7.corp.example.com": "WS7", "web1": "web1", "web1.prod.example.com": "web1.prod.example.com",
		"web1.dev.example.com": "web1.dev.example.com", "10.0.0.5": "10.0.0.5", "localhost": "", "never seen": "never seen",
	} {
		if got := n.of(spelling); got != want {
			t.Errorf("%q is %q, want %q", spelling, got, want)
		}
	}

	// The process log calls the host by another name than the access log.
	w := &world{}
	w.find("Code injection", "high", []string{"T1190"}, []string{"initial-access"}, w.log(0, accessed("web1.example.com", attacker, "GET", "/x.php", 200, 10)))
	child := w.log(1, record{dataset: "auditd.log", host: "WEB1", category: []string{"process"}, types: []string{"start"}, parent: "apache2", process: "sh", command: "sh -c id"})
	if inc := w.one(t); inc.Outcome.Result != Succeeded || !cited(inc.Outcome.Why, child) || len(inc.Where.Hosts) != 1 {
		t.Errorf("%+v %+v", inc.Outcome, inc.Where)
	}
}

func TestAStepToTheNextHostIsOfTheSameIncident(t *testing.T) {
	w := &world{ips: []hostAddress{{"ws7", "10.0.8.7"}}}
	dump := w.log(0, record{dataset: "windows.sysmon", host: "ws7", category: []string{"process"}, types: []string{"start"}, process: "procdump.exe", executable: `C:\Users\bob\procdump.exe`, command: "procdump -ma lsass", user: "bob"})
	w.find("Credential dump", "high", []string{"T1003.001"}, []string{"credential-access"}, dump)
	pth := w.log(240, record{dataset: "windows.security", host: "dc1", category: []string{"authentication"}, types: []string{"start"}, outcome: "success", code: "4624", source: "10.0.8.7", user: "Administrator"})
	w.find("Pass the hash", "high", []string{"T1550.002"}, []string{"lateral-movement"}, pth)
	inc := w.one(t)
	if inc.Impact.Level != "high" || !said(inc.Impact.Facts, "2 hosts were reached: dc1 and ws7") {
		t.Errorf("%+v", inc.Impact)
	}
}

func TestAnApplicationsErrorIsNoRequest(t *testing.T) {
	w := &world{}
	id := w.log(0, record{dataset: "app", host: "web1", message: "Cannot run program"})
	w.find("Process Execution Error", "high", []string{"T1190"}, []string{"initial-access"}, id)
	inc := w.one(t)
	if inc.Outcome.Result != Unknown || said(inc.What, "request") || said(inc.Outcome.Why, "request") {
		t.Errorf("%+v %+v", inc.What, inc.Outcome)
	}
}

func TestContextFromOtherAddressesIsNotCountedAsTheAttackers(t *testing.T) {
	w := &world{}
	w.bruteForce(0, 20, 2, "web1", attacker, "root")
	var ids []string
	for i := range 5 {
		ids = append(ids, w.log(100+i, sshd("web1", fmt.Sprintf("10.0.0.%d", i), "guest", "failure")))
	}
	ids = append(ids, w.log(110, sshd("web1", attacker, "root", "failure")))
	w.find("Failures by host", "low", []string{"T1110"}, []string{"credential-access"}, ids...)
	w.quiet(9000, "linux.auth", "web1", "process")
	inc := w.one(t)
	if !said(inc.What, "21 recorded attempts of SSH logins on host web1 from 203.0.113.9 tried account root") {
		t.Errorf("%+v", inc.What)
	}
}

func TestTwoWeakSignsOfOneWayMakeAnIncidentAndEachAloneMakesNone(t *testing.T) {
	const inside, outside = "10.0.0.26", "203.0.113.133"
	build := func(files, upload bool, later int) []Incident {
		w := &world{}
		if files {
			var ids []string
			for i := range 20 {
				ids = append(ids, w.log(i, record{dataset: "system.security", host: "dc1", category: []string{"file"}, types: []string{"access"}, outcome: "success", user: "paula", source: inside, file: "a"}))
			}
			w.find("far more files than usual", "low", []string{"T1039"}, []string{"collection"}, ids...).Kind = "rates"
		}
		if upload {
			var ids []string
			for i := range 3 {
				ids = append(ids, w.log(later+i, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, source: inside, destination: outside, port: "443", sentBytes: 900 << 20, receivedBytes: 1 << 20}))
			}
			w.find("far more sent out than usual", "low", []string{"T1048"}, []string{"exfiltration"}, ids...).Kind = "volume"
		}
		return w.build(t)
	}
	if got := build(true, true, 600); len(got) != 1 || got[0].Outcome.Result != Succeeded || !slices.Contains(got[0].Who.Users, "paula") {
		t.Errorf("both: %+v", got)
	}
	for name, got := range map[string][]Incident{"files alone": build(true, false, 0), "upload alone": build(false, true, 600), "a day apart": build(true, true, 86400)} {
		if len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatManyTalkToTiesNoTwoOfThemTogether(t *testing.T) {
	const service = "203.0.113.53"
	build := func(others int) int {
		w := &world{}
		for i, source := range []string{"10.0.0.26", "10.0.0.77"} {
			var ids []string
			for j := range 5 {
				ids = append(ids, w.log(100*i+j, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, source: source, destination: service, port: "443", sentBytes: 900, receivedBytes: 900}))
			}
			w.find([]string{"beacon", "tunnel"}[i], "medium", []string{"T1071"}, []string{"command-and-control"}, ids...)
		}
		for i := range others {
			w.log(i, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection", "end"}, source: fmt.Sprintf("10.0.1.%d", i), destination: service, port: "443", sentBytes: 900, receivedBytes: 900})
		}
		return len(w.build(t))
	}
	if n := build(0); n != 1 {
		t.Errorf("an address that only the two talk to: %d incidents", n)
	}
	if n := build(manyVisitors); n != 2 {
		t.Errorf("an address that many talk to: %d incidents", n)
	}
}
