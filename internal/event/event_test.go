package event

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestFieldsOfEarlierEventsSurviveSlabGrowth(t *testing.T) {
	var b Batch
	const events, fields = 2000, 40
	for i := range events {
		b.Begin(int64(i), "raw")
		for j := range fields {
			b.AddInt(fmt.Sprintf("f%d", j), int64(i*fields+j))
		}
	}
	for i := range b.Events {
		if n := len(b.Events[i].Fields); n != fields {
			t.Fatalf("event %d has %d fields, want %d", i, n, fields)
		}
		for j, f := range b.Events[i].Fields {
			if want := fmt.Sprint(i*fields + j); f.Value != want {
				t.Fatalf("event %d field %d = %s, want %s", i, j, f.Value, want)
			}
		}
	}
}

func TestRollbackForgetsOnlyTheEventBeingBuilt(t *testing.T) {
	var b Batch
	b.Begin(0, "one")
	b.Add("a", "1")
	b.Begin(4, "two")
	b.Add("b", "2")
	b.Rollback()
	b.Add("c", "3")
	if got := b.Events[0].Get("a"); got != "1" {
		t.Errorf("first event's field = %q", got)
	}
	if e := b.Event(); e.Has("b") || e.Get("c") != "3" || len(e.Fields) != 1 {
		t.Errorf("second event = %+v", e.Fields)
	}
}

func TestSetReplacesInPlace(t *testing.T) {
	var b Batch
	b.Begin(0, "x")
	b.Add("a", "1")
	b.Add("b", "2")
	b.Set("a", "3")
	b.Set("d", "4")
	if e := b.Event(); e.Get("a") != "3" || e.Get("d") != "4" || len(e.Fields) != 3 {
		t.Errorf("%+v", e.Fields)
	}
}

func TestJSONNestsArraysNumbersAndConflictingNames(t *testing.T) {
	var b Batch
	e := b.Begin(7, "raw \x1b[31m \xff")
	e.Time = 1_700_000_000_123_456_700
	b.Add("event.category", "authentication")
	b.AddInt("source.port", 22)
	b.Add("source.ip", "192.0.2.1")
	b.Add("a.b.c", "deep")
	b.Add("a", "shallow")
	b.Add("a-b", "dash")
	b.Add("x", "1")
	b.Add("x", "2")
	b.AddKind("raw", `[{"k":null}]`, JSON)
	b.AddNumber("lead", "007")
	b.AddBool("yes", true)
	got := string(AppendJSON(nil, b.Event()))
	if !json.Valid([]byte(got)) {
		t.Fatalf("not JSON: %s", got)
	}
	want := `{"@timestamp":"2023-11-14T22:13:20.1234567Z","a":"shallow","a.b.c":"deep","a-b":"dash",` +
		`"event":{"category":["authentication"],"original":"raw \u001b[31m ÿ"},"lead":"007","log":{"offset":7},` +
		`"message":"raw \u001b[31m ÿ","raw":[{"k":null}],"source":{"ip":"192.0.2.1","port":22},"x":["1","2"],"yes":true}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzJSONIsAlwaysValid(f *testing.F) {
	f.Add("a", "b", "a.b", "c\x00")
	f.Add("a.", "b", ".a", "..")
	f.Add("a.b.c", "1", "a.b", "2")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		var b Batch
		b.Begin(0, v1)
		b.AddKind(n1, v1, String)
		b.AddNumber(n2, v2)
		b.AddKind("a.b", v2, String)
		b.AddKind(n1, v2, String)
		if out := AppendJSON(nil, b.Event()); !json.Valid(out) {
			t.Fatalf("%q", out)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	var batch Batch
	batch.Begin(0, "Jan  2 03:04:05 web1 sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2")
	for _, n := range []string{"event.category", "event.type", "event.action", "source.ip", "source.port", "user.name", "process.name", "process.pid", "host.name"} {
		batch.Add(n, "value")
	}
	var dst []byte
	for b.Loop() {
		dst = AppendJSON(dst[:0], batch.Event())
	}
	b.SetBytes(int64(len(dst)))
}
