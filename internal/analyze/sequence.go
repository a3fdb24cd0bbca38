package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/prose"
)

// sequences finds messages that came where another is the rule. It learns, as
// records come, which kind of message follows which within a stream: the
// records of a process where the log names it, else those of a host and
// dataset, but for those that clients cause. What is known so far decides; the beginning of a log surprises nobody.
// How much a surprise counts is told by how far the order explains the log (learn.Blend).
type sequences struct {
	model     *learn.Sequence
	symbols   map[string]int32
	names     []string // by symbol: log.pattern.id, "" where a process begins
	times     []int    // by symbol, how often it came
	streams   map[string]*seqStream
	datasets  map[string]*seqDataset
	surprises map[seqPlace]*seqSurprise
	least     float64 // bits, of the least of the surprises once there are too many
	templates Templates
}

// seqStream is what came last in a stream.
type seqStream struct {
	history [2]int32 // the older first
	known   int8
	begins  bool    // it has a beginning: a process, or what is named alike
	rarity  float32 // bits, of the kind that came last when it began to
	excess  float32 // see Surprise
}

// seqDataset is what was learnt of a dataset.
type seqDataset struct {
	name  string
	steps int
	cost  float64 // bits that its messages took by their order
	blend learn.Blend
}

// seqPlace is a transition.
type seqPlace struct{ older, newer, next int32 }

// seqSurprise is a transition that surprised.
type seqSurprise struct {
	seqPlace
	Surprise // at the first time
	expected learn.Expectation
	dataset  string
	count    int
	evidence []Evidence
	entities Entities
}

const (
	maxSeqSymbols   = 100_000 // kinds of messages
	maxSeqStreams   = 50_000  // then all are forgotten, and begin anew
	maxSeqSurprises = 2_000
	seqWarm         = 1000 // records of a dataset from which on surprise counts
	seqBits         = 10   // of surprise
	seqSeen         = 50   // times that what came before was seen
	seqRule         = 0.95 // share of them in which the same followed
	seqOften        = 5    // times; a surprise that comes more often is another rule
	shownSequences  = 20
)

var _ = register(newSequences)

func newSequences() Technique {
	return &sequences{model: learn.NewSequence(2), symbols: map[string]int32{}, streams: map[string]*seqStream{},
		datasets: map[string]*seqDataset{}, surprises: map[seqPlace]*seqSurprise{}}
}

// Name implements Technique.
func (*sequences) Name() string { return "sequences" }

// About implements Technique.
func (*sequences) About() string { return "Messages that came where others are the rule" }

// Needs implements Technique.
func (*sequences) Needs() []string { return []string{"log.pattern.id"} }

// Digest implements Technique: order matters here, see Observe.
func (*sequences) Digest(_ string, b *event.Batch) any { return digestSeen(b) }

// Merge implements Technique.
func (*sequences) Merge(any) {}

// SetTemplates implements Patterned.
func (s *sequences) SetTemplates(t Templates) { s.templates = t }

// Observe implements Ordered.
func (s *sequences) Observe(path string, b *event.Batch) { s.observe(path, b, nil) }

// Surprise is how surprising a message was when it came, in bits.
type Surprise struct {
	Bits   float64 // that count: those of its order where that explains the log, else of its rarity
	Order  float64 // of its kind after the two kinds before it in its stream
	Rarity float64 // of its kind in its dataset; of a run of one kind, when it began, since such a burst is one thing that happened
	Excess float64 // of a stream that has a beginning: how much more than usual its messages took up to this one, never less than nothing (CUSUM; Page, Continuous Inspection Schemes, Biometrika 41, 1954)
	Begins bool    // the stream is one that has a beginning
}

// Surprises lets the technique named sequences observe a batch, in source order as
// Observe does, and calls fn with the surprise of each event that is a message of a stream.
func Surprises(t Technique, path string, b *event.Batch, fn func(i int, s Surprise)) {
	if s, ok := t.(*sequences); ok {
		s.observe(path, b, fn)
	}
}

