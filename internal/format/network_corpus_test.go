package format_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// networkRows are the logs of network devices in the corpus, by file. JSON inputs
// hold events as an agent sends them; their messages are decoded as lines.
var networkRows = []struct {
	files  string
	format string
	least  float64
}{
	{"cisco_asa/elastic_integrations/cisco_asa.log/*.log", "cisco_asa.log", 97},
	{"cisco_ftd/elastic_integrations/cisco_ftd.log/test-[^an]*.log", "cisco_ftd.log", 92}, // the others hold messages of ASA
	{"cef/elastic_integrations/cef.log/test-*[a-z].json", "cef.log", 93},
	{"other_products/fortinet_fortigate/elastic_integrations/fortinet_fortigate.log/test-fortinet.log", "fortinet_fortigate.log", 92},
	{"other_products/panw/elastic_integrations/panw.panos/*.log", "panw.panos", 89},
	{"other_products/checkpoint/elastic_integrations/checkpoint.firewall/*.log", "syslog", 91},
	{"cisco_ios/elastic_integrations/cisco_ios.log/*.log", "cisco_ios.log", 90},
	{"pfsense/elastic_integrations/pfsense.log/*.log", "syslog", 88},
	{"snort/elastic_integrations/snort.log/*-full.log", "snort.log", 88},
	{"snort/elastic_integrations/snort.log/*-fast.log", "snort.log", 88},
	{"snort/elastic_integrations/snort.log/*pfsense.log", "snort.log", 88},
	{"snort/elastic_integrations/snort.log/*json.log", "snort.json", 88},
	{"aws_vpcflow/elastic_integrations/aws.vpcflow/*.log", "aws.vpcflow", 94},
}

func TestNetworkLogsAgreeWithElasticsIntegrations(t *testing.T) {
	root := corpus(t)
	for _, row := range networkRows {
		t.Run(row.files, func(t *testing.T) {
			files, _ := filepath.Glob(filepath.Join(root, row.files))
			if len(files) == 0 {
				t.Skip("not in this corpus")
			}
			sum := agreement{worst: map[string]int{}, example: map[string]string{}}
			for _, file := range files {
				if strings.HasSuffix(file, "-expected.json") {
					continue
				}
				compareFile(t, logOf(t, file), row.format, &sum)
			}
			names := slices.SortedFunc(maps.Keys(sum.worst), func(a, b string) int {
				return cmp.Or(sum.worst[b]-sum.worst[a], strings.Compare(a, b))
			})
			report := fmt.Sprintf("%.1f %% of %d fields are equal", sum.percent(), sum.all)
			for _, n := range names[:min(len(names), 30)] {
				report += fmt.Sprintf("\n  %3d× %s: %s", sum.worst[n], n, sum.example[n])
			}
			t.Log(report)
			if sum.percent() < row.least {
				t.Errorf("less than %.0f %%", row.least)
			}
		})
	}
}

// logOf returns the file of a test's lines: for an agent's JSON one made of its messages.
func logOf(t *testing.T, file string) string {
	if !strings.HasSuffix(file, ".json") {
		return file
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Events []struct {
			Message string
			Event   struct{ Original string }
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range doc.Events {
		line := cmp.Or(e.Event.Original, e.Message)
		text.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	}
	log := filepath.Join(t.TempDir(), filepath.Base(file)+".log")
	expected, err := os.ReadFile(file + "-expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log+"-expected.json", expected, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return log
}
