package analyze

import (
	"slices"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"

	"github.com/sextant-logs/sextant/internal/prose"
)

// distinct counts different values: exactly up to exactValues, then by
// HyperLogLog (Flajolet et al. 2007; with 2^10 registers 3 % off) in a KiB. Merging
// in any order gives the same.
type distinct struct {
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
	if o.sketch == nil {
		for _, h := range o.hashes {
			d.add(h)
		}
		return
	}
	if d.sketch == nil {
		hashes := d.hashes
		d.hashes, d.sketch = nil, o.sketch.Clone()
		for _, h := range hashes {
			d.sketch.InsertHash(h)
		}
		return
	}
	d.sketch.Merge(o.sketch) // fails for other precisions only
}

func (d *distinct) count() int {
	if d.sketch == nil {
		return len(d.hashes)
	}
	return max(int(d.sketch.Estimate()), exactValues)
}

// different says of how many different values so many records tell: beyond exactValues it is an estimate, and never more than
// there are records.
func different(values, records int, one, many string) string {
	if values <= exactValues {
		return prose.Count(values, one, many)
	}
	return "about " + prose.Count(min(values, records), one, many)
}
