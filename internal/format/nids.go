package format

import (
	"errors"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// The log of a network intrusion detection system that watches what users do:
// a table of the columns timestamp, user_id, source_ip, destination_ip, action
// and success, in any order. See package simulate.
var _ = register(Format{
	Name:      "nids",
	Title:     "NIDS activity log (CSV)",
	Group:     "network",
	Recognise: recogniseNIDS,
	Frame:     frameCSV,
	Decode:    decodeCSV(newNIDSDecoder),
})

var nidsColumns = []string{"timestamp", "user_id", "source_ip", "destination_ip", "action", "success"}

func recogniseNIDS(s *Sample) int {
	if len(s.Lines) == 0 {
		return 0
	}
	header := s.Lines[0]
	columns := columnNames(header, csvDelimiter(s.Lines))
	for _, c := range nidsColumns {
		if !slices.Contains(columns, c) {
			return 0
		}
	}
	return 90
}

var (
	errNIDSColumns = errors.New("a record with fewer columns than the header")
	errNIDSTime    = errors.New("the timestamp is no time")
)

func newNIDSDecoder(p *Params, columns []string) tableDecoder {
	var at [6]int
	for i, c := range nidsColumns {
		if at[i] = slices.Index(columns, c); at[i] < 0 {
			return newCSVDecoder(p, columns) // forced upon another table
		}
	}
	least := slices.Max(at[:])
	return func(fields []string, b *event.Batch) error {
		if least >= len(fields) {
			return errNIDSColumns
		}
		stamp := fields[at[0]]
		ns, n, ok := p.Clock.ISO(stamp)
		if !ok || n != len(stamp) {
			if ns, ok = p.Clock.Any(stamp); !ok {
				return errNIDSTime
			}
		}
		b.Event().Time = ns
		user, source, destination, action := fields[at[1]], fields[at[2]], fields[at[3]], fields[at[4]]
		b.Add("event.kind", "event")
		addNIDSCategory(action, b)
		b.Add("event.dataset", "nids")
		b.Add("event.action", action)
		b.Add("event.outcome", outcome(fields[at[5]]))
		b.Add("user.name", user)
		b.Add("user.id", user)
		b.Add("source.address", source)
		if isIP(source) {
			b.Add("source.ip", source)
		}
		b.Add("destination.address", destination)
		if isIP(destination) {
			b.Add("destination.ip", destination)
		}
		for i, v := range fields {
			if i < len(columns) && v != "" && !slices.Contains(at[:], i) {
				b.Add("nids."+columns[i], v)
			}
		}
		return nil
	}
}

func addNIDSCategory(action string, b *event.Batch) {
	switch {
	case action == "login_attempt" || action == "login" || action == "logon":
		b.Add("event.category", "authentication")
		b.Add("event.type", "start")
	case action == "logout" || action == "logoff":
		b.Add("event.category", "authentication")
		b.Add("event.type", "end")
	case strings.HasPrefix(action, "file_"):
		b.Add("event.category", "file")
		b.Add("event.type", "access")
	case strings.HasPrefix(action, "privilege"):
		b.Add("event.category", "iam")
		b.Add("event.type", "admin")
	case strings.Contains(action, "scan"):
		b.Add("event.category", "network")
		b.Add("event.category", "intrusion_detection")
		b.Add("event.type", "info")
	default:
		b.Add("event.category", "network")
		b.Add("event.type", "connection")
	}
}
