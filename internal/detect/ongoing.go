package detect

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/sigma"
)

// ongoing is what a gatherer that takes snapshots keeps between them, so that a
// snapshot costs what came since the last and not all of the past: the
// correlations as they were up to a time, and the observations behind it. A
// snapshot is a copy of the former that goes on over the latter.
//
// Logs of many hosts do not arrive in order of time, so that time is some seconds
// before the oldest of those that came lately. What is older than that all the same
// has the next snapshot begin at the beginning.
type ongoing struct {
	past    *correlation      // nil: to be made anew
	upTo    int64             // past has all observations before
	behind  []decoded         // those from upTo on
	ordered int               // of them, from the first, are in order
	oldest  [lateRounds]int64 // of the last rounds, the present one first
	count   int               // of the present round
}

const (
	lateRounds = 4
	lateRound  = 4_000      // observations, or what comes between two snapshots
	lateness   = int64(3e9) // ns
	maxBehind  = 200_000    // observations
)

func newOngoing() *ongoing {
	o := &ongoing{}
	for i := range o.oldest {
		o.oldest[i] = math.MaxInt64
	}
	return o
}

// add takes an observation whose strings are somebody else's.
func (o *ongoing) add(ctx context.Context, d decoded) error {
	o.oldest[0] = min(o.oldest[0], d.time)
	o.count++
	switch {
	case o.past == nil:
	case d.time < o.upTo || len(o.behind) >= maxBehind:
		o.past, o.behind, o.ordered = nil, nil, 0
	default:
		d.id = strings.Clone(d.id)
		fields := make([]string, len(d.fields))
		for i, f := range d.fields {
			if fields[i] = f; i%2 == 1 { // names are the rules'
				fields[i] = strings.Clone(f)
			}
		}
		d.fields = fields
		o.behind = append(o.behind, d)
	}
	if o.count < lateRound {
		return nil
	}
	return o.advance(ctx)
}

// advance ends a round: what is before the horizon goes to the past.
func (o *ongoing) advance(ctx context.Context) error {
	horizon := o.horizon()
	if o.count > 0 {
		copy(o.oldest[1:], o.oldest[:])
		o.oldest[0], o.count = math.MaxInt64, 0
	}
	if o.past == nil {
		return nil
	}
	o.order()
	n := 0
	for ; n < len(o.behind) && o.behind[n].time < horizon; n++ {
		if err := o.past.observe(ctx, o.behind[n]); err != nil {
			o.past = nil
			return err
		}
	}
	o.behind = slices.Delete(o.behind, 0, n)
	o.ordered = len(o.behind)
	o.upTo = max(o.upTo, horizon)
	return nil
}

// order brings what came since it was called last into its place: mostly the end.
func (o *ongoing) order() {
	compare := func(a, b decoded) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id)) }
	fresh := slices.Clone(o.behind[o.ordered:])
	if len(fresh) > 0 {
		slices.SortStableFunc(fresh, compare)
		at := o.ordered
		for at > 0 && compare(fresh[0], o.behind[at-1]) < 0 {
			at--
		}
		later := slices.Clone(o.behind[at:o.ordered])
		o.behind = o.behind[:at]
		for len(later) > 0 && len(fresh) > 0 {
			if compare(fresh[0], later[0]) < 0 {
				o.behind, fresh = append(o.behind, fresh[0]), fresh[1:]
			} else {
				o.behind, later = append(o.behind, later[0]), later[1:]
			}
		}
		o.behind = append(append(o.behind, later...), fresh...)
	}
	o.ordered = len(o.behind)
}

// horizon is the time before which nothing more is expected.
func (o *ongoing) horizon() int64 {
	t := slices.Min(o.oldest[:])
	if t == math.MaxInt64 { // nothing came
		return o.upTo
	}
	if t < math.MinInt64+lateness {
		return math.MinInt64
	}
	return t - lateness
}

// soFar returns the correlations of all that was observed.
func (g *Gatherer) soFar(ctx context.Context) (*correlation, error) {
	if g.ongoing == nil {
		g.ongoing = newOngoing()
	}
	o := g.ongoing
	horizon := o.horizon()
	if err := o.advance(ctx); err != nil {
		return nil, err
	}
	if o.past == nil {
		o.behind, o.ordered, o.upTo = nil, 0, horizon
		past := newCorrelation(g.d, sigma.NewCorrelator(g.d.engine, sigma.CorrelatorOptions{}))
		tooMany := false
		err := g.observations.each(func(d decoded) error {
			if d.time >= horizon && !tooMany {
				d.fields = slices.Clone(d.fields)
				if o.behind = append(o.behind, d); len(o.behind) <= maxBehind {
					return nil
				}
				tooMany = true // this copy is of use for this snapshot alone
				for _, d := range o.behind {
					if err := past.observe(ctx, d); err != nil {
						return err
					}
				}
				o.behind = nil
				return nil
			}
			return past.observe(ctx, d)
		})
		if err != nil {
			return nil, err
		}
		if tooMany {
			past.flush()
			return past, nil
		}
		o.past, o.ordered = past, len(o.behind) // each gives them in order
	}
	now := o.past.clone()
	for _, d := range o.behind {
		if err := now.observe(ctx, d); err != nil {
			return nil, err
		}
	}
	now.flush()
	return now, nil
}
