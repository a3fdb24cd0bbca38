package logpattern

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The state of a Miner is the masked messages it knows, in the order in which
// they came, one a line: count, tab, message with the variable byte. Learning
// them again gives the same Miner: what it makes of a message depends on those alone
// that were new to it. A plus behind the count says that a Miner which was merged had given
// the message's id. A star before it says that the line is no message but the order of separators of messages that
// fitted no template (empty: of all).
const (
	header    = "logpattern 2"
	headerOne = "logpattern 1" // without pluses and stars
)

// WriteTo writes the Miner's state.
func (m *Miner) WriteTo(w io.Writer) (int64, error) {
	b := bufio.NewWriter(w)
	n, _ := b.WriteString(header + "\n")
	total := int64(n)
	for i := range m.shapes {
		var n int
		switch s := &m.shapes[i]; {
		case s.known() && s.given:
			n, _ = fmt.Fprintf(b, "%d+\t%s\n", s.count, s.text)
		case s.known():
			n, _ = fmt.Fprintf(b, "%d\t%s\n", s.count, s.text)
		case Handle(i) == m.any:
			n, _ = fmt.Fprintf(b, "*%d\t\n", s.count)
		default:
			n, _ = fmt.Fprintf(b, "*%d\t%s\n", s.count, m.groups[s.group].skeleton)
		}
		total += int64(n)
	}
	return total, b.Flush()
}

// Read returns the Miner whose state was written. Its counts are those of then.
func Read(r io.Reader) (*Miner, error) {
	m := New()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4*maxMasked)
	if !lines.Scan() || lines.Text() != header && lines.Text() != headerOne {
		return nil, errors.Join(lines.Err(), errors.New("no state of a pattern miner"))
	}
	for at := 2; lines.Scan(); at++ {
		count, text, ok := strings.Cut(lines.Text(), "\t")
		count, rest := strings.CutPrefix(count, "*")
		count, gave := strings.CutSuffix(count, "+")
		n, err := strconv.ParseInt(count, 10, 64)
		switch {
		case !ok || err != nil || n < 0 || len(text) > 2*maxMasked || rest && gave:
			return nil, fmt.Errorf("line %d: no masked message", at)
		case !rest:
			m.take(clean(text), n, gave)
		case text == "":
			m.shapes[m.anything()].count += n
		default:
			if _, form := cut(text, nil, nil); string(form) != text {
				return nil, fmt.Errorf("line %d: no order of separators", at)
			}
			m.shapes[m.remainderOf(text)].count += n
		}
	}
	return m, lines.Err()
}

// clean makes sure that a text is one that AppendMasked may have written.
func clean(text string) []byte {
	if text != "" && text[0] == literal {
		return AppendKind(nil, text[1:])
	}
	var out []byte
	for i := range len(text) {
		c := text[i]
		if c != variable && class[c] == space {
			if len(out) > 0 && out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
			continue
		}
		out = append(out, c)
	}
	if n := len(out); n > 0 && out[n-1] == ' ' {
		out = out[:n-1]
	}
	return out
}
