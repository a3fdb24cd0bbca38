package format

import "testing"

func BenchmarkCiscoASA(b *testing.B) {
	benchmarkFile(b, "cisco_asa.log", "testdata/cisco_asa.log/basic.log")
}
func BenchmarkCEF(b *testing.B) { benchmarkFile(b, "cef.log", "testdata/cef.log/basic.log") }
func BenchmarkFortigate(b *testing.B) {
	benchmarkFile(b, "fortinet_fortigate.log", "testdata/fortinet_fortigate.log/basic.log")
}
func BenchmarkPANOS(b *testing.B) { benchmarkFile(b, "panw.panos", "testdata/panw.panos/basic.log") }
func BenchmarkVPCFlow(b *testing.B) {
	benchmarkFile(b, "aws.vpcflow", "testdata/aws.vpcflow/default.log")
}
func BenchmarkWindowsFirewall(b *testing.B) {
	benchmarkFile(b, "windows.firewall", "testdata/windows.firewall/basic.log")
}
