// Techniques measures the analysis techniques on labelled data, each beside a simple
// means to the same end.
//
//	go run ./bench/techniques [-corpus DIR] [-seeds 201,202,203] [-days 14] [-users 12] [-rows DIR] [PART…]
//
// PART is one of
//
//	openstack   sequences of requests, learnt from those that went well
//	bgl         messages of a supercomputer, with its operators' marks
//	grammars    made-up programs whose messages have an order, and runs of them that go wrong
//	ait         alerts of four simulated enterprise networks (AIT-ADS): hours of hosts, and what verdicts teach
//	simulated   worlds of `sextant simulate intrusion`, with their labels: what each technique finds of whom
//	damage      the same worlds, with each log cut, ended, emptied, truncated, its clock set back, records taken out
//	people      invented companies, in which some lose their account to one who uses it when they do not
//	bursts      invented series with days and weeks, in which an hour is too full or some are too empty
//	leaks       invented uploads, with leaks of several sizes to new addresses
//	journeys    invented logins from places, and thefts from far away
//	links       an invented office: who and what was at which address when
//	sessions    invented logins, logons, sudo and su, and programs that start others: what the timeline makes of them
//	correlation planted pairs of series of which one follows the other; planted leases, tunnels and logons
//	firsts      invented accounts, programs and computers, of which some do something for the first time
//	night       the same worlds, with a record in the night put into the life of each account
//	network     generated domains, beacons, tunnels, scans and long connections put into the same worlds and into the
//	            real logs of the corpus, by kind and pace
//
// all of them without one. openstack, bgl and ait need the corpus and are left out without it. It exits with 1 if something is
// worse than the floor that is written beside it.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/learn"
)

func main() {
	corpus := flag.String("corpus", cmp.Or(os.Getenv("SEXTANT_CORPUS"), filepath.Join("..", "shared", "corpus")), "folder of the corpus; also $SEXTANT_CORPUS")
	seeds := flag.String("seeds", "201,202,203", "seeds of the simulated worlds")
	days := flag.Int("days", 14, "days that each lives")
	users := flag.Int("users", 12, "people in each")
	rows := flag.String("rows", "", "folder for the rows that isolation forests are given (ait), for isolation_forest.py")
	verbose := flag.Bool("v", false, "print each finding that no intrusion caused")
	flag.Parse()
	m := &measurement{corpus: *corpus, rows: *rows, days: *days, users: *users, verbose: *verbose}
	for _, s := range strings.Split(*seeds, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		if err != nil {
			fmt.Fprintf(os.Stderr, "techniques: -seeds: %v\n", err)
			os.Exit(2)
		}
		m.seeds = append(m.seeds, n)
	}
	parts := []struct {
		name string
		run  func(*measurement) error
		data string // what it needs of the corpus
	}{
		{"openstack", (*measurement).openstack, "anomaly_sequences/openstack_parisakalaki"},
		{"bgl", (*measurement).bgl, "loghub/BGL/BGL_2k.log"},
		{"grammars", (*measurement).grammars, ""},
		{"ait", (*measurement).ait, "ait_alert_data_set"},
		{"simulated", (*measurement).simulated, ""},
		{"damage", (*measurement).damage, ""},
		{"people", (*measurement).people, ""},
		{"bursts", (*measurement).bursts, ""},
		{"leaks", (*measurement).leaks, ""},
		{"journeys", (*measurement).journeys, ""},
		{"firsts", (*measurement).firsts, ""},
		{"night", (*measurement).night, ""},
		{"network", (*measurement).network, ""},
		{"correlation", (*measurement).correlation, ""},
		{"links", (*measurement).entityLinks, ""},
		{"sessions", (*measurement).sessions, ""},
	}
	for _, a := range flag.Args() {
		if !slices.ContainsFunc(parts, func(p struct {
			name string
			run  func(*measurement) error
			data string
		}) bool {
			return p.name == a
		}) {
			fmt.Fprintf(os.Stderr, "techniques: no part %q\n", a)
			os.Exit(2)
		}
	}
	for _, p := range parts {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), p.name) {
			continue
		}
		if p.data != "" {
			if _, err := os.Stat(filepath.Join(*corpus, p.data)); err != nil {
				fmt.Printf("%s: left out, there is no corpus (%v)\n\n", p.name, err)
				continue
			}
		}
		if err := p.run(m); err != nil {
			fmt.Fprintf(os.Stderr, "techniques: %s: %v\n", p.name, err)
			os.Exit(1)
		}
		fmt.Println()
	}
	for _, w := range m.worse {
		fmt.Fprintln(os.Stderr, "techniques: worse than it was:", w)
	}
	if len(m.worse) > 0 {
		os.Exit(1)
	}
}

// measurement is what is asked for, and what was found to be worse than its floor.
type measurement struct {
	corpus      string
	rows        string
	seeds       []uint64
	days, users int
	verbose     bool
	worse       []string
}

// floor notes a figure that is below what was reached before.
func (m *measurement) floor(what string, got, least float64) {
	if !(got >= least) {
		m.worse = append(m.worse, fmt.Sprintf("%s: %.3f, was at least %.3f", what, got, least))
	}
}

func header(title string) {
	fmt.Printf("%-58s  %5s  %7s  %9s  %6s  %9s\n", title, "AUC", "best F1", "precision", "recall", "P at K")
}

// show prints a row of figures. Precision and recall are those of the best F1; at K, K being how many are true.
func show(what string, q learn.Quality) {
	auc := "    –"
	if !math.IsNaN(q.AUC) {
		auc = fmt.Sprintf("%5.3f", q.AUC)
	}
	fmt.Printf("%-58s  %s  %7.3f  %9.3f  %6.3f  %9.3f\n", what, auc, q.BestF1, q.BestP, q.Recall, q.Precision)
}
