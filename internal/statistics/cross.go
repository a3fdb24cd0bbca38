package statistics

import (
	"context"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mathext"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Table says how often values of two fields come together in one event.
type Table struct {
	Fields     [2]string
	Rows, Cols []string  // the most frequent values; the rest are one, Other
	Counts     [][]int64 // by row, then column
	RowSums    []int64
	ColSums    []int64
	N          int64 // events that have both fields
	ChiSquare  float64
	Freedom    float64 // degrees of freedom of ChiSquare
	P          float64 // the probability of a ChiSquare as large if the fields had nothing to do with each other
	CramersV   float64 // how strongly they go together, 0 to 1
}

// Other names the values that are not told apart. A value that is itself this text
// is shown in quotes: nobody hides among the rest by calling himself so.
const Other = "(other)"

// rest is what stands for Other within queries: no value of a log is like it.
const rest = "\x00sextant.rest\x00"

// shown is how a value of a query's answer is called.
func shown(value string) string {
	switch value {
	case rest:
		return Other
	case Other:
		return strconv.Quote(Other)
	}
	return value
}

// Cross returns the table of two fields over the events that a query finds,
// with at most so many rows and columns told apart.
func Cross(ctx context.Context, st store.Store, query, first, second string, rows, cols int) (*Table, error) {
	t := &Table{Fields: [2]string{first, second}}
	both := unrolled(unrolled(with(query, quote(first)+":* "+quote(second)+":*"), first), second)
	index := func(field string, most int, names *[]string, sums *[]int64) ([]Value, map[string]int, error) {
		top, more, err := Top(ctx, st, both, field, most)
		if err != nil {
			return nil, nil, err
		}
		at := map[string]int{}
		left := t.N
		for i, v := range top {
			at[v.Value] = i
			*names, *sums = append(*names, shown(v.Value)), append(*sums, v.Count)
			left -= v.Count
		}
		if more {
			*names, *sums = append(*names, Other), append(*sums, left)
		}
		return top, at, nil
	}
	err := st.Query(ctx, with(both, quote(first)+":* "+quote(second)+":*")+" | stats count() sextant_n", func(row []event.Field) (err error) {
		t.N, err = number(row, "sextant_n")
		return err
	})
	if err != nil {
		return nil, err
	}
	a, rowAt, err := index(first, rows, &t.Rows, &t.RowSums)
	if err != nil {
		return nil, err
	}
	b, colAt, err := index(second, cols, &t.Cols, &t.ColSums)
	if err != nil {
		return nil, err
	}
	for range t.Rows {
		t.Counts = append(t.Counts, make([]int64, len(t.Cols)))
	}
	if t.N == 0 {
		t.P = 1
		return t, nil
	}
	told := with(both, among(first, a), among(second, b))
	err = st.QueryWith(ctx, told+" | stats by ("+quote(first)+", "+quote(second)+") count() sextant_n", store.QueryOptions{Unsorted: true}, func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		r, ok := rowAt[column(row, first)]
		c, ok2 := colAt[column(row, second)]
		if ok && ok2 {
			t.Counts[r][c] += n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t.fill(len(rowAt), len(colAt))
	t.test()
	return t, nil
}

// among is the condition that a field has one of some values.
func among(field string, values []Value) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = quote(v.Value)
	}
	return quote(field) + ":in(" + strings.Join(list, ",") + ")"
}

// fill makes the last row and column what the sums leave for them.
func (t *Table) fill(rows, cols int) {
	for r := range rows {
		if len(t.Cols) > cols {
			left := t.RowSums[r]
			for _, n := range t.Counts[r][:cols] {
				left -= n
			}
			t.Counts[r][cols] = left
		}
	}
	if len(t.Rows) > rows {
		for c := range t.Cols {
			left := t.ColSums[c]
			for r := range rows {
				left -= t.Counts[r][c]
			}
			t.Counts[rows][c] = left
		}
	}
}

// test is Pearson's chi-square of independence and Cramér's V.
func (t *Table) test() {
	t.Freedom = float64((len(t.Rows) - 1) * (len(t.Cols) - 1))
	for r := range t.Rows {
		for c := range t.Cols {
			if e := t.Expected(r, c); e > 0 {
				d := float64(t.Counts[r][c]) - e
				t.ChiSquare += d * d / e
			}
		}
	}
	t.P = chiSquareP(t.ChiSquare, t.Freedom)
	if k := min(len(t.Rows), len(t.Cols)) - 1; k > 0 && t.N > 0 {
		t.CramersV = math.Sqrt(t.ChiSquare / (float64(t.N) * float64(k)))
	}
}

// Small is how many cells have an expected count below five, of all: where they are more than a fifth, or one
// is below one, the distribution of ChiSquare is not what P takes it for (Cochran, 1954).
func (t *Table) Small() (small, cells int, rough bool) {
	least := math.Inf(1)
	for r := range t.Rows {
		for c := range t.Cols {
			e := t.Expected(r, c)
			if least = min(least, e); e < 5 {
				small++
			}
		}
	}
	cells = len(t.Rows) * len(t.Cols)
	return small, cells, cells > 0 && (least < 1 || small*5 > cells)
}

// Stands reports whether a cell has more (1) or fewer (-1) events than chance explains: by over four
// standard deviations, and with so few expected that these mean little, by a Poisson count as unlikely.
func (t *Table) Stands(r, c int) int {
	z, n, e := t.Residual(r, c), float64(t.Counts[r][c]), t.Expected(r, c)
	const unlikely = 3.2e-5 // of a normal variable above four standard deviations
	switch {
	case z > 4 && mathext.GammaIncReg(n, e) < unlikely: // of n or more
		return 1
	case z < -4 && mathext.GammaIncRegComp(n+1, e) < unlikely: // of n or fewer
		return -1
	}
	return 0
}

// Expected is how many events a cell would have if the fields had nothing to
// do with each other.
func (t *Table) Expected(r, c int) float64 {
	return float64(t.RowSums[r]) * float64(t.ColSums[c]) / float64(t.N)
}

// Residual is by how many standard deviations a cell differs from Expected
// (Haberman, 1973).
func (t *Table) Residual(r, c int) float64 {
	n := float64(t.N)
	v := t.Expected(r, c) * (1 - float64(t.RowSums[r])/n) * (1 - float64(t.ColSums[c])/n)
	if !(v > 0) {
		return 0
	}
	return (float64(t.Counts[r][c]) - t.Expected(r, c)) / math.Sqrt(v)
}
