package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sextant-logs/sextant/internal/event"
)

// The systemd journal as journalctl(1) prints it: -o json, one object an entry, and
// -o export (https://systemd.io/JOURNAL_EXPORT_FORMATS): FIELD=value lines, a blank line
// behind each entry; a value that is no plain line as FIELD, its length in 64 bits,
// and its bytes. Messages go to the program that wrote them, as those of syslog do.
var (
	_ = register(Format{
		Name:  "journald",
		Title: "systemd journal, export format",
		Group: "system",
		Recognise: func(s *Sample) int {
			// journalctl writes the cursor first; the format leaves the order open.
			head := append([]byte{'\n'}, bytes.TrimLeft(s.Head[:min(len(s.Head), 4096)], "\n")...)
			entry, _, _ := bytes.Cut(head, []byte("\n\n"))
			if len(head) > 1 && (head[1] == '_' || 'A' <= head[1] && head[1] <= 'Z') && bytes.Contains(entry, []byte("\n__REALTIME_TIMESTAMP=")) {
				return 98
			}
			return 0
		},
		Frame:  func(r io.Reader) Framer { return &cutFramer{lineFramer{r: r}, exportCut, (*lineFramer).stretch} },
		Decode: func(p *Params) Decoder { return &exportChunks{p} },
	})
	_ = register(Format{
		Name:  "journald.json",
		Title: "systemd journal, JSON",
		Group: "system",
		JSON: func(has func(string) bool) bool {
			return has("__REALTIME_TIMESTAMP") && (has("MESSAGE") || has("__CURSOR") || has("_BOOT_ID"))
		},
		JSONScore: 98,
		Lines: func(p *Params) LineDecoder {
			d := journalEntry{p: p}
			return d.decodeJSON
		},
	})
)

const datasetJournal = "systemd.journal"

// journalFields are the fields of systemd.journal-fields(7) with the names that
// Filebeat's journald input has for them.
var journalFields = map[string]string{
	"_UID": "journald.uid", "_GID": "journald.gid", "_COMM": "journald.process.name", "_EXE": "process.executable", "_CMDLINE": "process.command_line", "_CAP_EFFECTIVE": "journald.process.capabilities",
	"_AUDIT_SESSION": "journald.audit.session", "_AUDIT_LOGINUID": "journald.audit.login_uid", "_SYSTEMD_CGROUP": "systemd.cgroup", "_SYSTEMD_SLICE": "systemd.slice", "_SYSTEMD_UNIT": "systemd.unit",
	"_SYSTEMD_USER_UNIT": "systemd.user_unit", "_SYSTEMD_USER_SLICE": "systemd.user_slice", "_SYSTEMD_SESSION": "systemd.session", "_SYSTEMD_OWNER_UID": "systemd.owner_uid", "_SYSTEMD_INVOCATION_ID": "systemd.invocation_id",
	"_SELINUX_CONTEXT": "journald.host.selinux_context", "_BOOT_ID": "journald.host.boot_id", "_MACHINE_ID": "host.id", "_TRANSPORT": "systemd.transport", "_NAMESPACE": "systemd.namespace",
	"MESSAGE_ID": "event.code", "CODE_FILE": "journald.code.file", "CODE_LINE": "journald.code.line", "CODE_FUNC": "journald.code.func", "ERRNO": "journald.errno", "UNIT": "journald.object.unit", "USER_UNIT": "journald.object.user_unit",
	"CONTAINER_ID_FULL": "container.id", "CONTAINER_NAME": "container.name", "IMAGE_NAME": "container.image.name", "OBJECT_PID": "journald.object.pid", "COREDUMP_EXE": "journald.coredump.executable",
	"__CURSOR": "", "__MONOTONIC_TIMESTAMP": "", "_SOURCE_MONOTONIC_TIMESTAMP": "", "__SEQNUM_ID": "journald.seqnum_id", "_RUNTIME_SCOPE": "", "_STREAM_ID": "",
}

