package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/spool"
	"github.com/sextant-logs/sextant/internal/store"
)

// State is serve.json of a case: how programs of the user who runs the server
// reach it. Only that user can read it.
type State struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Listen  []string  `json:"listen"`           // all that listens
	Pages   []string  `json:"pages"`            // HTTP, nearest first
	Token   string    `json:"token"`            // lets in as admin
	SHA256  string    `json:"sha256,omitempty"` // of the certificate of the first of Pages
}

const stateName = "serve.json"

func (s *Server) writeState() error {
	st := State{PID: os.Getpid(), Started: time.Now().UTC(), Listen: s.Names(), Pages: s.Pages(), Token: s.token}
	for _, u := range s.all() {
		if u.http != nil && len(st.Pages) > 0 && u.runner.Name() == st.Pages[0] && u.url.Scheme == "https" {
			if c, err := collect.TLS(u.url); err == nil && collect.Leaf(c) != nil {
				sum := sha256.Sum256(collect.Leaf(c).Raw)
				st.SHA256 = hex.EncodeToString(sum[:])
			}
		}
	}
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.now.Case, stateName)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func removeState(dir string) { _ = os.Remove(filepath.Join(dir, stateName)) }

// ReadState returns how the server of a case is reached, as far as a file says
// so; whether it runs, the case's lock says.
func ReadState(dir string) (st State) {
	data, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil || json.Unmarshal(data, &st) != nil {
		return State{}
	}
	return st
}

// later is the live case for listeners that are made before it is open.
type later struct{ s *Server }

func (l later) Accept(ctx context.Context, ds ...*spool.Delivery) error {
	return l.s.live.Accept(ctx, ds...)
}
func (l later) Settle(request spool.Key)  { l.s.live.Settle(request) }
func (l later) Mark(name string) string   { return l.s.live.Mark(name) }
func (l later) Store() store.Store        { return l.s.live.Store() }
func (l later) Stats() pipeline.LiveStats { return l.s.live.Stats() }
func (l later) Investigation(ctx context.Context) (*report.Investigation, error) {
	return l.s.live.Investigation(ctx)
}
func (l later) Report(ctx context.Context) (*report.Investigation, error) {
	return l.s.live.Report(ctx)
}
func (l later) Patterns() ([]byte, error)     { return l.s.live.Patterns() }
func (l later) Latest() *report.Investigation { return l.s.live.Latest() }
