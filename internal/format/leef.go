package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// IBM QRadar's Log Event Extended Format 1.0 and 2.0 (IBM, "LEEF event components"):
//
//	LEEF:1.0|Vendor|Product|Version|EventID|key=value<tab>key=value
//	LEEF:2.0|Vendor|Product|Version|EventID|^|key=value^key=value      the delimiter, or its code ("x09")
var (
	_ = register(Format{
		Name:  datasetLEEF,
		Title: "Log Event Extended Format (LEEF)",
		Group: "network",
		Recognise: func(s *Sample) int {
			return s.majority(93, func(l string) bool {
				i := strings.Index(l[:min(len(l), 512)], "LEEF:")
				return i >= 0 && len(l) > i+6 && isDigit(l[i+5]) && strings.Count(l[i:], "|") >= 5
			})
		},
		Lines: func(p *Params) LineDecoder {
			return (&prefixed{clock: p.Clock, mark: "LEEF:", decodeText: decodeLEEF}).decode
		},
		Date: ciscoDate,
	})
	_ = registerProgram(program{Names: []string{"LEEF"}, Dataset: datasetLEEF, NoProcess: true, Decode: func(m *message, b *event.Batch) bool {
		var clock timestamp.Clock
		text, err := readLEEF(m.Text, &clock, b)
		m.Message = text
		return err == nil
	}})
)

const datasetLEEF = "leef.log"

var errLEEFHeader = errors.New("fewer than five parts between the bars of the LEEF header")

// decodeLEEF decodes what follows "LEEF:".
func decodeLEEF(s string, c *timestamp.Clock, b *event.Batch) error {
	text, err := readLEEF(s, c, b)
	if err == nil {
		b.Add("event.dataset", datasetLEEF)
		b.Add("message", text)
	}
	return err
}

// readLEEF adds what follows "LEEF:" and returns the message.
func readLEEF(s string, c *timestamp.Clock, b *event.Batch) (text string, err error) {
	var head [5]string
	for i := range head {
		part, rest, ok := strings.Cut(s, "|")
		if !ok {
			if i < 4 {
				return "", errLEEFHeader
			}
		}
		head[i], s = part, rest
	}
	if head[0] == "" || !isDigit(head[0][0]) {
		return "", errLEEFHeader
	}
	delimiter := "\t"
	if head[0][0] >= '2' {
		if d, rest, ok := strings.Cut(s, "|"); ok && !strings.Contains(d, "=") && len(d) <= 6 {
			s = rest
			delimiter = leefDelimiter(d)
		}
	} else if strings.IndexByte(s, '\t') < 0 && strings.Count(s, "|") > 1 {
		delimiter = "|" // against the specification, but written
	}
	b.Add("observer.vendor", head[1])
	b.Add("observer.product", head[2])
	b.Add("observer.version", head[3])
	b.Add("event.code", head[4])
	b.Add("event.action", head[4])
	b.Add("leef.version", head[0])
	text = s
	var devTime, devFormat string
	var few [136]byte
	for n := 0; s != "" && n < maxCEFExtensions; n++ {
		pair, rest, _ := strings.Cut(s, delimiter)
		s = rest
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || value == "" || len(key) > 128 {
			continue
		}
		switch key {
		case "devTime":
			devTime = value
		case "devTimeFormat":
			devFormat = value
		case "src":
			addSource(b, value, "")
		case "dst":
			b.Add("destination.address", value)
			addDestination(b, value, "")
		case "srcPort":
			addPort(b, "source.port", value)
		case "dstPort":
			addPort(b, "destination.port", value)
		case "proto":
			addTransport(b, value)
		case "usrName", "accountName":
			if !b.Event().Has("user.name") {
				b.Add("user.name", value)
			}
		case "domain":
			b.Add("user.domain", value)
		case "identHostName", "resource":
			b.Add("host.name", value)
		case "sev":
			b.AddNumber("event.severity", value)
		case "srcBytes":
			b.AddNumber("source.bytes", value)
		case "dstBytes":
			b.AddNumber("destination.bytes", value)
		case "srcPackets":
			b.AddNumber("source.packets", value)
		case "dstPackets":
			b.AddNumber("destination.packets", value)
		case "totalBytes":
			b.AddNumber("network.bytes", value)
		case "totalPackets":
			b.AddNumber("network.packets", value)
		case "srcPreNAT", "srcPostNAT", "dstPreNAT", "dstPostNAT":
			if strings.HasSuffix(key, "PostNAT") && ipVersion(value) != 0 && value != "0.0.0.0" {
				if key[0] == 's' {
					b.Add("source.nat.ip", value)
				} else {
					b.Add("destination.nat.ip", value)
				}
			}
		case "srcMAC", "dstMAC":
			if isMAC(value) {
				side := "source.mac"
				if key == "dstMAC" {
					side = "destination.mac"
				}
				b.Add(side, ecsMAC(b, value))
			}
		case "url":
			addURL(value, b)
		case "action":
			b.Set("event.action", value)
		case "policy":
			b.Add("rule.name", value)
		}
		b.Add(b.Bytes(append(append(few[:0], "leef."...), key...)), value)
	}
	_ = devFormat // its letters are Java's; what is written tells itself
	if devTime != "" {
		if ns, ok := cefTimestamp(c, devTime); ok {
			b.Event().Time = ns
		}
	}
	return text, nil
}

// leefDelimiter is the delimiter of "^", "x5E" or "0x5E".
func leefDelimiter(s string) string {
	hex := strings.TrimPrefix(strings.TrimPrefix(s, "0"), "x")
	if len(s) > 1 && len(hex) < len(s) {
		if v, err := strconv.ParseUint(hex, 16, 16); err == nil && v > 0 {
			return string(rune(v))
		}
	}
	if s == "" {
		return "\t"
	}
	return s
}
