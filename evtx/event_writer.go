package evtx

import "fmt"

// Numbers of the substitutions of the event template, as Windows has them; the
// last are ours.
const (
	subLevel = iota
	subOpcode
	subTask
	subEventID
	subQualifiers
	subKeywords
	subTime
	subActivity
	subProcess
	subThread
	subRecordID
	subVersion
	subUser
	subRelated
	subProvider
	subGUID
	subChannel
	subData
	subSource
	subProcessor
	subSession
	subKernelTime
	subUserTime
	subProcessorTime
	subCount
)

// event writes the record's binary XML: an instance of the event template, whose
// last substitution holds an instance of the template of its data.
func (w *Writer) event(rec *Record) error {
	s := &rec.System
	w.key = append(append(w.key[:0], "event\x00"...), s.Computer...)
	w.instance(func() { w.eventTemplate(s) })
	w.put32(subCount)
	v := values{w: w, at: w.pos}
	w.skip(4 * subCount)
	v.number(TypeUInt8, uint64(s.Level), true)
	v.number(TypeUInt8, uint64(s.Opcode), true)
	v.number(TypeUInt16, uint64(s.Task), true)
	v.number(TypeUInt16, uint64(s.EventID), true)
	v.number(TypeUInt16, uint64(s.Qualifiers), s.HasQualifiers || s.Qualifiers != 0)
	v.number(TypeHexInt64, s.Keywords, true)
	v.number(TypeFiletime, uint64(s.TimeCreated), true)
	v.text(TypeGUID, s.ActivityID)
	v.number(TypeUInt32, uint64(s.ProcessID), true)
	v.number(TypeUInt32, uint64(s.ThreadID), true)
	recordID := s.EventRecordID
	if recordID == 0 {
		recordID = w.id
	}
	v.number(TypeUInt64, recordID, true)
	v.number(TypeUInt8, uint64(s.Version), true)
	v.text(TypeSID, s.UserID)
	v.text(TypeGUID, s.RelatedActivityID)
	v.text(TypeString, s.ProviderName)
	v.text(TypeGUID, s.ProviderGUID)
	v.text(TypeString, s.Channel)
	if v.err != nil {
		return v.err
	}
	if rec.DataKind == NoData {
		v.done(TypeNull, w.pos)
	} else {
		from := w.pos
		if err := w.data(rec); err != nil {
			return err
		}
		v.done(TypeBinXML, from)
	}
	v.text(TypeString, s.EventSourceName)
	v.number(TypeUInt32, uint64(s.ProcessorID), s.ProcessorID != 0)
	v.number(TypeUInt32, uint64(s.SessionID), s.SessionID != 0)
	v.number(TypeUInt32, uint64(s.KernelTime), s.KernelTime != 0)
	v.number(TypeUInt32, uint64(s.UserTime), s.UserTime != 0)
	v.number(TypeUInt32, uint64(s.ProcessorTime), s.ProcessorTime != 0)
	w.put(tokEOF)
	return v.err
}

// eventTemplate writes the definition of Event and System.
func (w *Writer) eventTemplate(s *System) {
	type attr struct {
		name string
		sub  int
		t    Type
	}
	attributes := func(list ...attr) {
		end := w.sized()
		for i, a := range list {
			w.attributeName(a.name, i+1 < len(list))
			w.subst(tokOptSubst, a.sub, a.t)
		}
		end()
	}
	// element with attributes only
	empty := func(name string, list ...attr) {
		end := w.element(name, true, -1)
		attributes(list...)
		w.put(tokCloseEmpty)
		end()
	}
	// element with a value, left out without it
	simple := func(name string, sub int, t Type) {
		end := w.element(name, false, sub)
		w.put(tokCloseStart)
		w.subst(tokOptSubst, sub, t)
		w.put(tokEndElement)
		end()
	}
	event := w.element("Event", true, -1)
	list := w.sized()
	w.attributeName("xmlns", false)
	w.constant("http://schemas.microsoft.com/win/2004/08/events/event")
	list()
	w.put(tokCloseStart)
	system := w.element("System", false, -1)
	w.put(tokCloseStart)
	empty("Provider", attr{"Name", subProvider, TypeString}, attr{"Guid", subGUID, TypeGUID}, attr{"EventSourceName", subSource, TypeString})
	id := w.element("EventID", true, subEventID)
	attributes(attr{"Qualifiers", subQualifiers, TypeUInt16})
	w.put(tokCloseStart)
	w.subst(tokOptSubst, subEventID, TypeUInt16)
	w.put(tokEndElement)
	id()
	simple("Version", subVersion, TypeUInt8)
	simple("Level", subLevel, TypeUInt8)
	simple("Task", subTask, TypeUInt16)
	simple("Opcode", subOpcode, TypeUInt8)
	simple("Keywords", subKeywords, TypeHexInt64)
	empty("TimeCreated", attr{"SystemTime", subTime, TypeFiletime})
	simple("EventRecordID", subRecordID, TypeUInt64)
	empty("Correlation", attr{"ActivityID", subActivity, TypeGUID}, attr{"RelatedActivityID", subRelated, TypeGUID})
	empty("Execution", attr{"ProcessID", subProcess, TypeUInt32}, attr{"ThreadID", subThread, TypeUInt32},
		attr{"ProcessorID", subProcessor, TypeUInt32}, attr{"SessionID", subSession, TypeUInt32},
		attr{"KernelTime", subKernelTime, TypeUInt32}, attr{"UserTime", subUserTime, TypeUInt32}, attr{"ProcessorTime", subProcessorTime, TypeUInt32})
	simple("Channel", subChannel, TypeString)
	computer := w.element("Computer", false, -1)
	w.put(tokCloseStart)
	w.constant(s.Computer)
	w.put(tokEndElement)
	computer()
	empty("Security", attr{"UserID", subUser, TypeSID})
	w.put(tokEndElement)
	system()
	w.subst(tokOptSubst, subData, TypeBinXML)
	w.put(tokEndElement)
	event()
}

