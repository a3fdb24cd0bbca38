package format

import (
	"bytes"
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Windows events as text for people, of many lines each:
//
//   - wevtutil qe /f:text, in the language of Windows: "Event[0]:", then lines
//     "  Log Name: Security" in an order that never changes, the last of them the description;
//   - PowerShell's Get-WinEvent and Get-EventLog | Format-List: "Id           : 4625", records
//     parted by blank lines, of which the message may have some too;
//   - Splunk's WinEventLog: a time, then "LogName=Security" and so on to "Message=".
//
// The data of an event are in its rendered text alone.
var _ = register(Format{
	Name:  "windows.text",
	Title: "Windows events as text (wevtutil /f:text, Format-List, Splunk WinEventLog)",
	Group: "windows",
	Recognise: func(s *Sample) int {
		if len(s.Lines) < 3 || !s.Text() {
			return 0
		}
		switch winTextOf(s.Head).kind {
		case winTextTool:
			n := 0
			for _, l := range s.Lines[1:min(len(s.Lines), 13)] {
				if strings.HasPrefix(l, "  ") && strings.Contains(l, ":") {
					n++
				}
			}
			if n >= min(len(s.Lines)-1, 10) {
				return 97
			}
		case winTextList:
			return 96
		case winTextSplunk:
			return 97
		}
		return 0
	},
	Frame: func(r io.Reader) Framer {
		return &cutFramer{lineFramer{r: r}, func(p []byte) int { return winTextOf(p).last(p) }, (*lineFramer).stretch}
	},
	Decode: func(p *Params) Decoder { return &winTextChunks{p: p, named: namedRecord{p: p}} },
})

type winTextKind uint8

const (
	winTextNone winTextKind = iota
	winTextTool
	winTextList
	winTextSplunk
)

// winText is how a text parts its records: each begins as the first one does.
type winText struct {
	kind  winTextKind
	first string // of a list: the name with which its records begin
}

// winTextOf looks at how the first record in p begins.
func winTextOf(p []byte) winText {
	text := bytes.TrimLeft(p, " \t\r\n")
	size, end := line(text)
	first := event.View(text[:end])
	if isToolEvent(first) {
		return winText{kind: winTextTool}
	}
	_, nextEnd := line(text[size:])
	if next := event.View(text[size:][:nextEnd]); len(first) < 40 && strings.HasPrefix(next, "LogName=") {
		return winText{kind: winTextSplunk}
	}
	// Of a list it takes the names of an event's parts, in its first lines or behind a long message.
	name, _, ok := listLine(first)
	if !ok || winColumns[strings.ToLower(name)] == winNothing && name != "EventID" {
		return winText{}
	}
	var has [winDrop + 1]bool
	for n, rest := 0, text; len(rest) > 0 && n < 400; n++ {
		size, end := line(rest)
		if k, _, ok := listLine(event.View(rest[:end])); ok {
			has[winListPart(k)] = true
		}
		rest = rest[size:]
	}
	if has[winID] && has[winTime] && (has[winProvider] || has[winMessage]) {
		return winText{winTextList, name}
	}
	return winText{}
}

// isToolEvent: "Event[12]:", in newer versions without the colon.
func isToolEvent(l string) bool {
	n, ok := strings.CutPrefix(strings.TrimRight(l, ": \t"), "Event[")
	return ok && strings.HasSuffix(n, "]") && isDigits(n[:len(n)-1])
}

// listLine cuts "TimeCreated  : 3/4/2024 10:11:12 AM", which is not indented.
func listLine(l string) (name, value string, ok bool) {
	i := 0
	for i < len(l) && isWordByte(l[i]) {
		i++
	}
	rest := strings.TrimLeft(l[i:], " ")
	if i < 2 || i > 40 || rest == "" || rest[0] != ':' || len(l)-len(rest) == i {
		return "", "", false
	}
	return l[:i], strings.TrimSpace(rest[1:]), true
}

// winListPart is what a name of a list stands for.
func winListPart(name string) winPart {
	switch name {
	case "InstanceId": // of Get-EventLog, beside or instead of EventID; classic sources put flags above the id
		return winID
	}
	return winColumns[strings.ToLower(name)]
}

// begins reports whether a record begins with the line at p[at:].
func (t winText) begins(p []byte, at, end int) bool {
	l := event.View(p[at:end])
	switch t.kind {
	case winTextTool:
		return isToolEvent(l)
	case winTextList:
		if name, _, ok := listLine(l); !ok || name != t.first {
			return false
		}
		before := bytes.TrimRight(p[:at], " \t\r")
		return len(before) == 0 || bytes.HasSuffix(bytes.TrimRight(before[:len(before)-1], " \t\r"), []byte("\n")) || len(bytes.TrimSpace(before)) == 0
	case winTextSplunk:
		s, _ := line(p[at:])
		return end-at < 40 && bytes.HasPrefix(p[min(len(p), at+s):], []byte("LogName="))
	}
	return false
}

// next is where the record behind the one at the start of p begins, len(p) if none does.
func (t winText) next(p []byte) int {
	seen := false // blank lines before the first record belong to it
	for at := 0; at < len(p); {
		size, end := line(p[at:])
		if !isBlank(p[at : at+end]) {
			if seen && t.begins(p, at, at+end) {
				return at
			}
			seen = true
		}
		at += size
	}
	return len(p)
}

// last is where the last record in p begins: before it a chunk may end.
func (t winText) last(p []byte) (at int) {
	for {
		n := t.next(p[at:])
		if at+n >= len(p) {
			return at
		}
		at += n
	}
}

type winTextChunks struct {
	p     *Params
	named namedRecord
	x     winExport
}

// Decode implements Decoder.
func (d *winTextChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	t := winTextOf(c.Data)
	return d.p.decodeCut(c, b, t.next, func(record string) error { return d.decode(t, record, b) })
}

var errNotWinText = errorString("not an event of Windows as text")

// toolParts are what wevtutil tells of an event, in its order.
var toolParts = [...]winPart{winChannel, winProvider, winTime, winID, winTask, winLevel, winOpcode, winKeywords, winSID, winUserName, winComputer, winMessage}

func (d *winTextChunks) decode(t winText, record string, b *event.Batch) error {
	d.x.reset()
	switch t.kind {
	case winTextTool:
		_, rest, _ := strings.Cut(record, "\n")
		for _, part := range toolParts {
			l, after, _ := strings.Cut(rest, "\n")
			_, v, ok := strings.Cut(l, ":")
			if !ok || !strings.HasPrefix(l, " ") {
				break
			}
			if v = strings.TrimSpace(v); part == winMessage {
				if v = strings.TrimSpace(v + "\n" + after); v == "N/A" {
					v = ""
				}
			}
			if v != "N/A" {
				d.set(part, v)
			}
			rest = after
		}
	case winTextList:
		d.list(record, b)
	case winTextSplunk:
		stamp, rest, _ := strings.Cut(record, "\n")
		d.set(winTime, strings.TrimSpace(stamp))
		for rest != "" {
			l, after, _ := strings.Cut(rest, "\n")
			name, v, ok := strings.Cut(strings.TrimRight(l, "\r "), "=")
			if name == "Message" {
				d.set(winMessage, strings.TrimSpace(v+"\n"+after))
				break
			}
			if ok && v != "" {
				d.set(splunkParts[name], v)
			}
			rest = after
		}
	default:
		return errNotWinText
	}
	return d.x.add(b, d.p.Clock)
}

// splunkParts are the names of Splunk's Windows inputs.
var splunkParts = map[string]winPart{
	"LogName": winChannel, "SourceName": winProvider, "EventCode": winID, "ComputerName": winComputer, "User": winUserName, "Sid": winSID, "Type": winLevel,
	"RecordNumber": winRecordID, "Keywords": winKeywords, "TaskCategory": winTask, "OpCode": winOpcode,
}

// list reads the lines of a list. Those that are indented, and blank ones, belong to the
// value above; as many blanks as it has before it are taken off them.
func (d *winTextChunks) list(record string, b *event.Batch) {
	part, column := winNothing, 0
	var value []byte
	add := func() {
		if v := strings.TrimSpace(event.View(value)); v != "" {
			if v[0] == '{' && v[len(v)-1] == '}' {
				v = v[1 : len(v)-1] // "{Audit Success}"
			}
			d.set(part, b.Bytes([]byte(v)))
		}
	}
	for l := range strings.Lines(record) {
		l = strings.TrimRight(l, "\r\n")
		if name, v, ok := listLine(l); ok {
			add()
			value = append(value[:0], v...)
			column = strings.IndexByte(l, ':') + 2
			if part = winListPart(name); name == "KeywordsDisplayNames" {
				part = winKeywords
			} else if part == winID && name == "InstanceId" && d.x.id != "" {
				part = winDrop
			}
			continue
		}
		blanks := 0
		for blanks < len(l) && blanks < column && l[blanks] == ' ' {
			blanks++
		}
		value = append(append(value, '\n'), l[blanks:]...)
	}
	add()
}

// set sets a part of the event; the first value of it stands.
func (d *winTextChunks) set(part winPart, v string) {
	d.x.set(part, v, &d.named)
}
