package analyze

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Set is all techniques at work on one case. Digest may be called from many
// goroutines, Merge from one at a time, in source order.
type Set struct {
	techniques []Technique
	worked     []bool
	perDay     int
	ends       bool
	spare      []Finding // beyond perDay
}

// MaxFindingsPerDay is the noise budget unless another is asked for.
const MaxFindingsPerDay = 10

// NewSet makes fresh techniques whose findings are held to perDay a day:
// MaxFindingsPerDay if it is 0, without bound if it is negative.
func NewSet(perDay int) *Set {
	s := &Set{techniques: Techniques(), perDay: cmp.Or(perDay, MaxFindingsPerDay)}
	s.worked = make([]bool, len(s.techniques))
	return s
}

// Live says, before the first digest, that logs keep coming in parts: what is at
// the end of one is not its end, and a path stays while its source changes.
func (s *Set) Live() {
	for _, t := range s.techniques {
		if o, ok := t.(ordered); ok {
			o.live()
		}
	}
}

// Ends says that Findings will be asked for once, after the last digest: what each
// technique has gathered is let go when it has told.
func (s *Set) Ends() { s.ends = true }

// UpToNow says, before Findings, that all that happened from one time to another
// (ns) is here, so that a log without newer records has ended.
func (s *Set) UpToNow(from, now int64) {
	for _, t := range s.techniques {
		if c, ok := t.(clocked); ok {
			c.upToNow(from, now)
		}
	}
}

// clocked is a technique that minds what time it is.
type clocked interface{ upToNow(from, now int64) }

// ordered is a technique that looks at the order in which a log was written.
type ordered interface {
	Technique
	live()
}

// A counter is a technique that works on rows, which are made once for all.
type counter interface {
	Technique
	digest(path string, rs *rows) any
}

// Digest returns what each technique keeps of a batch, a stretch of the source path.
func (s *Set) Digest(path string, b *event.Batch, dst []any) []any {
	return s.digest(path, b, dst, true)
}

// DigestUnordered is Digest of records that do not come in the order in which they
// were written, or are of several writers.
func (s *Set) DigestUnordered(path string, b *event.Batch, dst []any) []any {
	return s.digest(path, b, dst, false)
}

func (s *Set) digest(path string, b *event.Batch, dst []any, inOrder bool) []any {
	var rs *rows
	for _, t := range s.techniques {
		if _, ok := t.(ordered); ok && !inOrder {
			dst = append(dst, nil)
			continue
		}
		c, ok := t.(counter)
		if !ok {
			dst = append(dst, t.Digest(path, b))
			continue
		}
		if rs == nil {
			rs = newRows(b)
		}
		dst = append(dst, c.digest(path, rs))
	}
	if rs != nil {
		rs.free()
	}
	return dst
}

// digestRows is Digest of a counter by itself.
func digestRows(c counter, path string, b *event.Batch) any {
	rs := newRows(b)
	defer rs.free()
	return c.digest(path, rs)
}

// Merge takes what Digest returned into the techniques, and out of digests, which may be
// kept until they are filled again.
func (s *Set) Merge(digests []any) {
	for i, d := range digests {
		if d != nil {
			s.worked[i] = true
			s.techniques[i].Merge(d)
			digests[i] = nil
		}
	}
}

