package main

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/rulepack"
	"github.com/sextant-logs/sextant/sigma"
)

// readFlags are the flags of every command that reads logs.
type readFlags struct {
	format  string
	zone    string
	year    int
	threads int
	geoip   []string
	recover bool
	formats []string
}

func (f *readFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", "", "take every source for this `format`, one that sextant formats lists")
	c.Flags().StringSliceVar(&f.formats, "formats", nil, "directories with formats of your own in YAML, besides "+userFormatsPath())
	c.Flags().StringVar(&f.zone, "tz", "", "zone of times that name none: a name such as Europe/Berlin, or +02:00 (default UTC)")
	c.Flags().IntVar(&f.year, "year", 0, "year of the first time in logs that write no year (default: inferred from order and file times)")
	c.Flags().BoolVar(&f.recover, "recover", false, "also take records from unused and damaged parts of Windows event logs")
	c.Flags().StringSliceVar(&f.geoip, "geoip", nil, "databases in MaxMind's format (.mmdb) that say where addresses are and whose")
	c.Flags().IntVar(&f.threads, "threads", envInt("SEXTANT_THREADS"), "decode with so many threads (default: one for each core)")
}

func (f *readFlags) options(paths []string) (pipeline.Options, error) {
	opt := pipeline.Options{Paths: paths, Format: f.format, Year: f.year, Threads: f.threads, Recover: f.recover}
	if err := useFormats(f.formats); err != nil {
		return opt, err
	}
	zone, err := parseZone(f.zone)
	if err != nil {
		return opt, err
	}
	opt.Zone = zone
	if len(f.geoip) > 0 {
		if opt.Geo, err = enrich.OpenGeo(f.geoip); err != nil { // open until the program ends
			return opt, usageError{err}
		}
	}
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
	dirs             []string
	noBuiltin        bool
	minLevel         string
	include, exclude []string
	tags, status     []string
	tuning           string
	placeholders     string
	since, until     string
}

func (f *ruleFlags) register(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.dirs, "rules", nil, "Sigma rule files or directories, besides the rules built in")
	c.Flags().BoolVar(&f.noBuiltin, "no-builtin", false, "leave out the rules built in")
	c.Flags().StringVar(&f.minLevel, "min-level", "", "leave out rules below this level: informational, low, medium, high, critical")
	c.Flags().StringSliceVar(&f.include, "include", nil, "only rules with this id, name, status, tag (t1110, credential-access), or part of the title or file")
	c.Flags().StringSliceVar(&f.exclude, "exclude", nil, "leave out rules named likewise")
	c.Flags().StringSliceVar(&f.tags, "tag", nil, "only rules with one of these tags: t1110 (with its sub-techniques), credential-access, cve.2021-44228")
	c.Flags().StringSliceVar(&f.status, "status", nil, "only rules of these statuses: stable, test, experimental, deprecated, unsupported")
	c.Flags().StringVar(&f.tuning, "tuning", "", "file that silences, raises or lowers rules, for a host, user or address, until a day")
	registerPlaceholders(c, &f.placeholders)
	c.Flags().StringVar(&f.since, "since", "", "match only events from this time on: 2026-03-01 or 2026-03-01T12:00:00Z")
	c.Flags().StringVar(&f.until, "until", "", "match only events up to this time")
}

func registerPlaceholders(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "placeholders", "", "YAML file with the values of %name% in rules that use expand: {admins: [alice, root]}")
}

// readPlaceholders reads the file that --placeholders names; nil for none.
func readPlaceholders(file string) (map[string][]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--placeholders: %w", err)
	}
	values, err := sigma.ParsePlaceholders(file, data)
	if err != nil {
		return nil, usageError{err}
	}
	return values, nil
}

// options checks the flags and reads what they name.
func (f *ruleFlags) options() (detect.Options, error) {
	opt := detect.Options{Paths: f.dirs, Include: f.include, Exclude: f.exclude, Tags: f.tags, Status: f.status}
	if !f.noBuiltin {
		opt.Embedded = rulepack.Rules
	}
	for _, dir := range f.dirs {
		if _, err := os.Stat(dir); err != nil {
			return opt, usagef("--rules: %w", err)
		}
	}
	var err error
	if opt.MinLevel, err = sigma.ParseLevel(f.minLevel); err != nil {
		return opt, usagef("--min-level: %w", err)
	}
	for _, s := range f.status {
		if err := oneOf("--status", strings.ToLower(s), "stable", "test", "experimental", "deprecated", "unsupported"); err != nil {
			return opt, err
		}
	}
	if f.tuning != "" {
		if opt.Tuning, err = detect.ReadTuning(f.tuning, time.Now()); err != nil {
			return opt, usageError{err}
		}
	}
	if opt.Placeholders, err = readPlaceholders(f.placeholders); err != nil {
		return opt, err
	}
	if opt.Since, err = parseTime("--since", f.since); err != nil {
		return opt, err
	}
	opt.Until, err = parseTime("--until", f.until)
	return opt, err
}

// parseTime reads a day or a time as nanoseconds since the epoch; 0 for none.
func parseTime(flag, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixNano(), nil
		}
	}
	return 0, usagef("%s %q is no time; want 2026-03-01 or 2026-03-01T12:00:00Z", flag, s)
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

// asciiLocale reports whether the person says that their terminal knows no
// Unicode: of the variables of POSIX the first that is set names no UTF-8.
func asciiLocale() bool {
	name := strings.ToLower(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	return name != "" && !strings.Contains(name, "utf-8") && !strings.Contains(name, "utf8")
}
