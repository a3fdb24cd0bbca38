package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/plot"
)

var _ = command(newChart)

func newChart() *cobra.Command {
	c := &cobra.Command{
		Use:   "chart",
		Short: "Draw a chart: terminal, SVG or PNG",
		Long: `Draw a chart of the records of a case, or of logs under a PATH. The kind of picture
follows from the name of the output file: .png, .svg; without one it is drawn in the
terminal.`,
		Example: `  sextant chart line --case case --by event.dataset
  sextant chart area --case case --where 'event.outcome:failure' --by source.ip -o failures.svg
  sextant chart heatmap auth.log
  sextant chart sankey --case case --by source.ip,user.name,event.outcome -o logins.svg --theme auto`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newChartLogins())
	for _, k := range plot.Kinds {
		c.AddCommand(newChartOf(k))
	}
	return c
}

// pictureFlags say where a figure goes and how it looks.
type pictureFlags struct {
	output, kind, theme  string
	scale, width, height int
}

func (f *pictureFlags) register(c *cobra.Command) {
	c.Flags().StringVarP(&f.output, "output", "o", "-", "file to write; - is standard output")
	c.Flags().StringVar(&f.kind, "type", "", "terminal, svg or png (default: from the file's name)")
	c.Flags().StringVar(&f.theme, "theme", "light", "light, dark, or for SVG auto")
	c.Flags().IntVar(&f.scale, "scale", 2, "PNG: pixels of the file for each of the drawing, 1 to 4")
	c.Flags().IntVar(&f.width, "width", 0, "width of the drawing in pixels, or of a terminal's in columns (default 900, or the terminal's)")
	c.Flags().IntVar(&f.height, "height", 0, "height of the drawing in pixels (default: as it needs)")
}

// check completes the flags.
func (f *pictureFlags) check(c *cobra.Command) error {
	if f.kind == "" {
		switch lower := strings.ToLower(f.output); {
		case f.output == "-":
			f.kind = "terminal"
		case strings.HasSuffix(lower, ".png"):
			f.kind = "png"
		case strings.HasSuffix(lower, ".svg"):
			f.kind = "svg"
		case strings.HasSuffix(lower, ".txt"):
			f.kind = "terminal"
		default:
			return usagef("-o %q: want a name that ends in .png, .svg or .txt, or say --type", f.output)
		}
	}
	if err := oneOf("--type", f.kind, "terminal", "svg", "png"); err != nil {
		return err
	}
	if err := oneOf("--theme", f.theme, "light", "dark", "auto"); err != nil {
		return err
	}
	if f.scale < 1 || f.scale > 4 {
		return usagef("--scale %d: want 1 to 4", f.scale)
	}
	if f.width < 0 || f.height < 0 {
		return usagef("--width and --height: want a number of pixels")
	}
	if f.kind == "png" && f.output == "-" && isTerminal(c.OutOrStdout()) {
		return usagef("a PNG is no text: give a file with -o")
	}
	return nil
}

func (f *pictureFlags) write(c *cobra.Command, fig chart.Figure) error {
	opt := chart.Options{Scale: f.scale, Width: f.width, Height: f.height, Theme: map[string]chart.Theme{"light": chart.Light, "dark": chart.Dark, "auto": chart.Auto}[f.theme]}
	return writeFile(c, f.output, func(w io.Writer) error {
		switch f.kind {
		case "png":
			return chart.PNG(w, fig, opt)
		case "svg":
			return chart.SVG(w, fig, opt)
		}
		opt.Columns = min(width(c.OutOrStdout()), 160)
		if f.width > 0 {
			opt.Columns = f.width
		}
		opt.Colour = f.output == "-" && useColour(c.OutOrStdout())
		opt.ASCII = f.output == "-" && asciiLocale()
		return chart.Terminal(w, fig, opt)
	})
}

func newChartLogins() *cobra.Command {
	var picture pictureFlags
	var top int
	var flags loginFlags
	c := &cobra.Command{
		Use:   "logins FILE…",
		Short: "The top users by login attempts beside a histogram of attempts per user",
		Long: `Draw two panels side by side, a bar chart of the users with the most login attempts
and a histogram of attempts per user, with the interpretation of the numbers under them. The
kind of picture follows from the name of the output file: .png, .svg; without one the
figure is drawn in the terminal.`,
		Example: `  sextant chart logins network_logs.csv
  sextant chart logins network_logs.csv -o logins.png
  sextant chart logins network_logs.csv --top 20 --theme dark -o logins.svg`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := picture.check(c); err != nil {
				return err
			}
			if top < 1 {
				return usagef("--top %d: want 1 or more", top)
			}
			res, err := flags.read(c, args, top)
			if err != nil {
				return err
			}
			return picture.write(c, res.Figure(top))
		},
	}
	c.Flags().IntVar(&top, "top", 10, "users in the bar chart")
	picture.register(c)
	flags.register(c)
	return c
}

func newChartOf(k plot.Kind) *cobra.Command {
	var events eventFlags
	var picture pictureFlags
	var title string
	r := plot.Request{Kind: k.Name}
	c := &cobra.Command{
		Use:     k.Name + " [PATH…]",
		Short:   k.Short,
		Long:    strings.TrimSpace(k.Short + ".\n" + k.Long),
		Example: "  sextant chart " + k.Name + " --case case " + k.Example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := picture.check(c); err != nil {
				return err
			}
			if err := r.Check(); err != nil {
				return usagef("%s", err)
			}
			var err error
			if r.Query, err = events.query(); err != nil {
				return err
			}
			st, done, err := events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			panel, err := plot.Draw(c.Context(), st, r)
			if err != nil {
				return err
			}
			return picture.write(c, chart.Figure{Title: title, Subtitle: events.scope(), Panels: []chart.Chart{panel}})
		},
	}
	if k.Most > 0 {
		c.Flags().StringSliceVar(&r.By, "by", k.Defaults, "the field, or fields, whose values are told apart")
		if k.Top > 0 {
			c.Flags().IntVarP(&r.Top, "top", "n", k.Top, "tell so many values apart; the rest are one")
		}
	}
	if k.Value {
		c.Flags().StringVar(&r.Value, "value", "", "field with numbers")
		c.Flags().StringVar(&r.Unit, "unit", "", "what the numbers are: B for bytes, ms, s … (default: B where the field's name says bytes)")
	}
	if k.X {
		c.Flags().StringVar(&r.X, "x", "_time", "field for the horizontal axis")
	}
	if k.Step {
		c.Flags().DurationVar(&r.Step, "step", 0, "length of a step of time, from 1s (default: about 200 steps)")
	}
	c.Flags().StringVar(&title, "title", "", "title of the picture")
	picture.register(c)
	events.register(c)
	return c
}

// scope says in the picture which records it shows.
func (f *eventFlags) scope() string {
	var parts []string
	if f.where != "" {
		parts = append(parts, f.where)
	}
	for _, p := range [][2]string{{"host ", f.host}, {"user ", f.user}, {"from ", f.from}, {"before ", f.to}} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1])
		}
	}
	return strings.Join(parts, ", ")
}
