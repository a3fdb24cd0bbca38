package incident

import (
	"cmp"
	"slices"
	"strings"
)

// An act is something a record shows was done and that matters afterwards: the
// facts that impact is made of. Acts are told from what the record says, not
// from the rule that found it.
type act struct {
	kind      string // facts of one kind and host are one sentence
	one, many string // "account was created", "accounts were created"
	level     string // the impact it has by itself
	proof     bool   // such a record is written only when it happened
	match     func(r *record) bool
	subject   func(r *record) string // what it was done to, "" when the record does not say
}

// acts is tried from the top; a record is the first act it matches and each
// later one of another kind. None matches a record whose outcome is failure.
var acts = []act{
	{"account created", "account was created", "accounts were created", "high", true,
		func(r *record) bool {
			return r.is("iam") && r.has("user") && r.has("creation") || windows(r, "4720") || runs(r, "useradd", "adduser") || runsAll(r, "net", " user ", "/add")
		}, target},
	{"account deleted", "account was deleted", "accounts were deleted", "medium", true,
		func(r *record) bool {
			return r.is("iam") && r.has("user") && r.has("deletion") && !windows(r, "4725") || windows(r, "4726") || runs(r, "userdel", "deluser")
		}, target},
	{"rights gained", "account was added to a group", "accounts were added to groups", "high", true,
		func(r *record) bool {
			return windows(r, "4728", "4732", "4756") || strings.HasPrefix(r.action, "added-member-to-group") || r.action == "added-user-to-group" ||
				strings.HasPrefix(r.action, "group-") && strings.HasSuffix(r.action, "-added") ||
				runs(r, "gpasswd") || runsAll(r, "usermod", " -ag ") || runsAll(r, "usermod", " -g ") || runsAll(r, "net", "localgroup", "/add") || runsAll(r, "net", " group ", "/add") ||
				r.is("iam") && r.has("change") && strings.Contains(r.message, " to group '")
		}, func(r *record) string {
			if r.group != "" && target(r) != "" {
				return target(r) + " to " + r.group
			}
			return cmp.Or(target(r), r.group)
		}},
	{"rights given", "account or role was given rights", "accounts or roles were given rights", "high", true,
		func(r *record) bool { return cloudCall(r, "rights given") }, target},
	{"keys made", "access key or password was made", "access keys or passwords were made", "high", true,
		func(r *record) bool { return cloudCall(r, "keys made") }, target},
	{"workload started", "workload was started in the cluster", "workloads were started in the cluster", "medium", true,
		func(r *record) bool { return cloudCall(r, "workload started") }, func(r *record) string { return "" }},
	{"command in a pod", "command was run in a pod", "commands were run in pods", "medium", true,
		func(r *record) bool { return cloudCall(r, "command in a pod") }, func(r *record) string { return "" }},
	{"secrets read", "secret was read", "secrets were read", "medium", true,
		func(r *record) bool { return cloudCall(r, "secrets read") }, func(r *record) string { return "" }},
	{"data destroyed", "store of data was deleted", "stores of data were deleted", "critical", true,
		func(r *record) bool { return cloudCall(r, "data destroyed") }, done},
	{"password changed", "password was changed or reset", "passwords were changed or reset", "medium", true,
		func(r *record) bool {
			return windows(r, "4723", "4724") || r.action == "changed-password" || r.action == "password-changed" || runs(r, "passwd", "chpasswd") && !strings.Contains(r.command, "/etc/passwd")
		}, target},
	{"logs destroyed", "log was cleared or logging was switched off", "logs were cleared or switched off", "high", true,
		func(r *record) bool {
			return cloudCall(r, "logs destroyed") || windows(r, "1102") || windows(r, "104") && strings.Contains(strings.ToLower(r.provider), "eventlog") || windows(r, "4719") || r.action == "audit-log-cleared" ||
				runsAll(r, "wevtutil", " cl") || runsAll(r, "clear-eventlog") || runsAll(r, "auditctl", " -d") || runsAll(r, "history", " -c") ||
				runsAll(r, "/var/log/", "shred") || runsAll(r, "/var/log/", "truncate") || runsAll(r, "rm ", "/var/log/") || runsAll(r, "journalctl", "--vacuum") ||
				stops(r, "auditd", "rsyslog", "syslog-ng", "systemd-journald")
		}, done},
	{"backups destroyed", "command to destroy backups or shadow copies was run", "commands to destroy backups or shadow copies were run", "critical", true,
		func(r *record) bool {
			return runsAll(r, "vssadmin", "delete") || runsAll(r, "vssadmin", "resize") || runsAll(r, "shadowcopy", "delete") || runsAll(r, "wbadmin", "delete") || runsAll(r, "bcdedit", "recoveryenabled")
		}, program},
	{"defences down", "defence was switched off", "defences were switched off", "high", true,
		func(r *record) bool {
			return cloudCall(r, "defences down") || windows(r, "5001", "5010", "5012") && strings.Contains(strings.ToLower(r.provider), "defender") || runsAll(r, "set-mppreference", "disable") ||
				runsAll(r, "netsh", "firewall", "off") || runsAll(r, "setenforce", " 0") || runsAll(r, "ufw", "disable") || runsAll(r, "iptables", " -f") ||
				stops(r, "windefend", "sense", "clamav", "falcon-sensor", "wazuh-agent", "apparmor", "fail2ban", "firewalld", "ufw")
		}, done},
	{"persistence", "service, task or start-up entry was installed", "services, tasks or start-up entries were installed", "high", true,
		func(r *record) bool {
			return windows(r, "7045", "4697", "4698", "4702") || strings.Contains(r.action, "service-installed") || strings.Contains(r.action, "scheduled-task-created") ||
				r.is("registry") && !r.has("deletion") && runKey(r.registry) || runsAll(r, "schtasks", "/create") || runsAll(r, "sc", " create ") || runsAll(r, "reg", " add ", `\run`) ||
				runs(r, "crontab") && !strings.Contains(r.command, " -l") || runsAll(r, "systemctl", " enable ") || runsAll(r, "authorized_keys", "echo") || runsAll(r, "authorized_keys", "tee") ||
				r.is("file") && (r.has("creation") || r.has("change")) && startFile(r.file)
		}, func(r *record) string {
			if r.service != "" && r.runs != "" {
				return r.service + ", which runs " + r.runs
			}
			if r.registry != "" && r.runs != "" {
				return lastElements(r.registry) + ", which is " + r.runs
			}
			return cmp.Or(r.service, r.registry, r.file, r.command)
		}},
	{"service stopped", "service was stopped", "services were stopped", "medium", true,
		func(r *record) bool {
			return runsAll(r, "systemctl", " stop ") || runsAll(r, "net", " stop ") || runsAll(r, "sc", " stop ") || runsAll(r, "service", " stop") || runsAll(r, "taskkill")
		}, program},
	{"login", "login was obtained", "logins were obtained", "medium", true,
		func(r *record) bool {
			return r.is("authentication") && r.outcome == "success" && !r.has("end") && r.source != "" && r.user != "" &&
				!windows(r, "4769", "4770") // tickets of one who is logged in
		}, func(r *record) string { return r.user }},
	{"root commands", "command was run with another account's rights", "commands were run with another account's rights", "medium", true,
		func(r *record) bool {
			return programName(r) == "sudo" && (r.command != "" || r.is("session") && r.has("start"))
		}, program},
	{"programs", "program was run", "programs were run", "low", true,
		func(r *record) bool {
			return r.is("process") && r.has("start") && programName(r) != "" && programName(r) != "conhost.exe" // the window of another
		},
		program},
	{"files", "file was written", "files were written", "low", true,
		func(r *record) bool {
			return r.is("file") && (r.has("creation") || r.has("change")) && r.file != "" && !policyTest(r.file)
		},
		func(r *record) string { return r.file }},
}

