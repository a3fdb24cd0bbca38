package evtx

import (
	"strconv"
	"strings"
	"time"
)

// known are the element and attribute names that mean something to System.
type known uint8

const (
	unknown known = iota
	knownName
	knownEvent
	knownSystem
	knownEventData
	knownUserData
	knownData
	knownProvider
	knownGUID
	knownEventSourceName
	knownEventID
	knownQualifiers
	knownVersion
	knownLevel
	knownTask
	knownOpcode
	knownKeywords
	knownTimeCreated
	knownSystemTime
	knownEventRecordID
	knownCorrelation
	knownActivityID
	knownRelatedActivityID
	knownExecution
	knownProcessID
	knownThreadID
	knownProcessorID
	knownSessionID
	knownKernelTime
	knownUserTime
	knownProcessorTime
	knownChannel
	knownComputer
	knownSecurity
	knownUserID
)

var knownNames = map[string]known{
	"Name": knownName, "Event": knownEvent, "System": knownSystem, "EventData": knownEventData,
	"UserData": knownUserData, "Data": knownData, "Provider": knownProvider, "Guid": knownGUID,
	"EventSourceName": knownEventSourceName, "EventID": knownEventID, "Qualifiers": knownQualifiers,
	"Version": knownVersion, "Level": knownLevel, "Task": knownTask, "Opcode": knownOpcode,
	"Keywords": knownKeywords, "TimeCreated": knownTimeCreated, "SystemTime": knownSystemTime,
	"EventRecordID": knownEventRecordID, "Correlation": knownCorrelation, "ActivityID": knownActivityID,
	"RelatedActivityID": knownRelatedActivityID, "Execution": knownExecution, "ProcessID": knownProcessID,
	"ThreadID": knownThreadID, "ProcessorID": knownProcessorID, "SessionID": knownSessionID,
	"KernelTime": knownKernelTime, "UserTime": knownUserTime, "ProcessorTime": knownProcessorTime,
	"Channel": knownChannel, "Computer": knownComputer, "Security": knownSecurity, "UserID": knownUserID,
}

// system reads one child of System.
func (w *walker) system(in *instance, n *node) {
	s := &w.rec.System
	switch n.known {
	case knownEventID:
		s.EventID = uint32(w.number(in, n))
	case knownVersion:
		s.Version = uint8(w.number(in, n))
	case knownLevel:
		s.Level = uint8(w.number(in, n))
	case knownTask:
		s.Task = uint16(w.number(in, n))
	case knownOpcode:
		s.Opcode, s.HasOpcode = uint8(w.number(in, n)), true
	case knownKeywords:
		s.Keywords = w.number(in, n)
	case knownEventRecordID:
		s.EventRecordID = w.number(in, n)
	case knownChannel:
		s.Channel = w.text(in, n)
	case knownComputer:
		s.Computer = w.text(in, n)
	case knownProvider, knownTimeCreated, knownCorrelation, knownExecution, knownSecurity:
	default:
		w.leaf(in, n, "System.", inExtra)
		return
	}
	for a := n.attr; a != 0; a = in.t.nodes[a].next {
		at := &in.t.nodes[a]
		if w.steps--; w.steps <= 0 {
			return
		}
		switch at.known {
		case knownName:
			s.ProviderName = w.text(in, at)
		case knownGUID:
			s.ProviderGUID = lowerGUID(w.text(in, at))
		case knownEventSourceName:
			s.EventSourceName = w.text(in, at)
		case knownQualifiers:
			if c := &in.t.nodes[at.child]; at.child != 0 && c.kind == nodeSubst {
				if v := w.value(in, c.sub); v.null() {
					continue
				}
			}
			s.Qualifiers, s.HasQualifiers = uint16(w.number(in, at)), true
		case knownSystemTime:
			s.TimeCreated = w.time(in, at)
		case knownActivityID:
			s.ActivityID = lowerGUID(w.text(in, at))
		case knownRelatedActivityID:
			s.RelatedActivityID = lowerGUID(w.text(in, at))
		case knownProcessID:
			s.ProcessID = uint32(w.number(in, at))
		case knownThreadID:
			s.ThreadID = uint32(w.number(in, at))
		case knownProcessorID:
			s.ProcessorID = uint32(w.number(in, at))
		case knownSessionID:
			s.SessionID = uint32(w.number(in, at))
		case knownKernelTime:
			s.KernelTime = uint32(w.number(in, at))
		case knownUserTime:
			s.UserTime = uint32(w.number(in, at))
		case knownProcessorTime:
			s.ProcessorTime = uint32(w.number(in, at))
		case knownUserID:
			s.UserID = w.text(in, at)
		default:
			if text := w.text(in, at); text != "" && !isNamespace(at.name) {
				w.rec.Extra = append(w.rec.Extra, Field{"System." + n.name + "." + at.name, text, TypeString})
			}
		}
	}
}

