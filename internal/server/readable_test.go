package server

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// What people need who hear the pages or have no pointer: a title for each, the
// landmarks, a way past what is on every page, a name for each control, a
// heading for each column, and word of what changes.
func TestPagesCanBeHeardAndWalkedThrough(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	dir := t.TempDir()
	access, err := OpenAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("http://127.0.0.1:0")
	of := New(u, Options{Case: &drawable{st: st}, Dir: dir, Access: access, Log: slog.New(slog.DiscardHandler)})
	if of.audit, err = openAudit(dir, of.o.Log); err != nil {
		t.Fatal(err)
	}
	defer of.audit.close()
	s := httptest.NewServer(of.handler())
	defer s.Close()
	titles := map[string]string{}
	for path, wants := range map[string][]string{
		"/":                       {`aria-current="page">Now`, `role="search"`, `data-say`},
		"/?q=nothing":             {`role="search"`},
		"/charts":                 {`aria-current="page">Charts`, `<label>`},
		"/charts?kind=bar&from=x": {`class="error" role="alert"`},
		"/login":                  {`autocomplete="username"`},
	} {
		_, page, _ := ask(t, "GET", s.URL+path, "", "", "Accept", "text/html")
		all := []string{`<html lang="en">`, `<main`, `</main>`, `<h1>`}
		if path != "/login" {
			all = append(all, `<a class="skip" href="#main">`, `id="main" tabindex="-1"`, `<nav aria-label="Pages">`, `role="status" id="said"`, `id="hold" aria-pressed="false"`)
		}
		for _, want := range append(all, wants...) {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
		if n := strings.Count(page, "<main"); n != 1 {
			t.Errorf("%s has %d main parts", path, n)
		}
		title := regexp.MustCompile(`<title>(.*?)</title>`).FindString(page)
		if other, ok := titles[title]; ok && !strings.Contains(path+other, "kind=") { // the same page, asked otherwise
			t.Errorf("%s and %s have the same title %s", path, other, title)
		}
		titles[title] = path
		for _, heading := range regexp.MustCompile(`<th[ >][^>]*`).FindAllString(page, -1) {
			if !strings.Contains(heading, "scope=") {
				t.Errorf("%s: %s has no scope", path, heading)
			}
		}
		unlabelled := regexp.MustCompile(`(?s)<label.*?</label>`).ReplaceAllString(page, "")
		for _, control := range regexp.MustCompile(`<(input|select|textarea)\b[^>]*>`).FindAllString(unlabelled, -1) {
			if !strings.Contains(control, "aria-label=") {
				t.Errorf("%s: %s has no name", path, control)
			}
		}
	}
}

func TestCountsAreATableUnderTheirNames(t *testing.T) {
	row := func(kv ...string) (r pageRow) {
		for i := 0; i < len(kv); i += 2 {
			r.Fields = append(r.Fields, event.Field{Name: kv[i], Value: kv[i+1]})
		}
		return r
	}
	columns, cells := table([]pageRow{row("user.name", "alice", "n", "3"), row("n", "2", "host.name", "web1")})
	if got := strings.Join(columns, " "); got != "user.name n host.name" || strings.Join(cells[0], "|") != "alice|3|" || strings.Join(cells[1], "|") != "|2|web1" {
		t.Errorf("%v %v", columns, cells)
	}
	if columns, _ := table([]pageRow{row("n", "1"), {Stamped: true}}); columns != nil {
		t.Errorf("records are no table: %v", columns)
	}
}
