package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// YAML is a configuration file with every setting and what it is; those that
// have their default value are comments.
func YAML(fs *pflag.FlagSet, head string) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(head) {
		fmt.Fprintf(&b, "# %s", line)
	}
	Settings(fs, func(f *pflag.Flag) {
		fmt.Fprintln(&b)
		for _, line := range wrap(f.Usage, 78) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		var value any = f.Value.String()
		var encoded []byte
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = list.GetSlice()
		} else if f.Value.Type() != "string" && f.Value.Type() != "duration" {
			encoded = []byte(f.Name + ": " + f.Value.String() + "\n")
		}
		if encoded == nil {
			encoded, _ = yaml.Marshal(map[string]any{f.Name: value})
		}
		for line := range strings.Lines(string(encoded)) {
			if !f.Changed {
				line = "#" + line
			}
			b.WriteString(strings.ReplaceAll(line, "$", "$$"))
		}
	})
	return b.Bytes()
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// variables are what may stand for a value that is no text.
const variables = `^\$\{.*\}$`

// Schema is the JSON Schema (draft 2020-12) of the configuration file.
func Schema(fs *pflag.FlagSet, title string) ([]byte, error) {
	properties := map[string]any{}
	Settings(fs, func(f *pflag.Flag) {
		p := map[string]any{"description": f.Usage}
		switch kind := f.Value.Type(); kind {
		case "bool":
			p["type"], p["pattern"] = []string{"boolean", "string", "null"}, variables
			p["default"] = f.DefValue == "true"
		case "int":
			p["type"], p["pattern"] = []string{"integer", "string", "null"}, variables
		case "duration":
			p["type"] = []string{"string", "null"}
			p["pattern"] = `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|\$\{`
			p["default"] = f.DefValue
		default:
			if _, list := f.Value.(pflag.SliceValue); list {
				element := any(map[string]any{"type": []string{"string", "number", "boolean"}})
				if isURLs(f) {
					element = map[string]any{"$ref": "#/$defs/url"}
				}
				p["anyOf"] = []any{map[string]any{"type": "array", "items": element}, element, map[string]any{"type": "null"}}
				break
			}
			p["type"] = []string{"string", "number", "boolean", "null"}
			if f.DefValue != "" {
				p["default"] = f.DefValue
			}
		}
		properties[f.Name] = p
	})
	text := map[string]any{"type": []string{"string", "number", "boolean"}}
	data, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "type": "object",
		"additionalProperties": false, "properties": properties,
		"$defs": map[string]any{"url": map[string]any{
			"description": "a URL, or a mapping of url, user, password and its parameters, which then need no escaping",
			"anyOf": []any{map[string]any{"type": "string"}, map[string]any{"type": "object", "required": []string{"url"},
				"properties":           map[string]any{"url": map[string]any{"type": "string"}, "user": text, "password": text},
				"additionalProperties": map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "items": text}}}}},
		}},
	}, "", "  ")
	return append(data, '\n'), err
}
