package main

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// family makes domains in the manner of one kind of malware, as analyses of it describe: which
// letters, how many, below what, of what they are computed. Seeds are made up, so none
// of the domains is one that the malware asked for.
type family struct {
	name, kind string
	domain     func(day time.Time, i int) string
}

// letters a to y or z, of a linear congruential generator, length low to high.
func congruential(multiply, add uint64, modulo uint64, low, high, alphabet int, tlds string) func(time.Time, int) string {
	t := strings.Fields(tlds)
	return func(day time.Time, i int) string {
		x := uint64(day.Unix()/86400)*7919 + uint64(i)*104_729 + 12_345
		next := func() uint64 {
			x = x*multiply + add
			if modulo > 0 {
				x %= modulo
			}
			return x >> 3
		}
		for range 4 {
			next()
		}
		b := make([]byte, low+int(next()%uint64(high-low+1)))
		for j := range b {
			b[j] = 'a' + byte(next()%uint64(alphabet))
		}
		return string(b) + "." + t[i%len(t)]
	}
}

// random letters of an alphabet, seeded by the day.
func drawn(low, high int, alphabet, tlds string) func(time.Time, int) string {
	t := strings.Fields(tlds)
	return func(day time.Time, i int) string {
		r := seeded(day, i)
		b := make([]byte, low+r.IntN(high-low+1))
		for j := range b {
			b[j] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b) + "." + t[r.IntN(len(t))]
	}
}

// syllables of a consonant and a vowel.
func spoken(low, high int, tlds string) func(time.Time, int) string {
	t := strings.Fields(tlds)
	return func(day time.Time, i int) string {
		r := seeded(day, i)
		b := make([]byte, low+r.IntN(high-low+1))
		for j := range b {
			from := "bcdfghjklmnpqrstvwxz"
			if j%2 == 1 {
				from = "aeiouy"
			}
			b[j] = from[r.IntN(len(from))]
		}
		return string(b) + "." + t[r.IntN(len(t))]
	}
}

// words joined until the name is long enough.
func joined(list []string, low, high int, between, tlds string) func(time.Time, int) string {
	t := strings.Fields(tlds)
	return func(day time.Time, i int) string {
		r := seeded(day, i)
		for {
			name := list[r.IntN(len(list))]
			for n := 1; len(name) < low || n < 2; n++ {
				name += between + list[r.IntN(len(list))]
			}
			if len(name) <= high {
				return name + "." + t[r.IntN(len(t))]
			}
		}
	}
}

func seeded(day time.Time, i int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(day.Unix()/86400), uint64(i)+77))
}

var words = strings.Fields(`able above across action active actor advice afraid after again agent ahead album almost alone along amount anchor angle animal answer apple april arena armor
arrive artist aside autumn avenue award balance banner barrel basket battle beauty become before behind believe bench better between bicycle bird blanket blossom border bottle bottom branch
brave bread breath bridge bright bring broken brother brush bucket budget build butter button cabin camera candle canvas captain carbon careful carry castle center chain chair chance change
chapter charge chart cheese cherry chief choice circle citizen class clean clear clever climb clock close cloud coast coffee collect color column common company copper corner cotton
country couple course cover cream credit crowd crystal culture current curve danger daughter decide deep degree desert design detail dinner direct distance doctor dollar double dream
drive during early earth effort eight either empty energy engine enjoy enough enter equal escape evening event every exact example expect eyes fabric factor fair family famous farmer
father feather fellow fence field figure final finger finish flavor flight floor flower follow forest forget forward frame fresh friend front fruit future garden gather gentle giant glass
global golden grain grand grass great green ground group guess guide guitar habit half hammer handle happy harbor hard harvest health heart heavy height hidden history holiday honest
honey hope horse hotel hour house human humor hundred hunter idea image inside island jacket journey judge juice jungle kitchen ladder language large laugh leader learn leather leave
lemon length letter level light limit liquid listen little living local lonely lucky lunch machine magic major manner marble market master matter meadow measure member memory metal
middle minute mirror model moment money month moral morning mother motion mountain mouse music narrow nation nature never noble north notice number object ocean offer office often
olive orange orbit order other outside owner packet paint palace paper parade parent party pattern peace pencil people pepper perfect person phone photo piano picture pilot planet
plastic plate player please pocket poem point polish power present price pride prince print private problem proper public puzzle quality quarter queen quick quiet radio rain random rapid
rather reach ready reason record region relax remain remote repair repeat reply rescue result return reward rhythm ribbon rich right river road rocket rough round royal sail salad
sample school science screen search season second secret select sense series seven shadow shape share shelf shine shore short shoulder signal silent silver simple sister sketch skill
sleep slight smart smile smooth social solid song soon source south space special speech speed spider spirit sport spring square stable stage station steady steel still stone storm story
straight strange stream street strong student study sugar summer supply surface sweet switch symbol system table talent taste teach temple tender theory thick thing thread ticket tiger
timber today together tomorrow tongue topic total toward tower trade train travel treasure tree trial trick triple trust tunnel turtle under union unique until upper useful valley value
velvet vessel village violet vision visit voice volume wagon warm water wealth weather weekend weight welcome west wheel while whisper white window winter wisdom wonder wooden
world worth yellow young zebra`)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

