package store

import (
	"strconv"
	"strings"
)

// Synonyms tells for columns by name what else a value is called: the values
// that mean the same as it, without itself. Queries that compare one of the columns with
// a value, by :, := or in(…), then find the rows that have any of them.
type Synonyms map[string]func(value string) []string

// rewrite puts all names of a value where a query, in the engine's own
// spelling, compares a column with one.
func (s Synonyms) rewrite(logsql string) string {
	var out strings.Builder
	for i := 0; i < len(logsql); {
		name, n := token(logsql[i:])
		if n == 0 {
			out.WriteByte(logsql[i])
			i++
			continue
		}
		out.WriteString(logsql[i : i+n])
		i += n
		names := s[name]
		if names == nil || i >= len(logsql) || logsql[i] != ':' {
			continue
		}
		out.WriteByte(':')
		i++
		rest := logsql[i:]
		if list, isList := strings.CutPrefix(rest, "in("); isList {
			values, n := valueList(list)
			if n == 0 {
				continue
			}
			out.WriteString(inAll(values, names))
			i += len("in(") + n
			continue
		}
		one := strings.TrimPrefix(rest, "=")
		value, n := token(one)
		if n == 0 || len(names(value)) == 0 || n < len(one) && (one[n] == '*' || one[n] == '(') {
			continue
		}
		out.WriteString(inAll([]string{value}, names))
		i += len(rest) - len(one) + n
	}
	return out.String()
}

// inAll returns in(…) of the values and all that mean the same.
func inAll(values []string, names func(string) []string) string {
	seen := map[string]bool{}
	var list []string
	add := func(v string) {
		if !seen[v] {
			seen[v] = true
			list = append(list, strconv.Quote(v))
		}
	}
	for _, v := range values {
		add(v)
		for _, o := range names(v) {
			add(o)
		}
	}
	return "in(" + strings.Join(list, ",") + ")"
}

// valueList reads values up to the closing bracket and returns how many bytes
// they take with it: 0 if it is not a list, but a query within the query.
func valueList(s string) (values []string, length int) {
	for i := 0; ; i++ {
		v, n := token(s[i:])
		if n == 0 {
			return nil, 0
		}
		values = append(values, v)
		i += n
		if i >= len(s) || s[i] != ',' && s[i] != ')' {
			return nil, 0
		}
		if s[i] == ')' {
			return values, i + 1
		}
	}
}

// token reads a word, quoted or not, and returns how many bytes it takes.
func token(s string) (string, int) {
	if s != "" && isQuote(s[0]) {
		return quotedToken(s)
	}
	n := 0
	for n < len(s) && (s[n] == '_' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return s[:n], n
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// quotedToken reads the quoted text that s begins with.
func quotedToken(s string) (string, int) {
	prefix, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", 1
	}
	text, err := strconv.Unquote(prefix)
	if err != nil {
		return "", len(prefix)
	}
	return text, len(prefix)
}