func (s *sequences) observe(path string, b *event.Batch, tell func(int, Surprise)) {
	var key []byte
	for i := range b.Events {
		e := &b.Events[i]
		var pattern, dataset, host, process, pid, client string
		for j := range e.Fields {
			switch f := &e.Fields[j]; f.Name {
			case "log.pattern.id":
				pattern = f.Value
			case "event.dataset":
				dataset = cmp.Or(dataset, f.Value)
			case "host.name":
				host = f.Value
			case "process.name":
				process = f.Value
			case "process.pid":
				pid = f.Value
			case "source.ip":
				client = f.Value
			}
		}
		if pattern == "" || pid == "" && client != "" {
			continue // what clients ask for has no order
		}
		key = append(append(append(append(key[:0], host...), 0), dataset...), 0)
		if pid != "" {
			key = append(append(append(key, process...), 0), pid...)
		}
		stream := s.streams[string(key)]
		if stream == nil {
			if len(s.streams) >= maxSeqStreams {
				clear(s.streams)
			}
			stream = &seqStream{begins: pid != ""}
			if pid != "" {
				stream.push(s.symbol("\x00" + process))
			}
			s.streams[string(key)] = stream
		}
		next := s.symbol(pattern)
		if next < 0 {
			continue
		}
		x := s.step(path, e, dataset, stream, next)
		stream.push(next)
		if tell != nil {
			tell(i, x)
		}
	}
}

func (t *seqStream) push(symbol int32) {
	if symbol < 0 {
		return
	}
	t.history[0], t.history[1] = t.history[1], symbol
	t.known = min(t.known+1, int8(len(t.history)))
}

// symbol returns the number of a name, -1 if there are too many.
func (s *sequences) symbol(name string) int32 {
	n, ok := s.symbols[name]
	if !ok {
		if len(s.names) >= maxSeqSymbols {
			return -1
		}
		n = int32(len(s.names))
		name = strings.Clone(name)
		s.symbols[name] = n
		s.names = append(s.names, name)
		s.times = append(s.times, 0)
	}
	return n
}

// dataset returns what is known of a dataset; of too many, the rest count as one.
func (s *sequences) dataset(name string) *seqDataset {
	d := s.datasets[name]
	if d == nil {
		if len(s.datasets) >= maxSeqSymbols {
			name = ""
			if d = s.datasets[name]; d != nil {
				return d
			}
		}
		d = &seqDataset{name: strings.Clone(name)}
		s.datasets[d.name] = d
	}
	return d
}

// step learns that next came, and notes it if that is a surprise.
func (s *sequences) step(path string, e *event.Event, dataset string, stream *seqStream, next int32) Surprise {
	d := s.dataset(dataset)
	history := stream.history[len(stream.history)-int(stream.known):]
	place := seqPlace{stream.history[0], stream.history[1], next}
	expected, sure := s.model.Expect(history, seqSeen)
	repeat := stream.known > 0 && stream.history[1] == next
	rarity := learn.Rarity(s.times[next], d.steps)
	if repeat {
		rarity = max(rarity, float64(stream.rarity))
	}
	stream.rarity = float32(rarity)
	now := Surprise{Order: s.model.Step(history, next), Rarity: rarity, Begins: stream.begins}
	now.Bits = d.blend.Bits(now.Order, now.Rarity)
	warm := d.steps >= seqWarm
	s.times[next]++
	d.steps++
	d.cost += now.Order
	if stream.begins {
		stream.excess = max(0, stream.excess+float32(now.Order-d.cost/float64(d.steps)))
		now.Excess = float64(stream.excess)
	}
	if stream.known == 0 {
		return now
	}
	if !repeat {
		d.blend.Learn(now.Order, now.Rarity)
	}
	if !warm {
		return now
	}
	x := s.surprises[place]
	if x == nil {
		if !sure || expected.Next == next || now.Bits < seqBits || float64(expected.Times) < seqRule*float64(expected.Of) {
			return now
		}
		if len(s.surprises) >= maxSeqSurprises && !s.drop(now.Bits) {
			return now
		}
		x = &seqSurprise{seqPlace: place, Surprise: now, expected: expected, dataset: strings.Clone(dataset)}
		s.surprises[place] = x
	}
	x.note(path, e)
	return now
}

