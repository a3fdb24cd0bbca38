package analyze

import "github.com/sextant-logs/sextant/internal/event"

// Ordered is a Technique that looks at events in source order. They have the
// ids of their templates, log.pattern.id, only then: not in Digest.
type Ordered interface {
	Technique

	// Observe must take a stretch of a source into the technique's state, in
	// bounded memory and quickly: no other core does it meanwhile. It must clone
	// what it keeps.
	Observe(path string, b *event.Batch)
}

// Patterned is a Technique that wants to know the templates of messages.
type Patterned interface {
	Technique

	// SetTemplates is called once, before Findings.
	SetTemplates(t Templates)
}

// Templates returns for a log.pattern.id the id of the template that it belongs
// to now, and the template's text, "" if it is not known.
type Templates func(id string) (now, text string)

// Observe shows a stretch of a source, in source order, to the techniques that
// look at it so.
func (s *Set) Observe(path string, b *event.Batch) {
	for _, t := range s.techniques {
		if t, ok := t.(Ordered); ok {
			t.Observe(path, b)
		}
	}
}

// SetTemplates tells the techniques that want to know the templates of messages.
func (s *Set) SetTemplates(t Templates) {
	for _, p := range s.techniques {
		if p, ok := p.(Patterned); ok {
			p.SetTemplates(t)
		}
	}
}

// seen is the digest of techniques that look at events in another way.
type seen struct{}

func digestSeen(b *event.Batch) any {
	if len(b.Events) == 0 {
		return nil
	}
	return seen{}
}
