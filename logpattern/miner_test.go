package logpattern

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// mine returns the text of the template of each message.
func mine(messages ...string) []string {
	m := New()
	var hs []Handle
	for _, s := range messages {
		hs = append(hs, m.Add(s))
	}
	var out []string
	for _, h := range hs {
		out = append(out, m.Template(h).Text)
	}
	return out
}

func TestWhatLooksVariableIsVariableInTheFirstMessage(t *testing.T) {
	for message, want := range map[string]string{
		"Accepted connection from 192.0.2.7 port 4711":                              "Accepted connection from <*> port <*>",
		"took 0.25 s, -17 left, 1.5e-7 and +3":                                      "took <*> s, <*> left, <*> and <*>",
		"id 6fa459ea-ee8a-3ca4-894e-db77e160355e done":                              "id <*> done",
		"peer 2001:db8::1 via 00:00:5e:00:53:af":                                    "peer <*> via <*>",
		"open /var/lib/x/y.db: denied":                                              "open <*>: denied",
		`loaded C:\Program\x.dll, ok`:                                               "loaded <*>, ok",
		"mail to alice@example.org sent":                                            "mail to <*> sent",
		"GET https://www.example.org/a?b=c now":                                     "GET https://<*> now",
		"db.example.org:5432 refused, localhost said":                               "<*>:<*> refused, localhost said",
		"ssh2 on tty1 with utf8":                                                    "ssh2 on tty1 with utf8",
		"block blk_-1608999687919862906 gone":                                       "block <*> gone",
		"flag=true was FALSE, null":                                                 "flag=<*> was <*>, <*>",
		`name="Jane Doe" age=7`:                                                     `name="<*>" age=<*>`,
		"at 12:34:56 on Sat Jun 18 02:08:10 2005, Fri Jul 01 08:16:53 PDT 2005":     "at <*>:<*>:<*> on <*>, <*>",
		`192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5`:         `<*> - - [<*>] "GET / HTTP/<*>" <*> <*>`,
		"Jul  4 10:12:13 host app[7]: up":                                           "<*> host app[<*>]: up",
		"sent 2048 bytes (2.0 KB, 2 KiB) in <1 sec, <5 left (7 KB)":                 "sent <*> bytes in <*>, <*> left (<*> KB)",
		"<134>x <b> a<3":                                                            "<<*>>x <b> a<*>",
		"example.org:443 at Main.java:17":                                           "<*>:<*> at Main.java:<*>",
		`unit "sda1" is "not ready" {"key": "v"}`:                                   `unit "<*>" is "not ready" {"key": "<*>"}`,
		"[2026-03-04 10:11:12,345] local.ERROR: x":                                  "[<*>] local.ERROR: x",
		"since 2026-03-04T10:11:12.5+01:00, till 2026/03/05 10:11 and 2026-03-05":   "since <*>, till <*> and <*>",
		"part 1234-56-789 of 2026-03-04x":                                           "part <*> of <*>",
		`"GET /m,p1,b2?page=3&x=%2F(a) HTTP/1.1" "https://www.example.org/a,b?c=d"`: `"GET <*> HTTP/<*>" "<*>"`,
		"GOODBYE /192.0.2.7:53, open /a/b, /c/d; see /help?topic=x.":                "GOODBYE <*>:<*>, open <*>, <*>; see <*>.",
		"\x1b[0;31mred\x1b[0m [3m left":                                             "red [<*> left",
		"   two  spaces\tand a tab ":                                                "two spaces and a tab",
		"\x1b[":                                                                     "[",
		"":                                                                          "",
	} {
		if got := mine(message)[0]; got != want {
			t.Errorf("%q\n got %q\nwant %q", message, got, want)
		}
	}
}

func TestNamesAreLearntAndVerbsAreKept(t *testing.T) {
	got := mine("session opened for user alice by cron", "session opened for user bob by cron",
		"session opened for user carol by cron", "session closed for user alice by cron", "service nginx started", "service nginx stopped")
	want := "session opened for user <*> by cron"
	if got[0] != want || got[1] != want || got[2] != want {
		t.Errorf("%q", got)
	}
	if got[3] != "session closed for user alice by cron" || got[4] == got[5] {
		t.Errorf("%q", got)
	}
}

