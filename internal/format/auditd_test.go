package format

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// However the stream is cut into chunks, records of one serial become one event.
func TestAuditRecordsOfASerialAreOneEvent(t *testing.T) {
	var log bytes.Buffer
	const events = 5000
	for i := range events {
		// Two events' records take turns.
		a, b := 2*i, 2*i+1
		for _, r := range []struct {
			serial int
			record string
		}{{a, "SYSCALL"}, {b, "SYSCALL"}, {a, "EXECVE"}, {b, "CWD"}, {a, "PROCTITLE"}, {b, "PROCTITLE"}} {
			fmt.Fprintf(&log, "type=%s msg=audit(1709547072.%03d:%d): pid=1 cwd=\"/tmp\" a0=\"x\"\n", r.record, i%1000, r.serial)
		}
	}
	f := Lookup("auditd.log")
	framer := f.NewFramer(bytes.NewReader(log.Bytes()))
	n, chunks := 0, 0
	for {
		c, err := framer.Next()
		if err == io.EOF {
			break
		}
		chunks++
		var b event.Batch
		f.NewDecoder(&Params{Clock: newTestClock()}).Decode(c, &b)
		for i := range b.Events {
			if e := &b.Events[i]; strings.Count(e.Raw, "\n") != 2 {
				t.Fatalf("event %d of chunk %d has the records %q", i, chunks, e.Raw)
			}
		}
		n += len(b.Events)
	}
	if n != 2*events || chunks < 2 {
		t.Errorf("%d events in %d chunks, want %d in several", n, chunks, 2*events)
	}
}
