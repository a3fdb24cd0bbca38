package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds on what a rule file may hold. A real rule is a few kilobytes; these only stop files made to hurt.
const (
	maxFileBytes     = 64 << 20
	maxDocumentBytes = 2 << 20
	maxDocuments     = 100_000 // in one file
	maxNodes         = 200_000 // YAML nodes of one document after aliases are followed
	maxDepth         = 64
)

// Load reads every rule under the paths: files as they are, directories walked for *.yml and *.yaml in name order. Rules
// keep that order. A file or document that cannot be read gives a *RuleError and costs only itself.
func Load(paths ...string) ([]*Rule, []*RuleError) {
	var files []string
	var errs []*RuleError
	for _, p := range paths {
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				errs = append(errs, &RuleError{File: path, Err: err})
				return nil
			}
			if d.IsDir() {
				return nil
			}
			ext := strings.ToLower(filepath.Ext(path))
			if path == p || ext == ".yml" || ext == ".yaml" {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			errs = append(errs, &RuleError{File: p, Err: err})
		}
	}

	rules, failed := parseAll(files, readFile)
	return rules, append(errs, failed...)
}

// LoadFS is Load for the rules of a file system, such as an embedded one: of the files that want keeps (nil: all) those named *.yml or *.yaml.
// Rules and errors name a file with prefix before its path.
func LoadFS(fsys fs.FS, prefix string, want func(path string) bool) ([]*Rule, []*RuleError) {
	var files []string
	var errs []*RuleError
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		ext := strings.ToLower(filepath.Ext(path))
		switch {
		case err != nil:
			errs = append(errs, &RuleError{File: prefix + path, Err: err})
		case !d.IsDir() && (ext == ".yml" || ext == ".yaml") && (want == nil || want(path)):
			files = append(files, prefix+path)
		}
		return nil
	})
	if err != nil {
		errs = append(errs, &RuleError{File: prefix, Err: err})
	}
	rules, failed := parseAll(files, func(path string) ([]byte, error) { return fs.ReadFile(fsys, path[len(prefix):]) })
	return rules, append(errs, failed...)
}

// parseAll parses files side by side; what it returns is in their order.
func parseAll(files []string, read func(path string) ([]byte, error)) (rules []*Rule, errs []*RuleError) {
	type result struct {
		rules []*Rule
		errs  []*RuleError
	}
	results := make([]result, len(files))
	sideBySide(len(files), func(i int) {
		data, err := read(files[i])
		if err != nil {
			results[i].errs = []*RuleError{{File: files[i], Err: err}}
			return
		}
		results[i].rules, results[i].errs = Parse(files[i], data)
	})
	for _, r := range results {
		rules = append(rules, r.rules...)
		errs = append(errs, r.errs...)
	}
	return rules, errs
}

// readFile reads a regular file of at most maxFileBytes. Devices and pipes are refused: they may never end.
func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := bytes.NewBuffer(make([]byte, 0, min(st.Size(), maxFileBytes)+bytes.MinRead))
	_, err = data.ReadFrom(io.LimitReader(f, maxFileBytes+1))
	if err == nil && data.Len() > maxFileBytes {
		return nil, fmt.Errorf("file is larger than %d MiB", maxFileBytes>>20)
	}
	return data.Bytes(), err
}

