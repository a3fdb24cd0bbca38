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
// that were new to it.
const header = "logpattern 1"

// WriteTo writes the Miner's state.
func (m *Miner) WriteTo(w io.Writer) (int64, error) {
	b := bufio.NewWriter(w)
	n, _ := b.WriteString(header + "\n")
	total := int64(n)
	for i := range m.shapes {
		if s := &m.shapes[i]; s.known() {
			n, _ := fmt.Fprintf(b, "%d\t%s\n", s.count, s.text)
			total += int64(n)
		}
	}
	return total, b.Flush()
}

// Read returns the Miner whose state was written. Its counts are those of then.
func Read(r io.Reader) (*Miner, error) {
	m := New()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4*maxMasked)
	if !lines.Scan() || lines.Text() != header {
		return nil, errors.Join(lines.Err(), errors.New("no state of a pattern miner"))
	}
	for at := 2; lines.Scan(); at++ {
		count, text, ok := strings.Cut(lines.Text(), "\t")
		n, err := strconv.ParseInt(count, 10, 64)
		if !ok || err != nil || n < 0 || len(text) > 2*maxMasked {
			return nil, fmt.Errorf("line %d: no masked message", at)
		}
		m.AddMasked(clean(text), n)
	}
	return m, lines.Err()
}

// clean makes sure that a text is one that AppendMasked may have written.
func clean(text string) []byte {
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
