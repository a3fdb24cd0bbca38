package simulate

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"time"
)

// Line is one line of a text log as it is written, in the order of the world's
// time.
type Line struct {
	Host string
	Path string // of the log on its host
	At   time.Time
	Text []byte // without the end of the line; valid during the call
}

// Syslog is the line as a host would send it by syslog (RFC 3164): what rsyslog
// wrote is sent as it is, any other program's line gets a header with the
// program's name as tag.
func (l *Line) Syslog(dst []byte) []byte {
	name := strings.TrimSuffix(path.Base(l.Path), ".log")
	facility := map[string]int{"auth": 10, "kern": 0, "syslog": 3, "dhcpd": 3}
	if f, ok := facility[name]; ok {
		dst = fmt.Appendf(dst, "<%d>", f*8+6)
		return append(dst, l.Text...)
	}
	dst = fmt.Appendf(dst, "<%d>%s %s %s: ", 16*8+6, l.At.Format("Jan _2 15:04:05"), l.Host, name)
	return append(dst, bytes.TrimRight(l.Text, "\r")...)
}
