package report

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/verdict"
)

func TestABundleIsWhatSTIXWants(t *testing.T) {
	in := incident.Incident{
		ID: "0123", Title: "SSH brute force from 203.0.113.9 <b>", Score: 80, Severity: "critical",
		When:    incident.When{First: "2024-03-04T10:00:10Z", Last: "2024-03-04T10:00:50.123456Z"},
		Where:   incident.Where{Hosts: []string{"web1", "db1"}, Sources: []string{"10.0.0.9", "203.0.113.9", "2001:db8::7", "no address"}, Destinations: []string{"192.0.2.4"}},
		Who:     incident.Who{Users: []string{"deploy", `o'brien`, "A&B <\u2028>"}},
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
	// What the standard lets a type have (§2.2, §3.2, §4, §5, §6), and no more: what
	// is not there would need an extension.
	common := []string{"type", "spec_version", "id", "created_by_ref", "created", "modified", "labels", "confidence", "external_references"}
	allowed := map[string][]string{
		"identity": {"name", "identity_class", "description"}, "report": {"name", "description", "report_types", "published", "object_refs"},
		"indicator": {"name", "pattern", "pattern_type", "indicator_types", "valid_from"}, "attack-pattern": {"name"},
		"observed-data": {"first_observed", "last_observed", "number_observed", "object_refs"}, "relationship": {"relationship_type", "source_ref", "target_ref"},
		"note": {"content", "object_refs", "authors"},
	}
	vocabularies := map[string][]string{
		"indicator_types": {"anomalous-activity", "anonymization", "benign", "compromised", "malicious-activity", "attribution", "unknown"},
		"report_types":    {"attack-pattern", "campaign", "identity", "indicator", "intrusion-set", "malware", "observed-data", "threat-actor", "threat-report", "tool", "vulnerability"},
	}
	between := []string{"indicator indicates attack-pattern", "indicator based-on observed-data", "attack-pattern targets identity"} // of those of §4
	pattern := regexp.MustCompile(`^\[ipv[46]-addr:value = '[0-9a-f.:]+'\]$`)
	typeOf := func(id any) string {
		s, _ := id.(string)
		kind, _, _ := strings.Cut(s, "--")
		return kind
	}
	for _, o := range bundle.Objects {
		kind := o["type"].(string)
		may := append(slices.Clone(common), allowed[kind]...)
		if slices.Contains(observable, kind) {
			may = append([]string{"type", "spec_version", "id"}, required[kind]...)
		}
		for p, v := range o {
			if list, ok := v.([]any); !slices.Contains(may, p) || ok && len(list) == 0 {
				t.Errorf("%s has %s: %v", kind, p, v)
			}
		}
		if kind != typeOf(o["id"]) {
			t.Errorf("%s is named %s", kind, o["id"])
		}
		for p, words := range vocabularies {
			list, _ := o[p].([]any)
			for _, w := range list {
				if !slices.Contains(words, w.(string)) {
					t.Errorf("%s: %s is not of the vocabulary", p, w)
				}
			}
		}
		switch kind {
		case "relationship":
			if how := typeOf(o["source_ref"]) + " " + o["relationship_type"].(string) + " " + typeOf(o["target_ref"]); !slices.Contains(between, how) {
				t.Errorf("relationship %s", how)
			}
		case "observed-data":
			for _, r := range o["object_refs"].([]any) {
				if !slices.Contains(observable, typeOf(r)) {
					t.Errorf("observed %s", r)
				}
			}
			if o["first_observed"].(string) > o["last_observed"].(string) {
				t.Errorf("observed from %s to %s", o["first_observed"], o["last_observed"])
			}
		case "indicator":
			if !pattern.MatchString(o["pattern"].(string)) || o["pattern_type"] != "stix" {
				t.Errorf("pattern %s", o["pattern"])
			}
		case "identity":
			if o["identity_class"] != "system" {
				t.Errorf("class %s", o["identity_class"])
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
	// RFC 8785 escapes no more than JSON must.
	if !known["user-account--"+uuid.NewSHA1(stixObservable, []byte("{\"account_login\":\"A&B <\u2028>\"}")).String()] {
		t.Error("the account has another id")
	}
}
