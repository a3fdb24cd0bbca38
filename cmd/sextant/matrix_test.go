package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/sextant-logs/sextant/internal/chart"
)

// hostile are texts that ask a program which shows or asks for them to do something else.
var hostile = []string{
	"\x1b[31mred\x1b]0;title\x07", "nul\x00byte", "\u202egnp.exe\u2066", "\u0085next\u2028line", "<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "]]></style><svg onload=alert(1)>",
	"=cmd|' /C calc'!A0", "+1+cmd()", "-2+3+cmd()", "@SUM(A1)", "\t=tab()", "\r\n=line()", "a,b\"c;d", `* | delete`, `") or user.name:*`, `in(*) | stats count()`, `x" y:~".*`, "`id`", `\`, `'`, `"`, "|", "{}", "<>", "<user.name>", "%s%n", "$(id)",
	strings.Repeat("long ", 8000), "caf\xe9 \xff\xfe", "日本語の名前", "e\u0301\u0301\u0301\u0301", "-", "null", "(other)", "[\"a\",\"b\"]",
}

// Bad inputs, each a directory of logs.
var badInputs = map[string]func(dir string) error{
	"none": func(dir string) error { return os.WriteFile(filepath.Join(dir, "empty.log"), nil, 0o600) },
	"one": func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "one.log"), []byte("2026-03-04T10:11:12Z web1 sshd[71]: Accepted password for alice from 192.0.2.9 port 4242 ssh2\n"), 0o600)
	},
	"untimed": func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("nothing here\nhas a time\nbut user=alice ip=192.0.2.9 bytes=12\n"), 0o600)
	},
	"moment": func(dir string) error {
		var b bytes.Buffer
		for i := range 300 {
			fmt.Fprintf(&b, `{"@timestamp":"2026-03-04T10:11:12Z","user":{"name":"u%d"},"source":{"ip":"192.0.2.%d","bytes":%d},"host":{"name":"h%d"},"event":{"action":"login","outcome":%q,"category":["authentication"],"duration":%d},"message":"m %d"}`+"\n",
				i%20, i%200, i*i, i%3, []string{"success", "failure"}[i%2], i, i)
		}
		return os.WriteFile(filepath.Join(dir, "moment.jsonl"), b.Bytes(), 0o600)
	},
	"decades": func(dir string) error {
		var b bytes.Buffer
		for i, at := range []string{"1970-01-01T00:00:00Z", "1985-03-04T10:11:12Z", "1999-12-31T23:59:59.999Z", "2015-03-04T10:11:12Z", "2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z", "", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
			fmt.Fprintf(&b, `{"@timestamp":%q,"user":{"name":"u%d"},"source":{"ip":"192.0.2.9","bytes":%d},"host":{"name":"h"},"event":{"action":"login","outcome":"failure","category":["authentication"]},"message":"m"}`+"\n", at, i%2, i)
		}
		return os.WriteFile(filepath.Join(dir, "decades.jsonl"), b.Bytes(), 0o600)
	},
	"numbers": func(dir string) error { // that are none, or hardly
		var b bytes.Buffer
		for i, n := range []string{"0", "-0", "-5", "1e18", "1e308", "-1e308", "1e-320", `"NaN"`, `"Inf"`, `"-Infinity"`, `"0x10"`, `"1_000"`, "9223372036854775807", "18446744073709551616", `"12 kB"`, `""`, `"1,5"`} {
			fmt.Fprintf(&b, `{"@timestamp":"2026-03-04T10:%02d:00Z","user":{"name":"u%d"},"source":{"ip":"192.0.2.9","bytes":%s},"event":{"duration":%s,"outcome":"success","category":["network"]},"message":"m"}`+"\n", i, i%3, n, n)
		}
		return os.WriteFile(filepath.Join(dir, "numbers.jsonl"), b.Bytes(), 0o600)
	},
	"hostile": func(dir string) error {
		var b bytes.Buffer
		for i := range 12 * len(hostile) {
			h := hostile[i%len(hostile)]
			next := hostile[(i+i/len(hostile))%len(hostile)]
			q := func(s string) string { // invalid UTF-8 stays what it is
				out, _ := json.Marshal(strings.ToValidUTF8(s, "\u2bd0"))
				return string(bytes.ReplaceAll(out, []byte("\u2bd0"), []byte("\xff")))
			}
			fmt.Fprintf(&b, `{"@timestamp":"2026-03-04T%02d:%02d:00Z","user":{"name":%s},"source":{"ip":"192.0.2.%d","bytes":%d},"host":{"name":%s},"process":{"name":%s,"command_line":%s},"url":{"path":%s},"event":{"action":%s,"outcome":"failure","category":["authentication"]},%s:%s,"message":%s}`+"\n",
				i/60, i%60, q(h), i%9, i*100, q(next), q(h), q(h), q(next), q(h), q(h[:min(len(h), 100)]), q(next), q(h+" did it "+strconv.Itoa(i)))
		}
		if err := os.WriteFile(filepath.Join(dir, "hostile.jsonl"), b.Bytes(), 0o600); err != nil {
			return err
		}
		b.Reset()
		for i, h := range hostile { // as it may stand in a login line
			fmt.Fprintf(&b, "2026-03-04T10:%02d:12Z web1 sshd[71]: Failed password for invalid user %s from 192.0.2.9 port 4242 ssh2\n", i, strings.NewReplacer("\n", " ", "\r", " ").Replace(h))
		}
		b.WriteString("2026-03-04T11:00:00Z web1 app[7]: ")
		b.Write(bytes.Repeat([]byte("0123456789"), 1<<20))
		b.WriteByte('\n')
		name := "line\nbreak \x1b[31m <b onclick=alert(1)> =cmd().log"
		if runtime.GOOS == "windows" {
			name = "auth.log"
		}
		return os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600)
	},
}

