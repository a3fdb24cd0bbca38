package format

import (
	"slices"
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// Windows events as tools write them to JSON:
//
//   - nested, the XML's elements and attributes: evtx_dump, Chainsaw, Velociraptor, xmltodict
//   - flat, all names on one level: NXLog, Logstash, Wazuh, OTRF's data sets, Sentinel
//   - Winlogbeat before version 7, and PowerShell's Get-WinEvent | ConvertTo-Json
//   - Hayabusa's timeline, whose records are what a rule found
//
// Winlogbeat's of today is ECS already and passes through json.go.
var _ = register(Format{
	Name:  "windows.json",
	Title: "Windows events as JSON (evtx_dump, NXLog, Winlogbeat 6, Get-WinEvent, Hayabusa)",
	Group: "windows",
	JSON: func(has func(string) bool) bool {
		for _, prefix := range winJSONRoots {
			if has(prefix+"System.Channel") || has(prefix+"System.EventRecordID") || has(prefix+"System.Computer") {
				return true
			}
		}
		switch {
		case has("EventID") || has("EventId") || has("EventCode"):
			return has("Channel") || has("SourceName") || has("ProviderName") || has("Provider_Name") || has("EventSourceName") || has("LogName") || has("RuleTitle") && has("Computer")
		case has("event_id"):
			return has("log_name") && (has("source_name") || has("provider_guid") || has("computer_name"))
		case has("Id"):
			return has("ProviderName") && (has("LogName") || has("MachineName"))
		}
		return false
	},
	JSONScore: 96,
	Lines:     func(p *Params) LineDecoder { return (&winJSON{p: p}).decode },
})

var winJSONRoots = []string{"Event.", "", "document.data.Event.", "Evtx.Event."}

// winPart is what a path of a record is a part of.
type winPart uint8

const (
	winNothing winPart = iota // kept under its own name
	winID
	winProvider
	winGUID
	winVersion
	winLevel
	winTask
	winOpcode
	winKeywords
	winTime
	winLocalTime // without a zone, of the host that logged it
	winReceived
	winStamp
	winRecordID
	winActivity
	winRelated
	winPID
	winTID
	winChannel
	winComputer
	winSID
	winUserName
	winUserDomain
	winUserType
	winMessage
	winDatum
	winList // data without names
	winUserDatum
	winRule
	winDetails // a datum of Sysmon's registry events, but of Hayabusa's exports its own words
	winKind    // NXLog's severity, or the datum of the name
	winDrop
)

// winSystem are the elements and attributes of System, in lower case.
var winSystem = map[string]winPart{
	"provider.name": winProvider, "provider.guid": winGUID, "eventid": winID, "eventid.value": winID, "version": winVersion, "level": winLevel, "task": winTask, "opcode": winOpcode, "keywords": winKeywords,
	"timecreated.systemtime": winTime, "timecreated": winTime, "eventrecordid": winRecordID, "correlation.activityid": winActivity, "correlation.relatedactivityid": winRelated,
	"execution.processid": winPID, "execution.threadid": winTID, "channel": winChannel, "computer": winComputer, "security.userid": winSID,
	"eventid.qualifiers": winDrop, "provider.eventsourcename": winDrop, "provider": winProvider,
}

// winFlat are the names of flat records.
var winFlat = map[string]winPart{
	"EventID": winID, "EventId": winID, "EventCode": winID, "event_id": winID, "Id": winID,
	"SourceName": winProvider, "ProviderName": winProvider, "Provider_Name": winProvider, "EventSourceName": winProvider, "source_name": winProvider, "Provider": winProvider,
	"ProviderGuid": winGUID, "Provider_Guid": winGUID, "ProviderId": winGUID, "provider_guid": winGUID, "EventSourceGuid": winGUID, "SourceGuid": winGUID,
	"Version": winVersion, "version": winVersion, "Level": winLevel, "level": winLevel, "LevelDisplayName": winDrop, "Task": winTask, "task": winTask, "TaskDisplayName": winDrop, "Category": winNothing,
	"Opcode": winOpcode, "opcode": winOpcode, "OpcodeValue": winNothing, "OpcodeDisplayName": winDrop, "Keywords": winKeywords, "keywords": winKeywords, "KeywordsDisplayNames": winDrop,
	"TimeCreated": winTime, "TimeGenerated": winTime, "SystemTime": winTime, "Timestamp": winTime, "EventTime": winLocalTime, "EventReceivedTime": winReceived, "@timestamp": winStamp, "UtcTime": winDatum,
	"RecordNumber": winRecordID, "EventRecordID": winRecordID, "EventRecordId": winRecordID, "RecordId": winRecordID, "record_number": winRecordID, "RecordID": winRecordID,
	"ActivityID": winActivity, "ActivityId": winActivity, "activity_id": winActivity, "Correlation_ActivityID": winActivity, "RelatedActivityID": winRelated, "RelatedActivityId": winRelated, "related_activity_id": winRelated,
	"ExecutionProcessID": winPID, "ProcessID": winPID, "process_id": winPID, "Execution_ProcessID": winPID, "ThreadID": winTID, "ThreadId": winTID, "thread_id": winTID, "Execution_ThreadID": winTID,
	"Channel": winChannel, "LogName": winChannel, "log_name": winChannel, "Hostname": winComputer, "Computer": winComputer, "MachineName": winComputer, "computer_name": winComputer, "ComputerName": winComputer,
	"UserID": winSID, "UserId.Value": winSID, "user.identifier": winSID, "Security_UserID": winSID, "user.name": winUserName, "user.domain": winUserDomain, "user.type": winUserType,
	"Message": winMessage, "message": winMessage, "RuleTitle": winRule,
	"SourceModuleName": winNothing, "SourceModuleType": winNothing, "Severity": winNothing, "SeverityValue": winNothing, "EventType": winKind, "EventTypeOrignal": winNothing,
	"host": winNothing, "port": winNothing, "tags": winNothing, "@version": winNothing, "type": winNothing, "_id": winNothing, "_index": winNothing, "Qualifiers": winNothing, "MatchedQueryIds": winNothing, "ContainerLog": winNothing,
	"TenantId": winNothing, "SourceSystem": winNothing, "MG": winNothing, "ManagementGroupName": winNothing, "Type": winDatum, "Bookmark": winNothing, "Properties": winList, "Details": winDetails, "SubscriptionName": winNothing,
}

// nxlogKinds are the values of NXLog's own EventType. Where the event has a datum
// of the name, as Sysmon's of the registry and of pipes, that stands there and
// NXLog's is written EventTypeOrignal.
var nxlogKinds = []string{"CRITICAL", "ERROR", "WARNING", "INFO", "VERBOSE", "AUDIT_SUCCESS", "AUDIT_FAILURE", "SUCCESS", "DEBUG"}

// winNames remembers what each path that was met is.
type winNames struct {
	scan    event.Scanner
	targets []winTarget
	export  winExport
	named   namedRecord
}

type winTarget struct {
	part    winPart
	name    string // of the datum, or of UserData's element
	element bool   // of the XML, and not a name of a flat record
	rest    string
}

var winNamesPool = sync.Pool{New: func() any {
	n := &winNames{}
	n.scan.Tag = n.tag
	return n
}}

func (n *winNames) tag(path string) int32 {
	n.targets = append(n.targets, winTargetOf(path))
	return int32(len(n.targets) - 1)
}

// winTargetOf says what a path is. Attributes stand under "#attributes", "@Name" and the like,
// an element's text beside them under "#text".
func winTargetOf(path string) winTarget {
	if part, ok := winFlat[path]; ok {
		return winTarget{part: part, name: path}
	}
	full := path
	for _, root := range winJSONRoots {
		if rest, ok := strings.CutPrefix(path, root); ok && root != "" {
			path = rest
			break
		}
	}
	var segments []string
	for s := range strings.SplitSeq(path, ".") {
		switch s {
		case "#attributes", "@attributes", "_attributes", "$", "#text", "_text", "__text":
			continue
		}
		segments = append(segments, strings.TrimSuffix(strings.TrimLeft(s, "@"), "_attributes"))
	}
	if len(segments) == 0 {
		return winTarget{}
	}
	head, rest := segments[0], strings.Join(segments[1:], ".")
	switch head {
	case "System":
		if part, ok := winSystem[strings.ToLower(rest)]; ok {
			return winTarget{part: part, element: true}
		}
		return winTarget{part: winNothing}
	case "EventData", "event_data", "AllFieldInfo", "ExtraFieldInfo":
		switch rest {
		case "", "Data":
			return winTarget{part: winList}
		case "xmlns", "Name":
			if strings.Contains(full, "#attributes") || strings.Contains(full, "@") || rest == "xmlns" {
				return winTarget{part: winDrop}
			}
		}
		return winTarget{part: winDatum, name: strings.TrimPrefix(rest, "Data.")}
	case "UserData", "user_data":
		element, name, ok := strings.Cut(rest, ".")
		if !ok {
			return winTarget{part: winUserDatum, name: element}
		}
		if name == "xmlns" || strings.HasPrefix(name, "xmlns:") {
			return winTarget{part: winDrop}
		}
		return winTarget{part: winUserDatum, name: name, rest: element}
	case "xmlns":
		return winTarget{part: winDrop}
	case "Details":
		return winTarget{part: winNothing}
	case "RenderingInfo":
		if rest == "Message" {
			return winTarget{part: winMessage}
		}
		return winTarget{part: winNothing}
	}
	if len(segments) == 1 && full == path {
		return winTarget{part: winDatum, name: head} // of a flat record
	}
	return winTarget{part: winNothing}
}

type winJSON struct{ p *Params }

func (d *winJSON) decode(record string, b *event.Batch) error {
	n := winNamesPool.Get().(*winNames)
	defer func() {
		if len(n.targets) < maxNames { // else it met names without end
			n.export.reset()
			n.named = namedRecord{}
			clear(n.export.data[:cap(n.export.data)])
			winNamesPool.Put(n)
		}
	}()
	leaves, err := n.scan.Scan(record, b)
	if err != nil {
		return err
	}
	x := &n.export
	x.reset()
	named := &n.named
	named.p, named.prefix = d.p, "json."
	var stamp, local, received *event.Leaf
	ruled, listed, details := false, 0, ""
	nested := false // the parts are the XML's elements: other names are of who wrote it out
	for i := range leaves {
		if n.targets[leaves[i].Name.Tag].element {
			nested = true
			break
		}
	}
	shell := hasLeaf(leaves, "ProviderName") && hasLeaf(leaves, "Id") // PowerShell's
	for i := range leaves {
		l := &leaves[i]
		t := &n.targets[l.Name.Tag]
		v := l.Value
		switch t.part {
		case winID:
			x.id = v
		case winProvider:
			x.provider = v
		case winGUID:
			x.guid = v
		case winVersion:
			x.version = v
		case winLevel:
			x.level = v
		case winTask:
			x.task = v
		case winOpcode:
			x.opcode = v
		case winKeywords:
			x.keywords = v
		case winTime:
			if ns, ok := winJSONTime(named, l); ok && !x.timed {
				x.ns, x.timed = ns, true
			}
		case winLocalTime:
			local = l
		case winReceived:
			received = l
		case winStamp:
			stamp = l
		case winRecordID:
			x.record = v
		case winActivity:
			x.activity = v
		case winRelated:
			x.related = v
		case winPID:
			x.pid = v
		case winTID:
			x.tid = v
		case winChannel:
			x.channel = v
		case winComputer:
			x.computer = v
		case winSID:
			x.sid = v
		case winUserName:
			x.userName = v
		case winUserDomain:
			x.userDomain = v
		case winUserType:
			x.userType = v
		case winMessage:
			x.message = v
		case winDatum:
			switch {
			case nested && l.Name.Path == t.name:
				b.AddKind(jsonName(b, t.name), v, l.Kind)
			case shell && t.name == "ProcessId":
				x.pid = v
			default:
				x.data = append(x.data, datum{t.name, v})
			}
		case winUserDatum:
			if t.rest != "" {
				x.userData = t.rest
			}
			x.data = append(x.data, datum{t.name, v})
		case winList:
			if l.Kind == event.JSON {
				listed = x.objects(v, listed, b)
			} else if t.name != "" && !shell { // the datum of that name, as 4662 has
				x.data = append(x.data, datum{t.name, v})
			} else if v != "" {
				listed++
				x.data = append(x.data, datum{x.positional(listed), v})
			}
		case winRule:
			ruled = true
		case winDetails:
			details = v
		case winKind:
			if !slices.Contains(nxlogKinds, v) {
				x.data = append(x.data, datum{t.name, v})
			}
		}
	}
	if details != "" && !ruled {
		x.data = append(x.data, datum{"Details", details})
	}
	if x.userData == "" {
		for i := range leaves {
			if n.targets[leaves[i].Name.Tag].part == winUserDatum {
				x.userData = "EventXML"
				break
			}
		}
	}
	if shell && x.message != "" && listed == len(x.data) {
		positional := x.data
		x.data = nil
		x.readMessage() // names what stands without in Properties
		if len(x.data) == 0 {
			x.data = positional
		}
	}
	if !ruled { // a timeline's record is no whole one
		if x.sid == "" || !strings.HasPrefix(x.sid, "S-1-") {
			x.sid = ""
		}
		x.account(nested)
	}
	d.time(x, named, stamp, local, received)
	if err := x.add(b, d.p.Clock); err != nil {
		return err
	}
	for i := range leaves {
		l := &leaves[i]
		part := n.targets[l.Name.Tag].part
		switch {
		case part == winRule:
			b.Add("rule.name", l.Value)
		case part == winNothing, part == winDetails && ruled, part == winKind && slices.Contains(nxlogKinds, l.Value):
			b.AddKind(jsonName(b, l.Name.Path), l.Value, l.Kind)
		}
	}
	return nil
}

// jsonName is where what ECS does not know is kept.
func jsonName(b *event.Batch, name string) string {
	var few [128]byte
	return b.Bytes(append(append(few[:0], "json."...), name...))
}

// account takes the account that NXLog puts beside the data (AccountName, Domain,
// AccountType) out of them.
func (x *winExport) account(nested bool) {
	if nested || x.sid == "" {
		return
	}
	typed := false
	for _, d := range x.data {
		typed = typed || d.name == "AccountType"
	}
	if !typed {
		return
	}
	kept := x.data[:0]
	for _, d := range x.data {
		switch d.name {
		case "AccountName":
			x.userName = d.value
		case "Domain":
			x.userDomain = d.value
		case "AccountType":
			x.userType = d.value
		default:
			kept = append(kept, d)
		}
	}
	x.data = kept
}

// objects adds data that are written as a list of objects, [{"@Name":"User","#text":"alice"}].
func (x *winExport) objects(list string, listed int, b *event.Batch) int {
	p := []byte(list)
	if x.lists == nil {
		x.lists = &event.Scanner{}
	}
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] == '{' && n < maxCloudObjects; n++ {
		var v valueScanner
		size, done := v.feed(p[i:])
		if !done {
			break
		}
		if leaves, err := x.lists.Scan(list[i:i+size], b); err == nil {
			name, value := "", ""
			for _, l := range leaves {
				switch l.Name.Path {
				case "@Name", "#attributes.Name", "Name", "@attributes.Name", "$.Name":
					name = l.Value
				case "#text", "Value", "_text", "_", "__text":
					value = l.Value
				}
			}
			if name == "" {
				listed++
				name = x.positional(listed)
			}
			x.data = append(x.data, datum{name, value})
		}
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
	return listed
}

// winJSONTime reads a time, also as .NET's JSON writes it: /Date(1735689600000)/.
func winJSONTime(named *namedRecord, l *event.Leaf) (int64, bool) {
	if v, ok := strings.CutPrefix(l.Value, "/Date("); ok {
		v, _, _ = strings.Cut(v, ")")
		return named.p.Clock.Epoch(v)
	}
	return named.time(l)
}

// time finds when the event was logged. NXLog writes the host's own time without a zone;
// how far that is from UTC is told by when it was received, there and by the next in line.
func (d *winJSON) time(x *winExport, named *namedRecord, stamp, local, received *event.Leaf) {
	if x.timed {
		return
	}
	if local != nil {
		ns, ok := named.time(local)
		zoned := strings.HasSuffix(local.Value, "Z") || strings.LastIndexAny(local.Value, "+-") > 10
		if ok && !zoned && stamp != nil && received != nil {
			at, ok1 := named.time(stamp)
			there, ok2 := named.time(received)
			const quarter = int64(15 * 60 * 1e9)
			if away := at - there; ok1 && ok2 && -56*quarter < away && away < 56*quarter {
				half := quarter / 2
				if away < 0 {
					half = -half
				}
				ns += (away + half) / quarter * quarter
			}
		}
		if ok {
			x.ns, x.timed = ns, true
			return
		}
	}
	if stamp != nil {
		x.ns, x.timed = named.time(stamp)
	}
}

func hasLeaf(leaves []event.Leaf, path string) bool {
	for i := range leaves {
		if leaves[i].Name.Path == path {
			return true
		}
	}
	return false
}