// Parse reads the documents of one file. File is used in errors and in Rule.File.
func Parse(file string, data []byte) ([]*Rule, []*RuleError) {
	var rules []*Rule
	var errs []*RuleError
	fail := func(line int, rule string, err error) {
		errs = append(errs, &RuleError{File: file, Line: line, Rule: rule, Err: err})
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var global, previous *yaml.Node // of the collection actions
	docs := splitDocuments(data)
	if len(docs) > maxDocuments {
		fail(docs[maxDocuments].line, "", fmt.Errorf("more than %d documents in one file", maxDocuments))
		docs = docs[:maxDocuments]
	}
	for _, d := range docs {
		root, line, err := readDocument(d)
		if err != nil {
			fail(line, "", err)
			continue
		}
		if root == nil { // nothing but comments
			continue
		}
		action := ""
		if n := lookup(root, "action"); n != nil {
			action = n.Value
		}
		switch action {
		case "":
			previous = merge(global, root)
			root = previous
		case "global":
			global = without(merge(global, root), "action")
			continue
		case "reset": // of what is global; a repeat still has a rule before it
			global = nil
			continue
		case "repeat":
			if previous == nil {
				fail(root.Line, "", errors.New("action: repeat without a rule before it"))
				continue
			}
			previous = without(merge(previous, root), "action")
			root = previous
		default:
			fail(lookup(root, "action").Line, "", fmt.Errorf("unknown action %q (want global, reset or repeat)", action))
			continue
		}
		r := &ruleReader{rule: &Rule{File: file, Line: root.Line}}
		if err := r.read(root); err != nil {
			fail(r.line, r.rule.Ref(), err)
			continue
		}
		rules = append(rules, r.rule)
	}
	return rules, errs
}

// document is one YAML document of a file and the line it begins on.
type document struct {
	data []byte
	line int
}

// splitDocuments cuts a stream at its --- and ... lines, which YAML 1.2 §9.1.2 reserves even inside scalars, so that one
// broken document does not take the others with it.
func splitDocuments(data []byte) []document {
	var docs []document
	start, startLine, line := 0, 1, 1
	cut := func(end int) {
		if len(bytes.TrimSpace(data[start:end])) > 0 {
			docs = append(docs, document{data[start:end], startLine})
		}
	}
	for i := 0; i < len(data); line++ {
		end := bytes.IndexByte(data[i:], '\n')
		next := len(data)
		if end >= 0 {
			next = i + end + 1
		}
		if l := data[i:next]; bytes.HasPrefix(l, []byte("---")) || bytes.HasPrefix(l, []byte("...")) {
			if len(l) == 3 || l[3] == ' ' || l[3] == '\t' || l[3] == '\r' || l[3] == '\n' {
				cut(i)
				start, startLine = i+3, line // what follows on the marker's line belongs to the next document
				if len(bytes.TrimSpace(l[3:])) == 0 {
					start, startLine = next, line+1
				}
			}
		}
		i = next
	}
	cut(len(data))
	return docs
}

var (
	yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// The errors of the library's parser, unlike those of its scanner, count lines from 0.
	yamlParserError = regexp.MustCompile(`did not find expected (?:<|key|node content|'-' indicator|',' or)|found undefined tag handle|found duplicate %|found incompatible YAML`)
)

// readDocument parses one document to a mapping whose lines count from the file's first, and whose aliases and merge keys are
// resolved. The error's line is returned beside it.
func readDocument(d document) (*yaml.Node, int, error) {
	if len(d.data) > maxDocumentBytes {
		return nil, d.line, fmt.Errorf("document of %d bytes is larger than %d MiB", len(d.data), maxDocumentBytes>>20)
	}
	if !utf8.Valid(d.data) {
		return nil, d.line, errors.New("not UTF-8 text")
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(d.data, &doc); err != nil {
		line := d.line
		if m := yamlErrorLine.FindStringSubmatch(err.Error()); m != nil {
			if n, e := strconv.Atoi(m[1]); e == nil {
				line += n - 1
				if yamlParserError.MatchString(err.Error()) {
					line++
				}
			}
			return nil, line, errors.New("broken YAML: " + err.Error()[len(m[0]):])
		}
		return nil, line, fmt.Errorf("broken YAML: %w", err)
	}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		return nil, d.line, nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, d.line, nil
	}
	shiftLines(root, d.line-1, 0)
	e := expander{budget: maxNodes}
	root, err := e.expand(root, 0)
	if err != nil {
		return nil, max(e.line, d.line), err
	}
	if root.Kind != yaml.MappingNode {
		return nil, root.Line, errors.New("not a Sigma rule: the document is not a map")
	}
	return root, root.Line, nil
}

func shiftLines(n *yaml.Node, by, depth int) {
	n.Line += by
	for _, c := range n.Content { // the YAML parser itself bounds the depth
		shiftLines(c, by, depth+1)
	}
}

// expander follows aliases with a budget, so that aliases of aliases cannot grow without bound.
type expander struct {
	budget int
	line   int
}

func (e *expander) expand(n *yaml.Node, depth int) (*yaml.Node, error) {
	e.line = n.Line
	if e.budget--; e.budget < 0 {
		return nil, fmt.Errorf("more than %d values in one document, counting aliases", maxNodes)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return e.expand(n.Alias, depth+1)
	case yaml.ScalarNode:
		return n, nil
	}
	out := *n
	out.Content = make([]*yaml.Node, 0, len(n.Content))
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].ShortTag() == "!!merge" {
			merged, err := e.expand(c, depth+1)
			if err != nil {
				return nil, err
			}
			out.Content = out.Content[:len(out.Content)-1] // the << key
			sources := []*yaml.Node{merged}
			if merged.Kind == yaml.SequenceNode {
				sources = merged.Content
			}
			for _, s := range sources {
				if s.Kind != yaml.MappingNode {
					e.line = c.Line
					return nil, errors.New("<< wants a map")
				}
				for j := 0; j+1 < len(s.Content); j += 2 {
					if lookup(&out, s.Content[j].Value) == nil && lookup(n, s.Content[j].Value) == nil {
						out.Content = append(out.Content, s.Content[j], s.Content[j+1])
					}
				}
			}
			continue
		}
		x, err := e.expand(c, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, x)
	}
	return &out, nil
}

func lookup(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key && m.Content[i].Kind == yaml.ScalarNode {
			return m.Content[i+1]
		}
	}
	return nil
}

// merge lays over on base: maps key by key, everything else replaced. Neither is changed.
func merge(base, over *yaml.Node) *yaml.Node {
	if base == nil || base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *over
	out.Content = nil
	for i := 0; i+1 < len(base.Content); i += 2 {
		k, v := base.Content[i], base.Content[i+1]
		if o := lookup(over, k.Value); o != nil {
			v = merge(v, o)
		}
		out.Content = append(out.Content, k, v)
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		if lookup(base, over.Content[i].Value) == nil {
			out.Content = append(out.Content, over.Content[i], over.Content[i+1])
		}
	}
	return &out
}

func without(m *yaml.Node, key string) *yaml.Node {
	out := *m
	out.Content = nil
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != key {
			out.Content = append(out.Content, m.Content[i], m.Content[i+1])
		}
	}
	return &out
}
