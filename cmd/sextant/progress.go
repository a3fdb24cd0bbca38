package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/sextant-logs/sextant/internal/prose"
)

func termIsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// width is the number of columns of the terminal w, 80 for anything else.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
			return n
		}
	}
	return 80
}

// progress draws a line on a terminal: how far the stage is, bytes, events a
// second, and the time left. Elsewhere it is silent.
type progress struct {
	w     io.Writer
	width int

	mu      sync.Mutex
	stage   string
	began   time.Time
	drawn   time.Time
	shown   bool
	enabled bool
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, width: width(w), enabled: isTerminal(w)}
}

// report is pipeline.Options.Progress.
func (p *progress) report(stage string, done, total, events int64) {
	if !p.enabled {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if stage != p.stage {
		p.stage, p.began, p.drawn = stage, now, time.Time{}
	}
	if now.Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = now
	p.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", progressLine(stage, done, total, events, now.Sub(p.began), p.width-1))
}

// say draws a line of text.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", text[:min(len(text), max(p.width-1, 0))])
}

// progressLine is the text of the bar, at most width columns.
func progressLine(stage string, done, total, events int64, spent time.Duration, width int) string {
	seconds := max(spent.Seconds(), 0.001)
	if total <= 0 {
		s := fmt.Sprintf("%-10s %s", stage, prose.Size(done))
		if done == 0 {
			s = stage + " …"
		}
		return s[:min(len(s), max(width, 0))]
	}
	share := min(1, float64(done)/float64(total))
	right := fmt.Sprintf(" %3.0f%% %s of %s", 100*share, prose.Size(done), prose.Size(total))
	if events > 0 {
		right += fmt.Sprintf(", %s events/s", prose.Number(int64(float64(events)/seconds)))
	}
	if share > 0 && spent > time.Second {
		left := time.Duration(float64(spent) * (1 - share) / share).Round(time.Second)
		right += ", " + left.String() + " left"
	}
	left := fmt.Sprintf("%-8s ", stage)
	bar := width - len(left) - len(right) - 2
	if bar < 5 {
		return (left + right)[:min(len(left+right), max(width, 0))]
	}
	full := int(share * float64(bar))
	return left + "[" + strings.Repeat("=", full) + strings.Repeat(" ", bar-full) + "]" + right
}

// clear takes the line away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
