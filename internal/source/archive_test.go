package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

func TestEveryCompressionIsRecognisedByContentNotName(t *testing.T) {
	content := text(3000)
	files := map[string]string{"bzip2": bzip2Line}
	for _, kind := range []string{"gzip", "xz", "zstd", "lz4"} {
		files[kind] = packed(t, kind, content)
	}
	for kind, packed := range files {
		e := one(t, Options{}, "auth.log.2", packed)
		noProblems(t, e)
		s := e.Sources[0]
		want := content
		if kind == "bzip2" {
			want = "one line in bzip2\n"
		}
		if got, err := read(t, s); got != want || err != nil {
			t.Errorf("%s: read %d bytes, %v", kind, len(got), err)
		}
		in := inspect(t, s)
		if in.SHA256 != hexSum(want) || in.OuterSHA256 != hexSum(packed) || in.OuterSize != int64(len(packed)) || in.Size != int64(len(want)) || in.Problem != nil {
			t.Errorf("%s: inspected as %+v", kind, in)
		}
		if !slices.Equal(s.Layers, []string{kind}) || s.Name != "auth.log.2" || s.Size != -1 || s.StoredSize != int64(len(packed)) {
			t.Errorf("%s: source %+v", kind, s)
		}
	}
}

func TestNameLosesOnlyTheSuffixOfACompressionFound(t *testing.T) {
	for name, want := range map[string]string{"a.log.gz": "a.log", "a.log.GZ": "a.log", "a.log.bz2": "a.log.bz2", ".gz": ".gz", "b.tgz": "b.tar"} {
		if e := one(t, Options{}, name, gz("x\n")); e.Sources[0].Name != want {
			t.Errorf("%s is named %q, want %q", name, e.Sources[0].Name, want)
		}
	}
	if e := one(t, Options{}, "plain.gz", "not compressed\n"); e.Sources[0].Name != "plain.gz" || len(e.Sources[0].Layers) != 0 {
		t.Errorf("a plain file named .gz: %+v", e.Sources[0])
	}
}

func TestMultiMemberAndPaddedCompressionIsReadWhole(t *testing.T) {
	for kind, content := range map[string]string{
		"gzip members":    gz("one\n") + gz("") + gz("two\n"),
		"gzip and zeros":  gz("one\ntwo\n") + strings.Repeat("\x00", 5000),
		"zstd frames":     packed(t, "zstd", "one\n") + packed(t, "zstd", "two\n"),
		"zstd skippable":  "\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + packed(t, "zstd", "one\ntwo\n"),
		"xz streams":      packed(t, "xz", "one\n") + packed(t, "xz", "two\n"),
		"lz4 frames":      packed(t, "lz4", "one\n") + packed(t, "lz4", "two\n"),
		"gzip in gzip":    gz(gz("one\ntwo\n")),
		"mixed in mixed":  packed(t, "xz", packed(t, "zstd", packed(t, "lz4", gz("one\ntwo\n")))),
		"stored gzip":     gz("one\ntwo\n"),
		"nothing at all?": "one\ntwo\n",
	} {
		e := one(t, Options{}, "f", content)
		if got, err := read(t, e.Sources[0]); got != "one\ntwo\n" || err != nil {
			t.Errorf("%s: read %q, %v", kind, got, err)
		}
		if in := inspect(t, e.Sources[0]); in.OuterSHA256 != hexSum(content) || in.Problem != nil {
			t.Errorf("%s: inspected as %+v", kind, in)
		}
	}
}

func TestBytesAfterCompressedDataAreSaid(t *testing.T) {
	e := one(t, Options{}, "f.gz", gz("one\n")+"junk behind it")
	in := inspect(t, e.Sources[0])
	wantProblem(t, in.Problem, Corrupt, "f.gz", "14 bytes that belong to no compressed data")
	if in.Size != 4 || in.OuterSHA256 == "" {
		t.Errorf("inspected as %+v", in)
	}
}

