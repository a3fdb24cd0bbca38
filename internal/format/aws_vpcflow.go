package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// AWS VPC flow logs: columns separated by blanks, in one of AWS's formats or in an order that
// the file's header names (Amazon VPC User Guide, "Flow log records").
var _ = register(Format{
	Name:  datasetVPCFlow,
	Title: "AWS VPC flow log",
	Group: "network",
	Recognise: func(s *Sample) int {
		if len(s.Lines) > 0 && isVPCHeader(s.Lines[0]) {
			return 96
		}
		return s.majority(95, func(l string) bool {
			_, ok := vpcColumns(l)
			return ok
		})
	},
	Header: func(line []byte) bool { return len(line) > 0 && isLetter(line[0]) && isVPCHeader(event.View(line)) },
	Lines: func(p *Params) LineDecoder {
		var columns []string
		if h := p.Header(); len(h) > 0 {
			columns = strings.Fields(h[len(h)-1])
		}
		return func(line string, b *event.Batch) error { return decodeVPCFlow(p, columns, line, b) }
	},
})

const datasetVPCFlow = "aws.vpcflow"

var (
	vpcVersion2 = strings.Fields("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status")
	vpcVersion3 = strings.Fields("version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr pkt-dstaddr protocol bytes packets start end action tcp-flags log-status")
	vpcVersion5 = append(append([]string{}, vpcVersion2...), strings.Fields("vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path")...)
)

func isVPCHeader(l string) bool {
	known := 0
	for w := range strings.FieldsSeq(l) {
		switch w {
		case "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "log-status", "pkt-srcaddr", "pkt-dstaddr", "action", "vpc-id":
			known++
		}
	}
	return known >= 4
}

// vpcColumns are the columns of a line in one of AWS's own formats.
func vpcColumns(l string) ([]string, bool) {
	n := 0
	eni := -1
	for w := range strings.FieldsSeq(l) {
		if n == 0 && (len(w) != 1 || w[0] < '2' || w[0] > '9') {
			return nil, false
		}
		if eni < 0 && strings.HasPrefix(w, "eni-") {
			eni = n
		}
		n++
	}
	switch {
	case eni == 2 && n >= 14 && n <= len(vpcVersion5):
		return vpcVersion5[:n], true
	case eni == 4 && n == len(vpcVersion3):
		return vpcVersion3, true
	}
	return nil, false
}

var errVPCColumns = errors.New("the columns are of no known flow log format, and no header names them")

func decodeVPCFlow(p *Params, columns []string, line string, b *event.Batch) error {
	if len(line) > 24 && line[4] == '-' && line[10] == 'T' { // an export of CloudWatch puts the time before
		if i := strings.IndexByte(line, ' '); i > 0 {
			line = line[i+1:]
		}
	}
	if columns == nil {
		var ok bool
		if columns, ok = vpcColumns(line); !ok {
			return errVPCColumns
		}
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", datasetVPCFlow)
	b.Add("event.category", "network")
	b.Add("event.type", "connection")
	b.Add("cloud.provider", "aws")
	i := 0
	var srcPort, dstPort string
	start, end := int64(event.NoTime), int64(event.NoTime)
	for v := range strings.FieldsSeq(line) {
		if i == len(columns) {
			break
		}
		column := columns[i]
		i++
		if v == "-" {
			continue
		}
		switch column {
		case "account-id":
			b.Add("cloud.account.id", v)
			b.Add("aws.vpcflow.account_id", v)
		case "instance-id":
			b.Add("cloud.instance.id", v)
			b.Add("aws.vpcflow.instance_id", v)
		case "region":
			b.Add("cloud.region", v)
		case "az-id":
			b.Add("cloud.availability_zone", v)
		case "srcaddr":
			addSource(b, v, "")
			addNetworkType(b, v)
		case "dstaddr":
			b.Add("destination.address", v)
			addDestination(b, v, "")
		case "srcport":
			srcPort = v
		case "dstport":
			dstPort = v
		case "protocol":
			addTransport(b, v)
		case "packets":
			b.AddNumber("network.packets", v)
			b.AddNumber("source.packets", v)
		case "bytes":
			b.AddNumber("network.bytes", v)
			b.AddNumber("source.bytes", v)
		case "start":
			if ns, ok := p.Clock.Epoch(v); ok {
				start = ns
			}
		case "end":
			if ns, ok := p.Clock.Epoch(v); ok {
				end = ns
			}
		case "action":
			b.Add("aws.vpcflow.action", v)
			b.Add("event.action", lower(v, b))
			switch v {
			case "ACCEPT":
				b.Add("event.outcome", "success")
				b.Add("event.type", "allowed")
			case "REJECT":
				b.Add("event.outcome", "failure")
				b.Add("event.type", "denied")
			}
		case "tcp-flags":
			b.Add("aws.vpcflow.tcp_flags", v)
			vpcFlags(b, v)
		case "flow-direction":
			b.Add("network.direction", v)
		default:
			if c, ok := vpcNames[column]; ok {
				b.Add(c, v)
			} else {
				b.Add(b.Bytes(append([]byte("aws.vpcflow."), strings.ReplaceAll(column, "-", "_")...)), v)
			}
		}
	}
	addPort(b, "source.port", srcPort)
	addPort(b, "destination.port", dstPort)
	switch {
	case end != event.NoTime:
		b.Event().Time = end
	case start != event.NoTime:
		b.Event().Time = start
	default:
		return errors.New("neither start nor end is a time")
	}
	if start != event.NoTime {
		addTime("event.start", start, b)
	}
	if end != event.NoTime {
		addTime("event.end", end, b)
	}
	return nil
}

// vpcFlags names the bits of tcp-flags, which AWS adds up over a flow.
func vpcFlags(b *event.Batch, s string) {
	v, err := strconv.Atoi(s)
	if err != nil {
		return
	}
	for i, name := range [...]string{"fin", "syn", "rst", "psh", "ack", "urg"} {
		if v&(1<<i) != 0 {
			b.Add("aws.vpcflow.tcp_flags_array", name)
		}
	}
}

var vpcNames = func() map[string]string {
	m := map[string]string{}
	for _, c := range vpcVersion5 {
		m[c] = "aws.vpcflow." + strings.ReplaceAll(c, "-", "_")
	}
	return m
}()
