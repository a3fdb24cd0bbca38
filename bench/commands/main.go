// Command commands measures what every command that analyses costs on a case of many
// records of which hardly two have anything in common, the worst that logs can do to
// a program that counts values:
//
//	go run ./bench/commands -binary bin/sextant -n 1000000
//	go run ./bench/commands -binary bin/sextant -case month/case
//
// It writes the logs and makes a case of them under -dir, which it keeps where one is
// named and finds again in the next run; with -case it takes any other. For each
// command it prints the CPU time, the wall time, the most memory (resident, at once), and how
// much the command printed.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

var (
	binary  = flag.String("binary", "bin/sextant", "the program to measure")
	n       = flag.Int("n", 1_000_000, "records of the case")
	dir     = flag.String("dir", "", "where logs and case are made, and kept (default: a temporary directory, removed)")
	given   = flag.String("case", "", "measure on this case instead")
	only    = flag.String("only", ".", "regular expression: the commands to measure")
	timeout = flag.Duration("timeout", 30*time.Minute, "end a command that takes longer")
	show    = flag.Bool("show", false, "print the end of what each command says")
)

// A command is the arguments of the program; "-o FILE.svg" is written to a file that is measured.
var commands = []string{
	"patterns",
	"patterns --sort rare --limit 0 -o csv",
	"patterns --new --since 24h",
	"anomalies",
	"anomalies -o jsonl --max-findings-per-day -1",
	"stats",
	"stats --by user.name",
	"stats --by source.ip --bottom 20 -o csv",
	"stats --by host.name --where event.outcome:=failure",
	"stats --by user.name,source.ip",
	"stats --by event.dataset,event.outcome",
	"stats --value source.bytes",
	"stats --value source.bytes --by user.name",
	"stats --compare 7d",
	"stats --compare 7d --by user.name -o jsonl",
	"timeline",
	"timeline --show processes,flows",
	"timeline -o timesketch",
	"timeline -o csv",
	"correlate",
	"correlate --by user.name",
	"entities",
	"entities -o csv",
	"chart bar --by user.name",
	"chart bar --by user.name,source.ip -o FILE.svg",
	"chart bar --by user.name --value source.bytes -o FILE.png",
	"chart histogram --value source.bytes",
	"chart histogram --value event.duration -o FILE.svg",
	"chart line --by source.ip",
	"chart area --by user.name -o FILE.png",
	"chart heatmap",
	"chart heatmap --by user.name,host.name -o FILE.svg",
	"chart calendar -o FILE.svg",
	"chart scatter --value source.bytes --by host.name -o FILE.png",
	"chart scatter --value source.bytes --x destination.bytes -o FILE.svg",
	"chart box --value source.bytes --by user.name -o FILE.svg",
	"chart sankey --by source.ip,user.name,event.outcome -o FILE.svg",
	"chart sankey --by host.name,source.ip,user.name,url.path,event.outcome",
	"chart graph -o FILE.png",
	"triage",
	"triage --of incidents -o csv",
	"mark 1 --verdict undecided --note measured",
	"report -o html",
	"report -o narrative",
	"report -o json",
	"report -o stix",
	"sources",
	"export --format jsonl",
	"export --format csv",
	"export --format timesketch",
	"export --format parquet",
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	work, caseDir := *dir, *given
	if work == "" {
		if work, err = os.MkdirTemp("", "commands-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	}
	nids := filepath.Join(work, "nids.csv")
	if caseDir == "" {
		caseDir = filepath.Join(work, fmt.Sprintf("case-%d", *n))
		if _, err := os.Stat(filepath.Join(caseDir, "report.json")); err != nil {
			logs := filepath.Join(work, fmt.Sprintf("logs-%d", *n))
			if err := writeLogs(logs, *n); err != nil {
				return err
			}
			if err := measure("investigate", []string{"investigate", "--case", caseDir, logs}, ""); err != nil {
				return err
			}
			if err := os.RemoveAll(logs); err != nil {
				return err
			}
		}
	}
	for _, command := range commands {
		if !wanted.MatchString(command) {
			continue
		}
		args := strings.Fields(command)
		file := ""
		if last := args[len(args)-1]; strings.HasPrefix(last, "FILE.") {
			file = filepath.Join(work, strings.ToLower(last))
			args[len(args)-1] = file
		}
		if err := measure(command, append(args, "--case", caseDir), file); err != nil {
			return err
		}
	}
	if *given == "" && wanted.MatchString("logins") {
		if err := writeLogins(nids, *n); err != nil {
			return err
		}
		defer os.Remove(nids)
		if err := measure("logins", []string{"logins", nids}, ""); err != nil {
			return err
		}
		file := filepath.Join(work, "file.svg")
		return measure("chart logins", []string{"chart", "logins", nids, "-o", file}, file)
	}
	return nil
}

// counter counts what is written and keeps the last of it.
type counter struct {
	n    int64
	last []byte
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	c.last = append(c.last, p[max(0, len(p)-1200):]...)
	c.last = c.last[max(0, len(c.last)-1200):]
	return len(p), nil
}

// measure runs the program and prints what it took. The program may say that something was
// found or that a source is damaged (1); it must not fail otherwise.
func measure(name string, args []string, file string) error {
	var out, diagnostics counter
	cmd := exec.Command(*binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	late := false
	go func() {
		select {
		case <-ended:
		case <-time.After(*timeout):
			late = true
			cmd.Process.Kill()
		}
	}()
	err := cmd.Wait()
	close(ended)
	wall := time.Since(began)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	peak := used.Maxrss >> 10 // KiB on Linux (getrusage(2))
	note := ""
	switch code := cmd.ProcessState.ExitCode(); {
	case late:
		note = "  ended: took longer than " + timeout.String()
	case code != 0:
		note = fmt.Sprintf("  exit %d: %s", code, bytes.TrimSpace(diagnostics.last[max(0, len(diagnostics.last)-200):]))
	}
	if file != "" {
		if info, err := os.Stat(file); err == nil {
			out.n = info.Size()
		}
		os.Remove(file)
	}
	fmt.Printf("%-66s %8.1f CPU s %8.1f s %6d MiB %12d bytes%s\n", name, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), wall.Seconds(), peak, out.n, note)
	if *show {
		fmt.Printf("%s\n%s\n", out.last, diagnostics.last)
	}
	return nil
}
