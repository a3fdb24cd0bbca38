package logpattern

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The systems of testdata/systems are written after what programs are known to log. A line is a message;
// {name} is a value as [slots] makes it, {list:name} some of them with commas ({list2:name}: without a space),
// {one:a/b} a value that is one of some words, {a|b} one of some words, each of which is a message of its own; a brace that is one has a backslash before it.
// The miner's faults were looked for in those that are seen; the others were only measured.
var systems = []struct {
	name string
	seen bool
}{
	{"spark", true}, {"kafka", true}, {"postgresql", true}, {"kubernetes", true}, {"healthapp", true}, {"cisco", true}, {"appkv", true}, {"mac", true},
	{"cassandra", true}, {"nginx", true}, {"openstack", true}, {"thunderbird", true}, {"hpc", true}, {"gitlab", true}, {"localized", true}, {"java", true},
	{"server", true}, {"unixhost", true}, {"jobs", true}, {"rasnode", true}, {"laptop", true}, {"wearable", true}, {"relay", true},
	{"blockstore", true},
	{"elasticsearch", false}, {"scheduler", false}, {"vpngate", false},
}

// system is templates and what stands in them.
type system struct {
	parts [][]string // of each message: text and slot by turns
	truth []string
	pools map[string][]string
	r     *rand.Rand
}

// readSystem reads a file of testdata/systems. The seed decides on names and values.
func readSystem(name string, seed uint64) (*system, error) {
	text, err := os.ReadFile(filepath.Join("testdata", "systems", name+".txt"))
	if err != nil {
		return nil, err
	}
	s := &system{pools: map[string][]string{}, r: rand.New(rand.NewPCG(seed, 77))}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			continue
		}
		for _, parts := range alternatives(slotsOf(line)) {
			truth := ""
			for i, p := range parts {
				switch {
				case i%2 == 0:
				case p == "url":
					p = "http://" + wildcard
				case p == "clock":
					p = "<*>:<*>:<*>"
				case p == "clock2":
					p = "<*>:<*>"
				default:
					p = wildcard
				}
				truth += p
			}
			truth = conventional(truth)
			s.parts, s.truth = append(s.parts, parts), append(s.truth, truth)
		}
	}
	s.makePools()
	return s, nil
}

// slotsOf cuts a line into text and slots by turns.
func slotsOf(line string) []string {
	parts := []string{""}
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '{':
			parts[len(parts)-1] += "{"
			i++
		case line[i] == '{':
			n := strings.IndexByte(line[i:], '}')
			parts = append(parts, line[i+1:i+n], "")
			i += n
		default:
			parts[len(parts)-1] += line[i : i+1]
		}
	}
	return parts
}

// alternatives are the messages that differ in a word that the program says.
func alternatives(parts []string) [][]string {
	for i := 1; i < len(parts); i += 2 {
		words := strings.Split(parts[i], "|")
		if before := parts[i-1]; len(words) > 1 && (strings.HasSuffix(before, "=") || strings.HasSuffix(before, "=\"")) {
			slots[parts[i]] = func(s *system) string { return s.of(words...) } // the value of a key
			continue
		}
		if len(words) < 2 && (slots[strings.TrimPrefix(strings.TrimPrefix(parts[i], "list:"), "list2:")] != nil || strings.HasPrefix(parts[i], "one:")) {
			continue
		}
		var all [][]string
		for _, w := range words {
			one := slices.Concat(parts[:i-1], []string{parts[i-1] + w + parts[i+1]}, parts[i+2:])
			all = append(all, alternatives(one)...)
		}
		return all
	}
	return [][]string{parts}
}

