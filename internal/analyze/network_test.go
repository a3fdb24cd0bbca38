package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// lookingUp is some days of lookups of twelve computers, each of some of thirty sites, and a slip of the hand now and then.
func lookingUp(days int) *world {
	w := &world{rng: rand.New(rand.NewPCG(9, 9)), start: worldStart, days: days}
	for d := range days {
		for u := range people {
			_, source, _ := person1(u)
			for range 40 {
				w.lookup(w.at(d, 8+8*w.rng.Float64()), source, "www."+sites[w.rng.IntN(len(sites))], "NOERROR")
			}
			if w.rng.IntN(2) == 0 {
				w.lookup(w.at(d, 10), source, fmt.Sprintf("wwww.slip%d.com", w.rng.IntN(1000)), "NXDOMAIN")
			}
		}
	}
	return w
}

// about are the findings that name somebody.
func about(all []Finding, who string) (out []Finding) {
	for _, f := range all {
		for _, e := range append(append(append([]string{}, f.Entities.Sources...), f.Entities.Users...), f.Entities.Hosts...) {
			if e == who {
				out = append(out, f)
				break
			}
		}
	}
	return out
}

func TestGeneratedDomainsAreFoundByWhatDoesNotExist(t *testing.T) {
	first := strings.Fields("amber brave copper distant early frozen gentle hollow iron little")
	second := strings.Fields("anchor bridge candle forest garden harbor island ladder market mirror")
	letters := func(w *world, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a' + byte(w.rng.IntN(26))
		}
		return string(b)
	}
	for _, c := range []struct {
		name  string
		put   func(w *world)
		level string // "" for nothing told
	}{
		{"words joined", func(w *world) {
			for i := range 60 {
				w.lookup(w.at(4, 11+float64(i)/60), "10.0.1.13", first[i%10]+second[i*7/10%10]+".net", "NXDOMAIN")
			}
		}, "low"},
		{"short names of letters", func(w *world) {
			for i := range 30 {
				w.lookup(w.at(4, 11+float64(i)/60), "10.0.1.13", letters(w, 6)+".com", "NXDOMAIN")
			}
			w.lookup(w.at(4, 11.9), "10.0.1.13", "qxkvjwzp.com", "NOERROR")
		}, "medium"},
		{"hexadecimal, where answers are not logged", func(w *world) {
			for i := range w.records {
				m := &w.records[i]
				for j := 0; j+1 < len(m.fields); j += 2 {
					if m.fields[j] == "dns.response_code" {
						m.fields[j+1] = ""
					}
				}
			}
			for i := range 30 {
				w.lookup(w.at(4, 11+float64(i)/60), "10.0.1.13", fmt.Sprintf("%016x%016x.org", w.rng.Uint64(), w.rng.Uint64()), "")
			}
		}, "low"},
		{"five a day over a week", func(w *world) {
			for d := range 7 {
				for i := range 5 {
					w.lookup(w.at(d, 11+float64(i)/60), "10.0.1.13", letters(w, 11)+".ru", "NXDOMAIN")
				}
			}
		}, "medium"},
		{"senders that a mail server checks", func(w *world) {
			for i := range 60 {
				w.add(w.at(4, 11+float64(i)/60), "zeek.dns", "event.category", "network", "source.ip", "10.0.1.13", "dns.question.name", letters(w, 9)+".com", "dns.question.type", "MX", "dns.response_code", "NXDOMAIN")
			}
		}, ""},
		{"names below one domain", func(w *world) {
			for i := range 60 {
				w.lookup(w.at(4, 11+float64(i)/60), "10.0.1.13", fmt.Sprintf("%d.0.2.192.zen.blocklist.org", i), "NXDOMAIN")
			}
		}, ""},
		{"what the resolver blocks for everybody", func(w *world) {
			for u := range people {
				_, source, _ := person1(u)
				if u == 3 || u%2 == 0 {
					for i := range 40 {
						w.lookup(w.at(4, 11+float64(i)/60), source, fmt.Sprintf("%sads%d.com", first[i%10], i/10), "NXDOMAIN")
					}
				}
			}
		}, "informational"},
		{"answers that the server's record tells of", func(w *world) {
			for i := range 30 {
				w.add(w.at(4, 11+float64(i)/60), "suricata.eve", "event.category", "network", "source.ip", "10.0.0.53", "source.port", "53", "destination.ip", "10.0.1.13", "destination.port", "40000",
					"dns.type", "answer", "dns.question.name", letters(w, 12)+".com", "dns.question.type", "A", "dns.response_code", "NXDOMAIN")
			}
		}, "medium"},
	} {
		w := lookingUp(8)
		c.put(w)
		got := ""
		all := run(t, w.batches(500), 2)["generated"]
		for _, f := range about(all, "10.0.1.13") {
			got = f.Level
			if strings.HasPrefix(c.name, "short") && !strings.Contains(f.Explanation, "of such names 1 exists: qxkvjwzp.com") {
				t.Errorf("%s: %s", c.name, f.Explanation)
			}
		}
		if got != c.level {
			t.Errorf("%s: %q, want %q: %+v", c.name, got, c.level, about(all, "10.0.1.13"))
		}
		if c.level != "informational" && len(all) != len(about(all, "10.0.1.13")) {
			t.Errorf("%s: others are told of: %+v", c.name, all)
		}
	}
}