// drop makes room for a surprise of so many bits, if it is among the greatest.
func (s *sequences) drop(bits float64) bool {
	if bits <= s.least {
		return false
	}
	all := make([]*seqSurprise, 0, len(s.surprises))
	for _, x := range s.surprises {
		all = append(all, x)
	}
	slices.SortFunc(all, seqOrder)
	for _, x := range all[len(all)/2:] {
		delete(s.surprises, x.seqPlace)
	}
	s.least = all[len(all)/2].Bits
	return bits > s.least
}

// seqOrder has the greatest surprise first.
func seqOrder(a, b *seqSurprise) int {
	return cmp.Or(cmp.Compare(b.Bits, a.Bits), cmp.Compare(a.next, b.next), cmp.Compare(a.newer, b.newer), cmp.Compare(a.older, b.older))
}

// note takes a record as evidence of the surprise.
func (x *seqSurprise) note(path string, e *event.Event) {
	x.count++
	if x.count > seqOften {
		return
	}
	message := e.Message()
	x.evidence = append(x.evidence, Evidence{ID: strings.Clone(e.ID), Time: e.Time, Message: strings.ToValidUTF8(strings.Clone(message[:min(len(message), 500)]), ""),
		Path: path, Offset: e.Offset, Outcome: strings.Clone(e.Get("event.outcome"))})
	for name, to := range map[string]*[]string{"host.name": &x.entities.Hosts, "user.name": &x.entities.Users, "source.ip": &x.entities.Sources, "process.name": &x.entities.Processes} {
		if v := e.Get(name); v != "" && !slices.Contains(*to, v) {
			*to = append(*to, strings.Clone(v))
			slices.Sort(*to)
		}
	}
}

// Findings implements Technique.
func (s *sequences) Findings(context.Context, Querier) ([]Finding, error) {
	var all []*seqSurprise
	for _, x := range s.surprises {
		timed := slices.ContainsFunc(x.evidence, func(e Evidence) bool { return e.Time != event.NoTime })
		if x.count <= seqOften && timed {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, seqOrder)
	var out []Finding
	for _, x := range all[:min(len(all), shownSequences)] {
		out = append(out, s.finding(x))
	}
	slices.SortFunc(out, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func (s *sequences) text(symbol int32) string {
	name := s.names[symbol]
	if program, begins := strings.CutPrefix(name, "\x00"); begins {
		return "the beginning of " + cmp.Or(program, "a process")
	}
	if s.templates != nil {
		if _, text := s.templates(name); text != "" {
			return "“" + shortTemplate(text) + "”"
		}
	}
	return "pattern " + name
}

func (s *sequences) finding(x *seqSurprise) Finding {
	before := s.text(x.newer)
	switch {
	case x.expected.Run > 1 && x.older == x.newer:
		before = "two of " + before
	case x.expected.Run > 1:
		before = s.text(x.older) + " and " + before
	}
	expected := s.text(x.expected.Next)
	if x.expected.Next == x.newer {
		expected = "another of these" // it is shown once
	}
	next := s.text(x.next)
	f := Finding{
		Surprise: x.Bits, Title: "A message that came where another is the rule", Level: "informational",
		Rule:  Rule{ID: "sequences", Name: "Surprising sequences of messages", FalsePositives: []string{"Several tasks that write to one log at a time", "A rare but ordinary way for a program to go"}},
		First: event.NoTime, Last: event.NoTime,
		Datasets: nonEmpty(x.dataset), Entities: x.entities, Evidence: x.evidence, Count: x.count,
		Explanation: fmt.Sprintf("After %s, %s had followed %s of %s times; here came %s, %s in all: %.1f bits of surprise (%.1f by its order, %.1f by how rare its kind is).",
			before, expected, prose.Number(int64(x.expected.Times)), prose.Number(int64(x.expected.Of)), next, timesText(int64(x.count)), x.Bits, x.Order, x.Rarity),
	}
	if alarming(next) != "" {
		f.Level = "low"
	}
	f.cover()
	slices.SortFunc(f.Evidence, func(a, b Evidence) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID)) })
	f.ID = stableID("sequences", x.dataset, before, next, strconv.Itoa(x.count), x.evidence[0].ID)
	return f
}
