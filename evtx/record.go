package evtx

// Record is one event record. It and its slices are valid until the callback
// that received it returns; its strings stay valid.
type Record struct {
	// ID is the record number of the record's header. Within one log it grows
	// by one per record; a hole means records were removed (see Gaps).
	ID uint64
	// Written is when the event log service wrote the record, from its header.
	Written Filetime
	// Offset is where the record starts in the file, and Size its length in bytes.
	Offset int64
	Size   int
	// Recovered is true for a record carved from slack or damaged space.
	Recovered bool
	// Err says why the record's content could be read only in part, nil otherwise.
	Err error

	System System

	// DataKind says whether Data came from EventData or UserData.
	DataKind DataKind
	// DataName is the name of the element inside UserData (Winlogbeat's
	// user_data.xml_name), or the Name attribute of EventData; often empty.
	DataName string
	// Data is the EventData or UserData in order; names may repeat.
	Data []Field
	// Extra is what the event holds beyond System, EventData and UserData, with
	// dotted names: RenderingInfo.Message and the like of forwarded events,
	// ProcessingErrorData.ErrorCode, unknown children of System.
	Extra []Field

	src source // what AppendXML renders from
}

// DataKind is the kind of payload an event has.
type DataKind uint8

const (
	NoData    DataKind = iota
	EventData          // winlog.event_data.*
	UserData           // winlog.user_data.*
)

// System is the System element of an event. Text is as Windows renders it; what
// the event does not have is zero.
type System struct {
	ProviderName    string // Microsoft-Windows-Security-Auditing
	ProviderGUID    string // {54849625-5478-4994-a5ba-3e3b0328c30d}
	EventSourceName string // classic name of the provider, Service Control Manager

	EventID       uint32
	Qualifiers    uint16
	HasQualifiers bool // classic events have qualifiers, be they 0
	Version       uint8
	Level         uint8
	Task          uint16
	Opcode        uint8
	HasOpcode     bool
	Keywords      uint64 // see KeywordsString

	TimeCreated   Filetime // SystemTime, all 7 digits
	EventRecordID uint64   // differs from Record.ID in forwarded logs

	ActivityID        string // {…}, lower case
	RelatedActivityID string

	ProcessID     uint32
	ThreadID      uint32
	ProcessorID   uint32
	SessionID     uint32
	KernelTime    uint32
	UserTime      uint32
	ProcessorTime uint32

	Channel  string
	Computer string
	UserID   string // SID of Security UserID
}

// KeywordsString gives the keywords as Windows writes them, 0x8020000000000000.
func (s *System) KeywordsString() string { return string(appendHexInt(nil, s.Keywords)) }

// Field is one named value of an event.
type Field struct {
	Name  string
	Value string
	// Type is the type Windows stored; elements of an array carry the TypeArray
	// bit and follow each other under one name.
	Type Type
}

// Get returns the value of the first field of Data with this name.
func (r *Record) Get(name string) (value string, ok bool) {
	for i := range r.Data {
		if r.Data[i].Name == name {
			return r.Data[i].Value, true
		}
	}
	return "", false
}
