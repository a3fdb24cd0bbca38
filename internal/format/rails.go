package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The log of Ruby on Rails, whose lines may have the head of Ruby's Logger, tags in brackets (of which a UUID is the
// request's id), both, or neither:
//
//	I, [2026-03-04T10:11:12.123456 #42]  INFO -- : [7b0c3f0e-…] Started GET "/orders?x=1" for 192.0.2.1 at 2026-03-04 10:11:12 +0100
//	Processing by OrdersController#index as HTML
//	  Parameters: {"x"=>"1"}
//	Completed 200 OK in 12ms (Views: 8.1ms | ActiveRecord: 1.2ms)
//
// Each line is an event: requests are served side by side, and without an id nothing tells whose line it is. So without
// a head only what begins a request has a time. Where both stand, the head's is taken, as for the lines that have no other.
var _ = register(Format{
	Name:  "rails.log",
	Title: "Ruby on Rails request log",
	Group: "web",
	Recognise: func(s *Sample) int {
		own, good := 0, 0
		for _, l := range s.Lines {
			r := readRails(l)
			switch {
			case r.kind != railsOther && r.kind != railsParameters:
				own++
				good++
			case r.kind == railsParameters, r.headed, l[0] == ' ', l[0] == '\t', l[0] == 0x1b:
				good++
			}
		}
		if own == 0 || own*20 < len(s.Lines) || good*10 < len(s.Lines)*6 {
			return 0
		}
		return 80
	},
	Lines: func(p *Params) LineDecoder {
		return func(record string, b *event.Batch) error {
			r := readRails(record)
			r.decode(p.Clock, record, b)
			return nil
		}
	},
	Goes: func(before, line string) bool {
		r := readRails(line)
		if r.kind != railsOther {
			return false
		}
		if isRubyFrame(r.text) {
			return true
		}
		return strings.TrimSpace(r.text) == "" && rubyException(readRails(before).text) != ""
	},
})

type railsKind int

const (
	railsOther railsKind = iota
	railsStarted
	railsProcessing
	railsParameters
	railsCompleted
)

type railsLine struct {
	headed, tagged bool
	request        string // its id
	kind           railsKind
	text           string // behind head and tags

	method, target, client, stamp string // Started
	controller, action, format    string // Processing
	status, took                  string // Completed
}

// readRails takes the first line of a record apart; its head's time is left to the decoder.
func readRails(l string) (r railsLine) {
	l, _, _ = strings.Cut(l, "\n")
	l = strings.TrimSuffix(l, "\r")
	r.text = l
	if len(l) > 30 && isRubyLogger(l) {
		_, rest, _ := strings.Cut(l, " -- ")
		if program, text, ok := strings.Cut(rest, ":"); ok && len(program) < 60 {
			r.headed, r.text = true, strings.TrimPrefix(text, " ")
		}
	}
	for range 8 {
		tag, rest, ok := strings.Cut(strings.TrimPrefix(r.text, "["), "] ")
		if !ok || r.text[0] != '[' || len(tag) > 64 {
			break
		}
		if isUUIDText(tag) && r.request == "" {
			r.request = tag
		}
		r.tagged, r.text = true, rest
	}
	if rest, ok := strings.CutPrefix(r.text, "Started "); ok {
		method, rest, ok := strings.Cut(rest, ` "`)
		end := strings.LastIndex(rest, `" for `)
		if !ok || !isMethod(method) || end < 0 {
			return r
		}
		client, stamp, ok := strings.Cut(rest[end+len(`" for `):], " at ")
		if ok && isIP(client) && appDate(stamp) {
			r.kind, r.method, r.target, r.client, r.stamp = railsStarted, method, rest[:end], client, stamp
		}
	} else if rest, ok := strings.CutPrefix(r.text, "Processing by "); ok {
		where, format, ok := strings.Cut(rest, " as ")
		controller, action, ok2 := strings.Cut(where, "#")
		if ok && ok2 && isRubyConstant(controller) && strings.IndexByte(action, ' ') < 0 {
			r.kind, r.controller, r.action, r.format = railsProcessing, controller, action, strings.TrimSpace(format)
		}
	} else if rest, ok := strings.CutPrefix(r.text, "Completed "); ok {
		what, tail, ok := strings.Cut(rest, " in ")
		status, _, _ := strings.Cut(what, " ")
		took, _, ok2 := strings.Cut(tail, "ms")
		if ok && ok2 && len(status) == 3 && isDigits(status) && isJSONNumber(took) {
			r.kind, r.status, r.took = railsCompleted, status, took
		}
	} else if strings.HasPrefix(strings.TrimLeft(r.text, " "), "Parameters: {") {
		r.kind = railsParameters
	}
	return r
}

