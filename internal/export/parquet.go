package export

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/sextant-logs/sextant/internal/event"
)

// parquetGroup is the memory of a row group, about: then its rows go to the
// output.
const (
	parquetGroup = 32 << 20
	valueBytes   = 24 // of a value, besides its text
	nullBytes    = 5  // of none
)

// columnType is what a Parquet column holds. A column starts as the narrowest
// type and widens as values say.
type columnType uint8

const (
	unseen columnType = iota
	whole             // INT64, and all values are exact as DOUBLE too
	big               // INT64
	real              // DOUBLE
	stamp             // TIMESTAMP, ns, UTC
	text              // STRING
)

// exactDigits is how many digits a DOUBLE holds whatever they are.
const exactDigits = 15

// widen returns the type of a column of type t that also holds v, which is
// not empty.
func (t columnType) widen(name, v string) columnType {
	if t == text {
		return text
	}
	u := typeOf(name, v)
	switch narrow, wide := min(t, u), max(t, u); {
	case narrow == unseen || narrow == wide:
		return wide
	case narrow == whole && (wide == big || wide == real):
		return wide
	}
	return text
}

func typeOf(name, v string) columnType {
	switch {
	case name == "_time":
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil && time.Unix(0, at.UnixNano()).Equal(at) {
			return stamp
		}
	case isName(name) || !isNumber(v) || v == "-0":
	case strings.Contains(v, "."):
		if len(v) <= exactDigits {
			return real
		}
	case len(v) <= exactDigits:
		return whole
	default:
		if _, err := strconv.ParseInt(v, 10, 64); err == nil {
			return big
		}
	}
	return text
}

// isName reports whether a column holds names or text even when all of its
// values look like numbers.
func isName(column string) bool {
	last := column[strings.LastIndexByte(column, '.')+1:]
	switch last {
	case "_msg", "message", "original", "id", "name", "hash", "head", "text", "line", "command_line", "args", "version":
		return true
	}
	return column == "sextant.source"
}

// parquetFile writes one Parquet file. All columns are optional; one whose values
// are all numbers is numeric, _time is a timestamp, all others are text.
type parquetFile struct {
	w       io.Writer
	options Options
	spool   *spool
	types   []columnType
}

func newParquet(w io.Writer, options Options) *parquetFile {
	return &parquetFile{w: w, options: options, spool: newSpool(options.TempDir)}
}

func (p *parquetFile) Write(row []event.Field) error {
	if err := p.spool.write(row); err != nil {
		return err
	}
	for i, n := range p.spool.columns.last {
		for len(p.types) <= n {
			p.types = append(p.types, unseen)
		}
		if v := row[i].Value; v != "" {
			p.types[n] = p.types[n].widen(row[i].Name, v)
		}
	}
	return nil
}

func (p *parquetFile) Close() error {
	defer p.spool.close()
	layout := p.spool.layout(p.options.Columns)
	group := parquet.Group{}
	names := make([]string, len(layout))
	types := make([]columnType, len(layout))
	for i, column := range layout {
		if n, ok := p.spool.columns.index[column]; ok {
			types[i] = p.types[n]
		}
		names[i] = clean(column)
		for group[names[i]] != nil { // names that differ only in what is no UTF-8, or asked for twice
			names[i] += "_"
		}
		group[names[i]] = parquet.Optional(leaf(column, types[i]))
	}
	w := parquet.NewWriter(p.w, parquet.NewSchema("events", inOrder{group, names}),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.CreatedBy("sextant", "", ""))
	row := make(parquet.Row, len(layout))
	size := 0
	err := p.spool.read(layout, func(cells []string) error {
		for i, v := range cells {
			if size += nullBytes; v != "" {
				size += len(v) + valueBytes
			}
			row[i] = parquetValue(types[i], v, i)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			return err
		}
		if size > parquetGroup {
			size = 0
			return w.Flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.Close()
}

func (p *parquetFile) Discard() error {
	p.spool.close()
	return nil
}

// inOrder is a group whose columns come in the order of names, where
// parquet.Group sorts them.
type inOrder struct {
	parquet.Group
	names []string
}

func (g inOrder) Fields() []parquet.Field {
	fields := g.Group.Fields()
	place := make(map[string]int, len(g.names))
	for i, name := range g.names {
		place[name] = i
	}
	slices.SortFunc(fields, func(a, b parquet.Field) int { return place[a.Name()] - place[b.Name()] })
	return fields
}

func leaf(name string, t columnType) parquet.Node {
	switch t {
	case whole, big:
		return parquet.Int(64)
	case real:
		return parquet.Leaf(parquet.DoubleType)
	case stamp:
		return parquet.Timestamp(parquet.Nanosecond)
	}
	switch name {
	case "_msg", "event.original", "event.id": // hardly any value comes twice
		return parquet.String()
	}
	return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
}

// parquetValue is v as the value of a column; "" is null.
func parquetValue(t columnType, v string, column int) parquet.Value {
	if v == "" {
		return parquet.NullValue().Level(0, 0, column)
	}
	var value parquet.Value
	switch t {
	case whole, big:
		n, _ := strconv.ParseInt(v, 10, 64)
		value = parquet.Int64Value(n)
	case real:
		f, _ := strconv.ParseFloat(v, 64)
		value = parquet.DoubleValue(f)
	case stamp:
		at, _ := time.Parse(time.RFC3339Nano, v)
		value = parquet.Int64Value(at.UnixNano())
	default:
		value = parquet.ByteArrayValue([]byte(strings.ToValidUTF8(v, "\uFFFD")))
	}
	return value.Level(0, 1, column)
}
