package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// TestHelpOfEveryCommandFitsEightyColumns looks at every line but those of examples, which are
// there to be copied, and paths of an API; and wants examples.
func TestHelpOfEveryCommandFitsEightyColumns(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		var out strings.Builder
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		example := false
		for _, l := range strings.Split(out.String(), "\n") {
			example = l == "Examples:" || example && l != ""
			if !example && utf8.RuneCountInString(l) > 80 && strings.Contains(strings.TrimSpace(l), " ") {
				t.Errorf("%s: %q", c.CommandPath(), l)
			}
		}
		if c.Runnable() && c.Example == "" && !c.HasAvailableSubCommands() && c.Name() != "version" && c.Name() != "formats" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}
