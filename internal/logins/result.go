package logins

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"
)

// Result is what a Counter has counted: the users by attempts, most first, and
// among equals by name.
type Result struct {
	Sources        []Source    `json:"sources"`
	Records        int64       `json:"records"`
	Attempts       int64       `json:"login_attempts"`
	Successes      int64       `json:"successes"`
	Failures       int64       `json:"failures"`
	Unknown        int64       `json:"unknown_outcome"`
	First          time.Time   `json:"first,omitzero"`
	Last           time.Time   `json:"last,omitzero"`
	Statistics     *Statistics `json:"statistics,omitempty"` // nil without attempts
	Interpretation []string    `json:"interpretation"`
	Users          []User      `json:"users"`
}

// User is a row of the table.
type User struct {
	Name            string    `json:"user"`
	Attempts        int64     `json:"attempts"`
	Successes       int64     `json:"successes"`
	Failures        int64     `json:"failures"`
	SuccessRate     *float64  `json:"success_rate"` // of the attempts whose outcome is known, 0 to 1; nil if none is
	DistinctSources int       `json:"distinct_sources"`
	First           time.Time `json:"first,omitzero"` // UTC; zero if no time is known
	Last            time.Time `json:"last,omitzero"`
}

// Statistics describes how attempts are distributed over users.
type Statistics struct {
	Users    int     `json:"users"`
	Mean     float64 `json:"mean"`
	Least    int64   `json:"least"`
	Q1       float64 `json:"q1"`
	Median   float64 `json:"median"`
	Q3       float64 `json:"q3"`
	P90      float64 `json:"p90"`
	P99      float64 `json:"p99"`
	Most     int64   `json:"most"`
	Once     int     `json:"users_with_one_attempt"`
	Skewness float64 `json:"skewness"` // adjusted Fisher–Pearson; 0 for fewer than three users
	Gini     float64 `json:"gini"`     // 0: all equal, towards 1: all by one
	// TopTenth is the share of all attempts made by the busiest tenth of users.
	TopTenth float64 `json:"share_of_busiest_tenth"`
	// Users with more attempts than the fence are outliers. Where the
	// distribution is skewed to the right the same rule is applied to the
	// logarithm too, since the plain one calls much of any tail outlying.
	OutlierRule  string  `json:"outlier_rule"`
	OutlierFence float64 `json:"outlier_fence"`
	Outliers     int     `json:"outliers"`
	LogFence     float64 `json:"outlier_fence_of_logarithm,omitempty"`
	LogOutliers  int     `json:"outliers_of_logarithm,omitempty"`
}

// Result computes the table and what it means from everything counted so far.
// The order of the records and the number of threads do not change it.
func (c *Counter) Result() *Result {
	r := &Result{Records: c.records, Sources: slices.Clone(c.sources), Users: make([]User, 0, len(c.tally.users))}
	if r.Sources == nil {
		r.Sources = []Source{}
	}
	first, last := int64(NoTime), int64(NoTime)
	for i := range c.tally.users {
		t := &c.tally.users[i]
		u := User{Name: t.name, Attempts: t.attempts, Successes: t.successes, Failures: t.failed, DistinctSources: t.sourceCount()}
		if known := t.successes + t.failed; known > 0 {
			rate := float64(t.successes) / float64(known)
			u.SuccessRate = &rate
		}
		if t.first != NoTime {
			u.First, u.Last = time.Unix(0, t.first).UTC(), time.Unix(0, t.last).UTC()
			if first == NoTime || t.first < first {
				first = t.first
			}
			if last == NoTime || t.last > last {
				last = t.last
			}
		}
		r.Attempts += t.attempts
		r.Successes += t.successes
		r.Failures += t.failed
		r.Users = append(r.Users, u)
	}
	r.Unknown = r.Attempts - r.Successes - r.Failures
	if first != NoTime {
		r.First, r.Last = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	}
	slices.SortFunc(r.Users, func(a, b User) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), strings.Compare(a.Name, b.Name))
	})
	r.Statistics = newStatistics(r.Users, r.Attempts)
	r.Interpretation = r.Interpret(10)
	return r
}

// newStatistics describes users, who are sorted by attempts, most first.
func newStatistics(users []User, attempts int64) *Statistics {
	n := len(users)
	if n == 0 {
		return nil
	}
	s := &Statistics{Users: n, Most: users[0].Attempts, Least: users[n-1].Attempts}
	total := float64(attempts)
	sorted := make([]float64, n) // least first
	var spread, top float64
	for i, u := range users {
		v := float64(u.Attempts)
		sorted[n-1-i] = v
		spread += float64(n-1-2*i) * v
		if i < (n+9)/10 {
			top += v
		}
		if u.Attempts == 1 {
			s.Once++
		}
	}
	// The empirical quantile: the least number that a share p of the users
	// does not exceed. It is always somebody's number.
	quantile := func(p float64) float64 { return stat.Quantile(p, stat.Empirical, sorted, nil) }
	s.Q1, s.Median, s.Q3, s.P90, s.P99 = quantile(0.25), quantile(0.5), quantile(0.75), quantile(0.9), quantile(0.99)
	s.Mean = tidy(total / float64(n))
	if n >= 3 && s.Most > s.Least {
		s.Skewness = tidy(stat.Skew(sorted, nil))
	}
	s.Gini = tidy(spread / (float64(n) * total))
	s.TopTenth = tidy(top / total)
	s.fence()
	for _, u := range users {
		if float64(u.Attempts) > s.OutlierFence {
			s.Outliers++
		}
		if s.LogFence > 0 && float64(u.Attempts) > s.LogFence {
			s.LogOutliers++
		}
	}
	return s
}

// fence sets the bounds of the ordinary by the upper fence of Tukey
// (Exploratory Data Analysis, 1977).
func (s *Statistics) fence() {
	if s.Q3 <= s.Q1 {
		s.OutlierFence = max(10*s.Median, 10)
		s.OutlierRule = "ten times the median, at least 10, since the middle half of the users are alike"
		return
	}
	s.OutlierFence = tidy(s.Q3 + 1.5*(s.Q3-s.Q1))
	s.OutlierRule = "Tukey's fence, Q3 + 1.5 × IQR"
	if s.Skewness >= 1 {
		q1, q3 := math.Log2(s.Q1), math.Log2(s.Q3)
		s.LogFence = tidy(math.Exp2(q3 + 1.5*(q3-q1)))
	}
}

// tidy rounds to four decimals: what differs beyond them between machines
// (fused multiplication) or is noise does not reach the output.
func tidy(v float64) float64 { return math.Round(v*1e4) / 1e4 }