// data writes the fragment of EventData or UserData.
func (w *Writer) data(rec *Record) error {
	// The shape: everything that is constant in the definition.
	w.key = append(append(w.key[:0], byte(rec.DataKind), 0), rec.DataName...)
	count := uint32(0)
	for i := range rec.Data {
		if inArray(rec.Data, i) {
			continue
		}
		f := &rec.Data[i]
		w.key = le.AppendUint32(w.key, uint32(len(f.Name)))
		w.key = append(append(w.key, f.Name...), byte(f.Type))
		count++
	}
	w.instance(func() { w.dataTemplate(rec) })
	w.put32(count)
	v := values{w: w, at: w.pos}
	w.skip(4 * int(count))
	for i := 0; i < len(rec.Data); {
		n := 1
		for i+n < len(rec.Data) && inArray(rec.Data, i+n) {
			n++
		}
		v.array(rec.Data[i : i+n])
		i += n
	}
	w.put(tokEOF)
	return v.err
}

// inArray reports whether field i continues the array of the field before it.
func inArray(fields []Field, i int) bool {
	return i > 0 && fields[i].Type.IsArray() && fields[i].Type == fields[i-1].Type && fields[i].Name == fields[i-1].Name
}

func (w *Writer) dataTemplate(rec *Record) {
	root := "EventData"
	if rec.DataKind == UserData {
		root = "UserData"
	}
	named := rec.DataKind == EventData && rec.DataName != ""
	end := w.element(root, named, -1)
	if named {
		list := w.sized()
		w.attributeName("Name", false)
		w.constant(rec.DataName)
		list()
	}
	w.put(tokCloseStart)
	inner := func() {}
	if rec.DataKind == UserData {
		inner = w.element(rec.DataName, false, -1)
		w.put(tokCloseStart)
	}
	sub := 0
	for i := range rec.Data {
		if inArray(rec.Data, i) {
			continue
		}
		w.field(&rec.Data[i], sub, rec.DataKind)
		sub++
	}
	if rec.DataKind == UserData {
		w.put(tokEndElement)
	}
	inner()
	w.put(tokEndElement)
	end()
}

// field writes the element of one field.
func (w *Writer) field(f *Field, sub int, kind DataKind) {
	t, token := f.Type, byte(tokSubst)
	if t == TypeNull {
		t, token = TypeString, tokOptSubst
	}
	element, attribute := "Data", f.Name != ""
	if kind == UserData && f.Name != "" || f.Name == "Binary" && t == TypeBinary {
		element, attribute = f.Name, false
	}
	end := w.element(element, attribute, -1)
	if attribute {
		list := w.sized()
		w.attributeName("Name", false)
		w.constant(f.Name)
		list()
	}
	w.put(tokCloseStart)
	w.subst(token, sub, t)
	w.put(tokEndElement)
	end()
}

// values writes the values of an instance and fills in their sizes and types.
type values struct {
	w   *Writer
	at  int // of the next size and type
	err error
}

// done enters the value written from from to the present position.
func (v *values) done(t Type, from int) {
	w := v.w
	size := w.pos - from
	if size > 0xffff {
		w.overflow = true
	}
	if !w.overflow {
		le.PutUint16(w.buf[v.at:], uint16(size))
		w.buf[v.at+2] = byte(t)
	}
	v.at += 4
}

func (v *values) number(t Type, n uint64, present bool) {
	from := v.w.pos
	if !present {
		v.done(TypeNull, from)
		return
	}
	v.w.key = appendUint(v.w.key[:0], t, n)
	v.w.put(v.w.key...)
	v.done(t, from)
}

// text writes a value given as text; empty means none.
func (v *values) text(t Type, s string) {
	if s == "" {
		v.done(TypeNull, v.w.pos)
		return
	}
	v.array([]Field{{Value: s, Type: t}})
}

// array writes one field, or several that are the elements of one array.
func (v *values) array(fields []Field) {
	from := v.w.pos
	t := fields[0].Type
	for i := range fields {
		b, err := encodeValue(v.w.key[:0], t.Elem(), fields[i].Value)
		if err != nil && v.err == nil {
			v.err = fmt.Errorf("field %q: %w", fields[i].Name, err)
		}
		v.w.key = b
		v.w.put(b...)
		switch {
		case t == TypeString|TypeArray:
			v.w.put(0, 0)
		case t == TypeANSI|TypeArray:
			v.w.put(0)
		}
	}
	v.done(t, from)
}
