package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
)

// Verification is the result of holding a case against the evidence that it
// was made of. Its JSON form is the output contract of `sextant verify`.
type Verification struct {
	Sources  []SourceCheck `json:"sources"`
	Problems []string      `json:"problems,omitempty"` // in reading the paths
	Answers  *AnswerCheck  `json:"answers,omitempty"`  // with --answers
	Removal  *RemovalCheck `json:"removal,omitempty"`  // with --deep
	OK       bool          `json:"ok"`                 // nothing is wrong
}

// States of a source. Unchanged and Grown are as they should be.
const (
	SourceUnchanged = "unchanged"
	SourceGrown     = "grown"   // begins with all that was read, and more came since
	SourceChanged   = "changed" // is there, with other content
	SourceMissing   = "missing" // is not under the paths
)

// SourceCheck compares one source of the case's ledger with the evidence.
type SourceCheck struct {
	ID       string   `json:"id"`
	Path     string   `json:"path"`
	SHA256   string   `json:"sha256"`          // as the ledger has it
	Found    string   `json:"found,omitempty"` // SHA-256 of what is there now, where it is another
	State    string   `json:"state"`
	Records  int64    `json:"records"` // in the ledger
	Stored   int64    `json:"stored"`  // in the store
	Problems []string `json:"problems,omitempty"`
}

// AnswerCheck says which of the records that answers cite were found in the
// evidence as they are cited.
type AnswerCheck struct {
	Incidents int             `json:"incidents"`
	Sentences int             `json:"sentences"`
	Cited     int             `json:"cited"`     // different records
	Confirmed int             `json:"confirmed"` // of them, found in the evidence, in the store and in the report, the same in each
	Failed    []FailedCite    `json:"failed"`
	Unproved  []UnprovedClaim `json:"unproved"` // sentences that cite a record that failed
}

// FailedCite is a record that is not as the answers have it.
type FailedCite struct {
	ID   string `json:"event.id"`
	Path string `json:"log.file.path,omitempty"`
	What string `json:"what"`
}

// UnprovedClaim is a sentence that rests on a record that was not confirmed.
type UnprovedClaim struct {
	Incident string   `json:"incident"`
	Text     string   `json:"text"`
	Records  []string `json:"records"`
}

// fail notes what is wrong with a source.
func (c *SourceCheck) fail(format string, args ...any) {
	c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
}

// VerifyOptions say what to hold against what.
type VerifyOptions struct {
	Investigation      // Paths "" for those of the case's report
	Answers       bool // read each cited record from the evidence again
	Deep          int  // records to remove, one at a time, to see that what cites them changes; 0 for none
}

// verification is the work in progress.
type verification struct {
	VerifyOptions
	store  *store.Embedded
	plan   *Plan
	report *report.Investigation
	logs   map[string]*Log // by source id as the case has it
	other  map[string]*Log // likewise, where the content is another now
	out    *Verification
}

// Verify holds a case against its evidence. An error means that it could not
// be done; what is wrong with the case is in the result.
func Verify(ctx context.Context, opt VerifyOptions) (*Verification, error) {
	v := &verification{VerifyOptions: opt, logs: map[string]*Log{}, other: map[string]*Log{}, out: &Verification{OK: true}}
	data, err := os.ReadFile(filepath.Join(opt.Case, "report.json"))
	if err != nil {
		return nil, fmt.Errorf("the case has no report to verify: %w", err)
	}
	v.report = &report.Investigation{}
	if err := json.Unmarshal(data, v.report); err != nil {
		return nil, fmt.Errorf("%s is no report: %w", filepath.Join(opt.Case, "report.json"), err)
	}
	if len(v.Paths) == 0 {
		v.Paths = v.report.Case.Paths
	}
	if v.store, err = store.Open(opt.Case, store.Options{}); err != nil {
		return nil, err
	}
	defer v.store.Close()
	if v.plan, err = NewPlan(ctx, v.Options); err != nil {
		return nil, err
	}
	defer v.plan.Close()
	v.out.Problems = v.plan.Problems
	if err := v.sources(ctx); err != nil {
		return nil, err
	}
	if v.Answers || v.Deep > 0 {
		if err := v.answers(ctx); err != nil {
			return nil, err
		}
	}
	if v.Deep > 0 && v.out.OK {
		if err := v.remove(ctx); err != nil {
			return nil, err
		}
	}
	return v.out, ctx.Err()
}

