package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// What programs in Go write by themselves: the log package of the standard library,
//
//	2026/11/30 08:44:21 main.go:12: text               (microseconds and the file with its flags)
//
// and what the runtime says of a program that fails, "panic: REASON" or "fatal error: REASON" with the stacks of its
// goroutines behind. In a file these belong to the record before, which has the time; alone, as a container's log has
// them, they are a record. Without file names such lines are not Go's alone, and are read as any text with a time.
// https://pkg.go.dev/log#pkg-constants
var _ = register(Format{
	Name:      "go.log",
	Title:     "Go standard library log with file names, and panics with their stacks",
	Group:     "general",
	Recognise: recogniseGo,
	Lines: func(p *Params) LineDecoder {
		return func(record string, b *event.Batch) error { return decodeGo(p, record, b) }
	},
	Joins: func(line []byte) bool { _, ok := goStamp(event.View(line)); return !ok },
	Blank: true,
})

// recogniseGo: all records begin with the stamp, of most the file stands behind it or a stack shows whose they are; or
// there is nothing but what the runtime says.
func recogniseGo(s *Sample) int {
	stamped, sourced, stacks := 0, 0, 0
	for i, l := range s.Lines {
		n, ok := goStamp(l)
		switch {
		case ok:
			stamped++
			if _, _, ok := goSource(l[n:]); ok {
				sourced++
			}
		case isGoroutine(l):
			stacks++
		case i == 0 && !isGoFailure(l):
			return 0
		}
	}
	if stacks > 0 && stamped == 0 || stamped > 0 && sourced*10 >= stamped*9 {
		return 85
	}
	if stacks > 0 && stamped > 0 {
		return 70
	}
	return 0
}

func decodeGo(p *Params, record string, b *event.Batch) error {
	first, trace, _ := strings.Cut(record, "\n")
	first = strings.TrimSuffix(first, "\r")
	n, stamped := goStamp(first)
	if !stamped && !isGoFailure(first) && !isGoroutine(first) {
		return errorString("neither the stamp of Go's log package nor a panic")
	}
	b.Event().Time = event.NoTime
	text := first
	if stamped {
		ns, _, ok := p.Clock.ISO(first)
		if !ok {
			return errorString("no time at the beginning of the line")
		}
		b.Event().Time = ns
		text = first[n:]
		if origin, rest, ok := goSource(text); ok {
			addOrigin(origin, b)
			text = rest
		}
	} else {
		p.Clock.NoTime()
		trace = record
	}
	b.Add("event.dataset", "go.log")
	b.Add("event.kind", "event")
	addGoText(text, trace, b)
	return nil
}

// addGoText adds a message and what the runtime says behind it.
func addGoText(text, trace string, b *event.Batch) {
	trace = strings.TrimLeft(trace, "\r\n")
	if reason, kind, ok := goFailure(trace); ok {
		b.Set("log.level", "fatal")
		b.Add("error.type", kind)
		b.Add("error.message", reason)
		b.Add("error.stack_trace", trace)
	} else if isGoroutine(trace) { // net/http recovers: "http: panic serving 192.0.2.1:4711: REASON"
		b.Add("error.stack_trace", trace)
	} else if trace != "" {
		text += "\n" + trace
	}
	b.Add("message", text)
	var facts textFacts
	facts.add(text, true, b)
}

// goFailure is why the runtime ended a program, if trace tells of it.
func goFailure(trace string) (reason, kind string, ok bool) {
	first, _, _ := strings.Cut(trace, "\n")
	first = strings.TrimSuffix(first, "\r")
	if !isGoFailure(first) {
		return "", "", false
	}
	kind, reason, _ = strings.Cut(first, ": ")
	return reason, kind, true
}

// isGoFailure reports whether a line is the first that the runtime writes of a failure.
func isGoFailure(l string) bool {
	return strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: ")
}

// isGoroutine: "goroutine 1 [running]:", "goroutine 7 gp=0xc000 m=0 mp=0x1 [chan receive, 5 minutes]:".
func isGoroutine(l string) bool {
	rest, ok := strings.CutPrefix(l, "goroutine ")
	number, rest, ok2 := strings.Cut(rest, " ")
	line, _, _ := strings.Cut(rest, "\n")
	return ok && ok2 && isDigits(number) && strings.IndexByte(line, '[') >= 0 && strings.HasSuffix(strings.TrimRight(line, "\r"), "]:")
}

