package incident

import (
	"slices"
	"strings"
)

// Logs that name no host, such as a web server's access log, lie beside others
// that do: evidence/var/log/apache2/access.log beside evidence/var/log/auth.log.
// Where all logs under one root of a file system name the same host, those
// that name none are its too. A directory that a log server fills for many
// hosts names many, and so stands for none.

// places knows the host of the file systems that the case's logs are of.
type places map[string]string // root → host; "" where several hosts are named

// sysDirs are where systems keep logs, from the root of their file system.
var sysDirs = []string{"var/log/", "windows/system32/winevt/logs/", "inetpub/logs/"}

// rootOf returns the path down to the root of the file system it was taken of.
func rootOf(path string) (string, bool) {
	p := normalPath(path)
	for _, dir := range sysDirs {
		if i := strings.LastIndex(p, dir); i == 0 || i > 0 && (p[i-1] == '/' || p[i-1] == '!' || p[i-1] == ':') {
			return p[:i], true
		}
	}
	return "", false
}

// logPath says that records of a log file name a host.
type logPath struct{ path, dataset, host string }

func newPlaces(paths []logPath, hosts *hostNames) places {
	ps := places{}
	for _, p := range paths {
		root, ok := rootOf(p.path)
		h := hosts.of(p.host)
		if !ok || h == "" {
			continue
		}
		if other, named := ps[root]; named && other != h {
			h = ""
		}
		ps[root] = h
	}
	return ps
}

// of returns the host whose file system a log is of, "" where that is not
// known, and for a sensor's log, which tells of others than its host.
func (ps places) of(path, dataset string) string {
	if len(ps) == 0 || path == "" || sensorLog(dataset) {
		return ""
	}
	root, ok := rootOf(path)
	if !ok {
		return ""
	}
	return ps[root]
}

// hostsOf returns the hosts that a finding's records are of where none names
// one; sorted.
func (ps places) hostsOf(n *node) []string {
	if fromSensor(n.f) {
		return nil
	}
	var hs []string
	for _, e := range n.f.Evidence {
		if h := ps.of(e.Path, ""); h != "" {
			hs = append(hs, h)
		}
	}
	slices.Sort(hs)
	return slices.Compact(hs)
}

// logsOf returns the log files a finding's records are in, sorted.
func (n *node) logs() []string {
	var ls []string
	for _, e := range n.f.Evidence {
		ls = append(ls, e.Path)
	}
	return names(ls)
}
