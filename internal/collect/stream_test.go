package collect

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sextant-logs/sextant/internal/spool"
)

func TestBeatsClientsAreAcknowledgedWhenAWindowIsKept(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "beats://127.0.0.1:0", sink)
	for _, level := range []int{0, 3} {
		c, err := lumber.SyncDial(addr, lumber.CompressionLevel(level), lumber.Timeout(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		var batch []any
		for i := range 1000 {
			batch = append(batch, map[string]any{"message": fmt.Sprintf("message %d", i), "agent": map[string]any{"id": "a"}, "log": map[string]any{"offset": i, "file": map[string]any{"path": "/x"}}})
		}
		before := len(sink.records())
		if n, err := c.Send(batch); err != nil || n != len(batch) {
			t.Fatalf("%d acknowledged, %v", n, err)
		}
		if got := sink.records(); len(got) != before+len(batch) {
			t.Errorf("acknowledged, but %d of %d are kept", len(got)-before, len(batch))
		}
		c.Close()
	}
	if a, b := sink.ds[0].Records[3].Key, sink.ds[1].Records[3].Key; a != b || a == (spool.Key{}) {
		t.Error("the same line of the same file must have the same key")
	}
}

func TestBeatsClientsAreNotAcknowledgedWhatCannotBeKept(t *testing.T) {
	sink := newKept()
	sink.fail = errors.New("disk full")
	_, addr, _ := running(t, "beats://127.0.0.1:0", sink)
	c, err := lumber.SyncDial(addr, lumber.Timeout(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Send([]any{map[string]any{"message": "x"}}); err == nil {
		t.Errorf("%d were acknowledged", n)
	}
}

func TestLumberjackVersion1AndBrokenStreams(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "beats://127.0.0.1:0", sink)
	text := func(s string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	conn := dial(t, "tcp", addr)
	io.WriteString(conn, "1W\x00\x00\x00\x011D\x00\x00\x00\x01\x00\x00\x00\x02"+text("line")+text("a \"quoted\" line")+text("host")+text("web1"))
	answer := make([]byte, 6)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "1A\x00\x00\x00\x01" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if got := sink.wait(t, 1); got[0] != `{"message":"a \"quoted\" line","host":"web1"}` {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"GET / HTTP/1.1\r\n\r\n", "2W\xff\xff\xff\xff", "2W\x00\x00\x00\x012J\x00\x00\x00\x01\xff\xff\xff\xff", "2W\x00\x00\x00\x012C\x00\x00\x00\x03abc", "2W\x00\x00\x00\x012Q"} {
		conn := dial(t, "tcp", addr)
		io.WriteString(conn, bad)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(answer); err == nil || n > 0 || errors.Is(err, context.DeadlineExceeded) || err.Error() == "i/o timeout" {
			t.Errorf("%q is answered with %q, %v", bad, answer[:n], err)
		}
	}
}

func FuzzLumberjack(f *testing.F) {
	f.Add([]byte("2W\x00\x00\x00\x012J\x00\x00\x00\x01\x00\x00\x00\x02{}"))
	f.Add([]byte("1W\x00\x00\x00\x011D\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x01b"))
	f.Fuzz(func(t *testing.T, p []byte) {
		c := &lumberjackConn{}
		r := bytes.NewReader(p)
		n, err := c.window(r)
		inflated := 0
		for err == nil && len(c.records) < n {
			err = c.frame(r, n, &inflated)
		}
		if c.size > spool.MaxDelivery {
			t.Error("a window beyond the bound")
		}
	})
}

func TestFluentForwardInAllItsModes(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "fluent://127.0.0.1:0", sink)
	conn := dial(t, "tcp", addr)
	record := "\x81\xa7message\xa3one"
	entry := "\x92\xce\x65\xe5\xa0\x00" + record
	eventTime := "\xd7\x00\x65\xe5\xa0\x00\x00\x00\x00\x07"
	io.WriteString(conn, "\x93\xa3tag\xce\x65\xe5\xa0\x00"+record)                               // one message
	io.WriteString(conn, "\x92\xa3tag\x92"+entry+"\x92"+eventTime+record)                        // forward
	io.WriteString(conn, "\x93\xa3tag\xc4"+string(rune(len(entry)))+entry+"\x81\xa5chunk\xa2c1") // packed, with an acknowledgement
	answer := make([]byte, 10)
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "\x81\xa3ack\xda\x00\x02c1" {
		t.Errorf("answer %q, %v", answer, err)
	}
	got := sink.wait(t, 4)
	for _, g := range got {
		if g != `{"message":"one"}` {
			t.Errorf("got %q", got)
		}
	}
	r := sink.ds[1].Records[1]
	if r.Time != 0x65e5a000*1e9+7 || r.Fields[0].Value != "tag" {
		t.Errorf("%+v", r)
	}
	settled := func() int { // the answer goes out first
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return len(sink.settled)
	}
	for range 100 {
		if settled() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := settled(); n != 1 {
		t.Errorf("%d requests are settled", n)
	}
}

func FuzzMsgpack(f *testing.F) {
	f.Add([]byte("\x93\xa3tag\xce\x65\xe5\xa0\x00\x81\xa1a\x01"))
	f.Add(bytes.Repeat([]byte{0x91}, 1000))
	f.Fuzz(func(t *testing.T, p []byte) {
		n, err := packEnd(p, 0)
		if err != nil {
			return
		}
		doc, m, err := appendPacked(nil, p, 0)
		if err != nil || m != n || !json.Valid(doc) {
			t.Errorf("%q: %d and %d bytes, %s, %v", p, n, m, doc, err)
		}
	})
}

func TestGELFIsPutTogetherFromChunksAndKeepsItsFields(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "gelf+udp://127.0.0.1:0", sink)
	conn := dial(t, "udp", addr)
	message := `{"version":"1.1","host":"web1","short_message":"it broke","full_message":"it broke\nhere","timestamp":1709547072.25,"level":3,"_user":"alice"}`
	half := len(message) / 2
	io.WriteString(conn, "\x1e\x0f12345678\x01\x02"+message[half:])
	io.WriteString(conn, "\x1e\x0f12345678\x00\x02"+message[:half])
	io.WriteString(conn, "no gelf at all")
	if got := sink.wait(t, 2); !slices.Equal(got, []string{"it broke", "no gelf at all"}) {
		t.Fatalf("got %q", got)
	}
	r := sink.ds[0].Records[0]
	if r.Time != 1709547072250000000 || !slices.Contains(r.Fields, spool.Field{Name: "gelf.user", Value: "alice"}) || !slices.Contains(r.Fields, spool.Field{Name: "log.level", Value: "error"}) {
		t.Errorf("%+v", r)
	}
	_, addr, _ = running(t, "gelf+tcp://127.0.0.1:0", sink)
	io.WriteString(dial(t, "tcp", addr), message+"\x00")
	sink.wait(t, 3)
}

func TestKafkaIsReadAsAGroupAndEachRecordHasItsPlaceAsKey(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	broker := cluster.ListenAddrs()[0]
	producer, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	produce := func(from, to int) {
		for i := from; i < to; i++ {
			if err := producer.ProduceSync(context.Background(), kgo.StringRecord(fmt.Sprintf(`{"n":%d}`, i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(0, 20)
	sink := newKept()
	start := func() func() {
		c, err := New("kafka://"+broker+"/logs?group=test", Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Listen(context.Background()); err != nil {
			t.Fatal(err)
		}
		return runCollector(t, c, sink)
	}
	stop := start()
	sink.wait(t, 20)
	stop()
	produce(20, 30)
	start()
	if got := sink.wait(t, 30); len(got) != 30 {
		t.Errorf("%d records, some of them twice", len(got))
	}
	keys := map[spool.Key]bool{}
	for _, d := range sink.ds {
		for _, r := range d.Records {
			keys[r.Key] = true
		}
	}
	if len(keys) != 30 {
		t.Errorf("%d keys", len(keys))
	}
}

// flowPacket is a NetFlow 9 packet with the sets.
func flowPacket(sets ...[]byte) []byte {
	p := binary.BigEndian.AppendUint16(nil, 9)
	p = binary.BigEndian.AppendUint16(p, uint16(len(sets)))
	p = binary.BigEndian.AppendUint32(p, 60_000)     // up for a minute
	p = binary.BigEndian.AppendUint32(p, 1709547072) // 2024-03-04 10:11:12
	p = append(p, 0, 0, 0, 1, 0, 0, 0, 9)
	return append(p, bytes.Join(sets, nil)...)
}

func flowSet(id uint16, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), uint16(4+len(body))), body...)
}

func TestFlowsWaitForTheirTemplateAndKnowItAfterARestart(t *testing.T) {
	sink := newKept()
	templates := flowSet(0, 1, 0, 0, 6, 0, 8, 0, 4, 0, 12, 0, 4, 0, 7, 0, 2, 0, 11, 0, 2, 0, 4, 0, 1, 0, 1, 0, 4)
	data := flowSet(256, 192, 0, 2, 1, 198, 51, 100, 7, 0x9c, 0x40, 0, 53, 17, 0, 0, 4, 0)
	_, addr, stop := running(t, "netflow://127.0.0.1:0", sink)
	conn := dial(t, "udp", addr)
	conn.Write(flowPacket(data))
	conn.Write(flowPacket(templates))
	got := sink.wait(t, 1)
	for _, want := range []string{`"ip":"192.0.2.1"`, `"ip":"198.51.100.7"`, `"port":53`, `"transport":"udp"`, `"bytes":1024`, `"source_ipv4_address":"192.0.2.1"`, `"@timestamp":"2024-03-04T10:11:12Z"`} {
		if !strings.Contains(got[0], want) {
			t.Errorf("%s is not in %s", want, got[0])
		}
	}
	stop()
	_, addr, _ = running(t, "netflow://127.0.0.1:0", sink)
	dial(t, "udp", addr).Write(flowPacket(data))
	sink.wait(t, 2)
}

func FuzzNetflow(f *testing.F) {
	f.Add(flowPacket(flowSet(0, 1, 0, 0, 1, 0, 8, 0, 4), flowSet(256, 1, 2, 3, 4)))
	f.Add(flowPacket(flowSet(0, 1, 0, 0, 1, 0, 8, 0xff, 0xff), flowSet(256, 1, 2, 3, 4)))
	f.Add([]byte{0, 5, 0, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		n := &netflow{o: Options{Stats: &Stats{}}, exporters: map[netip.AddrPort]*exporter{}}
		peer := netip.MustParseAddrPort("192.0.2.1:2055")
		for range 2 {
			for _, r := range n.datagram(bytes.Clone(p), peer, time.Unix(0, 0)) {
				if !json.Valid(r.Data) {
					t.Errorf("invalid document %s", r.Data)
				}
			}
		}
	})
}

func TestJournalEntriesAreCutAtTheirEndsAndKnowTheirCursor(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	entry := func(n int) string {
		text := fmt.Sprintf("line %d\nsecond", n)
		return fmt.Sprintf("__CURSOR=c%d\n__REALTIME_TIMESTAMP=1709547072250000\nMESSAGE\n%s%s\n_HOSTNAME=web1\n\n", n, string(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))), text)
	}
	r, w := io.Pipe()
	go func() {
		for i := range 3 {
			e := entry(i)
			io.WriteString(w, e[:20])
			io.WriteString(w, e[20:])
		}
		w.Close()
	}()
	code := uploadJournal(t, s.URL+"/upload", r)
	if code != 202 {
		t.Errorf("answer %d", code)
	}
	if got := sink.wait(t, 3); len(got) != 3 || got[1] != entry(1) {
		t.Errorf("got %q", got)
	}
	var keys []spool.Key
	for _, d := range sink.ds {
		for _, r := range d.Records {
			keys = append(keys, r.Key)
		}
	}
	if keys[0] == keys[1] || keys[0] == (spool.Key{}) {
		t.Errorf("keys %x", keys)
	}
}
