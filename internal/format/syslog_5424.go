package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// parse5424 reads the rest of an RFC 5424 §6 message behind its <PRI>:
//
//	VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
//
// where "-" stands for what is not known. It changes nothing when s is of
// another shape.
func (h *syslogHeader) parse5424(s string, c *timestamp.Clock) bool {
	n := 0
	for n < len(s) && n < 3 && isDigit(s[n]) {
		n++
	}
	if n == 0 || s[0] == '0' || n+2 >= len(s) || s[n] != ' ' {
		return false
	}
	version := s[:n]
	s = s[n+1:]
	ns := int64(event.NoTime)
	if s[0] == '-' {
		n = 1
	} else {
		t, used, ok := c.ISO(s)
		if !ok {
			return false
		}
		ns, n = t, used
	}
	if n >= len(s) || s[n] != ' ' {
		return false
	}
	rest := s[n+1:]
	s = rest
	var parts [4]string // RFC 5424 bounds them at 255, 48, 128 and 32 bytes; senders do not
	for i := range parts {
		word, after, ok := strings.Cut(s, " ")
		if !ok || word == "" || len(word) > 1024 || i == 1 && word[len(word)-1] == ':' {
			return h.loose5424(version, ns, rest)
		}
		if word != "-" {
			parts[i] = word
		}
		s = after
	}
	h.version, h.time, h.rest = version, ns, rest
	h.host, h.tag, h.pid, h.msgid = parts[0], parts[1], parts[2], parts[3]
	switch {
	case s == "-" || strings.HasPrefix(s, "- "):
		s = s[1:]
	case strings.HasPrefix(s, "["):
		if n := structuredData(s, nil); n > 0 {
			h.data, s = s[:n], s[n:]
		}
	}
	h.text = strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(s, " "), "\ufeff"), " ")
	return true
}

// loose5424 takes the messages of senders that keep to the RFC up to the host and
// then write what they please.
func (h *syslogHeader) loose5424(version string, ns int64, rest string) bool {
	host, text, ok := strings.Cut(rest, " ")
	if !ok || ns == event.NoTime || !isSyslogHost(host) {
		return false
	}
	h.version, h.time, h.rest, h.host = version, ns, rest, host
	h.cutTag(text)
	return true
}

const (
	maxSDName   = 48  // of an SD-ID or a parameter; the RFC allows 32
	maxSDParams = 128 // fields a message may add
)

// structuredData measures the SD-ELEMENTs (RFC 5424 §6.3) that s begins with and
// calls param, unless it is nil, with each parameter; the value is still escaped.
// It gives 0 when they are malformed.
func structuredData(s string, param func(id, name, value string)) int {
	i := 0
	for i < len(s) && s[i] == '[' {
		i++
		id, next := sdName(s, i)
		if id == "" {
			return 0
		}
		i = next
		for i < len(s) && s[i] == ' ' {
			for i < len(s) && s[i] == ' ' {
				i++
			}
			name, next := sdName(s, i)
			if name == "" {
				break
			}
			i = next
			if i+1 >= len(s) || s[i] != '=' || s[i+1] != '"' {
				return 0
			}
			i += 2
			start := i
			for i < len(s) && s[i] != '"' {
				if s[i] == '\\' {
					i++
				}
				i++
			}
			if i >= len(s) {
				return 0
			}
			if param != nil {
				param(id, name, s[start:i])
			}
			i++
		}
		if i >= len(s) || s[i] != ']' {
			return 0
		}
		i++
	}
	if i < len(s) && s[i] != ' ' {
		return 0
	}
	return i
}

// sdName reads an SD-NAME at s[i]: printable US-ASCII but '=', ' ', ']' and '"'.
func sdName(s string, i int) (name string, next int) {
	start := i
	for i < len(s) && '!' <= s[i] && s[i] <= '~' && s[i] != '=' && s[i] != ']' && s[i] != '"' {
		i++
	}
	if i-start > maxSDName {
		return "", i
	}
	return s[start:i], i
}

// addStructuredData adds each parameter as log.syslog.structured_data.ID.NAME.
func addStructuredData(b *event.Batch, data string) {
	if data == "" {
		return
	}
	n := 0
	structuredData(data, func(id, name, value string) {
		if n++; n > maxSDParams {
			return
		}
		var buf [2*maxSDName + 32]byte
		full := append(buf[:0], "log.syslog.structured_data."...)
		full = append(full, id...)
		full = append(full, '.')
		full = append(full, name...)
		if strings.IndexByte(value, '\\') >= 0 {
			value = unescapeSD(b, value)
		}
		b.AddKind(b.Bytes(full), value, event.String)
		if id == "meta" && name == "sequenceId" { // RFC 5424 §7.3.1
			setNumber(b, value)
		}
	})
	if n > maxSDParams {
		b.Add("log.syslog.structured_data_rest", data)
	}
}

// unescapeSD takes the backslash off '"', '\' and ']' (RFC 5424 §6.3.3); before
// anything else it stays.
func unescapeSD(b *event.Batch, s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\' || s[i+1] == ']') {
			i++
		}
		out = append(out, s[i])
	}
	return b.Bytes(out)
}
