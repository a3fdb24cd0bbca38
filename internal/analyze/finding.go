// Package analyze holds what analysis produces, findings, and the techniques
// that produce them. A technique is one file of this package.
package analyze

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Severity levels are Sigma's, lowest first (Sigma specification, "level").
var Levels = []string{"informational", "low", "medium", "high", "critical"}

// LevelRank is the place of a level in Levels, 0 for an unknown one.
func LevelRank(level string) int {
	for i, l := range Levels {
		if l == level {
			return i
		}
	}
	return 0
}

// Finding is one thing worth a person's attention: what a rule or a technique
// saw of the same entities within a stretch of time. Lists are sorted and hold
// no value twice. The JSON form is part of the output contract.
type Finding struct {
	ID          string `json:"id"`   // stable: a hash of rule, entities and first evidence
	Kind        string `json:"kind"` // "sigma", "correlation", or the technique's name
	Rule        Rule   `json:"rule"`
	Title       string `json:"title"`       // what happened, without names
	Level       string `json:"level"`       // one of Levels
	Explanation string `json:"explanation"` // one sentence with numbers: why this is a finding

	Surprise float64 `json:"surprise,omitempty"` // of techniques: bits, -log2 of how likely it was by chance
	Query    string  `json:"query,omitempty"`    // of techniques: LogsQL that selects the records it rests on

	First int64 `json:"-"` // ns since the epoch of the first and last evidence; event.NoTime if unknown
	Last  int64 `json:"-"`
	Count int   `json:"count"` // events it rests on; Evidence holds at most MaxEvidence of them

	Techniques []string `json:"techniques"` // ATT&CK technique ids, "T1110.001"
	Tactics    []string `json:"tactics"`    // ATT&CK tactics as Sigma tags spell them, "credential-access"
	Outcomes   []string `json:"outcomes"`   // event.outcome values of the evidence
	Datasets   []string `json:"datasets"`   // event.dataset values of the evidence
	Entities   Entities `json:"entities"`

	Evidence []Evidence `json:"evidence"` // in time order; the first and the last are always there
}

// stableID is an id that is the same in every run: a hash of what makes the finding this one.
func stableID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// cover has the finding's span of time be that of its evidence. NoTime is below every other time.
func (f *Finding) cover() {
	for _, e := range f.Evidence {
		if e.Time != event.NoTime {
			if f.First == event.NoTime || e.Time < f.First {
				f.First = e.Time
			}
			f.Last = max(f.Last, e.Time)
		}
	}
}

// MaxEvidence is how many records a finding cites by id.
const MaxEvidence = 100

// SilentSender is the id of the rule of senders to a live case that have stopped.
const SilentSender = "silence.sender"

// Rule is where a finding comes from.
type Rule struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	File           string   `json:"file,omitempty"`
	FalsePositives []string `json:"false_positives,omitempty"`
	References     []string `json:"references,omitempty"`
}

// Entities are who and what a finding is about; each list holds at most
// MaxEntities values.
type Entities struct {
	Users        []string `json:"users,omitempty"`        // user.name and its .target, .effective, .changes
	Sources      []string `json:"source_ips,omitempty"`   // source.ip
	Destinations []string `json:"destinations,omitempty"` // destination.ip
	Hosts        []string `json:"hosts,omitempty"`        // host.name
	Processes    []string `json:"processes,omitempty"`    // process.name or .executable
	Files        []string `json:"files,omitempty"`        // file.path
	URLs         []string `json:"urls,omitempty"`         // url.original
}

// MaxEntities bounds each list of Entities.
const MaxEntities = 50

// Evidence is one record that a finding rests on.
type Evidence struct {
	ID      string `json:"event.id"`
	Time    int64  `json:"-"`       // ns; event.NoTime if unknown
	Message string `json:"message"` // at most 500 bytes of the record, for reading; not escaped
	Path    string `json:"log.file.path"`
	Offset  int64  `json:"log.offset"`
	Outcome string `json:"event.outcome,omitempty"`
}

// Querier answers LogsQL over the case's store.
type Querier interface {
	// Query must call fn with each row of the answer, in the order the query
	// defines, from one goroutine. Row fields are valid during the call only.
	Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error
}

// A Technique looks at every event once and may query the store at the end.
// What it costs per event is paid in Digest, on all cores; Merge puts the
// digests together in source order, so that the result does not depend on the
// number of threads.
type Technique interface {
	// Name must be a stable word, as in Finding.Kind.
	Name() string

	// About must say in a few words what the technique finds: a heading.
	About() string

	// Needs are the ECS fields of which an event must have one to mean anything
	// to the technique; none means that it looks at every event. It is for the
	// documentation and for saying which techniques had nothing to work on.
	Needs() []string

	// Digest must reduce a batch, a stretch of the source shown as path, to
	// what the technique keeps of it, or nil for nothing. It is called from many
	// goroutines at once and so must not touch the technique's state. What it returns
	// must not hold the events' Fields, and must clone what strings it keeps.
	Digest(path string, b *event.Batch) any

	// Merge must take a digest into the technique's state, in bounded memory.
	// It is called from one goroutine, in source order.
	Merge(digest any)

	// Findings must give the same findings in the same order for the same
	// events, however they were cut into batches. One that has a Query and no
	// Evidence gets it from the store if the noise budget lets it through; IDs
	// that are empty are made then, too.
	Findings(ctx context.Context, q Querier) ([]Finding, error)
}

// techniques makes a fresh one of each kind; a file of this package that holds
// one registers it.
var techniques []func() Technique

func register(t func() Technique) bool {
	techniques = append(techniques, t)
	return true
}

// Techniques returns a fresh one of each kind, in the order of their names.
func Techniques() []Technique {
	var ts []Technique
	for _, t := range techniques {
		ts = append(ts, t())
	}
	slices.SortFunc(ts, func(a, b Technique) int { return strings.Compare(a.Name(), b.Name()) })
	return ts
}
