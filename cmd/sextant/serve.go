package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sextant-logs/sextant/internal/alert"
	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/config"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/serve"
)

var _ = command(newServe)

// Where serve listens when it is not told.
var defaultListeners = []string{"syslog+udp://127.0.0.1:5514", "syslog+tcp://127.0.0.1:5514", "http://127.0.0.1:8514"}

func newServe() *cobra.Command {
	var f serveFlags
	var check, printConfig, printSchema, reload bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Collect logs live, match the rules as they arrive, and answer queries",
		Long: `Collect logs live, match the rules as they arrive, and answer queries.

Without --listen and --tail it listens on this machine only, syslog on port 5514 (UDP and
TCP) and HTTP on port 8514, and follows the logs of this machine as far as it may read
them. What arrives is on disk before its sender is told so; a server that was killed goes
on where it was.

Every flag is also a key of the file that --config names, and a variable: --alert-level is
alert-level there, and SEXTANT_ALERT_LEVEL. The command line comes before the environment,
that before the file. SIGHUP, or POST /api/reload, has a running server read the file again.

Protocols, as URLs for --listen:
` + protocols() + `
Paths under an http:// or https:// listener:
` + paths(),
		Example: `  sextant serve                                # this machine only
  sextant serve --case live --listen syslog+tcp://127.0.0.1:6514 --listen http://127.0.0.1:8514 --tail '/var/log/*.log'
  sextant serve --case live --listen 'syslog+tls://0.0.0.0:6514?cert=cert.pem&key=key.pem&client-ca=ca.pem'
  sextant serve --print-config > live.yaml     # every setting, with comments
  sextant serve --config live.yaml --check     # all that is wrong with it, at once
  sextant serve --config live.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			if printSchema {
				schema, err := config.Schema(c.Flags(), "Configuration of sextant serve")
				if err == nil {
					_, err = out.Write(schema)
				}
				return err
			}
			// What the command line says is kept: a reload begins with it.
			given := f.given(c.Flags())
			set, problems := f.load(c.Flags(), f.config)
			if printConfig {
				say(c.ErrOrStderr(), problems)
				if err := config.Join(problems); err != nil {
					return usageError{errWrong}
				}
				_, err := out.Write(config.YAML(c.Flags(), configHead))
				return err
			}
			log := f.logger(c.ErrOrStderr())
			o := serve.Options{Settings: set, Log: log, Version: version}
			if check {
				return checked(out, append(problems, serve.Check(o)...))
			}
			if err := config.Join(problems); err != nil {
				say(c.ErrOrStderr(), problems)
				return usageError{errWrong}
			}
			if reload {
				return askReload(c.Context(), out, set.Case)
			}
			if f.memory > 0 {
				debug.SetMemoryLimit(int64(f.memory) << 20)
			}
			if err := useFormats(f.formats); err != nil {
				return err
			}
			o.Reload = func() (serve.Settings, []config.Problem) {
				var again serveFlags
				flags := again.flags()
				for _, g := range given {
					g(flags)
				}
				return again.load(flags, f.config)
			}
			hangup := make(chan os.Signal, 1)
			if signals := hangupSignals(); len(signals) > 0 {
				signal.Notify(hangup, signals...)
				defer signal.Stop(hangup)
			}
			o.Hangup = hangup
			o.Ready = func(s *serve.Server) {
				f.welcome(c.ErrOrStderr(), s)
				fmt.Fprintln(c.ErrOrStderr(), "ready")
			}
			return f.explain(c.ErrOrStderr(), serve.Run(c.Context(), o))
		},
	}
	f.register(c)
	c.Flags().StringVar(&f.config, "config", os.Getenv(config.Variable("config")), "take settings from this YAML file")
	c.Flags().BoolVar(&check, "check", false, "say everything that is wrong with the settings, and end")
	c.Flags().BoolVar(&printConfig, "print-config", false, "print a configuration file with every setting as it is now, and end")
	c.Flags().BoolVar(&printSchema, "print-schema", false, "print the JSON Schema of the configuration file, and end")
	c.Flags().BoolVar(&reload, "reload", false, "have the server that has the case read its configuration again, and end")
	config.NotSetting(c.Flags(), "config", "check", "print-config", "print-schema", "reload")
	return c
}

const configHead = `Configuration of sextant serve. Keys are the names of its flags.
${NAME} is the value of an environment variable, ${NAME:-default} has a default,
$$ is a dollar sign. Elements of listen, alert and forward may
also be mappings:
  listen:
    - url: syslog+tls://0.0.0.0:6514
      cert: /etc/sextant/cert.pem
      key: /etc/sextant/key.pem
      client-ca: /etc/sextant/ca.pem
  alert:
    - url: smtp+tls://mail.example.com:587
      user: sextant
      password: ${SMTP_PASSWORD}
      from: sextant@example.com
      to: [soc@example.com]
`

// serveFlags are the settings of serve.
type serveFlags struct {
	config               string
	caseDir, zone        string
	listen, tail         []string
	forward              []string
	formats, geoip       []string
	alerts               alert.Options
	open                 bool
	threads, memory      int
	window, history      time.Duration
	logFormat, logLevel  string
	rules                ruleFlags
	defaulted, unwatched bool // nothing was said of where logs come from; of files none can be read
}

func (f *serveFlags) register(c *cobra.Command) {
	c.Flags().StringVarP(&f.caseDir, "case", "c", "case", "case directory; made if it does not exist")
	c.Flags().StringArrayVar(&f.listen, "listen", nil, "where to listen, as a URL; may be given several times (default: "+strings.Join(defaultListeners, ", ")+")")
	c.Flags().StringArrayVar(&f.tail, "tail", nil, "follow the files that match this pattern; may be given several times")
	c.Flags().StringArrayVar(&f.alerts.URLs, "alert", nil, "tell of new findings there; may be given several times (see `sextant alert --help`)")
	c.Flags().StringArrayVar(&f.forward, "forward", nil, "send what arrives on to Logstash or Elasticsearch; may be given several times (see sextant forward --help)")
	c.Flags().StringVar(&f.alerts.Level, "alert-level", "high", "tell of findings from this level on")
	c.Flags().StringSliceVar(&f.alerts.On, "alert-on", []string{alert.OnFindings, alert.OnIncidents, alert.OnSources}, "what to tell of: findings, incidents, sources that have fallen silent")
	c.Flags().DurationVar(&f.alerts.Group, "alert-group", 30*time.Second, "gather findings for so long before telling of them")
	c.Flags().IntVar(&f.alerts.PerHour, "alerts-per-hour", 60, "at most so many messages to one place; what is beyond goes as one")
	c.Flags().StringSliceVar(&f.formats, "formats", nil, "directories with formats of your own in YAML, besides "+userFormatsPath())
	c.Flags().StringSliceVar(&f.geoip, "geoip", nil, "databases in MaxMind's format (.mmdb) that say where addresses are and whose")
	c.Flags().StringVar(&f.zone, "tz", "", "zone of times that name none (default UTC)")
	c.Flags().IntVar(&f.threads, "threads", envInt("SEXTANT_THREADS"), "decode with so many threads (default: one for each core)")
	c.Flags().IntVar(&f.memory, "memory", 0, "work harder to stay under so many mebibytes (default 640)")
	c.Flags().DurationVar(&f.window, "window", 24*time.Hour, "how far back findings and incidents look")
	c.Flags().DurationVar(&f.history, "history", 14*24*time.Hour, "how far back the analysis techniques look to know what is usual; 0 for no techniques")
	c.Flags().BoolVar(&f.open, "let-anyone-connect", false, "allow listeners that other machines reach without TLS or without saying who they are")
	c.Flags().StringVar(&f.logFormat, "log-format", "text", "of what the server says of itself on standard error: text or json")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "how much of that: debug, info, warn, error")
	f.rules.register(c)
	config.URLs(c.Flags(), "listen", "alert", "forward")
}

// flags are those of another reading of the settings.
func (f *serveFlags) flags() *pflag.FlagSet {
	c := &cobra.Command{}
	f.register(c)
	return c.Flags()
}

// given is what the command line says, to be said to other flags.
func (f *serveFlags) given(fs *pflag.FlagSet) (again []func(*pflag.FlagSet)) {
	fs.Visit(func(flag *pflag.Flag) {
		name, one := flag.Name, flag.Value.String()
		list, isList := flag.Value.(pflag.SliceValue)
		var many []string
		if isList {
			many = append(many, list.GetSlice()...)
		}
		again = append(again, func(to *pflag.FlagSet) {
			flag := to.Lookup(name)
			if flag == nil {
				return // of this call alone
			}
			flag.Changed = true
			if isList {
				_ = flag.Value.(pflag.SliceValue).Replace(many)
			} else {
				_ = flag.Value.Set(one)
			}
		})
	})
	return again
}

// load completes the flags from environment and file, and says all that is
// wrong with them by themselves.
func (f *serveFlags) load(fs *pflag.FlagSet, file string) (serve.Settings, []config.Problem) {
	origin, problems := config.Load(fs, file, os.LookupEnv)
	wrong := func(err error) {
		if err != nil {
			problems = append(problems, place(err, origin))
		}
	}
	set := serve.Settings{Case: f.caseDir, Listen: f.listen, Tail: f.tail, Open: f.open, Alerts: f.alerts, Forward: f.forward, Geo: f.geoip, Threads: f.threads, Window: f.window, History: f.history, Origin: origin,
		Fixed: fmt.Sprint(f.formats, f.memory, f.logFormat, f.logLevel)}
	var err error
	set.Rules, err = f.rules.options()
	wrong(err)
	for _, file := range []string{f.rules.tuning, f.rules.placeholders} {
		if file != "" {
			set.RuleFiles = append(set.RuleFiles, file)
		}
	}
	set.Zone, err = parseZone(f.zone)
	wrong(err)
	wrong(oneOf("--log-format", f.logFormat, "text", "json"))
	wrong(oneOf("--log-level", f.logLevel, "debug", "info", "warn", "error"))
	if f.threads < 0 {
		wrong(usagef("--threads %d: want a number from 1", f.threads))
	}
	if f.window < time.Minute {
		wrong(usagef("--window %s: want a minute or more", f.window))
	}
	if f.history < 0 {
		wrong(usagef("--history %s: want 0 or more", f.history))
	}
	if f.history == 0 {
		set.History = -1
	}
	if f.alerts.Group <= 0 || f.alerts.PerHour <= 0 {
		wrong(usagef("--alert-group, --alerts-per-hour: want more than nothing"))
	}
	if f.memory < 0 || f.memory > 0 && f.memory < 64 {
		wrong(usagef("--memory %d: want 64 or more", f.memory))
	}
	if len(set.Listen) == 0 {
		f.defaulted = len(set.Tail) == 0
		set.Listen = defaultListeners
	}
	if f.defaulted {
		set.Tail, set.Listen = localLogs(set.Listen)
		f.unwatched = len(set.Tail) == 0
	}
	return set, problems
}

var flagInMessage = regexp.MustCompile(`^--([a-z-]+):? `)

// place says where a setting stands that an error is about.
func place(err error, o *config.Origin) config.Problem {
	text := err.Error()
	if m := flagInMessage.FindStringSubmatch(text); m != nil {
		return config.Problem{Where: o.Of(m[1], -1), What: text[len(m[0]):]}
	}
	return config.Problem{What: text}
}

// errWrong ends a run whose settings are wrong, as has been said.
var errWrong = fmt.Errorf("nothing was started; `sextant serve --help` explains the settings")

func say(w io.Writer, problems []config.Problem) {
	for _, p := range problems {
		text := p.String()
		if p.Warning {
			text = "warning: " + text
		}
		fmt.Fprintln(w, export.Terminal(text))
	}
}

// checked prints what --check found.
func checked(w io.Writer, problems []config.Problem) error {
	say(w, problems)
	wrong := int64(0)
	for _, p := range problems {
		if !p.Warning {
			wrong++
		}
	}
	if wrong > 0 {
		return usageError{fmt.Errorf("%s", prose.Count(wrong, "problem"))}
	}
	fmt.Fprintln(w, "ok")
	return nil
}

// logger is the server's own log.
func (f *serveFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.logLevel)) // checked before
	o := &slog.HandlerOptions{Level: level}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.String(a.Key, a.Value.Time().UTC().Format(time.RFC3339))
		}
		return a
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func protocols() string {
	var b strings.Builder
	collect.Schemes(func(name, title string) { fmt.Fprintf(&b, "  %-12s %s\n", name, title) })
	return b.String()
}

func paths() string {
	var b strings.Builder
	for _, e := range collect.Endpoints() {
		fmt.Fprintf(&b, "  %-22s %s\n", e.Pattern, e.Title)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
