package format

import (
	"io"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The logs of MySQL, MariaDB and Percona Server: the error log of all versions since 5.0,
// the general query log and the slow query log.
// https://dev.mysql.com/doc/refman/8.4/en/server-logs.html https://mariadb.com/kb/en/server-monitoring-logs/
var (
	_ = register(Format{
		Name:  "mysql.error",
		Title: "MySQL or MariaDB error log",
		Group: "database",
		Recognise: func(s *Sample) int {
			return mostly(93, s.Share(func(l string) bool {
				var c timestamp.Clock
				n, _, ok := mysqlTime(l, &c)
				if !ok {
					return strings.HasPrefix(l, "InnoDB: ") || strings.HasPrefix(l, "Version: '") // more of the message above
				}
				rest := strings.TrimLeft(l[n:], " \t")
				if thread, word, _, ok := mysqlError(rest); ok && word != "" {
					return thread != "" || l[6] == ' '
				}
				return l[6] == ' ' && (strings.HasPrefix(rest, "mysqld") || strings.HasPrefix(rest, "InnoDB:") || strings.HasPrefix(rest, "Event Scheduler"))
			})) * mysqlAny(s, func(l string) bool {
				i := strings.IndexByte(l, '[')
				return i > 0 && (strings.HasPrefix(l[i:], "[Note]") || strings.HasPrefix(l[i:], "[Warning]") || strings.HasPrefix(l[i:], "[ERROR]") || strings.HasPrefix(l[i:], "[System]")) ||
					strings.Contains(l, " mysqld_safe ") || strings.Contains(l, " InnoDB: ")
			})
		},
		Lines: func(p *Params) LineDecoder { return (&mysqlLog{clock: p.Clock}).decodeError },
		Joins: func(line []byte) bool { return !mysqlBegins(event.View(line)) },
	})
	_ = register(Format{
		Name:  "mysql.general",
		Title: "MySQL or MariaDB general query log",
		Group: "database",
		Recognise: func(s *Sample) int {
			return mostly(93, s.Share(func(l string) bool {
				_, _, ok := mysqlCommand(l, &timestamp.Clock{})
				return ok || mysqlBanner(l) || !mysqlGeneralBegins(l)
			})) * mysqlAny(s, func(l string) bool { _, _, ok := mysqlCommand(l, &timestamp.Clock{}); return ok })
		},
		// Before 5.7 only the first record of a second has the time: a chunk begins with one that has.
		Frame: func(r io.Reader) Framer {
			return &lineFramer{r: r, header: func(l []byte) bool { return mysqlBanner(event.View(l)) }, joins: func(l []byte) bool {
				return !mysqlBegins(event.View(l)) && !mysqlBanner(event.View(l))
			}}
		},
		Lines:  func(p *Params) LineDecoder { return (&mysqlLog{clock: p.Clock}).decodeGeneral },
		Header: func(line []byte) bool { return mysqlBanner(event.View(line)) },
		Joins: func(line []byte) bool {
			l := event.View(line)
			return !mysqlGeneralBegins(l) && !mysqlBanner(l)
		},
	})
	_ = register(Format{
		Name:  "mysql.slowlog",
		Title: "MySQL or MariaDB slow query log",
		Group: "database",
		Recognise: func(s *Sample) int {
			return 94 * mysqlAny(s, func(l string) bool { return strings.HasPrefix(l, "# User@Host: ") }) *
				mysqlAny(s, func(l string) bool {
					return strings.HasPrefix(l, "# Query_time: ") || strings.HasPrefix(l, "# Thread_id: ") || strings.HasPrefix(l, "# Schema: ")
				})
		},
		Lines: func(p *Params) LineDecoder { return (&mysqlLog{clock: p.Clock, header: p.Header()}).decodeSlow },
		Header: func(line []byte) bool {
			l := event.View(line)
			return strings.HasPrefix(l, "# Time: ") || mysqlBanner(l)
		},
		Joins: func(line []byte) bool {
			l := event.View(line)
			return !strings.HasPrefix(l, "# User@Host: ") && !strings.HasPrefix(l, "# Time: ") && !mysqlBanner(l)
		},
	})
	_ = registerProgram(program{
		Names:   []string{"mysqld", "mysql", "mariadbd", "mariadb", "mysqld_safe"},
		Dataset: "mysql.error",
		Decode: func(m *message, b *event.Batch) bool {
			s := m.Text
			if n, _, ok := mysqlTime(s, &timestamp.Clock{}); ok {
				s = strings.TrimLeft(s[n:], " \t")
			}
			thread, level, text, ok := mysqlError(s)
			if !ok {
				return false
			}
			m.Message = addMySQL(thread, level, text, b)
			return true
		},
	})
)

// mostly is score when at least half of a sample's lines are of a format, 0 otherwise.
func mostly(score, share int) int {
	if share < 50 {
		return 0
	}
	return score
}

// mysqlAny is 1 when match holds for some line, 0 otherwise.
func mysqlAny(s *Sample, match func(string) bool) int {
	for _, l := range s.Lines {
		if match(l) {
			return 1
		}
	}
	return 0
}

// mysqlBanner reports whether a line is of what the server writes when it opens a log.
func mysqlBanner(l string) bool {
	return strings.HasSuffix(l, "started with:") && strings.Contains(l, ", Version: ") || strings.HasPrefix(l, "Tcp port: ") || strings.HasPrefix(l, "TCP Port: ") ||
		strings.HasPrefix(l, "Time ") && strings.HasSuffix(l, "Argument") || strings.HasPrefix(l, "Time\t") && strings.HasSuffix(l, "Argument")
}

// mysqlBegins reports whether a line begins with a time: "2016-12-09T…", "2016-12-09 …" or
// "161209 14:18:50".
func mysqlBegins(l string) bool {
	if len(l) < 15 || !isDigit(l[0]) {
		return false
	}
	return l[4] == '-' && l[7] == '-' && isDigits(l[:4]) || l[6] == ' ' && isDigits(l[:6]) && l[9] == ':' && l[12] == ':'
}

// mysqlGeneralBegins: a record of the general log begins with a time, or with two tabs
// where it is that of the record above.
func mysqlGeneralBegins(l string) bool {
	if mysqlBegins(l) {
		return true
	}
	_, _, ok := mysqlCommand(l, &timestamp.Clock{})
	return ok
}

// mysqlTime reads the time at the beginning of a line: in ISO 8601, or as yymmdd
// h:mm:ss before 5.7.
func mysqlTime(l string, clock *timestamp.Clock) (n int, ns int64, ok bool) {
	if !mysqlBegins(l) {
		return 0, 0, false
	}
	if l[6] != ' ' {
		ns, n, ok = clock.ISO(l)
		return n, ns, ok
	}
	two := func(i int) int {
		if l[i] == ' ' {
			return int(l[i+1] - '0')
		}
		return int(l[i]-'0')*10 + int(l[i+1]-'0')
	}
	for _, c := range []byte(l[7:15]) {
		if !isDigit(c) && c != ':' && c != ' ' {
			return 0, 0, false
		}
	}
	ns, ok = clock.Local(2000+two(0), two(2), two(4), two(7), two(10), two(13), 0)
	return 15, ns, ok
}

type mysqlLog struct {
	clock  *timestamp.Clock
	header []string
	last   int64 // the time of the general log's record before, which stands for those without one
	timed  bool  // last is known
}

// mysqlError cuts "0 [Warning] [MY-010068] [Server] TEXT" up to the level.
func mysqlError(s string) (thread, level, text string, ok bool) {
	if i := strings.IndexByte(s, ' '); i > 0 && isDigits(s[:i]) {
		thread, s = s[:i], strings.TrimLeft(s[i:], " ")
	}
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 1 && end < 16 {
			switch s[1:end] {
			case "Note", "Warning", "ERROR", "System", "Error", "Info", "note", "warning", "error", "info", "FATAL":
				return thread, s[1:end], strings.TrimLeft(s[end+1:], " "), true
			}
		}
	}
	return thread, "", s, s != ""
}

