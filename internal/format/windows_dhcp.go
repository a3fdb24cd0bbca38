package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// The audit log of Windows' DHCP server (DhcpSrvLog-Mon.log, DhcpV6SrvLog-Mon.log): a legend of its event codes, a line of
// column names, and records of that many values, of which older servers write seven. Descriptions are in the server's language, codes are not.
// https://learn.microsoft.com/previous-versions/windows/it-pro/windows-server-2008-R2-and-2008/dd759178(v=ws.11)
//
//	ID,Date,Time,Description,IP Address,Host Name,MAC Address,User Name,TransactionID,QResult,Probationtime,CorrelationID,Dhcid,VendorClass(Hex),VendorClass(ASCII),UserClass(Hex),UserClass(ASCII),RelayAgentInformation,DnsRegError
//	ID,Date,Time,Description,IPv6 Address,Host Name,Error Code,Duid Length,Duid Bytes(Hex),User Name,Dhcid,Subnet Prefix
var _ = register(Format{
	Name:  "microsoft_dhcp.log",
	Title: "Windows DHCP server audit log",
	Group: "network",
	Recognise: func(s *Sample) int {
		records, others := 0, 0
		for _, l := range s.Lines {
			switch {
			case isWindowsDHCP(l):
				records++
			case strings.HasPrefix(l, "ID,Date,Time,Description,IP"):
				return 97
			case !windowsDHCPHeader(l):
				others++
			}
		}
		if records == 0 || others > 2+records/20 { // the title and the names of columns, where they are in another language
			return 0
		}
		return 92
	},
	Header: func(line []byte) bool { return windowsDHCPHeader(event.View(line)) },
	Lines:  windowsDHCP,
})

// isWindowsDHCP tells a record by its code, date and time.
func isWindowsDHCP(l string) bool {
	code, rest, ok := strings.Cut(l, ",")
	return ok && len(code) >= 2 && len(code) <= 5 && isDigits(code) && len(rest) > 18 && rest[2] == '/' && rest[5] == '/' && rest[8] == ',' && rest[11] == ':' && rest[14] == ':' && rest[17] == ',' &&
		isDigits(rest[:2]) && isDigits(rest[3:5]) && isDigits(rest[6:8]) && isDigits(rest[9:11]) && isDigits(rest[12:14]) && isDigits(rest[15:17])
}

// windowsDHCPHeader tells the lines of the legend: the title, a code with what it means, and the names of the columns.
func windowsDHCPHeader(l string) bool {
	t := strings.TrimLeft(l, " \t")
	n := 0
	for n < len(t) && n < 6 && '0' <= t[n] && t[n] <= '9' {
		n++
	}
	if n > 0 {
		rest := strings.TrimPrefix(t[n:], "+")
		return rest != "" && (rest[0] == '\t' || rest[0] == ' ')
	}
	return strings.HasPrefix(t, "Microsoft DHCP") || strings.HasPrefix(t, "Event ID ") || strings.HasPrefix(t, "QResult:") || strings.HasPrefix(t, "ID,Date,Time,")
}

// windowsDHCPCodes are what the codes of IPv4 mean: as Microsoft's legend has it, in fewer words.
var windowsDHCPCodes = map[string]struct{ action, outcome string }{
	"00": {"log-start", "success"}, "01": {"log-end", "success"}, "02": {"log-pause", "success"},
	"10": {"dhcp-new", "success"}, "11": {"dhcp-renew", "success"}, "12": {"dhcp-release", "success"},
	"13": {"dhcp-address-in-use", "failure"}, "14": {"dhcp-pool-exhausted", "failure"}, "15": {"dhcp-deny", "failure"}, "16": {"dhcp-delete", "success"},
	"17": {"dhcp-expire", "success"}, "18": {"dhcp-expire", "success"},
	"20": {"bootp-new", "success"}, "21": {"bootp-new", "success"}, "22": {"bootp-pool-exhausted", "failure"}, "23": {"bootp-delete", "success"},
	"24": {"ip-cleanup-start", "success"}, "25": {"ip-cleanup-end", "success"},
	"30": {"dhcp-dns-update", "success"}, "31": {"dhcp-dns-update", "failure"}, "32": {"dhcp-dns-update", "success"},
	"33": {"dhcp-packet-dropped", "failure"}, "34": {"dhcp-dns-update", "failure"}, "35": {"dhcp-dns-update", "failure"}, "36": {"dhcp-packet-dropped", "failure"},
}

