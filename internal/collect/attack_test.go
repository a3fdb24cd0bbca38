package collect

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sextant-logs/sextant/internal/spool"
)

// peak runs fn and returns by how many bytes the heap grew at most meanwhile.
func peak(fn func()) int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := int64(m.HeapAlloc)
	var most atomic.Int64
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), int64(m.HeapAlloc)-before))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	fn()
	close(done)
	<-watched
	return most.Load()
}

// zeros packs so many mebibytes of nothing.
func zeros(mib int, to func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	w := to(&b)
	part := make([]byte, 1<<20)
	for range mib {
		w.Write(part)
	}
	w.Close()
	return b.String()
}

func gzipTo(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func zlibTo(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
func zstdTo(w io.Writer) io.WriteCloser {
	z, _ := zstd.NewWriter(w, zstd.WithWindowSize(8<<20))
	return z
}

const bombMiB = 128

func TestBodiesThatInflateWithoutEndAreRefusedByEveryPath(t *testing.T) {
	s := web(t, newKept())
	packed := map[string]string{"gzip": zeros(bombMiB, gzipTo), "deflate": zeros(bombMiB, zlibTo), "zstd": zeros(bombMiB, zstdTo),
		"snappy": string(snappy.Encode(nil, make([]byte, 64<<20)))}
	// A length that is not true.
	packed["snappy "] = string(binary.AppendUvarint(nil, 1<<31)) + "xx"
	for _, e := range Endpoints() {
		method, path, ok := strings.Cut(e.Pattern, " ")
		if !ok {
			method, path = "POST", e.Pattern
		}
		if path == "/" {
			path = "/_bulk"
		}
		if method == "GET" || method == "OPTIONS" || strings.Contains(path, "ack") || strings.Contains(path, "health") || strings.HasSuffix(path, "/form") || path == "/upload" {
			continue // no body, or one that is not inflated
		}
		for encoding, body := range packed {
			grown := peak(func() {
				req, _ := http.NewRequest(method, s.URL+path, strings.NewReader(body))
				req.Header.Set("Content-Encoding", strings.TrimSpace(encoding))
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Errorf("%s %s: %v", e.Pattern, encoding, err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != 413 && resp.StatusCode != 400 {
					t.Errorf("%s %s: %d", e.Pattern, encoding, resp.StatusCode)
				}
			})
			if grown > 120<<20 {
				t.Errorf("%s %s: the heap grew by %d MiB", e.Pattern, encoding, grown>>20)
			}
		}
	}
}

func TestStreamsThatInflateWithoutEndAreCutOff(t *testing.T) {
	frame := func(packed string) []byte {
		p := append([]byte("2W"), 0, 0, 0, 1, '2', 'C')
		return append(binary.BigEndian.AppendUint32(p, uint32(len(packed))), packed...)
	}
	// In a Lumberjack frame: one event as large as is said to be possible, without end.
	inner := func(w io.Writer) io.WriteCloser {
		z := zlib.NewWriter(w)
		z.Write([]byte{'2', 'J', 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff})
		return z
	}
	many := func(w io.Writer) io.WriteCloser { // events of two bytes, more than the window has
		z := zlib.NewWriter(w)
		for i := range 100_000 {
			z.Write(append(binary.BigEndian.AppendUint32([]byte{'2', 'J'}, uint32(i)), 0, 0, 0, 2, '{', '}'))
		}
		return z
	}
	entries := zeros(64, gzipTo)
	packed := append([]byte{0x93, 0xa1, 't', 0xdb}, binary.BigEndian.AppendUint32(nil, uint32(len(entries)))...)
	packed = append(append(packed, entries...), append([]byte{0x81, 0xaa}, "compressed\xa4gzip"...)...)
	var short bytes.Buffer // millions of records of three bytes
	z := gzip.NewWriter(&short)
	for range 8 << 20 / 3 {
		z.Write([]byte{0x92, 0x00, 0x80})
	}
	z.Close()
	tiny := append([]byte{0x93, 0xa1, 't', 0xdb}, binary.BigEndian.AppendUint32(nil, uint32(short.Len()))...)
	tiny = append(append(tiny, short.Bytes()...), append([]byte{0x81, 0xaa}, "compressed\xa4gzip"...)...)
	for _, c := range []struct {
		name, url string
		sends     []byte
	}{
		{"Lumberjack, nothing but zeros", "beats://127.0.0.1:0", frame(zeros(bombMiB, zlibTo))},
		{"Lumberjack, an event without end", "beats://127.0.0.1:0", frame(zeros(64, inner))},
		{"Lumberjack, a window that is not true", "beats://127.0.0.1:0", append(binary.BigEndian.AppendUint32([]byte("2W"), 1<<31), "2J"...)},
		{"Lumberjack, more events than the window", "beats://127.0.0.1:0", append(frame(zeros(0, many)), "garbage"...)},
		{"Fluent, nothing but zeros", "fluent://127.0.0.1:0", packed},
		{"Fluent, short records", "fluent://127.0.0.1:0", tiny},
		{"Fluent, a length that is not true", "fluent://127.0.0.1:0", []byte{0xdd, 0xff, 0xff, 0xff, 0xff, 0xdb, 0xff, 0xff, 0xff, 0xff, 'x'}},
		{"GELF, without end", "gelf+tcp://127.0.0.1:0", bytes.Repeat([]byte("x"), 4<<20)},
		{"syslog, a count that is not true", "syslog+tcp://127.0.0.1:0", []byte("99999999 <14>x")},
	} {
		sink := newKept()
		_, addr, _ := running(t, c.url, sink)
		grown := peak(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			conn.Write(c.sends)
			conn.(*net.TCPConn).CloseWrite()
			if answer, err := io.ReadAll(conn); errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: the connection is held: %q", c.name, answer)
			}
		})
		if grown > 120<<20 {
			t.Errorf("%s: the heap grew by %d MiB", c.name, grown>>20)
		}
	}
}

func TestDatagramsThatInflateOrAreNeverWholeAreBounded(t *testing.T) {
	if _, err := gelfPayload([]byte(zeros(64, gzipTo))); err == nil {
		t.Error("64 MiB in a datagram are taken")
	}
	stats := &Stats{}
	c := &gelfChunks{waiting: map[gelfID]*gelfParts{}, o: Options{Stats: stats}}
	peer := netip.MustParseAddrPort("192.0.2.1:9")
	now := time.Now()
	began := time.Now()
	grown := peak(func() {
		for i := range 600_000 { // messages of 128 parts that have one
			c.take(append(binary.BigEndian.AppendUint64([]byte{0x1e, 0x0f}, uint64(i)), 0, 128, 'x'), peer, now.Add(time.Duration(i)*time.Microsecond))
		}
	})
	if grown > 2*maxGELFBytes+128<<20 || stats.Errors.Load() == 0 || len(c.waiting) == 0 {
		t.Errorf("the heap grew by %d MiB, %d wait, %d were given up", grown>>20, len(c.waiting), stats.Errors.Load())
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%v for 600,000 datagrams", took)
	}
	c.take(append(binary.BigEndian.AppendUint64([]byte{0x1e, 0x0f}, 1), 0, 1, 'x'), peer, now.Add(time.Minute))
	if len(c.waiting) != 0 || c.bytes != 0 {
		t.Errorf("%d wait with %d bytes when all are too old", len(c.waiting), c.bytes)
	}
}

func TestAKafkaBatchThatInflatesWithoutEndIsSkipped(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "logs"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "100000000"}))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for _, codec := range []kgo.CompressionCodec{kgo.GzipCompression(), kgo.ZstdCompression(), kgo.SnappyCompression(), kgo.Lz4Compression()} {
		producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()[0]), kgo.DefaultProduceTopic("logs"), kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(80<<20), kgo.BrokerMaxWriteBytes(100<<20))
		if err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(context.Background(), &kgo.Record{Value: make([]byte, maxKafkaBatch+1<<20)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(context.Background(), kgo.StringRecord("behind it")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		producer.Close()
	}
	sink := newKept()
	c, err := New("kafka://"+cluster.ListenAddrs()[0]+"/logs?group=test", Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(context.Background()); err != nil {
		t.Fatal(err)
	}
	runCollector(t, c, sink)
	if got := sink.wait(t, 4); len(got) != 4 || got[3] != "behind it" {
		t.Errorf("got %d: %.100q", len(got), got)
	}
}

func TestOpenTelemetryRequestsOfVeryManyPartsAreRefused(t *testing.T) {
	wrap := func(num protowire.Number, p []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), p)
	}
	records := bytes.Repeat([]byte{0x12, 0}, 1_500_000)
	attributes := bytes.Repeat([]byte{0x32, 0}, 1_500_000)
	var deep []byte
	for range 5000 {
		deep = wrap(5, wrap(1, deep))
	}
	bodies := map[string][]byte{
		"records":    wrap(1, wrap(2, records)),
		"attributes": wrap(1, wrap(2, wrap(2, attributes))),
		"logs":       bytes.Repeat([]byte{0x0a, 0}, 1_500_000),
		"deep":       wrap(1, wrap(2, wrap(2, wrap(5, deep)))),
	}
	s := web(t, newKept())
	collector, addr, _ := running(t, "otlp+grpc://127.0.0.1:0", newKept())
	_ = collector
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for name, body := range bodies {
		grown := peak(func() {
			if code, answer := post(t, s.URL+"/v1/logs", "application/x-protobuf", string(body)); code != 400 && code != 413 {
				t.Errorf("%s: %d %.200s", name, code, answer)
			}
			if err := invoke(conn, body); status.Code(err) == codes.OK || status.Code(err) == codes.Unavailable {
				t.Errorf("%s by gRPC: %v", name, err)
			}
		})
		if grown > 100<<20 {
			t.Errorf("%s: the heap grew by %d MiB", name, grown>>20)
		}
	}
	text := `{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.Repeat("{},", 1_000_000) + `{}]}]}]}`
	if grown := peak(func() {
		if code, answer := post(t, s.URL+"/v1/logs", "application/json", text); code != 413 && code != 400 {
			t.Errorf("JSON: %d %.200s", code, answer)
		}
	}); grown > 100<<20 {
		t.Errorf("JSON: the heap grew by %d MiB", grown>>20)
	}
	// Compressed: nothing but zeros, which are 8 MiB of one record's text.
	big := wrap(1, wrap(2, wrap(2, wrap(5, wrap(1, make([]byte, 64<<20))))))
	if err := invoke(conn, big, grpc.UseCompressor("gzip")); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a bomb by gRPC: %v", err)
	}
	// What is right is taken all the same.
	good := wrap(1, wrap(2, bytes.Repeat(wrap(2, wrap(5, wrap(1, []byte("a line")))), 1000)))
	if err := invoke(conn, good); err != nil {
		t.Error(err)
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Unmarshal([]byte, any) error   { return nil }
func (rawCodec) Name() string                  { return "proto" }

func invoke(conn *grpc.ClientConn, body []byte, o ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return conn.Invoke(ctx, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", body, new(plogotlp.ExportResponse), append(o, grpc.ForceCodec(rawCodec{}))...)
}

func TestRequestsOfVeryManyShortRecordsAreRefused(t *testing.T) {
	s := web(t, newKept())
	streams := `{"streams":[{"stream":{"a":"b"},"values":[` + strings.Repeat(`["1","x"],`, 300_000) + `["1","x"]]}]}`
	for _, c := range []struct{ path, kind, body string }{
		{"/ingest", "text/plain", strings.Repeat("x\n", 5_000_000)},
		{"/ingest", "application/json", "[" + strings.Repeat("{},", 3_000_000) + "{}]"},
		{"/_bulk", "application/x-ndjson", strings.Repeat("{\"index\":{}}\n{}\n", 700_000)},
		{"/services/collector/raw", "text/plain", strings.Repeat("x\n", 5_000_000)},
		{"/services/collector", "application/json", strings.Repeat(`{"event":1}`, 300_000)},
		{"/loki/api/v1/push", "application/json", streams},
		{"/gelf", "application/json", strings.Repeat("{}\n", 3_000_000)},
	} {
		grown := peak(func() {
			if code, answer := post(t, s.URL+c.path, c.kind, c.body); code != 413 && code != 400 {
				t.Errorf("%s: %d %.200s", c.path, code, answer)
			}
		})
		if grown > 256<<20 {
			t.Errorf("%s: the heap grew by %d MiB", c.path, grown>>20)
		}
	}
}

func TestOneAddressCannotTakeAllConnections(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "syslog+tcp://127.0.0.1:0", sink)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for range maxOfAddress + 20 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	}
	closed := 0
	for _, c := range open {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err != nil && !errors.Is(err, errTimeout) && !isTimeout(err) {
			closed++
		}
	}
	if closed != 20 {
		t.Errorf("%d of %d connections were closed, want 20", closed, len(open))
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	other, err := d.Dial("tcp", addr)
	if err != nil {
		t.Skipf("no second address on this machine: %v", err)
	}
	fmt.Fprintf(other, "<14>from another address\n")
	other.Close()
	sink.wait(t, 1)
	for _, c := range open {
		c.Close()
	}
	open = nil
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "<14>again\n")
		conn.Close()
		if len(sink.records()) > 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("connections that have ended still count")
		}
	}
}

var errTimeout = errors.New("timeout")

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// TestWhatIsBeingReceivedIsBounded has bodies and windows come that never end, more of
// them than fit.
func TestWhatIsBeingReceivedIsBounded(t *testing.T) {
	old := inbound
	inbound = &budget{left: 8 << 20}
	defer func() { inbound = old }()
	sink := newKept()
	s := web(t, sink)
	u, _ := url.Parse(s.URL)
	var held []net.Conn
	for range 4 { // three mebibytes of ten each
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
		fmt.Fprintf(conn, "POST /ingest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 10<<20)
		go conn.Write(make([]byte, 3<<20))
	}
	began := time.Now()
	for inboundLeft() >= 1<<20 && time.Since(began) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	if left := inboundLeft(); left < 0 || left > 2<<20 {
		t.Fatalf("%d bytes are left", left)
	}
	if code, answer := post(t, s.URL+"/ingest", "text/plain", strings.Repeat("x", 3<<20)); code != 503 || !strings.Contains(answer, "try again") {
		t.Errorf("with no room: %d %s", code, answer)
	}
	for _, c := range held {
		c.Close()
	}
	for end := time.Now().Add(10 * time.Second); inboundLeft() < 8<<20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are never given back", 8<<20-inboundLeft())
		}
	}
	if code, answer := post(t, s.URL+"/ingest", "text/plain", strings.Repeat("x", 3<<20)); code != 204 {
		t.Errorf("with room again: %d %s", code, answer)
	}
}

func inboundLeft() int {
	inbound.mu.Lock()
	defer inbound.mu.Unlock()
	return inbound.left
}

// spooled is a sink that is a spool.
type spooled struct{ *spool.Spool }

func (s spooled) Accept(ctx context.Context, ds ...*spool.Delivery) error {
	return s.Append(ctx, ds...)
}

// TestARequestAgainIsTheSameOneIfItsRecordsBearFineTimes sends what has been answered
// once more, as who did not get the answer.
func TestARequestAgainIsTheSameOneIfItsRecordsBearFineTimes(t *testing.T) {
	sp, err := spool.Open(t.TempDir(), spool.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	s := web(t, spooled{sp})
	now := time.Now()
	for _, c := range []struct {
		name, path, kind, body string
		once                   bool
	}{
		{"bulk", "/_bulk", "application/x-ndjson", "{\"create\":{}}\n{\"@timestamp\":\"2026-03-04T10:11:12.345Z\",\"message\":\"a\"}\n", true},
		{"bulk, whole seconds", "/_bulk", "application/x-ndjson", "{\"create\":{}}\n{\"@timestamp\":\"2026-03-04T10:11:12Z\",\"message\":\"a\"}\n", false},
		{"HEC", "/services/collector", "application/json", fmt.Sprintf(`{"time":%d.123,"event":"a"}`, now.Unix()), true},
		{"HEC, no time", "/services/collector", "application/json", `{"event":"a","fields":{"phone":1555123456789}}`, false},
		{"lines", "/ingest", "text/plain", "10:11:12,345 a line\n", true},
		{"lines of milliseconds", "/ingest", "application/json", fmt.Sprintf(`{"ts":%d,"m":1}`, now.UnixMilli()), true},
		{"lines without", "/ingest", "text/plain", "a line 1.5 of 11:12\n", false},
	} {
		before := sp.Stats().Records
		for range 3 {
			if code, answer := post(t, s.URL+c.path, c.kind, c.body); code/100 != 2 {
				t.Fatalf("%s: %d %s", c.name, code, answer)
			}
		}
		want := int64(3)
		if c.once {
			want = 1
		}
		if got := sp.Stats().Records - before; got != want {
			t.Errorf("%s: sent three times, kept %d times, want %d", c.name, got, want)
		}
	}
}