func TestValuesAfterAnEqualsSignAreLearntFromTwo(t *testing.T) {
	got := mine("login user=alice mode=fast", "login user=bob mode=fast")
	if got[0] != "login user=<*> mode=fast" || got[1] != got[0] {
		t.Errorf("%q", got)
	}
}

func TestUnitsGrowWithTheNumberAndAreNotPartOfTheKind(t *testing.T) {
	got := mine("freed 900 KB in 1 second", "freed 1.2 GB in 7 seconds", "freed 7 slots in 1 second")
	if got[0] != "freed <*> in <*>" || got[1] != got[0] || got[2] == got[0] {
		t.Errorf("%q", got)
	}
}

func TestWhatLooksLikeANameMakesItsPlaceOneForNames(t *testing.T) {
	got := mine("wrote to 192.0.2.7", "wrote to backup", "wrote the file", "wrote a file")
	if got[0] != "wrote to <*>" || got[1] != got[0] || got[2] != "wrote the file" {
		t.Errorf("%q", got)
	}
}

func TestAListMayBeOfAnyLength(t *testing.T) {
	got := mine("stack 0x1f 0x2f 0x3f 0x4f end", "stack 0x1f 0x2f 0x3f end", "stack 0x1f 0x2f 0x3f 0x4f 0x5f 0x6f end")
	if got[0] != "stack <*> end" || got[1] != got[0] || got[2] != got[0] {
		t.Errorf("%q", got)
	}
}

