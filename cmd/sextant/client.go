package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/remote"
	"github.com/sextant-logs/sextant/internal/serve"
	"github.com/sextant-logs/sextant/internal/store"
)

// serverFlags are those of commands that can ask a server instead of a case
// directory.
type serverFlags struct{ url, token, ca string }

func (f *serverFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "server", "", "ask the `sextant serve` at this URL instead of a case directory (default SEXTANT_SERVER)")
	c.Flags().StringVar(&f.token, "token", "", "who we are to the server (default SEXTANT_TOKEN)")
	c.Flags().StringVar(&f.ca, "ca", "", "PEM file with the authorities of the server's certificate (default: the system's)")
}

// open opens what is to be asked: the server that was named, the case in dir,
// or the server that has that case.
func (f *serverFlags) open(ctx context.Context, dir string) (store.Store, error) {
	token := cmp.Or(f.token, os.Getenv("SEXTANT_TOKEN"))
	if url := cmp.Or(f.url, os.Getenv("SEXTANT_SERVER")); url != "" {
		c, err := remote.New(url, token, remote.Options{CA: f.ca})
		if err != nil {
			return nil, usagef("--server: %w", err)
		}
		return c, nil
	}
	st, err := openCase(dir)
	if err == nil {
		return st, nil
	}
	if s := serve.ReadState(dir); errors.Is(err, store.ErrLocked) && len(s.Pages) > 0 {
		return remote.New(s.Pages[0], cmp.Or(token, s.Token), remote.Options{Pin: s.SHA256})
	}
	return nil, err
}

// served names the remedy where a case is not to be had because a server has it.
func served(dir string, err error) error {
	if err == nil || !errors.Is(err, store.ErrLocked) {
		return err
	}
	if s := serve.ReadState(dir); len(s.Pages) > 0 {
		return fmt.Errorf("%w; it is `sextant serve`: see %s/, or ask it with --server %s --token TOKEN", err, s.Pages[0], s.Pages[0])
	}
	return fmt.Errorf("%w; if it is `sextant serve`, ask it with `sextant query --server URL --token TOKEN`", err)
}

// dirOf is the directory of a store that has one, else of the case it is.
func dirOf(st store.Store, dir string) string {
	if w, ok := st.(*watched); ok {
		st = w.Store
	}
	if e, ok := st.(interface{ Dir() string }); ok {
		return e.Dir()
	}
	return dir
}

// askReload has the server of a case read its configuration again.
func askReload(ctx context.Context, w io.Writer, dir string) error {
	st := serve.ReadState(dir)
	if len(st.Pages) == 0 {
		return fmt.Errorf("no server of the case %s with an HTTP listener is running, or it is another user's", dir)
	}
	c, err := remote.New(st.Pages[0], st.Token, remote.Options{Pin: st.SHA256})
	if err != nil {
		return err
	}
	said, err := c.Do(ctx, http.MethodPost, "/api/reload", nil)
	if err != nil {
		return err
	}
	defer said.Close()
	text, err := io.ReadAll(io.LimitReader(said, 1<<20))
	fmt.Fprintln(w, "changed:", strings.TrimSpace(string(text)))
	return err
}
