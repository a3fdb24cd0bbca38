package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// rarePatterns finds kinds of messages that a log hardly ever has, and those
// that came up late in it. It counts in the store, by dataset: a log in which
// messages that come once are common, as in free text, says nothing by one more (the
// share of its messages that are of a kind never seen before is about that of the
// kinds seen once; Good, The Population Frequencies of Species, Biometrika 40, 1953).
type rarePatterns struct{ templates Templates }

var _ = register(newRarePatterns)

func newRarePatterns() Technique { return &rarePatterns{} }

const (
	rareLeast   = 1000                 // records of a dataset, fewer tell nothing
	rareMost    = 3                    // records of a rare kind
	rareSingles = 0.005                // share of records whose kind occurs once; with more, rarity is usual
	newAfter    = 0.5                  // of a log's time, before which a kind is not new
	newSpan     = 24 * time.Hour       // that a log must span for any kind to be new
	newLeast    = 10                   // records of a new kind
	shownKinds  = 20                   // findings of each sort
	maxKinds    = 500_000              // kinds and datasets that are looked at
	kindsFilter = `"log.pattern.id":*` // the records that have one
)

// Name implements Technique.
func (*rarePatterns) Name() string { return "patterns" }

// About implements Technique.
func (*rarePatterns) About() string { return "Rare and new kinds of messages" }

// Needs implements Technique.
func (*rarePatterns) Needs() []string { return []string{"log.pattern.id"} }

// Digest implements Technique: the store has counted already.
func (*rarePatterns) Digest(_ string, b *event.Batch) any { return digestSeen(b) }

// Merge implements Technique.
func (*rarePatterns) Merge(any) {}

// SetTemplates implements Patterned.
func (r *rarePatterns) SetTemplates(t Templates) { r.templates = t }

// kind is a template within a dataset.
type messageKind struct {
	dataset, id, text string
	ids               []string
	count             int64
	first, last       int64
	bits              float64
	alarming          string
}

