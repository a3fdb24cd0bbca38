package logpattern

import (
	"encoding/hex"
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// wildcard is how a variable is shown.
const wildcard = "<*>"

// identify returns the id of the template whose first masked message is text.
func identify(text string) string {
	h := fnv.New128a()
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// templateWords returns the words of the template of some messages. What all
// words at a variable place begin with, up to a separator within the word, is kept.
func templateWords(words [][]string, members []int, open []bool) []string {
	first := words[members[0]]
	out := make([]string, len(first))
	for place, w := range first {
		if !open[place] {
			out[place] = w
			continue
		}
		n := len(w)
		for _, m := range members[1:] {
			x, k := words[m][place], 0
			for k < min(n, len(x)) && x[k] == w[k] {
				k++
			}
			n = k
		}
		for n > 0 && class[w[n-1]] != fine {
			n--
		}
		end := commonEnd(words, members, place, n)
		if v := strings.IndexByte(w[:n], variable); v >= 0 {
			n = v
		}
		stands := byte(variable)
		for _, m := range members {
			if plainWord(words[m][place]) {
				stands = gap
				break
			}
		}
		out[place] = w[:n] + string(rune(stands)) + end
	}
	return out
}

// commonEnd returns what all words at a place end with behind the bytes they begin with alike, if it is a separator within
// words and constant from there: ".service", ".".
func commonEnd(words [][]string, members []int, place, begin int) string {
	end := words[members[0]][place][begin:]
	for _, m := range members[1:] {
		x, k := words[m][place][begin:], 0
		for k < min(len(end), len(x)) && x[len(x)-1-k] == end[len(end)-1-k] {
			k++
		}
		if end = end[len(end)-k:]; k == len(x) && k > 0 {
			end = end[1:] // something must be left to vary
		}
	}
	if v := strings.LastIndexByte(end, variable); v >= 0 {
		end = end[v+1:]
	}
	for _, x := range []string{"Exception", "Error"} { // of which text follows
		if strings.HasSuffix(end, x) {
			return x
		}
	}
	for end != "" && class[end[0]] != fine {
		end = end[1:]
	}
	if strings.ContainsAny(end, ", \x02\"") || strings.Count(strings.TrimRight(end, "."), ".") > 1 { // the domain is part of a host's name
		return ""
	}
	return end
}

// unitOf is the word of a template that is the unit of the number before it.
const unitOf = "\x02"

// joinUnits makes a number and a unit that goes with it one variable: 900 KB, 1.2 GB.
func joinUnits(skeleton string, words [][]string, members []int, open []bool, template []string) {
	p := partitioner{words: words, context: contexts(skeleton)}
	for i := 1; i < len(template); i++ {
		if open[i] && template[i-1] != "" && strings.IndexByte("\x01\x03", template[i-1][len(template[i-1])-1]) >= 0 && p.isScaled(members, i) {
			template[i] = unitOf
		}
	}
}

// render writes the template with its separators, variable and gap standing for what varies.
func (l *leaf) render(skeleton string) string {
	if skeleton != "" && skeleton[0] == literal {
		return skeleton[1:]
	}
	var b strings.Builder
	place := 0
	for i := range len(skeleton) {
		if skeleton[i] == ' ' && place < len(l.words) && l.words[place] == unitOf && skeleton[i+1] == variable {
			continue
		}
		if skeleton[i] != variable {
			b.WriteByte(skeleton[i])
			continue
		}
		if l.words[place] == unitOf {
			place++
			continue
		}
		b.WriteString(l.words[place])
		place++
	}
	return b.String()
}

// Parameter is what stands for a variable in a message.
type Parameter struct {
	Type  string // as [Type] tells
	Value string
}

// Parameters returns what stands in the message for each variable of a
// template's text, or false if the message is not of that kind. White space
// counts as one space, and a quantity that is said again in parentheses is said once.
func Parameters(template, message string) ([]Parameter, bool) {
	message = withoutEscapes(message)
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool { return r < utf8.RuneSelf && class[r] == space }), " ")
	message = withoutRestated(message)
	literal := strings.Split(template, wildcard)
	if !strings.HasPrefix(message, literal[0]) {
		return nil, false
	}
	var out []Parameter
	at := len(literal[0])
	for i, l := range literal[1:] {
		var n int
		switch {
		case i == len(literal)-2: // the last: to the end
			n = len(message) - at - len(l)
			if n < 0 || !strings.HasSuffix(message, l) {
				return nil, false
			}
		case l == "":
			return nil, false // no template has two variables that touch
		default:
			if n = strings.Index(message[at:], l); n < 0 {
				return nil, false
			}
		}
		v := message[at : at+n]
		out = append(out, Parameter{Type(v), v})
		at += n + len(l)
	}
	return out, at == len(message)
}

// Types are what [Type] gives.
var Types = []string{"ip", "mac", "uuid", "url", "email", "path", "number", "hex", "time", "duration", "size", "boolean", "empty", "text"}

// Type tells what a value looks like, one of [Types].
func Type(v string) string {
	digits, dots, colons, others, hexes := 0, 0, 0, 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case class[c] == digit:
			digits++
		case c == '.':
			dots++
		case c == ':':
			colons++
		case isHex(c):
			hexes++
		default:
			others++
		}
	}
	number := strings.TrimLeft(v, "+-")
	switch {
	case v == "":
		return "empty"
	case strings.Contains(v, "://"):
		return "url"
	case len(v) == 36 && isUUID(v):
		return "uuid"
	case isEmail(v) && others > 0:
		return "email"
	case isPath(v), len(v) > 2 && v[1] == ':' && v[2] == '\\':
		return "path"
	case dots == 3 && digits >= 4 && colons+hexes+others == 0:
		return "ip"
	case colons == 5 && len(v) == 17 && others+dots == 0:
		return "mac"
	case colons >= 2 && (hexes > 0 || strings.Contains(v, "::")) && others == 0:
		return "ip"
	case (colons == 1 || colons == 2) && digits >= 3 && hexes+others == 0, isoEnd(v, 0, len(v)) == len(v):
		return "time"
	case digits > 0 && dots <= 1 && len(number) == digits+dots && colons == 0:
		return "number"
	case strings.HasPrefix(v, "0x"), hexes > 0 && digits > 0 && others+dots+colons == 0 && len(v) >= 6:
		return "hex"
	case digits > 0 && class[number0(number)] == digit:
		return unit(strings.TrimSpace(strings.TrimLeft(number, "0123456789.,")))
	case strings.EqualFold(v, "true"), strings.EqualFold(v, "false"):
		return "boolean"
	}
	return "text"
}

func number0(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// unit returns what a number with the unit is.
func unit(u string) string {
	switch strings.ToLower(u) {
	case "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days":
		return "duration"
	case "b", "byte", "bytes", "k", "kb", "kib", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib":
		return "size"
	case "%":
		return "number"
	}
	return "text"
}
