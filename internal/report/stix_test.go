package report

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/verdict"
)

func TestABundleIsWhatSTIXWants(t *testing.T) {
	in := incident.Incident{
		ID: "0123", Title: "SSH brute force from 203.0.113.9 <b>", Score: 80, Severity: "critical",
		When:    incident.When{First: "2024-03-04T10:00:10Z", Last: "2024-03-04T10:00:50.123456Z"},
		Where:   incident.Where{Hosts: []string{"web1", "db1"}, Sources: []string{"10.0.0.9", "203.0.113.9", "2001:db8::7", "no address"}, Destinations: []string{"192.0.2.4"}},
		Who:     incident.Who{Users: []string{"deploy", `o'brien`}},
		Outcome: incident.Outcome{Result: incident.Succeeded, Why: []incident.Sentence{{Text: "It did.", Evidence: []string{"a"}}}},
		Impact:  incident.Impact{Level: "high"}, Techniques: []string{"T1078", "T1110.001"}, Evidence: []string{"a"},
	}
	quiet, timeless := in, in
	quiet.ID, timeless.ID = "0456", "0789"
	quiet.Where.Sources = []string{"198.51.100.200"}
	timeless.When = incident.When{}
	inv := &Investigation{Case: Case{Name: "c", Last: "2024-03-04T12:00:00Z"}, Incidents: []incident.Incident{in, quiet, timeless},
		Verdicts: map[string]verdict.State{"0456": {Kind: verdict.Incident, Verdict: verdict.FalsePositive},
			"0123": {Kind: verdict.Incident, Verdict: verdict.TruePositive, Tags: []string{"urgent"}, Notes: []verdict.Note{{Text: "note", Time: "2024-03-05T00:00:00Z", By: "alice"}}}}}
	data, err := STIX(inv)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := STIX(inv)
	if !slices.Equal(data, again) {
		t.Error("twice the same is not the same")
	}
	var bundle struct {
		Type, ID string
		Objects  []map[string]any
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`^[a-z0-9-]+--[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if bundle.Type != "bundle" || !id.MatchString(bundle.ID) {
		t.Errorf("%s %s", bundle.Type, bundle.ID)
	}
	required := map[string][]string{
		"identity": {"name", "identity_class"}, "report": {"name", "published", "object_refs"}, "indicator": {"pattern", "pattern_type", "valid_from"},
		"attack-pattern": {"name"}, "observed-data": {"first_observed", "last_observed", "number_observed", "object_refs"},
		"relationship": {"relationship_type", "source_ref", "target_ref"}, "note": {"content", "object_refs"},
		"ipv4-addr": {"value"}, "ipv6-addr": {"value"}, "user-account": {"account_login"},
	}
	observable := []string{"ipv4-addr", "ipv6-addr", "user-account"}
	known, kinds := map[string]bool{}, map[string]int{}
	for _, o := range bundle.Objects {
		kind, _ := o["type"].(string)
		kinds[kind]++
		name, _ := o["id"].(string)
		if known[name] || !id.MatchString(name) || o["spec_version"] != "2.1" {
			t.Errorf("%v", o)
		}
		known[name] = true
		properties := required[kind]
		if !slices.Contains(observable, kind) {
			properties = append(slices.Clone(properties), "created", "modified")
		}
		for _, p := range properties {
			if o[p] == nil || o[p] == "" {
				t.Errorf("%s %s has no %s", kind, name, p)
			}
		}
		for _, p := range []string{"created", "modified", "valid_from", "published", "first_observed", "last_observed"} {
			if s, ok := o[p].(string); ok {
				if _, err := time.Parse("2006-01-02T15:04:05.000Z", s); err != nil {
					t.Errorf("%s of %s: %s", p, name, s)
				}
			}
		}
	}
	for _, o := range bundle.Objects {
		refs, _ := o["object_refs"].([]any)
		for _, p := range []string{"created_by_ref", "source_ref", "target_ref"} {
			if o[p] != nil {
				refs = append(refs, o[p])
			}
		}
		for _, r := range refs {
			if s, _ := r.(string); !known[s] {
				t.Errorf("%s refers to %s, which is not there", o["id"], s)
			}
		}
	}
	for kind := range required {
		if kinds[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
	if kinds["report"] != 2 {
		t.Errorf("%d reports: what is a false positive is not told", kinds["report"])
	}
	// The id of an address is the one that every producer gives it (STIX 2.1 §2.9).
	if !known["ipv4-addr--39090fdc-366e-571f-ab5b-d05e2918f88f"] {
		t.Error("the address has another id")
	}
}