var families = []family{
	{"Conficker A", "short, arithmetic", congruential(6364136223846793005, 1442695040888963407, 0, 8, 11, 26, "com net org info biz")},
	{"Conficker C", "short, drawn", drawn(4, 9, "abcdefghijklmnopqrstuvwxyz", "ac ae ag am as at be bo bz ca cd ch cl cn co.cr co.id co.il co.ke co.kr co.nz com.ar com.au com.br com.co cx cz dj dk dm ec es fm fr gd gr gs gy hk hn hu ie im in ir is kn kz la lc li lu lv ly md me mn ms mu mw mx my nf nl no pe pk pl ps ro ru sc sg sh sk su tc tj tl tn to tw us vc vn ws")},
	{"Ramnit", "arithmetic", congruential(16807, 0, 2147483647, 8, 19, 25, "com")},
	{"Kraken", "arithmetic, below dynamic DNS", congruential(1103515245, 12345, 1<<32, 6, 11, 26, "dyndns.org dynserv.com mooo.com yi.org com net")},
	{"Necurs", "arithmetic, 40 suffixes", drawn(7, 21, "abcdefghijklmnopqrstuvwxy", "tj in jp tw ac cm la mn so sh sc nu nf mu ms mx ki im cx cc tv bz me eu de ru co su pw kz sx us ug ir to ga com net org biz xxx pro bit")},
	{"Qakbot", "Mersenne twister", drawn(8, 25, "abcdefghijklmnopqrstuvwxyz", "com net org info biz")},
	{"Tinba", "of a fixed length", drawn(12, 12, "bcdefghijklmnopqrstuvwxy", "com net in ru")},
	{"Locky", "arithmetic", drawn(5, 17, "abcdefghijklmnopqrstuvwxy", "ru pw eu in yt pm us fr de it be uk nl tf")},
	{"Virut", "short", drawn(6, 6, "abcdefghijklmnopqrstuvwxyz", "com")},
	{"Pykspa", "short, vowels kept up", func(day time.Time, i int) string {
		r := seeded(day, i)
		b := make([]byte, 6+r.IntN(7))
		for j := range b {
			from := "abcdefghijklmnopqrstuvwxyz"
			if j%3 == 1 {
				from = "aeiou"
			}
			b[j] = from[r.IntN(len(from))]
		}
		return string(b) + "." + []string{"com", "net", "org", "info", "cc"}[r.IntN(5)]
	}},
	{"Simda", "short, syllables", spoken(7, 7, "com info eu")},
	{"Symmi", "syllables, below dynamic DNS", spoken(8, 15, "ddns.net")},
	{"Chinad", "letters and figures", drawn(16, 16, "abcdefghijklmnopqrstuvwxyz0123456789", "com org net biz info ru cn")},
	{"Corebot", "letters and figures, below dynamic DNS", drawn(12, 23, "abcdefghijklmnopqrstuvwxy012345678", "ddns.net")},
	{"Dyre", "hash as hexadecimal", func(day time.Time, i int) string {
		h := sha256.Sum256(fmt.Append(nil, day.Format("2006-1-2"), i))
		return string('a'+byte(i%26)) + hexOf(h[:])[:33] + "." + strings.Fields("cc ws to in hk cn tk so")[i%8]
	}},
	{"Bamital", "hash as hexadecimal", func(day time.Time, i int) string {
		h := md5.Sum(fmt.Append(nil, day.Format(time.RFC1123), i))
		return hexOf(h[:]) + "." + strings.Fields("info org co.cc cz.cc")[i%4]
	}},
	{"Gameover", "hash to base 36", func(day time.Time, i int) string {
		h := md5.Sum(fmt.Append(nil, i, day.Year(), day.YearDay()))
		var n string
		for j := 0; j < 16; j += 4 {
			x := uint32(h[j]) | uint32(h[j+1])<<8 | uint32(h[j+2])<<16 | uint32(h[j+3])<<24
			for ; x > 0; x /= 36 {
				n += string("0123456789abcdefghijklmnopqrstuvwxyz"[x%36])
			}
		}
		return n + "." + strings.Fields("com net org biz")[i%4]
	}},
	{"Banjori", "the first letters of a name", func(day time.Time, i int) string {
		r := seeded(day, i)
		b := []byte("abcdestnessbiophysicalohax")
		for j := range 4 {
			b[j] = 'a' + byte(r.IntN(26))
		}
		return string(b) + ".com"
	}},
	{"VolatileCedar", "letters of a name in another order", func(day time.Time, i int) string {
		r := seeded(day, i)
		b := []byte("dotnetexplorer")
		r.Shuffle(len(b), func(x, y int) { b[x], b[y] = b[y], b[x] })
		return string(b) + ".info"
	}},
	{"Suppobox", "two words", joined(words, 8, 20, "", "net")},
	{"Matsnu", "words", joined(words, 12, 24, "", "com")},
	{"Gozi", "words", joined(words, 12, 23, "", "com ru")},
	{"Nymaim 2", "two words, with hyphen", joined(words, 8, 24, "-", "com net org biz info io me pw")},
}