// badCommands are run on each bad input; the last word of those that make a picture is its file. A word
// HOSTILE is each hostile text in turn, for the input "hostile" only.
var badCommands = []string{
	"patterns", "patterns --sort rare -o csv", "patterns --limit 0 -o jsonl", "patterns --new --since 24h", "patterns --gone --since 2026-03-04",
	"anomalies", "anomalies -o jsonl --max-findings-per-day -1",
	"stats", "stats -o csv", "stats -o jsonl", "stats --by user.name", "stats --by user.name -o csv", "stats --by user.name --bottom 5 -o jsonl", "stats --by user.name,host.name", "stats --by user.name,host.name -o csv",
	"stats --value source.bytes", "stats --value source.bytes --by user.name -o csv", "stats --value source.bytes -o jsonl", "stats --compare 24h", "stats --compare 2026-03-04..2026-03-04/2026-03-05..2026-03-05", "stats --compare 24h -o jsonl", "stats --by no.such.field", "stats --where user.name:nobody",
	"timeline", "timeline --show processes,flows,overview", "timeline -o csv", "timeline -o jsonl", "timeline -o timesketch",
	"correlate", "correlate -o csv", "correlate --by user.name -o jsonl", "entities", "entities -o csv", "entities --of alice", "entities --of 192.0.2.9 --at 2026-03-04T10:11:12Z",
	"chart bar --by user.name", "chart bar --by user.name,host.name -o FILE.svg", "chart bar --by user.name -o FILE.png", "chart bar --by user.name --value source.bytes -o FILE.svg",
	"chart histogram --value source.bytes", "chart histogram --value source.bytes -o FILE.svg", "chart line --by user.name", "chart line -o FILE.svg", "chart area --by user.name -o FILE.png", "chart area --by user.name -o FILE.svg", "chart line --value source.bytes",
	"chart heatmap", "chart heatmap --by user.name,host.name -o FILE.svg", "chart heatmap --by user.name,host.name", "chart calendar", "chart calendar -o FILE.svg", "chart scatter --value source.bytes", "chart scatter --value source.bytes --by user.name -o FILE.svg", "chart box --value source.bytes --by user.name", "chart box --value source.bytes --by user.name -o FILE.svg",
	"chart sankey --by user.name,host.name,event.outcome", "chart sankey --by user.name,host.name,event.outcome -o FILE.svg", "chart graph --by user.name,host.name", "chart graph --by user.name,host.name -o FILE.svg", "chart graph --by user.name,host.name -o FILE.png",
	"triage", "triage -o csv", "triage --of incidents -o jsonl", "triage --evaluate", "mark", "sources", "sources -o jsonl", "report -o html", "report -o markdown", "report -o narrative", "report -o json", "report -o stix",
	"export --format csv", "export --format jsonl", "export --format timesketch",
	"stats --by HOSTILE", "stats --by user.name --host HOSTILE", "chart bar --by user.name --title HOSTILE --user HOSTILE -o FILE.svg", "chart line --by HOSTILE", "entities --of HOSTILE", "stats --value HOSTILE", "timeline --user HOSTILE --show events",
}