// nestings are archives of the same four logs, one in another in different
// ways, with the display paths they should have.
func nestings(t testing.TB) (files map[string]string, want map[string]string) {
	a, b := text(100), text(2000)
	logs := []member{{"var/log/", ""}, {"var/log/auth.log", a}, {"var/log/auth.log.2.gz", gz(b)}, {"var/log/empty", ""}}
	tarball := tarOf(t, logs...)
	files = map[string]string{
		"plain.tar":     tarball,
		"e.tar.gz":      gz(tarball),
		"e.tar.zst":     packed(t, "zstd", tarball),
		"z.zip":         zipOf(t, zip.Deflate, logs...),
		"stored.zip":    zipOf(t, zip.Store, logs...),
		"zip.in.tar":    tarOf(t, member{"in.zip", zipOf(t, zip.Deflate, logs...)}),
		"zip.in.tar.gz": gz(tarOf(t, member{"in.zip", zipOf(t, zip.Deflate, logs...)}, member{"after", a})),
		"tgz.in.zip":    zipOf(t, zip.Deflate, member{"deep/in.tgz", gz(tarball)}),
		"tgz.in.tgz":    gz(tarOf(t, member{"first", a}, member{"in.tgz", gz(tarball)}, member{"last", b})),
		"zip.in.zip":    zipOf(t, zip.Store, member{"in.zip", zipOf(t, zip.Store, logs...)}),
		"cat.tar":       tarball + tarOf(t, member{"more", b}),
	}
	want = map[string]string{}
	for prefix := range map[string]bool{"plain.tar!": true, "e.tar.gz!": true, "e.tar.zst!": true, "z.zip!": true, "stored.zip!": true, "zip.in.tar!in.zip!": true,
		"zip.in.tar.gz!in.zip!": true, "tgz.in.zip!deep/in.tgz!": true, "tgz.in.tgz!in.tgz!": true, "zip.in.zip!in.zip!": true, "cat.tar!": true} {
		want[prefix+"var/log/auth.log"], want[prefix+"var/log/auth.log.2.gz"], want[prefix+"var/log/empty"] = a, b, ""
	}
	want["zip.in.tar.gz!after"] = a
	want["tgz.in.tgz!first"], want["tgz.in.tgz!last"] = a, b
	want["cat.tar!more"] = b
	return files, want
}

func TestArchivesAreReadNestedInAnyWay(t *testing.T) {
	files, want := nestings(t)
	dir := tree(t, files)
	e := gather(t, Options{}, dir)
	noProblems(t, e)
	got := contents(t, e, dir)
	for name, content := range want {
		if g, ok := got[name]; !ok || g != content {
			t.Errorf("%s: listed %v, %d bytes, want %d", name, ok, len(g), len(content))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is listed and should not be", name)
		}
	}
	for _, s := range e.Sources {
		in := inspect(t, s)
		name := strings.TrimPrefix(s.Display, dir)[1:]
		outer, _, _ := strings.Cut(name, "!")
		if in.SHA256 != hexSum(want[name]) || in.OuterSHA256 != hexSum(files[outer]) || in.Problem != nil {
			t.Errorf("%s: inspected as %+v", name, in)
		}
		if !s.ModTime.Equal(memberTime) || s.ModTimeFrom != "tar" && s.ModTimeFrom != "zip" {
			t.Errorf("%s: changed %v from %s", name, s.ModTime, s.ModTimeFrom)
		}
		if strings.HasSuffix(name, ".gz") && (s.Name != "auth.log.2" || !strings.HasSuffix(s.Folder, "!var/log/")) {
			t.Errorf("%s: named %q in %q", name, s.Name, s.Folder)
		}
	}
}

func TestMembersOpenInAnyOrderAndAtTheSameTime(t *testing.T) {
	files, want := nestings(t)
	dir := tree(t, files)
	for _, cache := range []int64{-1, 3000, 64 << 20} {
		e := gather(t, Options{MemberCache: cache}, dir)
		for _, order := range []func([]*Source){
			slices.Reverse[[]*Source],
			func(s []*Source) { rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) },
		} {
			sources := slices.Clone(e.Sources)
			order(sources)
			var all sync.WaitGroup
			for part := range slices.Chunk(sources, 8) {
				all.Go(func() {
					for _, s := range part {
						name := strings.TrimPrefix(s.Display, dir)[1:]
						if got, err := read(t, s); got != want[name] || err != nil {
							t.Errorf("%s: %d bytes, %v", name, len(got), err)
						}
					}
				})
			}
			all.Wait()
		}
	}
}

