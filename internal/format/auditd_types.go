package format

import (
	"net/netip"
	"strconv"
)

// auditUsers says whom the accounts of a record are about.
type auditUsers uint8

const (
	auditPlain   auditUsers = iota // uid acts
	auditSession                   // auid acts; acct is whom it becomes
	auditLogin                     // id logs in
	auditAccount                   // auid acts; id and acct are the account it changes
	auditGroup                     // auid acts; id and acct are the group it changes
)

type auditType struct {
	action   string // "": the type in lower case
	category string
	types    string
	users    auditUsers
	minor    bool // it completes another record
}

// auditTypes are the record types (linux/audit.h, audit-records.h) with the words that
// Elastic's integration has for them.
var auditTypes = map[string]auditType{
	"SYSCALL":   {category: "process", types: "info"},
	"PROCTITLE": {minor: true}, "PATH": {minor: true}, "CWD": {minor: true}, "EXECVE": {minor: true}, "SOCKADDR": {minor: true}, "EOE": {minor: true},
	"BPRM_FCAPS": {minor: true}, "SOCKETCALL": {minor: true}, "IPC": {minor: true}, "MMAP": {minor: true}, "OBJ_PID": {minor: true}, "FD_PAIR": {minor: true}, "CAPSET": {minor: true}, "TIME_ADJNTPVAL": {minor: true},
	"KERNEL": {action: "initialized-audit-subsystem"}, "BPF": {action: "bpf", category: "driver", types: "info"},

	"USER_AUTH":            {"authenticated", "authentication", "info", auditSession, false},
	"USER_ACCT":            {"was-authorized", "authentication", "info", auditSession, false},
	"USER_LOGIN":           {"logged-in", "authentication", "start", auditLogin, false},
	"USER_LOGOUT":          {"logged-out", "authentication", "end", auditLogin, false},
	"USER_START":           {"started-session", "session", "start", auditSession, false},
	"USER_END":             {"ended-session", "session", "end", auditSession, false},
	"USER_ERR":             {"error", "authentication", "info", auditSession, false},
	"CRED_ACQ":             {"acquired-credentials", "authentication", "info", auditSession, false},
	"CRED_DISP":            {"disposed-credentials", "authentication", "info", auditSession, false},
	"CRED_REFR":            {"refreshed-credentials", "authentication", "info", auditSession, false},
	"LOGIN":                {"changed-login-id-to", "authentication", "start", auditLogin, false},
	"USER_CHAUTHTOK":       {"changed-password", "iam", "user change", auditAccount, false},
	"USER_MGMT":            {"modified-user-account", "iam", "user change", auditAccount, false},
	"ADD_USER":             {"added-user-account", "iam", "user creation", auditAccount, false},
	"DEL_USER":             {"deleted-user-account", "iam", "user deletion", auditAccount, false},
	"ACCT_LOCK":            {"locked-account", "iam", "user change", auditAccount, false},
	"ACCT_UNLOCK":          {"unlocked-account", "iam", "user change", auditAccount, false},
	"CHUSER_ID":            {"changed-user-id", "iam", "user change", auditAccount, false},
	"GRP_MGMT":             {"modified-group-account", "iam", "group change", auditGroup, false},
	"GRP_CHAUTHTOK":        {"changed-group-password", "iam", "group change", auditGroup, false},
	"ADD_GROUP":            {"added-group-account-to", "iam", "group creation", auditGroup, false},
	"DEL_GROUP":            {"deleted-group-account-from", "iam", "group deletion", auditGroup, false},
	"CHGRP_ID":             {"changed-group", "iam", "group change", auditGroup, false},
	"ROLE_ASSIGN":          {"assigned-user-role-to", "iam", "user change", auditAccount, false},
	"ROLE_MODIFY":          {"modified-role", "iam", "change", auditAccount, false},
	"ROLE_REMOVE":          {"removed-user-role-from", "iam", "user change", auditAccount, false},
	"USER_ROLE_CHANGE":     {action: "changed-role-to"},
	"USER_CMD":             {action: "ran-command", category: "process", types: "start"},
	"USER_TTY":             {action: "typed"},
	"TTY":                  {action: "typed"},
	"USER_AVC":             {action: "access-permission"},
	"USER_MAC_POLICY_LOAD": {action: "loaded-mac-policy", category: "configuration", types: "change"},
	"MAC_POLICY_LOAD":      {action: "loaded-selinux-policy", category: "configuration", types: "change"},
	"MAC_STATUS":           {action: "changed-selinux-enforcement", category: "configuration", types: "change"},
	"MAC_CONFIG_CHANGE":    {action: "changed-selinux-boolean", category: "configuration", types: "change"},
	"AVC":                  {}, "SELINUX_ERR": {action: "caused-mac-policy-error"}, "USER_SELINUX_ERR": {action: "caused-mac-policy-error"}, "MAC_IPSEC_EVENT": {},
	"SECCOMP":         {action: "violated-seccomp-policy", category: "process", types: "denied"},
	"CRYPTO_KEY_USER": {action: "negotiated-crypto-key", category: "process", types: "info"},
	"CRYPTO_SESSION":  {action: "started-crypto-session", category: "process", types: "info"},
	"CRYPTO_LOGIN":    {action: "crypto-officer-logged-in", category: "authentication", types: "start"},
	"CRYPTO_LOGOUT":   {action: "crypto-officer-logged-out", category: "authentication", types: "end"},
	"SERVICE_START":   {action: "started-service", category: "process", types: "start"},
	"SERVICE_STOP":    {action: "stopped-service", category: "process", types: "end"},
	"SYSTEM_BOOT":     {action: "booted-system", category: "host", types: "info"},
	"SYSTEM_SHUTDOWN": {action: "shutdown-system", category: "host", types: "info"},
	"SYSTEM_RUNLEVEL": {action: "changed-to-runlevel", category: "host", types: "change"},
	"SOFTWARE_UPDATE": {action: "package-updated", category: "package", types: "info"},
	"CONFIG_CHANGE":   {action: "changed-audit-configuration", category: "process configuration", types: "change"},
	"FEATURE_CHANGE":  {action: "changed-audit-feature", category: "configuration", types: "change"},
	"USYS_CONFIG":     {action: "changed-configuration", category: "configuration", types: "change"},
	"NETFILTER_CFG":   {action: "loaded-firewall-rule-to", category: "configuration", types: "change"},
	"NETFILTER_PKT":   {action: "packet", category: "network", types: "info"},
	"KERN_MODULE":     {action: "loaded-kernel-module", category: "driver", types: "start"},
	"DAEMON_START":    {action: "started-audit", category: "process", types: "start"},
	"DAEMON_END":      {action: "shutdown-audit", category: "process", types: "end"},
	"DAEMON_ABORT":    {action: "aborted-auditd-startup", category: "process", types: "end"},
	"DAEMON_CONFIG":   {action: "changed-auditd-configuration", category: "configuration", types: "change"},
	"DAEMON_ROTATE":   {action: "rotated-audit-logs"},
	"DAEMON_RESUME":   {action: "resumed-audit-logging"},
	"DAEMON_ACCEPT":   {action: "remote-audit-connected", category: "network", types: "start"},
	"DAEMON_CLOSE":    {action: "remote-audit-disconnected", category: "network", types: "end"},
	"DAEMON_ERR":      {action: "audit-error"},
	"VIRT_CONTROL":    {action: "issued-vm-control", category: "host", types: "creation"},
	"VIRT_CREATE":     {action: "created-vm-image", category: "host", types: "creation"},
	"VIRT_DESTROY":    {action: "deleted-vm-image", category: "host", types: "deletion"},
	"VIRT_MACHINE_ID": {action: "assigned-vm-id", category: "host", types: "creation"},
	"VIRT_RESOURCE":   {action: "assigned-vm-resource", category: "host", types: "change"},
	"TEST":            {action: "sent-test"}, "TRUSTED_APP": {action: "unknown"}, "USER": {action: "sent-message"},
	"ANOM_ABEND":             {action: "crashed-program", category: "process", types: "end"},
	"ANOM_PROMISCUOUS":       {action: "changed-promiscuous-mode-on-device", category: "network", types: "change"},
	"ANOM_LINK":              {action: "used-suspicious-link", category: "file", types: "info"},
	"ANOM_EXEC":              {action: "attempted-execution-of-forbidden-program", category: "process", types: "start"},
	"ANOM_MK_EXEC":           {action: "made-executable", category: "file", types: "change"},
	"ANOM_ADD_ACCT":          {"added-user-account", "iam", "user creation", auditAccount, false},
	"ANOM_DEL_ACCT":          {"deleted-user-account", "iam", "user deletion", auditAccount, false},
	"ANOM_MOD_ACCT":          {"changed-account", "iam", "user change", auditAccount, false},
	"ANOM_ROOT_TRANS":        {"user-became-root", "authentication", "info", auditSession, false},
	"ANOM_LOGIN_FAILURES":    {"failed-log-in-too-many-times-to", "authentication", "info", auditSession, false},
	"ANOM_LOGIN_ACCT":        {"attempted-log-in-from-unusual-place-to", "authentication", "info", auditSession, false},
	"ANOM_LOGIN_LOCATION":    {"attempted-log-in-from-unusual-place-to", "authentication", "info", auditSession, false},
	"ANOM_LOGIN_SESSIONS":    {"opened-too-many-sessions-to", "authentication", "info", auditSession, false},
	"ANOM_LOGIN_TIME":        {"attempted-log-in-during-unusual-hour-to", "authentication", "info", auditSession, false},
	"ANOM_LOGIN_SERVICE":     {"attempted-log-in-to-service", "authentication", "info", auditSession, false},
	"RESP_ACCT_LOCK":         {"locked-account", "iam", "user change", auditAccount, false},
	"RESP_ACCT_UNLOCK_TIMED": {"unlocked-account", "iam", "user change", auditAccount, false},
	"INTEGRITY_DATA":         {action: "integrity-data", category: "file", types: "info"},
	"INTEGRITY_RULE":         {action: "integrity-rule", category: "configuration", types: "info"},
	"APPARMOR_DENIED":        {action: "violated-apparmor-policy", category: "process", types: "denied"},
	"APPARMOR_ALLOWED":       {action: "apparmor-allowed", category: "process", types: "allowed"},
	"APPARMOR_STATUS":        {action: "changed-apparmor-policy", category: "configuration", types: "change"},
	"FANOTIFY":               {action: "accessed-policy-controlled-file", category: "file", types: "access"},
	"TIME_INJOFFSET":         {action: "changed-system-time", category: "host configuration", types: "change"},
	"DEV_ALLOC":              {action: "allocated-device"}, "DEV_DEALLOC": {action: "deallocated-device"}, "FS_RELABEL": {action: "relabeled-filesystem", category: "file", types: "change"},
}

