package enrich

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// corpusGeo opens the test databases of the corpus.
func corpusGeo(t *testing.T) *Geo {
	dir := os.Getenv("SEXTANT_CORPUS")
	if dir == "" {
		dir = "../../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "geoip_test_db", "*.mmdb"))
	if len(files) == 0 {
		t.Skip("no geolocation databases in the corpus")
	}
	slices.Sort(files)
	g, err := OpenGeo(files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func located(en *Enricher, fields ...string) []string {
	var b event.Batch
	b.Begin(0, "raw")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		b.Add(name, value)
	}
	en.Enrich(&b)
	var out []string
	for _, f := range b.Event().Fields[len(fields):] {
		if strings.Contains(f.Name, ".geo.") || strings.Contains(f.Name, ".as.") {
			out = append(out, f.Name+"="+f.Value)
		}
	}
	return out
}

func TestAddressesGetPlaceAndNetworkOfBothEnds(t *testing.T) {
	en := Enricher{Geo: corpusGeo(t)}
	// 81.2.69.0/24 and 89.160.20.112 are in MaxMind's published test data.
	got := located(&en, "source.ip=81.2.69.142", "destination.ip=89.160.20.112")
	for _, want := range []string{"source.geo.country_iso_code=GB", "source.geo.city_name=London", "source.geo.location.lat=51.5142", "destination.geo.country_iso_code=SE", "destination.as.number=29518"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	if again := located(&en, "source.ip=81.2.69.142", "destination.ip=89.160.20.112"); !slices.Equal(got, again) {
		t.Errorf("from memory %q, first %q", again, got)
	}
}

func TestWhatTheRecordSaysOfPlacesStaysAndOwnAddressesHaveNone(t *testing.T) {
	en := Enricher{Geo: corpusGeo(t)}
	if got := located(&en, "source.ip=81.2.69.142", "source.geo.country_iso_code=FR"); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := located(&en, "source.ip=10.1.2.3", "destination.ip=::1"); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestADamagedDatabaseIsToldAndEndsNothing(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.mmdb")
	os.WriteFile(bad, []byte("no database"), 0o600)
	if _, err := OpenGeo([]string{bad}); err == nil || !strings.Contains(err.Error(), "bad.mmdb") {
		t.Errorf("%v", err)
	}
	if _, err := OpenGeo([]string{filepath.Join(dir, "missing.mmdb")}); err == nil {
		t.Error("a missing database is opened")
	}
	// Bytes turned over in a real one: whatever comes of it, no panic.
	corpus := corpusGeo(t)
	_ = corpus
	src := os.Getenv("SEXTANT_CORPUS")
	if src == "" {
		src = "../../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(src, "geoip_test_db", "GeoLite2-City.mmdb"))
	if err != nil {
		t.Skip(err)
	}
	for i := 0; i < 40; i++ {
		broken := slices.Clone(data)
		for j := i * 97; j < len(broken)-2000; j += 4001 + i {
			broken[j] ^= byte(i + 1)
		}
		path := filepath.Join(dir, "broken.mmdb")
		os.WriteFile(path, broken, 0o600)
		g, err := OpenGeo([]string{path})
		if err != nil {
			continue
		}
		en := Enricher{Geo: g}
		located(&en, "source.ip=81.2.69.142", "destination.ip=2001:218::1")
		g.Close()
	}
}
