package detect

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/sigma"
)

// Hit is one rule that matched one event of a batch.
type Hit struct {
	Event int // index in the batch
	sigma.Match
	Told *sigma.Rule // the rule as it is for this event: another level, if the tuning says so
}

// Matcher matches events against the rules; one per goroutine.
type Matcher struct {
	d       *Detector
	m       *sigma.Matcher
	fields  event.ByName[fieldUse]
	route   []string
	used    [256]fieldUse // what the first fields of the event at hand are wanted for
	matches []sigma.Match
	seen    map[sigma.SourceID]bool
	last    []sigma.SourceID // the sources of the event before, to spare the map

	skimmed []skimmed // of the batch being decoded; events in order
	early   []sigma.Match
}

// skimmed says that an event was matched before it was complete.
type skimmed struct {
	event    int
	from, to int // its matches in Matcher.early
}

// NewMatcher returns a matcher for one goroutine.
func (d *Detector) NewMatcher() *Matcher {
	m := &Matcher{d: d, m: d.engine.NewMatcher(), route: make([]string, d.routes), seen: map[sigma.SourceID]bool{}}
	for name, use := range d.fields {
		m.fields.Put(name, use)
	}
	return m
}

// Match appends the rules that match event e, which is number i of its batch.
func (m *Matcher) Match(e *event.Event, i int, hits []Hit) []Hit {
	if m.ignores(e) {
		return hits
	}
	sources := m.routeOf(e, "")
	if len(sources) == 0 {
		return hits
	}
	m.matches = m.match(e, sources, isRendering(e.Raw), m.matches[:0])
	return m.keep(e, i, m.matches, hits)
}

// Skim is for format.Params.Skim: it matches the event being decoded by its record's own fields, if these are all that rules for its log
// read, and reports whether the event must be completed: for such rules, or since it matched. MatchBatch must come next.
func (m *Matcher) Skim(b *event.Batch, category string) bool {
	e, i := b.Event(), len(b.Events)-1
	if m.ignores(e) {
		m.skimmed = append(m.skimmed, skimmed{event: i})
		return false
	}
	sources := m.routeOf(e, category)
	for _, s := range sources {
		if !m.d.bare[s] {
			return true
		}
	}
	from := len(m.early)
	if len(sources) > 0 {
		m.early = m.match(e, sources, true, m.early)
	}
	m.skimmed = append(m.skimmed, skimmed{i, from, len(m.early)})
	return len(m.early) > from
}

// MatchBatch appends the rules that match the events of a batch, in their order.
func (m *Matcher) MatchBatch(b *event.Batch, hits []Hit) []Hit {
	next := 0
	for i := range b.Events {
		if next < len(m.skimmed) && m.skimmed[next].event == i {
			s := m.skimmed[next]
			hits = m.keep(&b.Events[i], i, m.early[s.from:s.to], hits)
			next++
			continue
		}
		hits = m.Match(&b.Events[i], i, hits)
	}
	m.skimmed, m.early = m.skimmed[:0], m.early[:0]
	return hits
}

// ignores reports whether the event is outside the time that is of interest.
func (m *Matcher) ignores(e *event.Event) bool {
	return e.Time != event.NoTime && (m.d.since != 0 && e.Time < m.d.since || m.d.until != 0 && e.Time > m.d.until)
}

// routeOf finds out of which logs an event is, and what its first fields are used for. category stands in for an event.category that
// it has not got yet.
func (m *Matcher) routeOf(e *event.Event, category string) []sigma.SourceID {
	clear(m.route)
	if m.d.category >= 0 {
		m.route[m.d.category] = category
	}
	for j := range min(len(e.Fields), len(m.used)) {
		use := m.use(e.Fields[j].Name)
		m.used[j] = use
		if use.route >= 0 && m.route[use.route] == "" {
			m.route[use.route] = e.Fields[j].Value
		}
	}
	return m.m.Route(m.route...)
}

func (m *Matcher) use(name string) fieldUse {
	if use, ok := m.fields.Get(name); ok {
		return use
	}
	use := m.d.useOf(name, fieldUse{slot: sigma.NoSlot, route: -1})
	if m.fields.Len() < maxNames {
		m.fields.Put(strings.Clone(name), use)
	}
	return use
}