func TestFewContactsAreToldIfTooEvenForChance(t *testing.T) {
	w := &world{rng: rand.New(rand.NewPCG(5, 5)), start: worldStart, days: 2}
	for i := range 13 { // every hour, some seconds late
		w.flow(w.start+int64(i)*hour+w.rng.Int64N(20*second), "10.0.1.15", "203.0.113.99", "", 443, 300, 200, second)
	}
	for i := range 2000 { // pairs whose contacts come at random
		t := w.start
		for range 13 {
			t += int64(w.rng.ExpFloat64() * float64(hour))
			w.flow(t, fmt.Sprintf("10.0.2.%d", i%200), fmt.Sprintf("198.51.100.%d", 1+i/200), "", 443, 300, 200, second)
		}
	}
	all := run(t, w.batches(500), 2)["beacon"]
	if len(all) != 1 || len(about(all, "10.0.1.15")) != 1 || all[0].Level != "informational" || !strings.Contains(all[0].Explanation, "13 times") {
		t.Errorf("%+v", all)
	}
}

func TestTailBoundIsAbove(t *testing.T) {
	choose := func(n, k int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return a - b - c
	}
	for _, p := range []float64{0.007, 0.05, 0.3} {
		for n := 1; n < 40; n += 6 {
			for k := 0; k <= n; k++ {
				tail := 0.0
				for i := k; i <= n; i++ {
					tail += math.Exp(choose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
				}
				if bits := manyBits(k, n, p); bits > -math.Log2(tail)+1e-6 {
					t.Errorf("%d of %d at %v: %v bits, it is %v", k, n, p, bits, -math.Log2(tail))
				}
			}
		}
	}
}

// TestPartsOfAConnectionAddUp: however the records are cut, and whether their times are of beginnings or of ends.
func TestPartsOfAConnectionAddUp(t *testing.T) {
	for _, ends := range []bool{true, false} {
		for _, size := range []int{7, 100, 5000} {
			w := &world{rng: rand.New(rand.NewPCG(5, 5)), start: worldStart, days: 2}
			flow := func(at, d int64, source, to string, port int) {
				if ends {
					at += d
				}
				w.flow(at, source, to, "", 443, 1000, 2000, d)
				m := &w.records[len(w.records)-1]
				m.fields = append(m.fields, "source.port", fmt.Sprint(port))
				if !ends { // flow logs of clouds have no duration
					for i := range m.fields {
						if m.fields[i] == "event.duration" {
							m.fields[i] = "event.start"
							m.fields[i+1] = time.Unix(0, at).UTC().Format(time.RFC3339Nano)
						}
					}
					m.fields = append(m.fields, "event.end", time.Unix(0, at+d).UTC().Format(time.RFC3339Nano))
				}
			}
			for i := range 120 { // six hours of flows, one every three minutes
				flow(w.start+int64(i)*3*minute, 3*minute-w.rng.Int64N(20*second), "10.0.1.15", "203.0.113.99", 50_001)
			}
			for i := range 120 { // connections of three minutes, each of its own
				flow(w.start+int64(i)*3*minute, 3*minute, "10.0.1.16", "203.0.113.98", 40_000+i)
			}
			for i := range 12 { // one that comes back after an hour
				flow(w.start+int64(i)*hour, 10*minute, "10.0.1.17", "203.0.113.97", 50_001)
			}
			for i := range 900 {
				flow(w.start+int64(i)*minute, second, "10.0.1.18", "203.0.113.96", 40_000+i)
			}
			all := run(t, w.batches(size), 2)["long"]
			if len(all) != 1 || len(about(all, "10.0.1.15")) != 1 || all[0].Level != "low" || !strings.Contains(all[0].Explanation, "in 120 records") || !strings.Contains(all[0].Explanation, "120 kB out, 240 kB in") {
				t.Errorf("times of ends %v, batches of %d: %+v", ends, size, all)
			}
		}
	}
}

func TestSlowSpraysAndScansAreToldByTheDay(t *testing.T) {
	w := newWorld(7, 12)
	for i := range 48 { // one account every half an hour
		w.login(w.at(8, float64(i)/2), fmt.Sprint("somebody", i), "203.0.113.5", "vpn1", "failure")
	}
	for i := range 140 { // one host every ten minutes
		w.flow(w.at(8, float64(i)/6), "10.0.1.12", fmt.Sprintf("10.0.7.%d", i), "", 445, 0, 0, 1e6)
	}
	for d := range 12 {
		for u := range people {
			_, source, _ := person1(u)
			w.flow(w.at(d, 9), source, "10.0.0.10", "", 389, 900, 900, 1e9)
			w.flow(w.at(d, 10), source, "10.0.0.11", "", 445, 900, 900, 1e9)
		}
	}
	for d := range 12 { // a manager of servers, every day
		for i := range 96 {
			w.flow(w.at(d, float64(i)/4), "10.0.9.1", fmt.Sprintf("10.0.8.%d", i), "", 22, 100, 100, 1e6)
		}
	}
	all := run(t, w.batches(500), 2)["fan"]
	for _, who := range []string{"203.0.113.5", "10.0.1.12"} {
		if fs := about(all, who); len(fs) != 1 || !strings.Contains(fs[0].Explanation, "day") && !strings.Contains(fs[0].Explanation, "48 different accounts") {
			t.Errorf("%s: %+v", who, fs)
		}
	}
	if fs := about(all, "10.0.9.1"); len(fs) > 0 {
		t.Errorf("who does so every day: %+v", fs)
	}
}

func TestTunnelsOfShortNamesAndServicesThatAreAskedByHash(t *testing.T) {
	w := lookingUp(3)
	for i := range 400 {
		w.lookup(w.at(1, 9+float64(i)/60), "10.0.1.13", fmt.Sprintf("%08x.19997cf2.cdn.update-service.org", w.rng.Uint32()), "NOERROR")
		w.lookup(w.at(1, 9+float64(i)/60), "10.0.1.14", fmt.Sprintf("%016x%016x.samples.sophosxl.net", w.rng.Uint64(), w.rng.Uint64()), "NXDOMAIN")
		w.lookup(w.at(1, 9+float64(i)/60), fmt.Sprintf("10.0.1.%d", 10+i%8), fmt.Sprintf("r%d.sn-%06x.video.org", i%9, w.rng.Uint32()>>8), "NOERROR")
	}
	all := run(t, w.batches(500), 2)["tunnel"]
	for who, level := range map[string]string{"10.0.1.13": "low", "10.0.1.14": "informational"} {
		if fs := about(all, who); len(fs) != 1 || fs[0].Level != level {
			t.Errorf("%s: %+v", who, fs)
		}
	}
	if len(all) != 2 {
		t.Errorf("%d findings: %+v", len(all), all)
	}
}

func TestAFindingOfAnOpenConnectionIsOfAllTheTimeThatItWasOpen(t *testing.T) {
	for name, fields := range map[string][]string{
		"written at the end":                   {"02 14:00:00", "event.dataset", "fortinet.log"},
		"Zeek's time is of the first packet":   {"02 08:00:00", "event.dataset", "zeek.connection"},
		"written later, with its beginning":    {"02 14:10:00", "event.dataset", "suricata.eve", "event.start", "2026-03-02T08:00:00Z"},
		"in a zone of its own, with the end":   {"02 14:10:00", "event.dataset", "x", "event.end", "2026-03-02T15:00:00+01:00"},
		"a beginning that cannot be read":      {"02 14:00:00", "event.dataset", "x", "event.start", "yesterday"},
		"written at the end, of several parts": {"02 14:00:00", "event.dataset", "y", "source.port", "4000"},
	} {
		fields = append(fields, "event.category", "network", "event.duration", "21600000000000", "source.ip", "10.0.0.5", "destination.ip", "203.0.113.9", "destination.port", "443")
		var b event.Batch
		b.Begin(0, "record").Time = at(fields[0])
		for i := 1; i < len(fields); i += 2 {
			b.Add(fields[i], fields[i+1])
		}
		l := newLong()
		l.Merge(l.Digest("x.log", &b))
		fs, err := l.Findings(t.Context(), nil)
		if err != nil || len(fs) != 1 {
			t.Fatalf("%s: %v %v", name, fs, err)
		}
		f := &fs[0]
		if err := f.cite(t.Context(), caseOf(t, fields)); err != nil || f.First != at("02 08:00:00") || f.Last != at("02 14:00:00") || len(f.Evidence) != 1 {
			t.Errorf("%s: %d records, %s (%v)", name, len(f.Evidence), span(f.First, f.Last), err)
		}
	}
}
