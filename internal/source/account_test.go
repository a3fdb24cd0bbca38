package source

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestBooksThatDoNotBalanceAreAnError(t *testing.T) {
	good := Account{BytesIn: 10, BytesEvents: 6, BytesSeparators: 1, BytesRefused: map[string]int64{"bomb": 2, "junk": 1}, Records: 4, Decoded: 2, Undecoded: 1, Duplicate: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Account){
		"bytes in":    func(a *Account) { a.BytesIn++ },
		"events":      func(a *Account) { a.BytesEvents++ },
		"separators":  func(a *Account) { a.BytesSeparators-- },
		"refused":     func(a *Account) { a.BytesRefused = nil },
		"records":     func(a *Account) { a.Records++ },
		"duplicates":  func(a *Account) { a.Duplicate = 0 },
		"negative":    func(a *Account) { a.Decoded, a.Undecoded = 4, -1 },
		"neg refused": func(a *Account) { a.BytesRefused = map[string]int64{"a": 4, "b": -1} },
	} {
		a := good
		spoil(&a)
		if a.Check() == nil {
			t.Errorf("%s: books that do not balance pass", name)
		}
	}
}

func TestSumsOfBooksBalance(t *testing.T) {
	var sum Account
	for range 3 {
		one := Account{BytesIn: 5, BytesEvents: 3, Records: 1, Decoded: 1}
		one.Refuse("junk", 2)
		one.Refuse("nothing", 0)
		sum.Add(one)
	}
	if err := sum.Check(); err != nil || sum.BytesIn != 15 || sum.BytesRefused["junk"] != 6 || len(sum.BytesRefused) != 1 {
		t.Errorf("%+v: %v", sum, err)
	}
}

func TestAProblemIsOneLineThatDrivesNoTerminal(t *testing.T) {
	p := &Problem{Kind: Corrupt, Path: "dir/a\x1b]0;x\x07\n.log", Member: "m", Line: 7, Offset: -1, What: "bad\r\nthing", Remedy: "do\tthis", Err: fs.ErrPermission}
	if got, want := p.String(), `dir/a\x1b]0;x\x07\x0a.log!m: line 7: bad\x0d\x0athing; do\x09this`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !errors.Is(p, fs.ErrPermission) {
		t.Error("the cause is hidden")
	}
	p = &Problem{Path: "f", Offset: 12, What: "w"}
	if got := p.String(); got != "f: byte 12: w" {
		t.Error(got)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("auth.log\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if Printable(got) != got {
			t.Fatalf("%q changes twice", s)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == '\u202e' }) {
			t.Fatalf("%q shows as %q", s, got)
		}
	})
}
