package simulate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Score compares an investigation's answers with the truth.
type Score struct {
	Incidents []IncidentScore `json:"incidents"` // one for each of the truth's
	Summary   ScoreSummary    `json:"summary"`
	Others    []OtherIncident `json:"others"` // of the case, that cite no record of any campaign
}

// IncidentScore is how well one campaign's run was told. Rates are from 0 to 1.
// What belongs to the case's incident is taken from the best of those that cite
// a record of the campaign: the one that cites most.
type IncidentScore struct {
	ID       string `json:"id"`
	Campaign string `json:"campaign"`
	Visible  bool   `json:"visible"` // it left records; what did not is not counted

	Found     bool   `json:"found"`
	Incident  string `json:"incident,omitempty"` // id of the best
	Title     string `json:"title,omitempty"`
	Fragments int    `json:"fragments"` // incidents of the case that cite its records

	Purity       float64 `json:"purity"`       // of the records that the best cites, the share that is the campaign's
	Completeness float64 `json:"completeness"` // of the campaign's steps that left records, the share the best cites a record of
	Records      float64 `json:"record_completeness"`
	Techniques   float64 `json:"technique_recall"` // a technique counts as named by its sub-technique too, and the other way round

	OutcomeExpected string `json:"outcome_expected"` // unknown if the log that tells was not kept
	OutcomeGiven    string `json:"outcome_given,omitempty"`
	OutcomeRight    bool   `json:"outcome_right"` // as expected, or as it really was; unknown only if a log is named that would tell

	Detect  float64 `json:"seconds_to_detect"` // from the campaign's first record to the first that is cited
	Hosts   float64 `json:"host_recall"`
	Users   float64 `json:"user_recall"`
	Sources float64 `json:"source_recall"`
	When    float64 `json:"when"`          // overlap of the two spans of time, as share of both together
	Impact  float64 `json:"impact_recall"` // of the visible facts, the share of which a record is cited as impact
}

// OtherIncident is an incident of the case that is no campaign's.
type OtherIncident struct {
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Kind     string `json:"kind"` // "noise": mostly hostile records that came to nothing; "false": all others
}

// ScoreSummary sums up; means are over the incidents found.
type ScoreSummary struct {
	Incidents       int     `json:"incidents"` // visible ones
	Found           int     `json:"found"`
	FoundRate       float64 `json:"found_rate"`
	OutcomeAccuracy float64 `json:"outcome_accuracy"` // over all visible ones: not found is wrong
	Purity          float64 `json:"purity"`
	Completeness    float64 `json:"completeness"`
	Techniques      float64 `json:"technique_recall"`
	Hosts           float64 `json:"host_recall"`
	Users           float64 `json:"user_recall"`
	Sources         float64 `json:"source_recall"`
	When            float64 `json:"when"`
	Impact          float64 `json:"impact_recall"`
	Detect          float64 `json:"seconds_to_detect"`
	Noise           int     `json:"noise_incidents"`
	False           int     `json:"false_incidents"`
	FalsePerDay     float64 `json:"false_incidents_per_day"`
}

// caseReport is what is needed of the JSON that `investigate` leaves.
type caseReport struct {
	Findings []struct {
		ID       string `json:"id"`
		Evidence []struct {
			ID string `json:"event.id"`
		} `json:"evidence"`
	} `json:"findings"`
	Incidents []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
		When  struct {
			First string `json:"first"`
			Last  string `json:"last"`
		} `json:"when"`
		Where struct {
			Hosts []string `json:"hosts"`
		} `json:"where"`
		Who struct {
			Users     []string `json:"users"`
			SourceIPs []string `json:"source_ips"`
		} `json:"who"`
		Outcome struct {
			Result string   `json:"result"`
			Needs  []string `json:"needs"`
		} `json:"outcome"`
		Impact struct {
			Facts []struct {
				Evidence []string `json:"evidence"`
			} `json:"facts"`
		} `json:"impact"`
		Techniques []string `json:"techniques"`
		Findings   []string `json:"findings"`
		Evidence   []string `json:"evidence"`
	} `json:"incidents"`
}

