//go:build !linux

package pipeline

import "testing"

func measure(b *testing.B) func(events int) {
	return func(events int) { b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s") }
}
