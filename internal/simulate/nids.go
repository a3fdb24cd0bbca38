// Package simulate writes the logs of things that never happened, for
// demonstrations, tests and measurements: the same seed gives the same bytes.
package simulate

import (
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"time"
)

// NIDSHeader is the first line of the log that WriteNIDS writes.
const NIDSHeader = "timestamp,user_id,source_ip,destination_ip,action,success"

// NIDSOptions says what network intrusion detection log to write. Rows is the
// number of records; every other zero value has a fixed default, so that the
// same Rows and Seed always give the same bytes.
type NIDSOptions struct {
	Rows  int
	Seed  uint64
	Start time.Time     // of the first day; zero means 2026-01-05 00:00 UTC, a Monday
	Span  time.Duration // that the log covers, about; zero means seven days
	Users int           // people and services in the world; zero chooses by Rows
}

// WriteNIDS writes a CSV log of a made-up network: NIDSHeader and Rows lines
// in time order, timestamps in RFC 3339 UTC with milliseconds, success spelt
// true or false.
//
// A few users are very active and many are seen once, as in Zipf's law; days
// and weeks have busy and quiet hours; each user works from an address or two
// and succeeds at a rate of their own. About one record in twenty belongs to
// an attack: guessing one user's password, trying many users from one address,
// or a port scan, all from documentation addresses (RFC 5737).
//
// Everything is computed with integers from one generator, so the bytes are
// the same on every platform and with every version of Go.
func WriteNIDS(w io.Writer, o NIDSOptions) error {
	n, err := newNIDS(o)
	if err != nil {
		return err
	}
	const chunk = 64 << 10
	buf := make([]byte, 0, chunk+256)
	buf = append(buf, NIDSHeader...)
	buf = append(buf, '\n')
	for range o.Rows {
		buf = n.appendRow(buf)
		if len(buf) >= chunk {
			if _, err := w.Write(buf); err != nil {
				return fmt.Errorf("write NIDS log: %w", err)
			}
			buf = buf[:0]
		}
	}
	if _, err := w.Write(buf); err != nil {
		return fmt.Errorf("write NIDS log: %w", err)
	}
	return nil
}

// Actions of the log, with how many of 256 ordinary records they make up and
// how many in 1,000 succeed; a login succeeds at its user's own rate.
const (
	nidsLogin = iota
	nidsFile
	nidsTransfer
	nidsLogout
	nidsPrivilege
	nidsScan
)

var nidsActions = [...]struct {
	name           string
	share, success uint32
}{
	nidsLogin:     {",login_attempt,", 114, 0},
	nidsFile:      {",file_access,", 58, 962},
	nidsTransfer:  {",data_transfer,", 34, 941},
	nidsLogout:    {",logout,", 36, 998},
	nidsPrivilege: {",privilege_change,", 8, 720},
	nidsScan:      {",port_scan,", 6, 310},
}

// nidsRates is how busy each hour is, weekday and weekend.
var nidsRates = [2][24]uint64{
	{5, 4, 3, 3, 4, 6, 12, 28, 58, 74, 78, 76, 62, 70, 78, 76, 68, 52, 30, 20, 15, 12, 9, 7},
	{4, 3, 3, 2, 2, 3, 4, 6, 9, 12, 14, 14, 12, 12, 13, 12, 11, 10, 9, 9, 8, 7, 6, 5},
}

const nidsHour = int64(time.Hour / time.Microsecond)

// nids is the world at work. Times are microseconds since the Unix epoch.
type nids struct {
	rng    nidsRNG
	salt   uint64 // makes a user's addresses and habits differ by seed
	users  nidsAlias
	names  []uint32 // rank to number in the name
	digits int

	now, hourEnd int64
	gap          uint64 // mean gap between records at the mean rate
	rate, mean   uint64 // of this hour; of the whole span, times 256

	second int64
	stamp  []byte // "2026-01-05T10:00:00" of second
	attack nidsAttack
	octets [256]string
}

