package analyze

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRandomLettersAreOddAndWordsAreNot prints how odd names are, in bits a letter: the figures of
// docs/techniques/generated.md.
func TestRandomLettersAreOddAndWordsAreNot(t *testing.T) {
	span := func(names []string) (low, middle, high float64) {
		var bits []float64
		for _, n := range names {
			bits = append(bits, oddity(n))
		}
		slices.Sort(bits)
		return bits[0], bits[len(bits)/2], bits[len(bits)-1]
	}
	words := []string{"weather", "newspaper", "gardening", "bookshop", "travelagency", "musicstore", "hospital", "university", "cloudstorage", "sportsnews",
		"railwaytickets", "homebanking", "photoalbum", "kitchenworld", "flowerpower", "winterjackets", "recipebox", "morningpost", "streetmaps", "insurance"}
	abbreviations := []string{"fbcdn", "gstatic", "msftncsi", "akamaihd", "ytimg", "dbankcdn", "wpcdn", "bbci", "awsdns", "cdninstagram"}
	r := rand.New(rand.NewPCG(4, 4))
	var random []string
	for range 500 {
		b := make([]byte, 8+r.IntN(12))
		for i := range b {
			b[i] = 'a' + byte(r.IntN(26))
		}
		random = append(random, string(b))
	}
	odd := 0
	for _, n := range random {
		if oddity(n) > oddBits {
			odd++
		}
	}
	for _, k := range []struct {
		name  string
		names []string
	}{{"words", words}, {"abbreviations", abbreviations}, {"random letters", random}} {
		low, middle, high := span(k.names)
		t.Logf("%-14s %.1f to %.1f bits a letter, half of them below %.1f", k.name, low, high, middle)
	}
	t.Logf("%d of %d names of random letters are above %.1f", odd, len(random), oddBits)
	if _, _, high := span(words); high >= oddBits {
		t.Errorf("words have up to %.1f bits a letter", high)
	}
	if odd < 425 {
		t.Errorf("%d of 500 names of random letters are odd", odd)
	}
}