// goGoesOn reports whether a line is of what the runtime says of a failure, as the one before it is.
func goGoesOn(before, line string) bool {
	frame := strings.HasPrefix(before, "\t") && strings.Contains(before, ".go:") || strings.HasPrefix(before, "\t") && strings.Contains(before, ".s:")
	failure := isGoFailure(before) || strings.HasPrefix(before, "\tpanic: ") || strings.HasPrefix(before, "[signal ")
	switch {
	case line == "":
		return frame || failure
	case isGoroutine(line):
		return before == "" || frame || failure
	case strings.HasPrefix(line, "\tpanic: "), strings.HasPrefix(line, "[signal "):
		return failure
	case strings.HasPrefix(line, "\t"):
		return strings.HasPrefix(before, "created by ") || isGoCall(before)
	case strings.HasPrefix(line, "created by "), strings.HasPrefix(line, "exit status "):
		return frame
	}
	return isGoCall(line) && (frame || isGoroutine(before))
}

// isGoCall: "main.(*server).serve(0xc000012345, {0x1, 0x2})", "panic({0x4a1b60?, 0x52f0e0?})".
func isGoCall(l string) bool {
	open := strings.IndexByte(l, '(')
	return open > 0 && l[len(l)-1] == ')' && strings.IndexByte(l[:open], ' ') < 0 && (isLetter(l[0]) || l[0] == '_')
}

// goStamp is the length of the log package's date and time with the blank behind.
func goStamp(l string) (n int, ok bool) {
	if len(l) < 20 || l[4] != '/' || l[7] != '/' || l[10] != ' ' || l[13] != ':' || l[16] != ':' || !isDigits(l[:4]) {
		return 0, false
	}
	n = 19
	if l[n] == '.' {
		for n++; n < len(l) && isDigit(l[n]); n++ {
		}
	}
	if n >= len(l) || l[n] != ' ' {
		return 0, false
	}
	return n + 1, true
}

// goSource cuts "main.go:12: " off a text; a prefix may stand before it without a blank behind the file's line.
func goSource(s string) (origin, rest string, ok bool) {
	origin, rest, ok = strings.Cut(s, ": ")
	if !ok {
		origin, ok = strings.CutSuffix(s, ":")
	}
	file, line, colon := cutLast(origin, ":")
	return origin, rest, ok && colon && len(origin) < 300 && isDigits(line) && strings.HasSuffix(file, ".go")
}

// addOrigin adds the place in the source that wrote a record, "FILE:LINE".
func addOrigin(origin string, b *event.Batch) {
	if file, line, ok := cutLast(origin, ":"); ok {
		b.Add("log.origin.file.name", file)
		b.AddNumber("log.origin.file.line", line)
	}
}

// Logs of klog and glog, by Kubernetes and many more:
//
//	I1130 08:44:21.123456   12345 kubelet.go:123] "Started container" pod="shop/web-0" err=<
//		text of many lines
//	 >
//
// level, month and day (glog for C++ writes the year before them), time, process (in C++ the thread), place in the
// source, and the message; a structured one is in quotes with its pairs behind. Pairs keep their names and get the
// ECS fields that names and values make certain.
// https://github.com/kubernetes/klog/blob/main/internal/buffer/buffer.go
var _ = register(Format{
	Name:  "klog",
	Title: "Kubernetes klog and glog",
	Group: "general",
	Recognise: func(s *Sample) int {
		heads, others := 0, 0
		for i, l := range s.Lines {
			switch _, ok := readKlog(l); {
			case ok:
				heads++
			case i > 0 && (klogGoes(s.Lines[i-1], l) || isGoCall(l)) || isKlogPreface(l):
			default:
				others++
			}
		}
		if heads <= others {
			return 0
		}
		return 95 * heads / (heads + others)
	},
	Lines: func(p *Params) LineDecoder {
		d := &klog{clock: p.Clock, pairs: logfmt{named: namedRecord{p: p, prefix: "klog."}, names: map[string]*event.Name{}}}
		return d.decode
	},
	Goes:  klogGoes,
	Blank: true,
	Date: func(line []byte) (month, day int, ok bool) {
		h, ok := readKlog(event.View(line))
		return h.month, h.day, ok && h.year == 0
	},
})

type klogHead struct {
	level            string
	year, month, day int
	clock            string // 08:44:21.123456
	id, origin, text string
}

// readKlog takes the head off a line.
func readKlog(l string) (h klogHead, ok bool) {
	if len(l) < 30 {
		return h, false
	}
	switch l[0] {
	case 'I':
		h.level = "info"
	case 'W':
		h.level = "warning"
	case 'E':
		h.level = "error"
	case 'F':
		h.level = "fatal"
	default:
		return h, false
	}
	date, rest, ok := strings.Cut(l[1:], " ")
	if !ok || !isDigits(date) || len(date) != 4 && len(date) != 8 {
		return h, false
	}
	if len(date) == 8 {
		h.year = int(wholeNumber(date[:4]))
		date = date[4:]
	}
	h.month, h.day = int(wholeNumber(date[:2])), int(wholeNumber(date[2:]))
	h.clock, rest, ok = strings.Cut(rest, " ")
	if !ok || len(h.clock) < 10 || len(h.clock) > 18 || h.clock[2] != ':' || h.clock[5] != ':' || h.clock[8] != '.' ||
		!isDigits(h.clock[:2]) || !isDigits(h.clock[3:5]) || !isDigits(h.clock[6:8]) || !isDigits(h.clock[9:]) {
		return h, false
	}
	h.id, rest, ok = strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !ok || !isDigits(h.id) {
		return h, false
	}
	h.origin, h.text, ok = strings.Cut(rest, "]")
	_, line, colon := cutLast(h.origin, ":")
	h.text = strings.TrimPrefix(h.text, " ")
	return h, ok && colon && len(h.origin) < 300 && isDigits(line)
}

