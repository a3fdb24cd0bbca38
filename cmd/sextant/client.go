package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sextant-logs/sextant/internal/remote"
	"github.com/sextant-logs/sextant/internal/serve"
)

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