func (d *mysqlLog) decodeError(line string, b *event.Batch) error {
	n, ns, ok := mysqlTime(line, d.clock)
	if !ok {
		return errorString("no time at the beginning of the line")
	}
	b.Event().Time = ns
	thread, level, text, ok := mysqlError(strings.TrimLeft(line[n:], " \t"))
	if !ok {
		return errorString("nothing follows the time")
	}
	if level == "" && thread != "" { // the general log among the errors: "14 Connect   Access denied …"
		if command, rest, ok := strings.Cut(text, " "); ok && mysqlCommands[command] {
			text = strings.TrimLeft(rest, " \t")
		}
	}
	b.Add("event.dataset", "mysql.error")
	b.Add("event.kind", "event")
	b.Add("message", addMySQL(thread, level, text, b))
	return nil
}

// addMySQL adds what a message of the error log says, and gives its text.
func addMySQL(thread, level, text string, b *event.Batch) (message string) {
	b.AddNumber("mysql.thread_id", thread)
	b.Add("log.level", level)
	if code, rest, ok := strings.Cut(text, "] "); ok && strings.HasPrefix(code, "[MY-") {
		b.Add("event.code", code[1:])
		if subsystem, more, ok := strings.Cut(rest, "] "); ok && strings.HasPrefix(subsystem, "[") {
			b.Add("event.provider", subsystem[1:])
			rest = more
		}
		text = rest
	}
	b.Add("event.category", "database")
	if !mysqlAccess(text, b) {
		switch level {
		case "ERROR", "Error", "error", "FATAL":
			b.Add("event.type", "error")
		default:
			b.Add("event.type", "info")
		}
	}
	return text
}

