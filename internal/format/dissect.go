package format

import (
	"fmt"
	"strings"
)

// dissect cuts a line at fixed texts, as the filter of that name does:
//
//	%{@timestamp} [%{log.level}] %{user.name->} %{message}
//
// %{} and %{?name} take a value and drop it, -> takes further delimiters with it, and
// %{+name} appends to a value, with the delimiter between.
type dissect struct {
	before string // the first value
	parts  []dissectPart
}

type dissectPart struct {
	field  grokField
	drop   bool
	append bool
	pad    bool
	until  string // text behind the value; "" for the end of the line
}

func compileDissect(s string) (*dissect, error) {
	d := &dissect{}
	at := strings.Index(s, "%{")
	if at < 0 {
		return nil, fmt.Errorf("dissect: there is no %%{field}")
	}
	d.before, s = s[:at], s[at:]
	for s != "" {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return nil, fmt.Errorf("dissect: %q is not closed", s)
		}
		var p dissectPart
		name := s[2:end]
		name, p.pad = strings.CutSuffix(name, "->")
		name, p.append = strings.CutPrefix(name, "+")
		name, p.drop = strings.CutPrefix(name, "?")
		p.drop = p.drop || name == ""
		name, p.field.kind, _ = strings.Cut(name, ":")
		p.field.name = grokFieldName(name)
		if strings.ContainsAny(name, "&*/") {
			return nil, fmt.Errorf("dissect: %%{%s}: only %%{name}, %%{?name}, %%{+name} and -> are supported", name)
		}
		s = s[end+1:]
		next := strings.Index(s, "%{")
		if next < 0 {
			next = len(s)
		}
		p.until, s = s[:next], s[next:]
		if p.until == "" && s != "" {
			return nil, fmt.Errorf("dissect: there is nothing between %%{%s} and the next", name)
		}
		d.parts = append(d.parts, p)
	}
	return d, nil
}

// match implements linePattern.
func (d *dissect) match(line string, fn func(f grokField, value string)) bool {
	rest, ok := strings.CutPrefix(line, d.before)
	if !ok {
		return false
	}
	type value struct {
		f grokField
		v string
	}
	var got []value
	delimiter := ""
	for i := range d.parts {
		p := &d.parts[i]
		v := rest
		if p.until == "" {
			rest = ""
		} else if v, rest, ok = strings.Cut(rest, p.until); !ok {
			return false
		}
		for p.pad && strings.HasPrefix(rest, p.until) && p.until != "" {
			rest = rest[len(p.until):]
		}
		switch {
		case p.drop:
		case p.append:
			for k := range got {
				if got[k].f.name == p.field.name {
					got[k].v += delimiter + v
				}
			}
		default:
			got = append(got, value{p.field, v})
		}
		delimiter = p.until
	}
	if rest != "" {
		return false
	}
	for _, g := range got {
		fn(g.f, g.v)
	}
	return true
}
