package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/format"
)

// userFormatsPath is where formats of one's own are looked for without being told, as
// shown in help: it does not name the home directory.
func userFormatsPath() string { return filepath.Join("CONFIG", "sextant", "formats") }

// useFormats adds the formats of directories, and of the one in the user's configuration
// if it is there, to those that are recognised.
func useFormats(dirs []string) error {
	if config, err := os.UserConfigDir(); err == nil {
		dir := filepath.Join(config, "sextant", "formats")
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			dirs = append([]string{dir}, dirs...)
		}
	}
	for _, dir := range dirs {
		formats, errs := format.ReadUserFormats(dir)
		if len(errs) > 0 {
			return usageError{errs[0]}
		}
		if err := format.Use(formats); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// checkFormats checks the formats of directories against their own samples.
func checkFormats(w io.Writer, dirs []string) error {
	failed := false
	say := func(errs []error) {
		for _, err := range errs {
			failed = true
			fmt.Fprintln(w, export.Terminal(err.Error()))
		}
	}
	for _, dir := range dirs {
		formats, errs := format.ReadUserFormats(dir)
		say(errs)
		for _, f := range formats {
			if format.Lookup(f.Name) != nil {
				say([]error{fmt.Errorf("%s: a format named %s is built in; give it another name", f.File, f.Name)})
			}
			n, errs := f.Check()
			if say(errs); len(errs) == 0 {
				fmt.Fprintf(w, "%s: %s: ok, %d samples\n", f.File, f.Name, n)
			}
			if n == 0 {
				fmt.Fprintf(w, "%s: there are no samples; nothing shows that its patterns match\n", f.File)
			}
		}
		if len(formats) == 0 && len(errs) == 0 {
			fmt.Fprintf(w, "%s: no .yml or .yaml file\n", dir)
			failed = true
		}
	}
	if failed {
		return errors.New("not every format is as its samples say")
	}
	return nil
}