func newNIDS(o NIDSOptions) (*nids, error) {
	if o.Rows < 0 {
		return nil, fmt.Errorf("simulate nids: rows must not be negative, got %d", o.Rows)
	}
	if o.Users < 0 || o.Users > 10_000_000 {
		return nil, fmt.Errorf("simulate nids: users must be 0 to 10,000,000, got %d", o.Users)
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	}
	if o.Span == 0 {
		o.Span = 7 * 24 * time.Hour
	}
	if o.Span < 0 || o.Span > 100*366*24*time.Hour {
		return nil, fmt.Errorf("simulate nids: span must be positive and at most 100 years, got %v", o.Span)
	}
	if y := o.Start.UTC().Year(); y < 1 || y > 9000 {
		return nil, fmt.Errorf("simulate nids: start must be in the years 1 to 9000, got %d", y)
	}
	if o.Users == 0 {
		o.Users = min(max(o.Rows/8, 20), 50_000)
	}

	n := &nids{rng: nidsRNG(o.Seed), digits: max(4, len(strconv.Itoa(o.Users-1)))}
	for i := range n.octets {
		n.octets[i] = strconv.Itoa(i)
	}
	n.salt = n.rng.next()
	// Weights fall as 1/(rank+3): the first is not overwhelming, the last are
	// seen once or not at all.
	weights := make([]uint64, o.Users)
	for i := range weights {
		weights[i] = 1 << 32 / uint64(i+3)
	}
	n.users = newNIDSAlias(weights)
	n.names = make([]uint32, o.Users)
	for i := range n.names {
		j := n.rng.below(uint32(i + 1))
		n.names[i] = n.names[j]
		n.names[j] = uint32(i)
	}

	n.now = o.Start.UnixMicro()
	n.hourEnd = n.now
	n.gap = uint64(o.Span.Microseconds()) / uint64(max(o.Rows, 1))
	hours := max(1, int64(o.Span/time.Hour))
	for h := range hours {
		n.mean += nidsRate(n.now + h*nidsHour)
	}
	n.mean = n.mean * 256 / uint64(hours)
	n.second = n.now/1e6 - 1
	return n, nil
}

