package collect

import (
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// keyer finds what identifies a document wherever and however often it is
// sent. Agents say where they read a record: that is the best there is. A
// document that says nothing of the kind has no key, and only its request can be
// known again.
type keyer struct {
	scan  event.Scanner
	batch event.Batch
}

var keyers = sync.Pool{New: func() any {
	k := &keyer{}
	k.scan.Tag = func(path string) int32 { return keyPaths[path] }
	return k
}}

// Fields that together identify a record. Tags are their places in the arrays below.
var keyPaths = map[string]int32{
	"@metadata._id":        1,
	"agent.id":             2,
	"agent.ephemeral_id":   3,
	"log.file.path":        4,
	"log.offset":           5,
	"winlog.channel":       6,
	"winlog.record_id":     7,
	"winlog.computer_name": 8,
	"journald.cursor":      9,
	"__CURSOR":             9,
	"log.file.inode":       10,
	"log.file.fingerprint": 11,
	"beat.hostname":        2, // Beats 6
	"beat.name":            2,
	"source":               4, // Filebeat 6
	"offset":               5,
	"log_name":             6, // Winlogbeat 6
	"record_number":        7,
	"computer_name":        8,
	"@timestamp":           12,
}

// key returns the document's key, zero if it has none.
func (k *keyer) key(doc []byte) spool.Key {
	k.batch.Reset()
	k.batch.Begin(0, "")
	leaves, err := k.scan.Scan(event.View(doc), &k.batch)
	if err != nil {
		return spool.Key{}
	}
	var v [13]string
	for i := range leaves {
		if t := leaves[i].Name.Tag; t > 0 && v[t] == "" {
			v[t] = leaves[i].Value
		}
	}
	agent := v[2]
	if agent == "" {
		agent = v[3]
	}
	switch {
	case v[1] != "":
		return spool.KeyOf([]byte("id"), []byte(v[1]))
	case v[9] != "":
		return spool.KeyOf([]byte("journal"), []byte(v[9]))
	case agent != "" && v[6] != "" && v[7] != "":
		return spool.KeyOf([]byte("winlog"), []byte(agent), []byte(v[6]), []byte(v[8]), []byte(v[7]), doc)
	case agent != "" && v[4] != "" && v[5] != "":
		// A file may be truncated and written anew, so the place alone is not enough.
		return spool.KeyOf([]byte("file"), []byte(agent), []byte(v[4]), []byte(v[10]), []byte(v[11]), []byte(v[5]), doc)
	}
	return spool.Key{}
}

// keyRecords gives each document that has one its key.
func keyRecords(records []spool.Record) {
	k := keyers.Get().(*keyer)
	defer keyers.Put(k)
	for i := range records {
		records[i].Key = k.key(records[i].Data)
	}
}

// unkeyed reports whether some record has no key of its own, so that the
// request must be known again as a whole.
func unkeyed(records []spool.Record) bool {
	for i := range records {
		if records[i].Key == (spool.Key{}) {
			return true
		}
	}
	return false
}

// settle is called when the sender of a request has been answered. Whether he
// learnt of it nobody knows: a network may have lost the answer. Where the records
// bear times finer than a second, the same request again is taken to be the same one;
// otherwise it may be another that says the same.
func settle(sink Sink, request spool.Key, records ...[]byte) {
	if request == (spool.Key{}) {
		return
	}
	for _, p := range records {
		if finelyTimed(p) {
			return
		}
	}
	sink.Settle(request)
}

// finelyTimed reports whether p has a time with a fraction of a second, as digits of
// a clock (10:11:12.345), or as seconds, milli-, micro- or nanoseconds since the epoch
// (1772619072.345, 1772619072345).
func finelyTimed(p []byte) bool {
	for i := 0; i < len(p); {
		if !digit(p[i]) || i > 0 && wordByte(p[i-1]) {
			i++
			continue
		}
		n := i
		for n < len(p) && digit(p[n]) {
			n++
		}
		clock := i >= 6 && p[i-1] == ':' && p[i-4] == ':' && digit(p[i-2]) && digit(p[i-3]) && digit(p[i-5]) && digit(p[i-6])
		fraction := n+1 < len(p) && (p[n] == '.' || p[n] == ',') && digit(p[n+1])
		switch digits := n - i; {
		case digits == 2 && fraction && clock:
			return true
		case digits == 10 && fraction && p[n] == '.', digits == 13, digits == 16, digits == 19:
			if t := epochTime(string(p[i:n])); t != 0 && time.Since(time.Unix(0, t)).Abs() < 48*time.Hour { // no number of another kind
				return true
			}
		}
		i = n
	}
	return false
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func wordByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || digit(c) || 'a' <= c|0x20 && c|0x20 <= 'z'
}
