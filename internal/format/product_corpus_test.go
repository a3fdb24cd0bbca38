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

// productRows are the folders of cloud services, databases and applications.
var productRows = []struct {
	folder string
	format string
	least  float64
}{
	{"aws_cloudtrail/elastic_integrations/aws.cloudtrail", "aws.cloudtrail", 95},
	{"other_products/okta/elastic_integrations/okta.system", "okta.system", 98},
	{"other_products/github/elastic_integrations/github.audit", "github.audit", 98},
	{"other_products/gcp/elastic_integrations/gcp.audit", "gcp.audit", 98},
	{"other_products/o365/elastic_integrations/o365.audit", "o365.audit", 93},
	{"other_products/azure/elastic_integrations/azure.signinlogs", "azure.signinlogs", 95},
	{"other_products/azure/elastic_integrations/azure.auditlogs", "azure.auditlogs", 93},
	{"other_products/azure/elastic_integrations/azure.activitylogs", "azure.activitylogs", 92},
	{"postgresql/elastic_integrations/postgresql.log", "postgresql.log", 95},
	{"mysql/elastic_integrations/mysql.error", "mysql.error", 95},
	{"mysql/elastic_integrations/mysql.slowlog", "mysql.slowlog", 95},
	{"mongodb/elastic_integrations/mongodb.log", "mongodb.log", 95},
	{"redis/elastic_integrations/redis.log", "redis.log", 67}, // the year of most is arbitrary
}

func init() {
	for name, why := range map[string]string{
		"event.id":                            "ours is the record's identity in its source; the product's own is under its name",
		"aws.cloudtrail.request_parameters":   "Java's print of a map in the order of its hashes; the members are in aws.cloudtrail.flattened",
		"aws.cloudtrail.response_elements":    "likewise",
		"aws.cloudtrail.additional_eventdata": "likewise",
	} {
		notCompared[name] = why
	}
}

// fragments are files of the agent's shape that hold no records as their product
// writes them, with the reason.
var fragments = map[string]string{
	"test-bad-ips.json":                   "a map of Java's in the place of the record",
	"test-modified-properites.json":       "likewise",
	"test-parameter-string.json":          "not JSON",
	"test-platform-attribute-events.json": "one member of a record",
	"test-ip-formats-events.json":         "one member of a record",
	"test-mysql-ubuntu-5-5-53.log":        "has lines without a time, which Elastic takes for events and we for more of the message above",
}

func TestProductsAgreeWithElasticsIntegrations(t *testing.T) {
	root := corpus(t)
	for _, row := range productRows {
		t.Run(row.format, func(t *testing.T) {
			sum := agreement{worst: map[string]int{}, example: map[string]string{}}
			files, _ := filepath.Glob(filepath.Join(root, row.folder, "*-expected.json"))
			if len(files) == 0 {
				t.Skip("not in this corpus")
			}
			for _, file := range files {
				file = strings.TrimSuffix(file, "-expected.json")
				if _, ok := fragments[filepath.Base(file)]; ok && row.format != "mysql.slowlog" {
					continue
				}
				if strings.HasSuffix(file, ".json") {
					file = originals(t, file)
				}
				compareFile(t, file, row.format, &sum)
			}
			names := slices.SortedFunc(maps.Keys(sum.worst), func(a, b string) int {
				return cmp.Or(sum.worst[b]-sum.worst[a], strings.Compare(a, b))
			})
			report := fmt.Sprintf("%.1f %% of %d fields are equal", sum.percent(), sum.all)
			for _, n := range names[:min(len(names), 12)] {
				report += fmt.Sprintf("\n  %3d× %s: %s", sum.worst[n], n, sum.example[n])
			}
			t.Log(report)
			if sum.percent() < row.least {
				t.Errorf("less than %.0f %%", row.least)
			}
		})
	}
}

// originals writes the records out of the documents that an agent would send to a
// file of their own, with what is expected of them beside it.
func originals(t *testing.T, file string) string {
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
	var out []byte
	for _, e := range doc.Events {
		out = append(append(out, cmp.Or(e.Event.Original, e.Message)...), '\n')
	}
	expected, err := os.ReadFile(file + "-expected.json")
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), filepath.Base(file))
	for name, p := range map[string][]byte{dst: out, dst + "-expected.json": expected} {
		if err := os.WriteFile(name, p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dst
}