// Every command that analyses gives a sensible result or a clear sentence for each bad input: it ends with 0, or 1
// and a sentence; nothing that it prints drives a terminal, a spreadsheet or a browser, and what
// programs read is as their formats want it. SEXTANT_MATRIX=DIR keeps what was printed, to look at.
func TestBadInputGivesASensibleResultOrAClearSentence(t *testing.T) {
	keep := os.Getenv("SEXTANT_MATRIX")
	if testing.Short() && keep == "" {
		t.Skip("runs the program some hundred times")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "sextant")
	if err := os.Symlink(self, binary); err != nil {
		t.Skip(err)
	}
	for name, write := range badInputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			logs, caseDir := filepath.Join(dir, "logs"), filepath.Join(dir, "case")
			if err := os.Mkdir(logs, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := write(logs); err != nil {
				t.Fatal(err)
			}
			m := matrix{binary: binary, dir: dir, keep: keep, input: name}
			m.run(t, strings.Fields("investigate --case "+caseDir+" "+logs), "")
			for at, command := range badCommands {
				words, n := strings.Fields(command), 1
				if strings.Contains(command, "HOSTILE") {
					if name != "hostile" {
						continue
					}
					n = len(hostile)
				}
				for i := range n {
					if n > 1 && keep == "" && (i+at)%4 > 0 {
						continue // each text to some of them
					}
					args, file := slices.Clone(words), ""
					for j, w := range args {
						if w == "HOSTILE" {
							args[j] = strings.ReplaceAll(hostile[i], "\x00", "")
						}
						if strings.HasPrefix(w, "FILE.") {
							file = filepath.Join(dir, strings.ToLower(w))
							args[j] = file
						}
					}
					m.run(t, append(args, "--case", caseDir), file)
				}
			}
		})
	}
}

// wrapped are the commands whose lines fit into a terminal of 80 columns. The others' hold paths, or whole templates
// where they go to no terminal.
var wrapped = []string{"anomalies", "chart", "correlate", "entities", "stats", "timeline", "mark"}

type matrix struct{ binary, dir, keep, input string }

// run runs the program and looks at all that it says.
func (m *matrix) run(t *testing.T, args []string, file string) {
	t.Helper()
	name := strings.Join(args[:max(1, len(args)-2)], " ")
	cmd := exec.Command(m.binary, args...)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", name, err)
	}
	bad := func(format string, a ...any) {
		t.Helper()
		t.Errorf("%.300q: %s\n%.1500s\n%.600s", name, fmt.Sprintf(format, a...), out.Bytes(), diagnostics.Bytes())
	}
	code := cmd.ProcessState.ExitCode()
	said := bytes.Contains(diagnostics.Bytes(), []byte("sextant: ")) // an error's sentence
	hostileArgument := slices.ContainsFunc(args, func(a string) bool { return slices.Contains(hostile, a) })
	switch {
	case bytes.Contains(diagnostics.Bytes(), []byte("panic:")) || bytes.Contains(diagnostics.Bytes(), []byte("goroutine ")):
		bad("panics")
	case code != 0 && !said:
		bad("exit code %d without a sentence", code)
	case code == 2 && !hostileArgument, code > 2 || code < 0:
		bad("exit code %d", code)
	}
	if problem := unfit(diagnostics.String()); problem != "" {
		bad("standard error: %s", problem)
	}
	kind := kindOf(args, file)
	data := out.Bytes()
	if file != "" && code == 0 {
		if data, err = os.ReadFile(file); err != nil {
			bad("%v", err)
			return
		}
		os.Remove(file)
	}
	if m.keep != "" {
		to := filepath.Join(m.keep, m.input)
		_ = os.MkdirAll(to, 0o755)
		base := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '.' || r == ',' {
				return r
			}
			return '_'
		}, strings.ReplaceAll(name, m.dir, ""))
		_ = os.WriteFile(filepath.Join(to, fmt.Sprintf("%.90s.%s", base, kind)), append(slices.Clone(data), diagnostics.Bytes()...), 0o644)
	}
	if code != 0 {
		return
	}
	if problem := check(kind, data); problem != "" {
		bad("%s: %s", kind, problem)
	}
	if kind == "text" && !hostileArgument && slices.Contains(wrapped, args[0]) {
		for line := range strings.Lines(string(data)) {
			if n := chart.Cells(strings.TrimSuffix(line, "\n")); n > 80 && len(strings.Fields(line)) > 1 { // a path is one word
				bad("a line of %d columns: %s", n, line)
				break
			}
		}
	}
	if len(bytes.TrimSpace(data)) == 0 && len(bytes.TrimSpace(diagnostics.Bytes())) == 0 {
		bad("says nothing")
	}
}

