package simulate

import (
	"cmp"
	"fmt"
	"slices"
)

// Campaign is one kind of intrusion, or attempt at one. A campaign is one file
// of this package that registers one value.
type Campaign struct {
	Name  string // "ssh-brute-force-succeeds"
	Title string // one line for people
	Run   func(*attack)
}

var campaigns []*Campaign

func campaign(c Campaign) *Campaign {
	campaigns = append(campaigns, &c)
	return &c
}

// Campaigns returns every campaign, ordered by name.
func Campaigns() []*Campaign {
	cs := slices.Clone(campaigns)
	slices.SortFunc(cs, func(a, b *Campaign) int { return cmp.Compare(a.Name, b.Name) })
	return cs
}

func lookupCampaign(name string) *Campaign {
	for _, c := range campaigns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// mark says what a record is; the zero value is plain benign life.
type mark struct {
	kind     markKind
	incident int16 // index in world.incidents
	step     int16 // index in incidentLog.steps
}

type markKind uint8

const (
	benign     markKind = iota
	malicious           // of a campaign
	background          // hostile noise of the internet that comes to nothing
	lookalike           // benign, and looks as if it were not
)

func (k markKind) String() string {
	return [...]string{"benign", "malicious", "background", "lookalike"}[k]
}

// attack is an actor that runs a campaign and keeps the truth about it.
type attack struct {
	*actor
	truth *incidentLog
	from  []string // the attacker's addresses
	turn  int
}

// incidentLog is what is known about a campaign's run.
type incidentLog struct {
	Incident
	steps []stepLog
	facts []factLog
}

type stepLog struct {
	technique, name, text string
	first, last           int64 // of what was done, kept or not
	written               int64 // records, before logs were cleared
}

type factLog struct {
	kind, subject, text string
	step                int
}

// startCampaigns puts every campaign at a time of its own: spread over the
// world's life, outside the first hours so that there is a normal before it.
func (w *world) startCampaigns() {
	n := int64(len(w.o.Campaigns))
	slots := make([]int64, n) // in an order of the seed's own
	order := w.random("slots")
	for i := range slots {
		j := order.below(uint32(i + 1))
		slots[i], slots[j] = slots[j], int64(i)
	}
	for i, name := range w.o.Campaigns {
		c := lookupCampaign(name)
		id := fmt.Sprintf("%s-%d", name, 1+count(w.o.Campaigns[:i], name))
		rng := w.random("campaign " + id)
		// The first tenth and the last sixth of the time start none.
		slot := (w.end - w.now) * 73 / 100 / n
		start := w.now + (w.end-w.now)/10 + slots[i]*slot + rng.between(0, slot)
		t := &incidentLog{Incident: Incident{ID: id, Campaign: name, Title: c.Title, Outcome: "failed"}}
		index := int16(len(w.incidents))
		w.incidents = append(w.incidents, t)
		var from []string
		for range w.o.Spread {
			from = append(from, w.stranger())
		}
		w.spawn("campaign "+id, start, func(a *actor) {
			a.mark = mark{kind: malicious, incident: index}
			c.Run(&attack{actor: a, truth: t, from: from})
		})
	}
}

func count(list []string, s string) (n int) {
	for _, v := range list {
		if v == s {
			n++
		}
	}
	return n
}

// step begins a step: what is logged from now on is part of it.
func (k *attack) step(technique, name, text string, args ...any) {
	k.truth.steps = append(k.truth.steps, stepLog{technique: technique, name: name, text: fmt.Sprintf(text, args...)})
	k.mark.step = int16(len(k.truth.steps) - 1)
}

// fact notes a consequence that the present step's records show.
func (k *attack) fact(kind, subject, text string, args ...any) {
	k.truth.facts = append(k.truth.facts, factLog{kind, subject, fmt.Sprintf(text, args...), len(k.truth.steps) - 1})
}

// tells names the logs (HOST/SOURCE) any of which tells whether the campaign
// reached its aim.
func (k *attack) tells(logs ...string) { k.truth.Tells = logs }

// succeeds notes that it did.
func (k *attack) succeeds() { k.truth.Outcome = "succeeded" }

// host and user note the hosts it reached, and the accounts that the attacker
// used or made.
func (k *attack) host(hosts ...*host) {
	for _, h := range hosts {
		add(&k.truth.Hosts, h.name)
	}
}

func (k *attack) user(names ...string) { add(&k.truth.Users, names...) }

func add(list *[]string, values ...string) {
	for _, v := range values {
		if !slices.Contains(*list, v) {
			*list = append(*list, v)
		}
	}
}

// source is the attacker's next address.
func (k *attack) source() string {
	s := k.from[k.turn%len(k.from)]
	k.turn++
	add(&k.truth.Sources, s)
	return s
}

// evening waits for the time after work, if there is one left.
func (k *attack) evening() {
	w := k.w
	at := w.midnight(w.today()) + 18*hour + k.between(0, 3*hour)
	if at < w.now {
		at += day
	}
	if at < w.end-3*hour {
		k.until(at)
	}
}

// lull waits between two attempts, longer if the attacker takes it slowly.
func (k *attack) lull(low, high int64) { k.wait(k.between(low, high) * int64(k.w.o.Slow)) }