// isKlogPreface: glog begins a file with four lines of where and when.
func isKlogPreface(l string) bool {
	return strings.HasPrefix(l, "Log file created at: ") || strings.HasPrefix(l, "Running on machine: ") || strings.HasPrefix(l, "Binary: Built with ") ||
		strings.HasPrefix(l, "Log line format: ") || strings.HasPrefix(l, "Running duration (")
}

func klogGoes(before, line string) bool {
	if line == "" {
		return false
	}
	return continues(line) || isGoFailure(line) || goGoesOn(before, line)
}

type klog struct {
	clock *timestamp.Clock
	pairs logfmt
}

func (d *klog) decode(record string, b *event.Batch) error {
	first, more, joined := strings.Cut(record, "\n")
	first = strings.TrimSuffix(first, "\r")
	if isKlogPreface(first) {
		stamp, _ := strings.CutPrefix(first, "Log file created at: ")
		ns, _, ok := d.clock.ISO(stamp)
		if !ok {
			ns = event.NoTime
			d.clock.NoTime()
		}
		b.Event().Time = ns
		if host, ok := strings.CutPrefix(first, "Running on machine: "); ok {
			b.Add("host.name", host)
		}
		b.Add("event.dataset", "klog")
		b.Add("event.kind", "event")
		b.Add("message", record)
		return nil
	}
	h, ok := readKlog(first)
	if !ok {
		return errorString("not the head of a line of klog")
	}
	nsec := int(wholeNumber((h.clock[9:] + "000000000")[:9]))
	hour, minute, second := int(wholeNumber(h.clock[:2])), int(wholeNumber(h.clock[3:5])), int(wholeNumber(h.clock[6:8]))
	var ns int64
	if h.year > 0 {
		ns, ok = d.clock.Local(h.year, h.month, h.day, hour, minute, second, nsec)
	} else {
		ns, ok = d.clock.Yearless(h.month, h.day, hour, minute, second, nsec)
	}
	if !ok {
		return errorString("no time at the head of the line")
	}
	b.Add("event.dataset", "klog")
	b.Add("event.kind", "event")
	b.Add("log.level", h.level)
	if strings.Contains(h.origin, ".go:") {
		b.AddNumber("process.pid", h.id)
	} else {
		b.AddNumber("process.thread.id", h.id)
	}
	addOrigin(h.origin, b)
	if text, pairs, ok := d.structured(h.text, more, b); ok {
		b.Add("message", text)
		d.pairs.leaves = pairs
		d.pairs.named.add(pairs, b)
	} else if !joined {
		addGoText(h.text, "", b)
	} else if _, _, failed := goFailure(strings.TrimLeft(more, "\r\n")); failed || isGoroutine(strings.TrimLeft(more, "\r\n")) {
		addGoText(h.text, more, b)
	} else {
		addGoText(record[len(first)-len(h.text):], "", b)
	}
	b.Event().Time = ns
	return nil
}

// structured takes a message in quotes and the pairs behind it apart.
func (d *klog) structured(s, more string, b *event.Batch) (text string, pairs []event.Leaf, ok bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", nil, false
	}
	end := 1
	for end < len(s) && s[end] != '"' {
		if s[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s) || end+1 < len(s) && s[end+1] != ' ' {
		return "", nil, false
	}
	text = s[1:end]
	if strings.IndexByte(text, '\\') >= 0 {
		text = unescapeQuoted(text, b)
	}
	d.pairs.leaves = d.pairs.leaves[:0]
	for rest := s[end+1:]; ; {
		key := ""
		if head, open := strings.CutSuffix(strings.TrimRight(rest, "\r"), "=<"); open && more != "" {
			rest, key = "", head
			if i := strings.LastIndexByte(head, ' '); i >= 0 {
				rest, key = head[:i], head[i+1:]
			}
		}
		if strings.TrimSpace(rest) != "" && !d.pairs.read(rest, b) {
			return "", nil, false
		}
		if key == "" {
			break
		}
		value, after, closed := strings.Cut(more, "\n >")
		if !closed {
			break
		}
		value = strings.ReplaceAll(strings.TrimPrefix(value, "\t"), "\n\t", "\n")
		d.pairs.leaf(key, b.Bytes([]byte(value)), event.String)
		rest, more, _ = strings.Cut(after, "\n")
	}
	return text, d.pairs.leaves, true
}