// kindOf is the form of what a command prints.
func kindOf(args []string, file string) string {
	if file != "" {
		return strings.TrimPrefix(filepath.Ext(file), ".")
	}
	for i, a := range args[:len(args)-1] {
		if a != "-o" && a != "--format" {
			continue
		}
		switch v := args[i+1]; v {
		case "timesketch":
			return "jsonl"
		case "stix":
			return "json"
		case "csv", "jsonl", "json", "html":
			return v
		case "markdown":
			return "md"
		}
	}
	return "text"
}

// check says what is wrong with an output, "" for nothing.
func check(kind string, data []byte) string {
	switch kind {
	case "text", "md":
		return unfit(string(data))
	case "json":
		if !json.Valid(data) || !utf8.Valid(data) {
			return "is no JSON"
		}
	case "jsonl":
		for line := range bytes.Lines(data) {
			var v map[string]any
			if json.Unmarshal(line, &v) != nil || !utf8.Valid(line) || line[len(line)-1] != '\n' {
				return fmt.Sprintf("is no JSON object: %.200q", line)
			}
		}
	case "csv":
		rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil {
			return err.Error()
		}
		for _, row := range rows {
			for _, cell := range row {
				if _, err := strconv.ParseFloat(cell, 64); cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) && err != nil {
					return fmt.Sprintf("a spreadsheet would work out %.100q", cell)
				}
				if problem := unfit(strings.NewReplacer("\t", "", "\r", "", "\u202e", "", "\u2066", "", "\u2028", "").Replace(cell)); problem != "" {
					return problem
				}
			}
		}
	case "png":
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			return err.Error()
		}
	case "svg":
		d := xml.NewDecoder(bytes.NewReader(data))
		for {
			token, err := d.Token()
			if err == io.EOF {
				return ""
			}
			if err != nil {
				return err.Error()
			}
			if e, ok := token.(xml.StartElement); ok {
				if problem := active(e.Name.Local, func(yield func(string, string)) {
					for _, a := range e.Attr {
						yield(a.Name.Local, a.Value)
					}
				}); problem != "" {
					return problem
				}
			}
		}
	case "html":
		root, err := html.Parse(bytes.NewReader(data))
		if err != nil {
			return err.Error()
		}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if problem := active(n.Data, func(yield func(string, string)) {
				for _, a := range n.Attr {
					yield(a.Key, a.Val)
				}
			}); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// active says whether an element would run or load something.
func active(element string, attributes func(yield func(name, value string))) (problem string) {
	switch strings.ToLower(element) {
	case "script", "iframe", "object", "embed", "img", "image", "foreignobject", "link", "form":
		return "has the element " + element
	}
	attributes(func(name, value string) {
		if strings.HasPrefix(strings.ToLower(name), "on") || (name == "href" || name == "src") && value != "" && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "https://attack.mitre.org/") {
			problem = fmt.Sprintf("%s has the attribute %s=%.100q", element, name, value)
		}
	})
	return problem
}

// unfit says what in a text must not reach a terminal.
func unfit(s string) string {
	if !utf8.ValidString(s) {
		return "is no UTF-8"
	}
	for i, r := range s {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			return fmt.Sprintf("holds %U: %.80q", r, s[max(0, i-40):])
		}
	}
	return ""
}