// sources compares ledger, report, store and evidence.
func (v *verification) sources(ctx context.Context) error {
	stored := map[string]int64{}
	err := store.Group(ctx, v.store, "*", []string{"sextant.source"}, []store.Figure{{Name: "n", Of: "count()"}}, func() { clear(stored) }, func(row []event.Field) error {
		r := columns(row)
		n, err := strconv.ParseInt(r("n"), 10, 64)
		stored[strings.Clone(r("sextant.source"))] = n
		return err
	})
	if err != nil {
		return err
	}
	byPath := map[string]*Log{}
	for _, l := range v.plan.Logs {
		byPath[l.path] = l
		if l.SameAs == nil {
			v.logs[l.ID] = l
		}
	}
	reported := map[string]report.Source{}
	for _, s := range v.report.Sources {
		if s.DuplicateOf == "" {
			reported[s.ID] = s
		}
	}
	for _, r := range v.store.Ledger().Sources() {
		c := SourceCheck{ID: r.ID, Path: r.Path, SHA256: r.SHA256, Records: r.Records, Stored: stored[r.ID], State: SourceMissing}
		if l := v.logs[r.ID]; l != nil && l.Inspection.SHA256 == r.SHA256 && l.Inspection.Size == r.Size {
			c.State = SourceUnchanged
		} else if l = byPath[r.Path]; l != nil {
			c.State, c.Found = SourceChanged, l.Inspection.SHA256
			ids, err := prefixes(ctx, l, []store.Record{r})
			if err != nil {
				return err
			}
			if len(ids) > 0 {
				c.State = SourceGrown
				v.logs[r.ID] = l
			} else {
				v.other[r.ID] = l
				c.fail("its content is not what was investigated: SHA-256 was %s over %d bytes, is %s over %d", r.SHA256, r.Size, l.Inspection.SHA256, l.Inspection.Size)
			}
		} else {
			c.fail("it is not under the paths given")
		}
		if c.Stored != c.Records {
			c.fail("the case holds %d of its %d records", c.Stored, c.Records)
		}
		var books report.Source
		if err := json.Unmarshal(r.Accounting, &books); err != nil {
			c.fail("its books cannot be read: %v", err)
		} else {
			a := books.Accounting
			if a.BytesIn != a.BytesEvents+a.BytesSeparators+a.BytesRefused || a.Records != a.Decoded+a.Undecoded+a.Duplicate || !a.Balanced || a.Records != r.Records {
				c.fail("its books do not balance")
			}
			if books.SHA256 != r.SHA256 || !strings.HasPrefix(r.SHA256, r.ID) {
				c.fail("the ledger contradicts itself on its hash")
			}
		}
		if s, ok := reported[r.ID]; !ok {
			c.fail("the report does not name it")
		} else if s.SHA256 != r.SHA256 || s.Accounting != books.Accounting {
			c.fail("the report and the ledger differ on its hash or its books")
		}
		delete(reported, r.ID)
		v.out.OK = v.out.OK && len(c.Problems) == 0
		v.out.Sources = append(v.out.Sources, c)
	}
	for _, id := range sortedIDs(reported) {
		if s := reported[id]; s.Format != "" && s.Accounting.Records > 0 {
			v.out.OK = false
			v.out.Sources = append(v.out.Sources, SourceCheck{ID: id, Path: s.Path, SHA256: s.SHA256, State: SourceMissing, Records: s.Accounting.Records,
				Problems: []string{"the report names it, the case's ledger does not"}})
		}
	}
	slices.SortStableFunc(v.out.Sources, func(a, b SourceCheck) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

func sortedIDs[V any](m map[string]V) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// seenRecord is what is compared of a record.
type seenRecord struct {
	time int64
	raw  [sha256.Size]byte
	cut  bool // the store could not hold all of it
	text string
}

// goneRecord says of a record that it was taken from its source, or altered.
const goneRecord = "its source is another now, and does not have the record any more"

// answers reads every cited record again.
func (v *verification) answers(ctx context.Context) error {
	check := &AnswerCheck{Incidents: len(v.report.Incidents)}
	v.out.Answers = check
	cited := map[string]bool{}
	each := func(fn func(inc *incident.Incident, text string, ids []string)) {
		for i := range v.report.Incidents {
			inc := &v.report.Incidents[i]
			for _, ss := range [][]incident.Sentence{inc.What, inc.Outcome.Why, inc.Impact.Facts} {
				for _, s := range ss {
					fn(inc, s.Text, s.Evidence)
				}
			}
			for _, s := range inc.Timeline {
				fn(inc, s.Text, s.Evidence)
			}
		}
	}
	each(func(inc *incident.Incident, text string, ids []string) {
		check.Sentences++
		for _, id := range ids {
			cited[id] = true
		}
	})
	for i := range v.report.Incidents {
		for _, id := range v.report.Incidents[i].Evidence {
			cited[id] = true
		}
	}
	check.Cited = len(cited)
	evidence, err := v.reread(ctx, cited)
	if err != nil {
		return err
	}
	altered := map[string]map[[sha256.Size]byte]int64{} // by source: what its records are now, and where
	for id, l := range v.other {
		if altered[id], err = v.contents(ctx, l); err != nil {
			return err
		}
	}
	kept := map[string]seenRecord{}
	for _, l := range analyze.Lookups(sortedIDs(cited)) {
		err := v.store.Query(ctx, l.Filter, func(row []event.Field) error {
			e := detect.Stored(row)
			kept[e.ID] = seenRecord{time: e.Time, raw: sha256.Sum256([]byte(e.Raw)), cut: e.Has("sextant.cut") || e.Has("sextant.overflow"), text: e.Message()}
			return nil
		})
		if err != nil {
			return err
		}
	}
	shown := map[string]analyze.Evidence{}
	for _, e := range v.report.Evidence {
		shown[e.ID] = e
	}
	failed := map[string]bool{}
	for _, id := range sortedIDs(cited) {
		source, offset, ok := analyze.SplitID(id)
		now, there := evidence[id]
		stored, inCase := kept[id]
		print, printed := shown[id]
		what := ""
		switch {
		case !ok:
			what = "is no event.id"
		case v.logs[source] == nil && altered[source] != nil:
			what = goneRecord
			if at, ok := altered[source][stored.raw]; ok && inCase {
				what = "its source is another now, and has the same record elsewhere"
				if at == offset {
					what = "its source is another now; the record itself reads the same"
				}
			}
		case v.logs[source] == nil:
			what = "its source is not among the evidence as it was"
		case !there:
			what = fmt.Sprintf("the evidence has no record at byte %d", offset)
		case !inCase:
			what = "the case does not hold it"
		case now.raw != stored.raw && !stored.cut:
			what = "the case holds another text than the evidence"
		case now.time != stored.time:
			what = "the case has it at another time than the evidence (with the same --tz, --year and --format?)"
		case printed && (!strings.HasPrefix(now.text, print.Message) || print.Offset != offset):
			what = "the report shows another text than the evidence"
		}
		if what == "" {
			check.Confirmed++
			continue
		}
		failed[id] = true
		f := FailedCite{ID: id, What: what}
		if l := cmp.Or(v.logs[source], v.other[source]); l != nil {
			f.Path = l.path
		}
		check.Failed = append(check.Failed, f)
	}
	beside := func(f FailedCite) int { // what was altered comes first
		if f.What == goneRecord {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(check.Failed, func(a, b FailedCite) int { return cmp.Compare(beside(a), beside(b)) })
	each(func(inc *incident.Incident, text string, ids []string) {
		var lost []string
		for _, id := range ids {
			if failed[id] {
				lost = append(lost, id)
			}
		}
		if len(lost) > 0 || len(ids) == 0 {
			check.Unproved = append(check.Unproved, UnprovedClaim{inc.ID, text, lost})
		}
	})
	if err := incident.Check(v.report.Incidents, nil); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			check.Unproved = append(check.Unproved, UnprovedClaim{Text: line})
		}
	}
	v.out.OK = v.out.OK && len(check.Failed) == 0 && len(check.Unproved) == 0
	return nil
}

// reread decodes the sources of the records wanted and returns what they are now.
func (v *verification) reread(ctx context.Context, wanted map[string]bool) (map[string]seenRecord, error) {
	sources := map[*Log]string{} // and the id that the case has them under
	for id := range wanted {
		source, _, _ := analyze.SplitID(id)
		if l := v.logs[source]; l != nil {
			sources[l] = source
		}
	}
	var logs []*Log
	for _, l := range v.plan.Logs {
		if _, ok := sources[l]; ok {
			logs = append(logs, l)
		}
	}
	var mu sync.Mutex
	found := map[string]seenRecord{}
	err := read(ctx, logs, v.Options,
		func(*Log) (bool, error) { return true, nil },
		func() worker {
			return worker{do: func(t *task) error {
				as := sources[t.log]
				for i := range t.batch.Events {
					e := &t.batch.Events[i]
					id := e.ID
					if as != t.log.ID { // a log that has grown goes by its former content
						id = as + strings.TrimPrefix(id, t.log.ID)
					}
					if !wanted[id] {
						continue
					}
					mu.Lock()
					found[strings.Clone(id)] = seenRecord{time: e.Time, raw: sha256.Sum256([]byte(e.Raw)), text: strings.Clone(e.Message())}
					mu.Unlock()
				}
				return nil
			}}
		},
		func(*task) error { return nil }, func(*Log) error { return nil })
	return found, err
}

// contents reads what a source's records are now, and where each is: the first of those alike.
func (v *verification) contents(ctx context.Context, l *Log) (map[[sha256.Size]byte]int64, error) {
	var mu sync.Mutex
	found := map[[sha256.Size]byte]int64{}
	err := read(ctx, []*Log{l}, v.Options,
		func(*Log) (bool, error) { return true, nil },
		func() worker {
			return worker{do: func(t *task) error {
				mu.Lock()
				defer mu.Unlock()
				for i := range t.batch.Events {
					e := &t.batch.Events[i]
					raw := sha256.Sum256([]byte(e.Raw))
					_, offset, _ := analyze.SplitID(e.ID)
					if at, ok := found[raw]; !ok || offset < at {
						found[raw] = offset
					}
				}
				return nil
			}}
		},
		func(*task) error { return nil }, func(*Log) error { return nil })
	return found, err
}

// errRemove is what a removal that cannot be made says.
var errRemove = errors.New("the answers cannot be made anew")
