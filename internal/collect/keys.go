package collect

import (
	"sync"

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
