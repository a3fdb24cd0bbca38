package logins

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/prose"
)

// Interpret says in sentences what the numbers mean: who leads, the range
// among the top users, how many users attempted once, the shape of the
// distribution, outliers, and success. Every statement is computed, with the
// rule it follows where there is a choice of rules.
func (r *Result) Interpret(top int) []string {
	s := r.Statistics
	if s == nil {
		if r.Records == 0 {
			return []string{"There are no records."}
		}
		return []string{fmt.Sprintf("None of the %s is a login attempt.", prose.Count(r.Records, "record"))}
	}
	out := []string{r.leader()}
	if n := min(top, len(r.Users)); n > 1 {
		out = append(out, r.topRange(n))
	}
	if s.Users > 1 {
		out = append(out, fmt.Sprintf("%s of %s (%s) attempted once.", prose.Number(int64(s.Once)), prose.Count(int64(s.Users), "user"), percent(int64(s.Once), int64(s.Users))))
	}
	out = append(out, r.shape())
	if s.Users >= 4 {
		out = append(out, r.outliers())
	}
	return append(append(out, r.success()), r.unlucky()...)
}

func (r *Result) leader() string {
	first := r.Users[0]
	tied := 1
	for tied < len(r.Users) && r.Users[tied].Attempts == first.Attempts {
		tied++
	}
	of := fmt.Sprintf("%s of all %s", percent(first.Attempts, r.Attempts), prose.Number(r.Attempts))
	switch {
	case len(r.Users) == 1:
		return fmt.Sprintf("%s is the only user, with %s.", name(first), prose.Count(first.Attempts, "login attempt"))
	case tied == len(r.Users):
		return fmt.Sprintf("All %s made %s each.", prose.Count(int64(tied), "user"), prose.Count(first.Attempts, "login attempt"))
	case tied == 1:
		return fmt.Sprintf("%s leads with %s (%s), ahead of %s with %s.", name(first), prose.Count(first.Attempts, "login attempt"), of,
			name(r.Users[1]), prose.Number(r.Users[1].Attempts))
	case tied <= 3:
		return fmt.Sprintf("%s lead with %s each (%s each).", names(r.Users[:tied], 3), prose.Count(first.Attempts, "login attempt"), of)
	}
	return fmt.Sprintf("%s share the lead with %s each (%s each), among them %s.", prose.Count(int64(tied), "user"),
		prose.Count(first.Attempts, "login attempt"), of, name(first))
}

func (r *Result) topRange(n int) string {
	var sum int64
	for _, u := range r.Users[:n] {
		sum += u.Attempts
	}
	high, low := r.Users[0].Attempts, r.Users[n-1].Attempts
	who := fmt.Sprintf("The top %d", n)
	if n == len(r.Users) {
		who = fmt.Sprintf("All %d users", n)
	}
	spread := fmt.Sprintf("range from %s to %s", prose.Count(low, "attempt"), prose.Number(high))
	if high == low {
		spread = fmt.Sprintf("have %s each", prose.Count(low, "attempt"))
	}
	if n == len(r.Users) {
		return fmt.Sprintf("%s %s.", who, spread)
	}
	return fmt.Sprintf("%s %s and together make %s of all.", who, spread, percent(sum, r.Attempts))
}

func (r *Result) shape() string {
	s := r.Statistics
	switch {
	case s.Users < 3:
		return "Too few users to speak of a distribution."
	case s.Most == s.Least:
		return fmt.Sprintf("The distribution is flat: every user has %s.", prose.Count(s.Most, "attempt"))
	}
	word := "roughly symmetric"
	switch side := map[bool]string{true: "right", false: "left"}[s.Skewness > 0]; {
	case math.Abs(s.Skewness) >= 1:
		word = "strongly skewed to the " + side
	case math.Abs(s.Skewness) >= 0.5:
		word = "moderately skewed to the " + side
	}
	out := fmt.Sprintf("The distribution is %s (skewness %s, Gini coefficient %s): half of the users have %s or fewer, nine tenths %s or fewer",
		word, decimal(s.Skewness, 1), decimal(s.Gini, 2), prose.Count(int64(s.Median), "attempt"), prose.Number(int64(s.P90)))
	if s.Users >= 10 {
		return out + fmt.Sprintf(", and the busiest tenth makes %s%% of all attempts.", decimal(100*s.TopTenth, 1))
	}
	return out + "."
}