// mysqlAccess adds who was refused: "Access denied for user 'root'@'192.0.2.1' (using
// password: YES)", "Aborted connection 7 to db: 'shop' user: 'alice' host: '192.0.2.1' (…)".
func mysqlAccess(s string, b *event.Batch) bool {
	if at := strings.Index(s, "Access denied for user '"); at >= 0 {
		rest := s[at+len("Access denied for user '"):]
		user, rest, ok := strings.Cut(rest, "'@'")
		if !ok {
			return false
		}
		host, rest, _ := strings.Cut(rest, "'")
		b.Add("user.name", user)
		addSource(b, host, "")
		if _, database, ok := strings.Cut(rest, "to database '"); ok {
			database, _, _ = strings.Cut(database, "'")
			b.Add("mysql.database", database)
		}
		b.Add("event.category", "authentication")
		b.Add("event.type", "start")
		b.Set("event.action", "access-denied")
		b.Add("event.outcome", "failure")
		return true
	}
	if strings.HasPrefix(s, "Aborted connection ") {
		for _, part := range [...][2]string{{"db: '", "mysql.database"}, {"user: '", "user.name"}, {"host: '", ""}} {
			if _, v, ok := strings.Cut(s, part[0]); ok {
				if v, _, _ = strings.Cut(v, "'"); part[1] == "" {
					addSource(b, v, "")
				} else if v != "unconnected" && v != "unauthenticated" {
					b.Add(part[1], v)
				}
			}
		}
		b.Add("event.action", "connection-aborted")
		b.Add("event.type", "end")
		return true
	}
	return false
}

var mysqlCommands = map[string]bool{
	"Query": true, "Connect": true, "Quit": true, "Prepare": true, "Execute": true, "Close": true, "Init": true, "Statistics": true, "Ping": true, "Field": true,
	"Change": true, "Refresh": true, "Shutdown": true, "Kill": true, "Binlog": true, "Fetch": true, "Reset": true, "Long": true, "Daemon": true, "Sleep": true, "Create": true,
	"Drop": true, "Debug": true, "Processlist": true, "Register": true, "Set": true, "Table": true, "Delayed": true, "Time": true, "Connect-Out": true, "Connect_Out": true, "Error": true,
}

