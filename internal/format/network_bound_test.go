package format

import (
	"bytes"
	"strings"
	"testing"
)

// A record as long as records may be, and made of whatever the scanners look for, is one
// event. Scanners that look back or ahead without a bound would take minutes for these.
func TestLongNetworkRecordsAreOneEvent(t *testing.T) {
	heads := map[string]string{
		"cef.log":                "CEF:0|a|b|c|d|e|1|k=",
		"leef.log":               "LEEF:1.0|a|b|c|d|k=",
		"cisco_asa.log":          "Mar  4 2024 10:11:12 fw: %ASA-6-302014: Teardown TCP connection 1 for a:192.0.2.1/1 to b:192.0.2.2/2 ",
		"cisco_ftd.log":          "2024-03-04T10:11:12Z f  %FTD-1-430003: SrcIP: 192.0.2.1, User: ",
		"cisco_ios.log":          "<189>1: Mar  4 2024 10:11:12: %SYS-5-CONFIG_I: ",
		"fortinet_fortigate.log": "date=2024-03-04 time=10:11:12 devid=x logid=1 type=event subtype=system msg=",
		"panw.panos":             "1,2024/03/04 10:11:12,1,SYSTEM,auth,1,2024/03/04 10:11:12,",
		"snort.log":              "03/04-10:11:12.1  [**] [1:2:3] ",
		"bind.query":             "04-Mar-2024 10:11:12.123 client 192.0.2.7#1 (",
		"openvpn.log":            "2024-03-04 10:11:12 192.0.2.7:1 ",
		"syslog":                 "<134>1 2024-03-04T10:11:30Z cp1 CheckPoint 7776 - [a:\"",
	}
	for name, head := range heads {
		for _, part := range []string{"=", " =", "( ", ", ", "\"", ",\"", "[", "a=b ", " from 00:00:5e:00:53:01 (", "%A-1-", ": ", "\\", "a:\"b\";", "-> "} {
			data := []byte(head + strings.Repeat(part, (400<<10)/len(part)) + "\n")
			if n := bytes.Count(decodeAll(t, Lookup(name), data, bytes.NewReader(data)), []byte{'\n'}); n != 1 {
				t.Errorf("%s with %q is %d events", name, part, n)
			}
		}
	}
}
