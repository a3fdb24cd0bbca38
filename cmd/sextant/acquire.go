package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/acquire"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
)

var _ = command(newAcquire)

func newAcquire() *cobra.Command {
	var output, root, system, verify string
	var list bool
	var maxFile int64
	c := &cobra.Command{
		Use:   "acquire [PATH…]",
		Short: "Collect this machine's logs into an archive with a manifest of hashes",
		Long: `Collect the logs of this machine into one archive: the well-known places of its system
(--list shows them), or the PATHs. Files are taken as they are, with their times and
owners; the archive's last member says for each when it was taken, its SHA-256, and what
could not be taken and why. ` + "`sextant investigate`" + ` reads the archive as it is.

Names ending in .tar.zst and .tar are compressed so or not at all. Run it as an administrator:
most logs are nobody else's to read.`,
		Example: `  sudo sextant acquire                          # HOST-20260304T101112Z.tar.gz
  sudo sextant acquire -o /mnt/usb/web1.tar.zst
  ssh root@web1 sextant acquire -o - > web1.tar.gz
  sextant acquire --root /mnt/image -o image.tar.gz
  sextant acquire --verify web1.tar.gz`,
		RunE: func(c *cobra.Command, paths []string) error {
			if verify != "" {
				return verifyAcquired(c, verify)
			}
			if err := oneOf("--system", system, "linux", "darwin", "windows"); err != nil {
				return err
			}
			if list {
				return listLocations(c, system, root)
			}
			o := acquire.Options{Version: version, MaxFile: maxFile << 20}
			if root != "" {
				abs, err := filepath.Abs(root)
				if err != nil {
					return err
				}
				o.Root = abs
			}
			if len(paths) == 0 {
				for _, l := range acquire.Of(system) {
					paths = append(paths, l.Found(o.Root)...)
				}
				if len(paths) == 0 {
					return errors.New("none of the well-known places is there: name what to collect, or see `sextant acquire --list`")
				}
			} else {
				for _, p := range paths {
					if _, err := os.Lstat(p); err != nil {
						return usageError{err}
					}
				}
			}
			return acquireTo(c, output, paths, o)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "the archive; - for standard output (default HOST-TIME.tar.gz)")
	c.Flags().BoolVar(&list, "list", false, "list the well-known places and what is there")
	c.Flags().StringVar(&root, "root", "", "collect from a file system that is mounted there")
	c.Flags().StringVar(&system, "system", runtime.GOOS, "whose places: linux, darwin or windows")
	c.Flags().StringVar(&verify, "verify", "", "hold an archive against its manifest")
	c.Flags().Int64Var(&maxFile, "max-file", 16<<10, "leave out files of more mebibytes")
	return c
}

func listLocations(c *cobra.Command, system, root string) error {
	w := buffered(c)
	for _, l := range acquire.Of(system) {
		fmt.Fprintf(w, "%s\n", l.Title)
		for _, p := range l.Paths {
			fmt.Fprintf(w, "  %s\n", p)
		}
		for _, p := range l.Found(root) {
			fmt.Fprintf(w, "    here: %s\n", export.Terminal(p))
		}
	}
	return w.Flush()
}

// acquireTo writes the archive under another name until it is whole.
func acquireTo(c *cobra.Command, output string, paths []string, o acquire.Options) (err error) {
	if output == "" {
		host, _ := os.Hostname()
		output = cmp.Or(host, "host") + "-" + time.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
	}
	sum := sha256.New()
	to := io.MultiWriter(c.OutOrStdout(), sum)
	var file *os.File
	if output != "-" {
		if _, err := os.Lstat(output); err == nil {
			return usagef("%s is there already: name another archive", output)
		}
		if file, err = os.OpenFile(output+".part", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		defer func() {
			if file.Close(); err != nil {
				os.Remove(file.Name())
			}
		}()
		own, err := filepath.Abs(file.Name())
		if err != nil {
			return err
		}
		o.Skip = func(path string) bool { return path == own }
		to = io.MultiWriter(file, sum)
	}
	a, files, err := acquire.Collect(c.Context(), to, output, paths, o)
	if err != nil {
		return err
	}
	if file != nil {
		if err := errors.Join(file.Sync(), file.Close(), os.Rename(file.Name(), output)); err != nil {
			return err
		}
		line := hex.EncodeToString(sum.Sum(nil)) + "  " + filepath.Base(output) + "\n"
		if err := os.WriteFile(output+".sha256", []byte(line), 0o600); err != nil {
			return err
		}
	}
	e := c.ErrOrStderr()
	const most = 20
	said := 0
	for _, f := range files {
		if f.Problem == "" {
			continue
		}
		if said++; said <= most {
			fmt.Fprintf(e, "%s: %s\n", export.Terminal(f.Path), export.Terminal(f.Problem))
		}
	}
	if said > most {
		fmt.Fprintf(e, "… and %s, all in the manifest\n", prose.Count(int64(said-most), "other"))
	}
	fmt.Fprintf(e, "%s, %d bytes, %s\n", prose.Count(int64(a.Files), "file"), a.Bytes, prose.Count(int64(a.Problems), "problem"))
	fmt.Fprintf(e, "%s\nSHA-256 %s\n", export.Terminal(output), hex.EncodeToString(sum.Sum(nil)))
	if a.Problems > 0 {
		return errSources
	}
	return nil
}

func verifyAcquired(c *cobra.Command, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	a, files, wrong, err := acquire.Verify(c.Context(), f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w := c.OutOrStdout()
	fmt.Fprintf(w, "%s of %s, collected %s by %s: %s, %d bytes\n", export.Terminal(filepath.Base(path)), export.Terminal(a.Host), a.Start.Format("2006-01-02 15:04:05Z"), export.Terminal(a.User), prose.Count(int64(a.Files), "file"), a.Bytes)
	for _, f := range files {
		if f.Problem != "" {
			fmt.Fprintf(w, "when it was collected: %s: %s\n", export.Terminal(f.Path), export.Terminal(f.Problem))
		}
	}
	for _, line := range wrong {
		fmt.Fprintln(w, export.Terminal(line))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s is not as it was collected: %s", path, prose.Count(int64(len(wrong)), "difference"))
	}
	fmt.Fprintln(w, "every file is as it was collected")
	return nil
}