var (
	alone = regexp.MustCompile(`(^|[^\pL\pN_<*>])[0-9]+((?:[^\pL\pN_]|$))`)
	under = regexp.MustCompile(`[\pL\pN]+_(?:<\*>|[\pL\pN]+_<\*>)(?:_[\pL\pN]*(?:<\*>)?)*`)
	joint = regexp.MustCompile(`<\*>[-_.@+]<\*>`)
	unity = regexp.MustCompile(`(<\*>)(?:ns|us|ms|[smhkKMG]|[kKMG]i?[Bb]|[KMG]i|GHz|kg)([^\pL\pN_]|$)`)
)

// conventional writes a template as those of loghub are corrected: numbers are variables (Khan et al., ICSE
// 2022, DG) with their units, variables that are joined to one word are one (blk_<*>, <*>-<*>), and a run of spaces is one.
func conventional(t string) string {
	t = strings.Join(strings.Fields(t), " ")
	for range 3 {
		t = alone.ReplaceAllString(t, "$1"+wildcard+"$2")
	}
	t = unity.ReplaceAllString(t, "$1$2")
	t = under.ReplaceAllString(t, wildcard)
	for range 4 {
		t = joint.ReplaceAllString(t, wildcard)
	}
	return t
}

// lines makes n messages: of each kind one, the rest by Zipf's law, in random order.
func (s *system) lines(n int) (truth, messages []string) {
	order := s.r.Perm(len(s.parts))
	cumulated, sum := make([]float64, len(order)), 0.0
	for i := range order {
		sum += math.Pow(float64(i+1), -2)
		cumulated[i] = sum
	}
	for i := range n {
		k := i
		if i >= len(order) {
			k, _ = slices.BinarySearch(cumulated, s.r.Float64()*sum)
		}
		k = order[min(k, len(order)-1)]
		truth, messages = append(truth, s.truth[k]), append(messages, s.message(k))
	}
	s.r.Shuffle(n, func(i, j int) {
		truth[i], truth[j] = truth[j], truth[i]
		messages[i], messages[j] = messages[j], messages[i]
	})
	return truth, messages
}

func (s *system) message(k int) string {
	var b strings.Builder
	for i, p := range s.parts[k] {
		if i%2 == 0 {
			b.WriteString(p)
			continue
		}
		if of, list := strings.CutPrefix(p, "list"); list {
			of, tight := strings.CutPrefix(of, "2")
			for j := range 1 + s.r.IntN(7) {
				if j > 0 {
					b.WriteString(cmp.Or(map[bool]string{true: ","}[tight], ", "))
				}
				b.WriteString(slots[of[1:]](s))
			}
			continue
		}
		if words, ok := strings.CutPrefix(p, "one:"); ok {
			of := strings.Split(words, "/")
			b.WriteString(of[int(float64(len(of))*math.Pow(s.r.Float64(), 1.5))])
			continue
		}
		b.WriteString(slots[p](s))
	}
	return b.String()
}

