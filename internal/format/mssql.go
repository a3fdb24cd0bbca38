package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The ERRORLOG of Microsoft SQL Server: "2022-12-20 12:36:54.17 Logon       Login failed for
// user 'SA'. Reason: … [CLIENT: 192.0.2.3]". A login's failure has a line of its numbers before
// it, "Error: 18456, Severity: 14, State: 8.".
// https://learn.microsoft.com/en-us/sql/relational-databases/logs/
var _ = register(Format{
	Name:  "mssql.log",
	Title: "Microsoft SQL Server ERRORLOG",
	Group: "database",
	Recognise: func(s *Sample) int {
		begins := func(l string) bool { _, _, _, ok := mssqlHead(l, &timestamp.Clock{}); return ok }
		return mostly(92, s.Share(begins)) * mysqlAny(s, func(l string) bool {
			return begins(l) && (strings.Contains(l, " Logon  ") || strings.Contains(l, " spid") || strings.Contains(l, " Server  ") || strings.Contains(l, " Backup  "))
		})
	},
	Lines: func(p *Params) LineDecoder {
		return func(line string, b *event.Batch) error {
			ns, source, text, ok := mssqlHead(line, p.Clock)
			if !ok {
				return errorString("no time and source: not a line of ERRORLOG")
			}
			b.Event().Time = ns
			b.Add("event.dataset", "mssql.log")
			b.Add("event.kind", "event")
			b.Add("mssql.log.origin", source)
			b.Add("message", text)
			b.Add("event.category", "database")
			if rest, ok := strings.CutPrefix(text, "Error: "); ok {
				code, rest, _ := strings.Cut(rest, ", Severity: ")
				severity, state, _ := strings.Cut(rest, ", State: ")
				b.Add("event.code", code)
				b.AddNumber("event.severity", severity)
				b.Add("mssql.log.state", strings.TrimRight(state, "."))
				b.Add("event.type", "error")
				return nil
			}
			if at := strings.LastIndex(text, "[CLIENT: "); at >= 0 {
				if client := strings.TrimSuffix(text[at+len("[CLIENT: "):], "]"); isIP(client) {
					addSource(b, client, "")
				}
			}
			failed := strings.HasPrefix(text, "Login failed for user")
			if rest, ok := strings.CutPrefix(text, "Login succeeded for user"); ok || failed {
				if failed {
					rest = text
				}
				if _, name, ok := strings.Cut(rest, "'"); ok {
					name, _, _ = strings.Cut(name, "'")
					if domain, user, ok := strings.Cut(name, `\`); ok {
						b.Add("user.domain", domain)
						name = user
					}
					b.Add("user.name", name)
				}
				if _, reason, ok := strings.Cut(text, "Reason: "); ok {
					reason, _, _ = strings.Cut(reason, " [CLIENT")
					b.Add("event.reason", reason)
				}
				b.Add("event.category", "authentication")
				b.Add("event.type", "start")
				b.Add("event.action", "login")
				if failed {
					b.Add("event.outcome", "failure")
				} else {
					b.Add("event.outcome", "success")
				}
				return nil
			}
			if rest, ok := strings.CutPrefix(text, "Configuration option '"); ok && strings.Contains(rest, "' changed from ") {
				b.Add("event.category", "configuration")
				b.Add("event.type", "change")
				b.Add("event.action", "configuration-changed")
				option, _, _ := strings.Cut(rest, "'")
				b.Add("mssql.log.option", option)
				return nil
			}
			b.Add("event.type", "info")
			return nil
		}
	},
	Joins: func(line []byte) bool {
		return len(line) < 20 || !isDigits(event.View(line[:4])) || line[4] != '-' || line[7] != '-'
	},
})

// mssqlHead cuts a line: its time, who writes ("Logon", "spid7s", "Server", "Backup") and the text,
// which begins in the 36th column or behind what is longer.
func mssqlHead(l string, clock *timestamp.Clock) (ns int64, source, text string, ok bool) {
	ns, n, ok := clock.ISO(l)
	if !ok || n < 21 || n+2 >= len(l) || l[n] != ' ' || l[10] != ' ' {
		return 0, "", "", false
	}
	rest := l[n+1:]
	end := strings.IndexByte(rest, ' ')
	if end < 3 {
		return 0, "", "", false
	}
	source, text = rest[:end], strings.TrimLeft(rest[end:], " ")
	switch {
	case strings.HasPrefix(source, "spid"):
		return ns, source, text, true
	case source == "Logon" || source == "Server" || source == "Backup":
		return ns, source, text, len(rest) > end+1 && rest[end+1] == ' '
	}
	return 0, "", "", false
}