// nidsRate returns how busy the hour of a time is.
func nidsRate(micros int64) uint64 {
	hours := floorDiv(micros, nidsHour)
	day := (floorDiv(hours, 24)%7 + 7 + 3) % 7 // the epoch was a Thursday; 0 is Monday
	weekend := 0
	if day >= 5 {
		weekend = 1
	}
	return nidsRates[weekend][((hours%24)+24)%24]
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// tick moves the clock on by an exponentially distributed gap, which is used
// up faster in busy hours.
//
// Its quantile −log₂(u) is taken as the number of leading zeros of u plus a
// straight line in between, whose mean is 3/2 instead of 1/ln 2: close enough
// for a log, and the same on every machine.
func (n *nids) tick() {
	u := n.rng.next() | 1
	zeros := min(bits.LeadingZeros64(u), 20)
	u <<= zeros
	draw := uint64(zeros)<<16 + (-u)>>47&0xffff // mean 1.5 × 2¹⁶
	hi, lo := bits.Mul64(n.gap, draw*n.mean)
	work, _ := bits.Div64(hi, lo, (3<<15)*256)
	for {
		if n.now >= n.hourEnd {
			n.rate = nidsRate(n.now)
			n.hourEnd = (floorDiv(n.now, nidsHour) + 1) * nidsHour
		}
		left := uint64(n.hourEnd-n.now) * n.rate
		if work < left {
			n.now += int64(work / n.rate)
			return
		}
		work -= left
		n.now = n.hourEnd
	}
}

// nidsAttack is a burst of records that others interrupt.
type nidsAttack struct {
	left        uint32
	action      int
	spray       bool
	user        uint32
	source      [4]byte
	destination uint32
}

func (n *nids) appendRow(dst []byte) []byte {
	n.tick()
	var (
		user        uint32
		source      [4]byte
		destination uint32
		action      int
		chance      uint32 // of success, in 1,000
	)
	a := &n.attack
	if a.left == 0 && n.rng.below(480) == 0 {
		n.startAttack()
	}
	if a.left > 0 && n.rng.below(4) != 0 {
		a.left--
		user, source, destination, action, chance = a.user, a.source, a.destination, a.action, 15
		if a.spray {
			user = n.rng.below(uint32(len(n.names)))
		}
		if action == nidsScan {
			a.destination++
			chance = 120
		}
	} else {
		user = n.users.draw(&n.rng)
		pick := n.rng.below(256)
		for pick >= nidsActions[action].share {
			pick -= nidsActions[action].share
			action++
		}
		source = n.workplace(user)
		destination = min(n.rng.below(40), n.rng.below(40)) // some servers are busier
		chance = nidsActions[action].success
		if action == nidsLogin {
			chance = n.skill(user)
		}
	}

	dst = n.appendTime(dst)
	dst = append(dst, ",user_"...)
	dst = appendPadded(dst, n.names[user], n.digits)
	dst = append(dst, ',')
	dst = n.appendAddress(dst, source)
	dst = append(dst, ',')
	dst = n.appendAddress(dst, [4]byte{10, 0, byte(destination / 16 % 250), byte(10 + destination%16)})
	dst = append(dst, nidsActions[action].name...)
	if n.rng.below(1000) < chance {
		return append(dst, "true\n"...)
	}
	return append(dst, "false\n"...)
}

func (n *nids) startAttack() {
	a := &n.attack
	r := n.rng.next()
	*a = nidsAttack{left: 6 + n.rng.below(36), action: nidsLogin, destination: n.rng.below(40)}
	a.source = [4]byte{198, 51, 100, byte(1 + r%254)}
	if r>>32&1 == 1 {
		a.source = [4]byte{203, 0, 113, byte(1 + r%254)}
	}
	a.user = n.users.draw(&n.rng)
	switch r >> 40 % 4 {
	case 0:
		a.spray = true
	case 1:
		a.action = nidsScan
		a.source = n.workplace(a.user) // a scan shows only from within
	}
}

// workplace returns an address the user works from: mostly the first of two,
// now and then one outside.
func (n *nids) workplace(user uint32) [4]byte {
	place := n.rng.below(20)
	switch {
	case place == 0:
		return [4]byte{192, 0, 2, byte(1 + n.rng.below(254))}
	case place < 4:
		user = ^user
	}
	h := nidsMix(n.salt ^ uint64(user))
	return [4]byte{10, byte(20 + h%16), byte(h >> 8), byte(1 + h>>16%254)}
}

// skill returns how many of a user's 1,000 logins succeed; one user in forty
// has a stale password somewhere.
func (n *nids) skill(user uint32) uint32 {
	h := nidsMix(n.salt + uint64(user))
	if h%40 == 0 {
		return 100 + uint32(h>>8%200)
	}
	return 780 + uint32(h>>8%210)
}

func (n *nids) appendAddress(dst []byte, a [4]byte) []byte {
	dst = append(dst, n.octets[a[0]]...)
	dst = append(dst, '.')
	dst = append(dst, n.octets[a[1]]...)
	dst = append(dst, '.')
	dst = append(dst, n.octets[a[2]]...)
	dst = append(dst, '.')
	return append(dst, n.octets[a[3]]...)
}

// appendTime writes the clock as RFC 3339; the part that changes once a second
// is kept.
func (n *nids) appendTime(dst []byte) []byte {
	second := floorDiv(n.now, 1e6)
	if second != n.second {
		n.second = second
		n.stamp = time.Unix(second, 0).UTC().AppendFormat(n.stamp[:0], "2006-01-02T15:04:05")
	}
	dst = append(dst, n.stamp...)
	dst = append(dst, '.')
	dst = appendPadded(dst, uint32(n.now-second*1e6)/1000, 3)
	return append(dst, 'Z')
}

func appendPadded(dst []byte, v uint32, digits int) []byte {
	var b [10]byte
	i := len(b)
	for v > 0 || len(b)-i < digits {
		i--
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, b[i:]...)
}

// nidsRNG is SplitMix64 (Steele, Lea, Flood 2014): fast, good enough, and
// short enough never to change under us.
type nidsRNG uint64

func (r *nidsRNG) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return nidsMix(uint64(*r))
}

func nidsMix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below returns a number less than n; its bias is less than n in 2³².
func (r *nidsRNG) below(n uint32) uint32 {
	return uint32(r.next() >> 32 * uint64(n) >> 32)
}

// nidsAlias draws an index by weight in constant time (Vose 1991).
type nidsAlias struct {
	keep  []uint64 // of total, the share in which the index itself is drawn
	other []uint32
	total uint64
}

func newNIDSAlias(weights []uint64) nidsAlias {
	n := len(weights)
	a := nidsAlias{keep: make([]uint64, n), other: make([]uint32, n)}
	for _, w := range weights {
		a.total += w
	}
	var small, large []uint32
	for i, w := range weights {
		a.keep[i] = w * uint64(n)
		a.other[i] = uint32(i)
		if a.keep[i] < a.total {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = l
		a.keep[l] -= a.total - a.keep[s]
		if a.keep[l] < a.total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return a
}

func (a *nidsAlias) draw(r *nidsRNG) uint32 {
	i := r.below(uint32(len(a.keep)))
	hi, _ := bits.Mul64(r.next(), a.total)
	if hi < a.keep[i] {
		return i
	}
	return a.other[i]
}
