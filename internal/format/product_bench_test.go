package format

import "testing"

// The logs of cloud services, databases and applications that grow large.
func BenchmarkProducts(b *testing.B) {
	for _, c := range []struct{ format, file string }{
		{"aws.cloudtrail", "basic"}, {"kubernetes.audit_logs", "basic"}, {"postgresql.log", "prefix"}, {"postgresql.log", "csv"},
		{"mysql.general", "basic"}, {"mongodb.log", "json"}, {"docker.json", "basic"}, {"java.log", "log4j"}, {"logfmt", "basic"},
	} {
		b.Run(c.format+"/"+c.file, func(b *testing.B) {
			benchmarkFile(b, c.format, "testdata/"+c.format+"/"+c.file+".log")
		})
	}
}
