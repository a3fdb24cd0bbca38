package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/alert"
)

var _ = command(newAlert)

func newAlert() *cobra.Command {
	var kinds strings.Builder
	alert.Kinds(func(name, title string) { fmt.Fprintf(&kinds, "  %-14s %s\n", name, title) })
	c := &cobra.Command{
		Use:   "alert",
		Short: "Try the places that a live case tells of findings",
		Long:  "Try the places that a live case tells of findings (`sextant serve --alert URL`):\n\n" + strings.TrimRight(kinds.String(), "\n"),
		Args:  cobra.NoArgs,
	}
	test := &cobra.Command{
		Use: "test URL…", Short: "Send a message that says it is a test", Args: cobra.MinimumNArgs(1),
		Example: "  sextant alert test 'slack+https://hooks.example.com/services/T0/B0/x'\n  sextant alert test 'smtp+tls://me:secret@mail.example.com:587?from=sextant@example.com&to=soc@example.com'",
		RunE: func(c *cobra.Command, args []string) error {
			for _, u := range args {
				if err := alert.Test(c.Context(), u); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), "delivered")
			}
			return nil
		},
	}
	c.AddCommand(test)
	return c
}
