package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/config"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/serve"
	"github.com/sextant-logs/sextant/internal/store"
)

// What a Unix machine logs to files: everything under /var/log that is being
// written, but not what was rotated away.
var localGlobs = []string{"/var/log/*.log", "/var/log/*/*.log", "/var/log/syslog", "/var/log/messages", "/var/log/secure", "/var/log/maillog", "/var/log/cron"}

// localLogs returns the globs of this machine's logs of which some file may be
// read, and the listeners with its journal where there are no such files of the
// system itself.
func localLogs(listen []string) (globs, listeners []string) {
	system := false
	for _, g := range localGlobs {
		paths, _ := filepath.Glob(g)
		readable := slices.ContainsFunc(paths, func(path string) bool {
			f, err := os.Open(path)
			if err == nil {
				f.Close()
				system = system || slices.Contains([]string{"syslog", "messages", "secure", "auth.log"}, filepath.Base(path))
			}
			return err == nil
		})
		if readable {
			globs = append(globs, g)
		}
	}
	_, noTool := exec.LookPath("journalctl")
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		journals, _ := filepath.Glob(dir + "/*/*.journal")
		if noTool == nil && !system && slices.ContainsFunc(journals, readableFile) {
			return globs, append(slices.Clone(listen), "journal:")
		}
	}
	return globs, listen
}

func readableFile(path string) bool {
	f, err := os.Open(path)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// welcome says what the server does and how to get at it, in lines that fit a
// terminal.
func (f *serveFlags) welcome(w io.Writer, s *serve.Server) {
	say := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%-10s%s\n", what, export.Terminal(fmt.Sprintf(format, args...)))
	}
	say("Case", "%s", f.caseDir)
	head := "Listens"
	for _, name := range s.Names() {
		switch {
		case strings.HasPrefix(name, "tail:"):
		case name == "journal:":
			say("Follows", "the systemd journal of this machine")
		default:
			say(head, "%s", name)
			head = ""
		}
	}
	globs := f.tail
	if f.defaulted {
		globs, _ = localLogs(nil)
	}
	if f.defaulted && len(globs) > 0 {
		say("Follows", "the logs in /var/log that this user may read")
	} else if len(globs) > 0 {
		head := "Follows"
		for _, g := range globs {
			say(head, "%s", g)
			head = ""
		}
	}
	if f.defaulted && f.unwatched {
		say("", "(this user may read no logs in /var/log, or there are none)")
	}
	pages := s.Pages()
	if len(pages) == 0 {
		return
	}
	say("Page", "%s/", pages[0])
	if u, err := url.Parse(pages[0]); err == nil && s.Access().Empty() {
		switch {
		case u.Scheme == "http" && !f.open:
			say("Login", "none is asked for on this machine until somebody is known:")
		default:
			say("Login", "nobody may log in yet:")
		}
		say("", "sextant access user NAME --role admin --case %s", shellWord(f.caseDir))
	}
	say("Search", "sextant query --case %s 'event.outcome:failure'", shellWord(f.caseDir))
	say("End", "Ctrl-C; what arrived is stored first")
}

// explain names the remedy where a server could not start.
func (f *serveFlags) explain(w io.Writer, err error) error {
	wrong := config.Problems{}
	switch {
	case errors.As(err, &wrong):
		say(w, wrong)
		return usageError{errWrong}
	case errors.Is(err, store.ErrLocked):
		return served(f.caseDir, err)
	}
	return err
}
