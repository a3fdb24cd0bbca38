package pipeline

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Anomalies lets the analysis techniques look at the records of a store that
// a LogsQL query finds, without rules or incidents; see analyze.NewSet for perDay.
func Anomalies(ctx context.Context, st store.Store, query string, perDay int) ([]analyze.Finding, []analyze.Report, error) {
	set := analyze.NewSet(perDay)
	sources := []store.Record{}
	err := st.Query(ctx, query+" | stats by (sextant.source) min(log.file.path) path, count() records, max(log.offset) last", func(row []event.Field) error {
		var s store.Record
		for _, f := range row {
			switch f.Name {
			case "sextant.source":
				s.ID = strings.Clone(f.Value)
			case "path":
				s.Path = strings.Clone(f.Value)
			case "records":
				s.Records, _ = strconv.ParseInt(f.Value, 10, 64)
			case "last":
				s.Size, _ = strconv.ParseInt(f.Value, 10, 64)
			}
		}
		sources = append(sources, s)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(sources, func(a, b store.Record) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.ID, b.ID))
	})
	var digests []any
	for _, s := range sources {
		err := stretches(ctx, st, query, s, func(b *event.Batch) error {
			digests = set.Digest(s.Path, b, digests[:0])
			set.Merge(digests)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return set.Findings(ctx, st)
}
