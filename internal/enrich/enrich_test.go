package enrich

import (
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// enriched returns the fields that enriching adds, as name=value.
func enriched(fields ...string) []string {
	var b event.Batch
	b.Begin(0, "raw")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		b.Add(name, value)
	}
	var en Enricher
	en.Enrich(&b)
	var out []string
	for _, f := range b.Event().Fields[len(fields):] {
		out = append(out, f.Name+"="+f.Value)
	}
	return out
}

func TestRelatedListsHoldEachValueOnce(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{nil, nil},
		{[]string{"source.ip=192.0.2.1", "client.ip=192.0.2.1", "host.ip=192.0.2.2"}, []string{"related.ip=192.0.2.1", "related.ip=192.0.2.2"}},
		{[]string{"related.ip=192.0.2.1", "source.ip=192.0.2.1"}, nil},
		{[]string{"source.ip=192.0.2.1", "related.ip=192.0.2.1"}, nil},
		{[]string{"user.name=alice", "user.target.name=bob", "user.effective.name=alice"}, []string{"related.user=alice", "related.user=bob"}},
		{[]string{"host.name=web1", "url.domain=192.0.2.7"}, []string{"related.hosts=web1", "related.ip=192.0.2.7"}},
		{[]string{"file.hash.md5=d41d8cd98f00b204e9800998ecf8427e"}, []string{"related.hash=d41d8cd98f00b204e9800998ecf8427e"}},
		{[]string{"source.address=2001:db8::1"}, []string{"source.ip=2001:db8::1", "related.ip=2001:db8::1"}},
		{[]string{"source.address=cafe"}, nil},
		{[]string{"user.name=-", "host.name="}, nil},
	} {
		n := len(c.in)
		if slices.Contains(c.in, "host.name=") {
			c.in = slices.DeleteFunc(c.in, func(s string) bool { return s == "host.name=" })
		}
		if got := enriched(c.in...); !slices.Equal(got, c.want) {
			t.Errorf("%q (%d) adds %q, want %q", c.in, n, got, c.want)
		}
	}
}

func TestConnectionsGetTypeDirectionAndCommunityID(t *testing.T) {
	for _, c := range []struct {
		source, sport, destination, dport, transport string
		want                                         []string // type, direction, id
	}{
		// Baselines of the specification's own test traces.
		{"128.232.110.120", "34855", "66.35.250.204", "80", "tcp", []string{"ipv4", "external", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="}},
		{"66.35.250.204", "80", "128.232.110.120", "34855", "tcp", []string{"ipv4", "external", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="}},
		{"192.168.1.52", "54585", "8.8.8.8", "53", "udp", []string{"ipv4", "outbound", "1:d/FP5EW3wiY1vCndhwleRRKHowQ="}},
		{"203.0.113.4", "1", "10.0.0.1", "2", "icmp", []string{"ipv4", "inbound"}},
		{"fe80::1", "99999", "ff02::fb", "5353", "udp", []string{"ipv6", "internal"}},
	} {
		got := enriched("source.ip="+c.source, "source.port="+c.sport, "destination.ip="+c.destination, "destination.port="+c.dport, "network.transport="+c.transport)
		var values []string
		for _, f := range got {
			if v, ok := strings.CutPrefix(f, "network."); ok {
				_, v, _ = strings.Cut(v, "=")
				values = append(values, v)
			}
		}
		if !slices.Equal(values, c.want) {
			t.Errorf("%+v: %q", c, values)
		}
	}
}

func TestWhatTheRecordSaysStays(t *testing.T) {
	got := enriched("source.ip=10.0.0.1", "destination.ip=192.0.2.1", "network.direction=ingress", "network.type=ipv4", "network.community_id=1:x")
	for _, f := range got {
		if strings.HasPrefix(f, "network.") {
			t.Error(f)
		}
	}
}

func TestListsAreBounded(t *testing.T) {
	var b event.Batch
	b.Begin(0, "")
	for i := range 10_000 {
		b.AddInt("dns.resolved_ip", int64(i))
	}
	var en Enricher
	en.Enrich(&b)
	if n := len(b.Event().Fields); n != 10_000+maxRelated {
		t.Errorf("%d fields", n)
	}
}

func benchmarkEnrich(b *testing.B, fields [][2]string) {
	var batch event.Batch
	var en Enricher
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%1000 == 0 {
			batch.Reset()
		}
		batch.Begin(0, "")
		for _, f := range fields {
			batch.Add(f[0], f[1])
		}
		en.Enrich(&batch)
	}
}

// The cost of adding the fields themselves is BenchmarkAddOnly.
func BenchmarkEnrichAccess(b *testing.B) { benchmarkEnrich(b, accessFields) }
func BenchmarkEnrichFlow(b *testing.B)   { benchmarkEnrich(b, append(accessFields, flowFields...)) }
func BenchmarkAddOnly(b *testing.B) {
	var batch event.Batch
	n := 0
	for b.Loop() {
		if n++; n%1000 == 0 {
			batch.Reset()
		}
		batch.Begin(0, "")
		for _, f := range accessFields {
			batch.Add(f[0], f[1])
		}
	}
}

var accessFields = [][2]string{
	{"event.kind", "event"}, {"event.category", "web"}, {"event.type", "access"}, {"event.dataset", "apache.access"}, {"event.outcome", "success"},
	{"apache.access.remote_addresses", "192.0.2.1"}, {"source.address", "192.0.2.1"}, {"source.ip", "192.0.2.1"}, {"http.request.method", "GET"},
	{"url.original", "/x"}, {"url.path", "/x"}, {"http.version", "1.1"}, {"http.response.status_code", "200"}, {"http.response.body.bytes", "17"},
	{"user_agent.original", "curl/8"}, {"user_agent.name", "curl"}, {"user_agent.version", "8"}, {"user_agent.device.name", "Other"},
}

var flowFields = [][2]string{
	{"source.port", "50000"}, {"destination.ip", "198.51.100.2"}, {"destination.port", "443"}, {"network.transport", "tcp"},
}
