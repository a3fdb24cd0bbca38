package format

import (
	"bytes"
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Records of one audit event come one after another, but now and then those
// of another CPU's event stand between them. A record belongs to an event of its
// serial number that was seen at most auditReach lines before.
const auditReach = 64

// frameAuditd cuts where no event has records on both sides.
func frameAuditd(r io.Reader) Framer {
	return &cutFramer{lineFramer{r: r}, auditCut, (*lineFramer).oversized}
}

// auditCut is the last place in buf to cut at: a line end with auditReach lines
// behind it, none of which belongs to an event that has one of as many lines before it.
func auditCut(buf []byte) int {
	const window = 4 * auditReach
	var starts [window + 1]int // of the last lines, from the end
	var ids [window]string
	n := 0
	end := bytes.LastIndexByte(buf, '\n') + 1
	starts[0] = end
	for n < window && end > 0 {
		start := bytes.LastIndexByte(buf[:end-1], '\n') + 1
		ids[n] = auditID(event.View(buf[start:end]))
		n++
		starts[n] = start
		end = start
	}
	for cut := auditReach; cut < n; cut++ {
		if auditApart(ids[cut:min(n, cut+auditReach)], ids[cut-auditReach:cut]) {
			return starts[cut]
		}
	}
	if n > auditReach {
		return starts[auditReach]
	}
	return 0
}

// auditApart reports whether no id is in both.
func auditApart(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y && x != "" {
				return false
			}
		}
	}
	return true
}

// auditID is what the records of an event have in common: the id, and the node
// where several hosts write to one file. Records without a serial have none.
func auditID(line string) string {
	i := strings.Index(line[:min(len(line), 400)], "msg=audit(")
	if i < 0 {
		return ""
	}
	j := strings.IndexByte(line[i:], ')')
	if j < 0 || j > 96 {
		return ""
	}
	id := line[i+len("msg=audit(") : i+j]
	if strings.HasPrefix(line, "node=") {
		node, _, _ := strings.Cut(line, " ")
		return node + " " + id
	}
	return id
}

// auditTypeOf is the type of a record.
func auditTypeOf(line string) string {
	_, rest, _ := strings.Cut(line[:min(len(line), 400)], "type=")
	typ, _, _ := strings.Cut(rest, " ")
	return typ
}

// auditdChunks decodes chunks of an auditdFramer.
type auditdChunks struct{ p *Params }

// auditGroupLines are the lines of one event, in order, as indexes.
type auditGroupLines struct {
	typ   string // of the first; a second such record is another event
	last  int
	lines []int
}

// Decode implements Decoder.
func (d *auditdChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	var n Bytes
	type place struct{ start, end int }
	var lines []place
	var groups []auditGroupLines
	open := map[string]int{}
	for at := 0; at < len(c.Data); {
		size, end := line(c.Data[at:])
		n.Structure += int64(size - end)
		text := c.Data[at : at+end]
		if isBlank(text) || isAusearch(text) {
			n.Structure += int64(end)
			at += size
			continue
		}
		n.Events += int64(end)
		i := len(lines)
		lines = append(lines, place{at, at + end})
		at += size
		id := auditID(event.View(text))
		typ := auditTypeOf(event.View(text))
		if g, ok := open[id]; ok && id != "" && i-groups[g].last <= auditReach && (typ != groups[g].typ || auditTypes[typ].minor) {
			groups[g].lines, groups[g].last = append(groups[g].lines, i), i
			continue
		}
		open[id] = len(groups)
		groups = append(groups, auditGroupLines{typ, i, []int{i}})
	}
	fallback := newTextDecoder(d.p)
	for _, g := range groups {
		first := lines[g.lines[0]]
		raw := event.View(c.Data[first.start:first.end])
		if len(g.lines) > 1 {
			last := lines[g.lines[len(g.lines)-1]]
			if g.lines[len(g.lines)-1]-g.lines[0] == len(g.lines)-1 {
				raw = event.View(c.Data[first.start:last.end])
			} else {
				var joined []byte
				for k, i := range g.lines {
					if k > 0 {
						joined = append(joined, '\n')
					}
					joined = append(joined, c.Data[lines[i].start:lines[i].end]...)
				}
				raw = string(joined)
			}
		}
		b.Begin(c.Offset+int64(first.start), raw)
		var ev auditEvent
		d.p.ended(raw, d.decode(raw, &ev, b), fallback, b)
	}
	n.refuse(c)
	return n
}

// isAusearch reports whether a line is what ausearch(8) puts between the events that it shows.
func isAusearch(line []byte) bool {
	s := strings.TrimSuffix(event.View(line), "\r")
	return s == "----" || strings.HasPrefix(s, "time->")
}

// decode decodes the records of one event.
func (d *auditdChunks) decode(raw string, ev *auditEvent, b *event.Batch) error {
	ev.exec = strings.Contains(raw, "type=EXECVE ")
	b.Add("event.kind", "event")
	b.Add("event.dataset", "auditd.log")
	understood, timed := false, false
	for text := range strings.SplitSeq(raw, "\n") {
		h, ok := cutAuditHead(strings.TrimSuffix(text, "\r"))
		if !ok {
			continue
		}
		if !understood {
			b.Add("auditd.log.node", h.node)
			b.Add("host.name", h.node)
			stamp, serial, ok := cutLast(h.id, ":")
			ns, good := d.p.Clock.Epoch(stamp)
			if !good { // as ausearch -i shows it: "03/04/2024 10:00:03.100"
				ns, good = d.p.Clock.Any(stamp)
			}
			if good && ok {
				b.Event().Time, timed = ns, true
				b.AddNumber("auditd.log.sequence", serial)
				if !strings.HasPrefix(h.typ, "DAEMON_") { // the daemon counts its own by itself
					setNumber(b, serial)
				}
			}
			understood = true
		}
		ev.add(h, b)
	}
	if !understood {
		return errNotAudit
	}
	if !timed {
		d.p.Clock.NoTime()
		_, text, _ := strings.Cut(raw, "msg=")
		b.Add("message", text)
	}
	ev.finish(b)
	return nil
}
