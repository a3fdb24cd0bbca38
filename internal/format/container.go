package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// What containers write, as their runtimes keep it: Docker's json-file driver,
//
//	{"log":"TEXT\n","stream":"stdout","time":"2024-05-02T09:00:00.123456789Z"}
//
// and the format of the Container Runtime Interface (containerd, CRI-O),
//
//	2024-05-02T09:00:00.123456789Z stdout F TEXT
//
// The text within is given to the decoder of the log that it is a line of, and its
// dataset is that log's. The runtime's time stands for the event: it is exact.
// https://docs.docker.com/engine/logging/drivers/json-file/
// https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
var (
	_ = register(Format{
		Name:  "docker.json",
		Title: "Docker json-file container log",
		Group: "general",
		Recognise: func(s *Sample) int {
			return s.Share(func(l string) bool { return strings.HasPrefix(l, `{"log":"`) && strings.Contains(l, `,"time":"`) }) * 94 / 100
		},
		Lines: func(p *Params) LineDecoder {
			d := newContainer(p, "docker.json", "docker")
			return d.record(d.docker)
		},
		Goes: func(before, line string) bool {
			stream, text, whole, ok := dockerLine(before)
			next, more, _, ok2 := dockerLine(line)
			return ok && ok2 && stream == next && (!whole || text != "" && carriedTail(more) || goGoesOn(text, more))
		},
		Joined: maxCarried,
	})
	_ = register(Format{
		Name:  "containerd.cri",
		Title: "Container log of the Container Runtime Interface",
		Group: "general",
		Recognise: func(s *Sample) int {
			return s.Share(func(l string) bool { _, _, _, ok := criLine(l); return ok }) * 94 / 100
		},
		Lines: func(p *Params) LineDecoder {
			d := newContainer(p, "containerd.cri", "containerd")
			return d.record(d.cri)
		},
		Goes: func(before, line string) bool {
			i, stream, tags, ok := criLine(before)
			j, next, _, ok2 := criLine(line)
			return ok && ok2 && stream == next && (tags[0] == 'P' || i < len(before) && carriedTail(line[j:]) || goGoesOn(before[i:], line[j:]))
		},
		Joined: maxCarried,
	})
)

// maxCarried bounds what the lines of one record add up to.
const maxCarried = 256 << 10

// carriedTail reports whether a container's line goes on with the one before it: a stack trace, the inside
// of what is printed over many lines.
func carriedTail(l string) bool {
	return l != "" && l[0] != '{' && l[0] != '#' && continues(l)
}

// dockerLine cuts a line of Docker's without decoding it: its stream, the text and whether that ends its line.
// What text there is keeps its escapes but for a tab at its beginning. A quote
// within the text is escaped, so none of the names can be mistaken.
func dockerLine(l string) (stream, text string, whole, ok bool) {
	text, ok = strings.CutPrefix(l, `{"log":"`)
	if !ok {
		return "", "", false, false
	}
	text, rest, ok := strings.Cut(text, `","stream":"`)
	if !ok {
		return "", "", false, false
	}
	stream, _, ok = strings.Cut(rest, `"`)
	if text, whole = strings.CutSuffix(text, `\n`); whole {
		text = strings.TrimSuffix(text, `\r`)
	}
	if tail, tab := strings.CutPrefix(text, `\t`); tab {
		text = "\t" + tail
	}
	return stream, text, whole, ok
}

type container struct {
	p       *Params
	inner   *Params
	dataset string
	runtime string
	scan    event.Scanner
	lines   *lineRouter
	json    LineDecoder
	text    func(string, *event.Batch)
	own     []event.Field
}

func newContainer(p *Params, dataset, runtime string) *container {
	inner := &Params{Clock: timestamp.NewClock(nil, 0)}
	lines := newLineRouter(inner)
	lines.sure = 60
	return &container{p: p, inner: inner, dataset: dataset, runtime: runtime, lines: lines, json: newJSONDecoder(inner), text: newTextDecoder(inner)}
}

// carriedLine is what one line of a container's log holds.
type carriedLine struct {
	text, stream string
	ns           int64
	whole        bool // the text ends its line
}

