package event

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEightBitTextIsReadAsWindows1252AndDamagedUTF8IsNot(t *testing.T) {
	for in, want := range map[string]string{
		"Anmeldung f\xfcr J\xf6rg fehlgeschlagen": "Anmeldung für Jörg fehlgeschlagen",
		"\x93na\xefve\x94 \x96 5 \x80":            "“naïve” – 5 €",
		"\x81":                                    "\u0081",
		"für Jörg, cut in the middle of ö: \xc3":  "für Jörg, cut in the middle of ö: \uFFFD",
		"plain": "plain",
		"é":     "é",
		"\xe9":  "é",
		strings.Repeat("x", 100) + "\xe4" + "\xf6":    strings.Repeat("x", 100) + "äö",
		"a real U+FFFD \uFFFD is one and \xff is not": "a real U+FFFD \uFFFD is one and \uFFFD is not",
	} {
		if got := string(AppendText(nil, in)); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if got, want := string(AppendQuoted(nil, in)), string(AppendQuoted(nil, want)); got != want {
			t.Errorf("%q as JSON is %s, want %s", in, got, want)
		}
	}
}

func TestValidTextAgreesWithTheLibrary(t *testing.T) {
	for n := range 100 {
		for _, tail := range []string{"", "é", "\xff", "\xc3"} {
			s := strings.Repeat("a", n) + tail + strings.Repeat("b", n%40)
			if got := ValidText([]byte(s)); got != utf8.ValidString(s) {
				t.Errorf("%q: %v", s, got)
			}
		}
	}
}
