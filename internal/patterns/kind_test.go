package patterns

import (
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/logpattern"
)

func TestRecordsWithoutWordsAreOfTheKindThatTheyNameOrTheirFieldsMake(t *testing.T) {
	record := func(fields ...string) *event.Event {
		e := &event.Event{Raw: "{}", Time: event.NoTime}
		for i := 0; i < len(fields); i += 2 {
			e.Fields = append(e.Fields, event.Field{Name: fields[i], Value: fields[i+1]})
		}
		return e
	}
	for _, c := range []struct {
		want string
		e    *event.Event
	}{
		{"user <*> in", record("event.dataset", "json", "message", "user 17 in")},
		{"aws.cloudtrail s3.amazonaws.com GetObject", record("event.dataset", "aws.cloudtrail", "event.provider", "s3.amazonaws.com", "event.action", "GetObject", "type", "x")},
		{"json op=put type=login", record("event.dataset", "json", "type", "login", "op", "put", "user.name", "alice")},
		{"json op=put type=login", record("event.dataset", "json", "op", "put", "type", "login", "user.name", "bob", "related.user", "bob")},
		{"json {a, b.c}", record("event.dataset", "json", "b.c", "1", "a", "x", "event.kind", "event")},
		{"json {a, type}", record("event.dataset", "json", "type", "9f3c11aa02", "a", "x")},
		{"json {a, type}", record("event.dataset", "json", "type", "some words", "a", "x")},
		{"zeek.conn", record("event.dataset", "zeek.conn", "zeek.conn.history", "S")},
	} {
		m := logpattern.New()
		if got := m.Template(m.AddMasked(AppendMasked(nil, c.e), 1)).Text; got != c.want {
			t.Errorf("%v: %q, want %q", c.e.Fields, got, c.want)
		}
	}
	many := record("event.dataset", "json")
	for i := range 1000 {
		many.Fields = append(many.Fields, event.Field{Name: strings.Repeat("x", i%200) + string(rune('a'+i%26)), Value: "1"})
	}
	if got := AppendMasked(nil, many); len(got) > 1100 {
		t.Errorf("%d bytes", len(got))
	}
}
