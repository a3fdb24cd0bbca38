package patterns

import (
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/logpattern"
)

// tableTabs is how many tabs make a record a row of a table, which says nothing in words.
const tableTabs = 5

// Bounds of what names the kind of a record without words.
const (
	maxKindValue = 60 // bytes of a value that does; a longer one is text
	maxKindNamed = 4  // of those that do
	maxKindNames = 30 // fields of a record that nothing names
	maxLeaf      = 13 // bytes of the longest of the words of namesKind
)

// AppendMasked appends what a miner takes for an event: its message, masked. A structured record that has no message is of the
// kind that its dataset, provider, code and action say; one that has no code or action, of the kind that a field
// such as type or operation names; a JSON object of no known product that has none of those either, of the kind of all that
// have the same fields.
func AppendMasked(dst []byte, e *event.Event) []byte {
	message := e.Get("message")
	if message == "" && e.Raw != "" && e.Raw[0] != '{' && e.Raw[0] != '<' && e.Raw[0] != '[' && e.Sequence == 0 && strings.Count(e.Raw, "\t") < tableTabs {
		message = e.Raw
	}
	if message != "" {
		return logpattern.AppendMasked(dst, message)
	}
	var kind strings.Builder
	add := func(s string) {
		if kind.Len() > 0 {
			kind.WriteByte(' ')
		}
		kind.WriteString(s)
	}
	dataset, said := "", false
	for i := range e.Fields {
		switch f := &e.Fields[i]; f.Name {
		case "event.dataset":
			dataset = f.Value
			add(clip(f.Value))
		case "event.provider":
			add(clip(f.Value))
		case "event.code", "event.action":
			add(clip(f.Value))
			said = true
		}
	}
	if !said {
		var named []string
		for i := range e.Fields {
			if f := &e.Fields[i]; namesKind(f) {
				named = append(named, f.Name+"="+f.Value)
			}
		}
		slices.Sort(named)
		for _, n := range named[:min(len(named), maxKindNamed)] {
			add(n)
			said = true
		}
	}
	if !said && dataset == "json" {
		var names []string
		for i := range e.Fields {
			if n := e.Fields[i].Name; !derived(n) && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		add("{" + strings.Join(names[:min(len(names), maxKindNames)], ", "))
		if len(names) > maxKindNames {
			kind.WriteString(", …")
		}
		kind.WriteByte('}')
	}
	return logpattern.AppendKind(dst, kind.String())
}

func clip(s string) string { return s[:min(len(s), 100)] }

// namesKind reports whether a field is one by which programs say what kind of record it is, and its value a name.
func namesKind(f *event.Field) bool {
	if f.Value == "" || len(f.Value) > maxKindValue {
		return false
	}
	// The last part of the name as eventName, event_name and Event-Name are one.
	var leaf [maxLeaf + 1]byte
	n := 0
	for i := strings.LastIndexByte(f.Name, '.') + 1; i < len(f.Name) && n < len(leaf); i++ {
		c := f.Name[i]
		if c == '_' || c == '-' {
			continue
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		leaf[n] = c
		n++
	}
	switch string(leaf[:n]) {
	case "type", "kind", "event", "eventtype", "eventname", "eventkind", "action", "operation", "operationname", "op", "activity", "activityname", "category", "verb", "msgtype", "messagetype", "recordtype", "logtype":
	default:
		return false
	}
	if derived(f.Name) {
		return false
	}
	digits := 0
	for i := range len(f.Value) {
		switch c := f.Value[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c <= ' ' || c == 0x7f:
			return false // words are a text
		}
	}
	return digits <= 4 && digits*2 <= len(f.Value)+1
}

// derived reports whether a field is ours, not the record's.
func derived(name string) bool {
	for _, p := range []string{"event.", "log.", "related.", "error.", "sextant.", "@timestamp", "ecs.", "tags"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
