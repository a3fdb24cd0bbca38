package sigma

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestASCIIIsToldWhereverTheOtherByteStands(t *testing.T) {
	for n := range 100 {
		if s := strings.Repeat("a", n); !isASCII(s) {
			t.Errorf("%d letters are not ASCII", n)
		}
		for i := range n {
			b := []byte(strings.Repeat("\x7f", n))
			b[i] = utf8.RuneSelf
			if isASCII(string(b)) {
				t.Errorf("byte %d of %d is not seen", i, n)
			}
		}
	}
}
