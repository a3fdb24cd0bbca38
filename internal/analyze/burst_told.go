package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/prose"
)

func (u *usual) text() string {
	r := fmt.Sprintf("%.0f–%.0f", u.low, u.high)
	if u.low == u.high {
		r = fmt.Sprintf("%.0f", u.high)
	}
	s := "usually " + r + " an hour"
	if u.hours > 1 {
		s = fmt.Sprintf("usually %s in these %d hours", r, u.hours)
	}
	switch {
	case u.seasonal && u.hours == 1:
		s += " at that time of day"
	case u.seasonal && u.hours < 24:
		s += " of the day"
	}
	what := "day"
	switch {
	case u.weekly && u.free:
		what = "free day"
	case u.weekly:
		what = "working day"
	}
	s += " over " + prose.Count(u.days, what)
	if u.peers > 0 {
		s += fmt.Sprintf("; others of its kind have at most %.0f in %.0f of 100 hours in which they have any", u.peak, 100*(1-u.share))
	}
	return s
}

// finding tells of a burst.
func (b *hit) finding() Finding {
	k := b.key
	f := Finding{
		Title: "Far more than usual", Level: b.level(), First: b.first, Last: b.last, Count: b.count, Surprise: b.bits,
		Rule:     Rule{ID: "rates", Name: "Rate far above its baseline", FalsePositives: []string{"A job that runs rarely", "A change of what is logged"}},
		Datasets: nonEmpty(k.dataset),
	}
	w := where{}.between(b.first, b.last).is("event.dataset", k.dataset)
	var who, what string
	name := clip(k.a, 100)
	failed := func(w where) where {
		return w.has("event.category", "authentication").is("event.outcome", "failure").refusals()
	}
	switch k.kind {
	case rateRecords:
		f.Title, f.Rule.ID, who, what = "A log has far more records than usual", "rates.records", "log "+k.dataset, "records"
		if k.a != "" {
			who += " of " + name
		}
		w = w.is("host.name", k.a)
		f.Entities.Hosts = nonEmpty(k.a)
	case rateAction:
		f.Title, f.Rule.ID, who, what = "An action is far more frequent than usual", "rates.action", "log "+k.dataset, "records of "+name
		if k.more != "" {
			what += " (" + k.more + ")"
		}
		w = w.any(k.a, "event.action", "event.code").is("event.outcome", k.more)
	case rateFailedUser:
		f.Title, f.Rule.ID, who, what = "Far more failed logins of an account than usual", "rates.failed-logins.user", "account "+name, "failed logins"
		w = failed(w).any(k.a, "user.name", "user.target.name")
		f.Entities.Users = []string{k.a}
		f.Techniques, f.Tactics = []string{"T1110"}, []string{"credential-access"}
	case rateFailedFrom:
		f.Title, f.Rule.ID, who, what = "Far more failed logins from a source than usual", "rates.failed-logins.source", "source "+name, "failed logins"
		w = failed(w).any(k.a, "source.ip", "client.ip")
		f.Entities.Sources = []string{k.a}
		f.Techniques, f.Tactics = []string{"T1110"}, []string{"credential-access"}
	case rateFailedHost:
		f.Title, f.Rule.ID, who, what = "Far more failed logins on a host than usual", "rates.failed-logins.host", "host "+name, "failed logins"
		w = failed(w).any(k.a, "host.name", "host.hostname")
		f.Entities.Hosts = []string{k.a}
		f.Techniques, f.Tactics = []string{"T1110"}, []string{"credential-access"}
	case rateLoginUser:
		f.Title, f.Rule.ID, who, what = "Far more logins of an account than usual", "rates.logins.user", "account "+name, "logins"
		w = w.has("event.category", "authentication").is("event.outcome", "success").any(k.a, "user.name", "user.target.name")
		f.Entities.Users = []string{k.a}
	case rateFrom:
		f.Title, f.Rule.ID, who, what = "A source is far busier than usual", "rates.source", "source "+name, "records in "+k.dataset
		w = w.any(k.a, "source.ip", "client.ip").not("event.category", "authentication").not("event.kind", "alert")
		f.Entities.Sources = []string{k.a}
	case rateDenied:
		f.Title, f.Rule.ID, who, what = "Far more refused connections than usual", "rates.denied", "log "+k.dataset, "refused connections"
		if k.a != "" {
			who += " of " + name
		}
		w = w.is("host.name", k.a).has("event.type", "denied")
		f.Entities.Hosts = nonEmpty(k.a)
	case rateServerError:
		f.Title, f.Rule.ID, who, what = "Far more errors of a web server than usual", "rates.server-errors", "log "+k.dataset, "answers 5xx"
		if k.a != "" {
			who += " of " + name
		}
		w = append(w.is("host.name", k.a), `"http.response.status_code":>=500`)
		f.Entities.Hosts = nonEmpty(k.a)
	case rateClientError:
		f.Title, f.Rule.ID, who, what = "Far more refused requests of a source than usual", "rates.client-errors", "source "+name, "answers 4xx"
		w = append(w.any(k.a, "source.ip", "client.ip"), `"http.response.status_code":>=400`)
		f.Entities.Sources = []string{k.a}
	case rateFiles:
		f.Title, f.Rule.ID, who, what = "An account deals with far more files than usual", "rates.files", "account "+name, "records of files in "+k.dataset
		w = w.has("event.category", "file").any(k.a, "user.name", "user.target.name")
		f.Entities.Users = []string{k.a}
		f.Techniques, f.Tactics = []string{"T1005", "T1039"}, []string{"collection"}
	}
	f.Explanation = fmt.Sprintf("%s: %s %s %s, %s%s.", who, prose.Number(b.count), what, span(b.first, b.last), b.usual.text(), b.with(&f.Entities))
	f.Query = w.String()
	return f
}

