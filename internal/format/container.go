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
			return d.docker
		},
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
			return d.cri
		},
	})
)

// innerLogs are the logs that are told line by line, with a test that is cheaper and
// stricter than their decoders.
var innerLogs = []struct {
	name  string
	looks func(l string) bool
}{
	{"nginx.access", func(l string) bool {
		return strings.Contains(l, "] \"") && strings.Contains(l[:min(len(l), 80)], " - ")
	}},
	{"nginx.error", func(l string) bool { return len(l) > 20 && l[4] == '/' && l[7] == '/' && l[10] == ' ' }},
	{"postgresql.log", pgText},
	{"redis.log", func(l string) bool { var r redisLine; return r.cut(l) && r.level() != "" }},
	{"mongodb.log", func(l string) bool {
		_, _, _, ok := mongoHead(l)
		return ok || strings.HasPrefix(l, `{"t":{"$date":`)
	}},
	{"mysql.error", func(l string) bool {
		n, _, ok := mysqlTime(l, &timestamp.Clock{})
		if !ok {
			return false
		}
		thread, level, _, _ := mysqlError(strings.TrimLeft(l[n:], " \t"))
		return thread != "" && level != ""
	}},
}

type container struct {
	p        *Params
	inner    *Params
	dataset  string
	runtime  string
	scan     event.Scanner
	decoders []LineDecoder // of innerLogs, made when first needed
	json     LineDecoder
	text     func(string, *event.Batch)
}

func newContainer(p *Params, dataset, runtime string) *container {
	inner := &Params{Clock: timestamp.NewClock(nil, 0)}
	return &container{p: p, inner: inner, dataset: dataset, runtime: runtime, decoders: make([]LineDecoder, len(innerLogs)), json: newJSONDecoder(inner), text: newTextDecoder(inner)}
}

func (d *container) docker(line string, b *event.Batch) error {
	leaves, err := d.scan.Scan(line, b)
	if err != nil {
		return err
	}
	var text, stream string
	ns := int64(event.NoTime)
	has := false
	var own []event.Field
	for i := range leaves {
		l := &leaves[i]
		switch l.Name.Path {
		case "log":
			text, has = l.Value, true
		case "stream":
			stream = l.Value
		case "time":
			if t, n, ok := d.p.Clock.ISO(l.Value); ok && n == len(l.Value) {
				ns = t
			}
		default: // labels and environment, with the driver's options
			own = append(own, event.Field{Name: "docker." + l.Name.Path, Value: l.Value, Kind: l.Kind})
		}
	}
	if !has {
		return errorString("no log: not a line of a container")
	}
	whole := strings.HasSuffix(text, "\n")
	d.unwrap(strings.TrimRight(text, "\r\n"), stream, ns, !whole, b)
	for _, f := range own {
		b.AddKind(f.Name, f.Value, f.Kind)
	}
	return nil
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

func (d *container) cri(line string, b *event.Batch) error {
	text, stream, tags, ok := criLine(line)
	if !ok {
		return errorString("no time, stream and tag: not a line of the CRI")
	}
	ns, _, ok := d.p.Clock.ISO(line)
	if !ok {
		return errorString("no time at the beginning of the line")
	}
	d.unwrap(line[text:], stream, ns, tags[0] == 'P', b)
	return nil
}

// unwrap decodes the text within and adds what is known of its carrier.
func (d *container) unwrap(text, stream string, ns int64, partial bool, b *event.Batch) {
	d.decodeInner(text, b)
	if b.Event().Time = ns; ns == event.NoTime {
		d.p.Clock.NoTime()
	}
	if !b.Event().Has("message") {
		b.Add("message", text)
	}
	b.Add("container.runtime", d.runtime)
	b.Add("stream", stream)
	if partial {
		b.Add("log.flags", "partial")
	}
}

func (d *container) decodeInner(text string, b *event.Batch) {
	plain := func() {
		d.text(text, b)
		b.Set("event.dataset", d.dataset)
	}
	if text == "" {
		plain()
		return
	}
	for i := range innerLogs {
		if !innerLogs[i].looks(text) {
			continue
		}
		if d.decoders[i] == nil {
			d.decoders[i] = Lookup(innerLogs[i].name).Lines(d.inner)
		}
		if d.decoders[i](text, b) == nil {
			return
		}
		b.Rollback()
	}
	if text[0] == '{' {
		if d.json(text, b) == nil {
			return
		}
		b.Rollback()
	}
	plain()
}
