package spool

// seen knows what has been taken, in two generations of bounded size: when the
// younger is full the older is forgotten.
type seen struct {
	young, old map[Key]struct{}
	unsettled  map[Key]struct{} // requests of which the sender may not know that they arrived
	order      []Key            // of unsettled, oldest first; may hold settled ones
}

const (
	maxSeen      = 1 << 19 // keys of a generation: some 20 MiB
	maxUnsettled = 1 << 16
)

func (s *seen) has(k Key) bool {
	if _, ok := s.young[k]; ok {
		return true
	}
	_, ok := s.old[k]
	return ok
}

func (s *seen) add(k Key) {
	if s.young == nil || len(s.young) >= maxSeen {
		s.old, s.young = s.young, map[Key]struct{}{}
	}
	s.young[k] = struct{}{}
}

// fresh returns d without what has been taken before, and notes the rest.
func (s *seen) fresh(d *Delivery) *Delivery {
	if d.Request != (Key{}) {
		if _, ok := s.unsettled[d.Request]; ok {
			return &Delivery{Mark: d.Mark}
		}
		s.pend(d.Request)
	}
	twice := -1
	for i := range d.Records {
		if k := d.Records[i].Key; k != (Key{}) && s.has(k) {
			twice = i
			break
		} else if k != (Key{}) {
			s.add(k)
		}
	}
	if twice < 0 {
		return d
	}
	out := *d
	out.Records = append([]Record(nil), d.Records[:twice]...)
	for _, r := range d.Records[twice:] {
		if r.Key != (Key{}) {
			if s.has(r.Key) {
				continue
			}
			s.add(r.Key)
		}
		out.Records = append(out.Records, r)
	}
	return &out
}

// pend notes a request whose answer may be lost.
func (s *seen) pend(k Key) {
	if s.unsettled == nil {
		s.unsettled = map[Key]struct{}{}
	}
	if len(s.order) >= maxUnsettled {
		for _, old := range s.order[:maxUnsettled/2] {
			delete(s.unsettled, old)
		}
		s.order = append([]Key(nil), s.order[maxUnsettled/2:]...)
	}
	s.unsettled[k] = struct{}{}
	s.order = append(s.order, k)
}

func (s *seen) settle(k Key) { delete(s.unsettled, k) }

// learn notes what a delivery of an earlier process held.
func (s *seen) learn(d *Delivery) {
	if d.Request != (Key{}) {
		s.pend(d.Request)
	}
	for i := range d.Records {
		if k := d.Records[i].Key; k != (Key{}) {
			s.add(k)
		}
	}
}

// forget takes back what fresh noted of a delivery that could not be written.
func (s *seen) forget(d *Delivery) {
	s.settle(d.Request)
	for i := range d.Records {
		delete(s.young, d.Records[i].Key)
	}
}