// policyTest reports whether a file is one that PowerShell writes at each start
// to find out whether it may run scripts.
func policyTest(file string) bool { return strings.Contains(file, "__PSScriptPolicyTest_") }

// actTechniques are the ATT&CK techniques that acts are, where the act says which.
var actTechniques = map[string]string{
	"account created": "T1136", "rights gained": "T1098", "rights given": "T1098.003", "keys made": "T1098.001", "logs destroyed": "T1070", "backups destroyed": "T1490",
	"defences down": "T1562", "service stopped": "T1489", "data destroyed": "T1485", "workload started": "T1610", "command in a pod": "T1609",
}

// techniqueOf names the technique that an act is, by what the record shows.
func techniqueOf(a *act, r *record) string {
	if a.kind == "logs destroyed" && cloudOf(r.dataset) != "" {
		return "T1562.008"
	}
	if a.kind == "secrets read" && strings.HasPrefix(r.dataset, "kubernetes.") {
		return "T1552.007"
	}
	if a.kind != "persistence" {
		return actTechniques[a.kind]
	}
	switch {
	case windows(r, "4698", "4702") || runsAll(r, "schtasks"):
		return "T1053.005"
	case runs(r, "crontab") || strings.Contains(normalPath(r.file), "/cron"):
		return "T1053.003"
	case windows(r, "7045", "4697") || runsAll(r, "sc", " create ") || strings.HasSuffix(strings.ToLower(r.registry), `\imagepath`):
		return "T1543.003"
	case strings.Contains(r.command+r.file, "authorized_keys"):
		return "T1098.004"
	case runKey(r.registry) || strings.Contains(normalPath(r.file), "/startup/"):
		return "T1547.001"
	case runsAll(r, "systemctl") || strings.Contains(r.file, "/systemd/"):
		return "T1543.002"
	}
	return ""
}