// setMember gives a field to those that hold it.
func (m *Matcher) setMember(h *holders, f *event.Field) {
	for k, slot := range h.slots {
		if m.m.Wants(slot) {
			m.m.SetMade(slot, sigma.Member(f.Name[h.prefix[k]:], f.Value, f.Kind == event.String))
		}
	}
}

// maxNames bounds the names that a matcher remembers besides those of the rules.
const maxNames = 1 << 14

// match matches a routed event. If its raw text is a rendering, keywords are looked for in the record's own fields alone: the text has nothing
// more than their names, and hides what XML must escape.
func (m *Matcher) match(e *event.Event, sources []sigma.SourceID, rendered bool, dst []sigma.Match) []sigma.Match {
	m.remember(sources)
	m.m.Reset(sources)
	text := m.m.WantsText()
	for j := range e.Fields {
		f := &e.Fields[j]
		var use fieldUse
		if j < len(m.used) {
			use = m.used[j]
		} else {
			use = m.use(f.Name)
		}
		if use.held != nil {
			m.setMember(use.held, f)
		}
		switch {
		case text && (use.ours || rendered && !ofRecord(f.Name)):
			m.m.SetMade(use.slot, f.Value)
		case use.slot == sigma.NoSlot:
			if text {
				m.m.AddText(f.Value)
			}
		case f.Kind == event.JSON && f.Value == "null":
			m.m.SetNull(use.slot)
		default:
			m.m.Set(use.slot, f.Value)
		}
	}
	if text && !rendered {
		m.m.SetMessage(e.Raw)
	}
	return m.m.Match(dst)
}

// keep makes hits of matches, but for those that the tuning silences.
func (m *Matcher) keep(e *event.Event, i int, matches []sigma.Match, hits []Hit) []Hit {
	for _, match := range matches {
		match.Silent = match.Silent || m.d.quiet[match.Rule]
		if m.d.tuning.silences(match.Rule, e) {
			continue
		}
		hits = append(hits, Hit{i, match, m.d.tuning.told(match.Rule, e)})
	}
	return hits
}

func (m *Matcher) remember(sources []sigma.SourceID) {
	if len(m.last) == len(sources) && &m.last[0] == &sources[0] {
		return
	}
	m.last = sources
	for _, s := range sources {
		m.seen[s] = true
	}
}

// isOurs reports whether a field says in words of ours or of ECS what the record says in its own, which rules that look for keywords mean: a record of level
// "informational" is not about a format.
func isOurs(field string) bool {
	group, rest, _ := strings.Cut(field, ".")
	switch group {
	case "event":
		return rest != "original" && rest != "reason" && rest != "code" && rest != "id"
	case "network":
		return rest != "application" && rest != "name" && !strings.HasPrefix(rest, "vlan")
	case "log":
		return rest == "level" || strings.HasPrefix(rest, "syslog.") || strings.HasPrefix(rest, "file.")
	case "host":
		return strings.HasPrefix(rest, "os.")
	case "related", "ecs", "observer", "data_stream":
		return true
	}
	return field == "service.type" || field == "cloud.provider"
}

// isRendering reports whether an event's raw text was made of its fields, as that of a record of a Windows event log is.
func isRendering(raw string) bool { return strings.HasPrefix(raw, "<Event xmlns=") }

// ofRecord reports whether a field of a Windows event is its record's own, and not made of others (see format.Params.Skim).
func ofRecord(field string) bool {
	rest, ok := strings.CutPrefix(field, "winlog.")
	if !ok {
		return field == "log.level" || field == "event.dataset" || field == "event.code" || field == "event.provider" || field == "host.name"
	}
	if data, ok := strings.CutPrefix(rest, "event_data."); ok {
		switch data { // what Elastic's integrations add there
		case "AccessListDescription", "AuditPolicyChangesDescription", "StatusDescription", "TicketEncryptionTypeDescription",
			"TicketOptionsDescription", "LayerNameDescription", "NewUACList":
			return false
		}
		return true
	}
	if strings.HasPrefix(rest, "user_data.") || strings.HasPrefix(rest, "user.") || strings.HasPrefix(rest, "process.") {
		return true
	}
	switch rest {
	case "event_id", "channel", "provider_name", "provider_guid", "computer_name", "record_id", "level", "version", "opcode", "task",
		"keywords", "activity_id", "related_activity_id":
		return true
	}
	return false
}
