package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Logs of Microsoft Configuration Manager (SCCM), Intune's management extension and whatever else
// writes for CMTrace, in either of its formats:
//
//	<![LOG[text, of any number of lines]LOG]!><time="19:33:19.766-330" date="11-28-2014" component="C" context="" type="1" thread="8744" file="f.cpp:12">
//	text  $$<component><11-28-2014 19:33:19.766-330><thread=8744 (0x2228)>
//
// The number behind the time is what is to be added to get UTC, in minutes, as Windows counts its
// time zones' bias. https://learn.microsoft.com/mem/configmgr/core/support/cmtrace
var _ = register(Format{
	Name:  "sccm.log",
	Title: "Configuration Manager (SCCM, Intune, CMTrace) log",
	Group: "windows",
	Recognise: func(s *Sample) int {
		n := 0
		for _, l := range s.Lines {
			if strings.HasPrefix(l, cmtraceBegin) || cmtraceOld(l) > 0 {
				n++
			}
		}
		if n > 0 && (strings.HasPrefix(s.Lines[0], cmtraceBegin) || n*2 > len(s.Lines)) {
			return 96
		}
		return 0
	},
	Lines: func(p *Params) LineDecoder { return (&cmtrace{p}).decode },
	Joins: func(line []byte) bool {
		l := event.View(line)
		return !strings.HasPrefix(l, cmtraceBegin) && cmtraceOld(l) < 0
	},
	Blank: true,
})

const (
	cmtraceBegin = "<![LOG["
	cmtraceEnd   = "]LOG]!><time="
)

// cmtraceOld is where the tail of a line in the older format begins, -1 if it has none.
func cmtraceOld(l string) int {
	if !strings.HasSuffix(strings.TrimRight(l, "\r "), ">") {
		return -1
	}
	i := strings.LastIndex(l, "$$<")
	if i < 0 || !strings.Contains(l[i:], "><thread=") {
		return -1
	}
	return i
}

var cmtraceLevels = map[string]string{"0": "debug", "1": "info", "2": "warning", "3": "error"}

type cmtrace struct{ p *Params }

func (d *cmtrace) decode(record string, b *event.Batch) error {
	var text, date, clock, component, context, level, thread, file string
	if i := strings.LastIndex(record, cmtraceEnd); i >= 0 && strings.HasPrefix(record, cmtraceBegin) {
		text = record[len(cmtraceBegin):i]
		for tail := record[i+len("]LOG]!><"):]; ; {
			key, rest, ok := strings.Cut(tail, `="`)
			value, next, shut := strings.Cut(rest, `"`)
			if !ok || !shut {
				break
			}
			switch strings.TrimSpace(key) {
			case "time":
				clock = value
			case "date":
				date = value
			case "component":
				component = value
			case "context":
				context = value
			case "type":
				level = cmtraceLevels[value]
			case "thread":
				thread = value
			case "file":
				file = value
			}
			tail = next
		}
	} else if i := cmtraceOld(record); i >= 0 {
		parts := strings.SplitN(record[i+len("$$<"):], "><", 3)
		if len(parts) < 3 {
			return errorString("no component, time and thread behind $$")
		}
		text, component = strings.TrimRight(record[:i], " "), parts[0]
		date, clock, _ = strings.Cut(parts[1], " ")
		thread, _, _ = strings.Cut(strings.TrimPrefix(parts[2], "thread="), " ")
		thread = strings.TrimRight(thread, "\r> ")
	} else {
		return errorString("not a record of CMTrace")
	}
	ns, ok := d.time(date, clock)
	if !ok {
		d.p.Clock.NoTime()
	} else {
		b.Event().Time = ns
	}
	b.Add("event.kind", "event")
	b.Add("event.module", "sccm")
	b.Add("event.dataset", "sccm.log")
	b.Add("log.level", level)
	b.Add("log.logger", component)
	b.AddNumber("process.thread.id", thread)
	if name, at, ok := strings.Cut(file, ":"); ok && isDigits(at) {
		b.Add("log.origin.file.name", name)
		b.AddNumber("log.origin.file.line", at)
	} else {
		b.Add("log.origin.file.name", file)
	}
	if context != "" {
		b.Add("user.name", context)
	}
	b.Add("message", strings.TrimSpace(text))
	var facts textFacts
	if level == "" {
		facts.level(text, b)
	}
	facts.add(text, true, b)
	return nil
}

// time reads "11-28-2014" or "1-2-2015" and "19:33:19.766-330", whose bias may be missing.
func (d *cmtrace) time(date, clock string) (ns int64, ok bool) {
	month, rest, _ := strings.Cut(date, "-")
	day, year, ok := strings.Cut(rest, "-")
	if !ok || len(year) != 4 {
		return 0, false
	}
	at, n, ok := clockTime(clock)
	if !ok {
		return 0, false
	}
	y, err1 := strconv.Atoi(year)
	m, err2 := strconv.Atoi(month)
	dd, err3 := strconv.Atoi(day)
	if err1 != nil || err2 != nil || err3 != nil {
		return 0, false
	}
	if bias, err := strconv.Atoi(clock[n:]); err == nil && n < len(clock) && (clock[n] == '+' || clock[n] == '-') && bias > -24*60 && bias < 24*60 {
		return d.p.Clock.Zoned(y, m, dd, at.hour, at.minute, at.second, at.nanosecond, -bias*60)
	}
	return d.p.Clock.Local(y, m, dd, at.hour, at.minute, at.second, at.nanosecond)
}
