package store

import "testing"

func TestEmbedded(t *testing.T) {
	testStore(t, func(t *testing.T) Store {
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
