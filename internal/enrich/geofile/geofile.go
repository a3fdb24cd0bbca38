// Package geofile writes databases of places in MaxMind's format
// (https://maxmind.github.io/MaxMind-DB/, version 2.0), so that tests and measurements
// need no database that somebody else made.
package geofile

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
)

// Place is what the database says of a network.
type Place struct {
	Network             netip.Prefix // of either family; networks must not overlap
	Country, City       string       // ISO 3166 code; English name
	Latitude, Longitude float64
}

// node is a bit of an address: where each value of it leads. 0 leads nowhere, a positive
// number is a node, a negative one the place before the last.
type node [2]int

// Database returns a database of cities that knows the places.
func Database(places []Place) ([]byte, error) {
	tree := []node{{}}
	for i, p := range places {
		a, bits := p.Network.Masked().Addr(), p.Network.Bits()
		if !p.Network.IsValid() || bits == 0 {
			return nil, fmt.Errorf("place %d: no network", i)
		}
		var b [16]byte
		if a.Is4() { // lies at ::/96
			four := a.As4()
			copy(b[12:], four[:])
			bits += 96
		} else {
			b = a.As16()
		}
		at := 0
		for n := range bits {
			next := &tree[at][b[n/8]>>(7-n%8)&1]
			switch {
			case *next < 0 || n == bits-1 && *next > 0:
				return nil, fmt.Errorf("place %d: %s overlaps another network", i, p.Network)
			case n == bits-1:
				*next = -i - 1
			case *next == 0:
				tree = append(tree, node{})
				tree[at][b[n/8]>>(7-n%8)&1] = len(tree) - 1
				at = len(tree) - 1
			default:
				at = *next
			}
		}
	}
	var data []byte
	offsets := make([]int, len(places))
	for i, p := range places {
		offsets[i] = len(data)
		data = control(data, 7, 3)
		data = text(data, "city")
		data = control(data, 7, 1)
		data = text(data, "names")
		data = control(data, 7, 1)
		data = text(text(data, "en"), p.City)
		data = text(data, "country")
		data = control(data, 7, 1)
		data = text(text(data, "iso_code"), p.Country)
		data = text(data, "location")
		data = control(data, 7, 2)
		data = double(text(data, "latitude"), p.Latitude)
		data = double(text(data, "longitude"), p.Longitude)
	}
	const separator = 16 // zero bytes between the tree and what it leads to
	if len(tree)+separator+len(data) >= 1<<24 {
		return nil, fmt.Errorf("%d places are too many for records of 24 bits", len(places))
	}
	var out []byte
	for _, n := range tree {
		for _, to := range n {
			switch {
			case to == 0:
				to = len(tree)
			case to < 0:
				to = len(tree) + separator + offsets[-to-1]
			}
			out = append(out, byte(to>>16), byte(to>>8), byte(to))
		}
	}
	out = append(out, make([]byte, separator)...)
	out = append(out, data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	out = control(out, 7, 6)
	for _, m := range []struct {
		name  string
		value uint32
	}{{"binary_format_major_version", 2}, {"binary_format_minor_version", 0}, {"ip_version", 6}, {"node_count", uint32(len(tree))}, {"record_size", 24}} {
		out = control(text(out, m.name), 6, 4)
		out = binary.BigEndian.AppendUint32(out, m.value)
	}
	return text(text(out, "database_type"), "City"), nil
}

// maxText is the longest text whose length takes one more byte.
const maxText = 29 + 255

// control begins a value: its type (3 bits) and size (5 bits, or one more byte; "Data Field Format").
func control(dst []byte, kind byte, size int) []byte {
	if size < 29 {
		return append(dst, kind<<5|byte(size))
	}
	return append(dst, kind<<5|29, byte(size-29))
}

func text(dst []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	return append(control(dst, 2, len(s)), s...)
}

func double(dst []byte, x float64) []byte {
	return binary.BigEndian.AppendUint64(control(dst, 3, 8), math.Float64bits(x))
}
