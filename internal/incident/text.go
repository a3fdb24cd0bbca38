package incident

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// Attacker-controlled text enters sentences only through show, which bounds it
// and takes its control characters. Escaping for a medium is the renderer's.

// maxShown is how many runes of a value from a log are shown.
const maxShown = 100

// show makes a value from a log fit to stand in a sentence.
func show(v string) string { return showUpTo(v, maxShown) }

// maxExplained is how many runes of a technique's explanation are shown: it has
// several values, each bounded by the technique.
const maxExplained = 600

func showUpTo(v string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range v {
		if n == most {
			b.WriteString("…")
			break
		}
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			r = '�' // Cf has the marks that turn the direction of text
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// clock shows a time; "at an unknown time" is the caller's to say.
func clock(t int64) string {
	if t == event.NoTime {
		return "an unknown time"
	}
	return time.Unix(0, t).UTC().Format("2006-01-02 15:04:05 UTC")
}

// stamp is a time as the output contract has it, "" when unknown.
func stamp(t int64) string {
	if t == event.NoTime {
		return ""
	}
	return time.Unix(0, t).UTC().Format(time.RFC3339Nano)
}

// between says when something with a first and a last time happened.
func between(first, last int64) string {
	switch {
	case first == event.NoTime || last == event.NoTime:
		return "at an unknown time"
	case first/1e9 == last/1e9:
		return "at " + clock(first)
	case first/86400e9 == last/86400e9:
		return "between " + time.Unix(0, first).UTC().Format("2006-01-02 15:04:05") + " and " + time.Unix(0, last).UTC().Format("15:04:05 UTC")
	}
	return "between " + clock(first) + " and " + clock(last)
}

// list names at most n values: "a, b and 3 more".
func list(vs []string, n int) string {
	shown := make([]string, 0, n)
	for _, v := range vs[:min(n, len(vs))] {
		shown = append(shown, show(v))
	}
	switch more := len(vs) - len(shown); {
	case more > 0:
		return strings.Join(shown, ", ") + " and " + prose.Number(more) + " more"
	case len(shown) > 1:
		return strings.Join(shown[:len(shown)-1], ", ") + " and " + shown[len(shown)-1]
	}
	return strings.Join(shown, "")
}

// some names the values when there are few and counts them when there are many:
// "alice", "alice and bob", "37 users (alice, bob, carol, …)".
func some(vs []string, many string) string {
	if len(vs) <= 3 {
		return list(vs, 3)
	}
	shown := make([]string, 3)
	for i := range shown {
		shown[i] = show(vs[i])
	}
	return prose.Number(len(vs)) + " " + many + " (" + strings.Join(shown, ", ") + ", …)"
}

// sentence ends text with a full stop and starts it with a capital letter.
func sentence(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), ".")
	if text != "" && 'a' <= text[0] && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text + "."
}

// after says how long after the first of two times the second is.
func after(first, second int64) string {
	if first == event.NoTime || second == event.NoTime || second < first {
		return ""
	}
	d := time.Duration(second - first)
	switch {
	case d < 2*time.Second:
		return "a moment later"
	case d < 2*time.Minute:
		return prose.Count(int(d/time.Second), "second") + " later"
	case d < 2*time.Hour:
		return prose.Count(int(d/time.Minute), "minute") + " later"
	case d < 48*time.Hour:
		return prose.Count(int(d/time.Hour), "hour") + " later"
	}
	return prose.Count(int(d/(24*time.Hour)), "day") + " later"
}
