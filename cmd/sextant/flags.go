package main

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/sigma"
)

// readFlags are the flags of every command that reads logs.
type readFlags struct {
	format  string
	zone    string
	year    int
	threads int
}

func (f *readFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", "", "take every source for this format (see `sextant formats`)")
	c.Flags().StringVar(&f.zone, "tz", "", "zone of times that name none: a name such as Europe/Berlin, or +02:00 (default UTC)")
	c.Flags().IntVar(&f.year, "year", 0, "year of the first time in logs that write no year (default: inferred from order and file times)")
	c.Flags().IntVar(&f.threads, "threads", envInt("SEXTANT_THREADS"), "decode with so many threads (default: one for each core)")
}

func (f *readFlags) options(paths []string) (pipeline.Options, error) {
	opt := pipeline.Options{Paths: paths, Format: f.format, Year: f.year, Threads: f.threads}
	zone, err := parseZone(f.zone)
	if err != nil {
		return opt, err
	}
	opt.Zone = zone
	if f.year != 0 && (f.year < 1970 || f.year > 2200) {
		return opt, usagef("--year %d: want a year between 1970 and 2200", f.year)
	}
	if f.threads < 0 {
		return opt, usagef("--threads %d: want a number from 1", f.threads)
	}
	return opt, nil
}

// parseZone reads a zone name or an offset; nil for none.
func parseZone(s string) (*time.Location, error) {
	if s == "" {
		return nil, nil
	}
	if t, err := time.Parse("-07:00", s); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	zone, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		return nil, usagef("--tz %q is no time zone; want a name such as Europe/Berlin, or an offset such as +02:00", s)
	}
	return zone, nil
}

// ruleFlags are the flags of every command that runs rules.
type ruleFlags struct {
	dirs      []string
	noBuiltin bool
	minLevel  string
}

func (f *ruleFlags) register(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.dirs, "rules", nil, "Sigma rule files or directories, besides the rules built in")
	c.Flags().BoolVar(&f.noBuiltin, "no-builtin", false, "leave out the rules built in")
	c.Flags().StringVar(&f.minLevel, "min-level", "", "leave out rules below this level: informational, low, medium, high, critical")
}

func (f *ruleFlags) level() (sigma.Level, error) {
	l, err := sigma.ParseLevel(f.minLevel)
	if err != nil {
		return l, usageError{err}
	}
	return l, nil
}

// oneOf checks the value of an -o flag.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usagef("%s %q: want %s", flag, value, strings.Join(allowed, ", "))
}

func envInt(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// buffered is stdout with a buffer; flush it before leaving.
func buffered(c *cobra.Command) *bufio.Writer { return bufio.NewWriterSize(c.OutOrStdout(), 256<<10) }

// isTerminal reports whether w is a terminal that understands colour and
// cursor movements.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && termIsTerminal(f) && os.Getenv("TERM") != "dumb"
}

// useColour follows https://no-color.org.
func useColour(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }
