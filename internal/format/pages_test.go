package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const formatsDoc = "../../docs/formats.md"

// The pages that `sextant formats NAME` prints and docs/formats.md hold what the source says a
// format reads and what the golden files say it makes.
func TestGoldenPagesSayWhatSourceAndGoldenFilesSay(t *testing.T) {
	made := map[string]Page{}
	reads := docsOfFormats(t)
	for _, f := range builtIn() {
		p := Page{Reads: reads[f.Name]}
		p.Datasets, p.Fields = goldenFields(t, f.Name)
		if p.Reads == "" && len(p.Fields) == 0 {
			t.Errorf("%s has neither a comment that says what it reads nor golden files", f.Name)
		}
		made[f.Name] = p
	}
	text := pagesText(t, made)
	doc := formatsMarkdown(made)
	if *update {
		for file, data := range map[string][]byte{"pages.json": text, formatsDoc: doc} {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if !bytes.Equal(text, pagesJSON) {
		t.Error("pages.json is not what source and golden files say: go test ./internal/format -run Golden -update")
	}
	if old, err := os.ReadFile(formatsDoc); err != nil || !bytes.Equal(old, doc) {
		t.Errorf("docs/formats.md is not what source and golden files say: go test ./internal/format -run Golden -update (%v)", err)
	}
}

func TestNearNamesOfFormats(t *testing.T) {
	for name, want := range map[string]string{"nginx": "nginx.access", "posgresql.log": "postgresql.log", "apache.acces": "apache.access", "cloudtrail": "aws.cloudtrail", "Suricata": "suricata.eve"} {
		if got := Near(name); !slices.Contains(got, want) {
			t.Errorf("near %q: %v, want %s among them", name, got, want)
		}
	}
	if got := Near("zzzzzzzzzzzz"); len(got) != 0 {
		t.Errorf("near nothing: %v", got)
	}
}

// builtIn are the formats of this package's files, without those that tests register.
func builtIn() []*Format {
	fs := All()
	return slices.DeleteFunc(fs, func(f *Format) bool { return f.Group == "" || strings.HasPrefix(f.Name, "test.") })
}

// docsOfFormats are the comments above the declarations that register formats, by name.
func docsOfFormats(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				doc := v.Doc.Text()
				if doc == "" {
					doc = g.Doc.Text()
				}
				for _, name := range namesIn(v) {
					if out[name] == "" {
						out[name] = strings.TrimSpace(doc)
					}
				}
			}
		}
	}
	return out
}

// namesIn are the values of Name and name in the composite literals of a declaration.
func namesIn(v *ast.ValueSpec) (names []string) {
	ast.Inspect(v, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		if key, ok := kv.Key.(*ast.Ident); ok && strings.EqualFold(key.Name, "name") {
			if lit, ok := kv.Value.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if name, err := strconv.Unquote(lit.Value); err == nil {
					names = append(names, name)
				}
			}
		}
		return true
	})
	return names
}

// goldenFields are the datasets and names of fields in a format's golden files.
func goldenFields(t *testing.T, name string) (datasets, fields []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.golden.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	seen, sets := map[string]bool{}, map[string]bool{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			if sub, ok := v.(map[string]any); ok {
				walk(prefix+k+".", sub)
			} else {
				seen[prefix+k] = true
			}
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var m map[string]any
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			set := ""
			if e, ok := m["event"].(map[string]any); ok {
				set, _ = e["dataset"].(string)
				delete(e, "original")
			}
			if l, ok := m["log"].(map[string]any); ok {
				delete(l, "offset")
			}
			if set == "text" && name != "text" && name != "text.stamped" {
				continue // a record that it does not understand
			}
			sets[set] = true
			walk("", m)
		}
	}
	delete(sets, "")
	return slices.Sorted(maps.Keys(sets)), slices.Sorted(maps.Keys(seen))
}

// pagesText is pages.json: a format a line, so that two changes seldom meet.
func pagesText(t *testing.T, pages map[string]Page) []byte {
	t.Helper()
	out := []byte("{\n")
	names := slices.Sorted(maps.Keys(pages))
	for i, name := range names {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(pages[name]); err != nil {
			t.Fatal(err)
		}
		end := ",\n"
		if i == len(names)-1 {
			end = "\n"
		}
		out = fmt.Appendf(out, "%q: %s%s", name, bytes.TrimSpace(line.Bytes()), end)
	}
	return append(out, "}\n"...)
}

// formatsMarkdown is docs/formats.md.
func formatsMarkdown(pages map[string]Page) []byte {
	out := []byte(`# The log formats

What a file is, is found from its content. The names are those of ` + "`--format`" + `, which takes one for granted; ` + "`sextant formats NAME`" + ` prints
the same as stands here. The fields are those that the format's own test logs give, in the names of the
[Elastic Common Schema](https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html); fields of the product's own stand under the names at the end of each list.
This page is made from the source and the golden files by ` + "`go test ./internal/format -run Golden -update`" + `. Adding a format: [in YAML](yaml-formats.md), [in Go](adding-formats.md).

`)
	group := ""
	fs := builtIn()
	slices.SortStableFunc(fs, func(a, b *Format) int { return strings.Compare(a.Group, b.Group) })
	for _, f := range fs {
		if f.Group != group {
			group = f.Group
			out = fmt.Appendf(out, "## %s\n\n", group)
		}
		p := pages[f.Name]
		out = fmt.Appendf(out, "### %s\n\n%s.\n\n", f.Name, f.Title)
		if p.Reads != "" {
			for line := range strings.SplitSeq(p.Reads, "\n") {
				out = append(append(append(out, "> "...), markdownText(line)...), '\n')
			}
			out = append(out, '\n')
		}
		fields, own := p.ECS()
		if len(p.Datasets) > 0 {
			out = fmt.Appendf(out, "Datasets: %s\n\n", codes(p.Datasets, ""))
		}
		if len(fields) > 0 {
			out = fmt.Appendf(out, "Fields: %s\n\n", codes(fields, ""))
		}
		if len(own) > 0 {
			out = fmt.Appendf(out, "Of its own: %s\n\n", codes(own, ".*"))
		}
		out = fmt.Appendf(out, "```sh\nsextant parse --format %s FILE\n```\n\n", f.Name)
	}
	return bytes.TrimRight(out, "\n")
}

func codes(names []string, suffix string) string {
	var out strings.Builder
	for i, n := range names {
		if i == 60 {
			fmt.Fprintf(&out, ", and %d more", len(names)-i)
			break
		}
		if i > 0 {
			out.WriteString(", ")
		}
		fmt.Fprintf(&out, "`%s%s`", strings.Map(func(r rune) rune {
			if r < ' ' || r == '`' {
				return ' '
			}
			return r
		}, n), suffix)
	}
	return out.String()
}

// markdownText keeps a comment's line from being read as markup; what is indented is code.
func markdownText(line string) string {
	if strings.HasPrefix(line, "\t") {
		return "    " + line[1:]
	}
	return strings.NewReplacer("<", "&lt;", "*", `\*`, "_", `\_`).Replace(line)
}
