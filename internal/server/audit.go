package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// audit is the log of who searched and changed what: audit.jsonl of the case.
type audit struct {
	mu   sync.Mutex
	file *os.File
	log  *slog.Logger
}

func openAudit(dir string, log *slog.Logger) (*audit, error) {
	f, err := os.OpenFile(filepath.Join(dir, "audit.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &audit{file: f, log: log}, nil
}

// write notes what somebody did, in ECS.
func (a *audit) write(r *http.Request, by who, action, what string) {
	if len(what) > 4096 {
		what = what[:4096]
	}
	line, err := json.Marshal(map[string]any{
		"@timestamp": time.Now().UTC().Format(time.RFC3339Nano), "event.action": action, "user.name": by.Name, "user.roles": by.Role,
		"source.ip": remoteHost(r), "url.path": r.URL.Path, "message": what,
	})
	if err == nil {
		a.mu.Lock()
		_, err = a.file.Write(append(line, '\n'))
		a.mu.Unlock()
	}
	if err != nil {
		a.log.Error("cannot write the audit log", "error", err)
	}
}

func (a *audit) close() error { return a.file.Close() }