// Findings implements Technique.
func (r *rarePatterns) Findings(ctx context.Context, q Querier) ([]Finding, error) {
	if r.templates == nil {
		return nil, nil
	}
	kinds, err := r.count(ctx, q)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(kinds, func(a, b *messageKind) int { return cmp.Or(cmp.Compare(a.dataset, b.dataset), cmp.Compare(a.id, b.id)) })
	var rare, fresh []*messageKind
	totals := map[string]*messageKind{}
	for len(kinds) > 0 {
		n := slices.IndexFunc(kinds, func(k *messageKind) bool { return k.dataset != kinds[0].dataset })
		if n < 0 {
			n = len(kinds)
		}
		of := kinds[:n]
		kinds = kinds[n:]
		total, singles := &messageKind{first: math.MaxInt64, last: math.MinInt64}, 0.0
		for _, k := range of {
			total.count += k.count
			total.first, total.last = min(total.first, k.first), max(total.last, k.last)
			if k.count == 1 {
				singles++
			}
		}
		totals[of[0].dataset] = total
		if total.count < rareLeast || singles > rareSingles*float64(total.count) {
			continue
		}
		for _, k := range of {
			k.bits = math.Log2(float64(total.count) / float64(k.count))
			if k.text == "" {
				continue
			}
			k.alarming = alarming(k.text)
			span := total.last - total.first
			switch {
			case k.count <= rareMost:
				rare = append(rare, k)
			case k.count >= newLeast && span >= int64(newSpan) && float64(k.first-total.first) > newAfter*float64(span):
				fresh = append(fresh, k)
			}
		}
	}
	var out []Finding
	for _, sort := range []struct {
		of    []*messageKind
		title string
	}{{rare, "A kind of message that is rare"}, {fresh, "A kind of message that is new"}} {
		slices.SortFunc(sort.of, func(a, b *messageKind) int {
			return cmp.Or(alarmFirst(a, b), cmp.Compare(b.bits, a.bits), cmp.Compare(a.first, b.first), cmp.Compare(a.id, b.id))
		})
		for _, k := range sort.of[:min(len(sort.of), shownKinds)] {
			out = append(out, k.finding(sort.title, totals[k.dataset]))
		}
	}
	slices.SortFunc(out, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// alarmFirst has kinds that say that something went wrong before others.
func alarmFirst(a, b *messageKind) int {
	switch {
	case (a.alarming != "") == (b.alarming != ""):
		return 0
	case a.alarming != "":
		return -1
	}
	return 1
}

// count asks the store for the kinds.
func (r *rarePatterns) count(ctx context.Context, q Querier) ([]*messageKind, error) {
	byKey := map[[2]string]*messageKind{}
	err := q.Query(ctx, kindsFilter+` | stats by ("event.dataset", "log.pattern.id") count() n, min(_time) first, max(_time) last`, func(row []event.Field) error {
		var k messageKind
		k.first, k.last = event.NoTime, event.NoTime
		for _, f := range row {
			switch f.Name {
			case "event.dataset":
				k.dataset = strings.Clone(f.Value)
			case "log.pattern.id":
				k.id = strings.Clone(f.Value)
			case "n":
				k.count, _ = strconv.ParseInt(f.Value, 10, 64)
			case "first":
				k.first = storeTime(f.Value)
			case "last":
				k.last = storeTime(f.Value)
			}
		}
		now, text := r.templates(k.id)
		key := [2]string{k.dataset, now}
		to := byKey[key]
		if to == nil {
			if len(byKey) >= maxKinds {
				return nil
			}
			to = &messageKind{dataset: k.dataset, id: now, text: text, first: k.first, last: k.last}
			byKey[key] = to
		}
		to.ids = append(to.ids, k.id)
		to.count += k.count
		to.first, to.last = min(to.first, k.first), max(to.last, k.last)
		return nil
	})
	kinds := make([]*messageKind, 0, len(byKey))
	for _, k := range byKey {
		slices.Sort(k.ids)
		kinds = append(kinds, k)
	}
	return kinds, err
}

func storeTime(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

// alarmingWords are those by which programs say that something went wrong.
var alarmingWords = []string{"segfault", "panic", "overflow", "corrupt", "denied", "violation", "attack", "exploit", "malware", "tamper",
	"unauthorized", "forbidden", "illegal", "fatal", "critical", "failed", "failure", "error", "cannot", "invalid", "refused", "killed", "promiscuous", "disabled", "removed", "deleted", "cleared"}

// alarming returns the first of the alarming words that the text holds.
func alarming(text string) string {
	text = strings.ToLower(text)
	for _, w := range alarmingWords {
		if strings.Contains(text, w) {
			return w
		}
	}
	return ""
}

func (k *messageKind) finding(title string, total *messageKind) Finding {
	f := Finding{
		Title: title, Level: "informational", First: k.first, Last: k.last, Count: int(k.count),
		Rule:     Rule{ID: "patterns", Name: "Rare and new kinds of messages", FalsePositives: []string{"A program that was updated or set up anew", "Work that is done once in a while"}},
		Datasets: nonEmpty(k.dataset),
	}
	if k.alarming != "" {
		f.Level = "low"
	}
	f.Explanation = fmt.Sprintf("“%s” occurs %s among %s records of %s", shortTemplate(k.text), timesText(k.count), prose.Number(total.count), cmp.Or(k.dataset, "no known kind"))
	if k.first != event.NoTime && total.first != event.NoTime {
		f.Explanation += fmt.Sprintf(", first %s after the log begins, which spans %s", lasting(k.first-total.first), lasting(total.last-total.first))
	}
	f.Explanation += fmt.Sprintf(": %.1f bits of surprise.", k.bits)
	f.ID = stableID("patterns", k.dataset, k.text)
	ids := make([]string, len(k.ids))
	for i, id := range k.ids {
		ids[i] = strconv.Quote(id)
	}
	f.Surprise = k.bits
	f.Query = where{`"log.pattern.id":in(` + strings.Join(ids, ",") + `)`}.is("event.dataset", k.dataset).String()
	return f
}

// shortTemplate cuts a template for showing it in a sentence.
func shortTemplate(s string) string { return strings.ToValidUTF8(clip(s, 160), "\uFFFD") }

func timesText(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return prose.Number(n) + " times"
}