// record decodes a record of one line or more, of which cut takes one apart.
func (d *container) record(cut func(line string, b *event.Batch) (carriedLine, error)) LineDecoder {
	return func(record string, b *event.Batch) error {
		d.own = d.own[:0]
		first, rest, more := strings.Cut(record, "\n")
		l, err := cut(strings.TrimSuffix(first, "\r"), b)
		if err != nil {
			return err
		}
		if more {
			text := []byte(l.text)
			for more {
				first, rest, more = strings.Cut(rest, "\n")
				next, err := cut(strings.TrimSuffix(first, "\r"), b)
				if err != nil {
					return err
				}
				if l.whole {
					text = append(text, '\n')
				}
				text = append(text, next.text...)
				l.whole = next.whole
			}
			l.text = b.Bytes(text)
		}
		d.unwrap(l, b)
		for _, f := range d.own {
			b.AddKind(f.Name, f.Value, f.Kind)
		}
		return nil
	}
}

func (d *container) docker(line string, b *event.Batch) (carriedLine, error) {
	l := carriedLine{ns: event.NoTime}
	leaves, err := d.scan.Scan(line, b)
	if err != nil {
		return l, err
	}
	has, first := false, len(d.own) == 0
	for i := range leaves {
		leaf := &leaves[i]
		switch leaf.Name.Path {
		case "log":
			l.text, has = leaf.Value, true
		case "stream":
			l.stream = leaf.Value
		case "time":
			if t, n, ok := d.p.Clock.ISO(leaf.Value); ok && n == len(leaf.Value) {
				l.ns = t
			}
		default: // labels and environment, with the driver's options
			if first {
				d.own = append(d.own, event.Field{Name: "docker." + leaf.Name.Path, Value: leaf.Value, Kind: leaf.Kind})
			}
		}
	}
	if !has {
		return l, errorString("no log: not a line of a container")
	}
	l.whole = strings.HasSuffix(l.text, "\n")
	l.text = strings.TrimRight(l.text, "\r\n")
	return l, nil
}

// criLine cuts a line of the CRI: where the text begins, its stream and its tags.
func criLine(l string) (text int, stream, tags string, ok bool) {
	i := strings.IndexByte(l, ' ')
	if i < 20 || i > 40 || l[4] != '-' || l[10] != 'T' {
		return 0, "", "", false
	}
	rest := l[i+1:]
	stream, rest, ok = strings.Cut(rest, " ")
	if !ok || stream != "stdout" && stream != "stderr" {
		return 0, "", "", false
	}
	tags, rest, cut := strings.Cut(rest, " ")
	if !cut {
		rest = ""
	}
	return len(l) - len(rest), stream, tags, tags == "F" || tags == "P" || strings.HasPrefix(tags, "F:") || strings.HasPrefix(tags, "P:")
}

func (d *container) cri(line string, b *event.Batch) (carriedLine, error) {
	text, stream, tags, ok := criLine(line)
	if !ok {
		return carriedLine{}, errorString("no time, stream and tag: not a line of the CRI")
	}
	ns, _, ok := d.p.Clock.ISO(line)
	if !ok {
		return carriedLine{}, errorString("no time at the beginning of the line")
	}
	return carriedLine{text: line[text:], stream: stream, ns: ns, whole: tags[0] != 'P'}, nil
}

// unwrap decodes the text within and adds what is known of its carrier.
func (d *container) unwrap(l carriedLine, b *event.Batch) {
	if l.ns != event.NoTime {
		d.inner.Clock.Seen(l.ns) // the text may lack a year
	}
	if !d.decodeInner(l.text, b) {
		b.Rollback()
		d.text(l.text, b)
		b.Set("event.dataset", d.dataset)
	}
	if b.Event().Time = l.ns; l.ns == event.NoTime {
		d.p.Clock.NoTime()
	}
	if !b.Event().Has("message") {
		b.Add("message", l.text)
	}
	b.Add("container.runtime", d.runtime)
	b.Add("stream", l.stream)
	if !l.whole {
		b.Add("log.flags", "partial")
	}
}

// decodeInner decodes the text by the format that knows it, as of a source of its own.
func (d *container) decodeInner(text string, b *event.Batch) bool {
	if text == "" {
		return false
	}
	if text[0] == '{' && !strings.HasPrefix(text, `{"t":{"$date":`) { // but for MongoDB's
		return d.json(text, b) == nil
	}
	// Of two that write access logs alike, nginx is in more containers.
	return d.lines.decode(text, "nginx", b)
}
