package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

var _ = registerProgram(program{Names: []string{"clamd", "clamav", "clamscan", "clamdscan", "clamonacc", "clamav-milter"}, Decode: decodeClamAV})

// ClamAV's findings: "/srv/a.exe: Win.Test.EICAR_HDB-1 FOUND", with or without "(md5:size)" behind the name, as clamd writes them
// with LogSyslog (ExtendedDetectionInfo), and "instream(192.0.2.7@4711): … FOUND" of what came over a socket.
func decodeClamAV(m *message, b *event.Batch) bool {
	rest, ok := strings.CutSuffix(strings.TrimSpace(m.Text), " FOUND")
	if !ok {
		return false
	}
	path, name, ok := cutLast(rest, ": ")
	if !ok {
		return false
	}
	if at := strings.LastIndexByte(name, '('); at > 0 && strings.HasSuffix(name, ")") {
		if sum, _, ok := strings.Cut(name[at+1:len(name)-1], ":"); ok {
			switch len(sum) {
			case 32:
				b.Add("file.hash.md5", sum)
			case 64:
				b.Add("file.hash.sha256", sum)
			}
			name = name[:at]
		}
	}
	if peer, ok := strings.CutPrefix(path, "instream("); ok {
		address, port, _ := strings.Cut(strings.TrimSuffix(peer, ")"), "@")
		addSource(b, address, port)
	} else {
		b.Add("file.path", path)
	}
	b.Add("rule.name", name)
	classify(b, "malware", "info", "malware-found", "success")
	return true
}
