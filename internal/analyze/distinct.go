package analyze

import (
	"slices"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"

	"github.com/sextant-logs/sextant/internal/prose"
)

// distinct counts different values: exactly up to exactValues, then by
// HyperLogLog (Flajolet et al. 2007; with 2^10 registers 3 % off) in a KiB. Merging
// in any order gives the same. Most have but one value, and take 16 bytes.
type distinct struct {
	one  uint64 // 0: there is none, or more
	more *several
}

// several are two values and more.
type several struct {
	hashes []uint64 // sorted
	sketch *hyperloglog.Sketch
}

const (
	exactValues     = 128
	sketchPrecision = 10
)

// hashOf is the hash by which values are counted; the same in every run.
func hashOf(s string) uint64 { return mix(xxhash.Sum64String(s)) }

// mix spreads a hash over all bits (splitmix64's finaliser), so that its top bits, which
// HyperLogLog reads, are as good as the rest.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (d *distinct) add(hash uint64) {
	hash = max(hash, 1)
	switch {
	case d.more != nil:
		d.more.add(hash)
	case d.one == 0:
		d.one = hash
	case d.one != hash:
		d.more = &several{hashes: []uint64{min(d.one, hash), max(d.one, hash)}}
		d.one = 0
	}
}

func (d *several) add(hash uint64) {
	if d.sketch != nil {
		d.sketch.InsertHash(hash)
		return
	}
	i, found := slices.BinarySearch(d.hashes, hash)
	if found {
		return
	}
	if len(d.hashes) < exactValues {
		d.hashes = slices.Insert(d.hashes, i, hash)
		return
	}
	d.sketch, _ = hyperloglog.NewSketch(sketchPrecision, false) // fails for other precisions only
	for _, h := range d.hashes {
		d.sketch.InsertHash(h)
	}
	d.sketch.InsertHash(hash)
	d.hashes = nil
}

func (d *distinct) merge(o *distinct) {
	switch {
	case o.one != 0:
		d.add(o.one)
	case o.more == nil:
	case o.more.sketch == nil:
		for _, h := range o.more.hashes {
			d.add(h)
		}
	case d.more == nil || d.more.sketch == nil:
		sketch := o.more.sketch.Clone()
		if d.one != 0 {
			sketch.InsertHash(d.one)
		}
		if d.more != nil {
			for _, h := range d.more.hashes {
				sketch.InsertHash(h)
			}
		}
		*d = distinct{more: &several{sketch: sketch}}
	default:
		d.more.sketch.Merge(o.more.sketch) // fails for other precisions only
	}
}

func (d *distinct) count() int {
	switch {
	case d.one != 0:
		return 1
	case d.more == nil:
		return 0
	case d.more.sketch == nil:
		return len(d.more.hashes)
	}
	return max(int(d.more.sketch.Estimate()), exactValues)
}

// different says of how many different values so many records tell: beyond exactValues it is an estimate, and never more than
// there are records.
func different(values, records int, one, many string) string {
	if values <= exactValues {
		return prose.Count(values, one, many)
	}
	return "about " + prose.Count(min(values, records), one, many)
}
