package geofile_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/enrich/geofile"
	"github.com/sextant-logs/sextant/internal/event"
)

func TestADatabaseThatWasWrittenTellsWhereAddressesOfBothFamiliesAre(t *testing.T) {
	data, err := geofile.Database([]geofile.Place{
		{netip.MustParsePrefix("198.51.100.0/25"), "DE", "Berlin", 52.5, 13.4},
		{netip.MustParsePrefix("198.51.100.128/25"), "AU", strings.Repeat("Long", 30), -33.9, 151.2},
		{netip.MustParsePrefix("203.0.113.7/32"), "BR", "São Paulo", -23.5, -46.6},
		{netip.MustParsePrefix("2001:db8:1::/48"), "JP", "Tokyo", 35.7, 139.7},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "places.mmdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	geo, err := enrich.OpenGeo([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer geo.Close()
	en := enrich.Enricher{Geo: geo}
	for address, want := range map[string]string{"198.51.100.9": "DE Berlin 52.5", "198.51.100.200": "AU " + strings.Repeat("Long", 30) + " -33.9", "203.0.113.7": "BR São Paulo -23.5",
		"2001:db8:1::5": "JP Tokyo 35.7", "203.0.113.8": "  ", "2001:db8:2::5": "  ", "192.0.2.1": "  "} {
		var b event.Batch
		b.Begin(0, "raw")
		b.Add("source.ip", address)
		en.Enrich(&b)
		e := b.Event()
		if got := e.Get("source.geo.country_iso_code") + " " + e.Get("source.geo.city_name") + " " + e.Get("source.geo.location.lat"); got != want {
			t.Errorf("%s is at %q, not %q", address, got, want)
		}
	}
	if _, err := geofile.Database([]geofile.Place{{Network: netip.MustParsePrefix("10.0.0.0/8")}, {Network: netip.MustParsePrefix("10.1.0.0/16")}}); err == nil {
		t.Error("networks that overlap are taken")
	}
}
