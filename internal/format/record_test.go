package format

import (
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// TestNumberedRecordsSayWhichTheyAre: what is missing of a log is told by these numbers, whatever wrote its records down.
func TestNumberedRecordsSayWhichTheyAre(t *testing.T) {
	for format, line := range map[string]string{
		"json":         `{"@timestamp":"2024-03-04T10:00:00Z","event":{"kind":"event","code":"1"},"winlog":{"channel":"Security","event_id":"4624","record_id":4711,"computer_name":"ws1"}}`,
		"windows.json": `{"EventID":4624,"Channel":"Security","RecordNumber":4711,"Hostname":"ws1","EventTime":"2024-03-04 10:00:00"}`,
		"syslog":       `<34>1 2024-03-04T10:00:00Z ws1 app 1 - [meta sequenceId="4711"] hello`,
	} {
		var b event.Batch
		Lookup(format).NewRecordDecoder(&Params{Clock: timestamp.NewClock(nil, anchor.UnixNano())}, nil)([]byte(line), 0, &b)
		if len(b.Events) != 1 || b.Events[0].Sequence != 4711 {
			t.Errorf("%s: %+v", format, b.Events)
		}
	}
}
