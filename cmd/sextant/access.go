package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/server"
)

var _ = command(newAccess)

func newAccess() *cobra.Command {
	var caseDir string
	c := &cobra.Command{
		Use:   "access",
		Short: "Say who may use a live case: people with passwords, agents with tokens",
		Long: `Say who may use a live case: people with passwords, agents with tokens.

Roles: ingest sends logs and nothing else; viewer searches and looks; analyst judges as
well; admin does everything. A server that others can reach asks everybody who he is; on
this machine it asks only once somebody is known.`,
		Args: cobra.NoArgs,
	}
	open := func() (*server.Access, error) {
		if err := os.MkdirAll(caseDir, 0o755); err != nil {
			return nil, err
		}
		return server.OpenAccess(caseDir)
	}
	list := &cobra.Command{
		Use: "list", Short: "List people and tokens", Example: "  sextant access list --case live", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KIND\tNAME\tROLE\tSINCE")
			a.Each(func(kind, name string, role server.Role, created time.Time) {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", kind, name, role, created.Format(time.DateOnly))
			})
			return w.Flush()
		},
	}
	var role string
	user := &cobra.Command{
		Use: "user NAME", Short: "Let a person in; the password is read from standard input", Args: cobra.ExactArgs(1),
		Example: `  sextant access user alice --case live --role analyst < password.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			if isTerminal(c.ErrOrStderr()) {
				fmt.Fprint(c.ErrOrStderr(), "Password (it is shown as you type): ")
			}
			password, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
			if password = strings.TrimRight(password, "\r\n"); password == "" && err != nil {
				return usagef("no password on standard input")
			}
			if err := a.AddUser(args[0], password, server.Role(role)); err != nil {
				return usageError{err}
			}
			fmt.Fprintf(c.OutOrStdout(), "%s may log in with the role %s\n", args[0], role)
			return nil
		},
	}
	user.Flags().StringVar(&role, "role", string(server.Viewer), "viewer, analyst or admin")
	var tokenRole string
	token := &cobra.Command{
		Use: "token NAME", Short: "Make a token for an agent or a program", Example: "  sextant access token filebeat-web1 --case live", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			secret, err := a.AddToken(args[0], server.Role(tokenRole))
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintln(c.OutOrStdout(), secret)
			fmt.Fprintln(c.ErrOrStderr(), "Keep it: it is not shown again. Agents send it as Authorization: Bearer TOKEN,\nas the password of HTTP Basic, or as an Elasticsearch API key ID:TOKEN.")
			return nil
		},
	}
	token.Flags().StringVar(&tokenRole, "role", string(server.Ingest), "ingest, viewer, analyst or admin")
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Take a person or token out", Example: "  sextant access remove filebeat-web1 --case live", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			return a.Remove(args[0])
		},
	}
	c.PersistentFlags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.AddCommand(list, user, token, remove)
	return c
}
