package format

import (
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Windows events as tables: what the Event Viewer saves as CSV and as text (tabs), in the
// language of its windows; PowerShell's Get-WinEvent and Get-EventLog | Export-Csv; and the timelines
// of EvtxECmd and Hayabusa. The first three hold an event's data in its rendered text alone.
var _ = register(Format{
	Name:  "windows.csv",
	Title: "Windows events as a table (Event Viewer, Export-Csv, EvtxECmd, Hayabusa)",
	Group: "windows",
	Recognise: func(s *Sample) int {
		if len(s.Lines) == 0 || !s.Text() {
			return 0
		}
		first := s.Lines[0]
		if csvPreamble(first) && len(s.Lines) > 1 {
			first = s.Lines[1]
		}
		columns := columnNames(first, winDelimiter(first))
		if winTable(columns) {
			return 96
		}
		return 0
	},
	Frame: func(r io.Reader) Framer {
		return &csvFramer{lines: lineFramer{r: r}, choose: func(lines []string) byte {
			if len(lines) > 1 && csvPreamble(lines[0]) {
				lines = lines[1:]
			}
			if len(lines) == 0 {
				return ','
			}
			return winDelimiter(lines[0])
		}}
	},
	Decode: decodeCSV(newWinTable),
})

// winDelimiter is what parts the columns of a header.
func winDelimiter(header string) byte {
	best := byte(',')
	for _, d := range []byte(csvDelimiters) {
		if strings.Count(header, string(d)) > strings.Count(header, string(best)) {
			best = d
		}
	}
	return best
}

// winColumns are the columns' parts, in lower case. The Event Viewer's are those of its windows'
// language: English, German, French, Spanish, Italian, Portuguese, Dutch.
var winColumns = map[string]winPart{
	"level": winLevel, "ebene": winLevel, "niveau": winLevel, "nivel": winLevel, "livello": winLevel, "nível": winLevel, "leveldisplayname": winLevel,
	"keywords": winKeywords, "schlüsselwörter": winKeywords, "mots clés": winKeywords, "palabras clave": winKeywords, "parole chiave": winKeywords, "palavras-chave": winKeywords, "trefwoorden": winKeywords,
	"keywordsdisplaynames": winDrop, "entrytype": winKeywords,
	"date and time": winTime, "datum und uhrzeit": winTime, "date et heure": winTime, "fecha y hora": winTime, "data e ora": winTime, "data e hora": winTime, "datum en tijd": winTime,
	"timecreated": winTime, "timegenerated": winTime, "timestamp": winTime, "timewritten": winDrop,
	"source": winProvider, "quelle": winProvider, "origen": winProvider, "origine": winProvider, "fonte": winProvider, "bron": winProvider, "providername": winProvider, "provider": winProvider,
	"event id": winID, "ereignis-id": winID, "id de l’événement": winID, "id de l'événement": winID, "id. del evento": winID, "id evento": winID, "identificação do evento": winID, "gebeurtenis-id": winID,
	"id": winID, "eventid": winID,
	"task category": winTask, "aufgabenkategorie": winTask, "catégorie de la tâche": winTask, "categoría de la tarea": winTask, "categoria attività": winTask, "categoria da tarefa": winTask, "taakcategorie": winTask,
	"taskdisplayname": winTask, "task": winTask,
	"message": winMessage, "description": winMessage, "beschreibung": winMessage, "log": winChannel, "logname": winChannel, "log name": winChannel, "channel": winChannel, "protokoll": winChannel,
	"computer": winComputer, "machinename": winComputer, "hostname": winComputer, "recordid": winRecordID, "eventrecordid": winRecordID, "index": winRecordID, "providerid": winGUID, "version": winVersion, "opcode": winOpcode,
	"opcodedisplayname": winDrop, "processid": winPID, "threadid": winTID, "userid": winSID, "user": winUserName, "benutzer": winUserName, "username": winUserName, "activityid": winActivity, "relatedactivityid": winRelated,
	"payload": winList, "ruletitle": winRule, "details": winMessage,
}

// winTable reports whether the columns are those of such a table.
func winTable(columns []string) bool {
	var has [winDrop + 1]bool
	for _, c := range columns {
		has[winColumns[strings.ToLower(c)]] = true
	}
	if !has[winID] || !has[winTime] {
		return false
	}
	return has[winProvider] && (has[winTask] || has[winChannel] || has[winMessage] || has[winKeywords]) || has[winChannel] && has[winComputer]
}

func newWinTable(p *Params, columns []string) tableDecoder {
	parts := make([]winPart, len(columns))
	names := make([]string, len(columns))
	messaged := false
	for i, c := range columns {
		parts[i] = winColumns[strings.ToLower(c)]
		names[i] = "csv." + c
		messaged = messaged || parts[i] == winMessage
	}
	var x winExport
	named := namedRecord{p: p, prefix: "csv."}
	return func(fields []string, b *event.Batch) error {
		x.reset()
		rule := ""
		for i, v := range fields {
			if i >= len(parts) {
				if !messaged && i == len(parts) { // the Event Viewer names no column of its text
					x.message = v
				}
				break
			}
			if v == "" {
				continue
			}
			switch parts[i] {
			case winRule:
				rule = v
			case winList: // EvtxECmd's: {"EventData":{"Data":[{"@Name":…,"#text":…}]}}
				if list := jsonMember(jsonMember(v, "EventData"), "Data"); list != "" && list[0] == '[' {
					x.objects(list, 0, b)
				}
			default:
				x.set(parts[i], v, &named)
			}
		}
		if err := x.add(b, p.Clock); err != nil {
			return err
		}
		b.Add("rule.name", rule)
		for i, v := range fields {
			if i < len(parts) && parts[i] == winNothing && v != "" {
				b.Add(names[i], v)
			}
		}
		return nil
	}
}

// set sets the part of an event that a column or a named line holds.
func (x *winExport) set(part winPart, v string, named *namedRecord) {
	switch part {
	case winLevel:
		x.level = v
	case winKeywords:
		if x.keywords == "" || isDigits(strings.TrimPrefix(x.keywords, "-")) && !isDigits(strings.TrimPrefix(v, "-")) {
			x.keywords = v
		}
	case winTime:
		if ns, ok := named.time(&event.Leaf{Value: v}); ok && !x.timed {
			x.ns, x.timed = ns, true
		}
	case winProvider:
		x.provider = v
	case winID:
		x.id = v
	case winTask:
		if x.task == "" || isDigits(x.task) {
			x.task = v
		}
	case winMessage:
		x.message = v
	case winChannel:
		x.channel = v
	case winComputer:
		x.computer = v
	case winRecordID:
		x.record = v
	case winGUID:
		x.guid = v
	case winVersion:
		x.version = v
	case winOpcode:
		x.opcode = v
	case winPID:
		x.pid = v
	case winTID:
		x.tid = v
	case winSID:
		if strings.HasPrefix(v, "S-1-") {
			x.sid = v
		}
	case winUserName:
		if domain, name, ok := strings.Cut(v, `\`); ok && x.userName == "" {
			x.userDomain, x.userName = domain, name
		} else if v != "N/A" {
			x.userName = v
		}
	case winActivity:
		x.activity = v
	case winRelated:
		x.related = v
	}
}