// auditCalls are what a system call does, where its records tell of what.
var auditCalls = map[string]auditType{}

func init() {
	for _, c := range [...]struct {
		names []string
		t     auditType
	}{
		{[]string{"execve", "execveat"}, auditType{action: "executed", category: "process", types: "start"}},
		{[]string{"open", "openat", "openat2", "open_by_handle_at"}, auditType{action: "opened-file", category: "file", types: "access"}},
		{[]string{"creat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat"}, auditType{action: "created-file", category: "file", types: "creation"}},
		{[]string{"unlink", "unlinkat"}, auditType{action: "deleted", category: "file", types: "deletion"}},
		{[]string{"rename", "renameat", "renameat2"}, auditType{action: "renamed", category: "file", types: "change"}},
		{[]string{"mkdir", "mkdirat"}, auditType{action: "created-directory", category: "file", types: "creation"}},
		{[]string{"rmdir"}, auditType{action: "deleted-directory", category: "file", types: "deletion"}},
		{[]string{"chmod", "fchmod", "fchmodat", "fchmodat2"}, auditType{action: "changed-file-permissions-of", category: "file", types: "change"}},
		{[]string{"chown", "fchown", "lchown", "fchownat"}, auditType{action: "changed-file-ownership-of", category: "file", types: "change"}},
		{[]string{"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"}, auditType{action: "changed-file-attributes-of", category: "file", types: "change"}},
		{[]string{"utime", "utimes", "utimensat", "futimesat"}, auditType{action: "changed-timestamp-of", category: "file", types: "change"}},
		{[]string{"truncate", "ftruncate"}, auditType{action: "truncated-file", category: "file", types: "change"}},
		{[]string{"mount"}, auditType{action: "mounted", category: "file configuration", types: "change"}},
		{[]string{"umount", "umount2"}, auditType{action: "unmounted", category: "file configuration", types: "change"}},
		{[]string{"connect"}, auditType{action: "connected-to", category: "network", types: "connection start"}},
		{[]string{"accept", "accept4"}, auditType{action: "accepted-connection-from", category: "network", types: "connection start"}},
		{[]string{"bind"}, auditType{action: "bound-socket", category: "network", types: "info"}},
		{[]string{"listen"}, auditType{action: "listen-for-connections", category: "network", types: "info"}},
		{[]string{"sendto", "sendmsg", "sendmmsg"}, auditType{action: "sent-to", category: "network", types: "connection"}},
		{[]string{"recvfrom", "recvmsg", "recvmmsg"}, auditType{action: "received-from", category: "network", types: "connection"}},
		{[]string{"init_module", "finit_module"}, auditType{action: "loaded-kernel-module", category: "driver", types: "start"}},
		{[]string{"delete_module"}, auditType{action: "unloaded-kernel-module", category: "driver", types: "end"}},
		{[]string{"ptrace"}, auditType{action: "ptrace", category: "process", types: "info"}},
		{[]string{"kill", "tkill", "tgkill"}, auditType{action: "killed-pid", category: "process", types: "end"}},
		{[]string{"setuid", "setreuid", "setresuid", "setfsuid", "setgid", "setregid", "setresgid"}, auditType{action: "changed-identity-of", category: "process", types: "change"}},
		{[]string{"settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "stime"}, auditType{action: "changed-system-time", category: "host configuration", types: "change"}},
		{[]string{"sethostname", "setdomainname"}, auditType{action: "changed-system-name", category: "host configuration", types: "change"}},
	} {
		for _, n := range c.names {
			auditCalls[n] = c.t
		}
	}
}

// sockaddrText is the address and port of a struct sockaddr_in or sockaddr_in6.
func sockaddrText(p []byte, family int) (address, port string) {
	port = strconv.Itoa(int(p[2])<<8 | int(p[3]))
	if family == 2 {
		return netip.AddrFrom4([4]byte(p[4:8])).String(), port
	}
	return netip.AddrFrom16([16]byte(p[8:24])).Unmap().String(), port
}

// auditNumbers are the types by the numbers that the kernel's own log has for them
// (linux/audit.h, libaudit.h).
var auditNumbers = map[string]string{
	"1006": "LOGIN",
	"1100": "USER_AUTH", "1101": "USER_ACCT", "1102": "USER_MGMT", "1103": "CRED_ACQ", "1104": "CRED_DISP", "1105": "USER_START", "1106": "USER_END",
	"1107": "USER_AVC", "1108": "USER_CHAUTHTOK", "1109": "USER_ERR", "1110": "CRED_REFR", "1111": "USYS_CONFIG", "1112": "USER_LOGIN", "1113": "USER_LOGOUT",
	"1114": "ADD_USER", "1115": "DEL_USER", "1116": "ADD_GROUP", "1117": "DEL_GROUP", "1123": "USER_CMD", "1124": "USER_TTY", "1125": "CHUSER_ID",
	"1126": "GRP_CHAUTHTOK", "1127": "SYSTEM_BOOT", "1128": "SYSTEM_SHUTDOWN", "1129": "SYSTEM_RUNLEVEL", "1130": "SERVICE_START", "1131": "SERVICE_STOP",
	"1132": "GRP_MGMT", "1134": "CHGRP_ID", "1137": "ACCT_LOCK", "1138": "ACCT_UNLOCK",
	"1300": "SYSCALL", "1302": "PATH", "1303": "IPC", "1304": "SOCKETCALL", "1305": "CONFIG_CHANGE", "1306": "SOCKADDR", "1307": "CWD", "1309": "EXECVE",
	"1316": "FD_PAIR", "1318": "OBJ_PID", "1319": "TTY", "1320": "EOE", "1321": "BPRM_FCAPS", "1322": "CAPSET", "1323": "MMAP", "1324": "NETFILTER_PKT",
	"1325": "NETFILTER_CFG", "1326": "SECCOMP", "1327": "PROCTITLE", "1328": "FEATURE_CHANGE", "1330": "KERN_MODULE", "1331": "FANOTIFY", "1334": "BPF",
	"1400": "AVC", "1403": "MAC_POLICY_LOAD", "1404": "MAC_STATUS", "1405": "MAC_CONFIG_CHANGE",
	"1700": "ANOM_PROMISCUOUS", "1701": "ANOM_ABEND", "1702": "ANOM_LINK",
	"1800": "INTEGRITY_DATA", "1805": "INTEGRITY_RULE",
	"2404": "CRYPTO_KEY_USER", "2407": "CRYPTO_SESSION",
}
