package format

import (
	"bytes"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// A log in Latin-1 gives fields in UTF-8, also to whom it tells of complete events, and
// records that are byte for byte those of the file; so does a record that came by itself.
func TestLatin1BecomesUTF8AndTheRecordKeepsItsBytes(t *testing.T) {
	for _, c := range []struct{ format, data, message, user string }{
		{"syslog", "Mar  4 10:00:00 web1 app[7]: Anmeldung f\xfcr J\xf6rg\n", "Anmeldung für Jörg", ""},
		{"text", "2026-03-04 10:00:00 login user=J\xf6rg\n", "2026-03-04 10:00:00 login user=Jörg", "Jörg"},
		{"json", "{\"time\":\"2026-03-04T10:00:00Z\",\"message\":\"f\xfcr\",\"user\":{\"name\":\"J\xf6rg\"}}\n", "für", "Jörg"},
		{"csv", "time,message,user.name\n2026-03-04T10:00:00Z,f\xfcr,J\xf6rg\n2026-03-04T10:00:01Z,\xe0,b\n", "für", "Jörg"},
	} {
		t.Run(c.format, func(t *testing.T) {
			f, data := Lookup(c.format), []byte(c.data)
			decodeAll(t, f, data, bytes.NewReader(data))
			check := func(e *event.Event, how string) {
				if e.Message() != c.message && c.format != "csv" || e.Get("user.name") != c.user {
					t.Errorf("%s: message %q, user %q", how, e.Message(), e.Get("user.name"))
				}
				if !bytes.Contains(data, []byte(e.Raw)) || event.ValidText([]byte(e.Raw)) {
					t.Errorf("%s: the record is %q", how, e.Raw)
				}
			}
			var b event.Batch
			told := 0
			p := &Params{Clock: timestamp.NewClock(nil, anchor.UnixNano()), Done: func(b *event.Batch) {
				if told++; told == 1 {
					check(b.Event(), "told")
				}
			}}
			c0, err := f.NewFramer(bytes.NewReader(data)).Next()
			if err != nil {
				t.Fatal(err)
			}
			f.NewDecoder(p).Decode(c0, &b)
			check(&b.Events[0], "decoded")
			if f.Streams() {
				told = 0
				f.NewRecordDecoder(p, nil)(bytes.TrimSpace(data), 0, &b)
				if told != 1 {
					t.Errorf("told %d times of a record", told)
				}
			}
		})
	}
}
