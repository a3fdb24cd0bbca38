package prose

import (
	"math"
	"testing"
)

func TestNumbersReadAsInSentences(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Number(0), "0"},
		{Number(999), "999"},
		{Number(1000), "1,000"},
		{Number(-999), "-999"},
		{Number(-123456), "-123,456"},
		{Number(int64(math.MinInt64)), "-9,223,372,036,854,775,808"},
		{Number(uint64(math.MaxUint64)), "18,446,744,073,709,551,615"},
		{Count(1, "record"), "1 record"},
		{Count(0, "record"), "0 records"},
		{Count(int64(1204), "entry", "entries"), "1,204 entries"},
		{Size(1023), "1023 B"},
		{Size(1024), "1.0 KiB"},
		{Size(3 << 49), "1.5 PiB"},
		{Size(math.MaxInt64), "8192.0 PiB"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