func TestRotationOrderDoesNotStartACompressedTarOverForEachMember(t *testing.T) {
	var members []member
	for i := range 50 {
		members = append(members, member{fmt.Sprintf("log.%02d", i), text(2000)})
	}
	var consumed int64
	e := one(t, Options{Threads: 1, Progress: func(n int64) { consumed += n }}, "e.tar.gz", gz(tarOf(t, members...)))
	if consumed < e.Sources[0].node.outer.size {
		t.Fatalf("progress told of %d bytes", consumed)
	}
	backwards := slices.Clone(e.Sources)
	slices.Reverse(backwards)
	for name, order := range map[string][]*Source{"backwards": backwards, "forwards": e.Sources} {
		consumed = 0
		for _, s := range order {
			if _, err := read(t, s); err != nil {
				t.Fatal(err)
			}
		}
		if size := e.Sources[0].node.outer.size; consumed > 3*size {
			t.Errorf("%s: %d bytes of a file of %d were read for 50 members", name, consumed, size)
		}
	}
}

func TestAPartlyReadMemberDoesNotSpoilTheNext(t *testing.T) {
	e := one(t, Options{MemberCache: -1}, "e.tgz", gz(tarOf(t, member{"a", text(9000)}, member{"b", text(10)})))
	r, err := e.Sources[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(r, make([]byte, 100))
	r.Close()
	r.Close() // twice is harmless
	if got, err := read(t, e.Sources[1]); got != text(10) || err != nil {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if got, err := read(t, e.Sources[0]); got != text(9000) || err != nil {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func TestTruncatedCompressionGivesWhatIsThereAndOneLine(t *testing.T) {
	content := text(20000)
	for _, kind := range []string{"gzip", "xz", "zstd", "lz4"} {
		whole := packed(t, kind, content)
		e := one(t, Options{}, "f", whole[:len(whole)/2])
		noProblems(t, e)
		in := inspect(t, e.Sources[0])
		wantProblem(t, in.Problem, Truncated, kind+" data ends early", "complete copy")
		got, err := read(t, e.Sources[0])
		if !strings.HasPrefix(content, got) || len(got) == 0 || int64(len(got)) != in.Size {
			t.Errorf("%s: read %d bytes, inspected %d", kind, len(got), in.Size)
		}
		var p *Problem
		if !errors.As(err, &p) || p.String() != in.Problem.String() {
			t.Errorf("%s: reading ends with %v", kind, err)
		}
		if in.OuterSHA256 != hexSum(whole[:len(whole)/2]) {
			t.Errorf("%s: custody hash is wrong", kind)
		}
		for _, cut := range []int{4, 7, 11, 13, 20, len(whole) - 1, len(whole) - 5} {
			e := one(t, Options{}, "f", whole[:cut])
			if sniff([]byte(whole[:cut])) == "" {
				continue
			}
			if in := inspect(t, e.Sources[0]); in.Problem == nil {
				t.Errorf("%s cut to %d bytes is taken for whole", kind, cut)
			}
		}
	}
}

func TestDamagedCompressionIsSaid(t *testing.T) {
	whole := []byte(gz(text(2000)))
	sum := slices.Clone(whole)
	sum[len(sum)-6] ^= 1
	wantProblem(t, inspect(t, one(t, Options{}, "f.gz", string(sum)).Sources[0]).Problem, Corrupt, "f.gz", "does not match its checksum")
	middle := slices.Clone(whole)
	for i := range 20 {
		middle[len(middle)/2+i] = 0xff
	}
	if p := inspect(t, one(t, Options{}, "f.gz", string(middle)).Sources[0]).Problem; p == nil || p.Kind != Corrupt && p.Kind != Truncated {
		t.Errorf("damage in the middle gives %v", p)
	}
}

func TestTruncatedTarGivesWhatIsThereAndOneLine(t *testing.T) {
	a, b := text(100), text(3000)
	whole := tarOf(t, member{"a", a}, member{"b", b}, member{"c", a})
	inB, betweenHeaders := len(whole)/2, 512+(len(a)+511)/512*512+200
	for name, cut := range map[string]string{
		"tar in a member": whole[:inB], "tar.gz in a member": gz(whole[:inB]), "gzip cut": cutToPart(t, whole),
	} {
		e := one(t, Options{}, "e", cut)
		if len(e.Sources) != 2 {
			t.Fatalf("%s: %d sources, problems %v", name, len(e.Sources), e.Problems)
		}
		noProblems(t, e)
		in := inspect(t, e.Sources[1])
		wantProblem(t, in.Problem, Truncated)
		got, err := read(t, e.Sources[1])
		if !strings.HasPrefix(b, got) || got == "" || int64(len(got)) != in.Size || err == nil {
			t.Errorf("%s: %d bytes, inspected %d, %v", name, len(got), in.Size, err)
		}
		if got, err := read(t, e.Sources[0]); got != a || err != nil {
			t.Errorf("%s: the whole member gives %d bytes, %v", name, len(got), err)
		}
	}
	e := one(t, Options{}, "e.tar", whole[:betweenHeaders])
	onlyProblem(t, e, Truncated, "e.tar", "ends early, after 1 members")
	if len(e.Sources) != 1 {
		t.Errorf("%d sources", len(e.Sources))
	}
}

// cutToPart compresses tarball badly enough that half of the gzip file holds
// its first member and part of the second.
func cutToPart(t *testing.T, tarball string) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	io.WriteString(w, tarball)
	w.Close()
	return b.String()[:b.Len()/2]
}

func TestADamagedTarHeaderIsSaidAndWhatPrecedesIsRead(t *testing.T) {
	whole := []byte(tarOf(t, member{"a", "one\n"}, member{"b", "two\n"}))
	whole[1024+3] ^= 0x55
	e := one(t, Options{}, "e.tar", string(whole))
	onlyProblem(t, e, Corrupt, "e.tar", "the 1 members before were read")
	if got, err := read(t, e.Sources[0]); got != "one\n" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestTruncatedZipGivesWhatIsThereAndOneLine(t *testing.T) {
	a, b := text(100), text(3000)
	logs := []member{{"a", a}, {"b", b}, {"c", a}}
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		whole := zipOf(t, method, logs...)
		noDirectory := whole[:strings.Index(whole, "PK\x01\x02")]
		e := one(t, Options{}, "e.zip", noDirectory)
		onlyProblem(t, e, Truncated, "no readable directory", "the 3 members found")
		if got := contents(t, e, ""); len(got) != 3 {
			t.Errorf("%d members", len(got))
		}
		for i, s := range e.Sources {
			if got, _ := read(t, s); got != logs[i].content {
				t.Errorf("salvaged %s: %d bytes, want %d", s.Display, len(got), len(logs[i].content))
			}
		}
		cut := strings.Index(whole, "PK\x03\x04") + strings.Index(whole[4:], "PK\x03\x04") + 4
		half := whole[:cut+(len(noDirectory)-cut)/3]
		for name, content := range map[string]string{"e.zip": half, "e.zip.gz": gz(half)} {
			e = one(t, Options{}, name, content)
			if len(e.Sources) != 2 || len(e.Problems) != 0 {
				t.Fatalf("method %d: sources %v, problems %v", method, e.Sources, e.Problems)
			}
			wantProblem(t, inspect(t, e.Sources[1]).Problem, Truncated, "archive ends in the middle of this member")
			if got, err := read(t, e.Sources[1]); !strings.HasPrefix(b, got) || got == "" || err == nil {
				t.Errorf("method %d: %d bytes, %v", method, len(got), err)
			}
		}
	}
}

func TestEncryptedZipSaysSoInOneLine(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, flags := range []uint16{1, 1, 0} {
		f, err := w.CreateRaw(&zip.FileHeader{Name: fmt.Sprint("m", i), Flags: flags, UncompressedSize64: 4, CompressedSize64: 4, CRC32: crc32.ChecksumIEEE([]byte("abc\n"))})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "abc\n")
	}
	w.Close()
	e := one(t, Options{}, "secret.zip", b.String())
	onlyProblem(t, e, Encrypted, "secret.zip: 2 of 3 members of the zip archive are password-protected", "unpack it with its password")
	if got := contents(t, e, ""); len(got) != 1 {
		t.Errorf("read %v", got)
	}
}

func TestUnknownZipMethodIsNamed(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.CreateRaw(&zip.FileHeader{Name: "m", Method: 9, UncompressedSize64: 4, CompressedSize64: 4})
	io.WriteString(f, "abc\n")
	w.Close()
	onlyProblem(t, one(t, Options{}, "big.zip", b.String()), Unsupported, "Deflate64")
}

func TestAZipMemberIsCheckedAgainstItsSum(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.CreateRaw(&zip.FileHeader{Name: "m", UncompressedSize64: 4, CompressedSize64: 4, CRC32: 1})
	io.WriteString(f, "abc\n")
	w.Close()
	e := one(t, Options{}, "e.zip", b.String())
	in := inspect(t, e.Sources[0])
	wantProblem(t, in.Problem, Corrupt, "e.zip!m", "does not match its checksum")
	if in.Size != 4 {
		t.Errorf("%d bytes were kept", in.Size)
	}
}

func TestForeignContainersAreNamedAndRefused(t *testing.T) {
	for content, name := range map[string]string{"7z\xbc\xaf\x27\x1c\x00\x04": "7-Zip archive", "Rar!\x1a\x07\x01\x00": "RAR archive", "\x1f\x9d\x90abc": "compress (.Z) file"} {
		in := inspect(t, one(t, Options{}, "f", content).Sources[0])
		wantProblem(t, in.Problem, Unsupported, name, "unpack it first")
		if !in.Problem.Refuses() || in.SHA256 != hexSum(content) {
			t.Errorf("%s: %+v", name, in)
		}
	}
}

func TestBombsAreRefusedInOneLine(t *testing.T) {
	zeros := strings.Repeat("\x00", 4<<20)
	small := Options{FreeSize: 1 << 20, MaxRatio: 100}
	bomb := gz(zeros)

	in := inspect(t, one(t, small, "bomb.gz", bomb).Sources[0])
	wantProblem(t, in.Problem, Limit, "bomb.gz", "decompression bomb")
	if !in.Problem.Refuses() || in.Size > 2<<20 || in.OuterSHA256 != hexSum(bomb) {
		t.Errorf("bomb: %+v", in)
	}

	onlyProblem(t, one(t, small, "bomb.zip", zipOf(t, zip.Deflate, member{"a", zeros}, member{"b", zeros})), Limit, "bomb.zip", "decompression bomb")

	e := one(t, small, "bomb.tar.gz", gz(tarOf(t, member{"a", zeros}, member{"b", "x"})))
	lines := len(e.Problems)
	for _, s := range e.Sources {
		if inspect(t, s).Problem != nil {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("a bomb in a tar.gz makes %d lines: %v", lines, e.Problems)
	}

	// A bomb beside evidence does not hide the evidence.
	e = one(t, small, "evidence.zip", zipOf(t, zip.Store, member{"1.gz", bomb}, member{"auth.log", text(500)}))
	if len(e.Sources) != 2 || inspect(t, e.Sources[0]).Problem == nil || inspect(t, e.Sources[1]).Problem != nil {
		t.Errorf("sources %v, problems %v", e.Sources, e.Problems)
	}

	// Archives of archives: the first refusal is told, the others counted.
	level := zipOf(t, zip.Deflate, member{"zeros", zeros})
	for range 3 {
		level = zipOf(t, zip.Deflate, member{"1", level}, member{"2", level}, member{"3", level})
	}
	e = one(t, small, "42.zip", level)
	onlyProblem(t, e, Limit, "42.zip!1!1!1: ", "and 26 more inside this file like it")
}

func TestBoundsOnDepthMembersAndTotal(t *testing.T) {
	deep := "x\n"
	for range 9 {
		deep = gz(deep)
	}
	onlyProblem(t, one(t, Options{}, "deep.gz", deep), Limit, "gzip inside 8 layers", "depth limit")
	many := tarOf(t, slices.Repeat([]member{{"m", "x"}}, 20)...)
	e := one(t, Options{MaxMembers: 10}, "many.tar", many)
	onlyProblem(t, e, Limit, "more than 10 members")
	e = one(t, Options{MaxTotal: 5}, "many.tar", many)
	onlyProblem(t, e, Limit, "more than 5 bytes")
	onlyProblem(t, one(t, Options{MaxMembers: 10}, "many.zip", zipOf(t, zip.Store, slices.Repeat([]member{{"m", "x"}}, 20)...)), Limit, "more than 10 members")
	onlyProblem(t, one(t, Options{MaxSpool: 100}, "z.gz", gz(zipOf(t, zip.Store, member{"m", text(20)}))), Limit, "zip archive of more than 100 bytes")
}

func TestXZThatAsksForMuchMemoryIsRefused(t *testing.T) {
	whole := []byte(packed(t, "xz", text(10)))
	// Block header: size, flags, filter 0x21, its size 1, the dictionary.
	at := bytes.Index(whole[12:40], []byte{0x21, 1}) + 12
	whole[at+2] = 38 // 2 GiB (xz file format 1.2.0, 5.3.1)
	size := (int(whole[12]) + 1) * 4
	binary.LittleEndian.PutUint32(whole[12+size-4:], crc32.ChecksumIEEE(whole[12:12+size-4]))
	in := inspect(t, one(t, Options{}, "f.xz", string(whole)).Sources[0])
	wantProblem(t, in.Problem, Limit, "asks for more than 256 MiB")
}

func TestHostileMemberNamesAreOnlyShown(t *testing.T) {
	names := []string{"../../etc/passwd", "/etc/shadow", "C:\\Windows\\x.log", "a\x1b[2Jb\nc", "\xff\xfe", "same", "same", "\u202egol.exe"}
	var members []member
	for _, n := range names {
		members = append(members, member{n, "x\n"})
	}
	want := []string{"!../../etc/passwd", "!/etc/shadow", "!C:\\Windows\\x.log", `!a\x1b[2Jb\x0ac`, `!\xff\xfe`, "!same", "!same#2", `!\u{202e}gol.exe`}
	for name, content := range map[string]string{"e.tar": tarOf(t, members...), "e.zip": zipOf(t, zip.Store, members...)} {
		e := one(t, Options{}, name, content)
		noProblems(t, e)
		for i, s := range e.Sources {
			if !strings.HasSuffix(s.Display, name+want[i]) || s.Members[0] != names[i] {
				t.Errorf("%s: %q shows as %q", name, s.Members[0], s.Display)
			}
			if got, err := read(t, s); got != "x\n" || err != nil {
				t.Errorf("%s: read %q, %v", s.Display, got, err)
			}
		}
	}
}

func TestAnArchiveWithoutFilesIsSaid(t *testing.T) {
	onlyProblem(t, one(t, Options{}, "e.tar", tarOf(t, member{"var/", ""}, member{"var/log/", ""})), Empty, "e.tar: the tar archive holds no files")
	onlyProblem(t, one(t, Options{}, "e.zip", zipOf(t, zip.Store)), Empty, "e.zip: the zip archive holds no files")
}

func TestSparseTarMembersReadWithTheirHoles(t *testing.T) {
	// A GNU sparse header of the old kind: 4 bytes at 1000 of a file of 2000.
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "lastlog", Size: 4, Mode: 0o600, Format: tar.FormatGNU})
	w.Write([]byte("data"))
	w.WriteHeader(&tar.Header{Name: "after", Size: 2, Mode: 0o600, Format: tar.FormatGNU})
	w.Write([]byte("x\n"))
	w.Close()
	raw := b.Bytes()
	raw[156] = 'S'
	copy(raw[386:], fmt.Sprintf("%011o\x00%011o\x00", 1000, 4))
	copy(raw[386+24:], fmt.Sprintf("%011o\x00%011o\x00", 2000, 0))
	copy(raw[483:], fmt.Sprintf("%011o\x00", 2000))
	copy(raw[148:], "        ")
	sum := 0
	for _, c := range raw[:512] {
		sum += int(c)
	}
	copy(raw[148:], fmt.Sprintf("%06o\x00 ", sum))
	want := strings.Repeat("\x00", 1000) + "data" + strings.Repeat("\x00", 996)
	for name, content := range map[string]string{"s.tar": string(raw), "s.tgz": gz(string(raw))} {
		e := one(t, Options{}, name, content)
		noProblems(t, e)
		for range 2 {
			if got, err := read(t, e.Sources[0]); got != want || err != nil {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
			if got, err := read(t, e.Sources[1]); got != "x\n" || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestTheInnermostTimeCounts(t *testing.T) {
	when := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.ModTime = when
	io.WriteString(w, "x\n")
	w.Close()
	for name, content := range map[string]string{"a.gz": b.String(), "b.tar": tarOf(t, member{"m.gz", b.String()})} {
		if s := one(t, Options{}, name, content).Sources[0]; !s.ModTime.Equal(when) || s.ModTimeFrom != "gzip" {
			t.Errorf("%s: %v from %s", name, s.ModTime, s.ModTimeFrom)
		}
	}
	if s := one(t, Options{}, "c.gz", gz("x\n")).Sources[0]; s.ModTimeFrom != "file" || s.ModTime.IsZero() {
		t.Errorf("%v from %s", s.ModTime, s.ModTimeFrom)
	}
}

func TestTheHookGetsTheTextOfEverySourceOnce(t *testing.T) {
	files, want := nestings(t)
	dir := tree(t, files)
	var mu sync.Mutex
	got := map[string]*strings.Builder{}
	e := gather(t, Options{Hook: func(s *Source) func([]byte) {
		b := new(strings.Builder)
		mu.Lock()
		got[strings.TrimPrefix(s.Display, dir)[1:]] = b
		mu.Unlock()
		return func(chunk []byte) { b.Write(chunk) }
	}}, dir)
	for range 2 {
		if err := e.Inspect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("hooked %v", slices.Sorted(maps.Keys(got)))
	}
	for name, b := range got {
		if b.String() != want[name] {
			t.Errorf("%s: the hook got %d bytes, want %d", name, b.Len(), len(want[name]))
		}
	}
}