// actsOf returns the acts that a record shows.
func actsOf(r *record) []*act {
	if r.outcome == "failure" || r.has("denied") {
		return nil
	}
	var as []*act
	for i := range acts {
		a := &acts[i]
		if len(as) > 0 && (a.kind == "programs" || a.kind == "files" || a.kind == "root commands") {
			continue // said already, and better
		}
		if a.match(r) {
			as = append(as, a)
		}
	}
	return as
}

// techniqueFacts are what a technique that succeeded means, for findings whose
// records show no act.
var techniqueFacts = []struct {
	technique, kind, level string
}{
	{"T1136", "account created", "high"},
	{"T1098", "rights gained", "high"},
	{"T1548", "rights gained", "medium"},
	{"T1068", "rights gained", "high"},
	{"T1611", "rights gained", "high"}, {"T1610", "programs", "medium"}, {"T1609", "programs", "medium"}, {"T1484", "rights gained", "high"},
	{"T1528", "credentials taken", "high"}, {"T1539", "credentials taken", "high"}, {"T1606", "credentials taken", "high"}, {"T1649", "credentials taken", "high"}, {"T1056", "credentials taken", "high"}, {"T1557", "credentials taken", "high"},
	{"T1556", "persistence", "high"}, {"T1207", "defences down", "high"}, {"T1530", "data out", "medium"}, {"T1114", "data out", "medium"}, {"T1621", "login", "medium"},
	{"T1078", "login", "medium"},
	{"T1543", "persistence", "high"}, {"T1053", "persistence", "high"}, {"T1547", "persistence", "high"}, {"T1546", "persistence", "high"}, {"T1505", "persistence", "high"},
	{"T1070.001", "logs destroyed", "high"}, {"T1070.002", "logs destroyed", "high"}, {"T1070", "logs destroyed", "medium"},
	{"T1562", "defences down", "high"},
	{"T1490", "backups destroyed", "critical"},
	{"T1486", "files encrypted", "critical"},
	{"T1485", "data destroyed", "critical"}, {"T1561", "data destroyed", "critical"},
	{"T1489", "service stopped", "medium"},
	{"T1003", "credentials taken", "high"}, {"T1558", "credentials taken", "high"}, {"T1555", "credentials taken", "high"}, {"T1552", "credentials taken", "medium"},
	{"T1550", "login", "high"},
	{"T1041", "data out", "high"}, {"T1048", "data out", "high"}, {"T1567", "data out", "high"}, {"T1537", "data out", "high"}, {"T1020", "data out", "high"},
	{"T1071", "remote control", "high"}, {"T1572", "remote control", "high"}, {"T1105", "remote control", "medium"}, {"T1219", "remote control", "medium"}, {"T1090", "remote control", "medium"},
	{"T1021", "hosts reached", "medium"}, {"T1570", "hosts reached", "medium"}, {"T1210", "hosts reached", "high"},
	{"T1496", "resources used", "medium"}, {"T1498", "service disturbed", "medium"}, {"T1499", "service disturbed", "medium"},
	{"T1059", "programs", "medium"}, {"T1204", "programs", "medium"}, {"T1218", "programs", "medium"},
}

// windows reports whether the record is of Windows and has one of the event ids.
func windows(r *record, codes ...string) bool {
	if !slices.Contains(codes, r.code) {
		return false
	}
	where := strings.ToLower(r.provider + " " + r.dataset)
	return strings.Contains(where, "windows") || strings.Contains(where, "service control manager") || strings.Contains(where, "eventlog") ||
		strings.Contains(where, "winlog") || strings.Contains(where, "sysmon") || strings.Contains(where, "evtx") || strings.Contains(where, "system.security") || strings.Contains(where, "security-auditing")
}