// ReadScore scores the case in a directory by a truth.json, beside which
// labels.jsonl lies.
func ReadScore(truthFile, caseDir string) (*Score, error) {
	var truth Truth
	if err := readJSON(truthFile, &truth); err != nil {
		return nil, err
	}
	if truth.Version != 1 {
		return nil, fmt.Errorf("%s: not a truth of version 1", truthFile)
	}
	labels, err := readLabels(filepath.Join(filepath.Dir(truthFile), "labels.jsonl"))
	if err != nil {
		return nil, err
	}
	var report caseReport
	if err := readJSON(filepath.Join(caseDir, "report.json"), &report); err != nil {
		return nil, err
	}
	return score(&truth, labels, &report), nil
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readLabels(path string) (map[string]*Label, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	labels := map[string]*Label{}
	d := json.NewDecoder(bufio.NewReaderSize(f, 256<<10))
	for {
		l := &Label{}
		if err := d.Decode(l); errors.Is(err, io.EOF) {
			return labels, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		labels[l.Event] = l
	}
}

func score(truth *Truth, labels map[string]*Label, report *caseReport) *Score {
	evidence := map[string][]string{} // by finding
	for _, f := range report.Findings {
		for _, e := range f.Evidence {
			evidence[f.ID] = append(evidence[f.ID], e.ID)
		}
	}
	cited := make([][]string, len(report.Incidents)) // distinct, by incident
	for i, in := range report.Incidents {
		ids := slices.Clone(in.Evidence)
		for _, f := range in.Findings {
			ids = append(ids, evidence[f]...)
		}
		slices.Sort(ids)
		cited[i] = slices.Compact(ids)
	}

	s := &Score{Incidents: []IncidentScore{}, Others: []OtherIncident{}}
	belongs := make([]bool, len(report.Incidents))
	for n := range truth.Incidents {
		k := &truth.Incidents[n]
		is := IncidentScore{ID: k.ID, Campaign: k.Campaign, Visible: len(k.Records) > 0, OutcomeExpected: k.Outcome}
		if !k.OutcomeVisible {
			is.OutcomeExpected = "unknown"
		}
		best, most := -1, 0
		for i := range report.Incidents {
			hits := 0
			for _, id := range cited[i] {
				if l := labels[id]; l != nil && l.Incident == k.ID {
					hits++
				}
			}
			if hits > 0 {
				belongs[i] = true
				is.Fragments++
			}
			if hits > most {
				best, most = i, hits
			}
		}
		if best >= 0 {
			is.compare(truth, k, labels, report, best, cited[best], most)
		}
		s.Incidents = append(s.Incidents, is)
	}
	for i, in := range report.Incidents {
		if belongs[i] {
			continue
		}
		noise := 0
		for _, id := range cited[i] {
			if l := labels[id]; l != nil && l.Label == background.String() {
				noise++
			}
		}
		kind := "false"
		if 2*noise >= len(cited[i]) && noise > 0 {
			kind = "noise"
		}
		s.Others = append(s.Others, OtherIncident{Incident: in.ID, Title: in.Title, Kind: kind})
	}
	s.sum(truth.Days)
	return s
}

// foundShare is the share of what an incident cites, or of a campaign's records,
// from which on the one is an answer about the other.
const foundShare = 0.1

// compare scores the case's best incident for a campaign.
func (s *IncidentScore) compare(truth *Truth, k *Incident, labels map[string]*Label, report *caseReport, best int, cited []string, hits int) {
	in := &report.Incidents[best]
	if ratio(hits, len(cited)) < foundShare && ratio(hits, len(k.Records)) < foundShare {
		return // told of something else, and met it in passing
	}
	s.Found, s.Incident, s.Title = true, in.ID, in.Title
	s.Purity = ratio(hits, len(cited))
	s.Records = ratio(hits, len(k.Records))

	steps := map[string]bool{}
	first := ""
	for _, id := range cited {
		if l := labels[id]; l != nil && l.Incident == k.ID {
			steps[l.Step] = true
			if first == "" || l.Time < first {
				first = l.Time
			}
		}
	}
	var visible []string
	for _, step := range k.What {
		if step.Records > 0 {
			add(&visible, step.Name)
		}
	}
	s.Completeness = recall(visible, func(step string) bool { return steps[step] })
	s.Detect = seconds(first) - seconds(k.First)

	s.Techniques = recall(k.Techniques, func(want string) bool {
		return slices.ContainsFunc(in.Techniques, func(got string) bool {
			return got == want || strings.HasPrefix(got, want+".") || strings.HasPrefix(want, got+".")
		})
	})
	s.OutcomeGiven = in.Outcome.Result
	s.OutcomeRight = s.OutcomeGiven == s.OutcomeExpected || s.OutcomeGiven == k.Outcome
	if s.OutcomeGiven == "unknown" && len(in.Outcome.Needs) == 0 {
		s.OutcomeRight = false // who does not know must say which log would tell
	}
	s.Hosts = recall(k.Hosts, func(want string) bool { return slices.ContainsFunc(in.Where.Hosts, truth.sameHost(want)) })
	s.Users = recall(k.Users, func(want string) bool { return slices.ContainsFunc(in.Who.Users, sameUser(want)) })
	s.Sources = recall(k.Sources, func(want string) bool { return slices.Contains(in.Who.SourceIPs, want) })
	s.When = overlap(seconds(k.First), seconds(k.Last), seconds(in.When.First), seconds(in.When.Last))

	proved := map[string]bool{}
	for _, f := range in.Impact.Facts {
		for _, id := range f.Evidence {
			if l := labels[id]; l != nil && l.Incident == k.ID {
				proved[l.Step] = true
			}
		}
	}
	var facts []string
	for _, f := range k.Impact {
		if f.Visible {
			add(&facts, f.Step)
		}
	}
	s.Impact = recall(facts, func(step string) bool { return proved[step] })
}

// sameHost compares names without domain and case; some logs know a host by
// its address only.
func (t *Truth) sameHost(want string) func(string) bool {
	return func(got string) bool {
		for _, h := range t.Hosts {
			if h.Name == want && slices.Contains(h.Addresses, got) {
				return true
			}
		}
		got, _, _ = strings.Cut(got, ".")
		return strings.EqualFold(got, want)
	}
}

// sameUser compares names without a Windows or Kerberos domain.
func sameUser(want string) func(string) bool {
	return func(got string) bool {
		got = got[strings.LastIndexByte(got, '\\')+1:]
		got, _, _ = strings.Cut(got, "@")
		return strings.EqualFold(got, want)
	}
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// recall is the share of wanted things that are there; all of none.
func recall(want []string, there func(string) bool) float64 {
	if len(want) == 0 {
		return 1
	}
	n := 0
	for _, v := range want {
		if there(v) {
			n++
		}
	}
	return ratio(n, len(want))
}

func seconds(stamp string) float64 {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// overlap is the common part of two spans as a share of their union.
func overlap(a, b, c, d float64) float64 {
	union := max(b, d) - min(a, c)
	if union <= 0 {
		return 1
	}
	return max(0, min(b, d)-max(a, c)) / union
}

func (s *Score) sum(days int) {
	t := &s.Summary
	right := 0
	for _, is := range s.Incidents {
		if !is.Visible {
			continue
		}
		t.Incidents++
		if is.OutcomeRight {
			right++
		}
		if !is.Found {
			continue
		}
		t.Found++
		t.Purity += is.Purity
		t.Completeness += is.Completeness
		t.Techniques += is.Techniques
		t.Hosts += is.Hosts
		t.Users += is.Users
		t.Sources += is.Sources
		t.When += is.When
		t.Impact += is.Impact
		t.Detect += is.Detect
	}
	t.FoundRate, t.OutcomeAccuracy = ratio(t.Found, t.Incidents), ratio(right, t.Incidents)
	for _, mean := range []*float64{&t.Purity, &t.Completeness, &t.Techniques, &t.Hosts, &t.Users, &t.Sources, &t.When, &t.Impact, &t.Detect} {
		*mean /= float64(max(t.Found, 1))
	}
	for _, o := range s.Others {
		if o.Kind == "noise" {
			t.Noise++
		} else {
			t.False++
		}
	}
	t.FalsePerDay = ratio(t.False, days)
}