// number is the number an element or attribute holds, 0 if none.
func (w *walker) number(in *instance, n *node) uint64 {
	if c := &in.t.nodes[n.child]; n.child != 0 && c.next == 0 && c.kind == nodeSubst {
		v := w.value(in, c.sub)
		switch v.typ {
		case TypeString, TypeANSI:
		default:
			x, _ := uintOf(w.chunk[v.off : v.off+v.size])
			return x
		}
	}
	x, _ := strconv.ParseUint(strings.TrimSpace(w.text(in, n)), 0, 64)
	return x
}

// time is the time an attribute holds, 0 if none.
func (w *walker) time(in *instance, n *node) Filetime {
	if c := &in.t.nodes[n.child]; n.child != 0 && c.next == 0 && c.kind == nodeSubst {
		v := w.value(in, c.sub)
		if b := w.chunk[v.off : v.off+v.size]; v.typ == TypeFiletime && len(b) == 8 {
			return Filetime(le.Uint64(b))
		}
	}
	t, err := time.Parse(time.RFC3339Nano, w.text(in, n))
	if err != nil {
		return 0
	}
	return FiletimeOf(t)
}

// lowerGUID lowers a GUID that was stored as text; those stored as GUID are already.
func lowerGUID(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'F' {
			return strings.ToLower(s)
		}
	}
	return s
}

// commonSystem fills in System from the values alone. Windows makes the templates of
// all providers with the same numbers for them (the constants sub… of the
// writer), so a recovered record is of use even where its template is overwritten. It
// reports whether the values are of the types those have.
func (w *walker) commonSystem(in *instance) bool {
	types := [...]Type{subLevel: TypeUInt8, subOpcode: TypeUInt8, subTask: TypeUInt16, subEventID: TypeUInt16, subKeywords: TypeHexInt64,
		subTime: TypeFiletime, subProcess: TypeUInt32, subThread: TypeUInt32, subRecordID: TypeUInt64, subVersion: TypeUInt8}
	if in.count <= subVersion {
		return false
	}
	for sub, t := range types {
		v := w.value(in, int32(sub))
		if got := v.typ; t != TypeNull && got != t && got != TypeNull {
			return false
		}
		if sub == subEventID && v.null() || sub == subTime && v.size != 8 {
			return false
		}
	}
	number := func(sub int32) uint64 {
		v := w.value(in, sub)
		n, _ := uintOf(w.chunk[v.off : v.off+v.size])
		return n
	}
	text := func(sub int32, t Type) string {
		if v := w.value(in, sub); v.typ == t {
			return w.valueString(&v)
		}
		return ""
	}
	q := w.value(in, subQualifiers)
	read := w.rec.System // constants of the template, if it could be read that far
	w.rec.System = System{
		Computer: read.Computer, EventSourceName: read.EventSourceName,
		ProviderName: text(subProvider, TypeString), ProviderGUID: text(subGUID, TypeGUID),
		EventID: uint32(number(subEventID)), Version: uint8(number(subVersion)), Level: uint8(number(subLevel)),
		Qualifiers: uint16(number(subQualifiers)), HasQualifiers: !q.null(),
		Task: uint16(number(subTask)), Opcode: uint8(number(subOpcode)), HasOpcode: true, Keywords: number(subKeywords),
		TimeCreated: Filetime(number(subTime)), EventRecordID: number(subRecordID),
		ActivityID: text(subActivity, TypeGUID), RelatedActivityID: text(subRelated, TypeGUID),
		ProcessID: uint32(number(subProcess)), ThreadID: uint32(number(subThread)),
		Channel: text(subChannel, TypeString), UserID: text(subUser, TypeSID),
	}
	if s := &w.rec.System; s.ProviderName == "" {
		s.ProviderName, s.ProviderGUID = read.ProviderName, read.ProviderGUID
	}
	if s := &w.rec.System; s.Channel == "" {
		s.Channel = read.Channel
	}
	w.rec.Data, w.rec.Extra = w.rec.Data[:0], w.rec.Extra[:0]
	v := w.value(in, subData)
	for k := v.inst; k >= 0; k = w.instances[k].next {
		data := &w.instances[k]
		w.children(data, data.t.nodes[0].child, inEvent, "")
	}
	return true
}