func (r *Result) outliers() string {
	s := r.Statistics
	rule := fmt.Sprintf("more than %s: %s", prose.Count(int64(math.Floor(s.OutlierFence)), "attempt"), s.OutlierRule)
	var out string
	switch s.Outliers {
	case 0:
		return fmt.Sprintf("No user is an outlier (%s).", rule)
	case 1:
		out = fmt.Sprintf("One user is an outlier (%s): %s with %s.", rule, name(r.Users[0]), prose.Number(r.Users[0].Attempts))
	default:
		out = fmt.Sprintf("%s are outliers (%s): %s.", prose.Count(int64(s.Outliers), "user"), rule, names(r.Users[:s.Outliers], 5))
	}
	if s.LogFence == 0 {
		return out
	}
	left := fmt.Sprintf("%s remain", prose.Count(int64(s.LogOutliers), "user"))
	switch s.LogOutliers {
	case 0:
		left = "none remains"
	case 1:
		left = "one remains"
	}
	return out + fmt.Sprintf(" On a logarithmic scale, which suits so skewed a distribution, %s (more than %s).", left, prose.Number(int64(math.Floor(s.LogFence))))
}

func (r *Result) success() string {
	known := r.Successes + r.Failures
	if known == 0 {
		return "Whether the attempts succeeded is not known."
	}
	out := fmt.Sprintf("%s of the attempts succeeded (%s of %s)", percent(r.Successes, known), prose.Number(r.Successes), prose.Number(known))
	if r.Unknown > 0 {
		out += fmt.Sprintf("; the outcome of %s more is not known", prose.Number(r.Unknown))
	}
	return out + "."
}

// leastAttempts is how many attempts a user needs before a success rate says
// anything.
const leastAttempts = 10

// unlucky names the users whose attempts fail far more often than everyone's,
// as those of a guessed account or a stale password do.
func (r *Result) unlucky() []string {
	known := float64(r.Successes + r.Failures)
	p := float64(r.Successes) / max(known, 1)
	if p == 0 || p == 1 {
		return nil
	}
	type odd struct {
		user User
		z    float64
	}
	var found []odd
	for _, u := range r.Users {
		n := float64(u.Successes + u.Failures)
		if n < leastAttempts {
			continue
		}
		if z := (p - *u.SuccessRate) / math.Sqrt(p*(1-p)/n); z > 3 {
			found = append(found, odd{u, tidy(z)})
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortStableFunc(found, func(a, b odd) int { return cmp.Compare(b.z, a.z) })
	var list []string
	for _, o := range found[:min(len(found), 3)] {
		item := fmt.Sprintf("%s with %s of %s", name(o.user), prose.Number(o.user.Successes), prose.Number(o.user.Successes+o.user.Failures))
		if o.user.DistinctSources > 0 {
			item += " from " + prose.Count(int64(o.user.DistinctSources), "source")
		}
		list = append(list, item)
	}
	who := "One user succeeds"
	if len(found) > 1 {
		who = prose.Count(int64(len(found)), "user") + " succeed"
	}
	lead := ": "
	if len(found) > 3 {
		lead = ", above all "
	}
	return []string{fmt.Sprintf("%s far less often than the rest (three standard errors below the overall rate, at least %d attempts)%s%s.",
		who, leastAttempts, lead, strings.Join(list, "; "))}
}

// name is a user as sentences show it: cleaned, and bounded in length.
func name(u User) string {
	if strings.TrimSpace(u.Name) == "" {
		return "(no user name)"
	}
	return chart.Fit(u.Name, 40)
}

// names lists users with their attempts, at most some.
func names(users []User, most int) string {
	var list []string
	for _, u := range users[:min(len(users), most)] {
		list = append(list, fmt.Sprintf("%s (%s)", name(u), prose.Number(u.Attempts)))
	}
	out := strings.Join(list, ", ")
	if more := len(users) - most; more > 0 {
		out += fmt.Sprintf(" and %s more", prose.Number(int64(more)))
	}
	return out
}

func percent(part, whole int64) string {
	return decimal(100*float64(part)/float64(max(whole, 1)), 1) + "%"
}

func decimal(v float64, places int) string { return strconv.FormatFloat(v, 'f', places, 64) }
