package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Account is the books of one source, or the sum over many. Every byte read
// and every record found ends up in exactly one column; [Account.Check] says
// whether that holds. Bytes are counted where the framer reads them: after
// decompression and transcoding to UTF-8, plus the byte order mark taken off
// (see [Inspection.BytesIn]).
type Account struct {
	BytesIn         int64            `json:"bytes_in"`
	BytesEvents     int64            `json:"bytes_events"`            // inside a record, decoded or not
	BytesSeparators int64            `json:"bytes_separators"`        // line ends, padding, headers, byte order mark
	BytesRefused    map[string]int64 `json:"bytes_refused,omitempty"` // by reason
	Records         int64            `json:"records"`
	Decoded         int64            `json:"decoded"`
	Undecoded       int64            `json:"undecoded"` // kept as an event with error.message
	Duplicate       int64            `json:"duplicate"` // the case already had it
}

// Refuse books n bytes as read but not kept, under a short reason.
func (a *Account) Refuse(reason string, n int64) {
	if n == 0 {
		return
	}
	if a.BytesRefused == nil {
		a.BytesRefused = make(map[string]int64)
	}
	a.BytesRefused[reason] += n
}

// Refused is the number of bytes refused for any reason.
func (a *Account) Refused() int64 {
	var sum int64
	for _, n := range a.BytesRefused {
		sum += n
	}
	return sum
}

// Add adds the books of b to a.
func (a *Account) Add(b Account) {
	a.BytesIn += b.BytesIn
	a.BytesEvents += b.BytesEvents
	a.BytesSeparators += b.BytesSeparators
	for reason, n := range b.BytesRefused {
		a.Refuse(reason, n)
	}
	a.Records += b.Records
	a.Decoded += b.Decoded
	a.Undecoded += b.Undecoded
	a.Duplicate += b.Duplicate
}

// Check returns an error that shows the sums when the books do not balance:
// bytes in = events + separators + refused, records = decoded + undecoded +
// duplicate, and no column negative. Such an error is a defect of Sextant,
// never of the evidence.
func (a *Account) Check() error {
	columns := []int64{a.BytesIn, a.BytesEvents, a.BytesSeparators, a.Records, a.Decoded, a.Undecoded, a.Duplicate}
	for _, n := range a.BytesRefused {
		columns = append(columns, n)
	}
	if slices.Min(columns) < 0 {
		return fmt.Errorf("accounting: a column is negative: %+v", *a)
	}
	if out := a.BytesEvents + a.BytesSeparators + a.Refused(); out != a.BytesIn {
		return fmt.Errorf("accounting: %d bytes in, but %d accounted for (%d events + %d separators + %d refused)",
			a.BytesIn, out, a.BytesEvents, a.BytesSeparators, a.Refused())
	}
	if out := a.Decoded + a.Undecoded + a.Duplicate; out != a.Records {
		return fmt.Errorf("accounting: %d records, but %d accounted for (%d decoded + %d undecoded + %d duplicate)",
			a.Records, out, a.Decoded, a.Undecoded, a.Duplicate)
	}
	return nil
}

// ProblemKind says what sort of trouble a [Problem] is, for callers that act
// on it. The text for people is in Problem.What.
type ProblemKind string

const (
	Missing     ProblemKind = "missing"     // no such file
	Unreadable  ProblemKind = "unreadable"  // permission, I/O error, locked
	NotRegular  ProblemKind = "not regular" // socket, device, FIFO, virtual file system
	Loop        ProblemKind = "loop"        // a link leads back to a directory being walked
	Linked      ProblemKind = "linked"      // a link to a directory that is read elsewhere: for information
	Empty       ProblemKind = "empty"       // an archive that holds no files: for information
	Truncated   ProblemKind = "truncated"   // compressed data or an archive ends early
	Corrupt     ProblemKind = "corrupt"     // a checksum or structure is wrong
	Encrypted   ProblemKind = "encrypted"   // password-protected
	Unsupported ProblemKind = "unsupported" // a container or method not read here
	Limit       ProblemKind = "limit"       // a bound of Options was reached
	Changed     ProblemKind = "changed"     // the file was replaced or cut while being read
)

// Problem is one clear line about evidence that could not be read as it
// should. It is an error, so that a stream can end with it.
type Problem struct {
	Kind   ProblemKind `json:"kind"`
	Path   string      `json:"path"`             // the outer file, as Source.Path
	Member string      `json:"member,omitempty"` // the member chain joined with "!", escaped for display
	Offset int64       `json:"offset"`           // byte offset in the logical content; -1 when it says nothing
	Line   int64       `json:"line,omitempty"`   // 1-based; 0 when it says nothing
	What   string      `json:"what"`
	Remedy string      `json:"remedy,omitempty"` // what the person can do
	Err    error       `json:"-"`                // the cause, where there is one
}

// String is the problem as one line of plain text without control characters:
// "PATH!MEMBER: line N: WHAT; REMEDY".
func (p *Problem) String() string {
	var b strings.Builder
	b.WriteString(Printable(p.Path))
	if p.Member != "" {
		b.WriteString("!" + p.Member)
	}
	switch {
	case p.Line > 0:
		b.WriteString(": line " + strconv.FormatInt(p.Line, 10))
	case p.Offset >= 0:
		b.WriteString(": byte " + strconv.FormatInt(p.Offset, 10))
	}
	b.WriteString(": " + Printable(p.What))
	if p.Remedy != "" {
		b.WriteString("; " + Printable(p.Remedy))
	}
	return b.String()
}

func (p *Problem) Error() string { return p.String() }

func (p *Problem) Unwrap() error { return p.Err }

// Refuses reports whether nothing of the source should be kept: what it gave
// before the problem is the product of a bomb or of a container not read here.
// After any other problem, what could be read is evidence.
func (p *Problem) Refuses() bool {
	return p != nil && (p.Kind == Limit || p.Kind == Unsupported || p.Kind == Encrypted)
}

// Printable returns s with control, format (bidirectional overrides among
// them) and invalid characters written as \xHH or \u{H…}, so that a hostile
// file name can neither drive a terminal nor break a line. A name without such
// characters is returned unchanged.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if !printable(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case printable(r) && !(r == utf8.RuneError && size == 1):
			b = append(b, s[i:i+size]...)
		case size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		default:
			b = fmt.Appendf(b, `\u{%x}`, r)
		}
		i += size
	}
	return string(b)
}

func printable(r rune) bool {
	return r >= ' ' && r < 0x7f || r > 0x9f && r != utf8.RuneError && (unicode.IsPrint(r) || unicode.Is(unicode.Zs, r))
}
