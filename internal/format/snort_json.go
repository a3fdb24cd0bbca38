package format

import (
	"errors"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Snort 3's alert_json: flat objects whose fields the administrator chose.
var _ = register(Format{
	Name:  "snort.json",
	Title: "Snort 3 alert_json",
	Group: "network",
	JSON:  isSnortJSON,
	Lines: newSnortJSON,
})

func isSnortJSON(has func(string) bool) bool {
	return has("timestamp") && has("msg") && (has("sid") || has("rule")) && (has("src_addr") || has("src_ap"))
}

var errNotSnort = errorString("no message, rule and address: not an alert of Snort")

var snortScanners = scannerPool(func(string) int32 { return 0 })

func newSnortJSON(p *Params) LineDecoder {
	return func(line string, b *event.Batch) error {
		scan := snortScanners.Get().(*event.Scanner)
		defer snortScanners.Put(scan)
		leaves, err := scan.Scan(line, b)
		if err != nil {
			return err
		}
		if !isSnortJSON(func(path string) bool {
			return slices.ContainsFunc(leaves, func(l event.Leaf) bool { return l.Name.Path == path })
		}) {
			return errNotSnort
		}
		b.Add("event.kind", "alert")
		b.Add("event.dataset", datasetSnort)
		b.Add("event.category", "network")
		b.Add("event.category", "intrusion_detection")
		b.Add("observer.vendor", "snort")
		b.Add("observer.product", "ids")
		b.Add("observer.type", "ids")
		var src, dst, srcPort, dstPort, stamp, rule string
		timed := false
		for _, l := range leaves {
			v := l.Value
			switch path := l.Name.Path; path {
			case "timestamp":
				stamp = v
			case "seconds":
				if ns, ok := p.Clock.Epoch(v); ok && !timed {
					b.Event().Time, timed = ns, true
				}
			case "action":
				b.Add("event.action", v)
				switch v {
				case "allow", "pass", "alert":
					b.Add("event.type", "allowed")
				case "drop", "block", "reject":
					b.Add("event.type", "denied")
				}
			case "msg":
				b.Add("rule.description", v)
				b.Add("message", v)
			case "class":
				b.Add("rule.category", v)
			case "priority":
				b.AddNumber("event.severity", v)
			case "gid":
				b.AddNumber("snort.gid", v)
			case "sid":
				b.Add("rule.id", v)
			case "rev":
				b.Add("rule.version", v)
			case "rule":
				rule = v
			case "proto":
				addTransport(b, v)
			case "src_addr":
				src = v
			case "dst_addr":
				dst = v
			case "src_port":
				srcPort = v
			case "dst_port":
				dstPort = v
			case "src_ap":
				if src == "" {
					src, srcPort = snortEnd(v)
				}
			case "dst_ap":
				if dst == "" {
					dst, dstPort = snortEnd(v)
				}
			case "eth_src", "eth_dst":
				if isMAC(v) {
					side := "source.mac"
					if path == "eth_dst" {
						side = "destination.mac"
					}
					b.Add(side, ecsMAC(b, v))
				}
			case "iface":
				b.Add("observer.ingress.interface.name", v)
			case "pkt_len":
				b.AddNumber("network.bytes", v)
			case "pkt_num":
				b.AddNumber("network.packets", v)
			case "service":
				if v != "unknown" {
					b.Add("network.protocol", lower(v, b))
				}
			case "vlan":
				if v != "0" {
					b.Add("network.vlan.id", v)
				}
			case "eth_len":
				b.AddNumber("snort.eth.length", v)
			case "ttl", "tos", "ip_id":
				b.AddNumber(b.Bytes(append([]byte("snort.ip."), strings.TrimPrefix(path, "ip_")...)), v)
			case "udp_len":
				b.AddNumber("snort.udp.length", v)
			case "tcp_flags":
				b.Add("snort.tcp.flags", strings.ReplaceAll(v, "*", ""))
			case "tcp_len", "tcp_seq", "tcp_ack", "tcp_win":
				name := strings.TrimPrefix(path, "tcp_")
				switch name {
				case "len":
					name = "length"
				case "win":
					name = "window"
				}
				b.AddNumber("snort.tcp."+name, v)
			case "icmp_code", "icmp_id", "icmp_seq", "icmp_type":
				b.AddNumber("snort.icmp."+strings.TrimPrefix(path, "icmp_"), v)
			case "dir", "pkt_gen", "mpls", "eth_type", "ip_len", "b64_data":
			default:
				b.AddKind(b.Bytes(append([]byte("snort."), path...)), v, l.Kind)
			}
		}
		if ns, _, ok := snortTime(p.Clock, stamp, true); ok && !timed {
			b.Event().Time, timed = ns, true
		} else if t, ok := clockFraction(stamp); ok && timed { // "seconds" has none
			b.Event().Time += t
		}
		if !timed {
			return errors.New("neither timestamp nor seconds is a time")
		}
		addSource(b, src, srcPort)
		b.Add("destination.address", dst)
		addDestination(b, dst, dstPort)
		if !b.Event().Has("rule.id") {
			if _, rest, ok := strings.Cut(rule, ":"); ok {
				sid, rev, _ := strings.Cut(rest, ":")
				b.Add("rule.id", sid)
				b.Add("rule.version", rev)
			}
		}
		return nil
	}
}

// clockFraction is the fraction of a second at the end of a stamp.
func clockFraction(s string) (ns int64, ok bool) {
	n, digits := snortStampLength(s)
	if n == 0 {
		return 0, false
	}
	t, _, _ := clockTime(s[6+digits+min(digits, 1):])
	return int64(t.nanosecond), true
}
