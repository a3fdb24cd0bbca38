package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// settings of a made-up command.
type settings struct {
	name   string
	count  int
	pause  time.Duration
	on     bool
	listen []string
	words  []string
}

func (s *settings) flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.StringVar(&s.name, "name", "x", "what it is called")
	fs.IntVar(&s.count, "count", 3, "how many")
	fs.DurationVar(&s.pause, "pause", time.Second, "how long")
	fs.BoolVar(&s.on, "on", false, "whether")
	fs.StringArrayVar(&s.listen, "listen", nil, "where")
	fs.StringSliceVar(&s.words, "alert-words", nil, "which")
	fs.String("config", "", "the file")
	NotSetting(fs, "config")
	URLs(fs, "listen")
	return fs
}

func load(t *testing.T, yaml string, env map[string]string, args ...string) (*settings, *Origin, []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &settings{}
	fs := s.flags()
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	o, problems := Load(fs, file, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	var said []string
	for _, p := range problems {
		said = append(said, strings.TrimPrefix(p.String(), filepath.Dir(file)+"/"))
	}
	return s, o, said
}

func TestTheCommandLineComesBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	const file = "name: file\ncount: 7\npause: 5s\non: true\nlisten: [a, b]\nalert-words: one\n"
	s, _, said := load(t, file, nil)
	if len(said) > 0 || s.name != "file" || s.count != 7 || s.pause != 5*time.Second || !s.on || !slices.Equal(s.listen, []string{"a", "b"}) || !slices.Equal(s.words, []string{"one"}) {
		t.Errorf("the file: %+v %q", s, said)
	}
	s, o, said := load(t, file, map[string]string{"SEXTANT_NAME": "env", "SEXTANT_LISTEN": "c d", "SEXTANT_COUNT": "8", "SEXTANT_ALERT_WORDS": "two"}, "--count", "9", "--alert-words", "three,four")
	if len(said) > 0 || s.name != "env" || s.count != 9 || !slices.Equal(s.listen, []string{"c", "d"}) || !slices.Equal(s.words, []string{"three", "four"}) {
		t.Errorf("all three: %+v %q", s, said)
	}
	if o.Of("name", -1) != "SEXTANT_NAME" || o.Of("count", -1) != "--count" || !strings.HasSuffix(o.Of("pause", -1), "a.yaml:3") {
		t.Errorf("%s %s %s", o.Of("name", -1), o.Of("count", -1), o.Of("pause", -1))
	}
}

func TestEverythingWrongIsToldAtOnceWithLineAndNearestKey(t *testing.T) {
	_, _, said := load(t, `nam: x
count: many
listen:
  - a
  - [b]
  - url: 'http://h'
    key: [x, {y: z}]
  - cert: c
on: perhaps
alert_words: [a]
config: b
count: 4
name: ${NOPE}
something-else: 1
`, map[string]string{"SEXTANT_PAUSE": "long"})
	want := []string{
		`SEXTANT_PAUSE: pause: "long": want a duration such as 30s or 5m`,
		`a.yaml:1: unknown key "nam"; did you mean "name"?`,
		`a.yaml:2: count: "many": want a whole number`,
		`a.yaml:5: listen: want a URL, or a mapping with the key url`,
		`a.yaml:7: listen: key: want text`,
		`a.yaml:8: listen: the key url is missing`,
		`a.yaml:9: on: "perhaps": want true or false`,
		`a.yaml:10: unknown key "alert_words"; did you mean "alert-words"?`,
		`a.yaml:11: config is for the command line only`,
		`a.yaml:12: count is set a second time (first in line 2)`,
		`a.yaml:13: the environment has no variable NOPE`,
		"a.yaml:14: unknown key \"something-else\"; `sextant serve --print-config` shows all keys",
	}
	if !slices.Equal(said, want) {
		t.Errorf("%s", strings.Join(said, "\n"))
	}
	for text, want := range map[string]string{
		"a: [\n": "a.yaml", "- a\n": "a.yaml:1: want settings of the form", "name: a\n---\nname: b\n": "more than one document", "name: [a]\n": "a.yaml:1: name: want one value",
	} {
		if _, _, said := load(t, text, nil); len(said) != 1 || !strings.Contains(said[0], want) {
			t.Errorf("%q gives %q", text, said)
		}
	}
	for _, text := range []string{"", "# nothing\n", "name:\n", "null\n"} {
		if s, _, said := load(t, text, nil); len(said) != 0 || s.name != "x" {
			t.Errorf("%q gives %q", text, said)
		}
	}
}

func TestSecretsComeFromTheEnvironmentAndNeedNoEscaping(t *testing.T) {
	s, o, said := load(t, `name: 'costs $$5, ${WHO}, ${NOBODY:-nobody}'
listen:
  - plain://x
  - url: smtp+tls://mail.example.com:587
    user: me@example.com
    password: ${PASSWORD}
    to: [a@example.com, b@example.com]
`, map[string]string{"WHO": "a: [b", "PASSWORD": "p/w@d?#%&"})
	if len(said) > 0 || s.name != "costs $5, a: [b, nobody" {
		t.Errorf("%q %q", s.name, said)
	}
	if want := "smtp+tls://me%40example.com:p%2Fw%40d%3F%23%25&@mail.example.com:587?to=a%40example.com%2Cb%40example.com"; s.listen[1] != want {
		t.Errorf("%s", s.listen[1])
	}
	if !strings.HasSuffix(o.Of("listen", 1), ":4") {
		t.Errorf("%s", o.Of("listen", 1))
	}
}

func TestAPrintedFileGivesTheSameSettings(t *testing.T) {
	s := &settings{}
	fs := s.flags()
	if err := fs.Parse([]string{"--name", "a ${B} # c", "--listen", "http://x/?a=b", "--listen", "y: z", "--on", "--pause", "90s", "--count", "5"}); err != nil {
		t.Fatal(err)
	}
	again, _, said := load(t, string(YAML(fs, "head\n")), nil)
	if len(said) > 0 || again.name != s.name || !slices.Equal(again.listen, s.listen) || !again.on || again.pause != s.pause || again.count != 5 {
		t.Errorf("%+v %q\n%s", again, said, YAML(fs, "head\n"))
	}
}

func TestTheSchemaKnowsEverySettingAndNothingElse(t *testing.T) {
	fs := (&settings{}).flags()
	data, err := Schema(fs, "test")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties           map[string]map[string]any
		AdditionalProperties *bool
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	n := 0
	Settings(fs, func(f *pflag.Flag) {
		n++
		if schema.Properties[f.Name]["description"] != f.Usage {
			t.Errorf("%s: %v", f.Name, schema.Properties[f.Name])
		}
	})
	if n != 6 || len(schema.Properties) != n || schema.AdditionalProperties == nil || *schema.AdditionalProperties {
		t.Errorf("%d settings: %s", n, data)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("name: a\nlisten: [{url: 'x://y', password: ${P}}]\n")
	f.Add("&a [*a]\n")
	f.Add("listen: &x [*x]\n")
	f.Add("name: ${\n---\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(dir, "a.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		Load((&settings{}).flags(), file, func(string) (string, bool) { return "", false })
	})
}