// journalEntry gathers an entry's fields; it is used for one entry after another.
type journalEntry struct {
	p       *Params
	own     map[string]string // names made for the fields of applications
	facts   *textFacts
	carried *carriedText

	message, tag, pid, host, comm string
	priority, facility            string
	time, sourceTime              string
	unit                          string
	fields                        int
}

var errNotJournal = errors.New("no __REALTIME_TIMESTAMP: not an entry of the journal")

func (d *journalEntry) reset() {
	*d = journalEntry{p: d.p, own: d.own, facts: d.facts, carried: d.carried}
}

// add takes one field of an entry.
func (d *journalEntry) add(name, value string, b *event.Batch) {
	d.fields++
	switch name {
	case "__SEQNUM":
		setNumber(b, value)
		return
	case "MESSAGE":
		d.message = value
		return
	case "SYSLOG_IDENTIFIER":
		d.tag = value
		return
	case "_PID":
		d.pid = value
		return
	case "SYSLOG_PID":
		if d.pid == "" {
			d.pid = value
		}
		return
	case "_HOSTNAME":
		d.host = value
		return
	case "PRIORITY":
		d.priority = value
		return
	case "SYSLOG_FACILITY":
		d.facility = value
		return
	case "__REALTIME_TIMESTAMP":
		d.time = value
		return
	case "_SOURCE_REALTIME_TIMESTAMP":
		d.sourceTime = value
		return
	case "SYSLOG_RAW", "SYSLOG_TIMESTAMP", "_LINE_BREAK":
		return
	case "_COMM":
		d.comm = value
	case "_CMDLINE", "_EXE":
		if d.priority == "" && value == "" {
			return
		}
	}
	if ecs, ok := journalFields[name]; ok {
		if ecs != "" {
			b.Add(ecs, value)
		}
		return
	}
	own, ok := d.own[name]
	if !ok {
		own = "journald.custom." + strings.ToLower(strings.TrimLeft(name[:min(len(name), 64)], "_"))
		if d.own == nil {
			d.own = map[string]string{}
		}
		if len(d.own) < 1000 {
			d.own[strings.Clone(name)] = own
		}
	}
	b.Add(own, value)
}

// finish decodes the message of the entry.
func (d *journalEntry) finish(b *event.Batch) error {
	ns, ok := d.p.Clock.Epoch(d.time)
	if !ok {
		if ns, ok = d.p.Clock.Epoch(d.sourceTime); !ok {
			return errNotJournal
		}
	}
	b.Event().Time = ns
	m := message{Text: strings.TrimSpace(d.message), Tag: d.tag, PID: d.pid, Host: d.host, Dataset: datasetJournal, facts: d.facts, carried: d.carried}
	if m.Tag == "" {
		m.Tag = d.comm
	}
	if n, err := strconv.Atoi(d.facility); err == nil && n >= 0 && n < len(facilityNames) {
		b.AddInt("log.syslog.facility.code", int64(n))
		b.Add("log.syslog.facility.name", facilityNames[n])
		if n == 4 || n == 10 {
			m.Dataset = datasetAuth
		}
	}
	if n, err := strconv.Atoi(d.priority); err == nil && n >= 0 && n < len(severityNames) {
		b.AddInt("log.syslog.severity.code", int64(n))
		b.Add("log.syslog.severity.name", severityNames[n])
	}
	b.Add("host.hostname", d.host)
	b.Add("host.name", d.host)
	m.decode(b)
	d.facts, d.carried = m.facts, m.carried
	return nil
}

var journalScanners = scannerPool(nil)

