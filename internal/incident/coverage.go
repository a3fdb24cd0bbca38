package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// logs knows which logs the case holds and what each would tell, so that
// silence can be told from a missing log.
type logs struct {
	covers []Coverage
	kinds  map[logKind]bool
	all    map[[2]string]bool // category and dataset, whatever the host
}

func newLogs(covers []Coverage, kinds []logKind, hosts *hostNames) *logs {
	l := &logs{kinds: map[logKind]bool{}, all: map[[2]string]bool{}}
	for _, c := range covers {
		c.Host = hosts.of(c.Host)
		l.covers = append(l.covers, c)
	}
	slices.SortFunc(l.covers, func(a, b Coverage) int {
		return cmp.Or(strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host), cmp.Compare(a.First, b.First))
	})
	for _, k := range kinds {
		l.kinds[logKind{k.category, k.dataset, hosts.of(k.host)}] = true
		l.all[[2]string{k.category, k.dataset}] = true
	}
	return l
}

// dedicated are words in the names of datasets that are made for the category,
// so that such a log of a host covers it even when it holds no such record.
var dedicated = map[string][]string{
	"authentication": {"auth", "secure", "security", "sshd"},
	"process":        {"auditd", "sysmon"},
	"network":        {"flow", "zeek.conn", "iptables", "ufw", "firewall", "netflow", "suricata"},
	"web":            {"access", "iis"},
}

// span returns from when to when the host's logs of the category reach. A log
// covers a host by the host's name in it; host "" stands for logs without one.
func (l *logs) span(category, host string) (s span, ok bool) {
	s = span{event.NoTime, event.NoTime}
	for _, c := range l.covers {
		if c.Host != host || c.Events == 0 || !l.holds(category, c.Dataset, host) {
			continue
		}
		ok = true
		if c.First == event.NoTime || c.Last == event.NoTime {
			continue
		}
		if s.from == event.NoTime {
			s = span{c.First, c.Last}
			continue
		}
		s.from, s.to = min(s.from, c.First), max(s.to, c.Last)
	}
	return s, ok
}

// since is when the first of the host's logs begins.
func (l *logs) since(host string) int64 {
	first := int64(event.NoTime)
	for _, c := range l.covers {
		if c.Host == host && c.First != event.NoTime && (first == event.NoTime || c.First < first) {
			first = c.First
		}
	}
	return first
}

// anywhere is span over all hosts: for sensors, which see more than themselves.
func (l *logs) anywhere(category string) (s span, ok bool) {
	s = span{event.NoTime, event.NoTime}
	for _, c := range l.covers {
		if one, covered := l.span(category, c.Host); covered {
			ok = true
			if s.from == event.NoTime {
				s = one
			} else if one.from != event.NoTime {
				s.from, s.to = min(s.from, one.from), max(s.to, one.to)
			}
		}
	}
	return s, ok
}

func (l *logs) holds(category, dataset, host string) bool {
	if l.kinds[logKind{category, dataset, host}] {
		return true
	}
	name := strings.ToLower(dataset)
	return l.all[[2]string{category, dataset}] && slices.ContainsFunc(dedicated[category], func(w string) bool { return strings.Contains(name, w) })
}

// covers reports whether the stretch lies within the span, give or take the
// second that stamps are rounded to.
func (s span) covers(first, last int64) bool {
	return first != event.NoTime && last != event.NoTime && s.from != event.NoTime &&
		s.from-int64(time.Second) <= first && last <= s.to+int64(time.Second)
}

// Logs that would tell, as Outcome.Needs names them.
func authenticationLog(host string) string {
	return "authentication log of " + hostPhrase(host) + " (sshd or Windows Security)"
}

func processLog(host string) string {
	return "process audit log of " + hostPhrase(host) + " (auditd or Sysmon)"
}

func accessLog(host string) string {
	return "web server access log of " + hostPhrase(host)
}

func flowLog(host string) string {
	return "connection log of the network of " + hostPhrase(host) + " (firewall, Zeek, Suricata or NetFlow)"
}

func hostPhrase(host string) string {
	if host == "" {
		return "the host attacked"
	}
	return "host " + show(host)
}

func sortedKeys(m map[string]bool) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}
