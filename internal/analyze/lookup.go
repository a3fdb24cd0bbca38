package analyze

import (
	"slices"
	"strconv"
	"strings"
)

// Lookup is a LogsQL filter that finds the records of some event.ids.
type Lookup struct {
	IDs    []string
	Filter string
}

// maxLookup is how many ids one filter names.
const maxLookup = 2000

// Lookups makes filters for any number of ids, that are sorted here. An id
// tells the source and the offset of its record (see SplitID), so each filter
// names these as well: the store then leaves alone what it need not read,
// and the ids of a case are found in about one pass over it however many there are.
func Lookups(ids []string) []Lookup {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var ls []Lookup
	for part := range slices.Chunk(slices.Compact(ids), maxLookup) {
		ls = append(ls, lookup(part))
	}
	return ls
}

// Halves cuts a lookup in two, for when its records are too big to hold at once.
func (l Lookup) Halves() []Lookup {
	n := len(l.IDs) / 2
	return []Lookup{lookup(l.IDs[:n]), lookup(l.IDs[n:])}
}

func lookup(ids []string) Lookup {
	l := Lookup{IDs: ids}
	var sources []string
	lo, hi := int64(0), int64(0)
	for _, id := range ids {
		source, offset, ok := SplitID(id)
		if !ok {
			sources = nil
			break
		}
		if len(sources) == 0 {
			lo = offset
		}
		if len(sources) == 0 || sources[len(sources)-1] != source {
			sources = append(sources, source)
		}
		hi = offset
	}
	switch len(sources) {
	case 0:
	case 1:
		l.Filter = `{"sextant.source"=` + strconv.Quote(sources[0]) + `} "log.offset":range[` + strconv.FormatInt(lo, 10) + "," + strconv.FormatInt(hi, 10) + "] "
	default:
		l.Filter = `{"sextant.source" in (` + quoted(sources) + `)} `
	}
	l.Filter += `"event.id":in(` + quoted(ids) + ")"
	return l
}

func quoted(vs []string) string {
	var b strings.Builder
	for i, v := range vs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(v))
	}
	return b.String()
}

// SplitID takes an event.id apart: the 24 hex digits of its source's content,
// and the offset in it where the record stands (docs/decisions/001-event-id.md).
func SplitID(id string) (source string, offset int64, ok bool) {
	source, hex, ok := strings.Cut(id, "-")
	if !ok || len(source) != 24 || len(hex) < 10 {
		return "", 0, false
	}
	offset, err := strconv.ParseInt(hex, 16, 64)
	return source, offset, err == nil
}