// Report says what became of one technique.
type Report struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`             // what it finds, in a few words
	Needs   []string `json:"needs"`             // fields of which an event must have one
	Worked  bool     `json:"worked"`            // there were such events
	Found   int      `json:"found"`             // findings before the noise budget
	Kept    int      `json:"kept"`              // and after
	Remarks []string `json:"remarks,omitempty"` // bounds that were reached, one sentence each
}

// limited is a technique with bounds that may have been reached.
type limited interface {
	// limits must say in a sentence each which bounds were reached.
	limits() []string
}

// Findings returns what the techniques found, in order of time, within the
// noise budget, each with its evidence; and what became of each technique.
func (s *Set) Findings(ctx context.Context, q Querier) ([]Finding, []Report, error) {
	var all []Finding
	reports := make([]Report, len(s.techniques))
	for i, t := range s.techniques {
		reports[i] = Report{Name: t.Name(), About: t.About(), Needs: t.Needs(), Worked: s.worked[i]}
		if !s.worked[i] {
			continue
		}
		found, err := t.Findings(ctx, q)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", t.Name(), err)
		}
		reports[i].Found = len(found)
		if l, ok := t.(limited); ok {
			reports[i].Remarks = l.limits()
		}
		for j := range found {
			found[j].Kind = t.Name()
		}
		all = append(all, found...)
		if s.ends {
			s.techniques[i] = nil
		}
	}
	all, s.spare = ration(all, s.perDay)
	out, err := cited(ctx, q, all)
	for i := range out {
		for j := range reports {
			if reports[j].Name == out[i].Kind {
				reports[j].Kept++
			}
		}
	}
	return out, reports, err
}

// Spares returns findings that Findings left out for the noise budget, as many
// a day at most: those of level low that are of what somebody did, and calls at
// even intervals whatever their level, that may be worth more beside another or
// by what began them. They are for who looks for such.
func (s *Set) Spares(ctx context.Context, q Querier) ([]Finding, error) {
	var some []Finding
	used := map[int32]int{}
	for _, f := range s.spare {
		if d := dayOf(f.First); (f.Level == "low" || f.Kind == "beacon") && !slices.Contains(learnt, f.Kind) && used[d] < s.perDay {
			used[d]++
			some = append(some, f)
		}
	}
	return cited(ctx, q, some)
}

// learnt are the techniques that say that something is unlike the rest, not what it is.
var learnt = []string{"patterns", "sequences", "isolation"}

// cited gives findings their evidence, leaves out those of which no record is
// in the store, and puts them in order of time.
func cited(ctx context.Context, q Querier, all []Finding) ([]Finding, error) {
	out := all[:0]
	for i := range all {
		f := &all[i]
		if len(f.Evidence) == 0 && f.Query != "" {
			if err := f.cite(ctx, q); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Kind, err)
			}
		}
		if len(f.Evidence) == 0 {
			continue
		}
		f.complete()
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// ration keeps of each day's findings (UTC, by their first record) the perDay
// that matter most: by level; then each technique's most surprising before any's
// second; then by surprise, and the rarer kind of finding first.
// The rest comes in the same order.
func ration(all []Finding, perDay int) (kept, rest []Finding) {
	if perDay < 0 {
		return all, nil
	}
	rarity := map[string]int{}
	for i := range all {
		rarity[all[i].Rule.ID]++
	}
	surprising := func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(dayOf(a.First), dayOf(b.First)), cmp.Compare(LevelRank(b.Level), LevelRank(a.Level)),
			cmp.Compare(b.Surprise, a.Surprise), cmp.Compare(rarity[a.Rule.ID], rarity[b.Rule.ID]),
			cmp.Compare(a.First, b.First), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Explanation, b.Explanation), cmp.Compare(a.Query, b.Query), cmp.Compare(a.ID, b.ID))
	}
	ranked := make([]*Finding, len(all))
	for i := range all {
		ranked[i] = &all[i]
	}
	slices.SortFunc(ranked, surprising)
	type turn struct {
		day   int32
		level int
		kind  string
	}
	turns := map[turn]int{}
	place := map[*Finding]int{}
	for _, f := range ranked {
		t := turn{dayOf(f.First), LevelRank(f.Level), f.Kind}
		place[f] = turns[t]
		turns[t]++
	}
	slices.SortStableFunc(ranked, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(dayOf(a.First), dayOf(b.First)), cmp.Compare(LevelRank(b.Level), LevelRank(a.Level)), cmp.Compare(place[a], place[b]))
	})
	used := map[int32]int{}
	for _, f := range ranked {
		if d := dayOf(f.First); used[d] < perDay {
			used[d]++
			kept = append(kept, *f)
		} else {
			rest = append(rest, *f)
		}
	}
	return kept, rest
}

// complete gives a finding what follows from its evidence.
func (f *Finding) complete() {
	if f.Count == 0 {
		f.Count = len(f.Evidence)
	}
	if f.ID == "" {
		h := sha256.New()
		for _, s := range []string{f.Kind, f.Rule.ID, f.Query, f.Evidence[0].ID} {
			fmt.Fprintf(h, "%d:%s", len(s), s)
		}
		f.ID = hex.EncodeToString(h.Sum(nil)[:8])
	}
	var outcomes []string
	for _, e := range f.Evidence {
		if e.Outcome != "" {
			outcomes = append(outcomes, e.Outcome)
		}
	}
	f.Outcomes = distinctSorted(append(outcomes, f.Outcomes...))
	f.Datasets = distinctSorted(f.Datasets)
	e := &f.Entities
	for _, l := range []*[]string{&e.Users, &e.Sources, &e.Destinations, &e.Hosts, &e.Processes, &e.Files, &e.URLs} {
		*l = distinctSorted(*l)
		*l = (*l)[:min(len(*l), MaxEntities)]
	}
}

// distinctSorted sorts values, each once, without the empty one.
func distinctSorted(vs []string) []string {
	vs = slices.DeleteFunc(slices.Clone(vs), func(s string) bool { return s == "" })
	slices.Sort(vs)
	return slices.Compact(vs)
}

// few shows the first values of a list in a sentence.
func few(vs []string, most int) string {
	shown := make([]string, 0, most)
	for _, v := range vs[:min(len(vs), most)] {
		shown = append(shown, clip(v, 80))
	}
	s := strings.Join(shown, ", ")
	if len(vs) > most {
		s += fmt.Sprintf(" and %d more", len(vs)-most)
	}
	return s
}

// clip cuts text from a log for showing it in a sentence.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
