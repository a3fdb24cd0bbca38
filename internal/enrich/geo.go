package enrich

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/sextant-logs/sextant/internal/event"
)

// Geo says where addresses are and whose network they are of, from databases in
// MaxMind's format (https://maxmind.github.io/MaxMind-DB/): cities, countries,
// autonomous systems, in any number; the first that knows a thing decides. It may be used by many goroutines.
type Geo struct {
	readers []*maxminddb.Reader
}

// OpenGeo opens databases.
func OpenGeo(files []string) (*Geo, error) {
	g := &Geo{}
	for _, f := range files {
		r, err := maxminddb.Open(f)
		if err != nil {
			g.Close()
			return nil, fmt.Errorf("geolocation database %s: %w", f, err)
		}
		if r.Metadata.IPVersion != 4 && r.Metadata.IPVersion != 6 {
			r.Close()
			g.Close()
			return nil, fmt.Errorf("geolocation database %s: no database of addresses", f)
		}
		g.readers = append(g.readers, r)
	}
	return g, nil
}

// Close closes the databases.
func (g *Geo) Close() error {
	if g == nil {
		return nil
	}
	var err error
	for _, r := range g.readers {
		if e := r.Close(); e != nil {
			err = e
		}
	}
	return err
}

// place is what the databases know of an address: pairs of what follows
// "source." in a field's name, and the value.
type place []event.Field

// geoRecord is what the databases of cities, countries and autonomous systems hold (GeoIP2 and
// GeoLite2; others use the same names).
type geoRecord struct {
	Continent struct {
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"continent"`
	Country struct {
		Code  string            `maxminddb:"iso_code"`
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Code  string            `maxminddb:"iso_code"`
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"city"`
	Location struct {
		Latitude  *float64 `maxminddb:"latitude"`
		Longitude *float64 `maxminddb:"longitude"`
	} `maxminddb:"location"`
	Number       uint   `maxminddb:"autonomous_system_number"`
	Organization string `maxminddb:"autonomous_system_organization"`
}

// lookUp asks the databases. A record that cannot be read is none: a damaged
// database does not end an investigation.
func (g *Geo) lookUp(a netip.Addr) place {
	var p place
	add := func(name, value string, kind event.Kind) {
		if value == "" || len(value) > 256 {
			return
		}
		for _, f := range p {
			if f.Name == name {
				return
			}
		}
		p = append(p, event.Field{Name: name, Value: strings.ToValidUTF8(value, "\uFFFD"), Kind: kind})
	}
	for _, r := range g.readers {
		if r.Metadata.IPVersion == 4 && !a.Is4() {
			continue
		}
		found := r.Lookup(a)
		var rec geoRecord
		if found.Err() != nil || !found.Found() || found.Decode(&rec) != nil {
			continue
		}
		add("geo.continent_name", rec.Continent.Names["en"], event.String)
		add("geo.country_iso_code", rec.Country.Code, event.String)
		add("geo.country_name", rec.Country.Names["en"], event.String)
		if len(rec.Subdivisions) > 0 {
			if code := rec.Subdivisions[0].Code; code != "" && rec.Country.Code != "" {
				add("geo.region_iso_code", rec.Country.Code+"-"+code, event.String)
			}
			add("geo.region_name", rec.Subdivisions[0].Names["en"], event.String)
		}
		add("geo.city_name", rec.City.Names["en"], event.String)
		if rec.Location.Latitude != nil && rec.Location.Longitude != nil {
			add("geo.location.lat", strconv.FormatFloat(*rec.Location.Latitude, 'f', -1, 64), event.Number)
			add("geo.location.lon", strconv.FormatFloat(*rec.Location.Longitude, 'f', -1, 64), event.Number)
		}
		if rec.Number != 0 {
			add("as.number", strconv.FormatUint(uint64(rec.Number), 10), event.Number)
		}
		add("as.organization.name", rec.Organization, event.String)
	}
	return p
}

// maxPlaces bounds the addresses that an Enricher remembers of each end.
const maxPlaces = 20_000

// locate adds where an end of a connection is, if it is on the internet and the
// record does not say so itself.
func (en *Enricher) locate(b *event.Batch, end, ip string) {
	if ip == "" {
		return
	}
	places := &en.places[0]
	if end != "source." {
		places = &en.places[1]
	}
	p, known := (*places)[ip]
	if !known {
		if a, err := netip.ParseAddr(ip); err == nil && !internal(a) {
			p = en.Geo.lookUp(a.Unmap().WithZone(""))
		}
		if *places == nil || len(*places) >= maxPlaces {
			*places = map[string]place{}
		}
		for i := range p {
			p[i].Name = end + p[i].Name
		}
		(*places)[strings.Clone(ip)] = p
	}
	if len(p) == 0 {
		return
	}
	e := b.Event()
	for i := range e.Fields {
		if strings.HasPrefix(e.Fields[i].Name, end+"geo.") {
			return
		}
	}
	for _, f := range p {
		b.AddKind(f.Name, f.Value, f.Kind)
	}
}
