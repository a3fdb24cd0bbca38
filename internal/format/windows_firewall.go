package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Windows Firewall's pfirewall.log: a W3C-like header and columns separated by blanks,
// with "-" for what is not known. Times are local unless the header says otherwise.
var _ = register(Format{
	Name:  datasetWindowsFirewall,
	Title: "Windows Firewall log (pfirewall.log)",
	Group: "network",
	Recognise: func(s *Sample) int {
		for _, l := range s.Lines[:min(len(s.Lines), 16)] {
			if strings.HasPrefix(l, "#Software: Microsoft Windows Firewall") || strings.HasPrefix(l, "#Fields: ") && strings.Contains(l, " action protocol src-ip dst-ip ") {
				return 97
			}
		}
		return s.majority(90, func(l string) bool { // cut off its header
			f := strings.Fields(l)
			return len(f) >= 17 && isWindowsFirewallAction(f[2]) && len(f[0]) == 10 && f[0][4] == '-' && len(f[1]) == 8
		})
	},
	Header: func(line []byte) bool { return len(line) > 0 && line[0] == '#' },
	Lines: func(p *Params) LineDecoder {
		return newWindowsFirewall(p).decode
	},
})

const datasetWindowsFirewall = "windows.firewall"

const windowsFirewallColumns = "date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack tcpwin icmptype icmpcode info path pid"

func isWindowsFirewallAction(s string) bool {
	switch s {
	case "ALLOW", "DROP", "OPEN", "OPEN-INBOUND", "CLOSE", "INFO-EVENTS-LOST":
		return true
	}
	return false
}

type windowsFirewall struct {
	clock   *timestamp.Clock
	columns []string
	utc     bool
}

func newWindowsFirewall(p *Params) *windowsFirewall {
	d := &windowsFirewall{clock: p.Clock, columns: strings.Fields(windowsFirewallColumns)}
	for _, h := range p.Header() {
		if f, ok := strings.CutPrefix(h, "#Fields:"); ok {
			d.columns = strings.Fields(f)
		} else if f, ok := strings.CutPrefix(h, "#Time Format:"); ok {
			d.utc = strings.EqualFold(strings.TrimSpace(f), "UTC") || strings.EqualFold(strings.TrimSpace(f), "GMT")
		}
	}
	return d
}

func (d *windowsFirewall) decode(line string, b *event.Batch) error {
	b.Add("event.kind", "event")
	b.Add("event.dataset", datasetWindowsFirewall)
	var date, path, src, dst, srcPort, dstPort string
	i := 0
	for value := range strings.FieldsSeq(line) {
		if i == len(d.columns) {
			break
		}
		column := d.columns[i]
		i++
		if column == "date" {
			date = value
			continue
		}
		if value == "-" {
			continue
		}
		switch column {
		case "time":
			var buf [40]byte
			t := append(append(append(buf[:0], date...), ' '), value...)
			if d.utc {
				t = append(t, 'Z')
			}
			ns, n, ok := d.clock.ISO(event.View(t))
			if !ok || n != len(t) {
				return errors.New("no date and time at the beginning of the line")
			}
			b.Event().Time = ns
		case "action":
			if !isWindowsFirewallAction(value) {
				return errors.New("no action of Windows Firewall in its column")
			}
			b.Add("event.action", lower(value, b))
			b.Add("event.category", "network")
			b.Add("event.type", "connection")
			switch value {
			case "ALLOW":
				b.Add("event.type", "allowed")
				b.Add("event.outcome", "success")
			case "DROP":
				b.Add("event.type", "denied")
				b.Add("event.outcome", "success")
			case "OPEN", "OPEN-INBOUND":
				b.Add("event.type", "start")
				b.Add("event.outcome", "success")
			case "CLOSE":
				b.Add("event.type", "end")
			}
		case "protocol":
			addTransport(b, value)
		case "src-ip":
			src = value
		case "dst-ip":
			dst = value
		case "src-port":
			srcPort = value
		case "dst-port":
			dstPort = value
		case "size":
			b.AddNumber("network.bytes", value)
		case "tcpflags":
			b.Add("windows.firewall.tcp.flags", value)
		case "tcpsyn", "tcpack", "tcpwin":
			b.AddNumber("windows.firewall.tcp."+column[3:], value)
		case "icmptype", "icmpcode":
			b.AddNumber("windows.firewall.icmp."+column[4:], value)
		case "info":
			b.Add("event.reason", value)
		case "path":
			path = value
		case "pid":
			b.AddNumber("process.pid", value)
		default:
			b.Add(b.Bytes(append([]byte("windows.firewall."), column...)), value)
		}
	}
	if b.Event().Time == event.NoTime || i < 6 {
		return errors.New("fewer columns than a record of Windows Firewall has")
	}
	addSource(b, src, srcPort)
	b.Add("destination.address", dst)
	addDestination(b, dst, dstPort)
	switch path {
	case "SEND":
		b.Add("network.direction", "egress")
	case "RECEIVE":
		b.Add("network.direction", "ingress")
	case "FORWARD":
		b.Add("network.direction", "internal")
	}
	return nil
}