// isRubyConstant: "Admin::OrdersController".
func isRubyConstant(s string) bool {
	if s == "" || s[0] < 'A' || s[0] > 'Z' || len(s) > 200 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '_' && c != ':' {
			return false
		}
	}
	return true
}

// isRubyFrame: "app/models/order.rb:12:in `total'", with or without blanks before it.
func isRubyFrame(l string) bool {
	place, _, ok := strings.Cut(strings.TrimLeft(l, " "), ":in ")
	file, line, ok2 := cutLast(place, ":")
	return ok && ok2 && isDigits(line) && strings.IndexByte(file, ' ') < 0 && strings.IndexByte(file, '.') > 0
}

// rubyException is the class in "ActionController::RoutingError (No route matches [GET] \"/a\"):".
func rubyException(l string) string {
	kind, rest, ok := strings.Cut(l, " (")
	if !ok || !strings.HasSuffix(rest, "):") || !isRubyConstant(kind) {
		return ""
	}
	return kind
}

func isUUIDText(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !isHex(s[i:i+1]) {
			return false
		}
	}
	return true
}

func (r *railsLine) decode(clock *timestamp.Clock, record string, b *event.Batch) {
	first, trace, _ := strings.Cut(record, "\n")
	first = strings.TrimSuffix(first, "\r")
	b.Event().Time = event.NoTime
	var h appHead
	switch {
	case r.headed && h.ruby(first, clock):
		b.Event().Time = h.ns
		b.Add("log.level", lower(h.level, b))
		b.AddNumber("process.pid", h.pid)
	case r.kind == railsStarted:
		if ns, n, ok := clock.ISO(r.stamp); ok && n == len(r.stamp) {
			b.Event().Time = ns
		}
	}
	if b.Event().Time == event.NoTime {
		clock.NoTime()
	}
	b.Add("event.dataset", "rails.log")
	b.Add("event.kind", "event")
	b.Add("http.request.id", r.request)
	b.Add("message", r.text)
	switch r.kind {
	case railsStarted:
		classify(b, "web", "access", "", "")
		addSource(b, r.client, "")
		b.Add("http.request.method", r.method)
		addURL(r.target, b)
	case railsProcessing:
		b.Add("rails.log.controller", r.controller)
		b.Add("rails.log.action", r.action)
		b.Add("rails.log.format", r.format)
	case railsParameters:
		b.Add("rails.log.parameters", strings.TrimPrefix(strings.TrimLeft(r.text, " "), "Parameters: "))
	case railsCompleted:
		outcome := "failure"
		if r.status[0] < '4' {
			outcome = "success"
		}
		classify(b, "web", "info", "", outcome)
		b.AddNumber("http.response.status_code", r.status)
		b.AddInt("event.duration", milliseconds(r.took))
	default:
		b.Add("error.type", rubyException(r.text))
		b.Add("error.stack_trace", strings.TrimLeft(trace, " \r\n"))
		if !strings.Contains(r.text, "ms)  ") { // a query names columns, not who they are
			var facts textFacts
			facts.add(r.text, true, b)
		}
	}
}

// milliseconds is "12" or "12.5" in nanoseconds.
func milliseconds(s string) int64 {
	whole, fraction, _ := strings.Cut(s, ".")
	return wholeNumber(whole)*1_000_000 + wholeNumber((fraction + "000000")[:6])
}