// mysqlCommand reads the head of a record of the general log: its time, and where the
// thread's number begins. A record without time has two tabs instead.
func mysqlCommand(l string, clock *timestamp.Clock) (rest string, ns int64, ok bool) {
	ns = event.NoTime
	if n, t, is := mysqlTime(l, clock); is {
		ns, rest = t, l[n:]
		if rest == "" || rest[0] != '\t' && rest[0] != ' ' {
			return "", 0, false
		}
	} else if strings.HasPrefix(l, "\t\t") {
		rest = l
	} else {
		return "", 0, false
	}
	rest = strings.TrimLeft(rest, " \t")
	i := strings.IndexByte(rest, ' ')
	if i <= 0 || !isDigits(rest[:i]) {
		return "", 0, false
	}
	word := rest[i+1:]
	if j := strings.IndexAny(word, " \t"); j >= 0 {
		word = word[:j]
	}
	return rest, ns, mysqlCommands[word]
}

func (d *mysqlLog) decodeGeneral(line string, b *event.Batch) error {
	rest, ns, ok := mysqlCommand(line, d.clock)
	if !ok {
		return errorString("no thread and command: not a record of the general log")
	}
	switch {
	case ns != event.NoTime:
		d.last, d.timed = ns, true
	case d.timed:
		ns = d.last
	default:
		d.clock.NoTime()
	}
	b.Event().Time = ns
	thread, rest, _ := strings.Cut(rest, " ")
	command, argument, tab := strings.Cut(rest, "\t")
	if !tab {
		command, argument, _ = strings.Cut(rest, " ")
	}
	argument = strings.TrimLeft(argument, " ")
	b.Add("event.dataset", "mysql.general")
	b.Add("event.kind", "event")
	b.AddNumber("mysql.thread_id", thread)
	b.Add("mysql.general.command", command)
	b.Add("event.action", lower(command, b))
	b.Add("event.category", "database")
	b.Add("message", argument)
	switch command {
	case "Connect":
		if mysqlAccess(argument, b) {
			return nil
		}
		// "root@localhost on shop using TCP/IP"
		who, where, _ := strings.Cut(argument, " on ")
		who, _, _ = strings.Cut(who, " as ") // the account that they are taken for
		user, host, _ := strings.Cut(who, "@")
		b.Add("user.name", user)
		addSource(b, host, "")
		database, _, _ := strings.Cut(where, " ")
		if database != "using" {
			b.Add("mysql.database", database)
		}
		b.Add("event.category", "authentication")
		b.Add("event.type", "start")
		b.Add("event.outcome", "success")
	case "Quit":
		b.Add("event.type", "end")
	case "Query", "Execute", "Prepare":
		b.Add("mysql.general.query", argument)
		b.Add("event.type", "access")
	default:
		b.Add("event.type", "info")
	}
	return nil
}

// mysqlSlowNames are the names of the slow log's values that are not theirs in lower case.
var mysqlSlowNames = map[string]string{
	"Id": "mysql.thread_id", "Thread_id": "mysql.thread_id", "Lock_time": "mysql.slowlog.lock_time.sec", "QC_hit": "mysql.slowlog.query_cache_hit",
	"QC_Hit": "mysql.slowlog.query_cache_hit", "Errno": "mysql.slowlog.last_errno", "Sort_range": "mysql.slowlog.sort_range_count", "Sort_scan": "mysql.slowlog.sort_scan_count",
	"Created_tmp_disk_tables": "mysql.slowlog.tmp_disk_tables", "Created_tmp_tables": "mysql.slowlog.tmp_tables", "Tmp_table_on_disk": "mysql.slowlog.tmp_table_on_disk",
	"Priority_queue": "mysql.slowlog.priority_queue", "InnoDB_IO_r_ops": "mysql.slowlog.innodb.io_r_ops", "InnoDB_IO_r_bytes": "mysql.slowlog.innodb.io_r_bytes",
	"InnoDB_IO_r_wait": "mysql.slowlog.innodb.io_r_wait.sec", "InnoDB_rec_lock_wait": "mysql.slowlog.innodb.rec_lock_wait.sec", "InnoDB_queue_wait": "mysql.slowlog.innodb.queue_wait.sec",
	"InnoDB_pages_distinct": "mysql.slowlog.innodb.pages_distinct", "InnoDB_trx_id": "mysql.slowlog.innodb.trx_id", "Log_slow_rate_type": "mysql.slowlog.log_slow_rate_type",
}