// fewer tells of a drop.
func (b *hit) fewer() Finding {
	k := b.key
	f := Finding{
		Title: "A log has far fewer records than usual", Level: "informational", First: b.first, Last: b.last, Count: b.count, Surprise: b.bits,
		Rule:     Rule{ID: "rates.drop", Name: "Rate far below its baseline", FalsePositives: []string{"A holiday", "Maintenance", "A change of what is logged"}},
		Datasets: nonEmpty(k.dataset),
	}
	who, what := "log "+k.dataset, prose.Count(b.count, "record")
	w := where{}.between(b.first, b.last).is("event.dataset", k.dataset)
	if k.kind == rateAction {
		f.Title = "An action is far less frequent than usual in a log that goes on"
		f.Techniques, f.Tactics = []string{"T1562"}, []string{"defense-evasion"}
		what += " of " + clip(k.a, 100)
		if k.more != "" {
			what += " (" + k.more + ")"
		}
		if b.count > 0 {
			w = w.any(k.a, "event.action", "event.code").is("event.outcome", k.more)
		}
	} else {
		f.Entities.Hosts = nonEmpty(k.a)
		w = w.is("host.name", k.a)
		if k.a != "" {
			who += " of " + clip(k.a, 100)
		}
	}
	f.Explanation = fmt.Sprintf("%s: %s %s, %s%s.", who, what, span(b.first, b.last), b.usual.text(), b.with(&f.Entities))
	f.Query = w.String()
	return f
}

// together puts hits that tell the same into one. What has the greatest excess gathers all that happens at the same time in the same log, if it is
// not far less, and what is of the same source, account or host in whatever log. Of these is told what names most narrowly who is
// concerned and still explains most of it; the others stand beside it.
func together(all []*hit) (out []*hit) {
	slices.SortStableFunc(all, func(a, b *hit) int {
		return cmp.Or(cmp.Compare(b.excess(), a.excess()), cmp.Compare(b.narrow(), a.narrow()), cmp.Compare(b.bits, a.bits), cmp.Compare(a.first, b.first),
			strings.Compare(a.key.dataset, b.key.dataset), strings.Compare(a.key.a, b.key.a), strings.Compare(a.key.more, b.key.more), cmp.Compare(a.key.kind, b.key.kind))
	})
	type day struct {
		day  int32
		drop bool
	}
	byDay := map[day][]*hit{} // by each day that it touches
	begun := map[day]int{}
	all = slices.DeleteFunc(all, func(h *hit) bool {
		k := day{dayOf(h.first), h.drop}
		begun[k]++
		return begun[k] > maxHits
	})
	for _, h := range all {
		for d := dayOf(h.first); d <= dayOf(h.last); d++ {
			k := day{d, h.drop}
			byDay[k] = append(byDay[k], h)
		}
	}
	done := map[*hit]bool{}
	near := func(h *hit, fn func(o *hit) bool) (some []*hit) {
		for d := dayOf(h.first); d <= dayOf(h.last); d++ {
			for _, o := range byDay[day{d, h.drop}] {
				if !done[o] && h.during(o) && fn(o) {
					done[o] = true
					some = append(some, o)
				}
			}
		}
		return some
	}
	for _, root := range all {
		if done[root] {
			continue
		}
		done[root] = true
		members := append([]*hit{root}, near(root, func(o *hit) bool {
			if root.narrow() == 0 && o.narrow() == 0 && o.excess() >= root.excess()/2 {
				return true // two sensors see it
			}
			return root.same(o) || root.key.dataset == o.key.dataset && o.excess() >= partOf*root.excess() && (root.drop || root.narrow() != o.narrow())
		})...)
		for _, m := range members { // and these by other logs, with what of these they explain
			for _, o := range near(m, m.same) {
				members = append(append(members, o), near(o, func(wide *hit) bool {
					return wide.key.dataset == o.key.dataset && wide.narrow() != o.narrow() && o.excess() >= explains*wide.excess() && wide.excess() >= partOf*o.excess()
				})...)
			}
		}
		slices.SortStableFunc(members, func(a, b *hit) int {
			return cmp.Or(cmp.Compare(most(b, root), most(a, root)), cmp.Compare(b.narrow(), a.narrow()), cmp.Compare(b.excess(), a.excess()))
		})
		members[0].also = members[1:]
		out = append(out, members[0])
	}
	return out
}

