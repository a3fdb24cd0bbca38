package format

import (
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Text of no known format whose records begin with a time: lines that have none, such as
// stack traces of any language, dumps, pretty-printed JSON, the rows of a table, belong to the
// record before. That a time stands where those of the other records stand is what makes a record,
// so no list of languages is needed.
var _ = register(Format{
	Name:      "text.stamped",
	Title:     "Any other text whose records begin with a time, with the lines that belong to them",
	Group:     "general",
	Recognise: recogniseStamped,
	Lines: func(p *Params) LineDecoder {
		decode := newTextDecoder(p)
		return func(line string, b *event.Batch) error {
			decode(line, b)
			return nil
		}
	},
	Joins:  func(line []byte) bool { return stampAt(event.View(line)) < 0 },
	Blank:  true,
	Joined: 64 << 10,
	Date:   textDate,
})

const (
	maxStampAt  = 64 // a record's time begins before this byte,
	stampSpread = 24 // and no farther than this from where others have it
)

// stampAt is where the time begins that makes a line a record, -1 if it is none. In an
// indented line only what stands first counts.
func stampAt(l string) int {
	probe := stampProbes.Get().(*stampProbe)
	defer stampProbes.Put(probe)
	*probe = stampProbe{}
	f := &probe.timeFinder
	f.clock = &probe.clock
	head := l[:min(len(l), maxStampAt+48)]
	if _, _, ok := f.find(head); !ok || f.at > maxStampAt {
		return -1
	}
	if (l[0] == ' ' || l[0] == '\t') && f.at > len(l)-len(strings.TrimLeft(l, " \t[")) {
		return -1
	}
	return f.at
}

// stampProbe looks for a time in one line: every line of a text is looked at.
type stampProbe struct {
	timeFinder
	clock timestamp.Clock
}

var stampProbes = sync.Pool{New: func() any { return &stampProbe{} }}

// recogniseStamped: two records or more have their time in about one place, or one has and
// what is behind it is evidently not of its own.
func recogniseStamped(s *Sample) int {
	first, at, stamped, near, trace := -1, 0, 0, 0, 0
	for i, l := range s.Lines {
		n := stampAt(l)
		switch {
		case n < 0 && first >= 0 && continues(l):
			trace++
		case n < 0:
		case first < 0:
			first, at = i, n
			stamped, near = 1, 1
		default:
			stamped++
			if n-at < stampSpread && at-n < stampSpread {
				near++
			}
		}
	}
	switch {
	case first < 0 || first > 10 || near*10 < stamped*8 || !s.Text():
		return 0
	case stamped >= 2, trace > 0 && trace == len(s.Lines)-first-1:
		return 2
	}
	return 0
}

// continues reports whether a line evidently belongs to the one before.
func continues(l string) bool {
	switch l[0] {
	case ' ', '\t', '}', ']', '{', '#':
		return true
	}
	for _, p := range [...]string{"at ", "Caused by: ", "Traceback ", `File "`, "goroutine ", "--- End of ", "[stacktrace]", "... "} {
		if strings.HasPrefix(l, p) {
			return true
		}
	}
	// "java.io.IOException: gone", behind the line that tells of it
	kind, _, _ := strings.Cut(l, ":")
	return (strings.HasSuffix(kind, "Exception") || strings.HasSuffix(kind, "Error")) && isLogger(kind) && strings.IndexByte(kind, '.') > 0
}
