package incident

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Whatever fits in a book, sessions are found as by asking for each.
func TestABookTellsOfTheSameSessionsAtAnySize(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	w := &world{}
	name := func(of string, n int) string { return fmt.Sprint(of, r.IntN(n)) }
	var users []string
	for i := range 3 {
		users = append(users, fmt.Sprint("user", i))
	}
	owner := map[string]string{}
	for i := range 3 {
		owner[fmt.Sprint("10.0.0.", i)] = fmt.Sprint("host", i)
	}
	second := 0
	for range 400 {
		second += r.IntN(600)
		rec := sshd(name("host", 3), name("10.0.0.", 5), name("user", 4), "success")
		rec.pid = name("", 40)
		if r.IntN(3) == 0 {
			rec.types = []string{"end"}
		}
		w.log(second, rec)
	}
	open := func(most int) *court {
		return &court{store: w, owner: owner, time: span{at(0), at(second)}, sessions: map[[2]string][]visit{}, ends: map[string]visit{}, book: newBook(users, at(second), most)}
	}
	sizes := []int{0, 1, 30, 100, 5000} // 0: each is asked for
	courts := map[int]*court{}
	for _, most := range sizes {
		courts[most] = open(most)
	}
	courts[0].book.users = nil
	found, hops := 0, 0
	for s := 0; s < second; s += 1 + r.IntN(1500) {
		host, user := name("host", 3), name("user", 3)
		var want string
		for _, most := range sizes {
			c := courts[most]
			c.asked = 0
			trail, err := c.trace(t.Context(), host, user, nil, at(s))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(trail)
			if most == 0 {
				want = got
				found, hops = found+min(len(trail), 1), max(hops, len(trail))
			} else if got != want {
				t.Fatalf("%s on %s at %d s, with a book of %d: %s, want %s", user, host, s, most, got, want)
			}
		}
	}
	if found < 60 || hops < 2 {
		t.Errorf("%d sessions, %d hops: the test tests nothing", found, hops)
	}
}
