package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// Grouped runs a stats pipe that groups by a field, which may have more values
// than the engine can count at once: then it counts them in parts, by the
// values' hash, each value in one of them. It calls begin before each attempt,
// since rows of an attempt that failed may have been given to fn. Rows come in
// no order.
func Grouped(ctx context.Context, st Store, filter, field, stats string, begin func(), fn func(row []event.Field) error) error {
	return GroupedBy(ctx, st, filter, []string{field}, stats, begin, fn)
}

// GroupedBy is Grouped by several fields: each combination of their values is in one part.
func GroupedBy(ctx context.Context, st Store, filter string, fields []string, stats string, begin func(), fn func(row []event.Field) error) error {
	begin()
	unsorted := QueryOptions{Unsorted: true}
	err := st.QueryWith(ctx, filter+" | "+stats, unsorted, fn)
	key := fields[0]
	if len(fields) > 1 {
		key = "sextant_key"
		filter += " | format " + strconv.Quote("<"+strings.Join(fields, ">\x1f<")+">") + " as " + key
	}
	for parts := uint64(8); errors.Is(err, ErrMemory) && parts <= 4096; parts *= 8 {
		begin()
		err = nil
		for i := uint64(0); err == nil && i < parts; i++ {
			width := (1 << 53) / parts // the engine's hashes have 53 bits
			part := fmt.Sprintf(" | hash(%s) sextant_part | filter sextant_part:>=%d", strconv.Quote(key), i*width)
			if i+1 < parts {
				part += fmt.Sprintf(" sextant_part:<%d", (i+1)*width)
			}
			err = st.QueryWith(ctx, filter+part+" | "+stats, unsorted, fn)
		}
	}
	return err
}

// Split parses a query and returns its filter and its pipes as the engine
// prints them, so that conditions can be added to the one and pipes to the other.
func Split(logsql string) (filter string, list []string, err error) {
	q, err := parse(logsql, time.Now().UnixNano())
	if err != nil {
		return "", nil, err
	}
	defer recovered("rewrite", &err)
	filter, list = pipes(q)
	return filter, list, nil
}

// Narrowed is the query with a further condition on the rows it begins with.
func Narrowed(logsql, condition string) (string, error) {
	if strings.TrimSpace(logsql) == "" {
		return condition, nil
	}
	filter, list, err := Split(logsql)
	if err != nil {
		return "", err
	}
	if filter != "*" {
		condition += " (" + filter + ")"
	}
	return strings.Join(append([]string{condition}, list...), " | "), nil
}
