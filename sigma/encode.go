package sigma

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

func encodeUTF16(s string, bigEndian bool) string {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if bigEndian {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return string(out)
}

// base64Offsets gives, for each place that s may have in a byte stream modulo three, the part of its encoding that does not
// depend on its neighbours.
func base64Offsets(s string) []string {
	var out []string
	for shift := range 3 {
		e := base64.StdEncoding.EncodeToString(append(make([]byte, shift, shift+len(s)), s...))
		start := [3]int{0, 2, 3}[shift]
		// The last digit mixes in the next byte when the bits do not come out even.
		end := len(e) - [3]int{0, 3, 2}[(len(s)+shift)%3]
		if end > start {
			out = append(out, e[start:end])
		}
	}
	return out
}

// windowsDashes are the characters that Windows programs take for one another before an option.
var windowsDashes = []string{"-", "/", "\u2013", "\u2014", "\u2015"}

// windash gives all permutations of the dashes that begin an option: a dash after no word character and before one.
func windash(p pattern) ([]pattern, error) {
	out := []pattern{nil}
	extend := func(choices ...pattern) {
		var next []pattern
		for _, base := range out {
			for _, c := range choices {
				next = append(next, base.join(c))
			}
		}
		out = next
	}
	for _, x := range p {
		if x.wild != 0 {
			extend(pattern{x})
			continue
		}
		rest := x.lit
		prevWord := false
		for rest != "" {
			at, size := -1, 0
			word := prevWord
			for i := 0; i < len(rest); {
				r, n := utf8.DecodeRuneInString(rest[i:])
				if slices.Contains(windowsDashes, string(r)) && !word {
					if next, _ := utf8.DecodeRuneInString(rest[i+n:]); i+n < len(rest) && isWord(next) {
						at, size = i, n
						break
					}
				}
				word = isWord(r)
				i += n
			}
			if at < 0 {
				extend(pattern{{lit: rest}})
				break
			}
			if at > 0 {
				extend(pattern{{lit: rest[:at]}})
			}
			var choices []pattern
			for _, d := range windowsDashes {
				choices = append(choices, pattern{{lit: d}})
			}
			extend(choices...)
			if len(out) > maxExpansions {
				return nil, errors.New("too many options in one value")
			}
			rest, prevWord = rest[at+size:], false
		}
	}
	return out, nil
}

func isWord(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= utf8.RuneSelf && r != utf8.RuneError &&
		!slices.Contains(windowsDashes, string(r))
}

// expand replaces %name% by the placeholder's values, which may hold wildcards. \% is a plain percent sign.
func expand(o operand, placeholders map[string][]string) ([]operand, error) {
	if o.kind != operandString && o.kind != operandRegexp {
		return []operand{o}, nil
	}
	src := o.raw
	type part struct {
		text        string
		placeholder bool
	}
	var parts []part
	text := ""
	for i := 0; i < len(src); i++ {
		switch {
		case src[i] == '\\' && i+1 < len(src) && src[i+1] == '%':
			text += "%"
			i++
		case src[i] == '\\' && i+1 < len(src):
			text += src[i : i+2]
			i++
		case src[i] == '%':
			end := strings.IndexByte(src[i+1:], '%')
			if end <= 0 {
				text += "%"
				continue
			}
			parts = append(parts, part{text: text}, part{src[i+1 : i+1+end], true})
			text = ""
			i += end + 1
		default:
			text += src[i : i+1]
		}
	}
	parts = append(parts, part{text: text})
	texts := []string{""}
	for _, p := range parts {
		choices := []string{p.text}
		if p.placeholder {
			choices = placeholders[p.text]
			if len(choices) == 0 {
				return nil, &PlaceholderError{p.text}
			}
		}
		var next []string
		for _, t := range texts {
			for _, c := range choices {
				next = append(next, t+c)
			}
		}
		if texts = next; len(texts) > maxExpansions {
			return nil, errors.New("too many values")
		}
	}
	out := make([]operand, len(texts))
	for i, t := range texts {
		out[i] = o
		out[i].raw = t
		if o.kind == operandRegexp {
			out[i].re = t
			continue
		}
		p := parsePattern(t)
		if len(o.pat) > 0 && o.isWildcard { // contains and its like came first: keep their stars
			if o.pat[0].wild == '*' {
				p = pattern{{wild: '*'}}.join(p)
			}
			if o.pat[len(o.pat)-1].wild == '*' {
				p = p.join(pattern{{wild: '*'}})
			}
		}
		out[i].pat = p
	}
	return out, nil
}

// ParsePlaceholders reads a file of placeholder values for Options.Placeholders: a YAML map of names to lists of values.
func ParsePlaceholders(file string, data []byte) (map[string][]string, error) {
	out := map[string][]string{}
	for _, d := range splitDocuments(data) {
		root, line, err := readDocument(d)
		if err != nil {
			return nil, &RuleError{File: file, Line: line, Err: err}
		}
		if root == nil {
			continue
		}
		r := &ruleReader{}
		err = r.pairs(root, "placeholders", func(name string, v *yaml.Node) error {
			values, err := r.texts(v)
			name = strings.Trim(name, "%")
			out[name] = append(out[name], values...)
			return err
		})
		if err != nil {
			return nil, &RuleError{File: file, Line: r.line, Err: err}
		}
	}
	return out, nil
}

// PlaceholderError is the reason of a rule that cannot be used because a placeholder has no values.
type PlaceholderError struct{ Name string }

func (e *PlaceholderError) Error() string {
	return fmt.Sprintf("placeholder %%%s%% has no values: give some to use this rule", e.Name)
}
