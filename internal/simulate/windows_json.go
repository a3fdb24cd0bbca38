package simulate

import (
	"encoding/json"
	"strconv"

	"github.com/sextant-logs/sextant/evtx"
)

// appendEventJSON appends an event as evtx_dump --format jsonl prints it: the
// elements of the XML as members, attributes under "#attributes".
func appendEventJSON(dst []byte, r *evtx.Record) []byte {
	s := &r.System
	text := func(v string) {
		b, _ := json.Marshal(v) // of a string: cannot fail
		dst = append(dst, b...)
	}
	number := func(name string, v uint64) {
		dst = append(append(dst, `,"`+name+`":`...), strconv.FormatUint(v, 10)...)
	}
	dst = append(dst, `{"Event":{"#attributes":{"xmlns":"http://schemas.microsoft.com/win/2004/08/events/event"},"System":{"Provider":{"#attributes":{"Name":`...)
	text(s.ProviderName)
	if s.ProviderGUID != "" {
		dst = append(dst, `,"Guid":`...)
		text(s.ProviderGUID)
	}
	if s.EventSourceName != "" {
		dst = append(dst, `,"EventSourceName":`...)
		text(s.EventSourceName)
	}
	dst = append(dst, "}}"...)
	if s.HasQualifiers {
		dst = append(dst, `,"EventID":{"#attributes":{"Qualifiers":`...)
		dst = strconv.AppendUint(dst, uint64(s.Qualifiers), 10)
		dst = append(dst, `},"#text":`...)
		dst = strconv.AppendUint(dst, uint64(s.EventID), 10)
		dst = append(dst, '}')
	} else {
		number("EventID", uint64(s.EventID))
	}
	number("Version", uint64(s.Version))
	number("Level", uint64(s.Level))
	number("Task", uint64(s.Task))
	number("Opcode", uint64(s.Opcode))
	dst = append(dst, `,"Keywords":"`+s.KeywordsString()+`","TimeCreated":{"#attributes":{"SystemTime":"`...)
	dst = s.TimeCreated.Append(dst)
	dst = append(dst, `"}}`...)
	number("EventRecordID", r.ID)
	dst = append(dst, `,"Correlation":null,"Execution":{"#attributes":{"ProcessID":`...)
	dst = strconv.AppendUint(dst, uint64(s.ProcessID), 10)
	number("ThreadID", uint64(s.ThreadID))
	dst = append(dst, `}},"Channel":`...)
	text(s.Channel)
	dst = append(dst, `,"Computer":`...)
	text(s.Computer)
	dst = append(dst, `,"Security":`...)
	if s.UserID != "" {
		dst = append(dst, `{"#attributes":{"UserID":`...)
		text(s.UserID)
		dst = append(dst, "}}"...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, '}')
	switch r.DataKind {
	case evtx.EventData:
		dst = append(dst, `,"EventData":{`...)
	case evtx.UserData:
		dst = append(dst, `,"UserData":{`...)
		text(r.DataName)
		dst = append(dst, ":{"...)
	}
	for i, f := range r.Data {
		if i > 0 {
			dst = append(dst, ',')
		}
		text(f.Name)
		dst = append(dst, ':')
		text(f.Value)
	}
	switch r.DataKind {
	case evtx.EventData:
		dst = append(dst, '}')
	case evtx.UserData:
		dst = append(dst, "}}"...)
	}
	return append(dst, "}}\n"...)
}
