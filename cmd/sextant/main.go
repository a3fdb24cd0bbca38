// Command sextant acquires, processes and analyses security logs, and answers
// from them what happened, when, where, who did it, whether it succeeded, and
// what the impact was.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
)

// version is set by the build (-ldflags -X main.version=…).
var version = "dev"

// Exit codes, part of the output contract.
const (
	exitSource = 1 // a source could not be read, or the work failed
	exitUsage  = 2 // wrong usage
	exitSignal = 130
)

// errSources ends a run that did its work but could not read every source;
// what was wrong has been said already.
var errSources = errors.New("not every source could be read")

func main() {
	limitMemory()
	os.Exit(run(os.Args[1:]))
}

// limitMemory has the garbage collector work harder before the heap grows past
// SEXTANT_MEMORY mebibytes, 640 by default. GOMEMLIMIT, if set, decides instead.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cmp.Or(envInt("SEXTANT_MEMORY"), 640)) << 20)
	}
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSources):
		return exitSource
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, "sextant:", oneLine(err))
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "sextant: interrupted;", oneLine(err))
		return exitSignal
	}
	fmt.Fprintln(os.Stderr, "sextant:", oneLine(err))
	return exitSource
}

// usageError is what the person typed wrong.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// oneLine shows an error, which may quote hostile text, safely.
func oneLine(err error) string { return export.Terminal(strings.TrimSpace(err.Error())) }

// commands are those of the command line; a file of this package that brings
// one registers it.
var commands []func() *cobra.Command

func command(c func() *cobra.Command) bool {
	commands = append(commands, c)
	return true
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sextant",
		Short: "Investigate logs: what happened, when, where, who, did it succeed, what was the impact",
		Long: `Sextant reads logs of any kind, finds what matters in them, and answers the six
questions of an investigation. Every answer names the records that prove it.`,
		Example: `  sextant investigate /var/log            # the main job: a case with a report
  sextant query --case case 'event.outcome:failure | top 10 by (user.name)'
  sextant parse access.log                # decode only: one ECS document a line
  sextant detect --rules sigma/ logs/     # Sigma rules only`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("sextant {{.Version}}\n")
	fitHelp(root)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see `%s --help`", err, c.CommandPath())
	})
	for _, c := range commands {
		root.AddCommand(c())
	}
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes wrong arguments usage errors.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usagef("%w; see `%s --help`", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

var _ = command(newVersion)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), "sextant", version) },
	}
}
