//go:build unix

package acquire

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine makes a file system with logs, and things that are none.
func machine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range map[string]string{
		"var/log/auth.log":             "Mar  4 10:11:12 web1 sshd[7]: Accepted password for root from 192.0.2.1 port 1 ssh2\n",
		"var/log/nginx/access.log":     "x",
		"var/log/empty.log":            "",
		"home/alice/.bash_history":     "ls\n",
		"home/alice/secret.txt":        "not a log",
		"opt/shop/logs/shop.log":       strings.Repeat("a line\n", 10_000),
		"var/lib/dhcp/dhclient.leases": "lease {}\n",
	} {
		p := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 3, 4, 10, 11, 12, 345_000_000, time.UTC)
		if err := os.Chtimes(p, at.Add(time.Hour), at); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(root, "var/log")
	if err := os.Symlink("/etc/passwd", filepath.Join(log, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(log, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func paths(root string) (out []string) {
	for _, l := range Of("linux") {
		out = append(out, l.Found(root)...)
	}
	return out
}

func TestAnAcquisitionIsWhatWasThereAndItsManifestSaysSo(t *testing.T) {
	root := machine(t)
	for _, name := range []string{"a.tar.gz", "a.tar.zst", "a.tar"} {
		var b bytes.Buffer
		a, files, err := Collect(context.Background(), &b, name, append(paths(root), filepath.Join(root, "var/log/nginx")), Options{Root: root, Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, f.Action+" "+f.Path)
		}
		slices.Sort(got)
		want := []string{"file-acquired /home/alice/.bash_history", "file-acquired /opt/shop/logs/shop.log", "file-acquired /var/lib/dhcp/dhclient.leases",
			"file-acquired /var/log/auth.log", "file-acquired /var/log/empty.log", "file-acquired /var/log/nginx/access.log", "file-not-acquired /var/log/pipe", "link-noted /var/log/link"}
		if !slices.Equal(got, want) || a.Files != 6 || a.Problems != 1 {
			t.Errorf("%s: %d files, %d problems: %q", name, a.Files, a.Problems, got)
		}
		for _, f := range files {
			if f.Path == "/var/log/auth.log" && (f.Modified.Format(time.RFC3339Nano) != "2026-03-04T10:11:12.345Z" || f.Accessed.Format(time.RFC3339Nano) != "2026-03-04T11:11:12.345Z" || f.Mode != "0640" || f.UID == "" || f.Inode == "") {
				t.Errorf("%+v", f)
			}
		}
		again, _, wrong, err := Verify(context.Background(), bytes.NewReader(b.Bytes()))
		if err != nil || len(wrong) > 0 || again.Host != a.Host || !again.Start.Equal(a.Start) {
			t.Errorf("%s: %v %v %+v", name, err, wrong, again)
		}
	}
}

func TestAnArchiveThatWasChangedIsFoundOut(t *testing.T) {
	root := machine(t)
	var b bytes.Buffer
	if _, _, err := Collect(context.Background(), &b, "a.tar", paths(root), Options{Root: root}); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	for _, c := range []struct{ old, new, says string }{
		{"Accepted password", "Rejected password", "/var/log/auth.log: has SHA-256"},
		{"192.0.2.1 port", "192.0.2.9 port", "/var/log/auth.log: has SHA-256"},
	} {
		_, _, wrong, err := Verify(context.Background(), strings.NewReader(strings.Replace(whole, c.old, c.new, 1)))
		if err != nil || len(wrong) != 1 || !strings.Contains(wrong[0], c.says) {
			t.Errorf("%q for %q: %v %v", c.new, c.old, wrong, err)
		}
	}
	for _, cut := range []int{100, len(whole) / 2, len(whole) - 8000} {
		if _, _, _, err := Verify(context.Background(), strings.NewReader(whole[:cut])); err == nil {
			t.Errorf("cut at %d: nothing is wrong", cut)
		}
	}
}

// stale is a directory's entry with what was known of it before.
type stale struct {
	fs.DirEntry
	info fs.FileInfo
}

func (s stale) Info() (fs.FileInfo, error) { return s.info, nil }

func TestAFileThatBecomesShorterIsFilledUpAndSaidToBe(t *testing.T) {
	root := machine(t)
	path := filepath.Join(root, "opt/shop/logs/shop.log")
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 7); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	c := &collection{ctx: context.Background(), tar: tar.NewWriter(&b), o: Options{Root: root, MaxFile: 1 << 30}}
	if err := errors.Join(c.take(path, stale{entries[0], info}), c.finish(), c.tar.Close()); err != nil {
		t.Fatal(err)
	}
	if f := c.files[0]; f.Size != 70_000 || !strings.Contains(f.Problem, "zeros from byte 7 on") || c.a.Problems != 1 {
		t.Errorf("%+v", f)
	}
	if _, _, wrong, err := Verify(context.Background(), &b); err != nil || len(wrong) > 0 {
		t.Errorf("%v %v", wrong, err)
	}
}
