package acquire

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Location is a place where a system keeps logs.
type Location struct {
	System string   // as runtime.GOOS names it: linux, darwin, windows
	Title  string   // what is there
	Paths  []string // globs; a directory stands for all that is in it. ${NAME} is a variable of the environment
}

// Catalogue are the well-known locations. Another product's is one more line.
var Catalogue = []Location{
	{"linux", "system and service logs: syslog, auth, audit, web servers, mail, packages, logins (wtmp, btmp, lastlog)", []string{"/var/log"}},
	{"linux", "the systemd journal where it is not kept on disk", []string{"/run/log/journal"}},
	{"linux", "who is logged in", []string{"/run/utmp"}},
	{"linux", "shell histories", []string{"/root/.*_history", "/home/*/.*_history", "/home/*/.local/share/fish/fish_history", "/root/.local/share/fish/fish_history"}},
	{"linux", "containers' output", []string{"/var/lib/docker/containers/*/*-json.log*", "/var/lib/containers/storage/overlay-containers/*/userdata/ctr.log"}},
	{"linux", "DHCP leases", []string{"/var/lib/dhcp/*.leases*", "/var/lib/dhcpd/*.leases*", "/var/lib/kea/*.csv*"}},
	{"linux", "logs of databases and servers outside of /var/log", []string{"/var/lib/pgsql/data/log", "/var/lib/pgsql/*/data/log", "/opt/*/log", "/opt/*/logs", "/srv/*/log", "/srv/*/logs", "/usr/local/*/logs", "/var/opt/*/log", "/var/snap/*/common/log"}},
	{"linux", "sensors", []string{"/opt/zeek/logs", "/usr/local/zeek/logs", "/nsm"}},

	{"darwin", "system logs", []string{"/private/var/log", "/Library/Logs", "/Users/*/Library/Logs"}},
	{"darwin", "the unified log (tracev3)", []string{"/private/var/db/diagnostics", "/private/var/db/uuidtext"}},
	{"darwin", "audit trails", []string{"/private/var/audit"}},
	{"darwin", "shell histories", []string{"/Users/*/.*_history", "/Users/*/.zsh_sessions", "/private/var/root/.*_history"}},

	{"windows", "event logs", []string{`${SystemRoot}\System32\winevt\Logs`}},
	{"windows", "IIS, HTTP errors, DHCP, firewall", []string{`${SystemDrive}\inetpub\logs\LogFiles`, `${SystemRoot}\System32\LogFiles`, `${SystemRoot}\System32\dhcp\*.log`}},
	{"windows", "DNS server", []string{`${SystemRoot}\System32\dns\*.log`}},
	{"windows", "PowerShell histories", []string{`${SystemDrive}\Users\*\AppData\Roaming\Microsoft\Windows\PowerShell\PSReadLine\*_history.txt`}},
	{"windows", "Defender, set-up and updates", []string{`${ProgramData}\Microsoft\Windows Defender\Support\*.log`, `${SystemRoot}\Logs`, `${SystemRoot}\inf\setupapi*.log`}},
	{"windows", "Exchange", []string{`${ProgramFiles}\Microsoft\Exchange Server\V15\Logging`, `${ProgramFiles}\Microsoft\Exchange Server\V15\TransportRoles\Logs`}},
}

// Of returns the locations of a system.
func Of(system string) []Location {
	return slices.DeleteFunc(slices.Clone(Catalogue), func(l Location) bool { return l.System != system })
}

// Found are the paths of the location that are there, under another root if one is
// given (an image that is mounted), in order.
func (l Location) Found(root string) []string {
	var found []string
	for _, p := range l.Paths {
		missing := false
		p = os.Expand(p, func(name string) string {
			v := os.Getenv(name)
			if root != "" && strings.EqualFold(l.System, "windows") { // the image's are the usual ones
				v = map[string]string{"SystemRoot": `\Windows`, "SystemDrive": "", "ProgramData": `\ProgramData`, "ProgramFiles": `\Program Files`}[name]
				return v
			}
			missing = missing || v == ""
			return v
		})
		if missing {
			continue
		}
		if root != "" {
			p = filepath.Join(root, filepath.FromSlash(strings.ReplaceAll(p, `\`, "/")))
		}
		matches, _ := filepath.Glob(p)
		found = append(found, matches...)
	}
	slices.SortFunc(found, cmp.Compare[string])
	return slices.Compact(found)
}
