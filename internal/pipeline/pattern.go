package pipeline

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"sync"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/patterns"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
)

// Each event gets the id of its message's template. What can be done on all
// cores is done there: messages are masked, and of those alike one is kept.
// The miner, which depends on the order in which it sees them, then looks at a few
// for each chunk.

// masked is the different masked messages of a batch.
type masked struct {
	text  []byte  // of one after the other
	ends  []int   // where each ends in text
	event []int32 // by event, which it is
}

func (k *masked) at(i int32) []byte {
	if i == 0 {
		return k.text[:k.ends[0]]
	}
	return k.text[k.ends[i-1]:k.ends[i]]
}

// masker fills masked. Each goroutine has one.
type masker struct {
	k    *masked
	seen map[uint64]int32 // hash of a masked message to its place
	seed maphash.Seed
	buf  []byte
}

func newMasker() *masker { return &masker{seen: map[uint64]int32{}, seed: maphash.MakeSeed()} }

func (m *masker) begin(k *masked) {
	clear(m.seen)
	m.k = k
	k.text, k.ends, k.event = k.text[:0], k.ends[:0], k.event[:0]
}

// add masks the message of the event being built, and leaves room in the event
// for the id.
func (m *masker) add(b *event.Batch) {
	m.buf = patterns.AppendMasked(m.buf[:0], b.Event())
	sum := maphash.Bytes(m.seed, m.buf)
	i, ok := m.seen[sum]
	if !ok || !bytes.Equal(m.k.at(i), m.buf) {
		i = int32(len(m.k.ends))
		m.k.text = append(m.k.text, m.buf...)
		m.k.ends = append(m.k.ends, len(m.k.text))
		m.seen[sum] = i
	}
	m.k.event = append(m.k.event, i)
	b.AddKind(patterns.Field, "", event.String)
}

// mining is the miner of a case at work. All may be called from any goroutine; what
// ids are given depends on the order of the calls of name alone.
type mining struct {
	dir string

	mu     sync.Mutex // guards what follows
	miner  *logpattern.Miner
	saved  int // what the miner knew when it was saved last
	ids    []string
	others map[string][]string // for each id those of the same template
	known  int                 // what the miner knew when others was made
}

// openMining takes up the miner where the case left it. A case without a whole
// source has no ids that must be kept.
func openMining(dir string, ledger *store.Ledger) (*mining, error) {
	p := &mining{dir: dir, miner: logpattern.New()}
	if len(ledger.Sources()) == 0 {
		return p, nil
	}
	var err error
	if p.miner, err = patterns.Load(dir); err != nil {
		return nil, err
	}
	p.saved = p.miner.Len()
	return p, nil
}

// name gives the events of a batch the ids of their templates.
func (p *mining) name(b *event.Batch, k *masked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = p.ids[:0]
	for i := range k.ends {
		p.ids = append(p.ids, p.miner.ID(p.miner.AddMasked(k.at(int32(i)), 0)))
	}
	for i, kind := range k.event {
		fields := b.Events[i].Fields
		fields[len(fields)-1].Value = p.ids[kind]
	}
}

func (p *mining) save() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.saved == p.miner.Len() {
		return nil
	}
	p.saved = p.miner.Len()
	return patterns.Save(p.dir, p.miner)
}

// templates tells what ids stand for now that all messages are known.
func (p *mining) templates() analyze.Templates {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.miner.Resolve()
	texts := map[string]string{}
	for _, t := range p.miner.Templates() {
		texts[t.ID] = t.Text
	}
	return func(id string) (string, string) {
		id = cmp.Or(now[id], id)
		return id, texts[id]
	}
}

// state returns the miner's state, as patterns.Save writes it into a case.
func (p *mining) state() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	_, err := p.miner.WriteTo(&b)
	return b.Bytes(), err
}

// synonyms are those of the ids as they are at the time of a query.
func (p *mining) synonyms(id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != p.miner.Len() {
		p.known, p.others = p.miner.Len(), patterns.Aliases(p.miner)
	}
	return p.others[id]
}

// turns lets those who work on numbered tasks do a part of it in the order of the
// numbers, which begin with 0. Each task must have its turn.
type turns struct {
	mu   sync.Mutex
	next int64
	come sync.Cond
}

func newTurns() *turns {
	t := &turns{}
	t.come.L = &t.mu
	return t
}

// do calls fn, which may be nil, when it is the turn of a task.
func (t *turns) do(task int64, fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.next != task {
		t.come.Wait()
	}
	if fn != nil {
		fn()
	}
	t.next++
	t.come.Broadcast()
}
