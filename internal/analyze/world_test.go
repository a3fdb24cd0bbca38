package analyze

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// made is a made-up record: its time, the log it is in, and its fields.
type made struct {
	time   int64
	log    string
	fields []string // name, value, …
}

// world makes the records of a small company over some weeks.
type world struct {
	rng     *rand.Rand
	start   int64
	days    int
	records []made
}

var worldStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano() // a Monday

func newWorld(seed uint64, days int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), start: worldStart, days: days}
	for d := range days {
		w.day(d)
	}
	return w
}

func (w *world) at(d int, hour float64) int64 {
	return w.start + int64(d)*day + int64(hour*3600)*second + w.rng.Int64N(second)
}

func (w *world) add(t int64, log string, fields ...string) {
	w.records = append(w.records, made{t, log, append([]string{"event.dataset", log}, fields...)})
}

func (w *world) login(t int64, user, source, host, outcome string, more ...string) {
	w.add(t, "system.auth", append([]string{"event.category", "authentication", "event.action", "ssh_login", "event.outcome", outcome, "user.name", user, "source.ip", source, "host.name", host}, more...)...)
}

func (w *world) flow(t int64, source, destination, domain string, port int, out, in, duration int64) {
	f := []string{"event.kind", "event", "event.category", "network", "event.type", "connection", "source.ip", source, "destination.ip", destination,
		"destination.port", strconv.Itoa(port), "source.bytes", strconv.FormatInt(out, 10), "destination.bytes", strconv.FormatInt(in, 10), "event.duration", strconv.FormatInt(duration, 10)}
	if domain != "" {
		f = append(f, "destination.domain", domain)
	}
	w.add(t, "zeek.conn", f...)
}

func (w *world) lookup(t int64, source, name, rcode string) {
	w.add(t, "zeek.dns", "event.category", "network", "source.ip", source, "destination.ip", "10.0.0.53", "dns.question.name", name, "dns.question.type", "A", "dns.response_code", rcode)
}

const people = 12

func person1(u int) (name, source, host string) {
	return fmt.Sprintf("user%d", u), fmt.Sprintf("10.0.1.%d", 10+u), fmt.Sprintf("ws%d", u)
}

var sites = func() (s []string) {
	for i := range 30 {
		s = append(s, []string{"news", "mail", "shop", "bank", "maps", "music"}[i%6]+[]string{"paper", "house", "garden", "river", "forest"}[i/6]+".example.com")
	}
	return s
}()

// day is an ordinary day.
func (w *world) day(d int) {
	weekend := isWeekend(dayOf(w.start + int64(d)*day))
	for u := range people {
		name, source, host := person1(u)
		// Computers ask for the time and for updates, day and night.
		for h := 0.0; h < 24; h++ {
			w.flow(w.at(d, h)+int64(u)*second, source, "192.0.2.123", "time.example.net", 123, 48, 48, int64(time.Millisecond))
		}
		if weekend {
			continue
		}
		from, to := 8+float64(u%3)+0.3*w.rng.Float64(), 16.5+float64(u%3)+0.3*w.rng.Float64()
		for t := from; t < to; t += 1.5 * w.rng.ExpFloat64() {
			if w.rng.IntN(30) == 0 {
				w.login(w.at(d, t), name, source, host, "failure")
			}
			w.login(w.at(d, t)+5*second, name, source, host, "success")
		}
		for t := from; t < to; t += 0.2 * w.rng.ExpFloat64() {
			s := w.rng.IntN(len(sites))
			if w.rng.IntN(3) == 0 {
				s = (u*7 + s%5) % len(sites)
			}
			address := fmt.Sprintf("198.51.100.%d", 1+s)
			w.lookup(w.at(d, t), source, "www."+sites[s], "NOERROR")
			w.flow(w.at(d, t)+second, source, address, sites[s], 443, int64(math.Exp(8+1.5*w.rng.NormFloat64())), int64(math.Exp(11+1.5*w.rng.NormFloat64())), int64(w.rng.ExpFloat64()*20e9))
		}
		for t := from; t < to; t += 0.6 * w.rng.ExpFloat64() {
			w.add(w.at(d, t), "windows.sysmon", "event.category", "process", "event.type", "start", "host.name", host, "user.name", name,
				"process.name", []string{"chrome.exe", "winword.exe", "excel.exe", "notepad.exe"}[w.rng.IntN(4)], "process.parent.name", "explorer.exe")
		}
		for t := from; t < to; t += 0.5 * w.rng.ExpFloat64() {
			w.add(w.at(d, t), "system.security", "event.category", "file", "event.type", "access", "host.name", "files1", "user.name", name, "source.ip", source, "event.action", "share-access")
		}
	}
	for t := 0.0; t < 24; t += 0.05 * w.rng.ExpFloat64() {
		w.add(w.at(d, t), "system.syslog", "host.name", "srv1", "process.name", "cron")
	}
	for t := 0.0; t < 24; t += 0.3 * w.rng.ExpFloat64() {
		w.add(w.at(d, t), "nginx.access", "host.name", "srv1", "event.category", "web", "event.type", "access", "source.ip", fmt.Sprintf("203.0.113.%d", w.rng.IntN(200)), "http.response.status_code", "200")
	}
}

// plant puts one anomaly of each technique into the world and returns when and of whom.
type planted struct {
	technique, what, entity string
	from, to                int64
}