// world makes messages of some kinds with random values.
func world(n int, seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	word := func() string {
		b := make([]byte, 3+r.IntN(6))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	var out []string
	for range n {
		switch r.IntN(5) {
		case 0:
			out = append(out, fmt.Sprintf("Accepted key for user %s from 192.0.2.%d", word(), r.IntN(250)))
		case 1:
			out = append(out, fmt.Sprintf("pool %d: user=%s state=%s", r.IntN(9), word(), []string{"IDLE", "BUSY"}[r.IntN(2)]))
		case 2:
			out = append(out, fmt.Sprintf("took %d ms", r.IntN(9999)))
		case 3:
			out = append(out, "cache "+[]string{"hit", "miss", "expired"}[r.IntN(3)])
		case 4:
			out = append(out, fmt.Sprintf("file %s.txt opened by %s", word(), word()))
		}
	}
	return out
}

func TestTemplatesDependOnTheMessagesNotOnTheirOrder(t *testing.T) {
	messages := world(400, 1)
	texts := func(ms []string) []string {
		m := New()
		for _, s := range ms {
			m.Add(s)
		}
		var out []string
		for _, x := range m.Templates() {
			out = append(out, fmt.Sprint(x.Text, x.Count))
		}
		slices.Sort(out)
		return out
	}
	want := texts(messages)
	shuffled := slices.Clone(messages)
	rand.New(rand.NewPCG(2, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if got := texts(shuffled); !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestEveryIDGivenBelongsToOneTemplateInTheEnd(t *testing.T) {
	m := New()
	given := map[string]Handle{}
	counts := map[string]int64{}
	for _, s := range world(3000, 3) {
		h := m.Add(s)
		given[m.ID(h)] = h
		counts[m.ID(h)]++
	}
	now := m.Resolve()
	byID := map[string]Template{}
	for _, x := range m.Templates() {
		byID[x.ID] = x
	}
	if len(byID) > 12 {
		t.Errorf("%d templates of 5 kinds of message", len(byID))
	}
	var total int64
	for id, n := range counts {
		to, moved := now[id]
		if !moved {
			to = id
		}
		if _, ok := byID[to]; !ok {
			t.Errorf("%s leads to %s, which is none", id, to)
		}
		total += n
	}
	if total != 3000 {
		t.Errorf("%d messages", total)
	}
}

func TestStateReadBackIsTheSameMiner(t *testing.T) {
	first, second := world(800, 4), world(800, 5)
	m := New()
	for _, s := range first {
		m.Add(s)
	}
	var state bytes.Buffer
	if _, err := m.WriteTo(&state); err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(state.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range second {
		if a, b := m.ID(m.Add(s)), again.ID(again.Add(s)); a != b {
			t.Fatalf("%q: %s and %s", s, a, b)
		}
	}
	if a, b := fmt.Sprint(m.Templates()), fmt.Sprint(again.Templates()); a != b {
		t.Errorf("\n%s\n%s", a, b)
	}
}

func TestMergedMinersKnowTheMessagesOfBoth(t *testing.T) {
	a, b, both := New(), New(), New()
	for _, s := range world(300, 6) {
		a.Add(s)
		both.Add(s)
	}
	for _, s := range world(300, 7) {
		b.Add(s)
		both.Add(s)
	}
	a.Merge(b)
	templates := func(m *Miner) (out []string) {
		for _, x := range m.Templates() {
			out = append(out, fmt.Sprint(x.ID, x.Text, x.Count))
		}
		return out
	}
	if x, y := templates(a), templates(both); !slices.Equal(x, y) {
		t.Errorf("\n%s\n%s", x, y)
	}
}

func TestAKindThatIsKnownStaysAsItIs(t *testing.T) {
	m := New()
	ids := map[string]bool{}
	for i := range 200 {
		h := m.AddMasked(AppendKind(nil, fmt.Sprintf("aws.cloudtrail Get\nThing%d ", i)), 1)
		if got, want := m.Template(h).Text, fmt.Sprintf("aws.cloudtrail Get Thing%d", i); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		ids[m.ID(h)] = true
	}
	m.Add("aws.cloudtrail Get Thing7")
	var state bytes.Buffer
	if _, err := m.WriteTo(&state); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&state)
	if err != nil || len(ids) != 200 || fmt.Sprint(again.Templates()) != fmt.Sprint(m.Templates()) {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

func TestHostileMessagesAreBounded(t *testing.T) {
	m := New()
	long := strings.Repeat("x1 (", 1<<17)
	if n := len(m.Template(m.Add(long)).Text); n > 8*maxMasked {
		t.Errorf("a template of %d bytes", n)
	}
	// Words that never come twice, in messages of few and of many forms.
	for i := range 150_000 {
		m.Add(fmt.Sprintf("word%c%c%c%c other", 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26, 'a'+i/17576%26))
		if i%10 == 0 {
			m.Add(strings.Repeat("x:", i%1000) + strings.Repeat(",;", i/1000))
		}
	}
	if len(m.shapes) > maxShapes+maxGroups || m.text > maxText+maxMasked*2 || m.places > maxPlaces+maxMasked {
		t.Errorf("%d shapes, %d bytes, %d words", len(m.shapes), m.text, m.places)
	}
	if n := len(m.Templates()); n > 30_000 {
		t.Errorf("%d templates", n)
	}
	m.Add("still counted")
}

func TestParametersAreTheValuesWithTheirTypes(t *testing.T) {
	got, ok := Parameters("Failed password for <*> from <*> port <*> ssh2", "Failed password  for root from 192.0.2.9 port 22 ssh2")
	want := []Parameter{{"text", "root"}, {"ip", "192.0.2.9"}, {"number", "22"}}
	if !ok || !slices.Equal(got, want) {
		t.Errorf("%v %v", got, ok)
	}
	got, ok = Parameters("<*> bytes sent, lifetime <*>", "5000 bytes (4.88 KB) sent, lifetime <1 sec")
	if want := []Parameter{{"number", "5000"}, {"text", "<1 sec"}}; !ok || !slices.Equal(got, want) {
		t.Errorf("%v %v", got, ok)
	}
	if _, ok := Parameters("Failed <*> ssh2", "Accepted x ssh2"); ok {
		t.Error("another message has parameters")
	}
	for v, want := range map[string]string{"2001:db8::1": "ip", "00:00:5e:00:53:af": "mac", "0x1f": "hex", "10ms": "duration", "4kB": "size",
		"/etc": "path", "": "empty", "true": "boolean", "-1.5": "number", "a@example.org": "email", "12:30:01": "time", "2026-03-04 12:30:01.5": "time", "/a?b=c": "path", "https://example.org": "url"} {
		if got := Type(v); got != want {
			t.Errorf("%q is %s, want %s", v, got, want)
		}
	}
}

func FuzzMiner(f *testing.F) {
	f.Add("a=1 b", "a=2 b")
	f.Add("x :: ", "\x01<*> ( ) [] {")
	f.Add("C:\\ fe80::1%eth0 1:2:3", `q="x`)
	f.Add("Sat Jun 18 02", "\xff\xfe 0x")
	f.Add("\x1b[31mGET /a?b,", "2026-03-04T10:11:12.+0 \x1b[")
	f.Add(`say "a b \" c" now [a, "b", c]`, `say "" now [1:2, x:3]`)
	f.Add("共3个 10µs took 5 KB", "共1234个文件 took 1.2 GB")
	f.Add("\x02kind\x01", "longwordsand123 1-2-3 x_1_y")
	f.Add("the reason was said to be:", "disk full again please try it later or call one who knows how to make room there")
	f.Add("java.io.IOException:", "a b c d e f g h i j k l m n o p q r s t u v w x y z aa bb cc dd ee ff gg hh ii jj kk ll mm nn oo pp qq rr ss tt uu vv")
	f.Fuzz(func(t *testing.T, a, b string) {
		m := New()
		h, g := m.Add(a), m.Add(b)
		if masked := AppendMasked(nil, a); !bytes.Equal(clean(string(masked)), masked) {
			t.Fatalf("%q is masked as %q, which is not clean", a, masked)
		}
		ta, tb := m.Template(h), m.Template(g)
		if (ta.ID == tb.ID) != (ta.Text == tb.Text) && !strings.Contains(a+b, wildcard) {
			t.Fatalf("%v %v", ta, tb)
		}
		// One that ends in other texts, of other lengths, at several places.
		words := strings.Fields(b)
		for i, w := range words {
			if i == 64 {
				break
			}
			m.Add(a + " " + w + " end")
			m.Add(a + " " + strings.Join(words[:i], " ") + " end")
			m.Add(w + a + ", " + strings.Join(words[i:], ", "))
		}
		now, known := m.Resolve(), map[string]bool{}
		for _, x := range m.Templates() {
			known[x.ID] = true
		}
		for h := range m.shapes {
			if id := m.ID(Handle(h)); !known[id] && !known[now[id]] {
				t.Fatalf("the id %s leads to %q, which is none", id, now[id])
			}
		}
		var state bytes.Buffer
		if _, err := m.WriteTo(&state); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&state)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := fmt.Sprint(m.Templates()), fmt.Sprint(again.Templates()); x != y {
			t.Fatalf("%s\n%s", x, y)
		}
		Parameters(ta.Text, a)
	})
}

func BenchmarkMiner(b *testing.B) {
	var messages []string
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		switch r.IntN(4) {
		case 0:
			messages = append(messages, fmt.Sprintf("Failed password for invalid user u%d from 198.51.100.%d port %d ssh2", r.IntN(2000), r.IntN(250), r.IntN(65000)))
		case 1:
			messages = append(messages, fmt.Sprintf("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.%d  user=root", r.IntN(250)))
		case 2:
			messages = append(messages, fmt.Sprintf("Received block blk_%d of size %d from /192.0.2.%d", r.Int64(), r.IntN(1e8), r.IntN(250)))
		case 3:
			messages = append(messages, "workerEnv.init() ok /etc/httpd/conf/workers2.properties")
		}
	}
	var size int64
	for _, s := range messages {
		size += int64(len(s))
	}
	b.SetBytes(size)
	for b.Loop() {
		m := New()
		for _, s := range messages {
			m.Add(s)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(messages))/b.Elapsed().Seconds(), "lines/s")
}
