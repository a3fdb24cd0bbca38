package evtx_test

import (
	"bytes"
	"fmt"
	"log"
	"time"

	"github.com/sextant-logs/sextant/evtx"
)

// exampleLog makes a log of two logons.
func exampleLog() []byte {
	var file bytes.Buffer
	w, err := evtx.NewWriter(&file)
	if err != nil {
		log.Fatal(err)
	}
	for i, user := range []string{"alice", "bob"} {
		err := w.Write(&evtx.Record{
			System: evtx.System{
				ProviderName: "Microsoft-Windows-Security-Auditing",
				ProviderGUID: "{54849625-5478-4994-a5ba-3e3b0328c30d}",
				EventID:      4624,
				Keywords:     0x8020000000000000,
				TimeCreated:  evtx.FiletimeOf(time.Date(2026, 3, 1, 8, i, 0, 123456700, time.UTC)),
				Channel:      "Security",
				Computer:     "ws01.example.com",
			},
			DataKind: evtx.EventData,
			Data: []evtx.Field{
				{Name: "TargetUserName", Value: user, Type: evtx.TypeString},
				{Name: "TargetLogonId", Value: fmt.Sprintf("0x%x", 0x3e7+i), Type: evtx.TypeHexInt64},
				{Name: "IpAddress", Value: "192.0.2.7", Type: evtx.TypeString},
			},
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return file.Bytes()
}

func Example() {
	file := exampleLog()
	r, err := evtx.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	r.Diagnose = func(d evtx.Diagnostic) { log.Print(d) }
	for rec, err := range r.Records() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(rec.ID, rec.System.TimeCreated, rec.System.Channel, rec.System.EventID)
		for _, f := range rec.Data {
			fmt.Printf("  %s = %s\n", f.Name, f.Value)
		}
	}
	// Output:
	// 1 2026-03-01T08:00:00.1234567Z Security 4624
	//   TargetUserName = alice
	//   TargetLogonId = 0x3e7
	//   IpAddress = 192.0.2.7
	// 2 2026-03-01T08:01:00.1234567Z Security 4624
	//   TargetUserName = bob
	//   TargetLogonId = 0x3e8
	//   IpAddress = 192.0.2.7
}

func ExampleChunkDecoder() {
	file := exampleLog()
	var dec evtx.ChunkDecoder // one per goroutine
	var gaps evtx.Gaps
	for at := evtx.HeaderSize; at < len(file); at += evtx.ChunkSize {
		chunk := file[at:min(at+evtx.ChunkSize, len(file))]
		err := dec.Decode(chunk, int64(at), func(rec *evtx.Record) error {
			gaps.Add(rec.ID)
			user, _ := rec.Get("TargetUserName")
			fmt.Println(user)
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("missing:", len(gaps.Missing()))
	// Output:
	// alice
	// bob
	// missing: 0
}

func ExampleRecord_AppendXML() {
	var dec evtx.ChunkDecoder
	var xml []byte
	err := dec.Decode(exampleLog()[evtx.HeaderSize:], evtx.HeaderSize, func(rec *evtx.Record) error {
		xml = rec.AppendXML(xml[:0])
		_, data, _ := bytes.Cut(xml, []byte("</System>"))
		fmt.Printf("%s\n", data)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// <EventData><Data Name='TargetUserName'>alice</Data><Data Name='TargetLogonId'>0x3e7</Data><Data Name='IpAddress'>192.0.2.7</Data></EventData></Event>
	// <EventData><Data Name='TargetUserName'>bob</Data><Data Name='TargetLogonId'>0x3e8</Data><Data Name='IpAddress'>192.0.2.7</Data></EventData></Event>
}

// A log in which somebody overwrote a record's beginning, and from which another is gone: the damage is told of, what is left is read, and the hole
// in the record ids is found.
func ExampleGaps() {
	file := exampleLog()
	first := bytes.Index(file, []byte("\x2a\x2a\x00\x00")) // how a record begins
	copy(file[first:], "xxxx")

	r, err := evtx.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	damage := 0
	r.Diagnose = func(evtx.Diagnostic) { damage++ }
	r.Recover = true
	var ids evtx.Gaps
	ids.Add(1) // from the chunk's header, or from an earlier copy of the log
	ids.Add(4)
	for rec, err := range r.Records() {
		if err != nil {
			log.Fatal(err)
		}
		ids.Add(rec.ID)
		user, _ := rec.Get("TargetUserName")
		fmt.Println("left:", rec.ID, user)
	}
	fmt.Println("damage told of:", damage > 0)
	for _, gap := range ids.Missing() {
		fmt.Println("missing:", gap.First, "to", gap.Last)
	}
	// Output:
	// left: 2 bob
	// damage told of: true
	// missing: 3 to 3
}
