// Package incident turns findings into incidents: the answers to the six
// questions of an investigation, each sentence with the records it rests on.
package incident

import "github.com/sextant-logs/sextant/internal/analyze"

// Sentence is one statement of an answer and the event.ids that prove it. A
// sentence without evidence is not made.
type Sentence struct {
	Text     string   `json:"text"`
	Evidence []string `json:"evidence"`
}

// Incident is a group of findings that share people, hosts, addresses or
// processes close in time. The JSON form is part of the output contract.
type Incident struct {
	ID       string `json:"id"`    // stable: a hash of its findings' ids
	Title    string `json:"title"` // "SSH brute force from 203.0.113.9 against web1 succeeded as deploy"
	Score    int    `json:"score"` // 0–100, see docs
	Severity string `json:"severity"`

	What    []Sentence `json:"what"`
	When    When       `json:"when"`
	Where   Where      `json:"where"`
	Who     Who        `json:"who"`
	Outcome Outcome    `json:"outcome"`
	Impact  Impact     `json:"impact"`

	Techniques []string `json:"techniques"` // ATT&CK technique ids, sorted
	Tactics    []string `json:"tactics"`    // in kill-chain order
	Timeline   []Step   `json:"timeline"`   // in time order
	Findings   []string `json:"findings"`   // ids of the findings it is made of
	Evidence   []string `json:"evidence"`   // every event.id cited above, sorted by time
}

// When says from when to when; RFC 3339 UTC, "" when no record had a time.
type When struct {
	First     string `json:"first"`
	Last      string `json:"last"`
	Certainty string `json:"certainty,omitempty"` // "exact", or what was assumed of year or zone
}

// Where lists the hosts it happened on and the addresses it came from and went to.
type Where struct {
	Hosts        []string `json:"hosts"`
	Sources      []string `json:"sources"`
	Destinations []string `json:"destinations"`
	Logs         []string `json:"logs,omitempty"` // the sites and log files, when no record names a host
}

// Who lists the accounts, addresses and programs that acted.
type Who struct {
	Users     []string `json:"users"`
	SourceIPs []string `json:"source_ips"`
	Processes []string `json:"processes"`
}

// Values of Outcome.Result.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	Mixed     = "mixed"
	Unknown   = "unknown"
)

// Outcome says whether it succeeded, and why that is known. For Unknown, Why
// names the log that would tell.
type Outcome struct {
	Result string     `json:"result"`
	Why    []Sentence `json:"why"`
	Needs  []string   `json:"needs,omitempty"` // logs that would tell, when Unknown: "sshd log of host web1"
}

// Impact is the list of facts and the level that follows from them.
type Impact struct {
	Level string     `json:"level"` // "none", "low", "medium", "high", "critical", "unknown"
	Facts []Sentence `json:"facts"`
}

// Step is one entry of an incident's timeline.
type Step struct {
	Time     string   `json:"@timestamp"`
	Text     string   `json:"text"`
	Level    string   `json:"level,omitempty"`
	Finding  string   `json:"finding,omitempty"`
	Evidence []string `json:"evidence"`
}

// Coverage says which logs the case holds, so that "it did not happen" can be
// told from "nobody wrote it down".
type Coverage struct {
	Dataset string // event.dataset
	Host    string // host.name, "" where the log names none
	First   int64  // ns of the first and last record with a time
	Last    int64
	Events  int64
}

// Input is all that incidents are made from.
type Input struct {
	Findings []analyze.Finding // sorted by First, then ID
	Spare    []analyze.Finding // beyond the noise budget: they count where they make another of low level worth more
	Coverage []Coverage        // sorted by Dataset, Host
	Events   analyze.Querier   // the case's store: every field a column, _time, _msg; multi-valued fields are JSON arrays
}
