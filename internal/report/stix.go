package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/verdict"
)

// STIX writes incidents as a STIX 2.1 bundle (OASIS Standard, 10 June 2021):
// for each a report that refers to what was observed (observed-data with
// addresses, accounts and hosts), to indicators for the addresses outside that
// it came from, and to the attack patterns, with the relationships between them.
//
// Ids are UUIDv5, so that the same case gives the same bundle and a receiver
// that gets it twice has each object once: cyber-observable objects under the
// namespace that the standard gives them (§2.9), all others under Sextant's own.
// What was marked a false positive or benign is left out.

// stixSpace is the namespace of this program's own objects.
var stixSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/sextant-logs/sextant/stix"))

// stixObservable is that of cyber-observable objects (STIX 2.1 §2.9).
var stixObservable = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")

// stixObject is one object; encoding/json writes its keys sorted.
type stixObject map[string]any

type stixBundle struct {
	objects map[string]stixObject
	order   []string
	maker   string // id of the identity of who made it
	at      string // created and modified of what belongs to no incident
}

const stixTime = "2006-01-02T15:04:05.000Z" // §3.2: RFC 3339, UTC; three digits are the most that all receivers take

// STIX is the bundle as indented JSON.
func STIX(inv *Investigation) ([]byte, error) {
	b := &stixBundle{objects: map[string]stixObject{}, at: stixStamp(inv.Case.Last)}
	b.maker = b.add("identity", "maker", "", b.at, stixObject{"name": "Sextant", "identity_class": "system", "description": "Answers made from logs by Sextant " + clean(inv.Case.Version)})
	for i := range inv.Incidents {
		in := &inv.Incidents[i]
		if v := inv.Verdicts[in.ID].Verdict; v == verdict.FalsePositive || v == verdict.Benign {
			continue
		}
		b.incident(inv, in)
	}
	list := make([]stixObject, len(b.order))
	for i, id := range b.order {
		list[i] = b.objects[id]
	}
	key := inv.Case.Name + "\x00" + strings.Join(b.order, "\x00")
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(stixObject{"type": "bundle", "id": "bundle--" + uuid.NewSHA1(stixSpace, []byte(key)).String(), "objects": list})
	return out.Bytes(), err
}

func stixStamp(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t = time.Unix(0, 0) // a time is required
	}
	return t.UTC().Format(stixTime)
}

// clean is text as it may stand in a document that others show.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// add adds a domain or relationship object, once, and returns its id. By "" it
// has no maker: only the maker itself.
func (b *stixBundle) add(kind, key, by, at string, o stixObject) string {
	id := kind + "--" + uuid.NewSHA1(stixSpace, []byte(kind+"\x00"+key)).String()
	if b.objects[id] != nil {
		return id
	}
	o["type"], o["spec_version"], o["id"], o["created"], o["modified"] = kind, "2.1", id, at, at
	if by != "" {
		o["created_by_ref"] = by
	}
	b.objects[id] = o
	b.order = append(b.order, id)
	return id
}

// observe adds a cyber-observable object, whose id follows from the properties
// that identify it.
func (b *stixBundle) observe(kind string, o stixObject) string {
	id := kind + "--" + uuid.NewSHA1(stixObservable, canonical(o)).String()
	if b.objects[id] == nil {
		o["type"], o["spec_version"], o["id"] = kind, "2.1", id
		b.objects[id] = o
		b.order = append(b.order, id)
	}
	return id
}

// canonical is an object of strings as RFC 8785 has it: keys sorted, and nothing
// escaped that need not be.
func canonical(o stixObject) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(o) // of strings, which cannot fail
	return []byte(strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(out.String(), "\n")))
}

func (b *stixBundle) address(v string) (id string, outside bool) {
	a, err := netip.ParseAddr(v)
	if err != nil {
		return "", false
	}
	a = a.Unmap().WithZone("")
	kind := "ipv4-addr"
	if a.Is6() {
		kind = "ipv6-addr"
	}
	return b.observe(kind, stixObject{"value": a.String()}), !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast()
}

func (b *stixBundle) relate(kind, from, to, at string) string {
	return b.add("relationship", kind+" "+from+" "+to, b.maker, at, stixObject{"relationship_type": kind, "source_ref": from, "target_ref": to})
}

