package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/sextant-logs/sextant/internal/config"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/serve.schema.json anew")

func TestThePublishedSchemaIsThatOfTheFlags(t *testing.T) {
	t.Setenv("SEXTANT_THREADS", "")
	var b bytes.Buffer
	c := newServe()
	c.SetArgs([]string{"--print-schema"})
	c.SetOut(&b)
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/serve.schema.json"
	if *updateDocs {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what `sextant serve --print-schema` prints (go test ./cmd/sextant -run Schema -update-docs): %v", file, err)
	}
}

func TestTheExampleConfigurationHasNothingWrongWithItsKeys(t *testing.T) {
	var f serveFlags
	fs := f.flags()
	_, problems := config.Load(fs, "../../docs/serve.yaml", func(name string) (string, bool) { return "x", name == "SLACK_HOOK" || name == "SMTP_PASSWORD" })
	for _, p := range problems {
		t.Error(p)
	}
}