const (
	maxHits  = 500 // that begin on a day: the greatest
	partOf   = 0.1 // of the greatest excess, to belong to it
	explains = 0.6 // to be what explains it
)

// most is 1 if a hit explains most of another.
func most(h, root *hit) int {
	if h.excess() >= explains*root.excess() {
		return 1
	}
	return 0
}

// same reports whether two hits are of the same source, account or host.
func (b *hit) same(o *hit) bool {
	return b.key.a != "" && b.key.a == o.key.a && b.key.kind != rateAction && o.key.kind != rateAction && b.narrow() == o.narrow()
}

// during reports whether two hits have half of the shorter one's time in common.
func (b *hit) during(o *hit) bool {
	both := min(b.last, o.last) - max(b.first, o.first)
	return both >= 0 && 2*both >= min(b.last-b.first, o.last-o.first)
}

// narrow is how narrowly a hit names who is concerned.
func (b *hit) narrow() int {
	switch b.key.kind {
	case rateFailedFrom, rateFrom, rateClientError:
		return 4
	case rateFailedUser, rateLoginUser, rateFiles:
		return 3
	case rateAction:
		if b.drop { // that one action is missing says more than that its log has less
			return 3
		}
		return 1
	}
	if b.key.a != "" {
		return 2
	}
	return 0
}

// level is that of the finding.
func (b *hit) level() string {
	switch b.key.kind {
	case rateFailedUser, rateFailedHost, rateFiles:
	case rateFailedFrom:
		if outside(b.key.a) { // the internet guesses all day
			return Levels[0]
		}
	default:
		return Levels[0]
	}
	if b.excess() < rateLeast {
		return Levels[0]
	}
	return "low"
}

// noun is what a hit counts, if it is not simply records.
func (b *hit) noun() string {
	switch b.key.kind {
	case rateFailedUser, rateFailedFrom, rateFailedHost:
		return " failed logins"
	case rateLoginUser:
		return " logins"
	case rateDenied:
		return " refused"
	case rateServerError:
		return " answers 5xx"
	case rateClientError:
		return " answers 4xx"
	case rateFiles:
		return " of files"
	}
	return ""
}

// with names what else tells of the same, and adds it to the entities.
func (b *hit) with(e *Entities) string {
	const most = 3
	var texts []string
	seen := map[string]bool{}
	for _, o := range b.also {
		if o.same(b) && o.key.dataset == b.key.dataset {
			continue // by another measure
		}
		who := ""
		name := clip(o.key.a, 100)
		switch narrow := o.narrow(); {
		case o.key.kind == rateAction:
			who = "action " + name
		case narrow == 4:
			e.Sources, who = append(e.Sources, o.key.a), "source "+name
		case narrow == 3:
			e.Users, who = append(e.Users, o.key.a), "account "+name
		case narrow == 2:
			e.Hosts, who = append(e.Hosts, o.key.a), "host "+name
		}
		switch {
		case who == "":
			who = "log " + o.key.dataset
		case o.key.dataset != b.key.dataset:
			who += " in log " + o.key.dataset
		}
		if !seen[who] {
			seen[who] = true
			texts = append(texts, fmt.Sprintf("%s (%s%s)", who, prose.Number(o.count), o.noun()))
		}
	}
	if len(texts) == 0 {
		return ""
	}
	s := "; also "
	if b.drop {
		s += "below their usual then: "
	} else {
		s += "above their usual then: "
	}
	s += strings.Join(texts[:min(most, len(texts))], ", ")
	if n := len(texts) - most; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