// runs reports whether the record shows one of the programs being run, by its
// own name or as the first word of a command (sudo's COMMAND=/usr/sbin/useradd x).
func runs(r *record, names ...string) bool {
	if !isRun(r) {
		return false
	}
	word, _, _ := strings.Cut(strings.TrimSpace(r.command), " ")
	return slices.Contains(names, baseName(word)) || slices.Contains(names, strings.TrimSuffix(programName(r), ".exe"))
}

// baseName is a program's name in lower case, without its place and .exe.
func baseName(word string) string {
	word = normalPath(strings.Trim(word, `"'`))
	return strings.TrimSuffix(word[strings.LastIndexByte(word, '/')+1:], ".exe")
}

// runsAll reports whether the record's command line has all the parts,
// whatever their case; the first is a word's end or the whole of a part.
func runsAll(r *record, parts ...string) bool {
	if r.command == "" || !isRun(r) {
		return false
	}
	line := strings.ToLower(r.command)
	for i, p := range parts {
		if i == 0 && len(p) <= 3 { // short names: a word, not a part of one
			if !runs(r, p) && !strings.Contains(line, "\\"+p+".exe") && !strings.Contains(line, " "+p+" ") {
				return false
			}
			continue
		}
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}

func isRun(r *record) bool {
	return r.is("process") || programName(r) == "sudo" || windows(r, "4688", "1", "4104")
}

// stops reports whether one of the services is stopped or disabled by a command.
func stops(r *record, services ...string) bool {
	if r.command == "" {
		return false
	}
	line := strings.ToLower(r.command)
	if !strings.Contains(line, " stop") && !strings.Contains(line, " disable") && !strings.Contains(line, " mask") {
		return false
	}
	return isRun(r) && slices.ContainsFunc(services, func(s string) bool { return strings.Contains(line, " "+s) })
}

func runKey(p string) bool {
	p = strings.ToLower(p)
	return strings.Contains(p, `\currentversion\run`) || strings.HasSuffix(p, `\environment\userinitmprlogonscript`) || strings.Contains(p, `\winlogon\`) || strings.Contains(p, `\services\`) && strings.HasSuffix(p, `\imagepath`)
}

// lastElements shortens a registry path, whose end tells more than its beginning.
func lastElements(p string) string {
	parts := strings.Split(p, `\`)
	return strings.Join(parts[max(0, len(parts)-3):], `\`)
}

func startFile(p string) bool {
	p = normalPath(p)
	return strings.HasPrefix(p, "/etc/cron") || strings.HasPrefix(p, "/var/spool/cron") || strings.HasPrefix(p, "/etc/systemd/system/") || strings.HasPrefix(p, "/etc/init.d/") ||
		strings.HasSuffix(p, "/.ssh/authorized_keys") || strings.Contains(p, "/start menu/programs/startup/") || p == "/etc/rc.local"
}

// target is the account that something was done to.
func target(r *record) string {
	switch {
	case r.target != "":
		return r.target
	case r.changes != "":
		return r.changes
	case isRun(r) && r.command != "":
		words := strings.Fields(r.command)
		// net user name password /add: what follows is a secret.
		for i := 1; i < len(words)-1; i++ {
			if slices.Contains([]string{"user", "users"}, strings.ToLower(words[i])) && slices.Contains([]string{"net", "net1"}, baseName(words[i-1])) {
				return afterOptions(words[i+1:])
			}
		}
		// useradd -m name: the last word that is no option.
		for _, w := range slices.Backward(words) {
			if !strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "/") {
				return strings.Trim(w, `"'`)
			}
		}
		return ""
	case r.is("iam") && cloudOf(r.dataset) == "" && !windows(r, "4720", "4726", "4728", "4732", "4756"):
		return r.user
	}
	return ""
}

// afterOptions returns the first word that is no option.
func afterOptions(words []string) string {
	for _, w := range words {
		if !strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "/") {
			return strings.Trim(w, `"'`)
		}
	}
	return ""
}

// done is what was run or called.
func done(r *record) string {
	if cloudOf(r.dataset) != "" {
		return r.call()
	}
	return program(r)
}

func program(r *record) string { return cmp.Or(r.command, r.executable, r.process) }