// makePools makes the names of a place: its people, machines and things.
func (s *system) makePools() {
	syllables := strings.Fields("ka lo mi ne ra su ti vo ber den fin gar hol jan kel lin mar nor pet rus sam tor ul ven wil yan zoe che dor eli")
	name := func() string {
		n := ""
		for range 2 + s.r.IntN(2) {
			n += syllables[s.r.IntN(len(syllables))]
		}
		return n
	}
	nouns := strings.Fields(`orders users payments events sessions metrics billing search frontend catalog inventory mail auth gateway cache
		report ledger audit media thumbs upload worker queue stock price cart checkout profile sync export import ingest archive notify`)
	noun := func() string { return nouns[s.r.IntN(len(nouns))] }
	fill := func(pool string, n int, make func() string) {
		for range n {
			s.pools[pool] = append(s.pools[pool], make())
		}
	}
	fill("user", 120, func() string {
		switch s.r.IntN(8) {
		case 0:
			return name() + "." + name()
		case 1:
			return name() + fmt.Sprint(s.r.IntN(99))
		case 2:
			return "svc-" + noun()
		}
		return name()
	})
	fill("host", 60, func() string {
		switch s.r.IntN(6) {
		case 0:
			return name()
		case 1, 2:
			return fmt.Sprintf("%s%02d", noun(), s.r.IntN(30))
		case 3:
			return fmt.Sprintf("%s-%d.example.org", noun(), s.r.IntN(9))
		case 4:
			return name() + ".example.net"
		}
		return fmt.Sprintf("node-%d", s.r.IntN(400))
	})
	fill("id", 90, func() string {
		switch s.r.IntN(6) {
		case 0, 1:
			return noun()
		case 2:
			return noun() + "-" + noun()
		case 3:
			return noun() + "_" + noun()
		case 4:
			return name() + "." + noun()
		}
		return noun() + fmt.Sprint(s.r.IntN(20))
	})
	fill("class", 70, func() string {
		c := ""
		for range 2 + s.r.IntN(2) {
			n := noun()
			c += strings.ToUpper(n[:1]) + n[1:]
		}
		return c
	})
	fill("word", 40, noun)
	fill("path", 300, func() string {
		p := []string{"/var/lib/", "/data/", "/srv/", "/opt/app/", "/home/", "/tmp/", "/api/v1/"}[s.r.IntN(7)]
		for range s.r.IntN(3) {
			p += noun() + "/"
		}
		p += name()
		if s.r.IntN(2) == 0 {
			p += []string{".db", ".log", ".json", ".tmp", ".html"}[s.r.IntN(5)]
		}
		return p
	})
	text := strings.Fields(`the connection was closed by peer no such item please try again later while waiting for reply bad input unknown
		value in field too many open requests timeout disk quota exceeded not allowed to see this object because it is locked already gone remote
		side hung up without a word broken pipe unexpected end of stream invalid token at line customer asked wants refund wrong size`)
	things := strings.Fields("Evening Quiet Harbour North Old Garden Red Summer Second Little Open Winter Market Corner Blue Hill Station Late Office Spare")
	fill("phrase", 60, func() string {
		var w []string
		for range 1 + s.r.IntN(4) {
			w = append(w, things[s.r.IntN(len(things))])
		}
		return strings.Join(w, " ")
	})
	fill("text", 400, func() string {
		var w []string
		for range 1 + s.r.IntN(6) {
			w = append(w, text[s.r.IntN(len(text))])
		}
		return strings.Join(w, " ")
	})
}

// pick takes one of a pool, the first more often than the last.
func (s *system) pick(pool string) string {
	p := s.pools[pool]
	return p[int(float64(len(p))*math.Pow(s.r.Float64(), 2))]
}

func (s *system) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[s.r.IntN(16)]
	}
	return string(b)
}

// number is one of any size.
func (s *system) number(most float64) int {
	return int(math.Pow(most, s.r.Float64())) - 1 + s.r.IntN(2)
}

func (s *system) of(words ...string) string { return words[s.r.IntN(len(words))] }

// slots make values.
var slots map[string]func(s *system) string

