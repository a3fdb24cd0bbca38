package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onLoopback starts a sensor on lo; it is skipped where packets may not be read.
func onLoopback(t *testing.T, sink Sink) (stop func()) {
	t.Helper()
	c, err := New("capture://lo?buffer=8", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(t.Context()); err != nil {
		if strings.Contains(err.Error(), "setcap cap_net_raw") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	return runCollector(t, c, sink)
}

func TestTrafficOfANetworkCardBecomesFlowsAndExchanges(t *testing.T) {
	sink := newKept()
	stop := onLoopback(t, sink)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 3 {
		resp, err := client.Get(s.URL + "/sensor-test")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	u, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	u.Write([]byte("x"))
	u.Close()
	time.Sleep(300 * time.Millisecond) // a block of the ring is handed over after 100 ms
	stop()
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	flows, exchanges, discards := 0, 0, 0
	for _, text := range sink.records() {
		var e struct {
			Timestamp time.Time `json:"@timestamp"`
			Event     struct{ Dataset string }
			Source    struct{ IP string }
			Dest      struct {
				Port  int
				Bytes int
			} `json:"destination"`
			HTTP struct {
				Response struct {
					Status int `json:"status_code"`
				}
			}
			URL struct{ Original string }
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if age := time.Since(e.Timestamp); age < 0 || age > time.Minute {
			t.Errorf("time %s", e.Timestamp)
		}
		switch {
		case fmt.Sprint(e.Dest.Port) == port && e.Event.Dataset == "pcap.http":
			if exchanges++; e.URL.Original != "/sensor-test" || e.HTTP.Response.Status != 200 {
				t.Errorf("%s", text)
			}
		case fmt.Sprint(e.Dest.Port) == port && e.Event.Dataset == "pcap.flow":
			if flows++; e.Source.IP != "127.0.0.1" || e.Dest.Bytes == 0 || !strings.Contains(text, `"state":"SF"`) {
				t.Errorf("%s", text)
			}
		case e.Dest.Port == 9:
			discards++
		}
	}
	if flows != 3 || exchanges != 3 || discards == 0 {
		t.Errorf("%d flows and %d exchanges of 3 requests, %d of a datagram", flows, exchanges, discards)
	}
	if f := sink.ds[0].Records[0].Fields; len(f) < 2 || f[0].Value != "lo" {
		t.Errorf("%v", f)
	}
}

func TestPacketsBeyondTheBufferAreCounted(t *testing.T) {
	card, err := openSniffer(sniffOptions{device: "lo", buffer: 2 << 20})
	if errors.Is(err, unix.EPERM) || err != nil && strings.Contains(err.Error(), "setcap") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer card.close()
	u, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	big := make([]byte, 60_000)
	for range 200 { // 12 MB, and nobody reads
		u.Write(big)
	}
	if n := card.dropped(); n == 0 {
		t.Error("no packet was dropped, or none was counted")
	}
}

func TestACardThatIsNotThereIsTold(t *testing.T) {
	for raw, want := range map[string]string{"capture://nowhere0": "there are: lo", "capture://": "which network card", "capture://lo?buffer=x": "MiB", "capture://lo?promiscuous=x": "0 or 1"} {
		c, err := New(raw, Options{})
		if err == nil {
			err = c.Listen(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