func (d *journalEntry) decodeJSON(record string, b *event.Batch) error {
	scan := journalScanners.Get().(*event.Scanner)
	defer journalScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	d.reset()
	for i := 0; i < len(leaves); i++ {
		l := &leaves[i]
		value := l.Value
		// A value that is no UTF-8 is an array of its bytes, as is a field that occurs
		// more than once, of its values.
		if l.Kind == event.Number && i+1 < len(leaves) && leaves[i+1].Name == l.Name && leaves[i+1].Kind == event.Number {
			var text []byte
			for ; i < len(leaves) && leaves[i].Name == l.Name; i++ {
				n, _ := strconv.Atoi(leaves[i].Value)
				text = append(text, byte(n))
			}
			i--
			value = b.Bytes(bytes.ToValidUTF8(text, []byte("\uFFFD")))
		}
		d.add(l.Name.Path, value, b)
	}
	return d.finish(b)
}

// exportCut is behind the blank line of the last whole entry in p, 0 for none.
func exportCut(p []byte) (end int) {
	for end < len(p) {
		n := exportEntry(p[end:], nil)
		if n == 0 {
			break
		}
		end += n
	}
	return end
}

// exportEntry measures the entry at the start of p with its blank line, 0 where it
// does not end, and gives its fields to fn.
func exportEntry(p []byte, fn func(name, value []byte)) int {
	for at := 0; at < len(p); {
		nl := bytes.IndexByte(p[at:], '\n')
		if nl < 0 {
			return 0
		}
		line := p[at : at+nl]
		at += nl + 1
		if len(bytes.TrimSuffix(line, []byte("\r"))) == 0 {
			return at
		}
		if eq := bytes.IndexByte(line, '='); eq >= 0 {
			if fn != nil {
				fn(line[:eq], line[eq+1:])
			}
			continue
		}
		// FIELD, and its length and bytes on what follows.
		if at+8 > len(p) {
			return 0
		}
		size := binary.LittleEndian.Uint64(p[at:])
		if size > uint64(len(p)-at-8) {
			if size > MaxRecord {
				continue // no length: a line of something else
			}
			return 0
		}
		value := p[at+8 : at+8+int(size)]
		at += 8 + int(size)
		if at < len(p) && p[at] == '\n' {
			at++
		}
		if fn != nil {
			fn(line, value)
		}
	}
	return 0
}

type exportChunks struct{ p *Params }

// Decode implements Decoder.
func (d *exportChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	var n Bytes
	entry := journalEntry{p: d.p}
	data, offset := c.Data, c.Offset
	for len(data) > 0 {
		size := exportEntry(data, nil)
		if size == 0 {
			size = len(data)
		}
		text := bytes.TrimRight(data[:size], "\r\n")
		if len(text) == 0 {
			n.Structure += int64(size)
		} else {
			raw := event.View(text)
			if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
				raw = exportText(data[:size])
			}
			e := b.Begin(offset, raw)
			e.Length = int64(len(text))
			entry.reset()
			// What the last entry lacks when it was cut off is only its end.
			exportEntry(append(data[:size:size], "\n\n"...), func(name, value []byte) {
				if entry.fields < 1000 {
					if !utf8.Valid(value) {
						value = bytes.ToValidUTF8(value, []byte("\uFFFD"))
					}
					entry.add(event.View(name), event.View(value), b)
				}
			})
			d.p.ended(raw, entry.finish(b), nil, b)
			n.Events += int64(len(text))
			n.Structure += int64(size - len(text))
		}
		data, offset = data[size:], offset+int64(size)
	}
	n.refuse(c)
	return n
}

// exportText shows an entry with binary values as FIELD=value lines.
func exportText(p []byte) string {
	var out strings.Builder
	exportEntry(append(p[:len(p):len(p)], "\n\n"...), func(name, value []byte) {
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.Write(bytes.ToValidUTF8(name, []byte("\uFFFD")))
		out.WriteByte('=')
		out.Write(bytes.ToValidUTF8(value, []byte("\uFFFD")))
	})
	if out.Len() == 0 {
		return string(bytes.ToValidUTF8(p, []byte("\uFFFD")))
	}
	return out.String()
}
