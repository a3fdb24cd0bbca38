package pipeline

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Anomalies lets the analysis techniques look at the records of a store that
// a LogsQL query finds, without rules or incidents; see analyze.NewSet for perDay.
func Anomalies(ctx context.Context, st store.Store, query string, perDay int) ([]analyze.Finding, []analyze.Report, error) {
	set := analyze.NewSet(perDay)
	type source struct{ id, path string }
	var sources []source
	err := st.Query(ctx, query+" | stats by (sextant.source) min(log.file.path) path", func(row []event.Field) error {
		var s source
		for _, f := range row {
			switch f.Name {
			case "sextant.source":
				s.id = strings.Clone(f.Value)
			case "path":
				s.path = strings.Clone(f.Value)
			}
		}
		sources = append(sources, s)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(sources, func(a, b source) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.id, b.id))
	})
	var digests []any
	for _, s := range sources {
		var batch event.Batch
		flush := func() {
			digests = set.Digest(s.path, &batch, digests[:0])
			set.Merge(digests)
			batch.Reset()
		}
		narrowed, err := store.Narrowed(query, "sextant.source:="+strconv.Quote(s.id))
		if err != nil {
			return nil, nil, err
		}
		err = st.Query(ctx, narrowed, func(row []event.Field) error {
			batch.Events = append(batch.Events, detect.Stored(row))
			if len(batch.Events) >= 4096 {
				flush()
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		flush()
	}
	return set.Findings(ctx, st)
}