func init() {
	pool := func(name string) func(s *system) string { return func(s *system) string { return s.pick(name) } }
	format := func(f string, args func(s *system) []any) func(s *system) string {
		return func(s *system) string { return fmt.Sprintf(f, args(s)...) }
	}
	hex := func(n int) func(s *system) string { return func(s *system) string { return s.hex(n) } }
	stamp := func(f string) func(s *system) string {
		return format(f, func(s *system) []any {
			return []any{2020 + s.r.IntN(6), 1 + s.r.IntN(12), 1 + s.r.IntN(28), s.r.IntN(24), s.r.IntN(60), s.r.IntN(60), s.r.IntN(1000)}
		})
	}
	slots = map[string]func(s *system) string{
		"user": pool("user"), "host": pool("host"), "id": pool("id"), "class": pool("class"), "word": pool("word"), "path": pool("path"), "text": pool("text"),
		"n":  func(s *system) string { return fmt.Sprint(s.number(1e7)) },
		"d":  func(s *system) string { return fmt.Sprint(s.r.IntN(8)) },
		"n2": func(s *system) string { return fmt.Sprintf("%02d", s.r.IntN(100)) },
		"n4": func(s *system) string { return fmt.Sprintf("%04d", s.r.IntN(10000)) },
		"f":  func(s *system) string { return fmt.Sprintf("%.*f", 1+s.r.IntN(3), math.Pow(10, 4*s.r.Float64()-1)) },
		"x":  func(s *system) string { return "0x" + s.hex(2+s.r.IntN(10)) },
		"h":  func(s *system) string { return s.hex(64) },
		"h2": hex(2), "h4": hex(4), "h8": hex(8), "h10": hex(10), "h16": hex(16), "h22": hex(22), "h24": hex(24), "h40": hex(40), "h64": hex(64),
		"hexname": func(s *system) string { return strings.ToUpper(s.hex(24)) },
		"lsn":     func(s *system) string { return strings.ToUpper(fmt.Sprintf("%x/%s", s.r.IntN(16), s.hex(7))) },
		"uuid": func(s *system) string {
			return s.hex(8) + "-" + s.hex(4) + "-" + s.hex(4) + "-" + s.hex(4) + "-" + s.hex(12)
		},
		"uuidq": func(s *system) string { return "'" + slots["uuid"](s) + "'" },
		"ip": func(s *system) string {
			return s.of("192.0.2.", "198.51.100.", "203.0.113.") + fmt.Sprint(s.r.IntN(256))
		},
		"ip6":  func(s *system) string { return fmt.Sprintf("2001:db8:%x::%x", s.r.IntN(65536), s.r.IntN(65536)) },
		"mac":  func(s *system) string { return "00:00:5e:00:53:" + s.hex(2) },
		"cmac": func(s *system) string { return "0000.5e00.53" + s.hex(2) },
		"port": func(s *system) string { return fmt.Sprint(1024 + s.r.IntN(60000)) },
		"url": func(s *system) string {
			return s.of("http", "http") + "://" + s.pick("host") + s.of("", ":8080") + s.pick("path") + s.of("", "?page=2", "?q=a&n=3")
		},
		"email": func(s *system) string { return s.pick("user") + "@example.org" },
		"bool":  func(s *system) string { return s.of("true", "false") },
		"val": func(s *system) string {
			return s.of("null", fmt.Sprint(s.r.IntN(1e6)), s.pick("user"), s.pick("email"[:0]+"word"))
		},
		"dur": func(s *system) string {
			return s.of(fmt.Sprintf("%dms", s.r.IntN(999)), fmt.Sprintf("%.3fs", 10*s.r.Float64()), fmt.Sprintf("%dm%ds", s.r.IntN(60), s.r.IntN(60)), fmt.Sprintf("%.2fµs", 100*s.r.Float64()))
		},
		"durms": func(s *system) string {
			return s.of(fmt.Sprintf("%dms", s.r.IntN(999)), fmt.Sprintf("%ds%dms", 1+s.r.IntN(9), s.r.IntN(999)))
		},
		"dur2": func(s *system) string { return fmt.Sprintf("%dm%ds%dms", s.r.IntN(60), s.r.IntN(60), s.r.IntN(999)) },
		"dur3": func(s *system) string {
			return fmt.Sprintf("%dh:%02dm:%02ds", s.r.IntN(30), s.r.IntN(60), s.r.IntN(60))
		},
		"size": func(s *system) string { return fmt.Sprintf("%.1f%s", 1000*s.r.Float64(), s.of("KiB", "MiB", "GiB")) },
		"qty": func(s *system) string {
			return fmt.Sprintf("%.1f %s", 1000*s.r.Float64(), s.of("KiB", "MiB", "GiB", "B"))
		},
		"clock": func(s *system) string { return fmt.Sprintf("%02d:%02d:%02d", s.r.IntN(24), s.r.IntN(60), s.r.IntN(60)) },
		"iso":   stamp("%d-%02d-%02dT%02d:%02d:%02d.%03dZ"),
		"date": func(s *system) string {
			return fmt.Sprintf("%d-%02d-%02d", 2020+s.r.IntN(6), 1+s.r.IntN(12), 1+s.r.IntN(28))
		},
		"date8": func(s *system) string {
			return fmt.Sprintf("%d%02d%02d", 2020+s.r.IntN(6), 1+s.r.IntN(12), 1+s.r.IntN(28))
		},
		"ciscotime": func(s *system) string {
			return fmt.Sprintf("%02d:%02d:%02d UTC %s %s %d %d", s.r.IntN(24), s.r.IntN(60), s.r.IntN(60), s.of("Mon", "Tue", "Wed", "Thu", "Fri"), s.of("Jan", "Feb", "Mar", "Apr"), 1+s.r.IntN(28), 2020+s.r.IntN(6))
		},
		"ver":  func(s *system) string { return fmt.Sprintf("%d.%d.%d", 1+s.r.IntN(20), s.r.IntN(30), s.r.IntN(10)) },
		"file": func(s *system) string { return s.pick("class") + s.of(".scala", ".java") },
		"fname": func(s *system) string {
			return s.pick("id") + s.of("", "_2024", "-final") + s.of(".csv", ".xlsx", ".pdf", ".lua")
		},
		"wpath": func(s *system) string {
			return `C:\` + s.of("Daten", "Programme", "Temp") + `\` + s.pick("id") + `\` + s.pick("word") + s.of(".docx", ".exe", ".ini")
		},
		"path2": func(s *system) string { return s.pick("word") + "/" + s.pick("word") + s.of("", "/_"+s.pick("word")) },
		"pkg": func(s *system) string {
			return "com.example." + s.pick("word") + s.of("", ".", "."+s.pick("word"))[0:0] + s.of("", "."+s.pick("word"))
		},
		"jcls": func(s *system) string {
			return s.of("com.example.", "org.acme.", "net.sample.") + s.pick("word") + s.of("", "."+s.pick("word")) + "." + s.pick("class")
		},
		"meth": func(s *system) string { return s.of("get", "set", "handle", "run", "do") + s.pick("class") },
		"clfdate": func(s *system) string {
			return fmt.Sprintf("%02d/%s/%d:%s.%03d", 1+s.r.IntN(28), s.of("Jan", "Feb", "Mar"), 2020+s.r.IntN(6), slots["clock"](s), s.r.IntN(1000))
		},
		"locale": func(s *system) string { return s.of("de", "fr", "es", "pt_BR", "zh") },
		"pod":    func(s *system) string { return s.pick("id") + "-" + s.hex(10) + "-" + s.hex(5) },
		"podref": func(s *system) string { return `"` + s.pick("id") + "/" + slots["pod"](s) + `"` },
		"image":  func(s *system) string { return "registry.example.org/" + s.pick("id") + ":" + slots["ver"](s) },
		"iface": func(s *system) string {
			return s.of("GigabitEthernet", "TenGigabitEthernet", "FastEthernet", "Vlan", "Port-channel") + s.of("1/0/", "0/", "")[0:0] + fmt.Sprint(s.r.IntN(48)) + s.of("", "/0/1", "/2")
		},
		"branch": func(s *system) string { return s.of("main", "develop", "feature/", "fix-") + s.pick("word") },
		"svc": func(s *system) string {
			return s.of("Windows Update", "Druckwarteschlange", "DHCP-Client", "Remoteregistrierung", "Server", "Zeitgeber")
		},
		"ua": func(s *system) string {
			return s.of("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "okhttp/4.9")
		},
		"sql": func(s *system) string {
			return s.of("SELECT * FROM "+s.pick("id")+" WHERE id = "+fmt.Sprint(s.r.IntN(1e6)), "SELECT count(*) FROM "+s.pick("id"), "UPDATE "+s.pick("id")+" SET state = 'done' WHERE id IN (1, 2, "+fmt.Sprint(s.r.IntN(99))+")",
				"INSERT INTO "+s.pick("id")+" (a, b) VALUES ("+fmt.Sprint(s.r.IntN(99))+", '"+s.pick("user")+"')", "DELETE FROM "+s.pick("id")+" WHERE created < '2024-01-01'", "COMMIT", "BEGIN")
		},
		"letter": func(s *system) string { return string(rune('a' + s.r.IntN(8))) },
		"upper":  func(s *system) string { return string(rune('A' + s.r.IntN(8))) },
		"upper4": func(s *system) string { return s.of("FACP", "APIC", "SPCR", "HPET", "MCFG") },
		"qid": func(s *system) string {
			return "j" + s.of("A", "B") + "A" + strings.ToUpper(s.hex(3)) + "0" + fmt.Sprintf("%05d", s.r.IntN(1e5))
		},
		"pci": func(s *system) string { return fmt.Sprintf("0000:%s:%s.%d", s.hex(2), s.hex(2), s.r.IntN(8)) },
		"dev": func(s *system) string { return s.of("sda", "sdb", "sdc") + fmt.Sprint(1+s.r.IntN(5)) },
		"nodelist": func(s *system) string {
			return s.of(fmt.Sprintf("node%d", s.r.IntN(400)), fmt.Sprintf("node[%d-%d]", s.r.IntN(100), 100+s.r.IntN(100)), fmt.Sprintf("node[%d,%d-%d]", s.r.IntN(100), 100+s.r.IntN(100), 200+s.r.IntN(100)))
		},
		"phrase": pool("phrase"),
		"loc": func(s *system) string {
			return s.of(fmt.Sprintf("R%02d-M%d", s.r.IntN(80), s.r.IntN(2)), fmt.Sprintf("R%02d-M%d-N%x", s.r.IntN(80), s.r.IntN(2), s.r.IntN(16)), fmt.Sprintf("R%02d-M%d-N%x-C:J%02d-U%02d", s.r.IntN(80), s.r.IntN(2), s.r.IntN(16), s.r.IntN(18), s.r.IntN(12)))
		},
		"day":    func(s *system) string { return s.of("mon", "tue", "wed", "thu", "fri", "sat", "sun") },
		"clock2": func(s *system) string { return fmt.Sprintf("%02d:%02d", s.r.IntN(60), s.r.IntN(60)) },
		"ago": func(s *system) string {
			return s.of(fmt.Sprintf("%d s ago", s.r.IntN(60)), fmt.Sprintf("%d min ago", s.r.IntN(60)), "never")
		},
		"blk":    func(s *system) string { return fmt.Sprintf("blk_%d", s.number(1e15)) },
		"ipport": func(s *system) string { return slots["ip"](s) + ":" + slots["port"](s) },
		"pair":   func(s *system) string { return fmt.Sprintf("%d:%d", 1+s.r.IntN(4), s.r.IntN(1e5)) },
	}
}

var linesOfSystem = flag.Int("lines", 10_000, "messages of each system of testdata/systems")
var seedOfSystem = flag.Uint64("seed", 1, "names, values and frequencies of the systems of testdata/systems")

// TestParametersAreFoundInTheMessagesOfAKind: what the miner says is variable can be looked up in the message.
func TestParametersAreFoundInTheMessagesOfAKind(t *testing.T) {
	for _, sys := range systems {
		s, err := readSystem(sys.name, 4)
		if err != nil {
			t.Fatal(err)
		}
		_, messages := s.lines(3000)
		missing := 0
		for i, text := range mined(messages) {
			if _, ok := Parameters(text, messages[i]); !ok {
				if missing++; missing < 4 {
					t.Logf("%s: %q has none of %q", sys.name, messages[i], text)
				}
			}
		}
		if missing > 0 {
			t.Errorf("%s: %d of %d messages", sys.name, missing, len(messages))
		}
	}
}

// TestSystemsWithKnownTemplates measures the miner, and Drain beside it, on made-up logs of which the templates are known.
// LOGPATTERN_SHOW=kafka shows where it is wrong about one.
//
//	go test -v -run Systems ./logpattern -lines 100000
func TestSystemsWithKnownTemplates(t *testing.T) {
	n := *linesOfSystem
	var sums [2][3]agreement
	var counts [2]float64
	for _, sys := range systems {
		s, err := readSystem(sys.name, *seedOfSystem)
		if err != nil {
			t.Fatal(err)
		}
		truth, messages := s.lines(n)
		texts := mined(messages)
		a := agree(truth, texts)
		if os.Getenv("LOGPATTERN_SHOW") == sys.name {
			showDisagreement(t, truth, texts, messages)
		}
		drain, masked := agree(truth, drained(messages, false)), agree(truth, drained(messages, true))
		t.Logf("%-12s %3d kinds, mined %4d  %v  Drain %v", sys.name, distinct(truth), distinct(texts), a, drain)
		k := 0
		if !sys.seen {
			k = 1
		}
		for i, x := range []agreement{a, drain, masked} {
			sums[k][i].add(x)
		}
		counts[k]++
	}
	for k, what := range []string{"seen", "unseen"} {
		t.Logf("average of %.0f %-6s %v", counts[k], what, sums[k][0].over(counts[k]))
		t.Logf("  Drain             %v; with the usual masks before it %v", sums[k][1].over(counts[k]), sums[k][2].over(counts[k]))
	}
	if a, b := sums[0][0].over(counts[0]), sums[1][0].over(counts[1]); a.ga < 0.88 || a.fga < 0.78 || b.ga < 0.88 || b.fga < 0.58 {
		t.Error("the agreement has fallen")
	}
}

func distinct(words []string) int {
	m := map[string]bool{}
	for _, w := range words {
		m[w] = true
	}
	return len(m)
}

func BenchmarkMinerOfSystems(b *testing.B) {
	var messages []string
	for _, sys := range systems {
		s, err := readSystem(sys.name, 2)
		if err != nil {
			b.Fatal(err)
		}
		_, lines := s.lines(10_000)
		messages = append(messages, lines...)
	}
	rand.New(rand.NewPCG(3, 3)).Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	for _, c := range []struct {
		name string
		add  func() func(string)
	}{
		{"ours", func() func(string) { m := New(); return func(s string) { m.Add(s) } }},
		{"drain", func() func(string) { d := &drain{byLength: map[int]*drainNode{}}; return func(s string) { d.add(s) } }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				add := c.add()
				for _, s := range messages {
					add(s)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(messages))/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// showDisagreement prints what became of each kind that was not mined as it is.
func showDisagreement(t *testing.T, truth, mined, messages []string) {
	of := map[string]map[string]int{}
	in := map[string]map[string]bool{}
	example := map[string]string{}
	for i := range truth {
		if of[truth[i]] == nil {
			of[truth[i]] = map[string]int{}
		}
		if in[mined[i]] == nil {
			in[mined[i]] = map[string]bool{}
		}
		of[truth[i]][mined[i]]++
		in[mined[i]][truth[i]] = true
		example[mined[i]] = messages[i]
	}
	for k, ms := range of {
		bad := len(ms) != 1
		same := false
		for m := range ms {
			bad = bad || len(in[m]) > 1
			same = same || m == k
		}
		if !bad && same {
			continue
		}
		what := "TEXT "
		if bad {
			what = "GROUP"
		}
		t.Logf("%s %s", what, k)
		n := 0
		for m, c := range ms {
			if n++; n > 4 {
				t.Logf("      … %d in all", len(ms))
				break
			}
			t.Logf("      %6d %s (of %d kinds)", c, m, len(in[m]))
			t.Logf("             %s", example[m])
		}
	}
}
