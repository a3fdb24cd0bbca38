// Agree measures how far Sextant's decoders agree with Elastic's. It reads a corpus of raw logs that stand beside the
// documents which Elastic's integrations (or Winlogbeat) make of them, decodes each log without being told its
// format, and compares field by field: same name and same value.
//
//	go run ./bench/agree [-corpus DIR] [-v] [-n COUNT] [PART…]
//
// PART selects the folders whose name has it as a part; -v lists the fields that differ most, with an example of each.
//
// What is not compared stands in ignored.tsv with the reason; what each folder must reach, and the datasets that are
// right for its records, in floors.tsv. Folders of other_products that floors.tsv does not name are measured
// differently: is every record timed, and are the addresses, users, hosts and hashes that Elastic found in it found by us.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

func main() {
	root := flag.String("corpus", corpusDir(), "folder of the corpus; also $SEXTANT_CORPUS")
	verbose := flag.Bool("v", false, "list the fields that differ most")
	worst := flag.Int("n", 12, "how many of them")
	rewrite := flag.Bool("floors", false, "print floors.tsv with what is reached now")
	flag.Parse()
	folders := find(*root)
	if len(folders) == 0 {
		fmt.Fprintf(os.Stderr, "agree: no logs with expected documents under %s: set -corpus\n", *root)
		os.Exit(1)
	}
	scores := measure(folders, func(name string) bool {
		for _, part := range flag.Args() {
			if strings.Contains(name, part) {
				return true
			}
		}
		return flag.NArg() == 0
	})
	if *rewrite {
		printFloors(os.Stdout, scores)
		return
	}
	table(os.Stdout, scores, *verbose, *worst)
	for _, s := range scores {
		if s.err != nil {
			os.Exit(1)
		}
	}
}

// corpusDir is where the corpus is, as for the tests that use it.
func corpusDir() string {
	if dir := os.Getenv("SEXTANT_CORPUS"); dir != "" {
		return dir
	}
	dir, _ := os.Getwd()
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			return filepath.Join(dir, "..", "shared", "corpus")
		}
	}
}

// measure scores the chosen folders, in their order.
func measure(folders []folder, chosen func(name string) bool) []*score {
	var scores []*score
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, f := range folders {
		if !chosen(f.name) {
			continue
		}
		s := newScore(f)
		scores = append(scores, s)
		wg.Go(func() {
			slots <- struct{}{}
			s.measure()
			<-slots
		})
	}
	wg.Wait()
	return scores
}

// table prints a row for each folder, and the totals.
func table(w io.Writer, scores []*score, verbose bool, worst int) {
	var all, strict, named, rest sum
	kind := ""
	for _, s := range scores {
		if k := s.class(); k != kind {
			switch kind = k; k {
			case kindRest:
				fmt.Fprintf(w, "\n%-42s %7s %7s %9s\n", "the rest of other_products", "records", "timed %", "related %")
			case kindNamed:
				fmt.Fprintf(w, "\n%-42s %7s %8s %7s %7s\n", "named products of other_products", "records", "fields", "equal %", "right %")
			default:
				fmt.Fprintf(w, "%-42s %7s %8s %7s %7s\n", "folder", "records", "fields", "equal %", "right %")
			}
		}
		name := s.name[strings.LastIndexByte(s.name, '/')+1:] // that of the integration and its stream
		if s.kind != "" {
			name = "winlogbeat " + name
		}
		switch kind {
		case kindRest:
			fmt.Fprintf(w, "%-42s %7d %7s %9s\n", name, s.records, percent(s.timed, s.records), percent(s.found, s.related))
			rest.add(&s.sum)
		default:
			mark := ""
			if s.equalPercent() < s.floor.fields || s.rightPercent() < s.floor.right {
				mark = "  below its floor"
			}
			fmt.Fprintf(w, "%-42s %7d %8d %7s %7s%s\n", name, s.records, s.fields, percent(s.equal, s.fields), percent(s.right, s.records), mark)
			if kind == kindNamed {
				named.add(&s.sum)
			} else {
				all.add(&s.sum)
			}
			if s.floor.fields >= 98 {
				strict.add(&s.sum)
			}
		}
		if s.err != nil {
			fmt.Fprintf(w, "    %v\n", s.err)
		}
		if verbose {
			s.differences(w, worst)
		}
	}
	fmt.Fprintln(w)
	line := func(title string, t *sum) {
		if t.records > 0 {
			fmt.Fprintf(w, "%-42s %7d %8d %7s %7s  (%s)\n", title, t.records, t.fields, percent(t.equal, t.fields), percent(t.right, t.records), percent(t.equal, t.fields+t.mistakes))
		}
	}
	fmt.Fprintln(w, "equal %: of the expected fields, same name and value; right %: of the records, recognised as their format.")
	fmt.Fprintln(w, "In brackets: equal %, were Elastic's own mistakes (ignored.tsv) counted.")
	line("all folders but other_products", &all)
	line("  of these with a floor of 98 %", &strict)
	line("named products of other_products", &named)
	if rest.records > 0 {
		fmt.Fprintf(w, "%-42s %7d records, %s %% timed, %s %% of %d related values found\n", "the rest of other_products", rest.records, percent(rest.timed, rest.records), percent(rest.found, rest.related), rest.related)
	}
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	p := 100 * float64(n) / float64(of)
	if n < of && p > 99.9 {
		p = 99.9 // never rounded up to all
	}
	return fmt.Sprintf("%.1f", p)
}
