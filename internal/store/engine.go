package store

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
)

// The engine is a library taken from a server: it reads its settings from the
// process's global command line flags and writes its log to standard error.
// This file gives it what it needs, once for the process, and takes its log.

var engineOnce sync.Once

// engineLog is where the engine's log goes: to the store opened last.
var engineLog atomic.Pointer[slog.Logger]

// prepareEngine sets the engine's memory to a share of maxMemory and takes
// over its log. Only the first call's maxMemory counts.
func prepareEngine(maxMemory int64) {
	engineOnce.Do(func() {
		// The engine panics when flags were not parsed. Sextant's own flags are
		// cobra's, so nothing is lost by parsing none; where somebody has parsed
		// them, as go test does, they stay as they are.
		if !flag.Parsed() {
			_ = flag.CommandLine.Parse(nil)
		}
		// The engine exits the process when it is told to use more than there is.
		allowed := maxMemory / 4
		if total := totalMemory(); total > 0 {
			allowed = min(allowed, total/2)
		}
		allowed = max(allowed, 16<<20)
		setFlag("memory.allowedBytes", strconv.FormatInt(allowed, 10))
		setFlag("loggerDisableTimestamps", "true")
		setFlag("loggerMaxArgLen", "500")
		// Mapping files costs one of the system's 65,530 maps for each, and a
		// file cut short under it kills the process; reading is as fast.
		setFlag("fs.disableMmap", "true")
		logger.SetOutputForTests(logWriter{}) // the only way the engine offers
	})
}

// setFlag panics when the engine no longer has the flag: a new version of it
// needs a look at this file.
func setFlag(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(fmt.Sprintf("store: the engine has no flag %s: %s", name, err))
	}
}

// logWriter takes the engine's log lines: level, place and message, separated
// by tabs, one a call.
type logWriter struct{}

func (logWriter) Write(p []byte) (int, error) {
	log := engineLog.Load()
	if log == nil {
		return len(p), nil
	}
	line := bytes.TrimRight(p, "\n")
	level, rest, _ := bytes.Cut(line, []byte("\t"))
	place, message, ok := bytes.Cut(rest, []byte("\t"))
	if !ok {
		place, message = nil, line
	}
	l := slog.LevelDebug
	switch string(level) {
	case "warn":
		l = slog.LevelWarn
	case "error", "fatal", "panic":
		l = slog.LevelError
	}
	log.Log(context.Background(), l, "storage engine: "+string(message), "place", string(place))
	return len(p), nil
}

// recovered turns a panic of the engine into an error. The engine panics on
// I/O errors; where it does so in a goroutine of its own, nobody can help.
func recovered(doing string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: storage engine: %v", doing, p)
	}
}
