package source

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// mixture is data of all kinds that LZMA treats differently: noise, runs,
// text, and repetitions near and far.
func mixture(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	var b []byte
	for len(b) < size {
		n := 1 + r.IntN(5000)
		switch r.IntN(5) {
		case 0:
			for range n {
				b = append(b, byte(r.Uint32()))
			}
		case 1:
			b = append(b, bytes.Repeat([]byte{byte(r.Uint32())}, n)...)
		case 2:
			b = append(b, text(n/60+1)...)
		default:
			if len(b) > 0 {
				from := r.IntN(len(b))
				b = append(b, b[from:min(from+n, len(b))]...)
			}
		}
	}
	return b[:size]
}

func unxz(packed []byte) ([]byte, error) {
	return io.ReadAll(&xzReader{in: bufio.NewReader(bytes.NewReader(packed))})
}

func TestXZReadsWhatAnotherWriterWrote(t *testing.T) {
	for seed, c := range []xz.WriterConfig{
		{}, {DictCap: 4096}, {BlockSize: 30000}, {CheckSum: xz.CRC32}, {CheckSum: xz.SHA256}, {NoCheckSum: true},
		{Properties: &lzma.Properties{LC: 0, LP: 2, PB: 0}}, {Properties: &lzma.Properties{LC: 4, LP: 0, PB: 4}},
	} {
		want := mixture(uint64(seed), 1<<20)
		var b bytes.Buffer
		w, err := c.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(want)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := unxz(b.Bytes()); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%+v: %d bytes, equal %v, %v", c, len(got), bytes.Equal(got, want), err)
		}
	}
}

func TestXZReadsWhatTheXZProgramWrote(t *testing.T) {
	program, err := exec.LookPath("xz")
	if err != nil {
		t.Skip("no xz program here")
	}
	want := mixture(42, 3<<19)
	for _, options := range []string{"-0", "-6", "-9e", "-T2 --block-size=256KiB", "--check=crc32", "--check=none", "--lzma2=dict=4KiB,lc=1,lp=3,pb=2", "--lzma2=preset=6,dict=1MiB,nice=273"} {
		c := exec.Command(program, append(strings.Fields(options), "-c")...)
		c.Stdin = bytes.NewReader(want)
		packed, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unxz(packed); !bytes.Equal(got, want) || err != nil {
			t.Errorf("xz %s: %d bytes, equal %v, %v", options, len(got), bytes.Equal(got, want), err)
		}
	}
}

func TestXZCutAnywhereGivesAPrefixAndAnError(t *testing.T) {
	want := mixture(3, 300<<10)
	packed := []byte(packed(t, "xz", string(want)))
	longest := 0
	for cut := 0; cut < len(packed); cut += 1 + len(packed)/150 {
		got, err := unxz(packed[:cut])
		if err == nil || !bytes.HasPrefix(want, got) {
			t.Fatalf("cut to %d of %d: %d bytes, prefix %v, %v", cut, len(packed), len(got), bytes.HasPrefix(want, got), err)
		}
		if len(got) < longest {
			t.Errorf("cut to %d gives %d bytes, a shorter piece gave %d", cut, len(got), longest)
		}
		longest = len(got)
	}
	if longest < len(want)*3/4 {
		t.Errorf("the longest piece gave %d bytes of %d", longest, len(want))
	}
}

func FuzzXZAgreesWithAnotherReader(f *testing.F) {
	for i, size := range []int{0, 1, 100, 5000} {
		f.Add([]byte(packed(f, "xz", string(mixture(uint64(i), size)))))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		got, err := io.ReadAll(io.LimitReader(&xzReader{in: bufio.NewReader(bytes.NewReader(packed))}, 8<<20))
		if err != nil || len(got) == 8<<20 {
			return
		}
		r, otherErr := xz.NewReader(bytes.NewReader(packed))
		if otherErr != nil {
			return
		}
		if want, otherErr := io.ReadAll(r); otherErr == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, another reader %d", len(got), len(want))
		}
	})
}

func BenchmarkXZ(b *testing.B) {
	content := text(200000)
	packed := []byte(packed(b, "xz", content))
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if n, err := io.Copy(io.Discard, &xzReader{in: bufio.NewReader(bytes.NewReader(packed))}); n != int64(len(content)) || err != nil {
			b.Fatal(n, err)
		}
	}
}
