package enrich

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// The hashes are those of the specification's own baseline.
func TestCommunityIDIsThatOfTheSpecification(t *testing.T) {
	for _, v := range []struct{ source, destination, sourcePort, destinationPort, transport, want string }{
		{"128.232.110.120", "66.35.250.204", "34855", "80", "tcp", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"66.35.250.204", "128.232.110.120", "80", "34855", "tcp", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"192.168.0.89", "192.168.0.1", "8", "0", "icmp", "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{"192.168.0.1", "192.168.0.89", "0", "0", "icmp", "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{"192.168.0.89", "192.168.0.1", "20", "0", "icmp", "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="},
		{"fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", "135", "0", "ipv6-icmp", "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
		{"192.0.2.1", "192.0.2.2", "", "", "icmp", ""}, // without its type an echo is not known from its reply
		{"192.0.2.1", "192.0.2.2", "1", "", "tcp", ""},
	} {
		var b event.Batch
		b.Begin(0, "")
		got := communityID(netip.MustParseAddr(v.source), netip.MustParseAddr(v.destination), v.sourcePort, v.destinationPort, v.transport, &b)
		if got != v.want {
			t.Errorf("%s %s:%s > %s:%s: %s, want %s", v.transport, v.source, v.sourcePort, v.destination, v.destinationPort, got, v.want)
		}
	}
}

func TestCommunityIDOfICMPIsMadeOfTypeAndCode(t *testing.T) {
	got := enriched("source.ip=192.168.0.89", "destination.ip=192.168.0.1", "network.transport=icmp", "iptables.icmp.type=8", "iptables.icmp.code=0")
	if !slices.Contains(got, "network.community_id=1:X0snYXpgwiv9TZtqg64sgzUn6Dk=") {
		t.Errorf("got %q", got)
	}
}
