//go:build unix

package source

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// shown lists sources and problems below dir, one a line.
func shown(e *Evidence, dir string) string {
	var b strings.Builder
	for _, s := range e.Sources {
		fmt.Fprintf(&b, "%s%s\n", s.Display, s.Aliases)
	}
	for _, p := range e.Problems {
		fmt.Fprintln(&b, p)
	}
	return strings.ReplaceAll(b.String(), dir+"/", "")
}

func TestLinksAreFollowedAndLoopsSaidInOneLine(t *testing.T) {
	dir := tree(t, map[string]string{"log/a.log": "a\n", "log/sub/b.log": "b\n", "other/c.log": "c\n"})
	link(t, "..", dir+"/log/sub/up")
	link(t, ".", dir+"/log/here")
	link(t, "self", dir+"/log/self")
	link(t, "nowhere", dir+"/log/dangling")
	link(t, "../other", dir+"/log/also")
	link(t, "sub", dir+"/log/again")
	link(t, "sub/b.log", dir+"/log/0.log")
	if err := os.Link(dir+"/log/a.log", dir+"/log/hard.log"); err != nil {
		t.Fatal(err)
	}
	got := shown(gather(t, Options{}, dir+"/log"), dir)
	want := `log/a.log[log/hard.log]
log/also/c.log[]
log/sub/b.log[log/0.log]
log/again: the same directory as log/sub, where it is read
log/dangling: a link to nothing
log/here: a link back to a directory that it is in: not followed
log/self: a link that leads back to itself
log/sub/up: a link back to a directory that it is in: not followed
`
	if got = strings.ReplaceAll(got, dir, ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestALinkToTheRootDoesNotLeadOutThroughIt(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": "a\n"})
	link(t, "/", dir+"/root")
	e := gather(t, Options{}, dir)
	onlyProblem(t, e, Loop, "root")
}

func TestWhatIsNoFileIsRefusedWithAReason(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": "a\n"})
	if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	got := shown(gather(t, Options{}, dir, "/dev/null"), dir)
	if want := "a.log[]\nfifo: a FIFO: not read\ns: a socket: not read\n/dev/null: a device: not read\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAFileThatBecomesAFIFODoesNotHangTheReader(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": "a\n"})
	e := gather(t, Options{}, dir)
	os.Remove(dir + "/a.log")
	if err := syscall.Mkfifo(dir+"/a.log", 0o600); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, inspect(t, e.Sources[0]).Problem, Changed)
}

func TestUnreadableFilesAndFoldersAreOneLineEach(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := tree(t, map[string]string{"a.log": "a\n", "secret.log": "s\n", "d/x.log": "x\n"})
	os.Chmod(dir+"/secret.log", 0)
	os.Chmod(dir+"/d", 0)
	defer os.Chmod(dir+"/d", 0o700)
	got := shown(gather(t, Options{}, dir), dir)
	want := "a.log[]\nd: permission denied; run as a user that may read it\nsecret.log: permission denied; run as a user that may read it\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAPipeHandedOverByTheShellIsReadLikeStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() { w.WriteString("from a pipe\n"); w.Close() }()
	path := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	e := gather(t, Options{}, path)
	noProblems(t, e)
	for range 2 {
		if got, err := read(t, e.Sources[0]); got != "from a pipe\n" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

func TestSparseHugeFilesAreListedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lastlog")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Skip(err)
	}
	if e := gather(t, Options{}, path); len(e.Sources) != 1 || e.Sources[0].Size != 1<<40 {
		t.Errorf("%v", e.Sources)
	}
}