func (d *mysqlLog) decodeSlow(record string, b *event.Batch) error {
	rest, ok := strings.CutPrefix(record, "# User@Host: ")
	if !ok {
		return errorString("no # User@Host: not a record of the slow log")
	}
	b.Add("event.dataset", "mysql.slowlog")
	b.Add("event.kind", "event")
	b.Add("event.category", "database")
	b.Add("event.type", "info")
	first := true
	for rest != "" {
		line, more, _ := strings.Cut(rest, "\n")
		line = strings.TrimSuffix(line, "\r")
		switch {
		case first:
			d.slowUser(line, b)
		case strings.HasPrefix(line, "#"):
			d.slowPairs(line[1:], b)
		case strings.HasPrefix(line, "use ") && strings.HasSuffix(line, ";"):
			b.Set("mysql.slowlog.schema", strings.Trim(line[4:len(line)-1], "`"))
		case strings.HasPrefix(line, "SET timestamp=") && strings.HasSuffix(line, ";"):
			if ns, ok := d.clock.Epoch(line[len("SET timestamp=") : len(line)-1]); ok {
				b.Event().Time = ns
			}
		default:
			b.Add("mysql.slowlog.query", strings.TrimRight(rest, "\n\r "))
			more = ""
		}
		first, rest = false, more
	}
	if b.Event().Time != event.NoTime {
		return nil
	}
	for _, h := range d.header {
		if at, ok := strings.CutPrefix(h, "# Time: "); ok {
			if _, ns, ok := mysqlTime(at, d.clock); ok {
				b.Event().Time = ns
			}
		}
	}
	if b.Event().Time == event.NoTime {
		d.clock.NoTime()
	}
	return nil
}

// slowUser reads "root[root] @ localhost [192.0.2.1]  Id:    14".
func (d *mysqlLog) slowUser(s string, b *event.Batch) {
	who, where, _ := strings.Cut(s, " @ ")
	user, current, _ := strings.Cut(who, "[")
	b.Add("user.name", user)
	b.Add("mysql.slowlog.current_user", strings.TrimSuffix(current, "]"))
	host, rest, _ := strings.Cut(where, "[")
	ip, rest, _ := strings.Cut(rest, "]")
	if host = strings.TrimSpace(host); host != "" {
		b.Add("source.domain", host)
	}
	if isIP(ip) {
		b.Add("source.ip", plainIP(ip))
	}
	d.slowPairs(rest, b)
}

// slowPairs reads "Query_time: 2.5  Lock_time: 0.0  Rows_sent: 1".
func (d *mysqlLog) slowPairs(s string, b *event.Batch) {
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		key, rest, ok := strings.Cut(s, ":")
		if !ok || strings.IndexByte(key, ' ') >= 0 {
			return
		}
		value := ""
		if rest = strings.TrimLeft(rest, " "); rest != "" {
			// A value that is missing is followed by the next name.
			word, more, _ := strings.Cut(rest, " ")
			if !strings.HasSuffix(word, ":") {
				value, rest = word, more
			}
		}
		s = rest
		name := mysqlSlowNames[key]
		if name == "" {
			if len(key) > 64 {
				return
			}
			name = "mysql.slowlog." + strings.ToLower(key)
		}
		switch {
		case value == "":
		case key == "Query_time":
			if f, err := strconv.ParseFloat(value, 64); err == nil && 0 <= f && f < 1e9 {
				b.AddInt("event.duration", int64(f*1e9+.5))
			}
		case key == "Start" || key == "End":
			if ns, n, ok := d.clock.ISO(value); ok && n == len(value) {
				addTime("event."+strings.ToLower(key), ns, b)
			}
		case value == "Yes" || value == "No":
			b.AddBool(name, value == "Yes")
		case key == "Schema" || key == "Killed" || key == "Last_errno" || key == "Errno" || key == "InnoDB_trx_id":
			b.Set(name, value)
		case (key == "Thread_id" || key == "Created_tmp_tables" || key == "Created_tmp_disk_tables") && b.Event().Has(name):
		default:
			b.AddNumber(name, value)
		}
	}
}