func (w *world) plant() []planted {
	var ps []planted
	d := 15 + w.rng.IntN(3) // a working day of the third week
	note := func(technique, what, entity string, from, to int64) {
		ps = append(ps, planted{technique, what, entity, from, to})
	}
	name, _, host := person1(3)
	t := w.at(d, 2)
	for i := range 60 {
		w.login(t+int64(i)*20*second, "user3", "10.0.9.9", "srv1", "failure")
	}
	note("rates", "60 failed logins of an account at night", "user3", t, t+hour)

	t = w.at(d, 9.7)
	w.login(t, name, "203.0.113.250", host, "success")
	note("pairs", "login from a new address", name, t, t)

	t = w.at(d, 3.2)
	for i := range 40 {
		w.login(t+int64(i)*9*second, fmt.Sprintf("account%d", i), "10.0.9.77", "srv1", "failure")
	}
	note("fan", "a spray over 40 accounts", "10.0.9.77", t, t+hour)

	t = w.at(d+1, 11)
	for i := range 60 {
		w.flow(t+int64(i)*2*second, "10.0.1.12", fmt.Sprintf("10.0.2.%d", i), "", 445, 60, 0, 0)
	}
	note("fan", "a scan of 60 hosts", "10.0.1.12", t, t+hour)

	t = w.at(d, 20)
	from := t
	for range 120 {
		w.flow(t, "10.0.1.15", "203.0.113.99", "", 443, 300+w.rng.Int64N(40), 200, 400e6)
		t += 300*second + int64((w.rng.Float64()-0.5)*120*1e9) // ±20 %
	}
	note("beacon", "5 min ± 20 % for ten hours", "10.0.1.15", from, t)

	t = w.at(d, 21)
	w.flow(t, "10.0.1.16", "203.0.113.98", "", 443, 90_000, 300_000, 6*hour)
	note("long", "a connection of six hours", "10.0.1.16", t, t)

	t = w.at(d, 12)
	for i := range 400 {
		label := make([]byte, 40)
		for j := range label {
			label[j] = "abcdefghijklmnopqrstuvwxyz234567"[w.rng.IntN(32)]
		}
		w.lookup(t+int64(i)*2*second, "10.0.1.17", string(label)+".t.sync-service.example", "NOERROR")
	}
	note("tunnel", "400 names of 40 letters", "10.0.1.17", t, t+hour)

	t = w.at(d, 13)
	for i := range 40 {
		label := make([]byte, 12)
		for j := range label {
			label[j] = "abcdefghijklmnopqrstuvwxyz"[w.rng.IntN(26)]
		}
		w.lookup(t+int64(i)*3*second, "10.0.1.18", string(label)+".com", "NXDOMAIN")
	}
	note("generated", "40 random domains that do not exist", "10.0.1.18", t, t+hour)

	t = w.at(d, 18.5)
	for i := range 5 {
		w.flow(t+int64(i)*4*minute, "10.0.1.19", "203.0.113.97", "", 443, 400_000_000, 1_000_000, 3*minute)
	}
	note("volume", "2 GB to a new address", "10.0.1.19", t, t+hour)

	t = w.at(d, 3.5)
	w.login(t, "user4", "10.0.1.14", "ws4", "success")
	note("hours", "a login at half past three", "user4", t-hour, t+hour)

	// Three hours of syslog are gone.
	from, to := w.at(d, 12), w.at(d, 15)
	w.records = slices.DeleteFunc(w.records, func(m made) bool { return m.log == "system.syslog" && m.time > from && m.time < to })
	note("silence", "three hours of a log are missing", "srv1", from, to)

	for i := range w.days {
		w.login(w.at(i, 10), "traveller", "198.51.100.200", "vpn1", "success", "source.geo.country_iso_code", "DE", "source.geo.location.lat", "52.5", "source.geo.location.lon", "13.4")
	}
	t = w.at(d, 11.5)
	w.login(t, "traveller", "203.0.113.201", "vpn1", "success", "source.geo.country_iso_code", "AU", "source.geo.location.lat", "-33.9", "source.geo.location.lon", "151.2")
	note("travel", "Berlin, and Sydney an hour and a half later", "traveller", t-2*hour, t+hour)
	return ps
}

// batches gives the records in order, log by log, in batches of so many.
func (w *world) batches(size int) []*event.Batch {
	byLog := map[string][]made{}
	for _, m := range w.records {
		byLog[m.log] = append(byLog[m.log], m)
	}
	var logs []string
	for l := range byLog {
		logs = append(logs, l)
	}
	slices.Sort(logs)
	var out []*event.Batch
	for _, l := range logs {
		records := byLog[l]
		slices.SortStableFunc(records, func(a, b made) int { return cmp.Compare(a.time, b.time) })
		out = append(out, batchesOf(l, records, size)...)
	}
	return out
}

func batchesOf(log string, records []made, size int) (out []*event.Batch) {
	for i := 0; i < len(records); i += size {
		b := &event.Batch{}
		for j, m := range records[i:min(i+size, len(records))] {
			e := b.Begin(int64(i+j)*100, "raw")
			e.Time, e.ID = m.time, fmt.Sprintf("%s-%010x", log, i+j)
			for k := 0; k+1 < len(m.fields); k += 2 {
				b.Add(m.fields[k], m.fields[k+1])
			}
		}
		out = append(out, b)
	}
	return out
}