func (b *stixBundle) incident(inv *Investigation, in *incident.Incident) {
	first, last := stixStamp(in.When.First), stixStamp(in.When.Last)
	refs := []string{b.maker}
	refer := func(id string) {
		if id != "" && !slices.Contains(refs, id) {
			refs = append(refs, id)
		}
	}

	// What was observed.
	var seen []string
	var hostile []string
	for _, v := range in.Where.Sources {
		id, outside := b.address(v)
		if id == "" {
			continue
		}
		seen = append(seen, id)
		if outside && len(hostile) < maxIndicators {
			hostile = append(hostile, v)
		}
	}
	for _, v := range in.Where.Destinations {
		if id, _ := b.address(v); id != "" {
			seen = append(seen, id)
		}
	}
	for _, u := range in.Who.Users {
		seen = append(seen, b.observe("user-account", stixObject{"account_login": clean(u)}))
	}
	slices.Sort(seen)
	seen = slices.Compact(seen)
	observed := ""
	if len(seen) > 0 {
		observed = b.add("observed-data", in.ID, b.maker, last, stixObject{
			"first_observed": first, "last_observed": last, "number_observed": max(1, len(in.Evidence)), "object_refs": seen})
		refer(observed)
		for _, id := range seen {
			refer(id)
		}
	}

	// What was done, and on what.
	var patterns, hosts []string
	for _, t := range in.Techniques {
		o := stixObject{"name": clean(t), "external_references": []stixObject{{"source_name": "mitre-attack", "external_id": clean(t),
			"url": "https://attack.mitre.org/techniques/" + strings.ReplaceAll(clean(t), ".", "/") + "/"}}}
		patterns = append(patterns, b.add("attack-pattern", t, b.maker, b.at, o))
	}
	for _, h := range in.Where.Hosts {
		hosts = append(hosts, b.add("identity", "host "+h, b.maker, b.at, stixObject{"name": clean(h), "identity_class": "system"}))
	}
	for _, id := range slices.Concat(patterns, hosts) {
		refer(id)
	}
	for _, p := range patterns {
		for _, h := range hosts[:min(len(hosts), maxIndicators)] {
			refer(b.relate("targets", p, h, b.at))
		}
	}
	worked := in.Outcome.Result == incident.Succeeded || in.Outcome.Result == incident.Mixed
	for _, v := range hostile {
		a, _ := netip.ParseAddr(v)
		kind := "ipv4-addr"
		if a = a.Unmap().WithZone(""); a.Is6() {
			kind = "ipv6-addr"
		}
		kinds := []string{"malicious-activity"}
		if !worked {
			kinds = []string{"anomalous-activity"}
		}
		id := b.add("indicator", in.ID+" "+v, b.maker, last, stixObject{
			"name": "Address of an attack: " + a.String(), "pattern": fmt.Sprintf("[%s:value = '%s']", kind, a), "pattern_type": "stix",
			"indicator_types": kinds, "valid_from": first, "confidence": in.Score})
		refer(id)
		if observed != "" {
			refer(b.relate("based-on", id, observed, last))
		}
		for _, p := range patterns {
			refer(b.relate("indicates", id, p, last))
		}
	}

	labels := []string{"severity:" + in.Severity, "outcome:" + in.Outcome.Result, "impact:" + in.Impact.Level}
	mark := inv.Verdicts[in.ID]
	if mark.Verdict != "" {
		labels = append(labels, "verdict:"+mark.Verdict)
	}
	labels = append(labels, mark.Tags...)
	o := stixObject{"name": clean(in.Title), "description": clean(strings.Join(story(in), "\n\n")), "published": last, "report_types": []string{"observed-data"},
		"object_refs": refs, "confidence": in.Score, "labels": labels,
		"external_references": []stixObject{{"source_name": "sextant", "external_id": in.ID}}}
	if len(patterns) > 0 {
		o["report_types"] = []string{"attack-pattern", "observed-data"}
	}
	id := b.add("report", in.ID, b.maker, last, o)
	for _, n := range mark.Notes {
		b.add("note", in.ID+n.Time+n.Text, b.maker, stixStamp(n.Time), stixObject{"content": clean(n.Text), "object_refs": []string{id}, "authors": []string{clean(n.By)}})
	}
}

// maxIndicators bounds the addresses of one incident that become indicators.
const maxIndicators = 50
