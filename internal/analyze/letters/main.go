// Command letters makes letters.bin, how likely English words have each letter after
// the two before it, of a list of words, one a line, on standard input:
//
//	go run ./internal/analyze/letters < /usr/share/dict/american-english > internal/analyze/letters.bin
//
// The table that is kept was made of SCOWL's list for American English
// (http://wordlist.aspell.net, whose licence permits every use).
package main

import (
	"bufio"
	"log"
	"math"
	"os"
	"strings"
)

// Symbols: 0 is the beginning and the end, 1 to 26 the letters, 27 a digit.
const symbols = 28

func main() {
	var counts [symbols][symbols][symbols]float64
	var after [symbols]float64 // whatever came before
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		w := strings.TrimSuffix(strings.ToLower(sc.Text()), "'s")
		if len(w) < 3 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			continue
		}
		a, b := 0, 0
		for _, c := range w + "`" { // the character before 'a' is 0
			s := int(c-'a') + 1
			counts[a][b][s]++
			after[s]++
			a, b = b, s
		}
	}
	if err := sc.Err(); err != nil {
		log.Fatal(err)
	}
	total := 0.0
	for _, n := range after {
		total += n
	}
	out := make([]byte, 0, symbols*symbols*symbols)
	for a := range symbols {
		for b := range symbols {
			sum, pair := 0.0, 0.0
			var given [symbols]float64 // after b, whatever was before it
			for x := range symbols {
				for c, n := range counts[x][b] {
					given[c] += n
					pair += n
				}
			}
			for _, n := range counts[a][b] {
				sum += n
			}
			for c := range symbols {
				// Each order is smoothed by the one below, in the manner of Witten and Bell.
				one := (after[c] + 1) / (total + symbols)
				two := (given[c] + 8*one) / (pair + 8)
				three := (counts[a][b][c] + 8*two) / (sum + 8)
				out = append(out, byte(min(255, math.Round(-math.Log2(three)*16))))
			}
		}
	}
	os.Stdout.Write(out)
}
