package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Documents of agents whose record is decoded already: what remains is to say whose it is.

// agentMembers are the members that only documents of one product have.
var agentMembers = []struct{ prefix, dataset string }{
	{"cef.device.", "cef.log"},
	{"cef.extensions.", "cef.log"},
	{"netflow.exporter.", "netflow.log"},
	{"auditd.message_type", "auditd_manager.auditd"},
	{"auditd.summary.", "auditd_manager.auditd"},
}

// agentDataset is the data set of an agent's document: the one it names, else that of the product whose members it
// has; "" for neither.
func agentDataset(s *jsonShapes, b *event.Batch) string {
	for _, name := range [...]string{"event.dataset", "data_stream.dataset", "fileset.name"} {
		v := s.get(name)
		if v == "" || v == "generic" || len(v) > 100 {
			continue
		}
		if name == "fileset.name" && !strings.Contains(v, ".") {
			module := s.get("event.module")
			if module == "" {
				module = s.get("fileset.module")
			}
			if module == "" {
				continue
			}
			v = b.Bytes([]byte(module + "." + v))
		}
		return v
	}
	for i := range s.leaves {
		path := s.leaves[i].Name.Path
		for _, m := range agentMembers {
			if strings.HasPrefix(path, m.prefix) {
				return m.dataset
			}
		}
	}
	return ""
}

// addAuditbeat gives what Auditbeat says of the kernel's audit records the names that auditd_manager's data set has.
func (d *jsonRouter) addAuditbeat(s *jsonShapes, b *event.Batch) {
	e := b.Event()
	original := ""
	for i := range s.leaves {
		l := &s.leaves[i]
		switch path := l.Name.Path; path {
		case "auditd.messages", "event.original":
			if original == "" {
				original = l.Value
			}
			if path == "event.original" {
				b.Add("auditd.messages", l.Value)
			}
		default:
			for _, of := range [...]string{"user.audit.", "user.filesystem.", "user.saved.", "user.selinux."} {
				if strings.HasPrefix(path, of) {
					b.AddKind(b.Bytes([]byte("auditd."+path)), l.Value, l.Kind)
				}
			}
		}
	}
	if e.Time != event.NoTime {
		return
	}
	if _, rest, ok := strings.Cut(original, "msg=audit("); ok { // "msg=audit(1735689600.123:42)"
		if stamp, _, ok := strings.Cut(rest, ":"); ok {
			if ns, ok := d.p.Clock.Epoch(stamp); ok {
				e.Time = ns
			}
		}
	}
}
