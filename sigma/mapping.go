package sigma

// Mapping is the table that ties Sigma's log sources and field names to the caller's events. Write it in YAML:
//
//	fields:                            # groups of names that logs share
//	  windows:
//	    EventID: winlog.event_id
//	    User: [user.name, winlog.event_data.User]   # several: the values of all of them
//	    "*": winlog.event_data.*       # every other Sigma field; * is its name. Default: the name itself
//	logs:
//	  - name: security-4688            # for people
//	    product: windows               # what the log is; each may be a list
//	    category: process_creation
//	    service: security
//	    when:                          # which events are of it; all must hold. A list of maps: any of them
//	      winlog.channel: Security     # value or list of values, case-insensitive, * is a wildcard
//	      winlog.event_id: 4688
//	    use: [windows]                 # groups; the first that has the name wins, "*" is looked up last
//	    fields:                        # this log's own names, before the groups
//	      Image: winlog.event_data.NewProcessName
//	      IntegrityLevel:
//	        from: winlog.event_data.MandatoryLabel
//	        values: {S-1-16-12288: High}        # exact values to rewrite
//	        prefixes: {'\REGISTRY\MACHINE\': 'HKLM\'}
//
// A rule applies to every log that its logsource covers, see [LogSource.Covers].
type Mapping struct {
	Logs []Log
}

// Log is one kind of the caller's events.
type Log struct {
	Name     string
	Category []string
	Product  []string
	Service  []string
	When     []When // linked by OR; empty: every event
	Line     int

	fields map[string]Target   // the log's own
	groups []map[string]Target // after them
}

// When is a conjunction: every field must have one of its values.
type When map[string][]string

// Target says where a Sigma field's values are found in the caller's event.
type Target struct {
	From     []string          // the caller's fields; the values of all of them count
	Values   map[string]string // exact values to rewrite
	Prefixes map[string]string // prefixes to rewrite
}

// ParseMapping reads a mapping. Errors name file and line.
func ParseMapping(file string, data []byte) (*Mapping, error) { panic("not built yet") }

// Resolve returns where a Sigma field is found in events of the log.
func (l *Log) Resolve(field string) Target { panic("not built yet") }
