package analyze

import "testing"

// perHour is a series with as many an hour as of tells for a day, and its days.
func perHour(days int32, of func(day int32) uint32) (s series, covered []int32) {
	for d := range days {
		covered = append(covered, d)
		for h := range int32(24) {
			s = append(s, cell{hour: d*24 + h, count: of(d)})
		}
	}
	return s, covered
}

func TestBaselinesAge(t *testing.T) {
	changed := func(at int32) func(int32) uint32 {
		return func(d int32) uint32 {
			if d < at {
				return 100
			}
			return 10
		}
	}
	// Three months ago is forgotten.
	s, covered := perHour(100, changed(30))
	if u, ok := s.expect(99*24+12, covered); !ok || u.high != 10 || u.days > reach {
		t.Errorf("%v %+v", ok, u)
	}
	// Of what is within reach, what is nearer weighs more: 20 new days against 36 old ones.
	s, covered = perHour(57, changed(33))
	u, _ := s.expect(56*24+12, covered)
	flat := (33*100 + 23*10) / 56.0
	if u.median != 10 {
		t.Errorf("%+v, without age %.0f", u, flat)
	}
	if u.mean >= flat-5 {
		t.Errorf("mean %.1f, without age %.1f", u.mean, flat)
	}
}