// windowsDHCPFields are those of the columns that have no place in ECS.
var windowsDHCPFields = [19]string{
	8: "microsoft.dhcp.transaction_id", 9: "microsoft.dhcp.result", 10: "microsoft.dhcp.probation_time", 11: "microsoft.dhcp.correlation_id", 12: "microsoft.dhcp.dhc_id",
	13: "microsoft.dhcp.vendor.hex", 14: "microsoft.dhcp.vendor.string", 15: "microsoft.dhcp.user.hex", 16: "microsoft.dhcp.user.string", 17: "microsoft.dhcp.relay_agent_info", 18: "microsoft.dhcp.dns_error_code",
}

var errNotWindowsDHCP = errorString("not a record of Windows' DHCP server")

func windowsDHCP(p *Params) LineDecoder {
	return func(line string, b *event.Batch) error {
		if !isWindowsDHCP(line) {
			return errNotWindowsDHCP
		}
		var f [19]string
		rest, n := line, 0
		for more := true; more && n < len(f); n++ {
			f[n], rest, more = strings.Cut(rest, ",")
			f[n] = strings.TrimSpace(f[n])
		}
		two := func(i, at int) int { return int(f[i][at]-'0')*10 + int(f[i][at+1]-'0') }
		year := 2000 + two(1, 6)
		if year >= 2090 {
			year -= 100
		}
		ns, ok := p.Clock.Local(year, two(1, 0), two(1, 3), two(2, 0), two(2, 3), two(2, 6), 0)
		if !ok {
			return errNotWindowsDHCP
		}
		b.Event().Time = ns
		b.Add("event.kind", "event")
		b.Add("event.dataset", "microsoft_dhcp.log")
		b.Add("event.code", f[0])
		b.Add("message", f[3])
		meaning, known := windowsDHCPCodes[f[0]]
		rogue := len(f[0]) == 2 && f[0] >= "50"
		switch {
		case len(f[0]) == 2 && f[0] < "10" || f[0] == "24" || f[0] == "25":
			b.Add("event.category", "process")
		case rogue:
			b.Add("event.category", "authentication")
			b.Add("event.category", "network")
			b.Add("event.action", "rogue-server-detection")
		default:
			b.Add("event.category", "network")
		}
		switch f[0] {
		case "00", "24":
			b.Add("event.type", "start")
		case "01", "25":
			b.Add("event.type", "end")
		default:
			b.Add("event.type", "connection")
		}
		if known {
			b.Add("event.action", meaning.action)
			b.Add("event.outcome", meaning.outcome)
			switch {
			case meaning.action == "dhcp-new", meaning.action == "dhcp-renew", meaning.action == "bootp-new":
				b.Add("event.type", "allowed")
			case meaning.outcome == "failure" && meaning.action != "dhcp-dns-update":
				b.Add("event.type", "denied")
			}
		}
		name := lower(f[5], b)
		if isHostName(name) {
			b.Add("source.address", name)
			b.Add("source.domain", name)
		} else if ipVersion(f[4]) != 0 {
			b.Add("source.address", f[4])
		}
		if ipVersion(f[4]) != 0 {
			b.Add("source.ip", plainIP(f[4]))
		}
		if len(f[0]) > 2 { // IPv6
			b.Add("network.protocol", "dhcpv6")
			b.Add("error.code", f[6])
			b.Add("microsoft.dhcp.duid.length", f[7])
			b.Add("microsoft.dhcp.duid.hex", f[8])
			b.Add("user.name", f[9])
			b.Add("microsoft.dhcp.dhc_id", f[10])
			b.Add("microsoft.dhcp.subnet_prefix", f[11])
			return nil
		}
		b.Add("network.protocol", "dhcp")
		if len(f[6]) == 12 { // else a client's identifier of another kind (RFC 2132 §9.14)
			addMAC(b, "source.mac", f[6])
		} else {
			b.Add("microsoft.dhcp.client_id", f[6])
		}
		b.Add("user.name", f[7])
		for i, name := range windowsDHCPFields {
			if name != "" {
				b.Add(name, f[i])
			}
		}
		return nil
	}
}
