package simulate

import (
	"container/heap"
	"errors"
	"iter"
	"math/bits"
)

// Spans of time in microseconds, the unit of the world's clock.
const (
	msec   = int64(1000)
	second = 1000 * msec
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// clock is a discrete-event simulation: whoever wakes earliest acts next, so
// that process numbers, ports and log lines come in the order of time.
// Times are microseconds since the Unix epoch.
type clock struct {
	now   int64
	end   int64
	queue wakes
	order uint64
}

// wake is an actor or a single deed that waits for its time.
type wake struct {
	at    int64
	order uint64 // first come, first served at the same time
	deed  func()
	actor *actor
}

// actor is someone or something that acts: its life is plain code that waits
// in between, a coroutine.
type actor struct {
	w     *world
	rng   nidsRNG
	mark  mark // what the records it causes are labelled
	next  func() (int64, bool)
	stop  func()
	yield func(int64) bool
}

// errOver unwinds the actors that still wait at the end of the world.
var errOver = errors.New("the simulation is over")

// spawn starts an actor at a time. The name makes its random numbers its own.
func (w *world) spawn(name string, at int64, life func(*actor)) {
	a := &actor{w: w, rng: w.random(name)}
	a.next, a.stop = iter.Pull(func(yield func(int64) bool) {
		defer func() {
			if e := recover(); e != nil && e != any(errOver) {
				panic(e)
			}
		}()
		a.yield = yield
		life(a)
	})
	w.push(wake{at: at, actor: a})
}

// later does one thing at a time, labelled as the actor is now.
func (w *world) later(at int64, deed func()) { w.push(wake{at: at, deed: deed}) }

func (w *world) push(k wake) {
	k.at = max(k.at, w.now)
	w.order++
	k.order = w.order
	heap.Push(&w.queue, k)
}

// run lets the world live until its end.
func (w *world) run() {
	for len(w.queue) > 0 {
		k := heap.Pop(&w.queue).(wake)
		if k.at >= w.end {
			if k.actor != nil {
				k.actor.stop()
			}
			continue
		}
		w.now = k.at
		if k.deed != nil {
			k.deed()
		} else if at, ok := k.actor.next(); ok {
			w.push(wake{at: at, actor: k.actor})
		}
	}
	w.now = w.end
}

// until waits for a time.
func (a *actor) until(at int64) {
	if !a.yield(at) {
		panic(errOver)
	}
}

// wait waits so long.
func (a *actor) wait(span int64) { a.until(a.w.now + span) }

// pause waits between low and high.
func (a *actor) pause(low, high int64) { a.wait(a.between(low, high)) }

// between draws evenly from low (included) to high (excluded).
func (a *actor) between(low, high int64) int64 { return a.rng.between(low, high) }

func (r *nidsRNG) between(low, high int64) int64 {
	hi, _ := bits.Mul64(r.next(), uint64(max(high-low, 1)))
	return low + int64(hi)
}

// gap draws about exponentially, with integers only (see nids.tick).
func (r *nidsRNG) gap(mean int64) int64 {
	u := r.next() | 1
	zeros := min(bits.LeadingZeros64(u), 20)
	u <<= zeros
	draw := uint64(zeros)<<16 + (-u)>>47&0xffff
	hi, lo := bits.Mul64(uint64(mean), draw)
	q, _ := bits.Div64(hi, lo, 3<<15)
	return int64(q)
}

// chance is true so many times in a thousand.
func (r *nidsRNG) chance(perMille uint32) bool { return r.below(1000) < perMille }

func pick[T any](r *nidsRNG, list []T) T { return list[r.below(uint32(len(list)))] }

// busy waits for the next event of a process with this mean gap at the mean
// rate of an office week.
func (a *actor) busy(mean int64) {
	for {
		a.wait(a.rng.gap(mean/2) + msec)
		// Thin out: the busiest hour has rate 78, the mean about 28.
		if uint64(a.rng.below(56)) < nidsRate(a.w.sinceFirst()) {
			return
		}
	}
}

// sinceFirst is the time since the world's first midnight, put on a Monday of
// 1970 or the weekday that the first day is.
func (w *world) sinceFirst() int64 {
	const monday = 4 * day // 1970-01-05
	weekday := int64(w.o.Start.Weekday()+6) % 7
	return monday + weekday*day + w.now - w.o.Start.UnixMicro()
}

type wakes []wake

func (q wakes) Len() int { return len(q) }
func (q wakes) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q wakes) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *wakes) Push(x any)   { *q = append(*q, x.(wake)) }
func (q *wakes) Pop() any {
	old := *q
	k := old[len(old)-1]
	old[len(old)-1] = wake{}
	*q = old[:len(old)-1]
	return k
}
