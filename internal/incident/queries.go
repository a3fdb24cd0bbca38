package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// span is a stretch of time in ns, both ends included; event.NoTime leaves an
// end open.
type span struct{ from, to int64 }

// evidenceStore is all that this package asks of the case. Answers are in
// order of time, then event.id, and hold at most the limit's records.
type evidenceStore interface {
	// records must return those of the records named that the case holds.
	records(ctx context.Context, ids []string, s span) ([]record, error)
	// logins must return accepted logins from the addresses, the first limit of each address.
	logins(ctx context.Context, sources []string, s span, limit int) ([]record, error)
	// failures must count refused logins by address and host, and return the first limit of each.
	failures(ctx context.Context, sources []string, s span, limit int) ([]tally, error)
	// refusals must return the first refused logins of the users from any address, on the hosts (none: any).
	refusals(ctx context.Context, users, hosts []string, s span, limit int) ([]record, error)
	// ofMachines must return the first accepted or refused logins from machines of the names, on the hosts (none: any).
	ofMachines(ctx context.Context, accepted bool, names, hosts []string, s span, limit int) ([]record, error)
	// calls must return the first calls that the callers made of a cloud from the addresses.
	calls(ctx context.Context, callers, sources []string, s span, limit int) ([]record, error)
	// doings must return what service managers and sudo wrote on the hosts, and programs that began there.
	doings(ctx context.Context, hosts []string, s span, limit int) ([]record, error)
	// saidBefore must report whether a record of the host with just that message is there from before a time.
	saidBefore(ctx context.Context, host, message string, to int64) (bool, error)
	// userLogins must return the first accepted logins of the users from any address, on the hosts (none: any).
	userLogins(ctx context.Context, users, hosts []string, s span, limit int) ([]record, error)
	// visits must return, in short, the first accepted logins of the users from any address to hosts that are named, or, without users, the first ends of sessions.
	visits(ctx context.Context, users []string, s span, limit int) ([]visit, error)
	// requests must return web requests from the address that were answered with a status from low to high.
	requests(ctx context.Context, source string, low, high int, s span, limit int) ([]record, error)
	// pages must return, for each of the paths that had any, how many answers with status 2xx it had, and the biggest, limit of each path.
	pages(ctx context.Context, paths []string, s span, limit int) (map[string]page, error)
	// pageSizes must return how many answers with status 2xx the path had for clients other than the sources, and the biggest.
	pageSizes(ctx context.Context, path string, sources []string, s span) (count int, biggest record, err error)
	// startedBy must return programs that began on the hosts (none: any) with one of the parents or under one of the users.
	startedBy(ctx context.Context, hosts, parents, users []string, s span, limit int) ([]record, error)
	// flows must return network records from any of the sources to any of the destinations; none: any.
	flows(ctx context.Context, sources, destinations []string, s span, limit int) ([]record, error)
	// connections must return network records from any of the sources that were not refused and either carried answerBytes both ways or were let through.
	connections(ctx context.Context, sources []string, s span, limit int) ([]record, error)
	// visitors must count the different source addresses that the network records to each of the destinations have.
	visitors(ctx context.Context, destinations []string) (map[string]int, error)
	// talkers must count the different private addresses that network records have as source, up to most.
	talkers(ctx context.Context, most int) (int, error)
	// seen must return the first records of any kind with the source address.
	seen(ctx context.Context, source string, s span, limit int) ([]record, error)
	// kinds must return which kinds of records the logs hold, by event.category.
	kinds(ctx context.Context) ([]logKind, error)
	// addresses must return which addresses hosts call their own.
	addresses(ctx context.Context) ([]hostAddress, error)
	// paths must return which log files name which hosts.
	paths(ctx context.Context) ([]logPath, error)
	// ofProcesses must return records of the processes with the identities, or of those they started; only their starts, or all.
	ofProcesses(ctx context.Context, s span, ids []string, children, starts bool, limit int) ([]record, error)
	// sessionEnds must return when the login process pid of a host said that its session ended.
	sessionEnds(ctx context.Context, hosts []string, pid string, s span) ([]record, error)
}

// tally is how many logins from an address a host refused.
type tally struct {
	source, host string
	count        int
	users        int // that were tried
	first, last  int64
	records      []record // the first of them
}

// page is what a web page answered.
type page struct {
	count   int
	biggest []record // biggest first

	// Of clients other than the attackers, once asked: see webCase.compare.
	exact  bool
	others int
	most   record
}

// logKind says that a log holds records of a category.
type logKind struct{ category, dataset, host string }

// hostAddress says that a host has an address.
type hostAddress struct{ host, address string }

// record is what a row of the store says, as far as answers need it.
type record struct {
	id       string
	time     int64
	start    int64 // event.start, 0 where the record does not say; see began
	path     string
	dataset  string
	host     string
	category []string
	types    []string
	action   string
	outcome  string
	code     string // event.code: Windows event id
	provider string
	message  string

	user, target, effective, changes string
	group                            string
	source, destination              string
	port, sourcePort                 string // destination.port
	protocol                         string // network.protocol
	pid                              string // process.pid
	entity, parentEntity             string // process.entity_id, process.parent.entity_id
	answer, rcode, name              string // dns.type, dns.response_code, dns.question.name
	domain                           string // url.domain
	remedy                           string // what Defender did: its action's number
	sentBytes, receivedBytes         int64  // source.bytes, destination.bytes
	connection                       string // how the sensor says the connection went
	method                           string // how a login was proved

	request string // http.request.method
	url     string
	urlPath string
	status  int
	size    int64 // http.response.body.bytes

	process, executable, command string
	parent, parentExecutable     string
	file, registry, service      string
	share                        string // of a file server
	runs                         string // what a service runs, or a registry value holds
	account, region              string // of a cloud
	object                       string // what a call of Kubernetes is about: "pods/exec"
	from                         string // source.domain: the name of where it came from
}

// columnReaders are the fields a record is read from, and how.
var columnReaders = []struct {
	name string
	read func(r *record, v string)
}{
	{"_time", func(r *record, v string) {
		if r.time == 0 {
			r.time = parseTime(v)
		}
	}},
	{"sextant.time", func(r *record, v string) { // the row's _time is not the record's
		if v != "" {
			r.time = event.NoTime
		}
	}},
	{"event.start", func(r *record, v string) {
		if t := parseTime(v); v != "" && t != event.NoTime {
			r.start = t
		}
	}},
	{"_msg", func(r *record, v string) { r.message = v }},
	{"event.id", func(r *record, v string) { r.id = v }},
	{"log.file.path", func(r *record, v string) { r.path = v }},
	{"event.dataset", func(r *record, v string) { r.dataset = v }},
	{"host.name", func(r *record, v string) { r.host = first(v) }},
	{"event.category", func(r *record, v string) { r.category = values(v) }},
	{"event.type", func(r *record, v string) { r.types = values(v) }},
	{"event.action", func(r *record, v string) { r.action = first(v) }},
	{"event.outcome", func(r *record, v string) { r.outcome = first(v) }},
	{"event.code", func(r *record, v string) { r.code = v }},
	{"event.provider", func(r *record, v string) { r.provider = v }},
	{"user.name", func(r *record, v string) { r.user = first(v) }},
	{"user.target.name", func(r *record, v string) { r.target = first(v) }},
	{"user.effective.name", func(r *record, v string) { r.effective = first(v) }},
	{"user.changes.name", func(r *record, v string) { r.changes = first(v) }},
	{"group.name", func(r *record, v string) { r.group = first(v) }},
	{"source.ip", func(r *record, v string) { r.source = first(v) }},
	{"source.port", func(r *record, v string) { r.sourcePort = v }},
	{"source.domain", func(r *record, v string) { r.from = first(v) }},
	{"source.bytes", func(r *record, v string) { r.sentBytes = number(v) }},
	{"destination.ip", func(r *record, v string) { r.destination = first(v) }},
	{"destination.port", func(r *record, v string) { r.port = v }},
	{"destination.bytes", func(r *record, v string) { r.receivedBytes = number(v) }},
	{"suricata.eve.flow.state", readState},
	{"zeek.connection.state", readState},
	{"pcap.flow.state", readState},
	{"system.auth.ssh.method", func(r *record, v string) { r.method = v }},
	{"dns.type", func(r *record, v string) { r.answer = v }},
	{"dns.response_code", func(r *record, v string) { r.rcode = v }},
	{"dns.question.name", func(r *record, v string) { r.name = first(v) }},
	{"http.request.method", func(r *record, v string) { r.request = v }},
	{"http.response.status_code", func(r *record, v string) { r.status = int(number(v)) }},
	{"http.response.body.bytes", func(r *record, v string) { r.size = number(v) }},
	{"url.original", func(r *record, v string) { r.url = v }},
	{"url.path", func(r *record, v string) { r.urlPath = v }},
	{"url.domain", func(r *record, v string) { r.domain = v }},
	{"network.protocol", func(r *record, v string) { r.protocol = v }},
	{"process.pid", func(r *record, v string) { r.pid = v }},
	{"process.entity_id", func(r *record, v string) { r.entity = v }},
	{"process.parent.entity_id", func(r *record, v string) { r.parentEntity = v }},
	{"process.name", func(r *record, v string) { r.process = v }},
	{"process.executable", func(r *record, v string) { r.executable = v }},
	{"process.parent.name", func(r *record, v string) { r.parent = v }},
	{"process.parent.executable", func(r *record, v string) { r.parentExecutable = v }},
	{"process.command_line", func(r *record, v string) { r.command = v }},
	{"process.title", readCommand},
	{"system.auth.sudo.command", readCommand},
	{"file.path", func(r *record, v string) { r.file = first(v) }},
	{"registry.path", func(r *record, v string) { r.registry = v }},
	{"registry.data.strings", readRuns},
	{"winlog.event_data.ImagePath", readRuns},
	{"winlog.event_data.ServiceFileName", readRuns},
	{"service.name", readService},
	{"winlog.event_data.ServiceName", readService},
	{"winlog.event_data.TaskName", readService},
	{"winlog.event_data.ShareName", func(r *record, v string) { r.share = v }},
	{"winlog.event_data.Action ID", func(r *record, v string) { r.remedy = v }},
	{"cloud.account.id", func(r *record, v string) { r.account = v }},
	{"cloud.region", func(r *record, v string) { r.region = v }},
	{"kubernetes.audit.objectRef.resource", func(r *record, v string) { r.object = v + r.object }},
	{"kubernetes.audit.objectRef.subresource", func(r *record, v string) {
		if v != "" {
			r.object += "/" + v
		}
	}},
}

func readState(r *record, v string)   { r.connection = cmp.Or(v, r.connection) }
func readCommand(r *record, v string) { r.command = cmp.Or(r.command, v) }
func readRuns(r *record, v string)    { r.runs = cmp.Or(first(v), r.runs) }
func readService(r *record, v string) { r.service = cmp.Or(v, r.service) }

// columns are the names of columnReaders, and readerOf finds one by its name.
var columns, readerOf = func() ([]string, map[string]func(*record, string)) {
	names, readers := []string{}, map[string]func(*record, string){}
	for _, c := range columnReaders {
		names = append(names, c.name)
		readers[c.name] = c.read
	}
	return names, readers
}()

// values reads a column that may hold several values: a JSON array of strings,
// or one value as it is.
func values(v string) []string {
	if v == "" {
		return nil
	}
	if v[0] == '[' {
		var vs []string
		if json.Unmarshal([]byte(v), &vs) == nil {
			return vs
		}
	}
	return []string{v}
}

func first(v string) string {
	if vs := values(v); len(vs) > 0 {
		return vs[0]
	}
	return ""
}

func parseTime(v string) int64 {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

func number(v string) int64 {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return max(n, 0)
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil && 0 <= f && f < 1<<62 {
		return int64(f)
	}
	return 0
}

// began is when what the record tells of began.
func (r *record) began() int64 {
	if r.start == 0 || r.time == event.NoTime {
		return r.time
	}
	return r.start
}

// origin is the name of where an attempt came from, of which the log has no address.
func (r *record) origin() string {
	if r.source != "" || r.from == "" || strings.EqualFold(r.from, r.host) || !r.is("authentication") && !r.is("session") {
		return ""
	}
	return r.from
}

func (r *record) is(category string) bool   { return slices.Contains(r.category, category) }
func (r *record) has(eventType string) bool { return slices.Contains(r.types, eventType) }

// maxIn is how many values one in(…) filter lists.
const maxIn = 500

// logsQL asks the case's store. All text of queries is made here. Values come
// from logs, that is from attackers: they enter a query only through quote.
type logsQL struct {
	q analyze.Querier
}

// quote makes a LogsQL string of any bytes: LogsQL unquotes as Go does.
func quote(v string) string { return strconv.Quote(v) }

func quoteAll(vs []string) string {
	var b strings.Builder
	for i, v := range vs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(v))
	}
	return b.String()
}

func in(field string, vs []string) string {
	return quote(field) + ":in(" + quoteAll(vs) + ")"
}

// anyOf is in of a list, none of which is no filter; the filter begins with a space.
func anyOf(field string, vs []string) string {
	if len(vs) == 0 {
		return ""
	}
	return " " + in(field, vs)
}

// during makes the filter of time, "*" for all times.
func during(s span) string {
	const layout = "2006-01-02T15:04:05.000000000Z"
	from, to := int64(0), int64(4102444800e9) // to 2100
	if s.from != event.NoTime {
		from = max(s.from, 0)
	}
	if s.to != event.NoTime {
		to = max(s.to, 0)
	}
	if s.from == event.NoTime && s.to == event.NoTime {
		return "*"
	}
	return "_time:[" + time.Unix(0, from).UTC().Format(layout) + "," + time.Unix(0, to).UTC().Format(layout) + "]"
}

const (
	// A login that was accepted. Logins end too, as records of success.
	acceptedLogin = `("event.category":authentication OR "event.category":session) "event.outcome":=success !"event.type":end ` +
		`!"event.action":in("session-disconnected","logged-out","logged-off","ended-session","disposed-credentials")`
	sessionEnd    = `"event.type":end "event.category":session`
	refusedLogin  = `"event.category":authentication "event.outcome":=failure`
	networkRecord = `"event.category":network`
	// A connection that came about, as pair_scan.go's established looks at it more closely.
	connectionMade = networkRecord + ` !"event.type":denied !"event.outcome":=failure` +
		` (("source.bytes":>399 "destination.bytes":>399) OR "event.type":allowed)` // answerBytes
	webAnswer = `"event.category":web "http.response.status_code":range[200,299]`
	order     = ` | sort by ("_time","event.id")`
)

// maxRows is how many records a question with a limit for each of many values
// may have in its answer: the engine keeps them in memory while it looks, once
// for each thread, and gives up when it is too much.
const maxRows = 5000

// clientColumns are what it takes to tell whom a record's client talked to.
var clientColumns = []string{"_time", "event.id", "sextant.time", "event.dataset", "host.name", "source.ip", "source.port", "destination.ip"}

// citedColumns are what citing a record takes.
var citedColumns = []string{"_time", "event.id", "sextant.time", "host.name", "source.ip"}

// rows runs a query that ends with a sort and returns its first records. Where
// they are too much for the engine to hold, it makes do with fewer.
func (l logsQL) rows(ctx context.Context, query string, limit int) ([]record, error) {
	return l.rowsOf(ctx, query, limit, columns)
}

func (l logsQL) rowsOf(ctx context.Context, query string, limit int, columns []string) ([]record, error) {
	for {
		rs, err := l.ask(ctx, query+" limit "+strconv.Itoa(limit)+" | fields "+quoteAll(columns))
		if limit == 1 || !errors.Is(err, store.ErrMemory) {
			return rs, err
		}
		limit /= 2
	}
}

func (l logsQL) ask(ctx context.Context, query string) ([]record, error) {
	var rs []record
	err := l.q.Query(ctx, query, func(row []event.Field) error {
		var r record
		for _, f := range row {
			if read := readerOf[f.Name]; read != nil {
				read(&r, strings.Clone(f.Value))
			}
		}
		if r.id != "" {
			rs = append(rs, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("incidents: ask the store: %w", err)
	}
	return rs, nil
}

// a row is one of an answer that is no record.
type row []event.Field

// get returns a column's value, which outlives the row.
func (r row) get(column string) string {
	for _, f := range r {
		if f.Name == column {
			return strings.Clone(f.Value)
		}
	}
	return ""
}

func (r row) count(column string) int { return int(number(r.get(column))) }

// each calls visit for the rows of an answer; what says what was asked for.
func (l logsQL) each(ctx context.Context, what, query string, visit func(r row)) error {
	err := l.q.Query(ctx, query, func(fields []event.Field) error {
		visit(fields)
		return nil
	})
	if err != nil {
		return fmt.Errorf("incidents: %s: %w", what, err)
	}
	return nil
}

func (l logsQL) records(ctx context.Context, ids []string, s span) ([]record, error) {
	var all []record
	var ask func(analyze.Lookup) error
	ask = func(look analyze.Lookup) error {
		rs, err := l.ask(ctx, during(s)+" "+look.Filter+order+" limit "+strconv.Itoa(len(look.IDs))+" | fields "+quoteAll(columns))
		if len(look.IDs) == 1 || !errors.Is(err, store.ErrMemory) {
			all = append(all, rs...)
			return err
		}
		for _, half := range look.Halves() {
			if err := ask(half); err != nil {
				return err
			}
		}
		return nil
	}
	for _, look := range analyze.Lookups(ids) {
		if err := ask(look); err != nil {
			return nil, err
		}
	}
	sortRecords(all)
	return all, nil
}

func (l logsQL) logins(ctx context.Context, sources []string, s span, limit int) ([]record, error) {
	var all []record
	for part := range slices.Chunk(sources, max(1, min(maxIn, maxRows/limit))) {
		q := during(s) + " " + in("source.ip", part) + " " + acceptedLogin + order + ` partition by ("source.ip")`
		rs, err := l.rows(ctx, q, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, rs...)
	}
	sortRecords(all)
	return all, nil
}

func (l logsQL) failures(ctx context.Context, sources []string, s span, limit int) ([]tally, error) {
	var ts []tally
	for part := range slices.Chunk(sources, maxIn) {
		some, err := l.countFailures(ctx, part, s)
		if err != nil {
			return nil, err
		}
		ts = append(ts, some...)
	}
	slices.SortFunc(ts, func(a, b tally) int {
		return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.host, b.host))
	})
	at := map[[2]string]int{}
	for i := range ts {
		at[[2]string{ts[i].source, ts[i].host}] = i
	}
	// Of as many addresses at a time as have no more records together than fit.
	for i := 0; i < len(ts); {
		var some []string
		n := 0
		for n < 2*maxRows && i < len(ts) {
			some = append(some, ts[i].source)
			for source := ts[i].source; i < len(ts) && ts[i].source == source; i++ {
				n += min(limit, ts[i].count)
			}
		}
		q := during(s) + " " + in("source.ip", some) + " " + refusedLogin
		rs, err := l.rowsOf(ctx, q+order+` partition by ("source.ip","host.name")`, limit, citedColumns)
		if err = unlessTooMany(err); err != nil {
			return nil, err
		}
		for _, r := range rs {
			if i, ok := at[[2]string{r.source, r.host}]; ok {
				ts[i].records = append(ts[i].records, r)
			}
		}
	}
	for i := range ts {
		sortRecords(ts[i].records)
	}
	return ts, nil
}

// countFailures counts for a few addresses; where they tried very many hosts,
// the most tried.
func (l logsQL) countFailures(ctx context.Context, sources []string, s span) ([]tally, error) {
	var ts []tally
	q := during(s) + " " + in("source.ip", sources) + " " + refusedLogin +
		` | stats by ("source.ip","host.name") count() n, count() if (` + analyze.Announced + `) announced, count() if (` + analyze.Leaving + `) leaving, count_uniq("user.name") users, min(_time) first, max(_time) last | sort by (n desc,"source.ip","host.name") limit 10000`
	err := l.each(ctx, "count refused logins", q, func(r row) {
		announced, leaving := r.count("announced"), r.count("leaving")
		ts = append(ts, tally{source: r.get("source.ip"), host: r.get("host.name"), count: analyze.Attempts(r.count("n")-announced-leaving, announced, leaving), users: r.count("users"), first: parseTime(r.get("first")), last: parseTime(r.get("last"))})
	})
	if n := len(sources); n > 1 && errors.Is(err, store.ErrMemory) {
		if ts, err = l.countFailures(ctx, sources[:n/2], s); err != nil {
			return nil, err
		}
		more, err := l.countFailures(ctx, sources[n/2:], s)
		return append(ts, more...), err
	}
	return ts, unlessTooMany(err)
}

func (l logsQL) userLogins(ctx context.Context, users, hosts []string, s span, limit int) ([]record, error) {
	if len(users) == 0 {
		return nil, nil
	}
	return l.rows(ctx, during(s)+" "+in("user.name", users)+` "source.ip":*`+anyOf("host.name", hosts)+" "+acceptedLogin+order, limit)
}

func (l logsQL) refusals(ctx context.Context, users, hosts []string, s span, limit int) ([]record, error) {
	return l.rows(ctx, during(s)+" "+in("user.name", users)+` "source.ip":*`+anyOf("host.name", hosts)+" "+refusedLogin+order, limit)
}

func (l logsQL) ofMachines(ctx context.Context, accepted bool, names, hosts []string, s span, limit int) ([]record, error) {
	filter := refusedLogin
	if accepted {
		filter = acceptedLogin
	}
	return l.rows(ctx, during(s)+" "+in("source.domain", names)+anyOf("host.name", hosts)+" "+filter+order, limit)
}

func (l logsQL) doings(ctx context.Context, hosts []string, s span, limit int) ([]record, error) {
	return l.rows(ctx, during(s)+" "+in("host.name", hosts)+` ("process.name":in(systemd,sudo) OR ("event.category":process "event.type":start))`+order, limit)
}

func (l logsQL) saidBefore(ctx context.Context, host, message string, to int64) (bool, error) {
	rs, err := l.rowsOf(ctx, during(span{event.NoTime, to})+` "host.name":=`+quote(host)+" _msg:="+quote(message)+order, 1, citedColumns)
	return len(rs) > 0, err
}

func (l logsQL) calls(ctx context.Context, callers, sources []string, s span, limit int) ([]record, error) {
	var of []string
	for _, c := range clouds {
		of = append(of, `"event.dataset":=`+quote(c.dataset)+"*")
	}
	return l.rows(ctx, during(s)+" "+in("user.name", callers)+" "+in("source.ip", sources)+" ("+strings.Join(of, " OR ")+")"+order, limit)
}

func (l logsQL) visits(ctx context.Context, users []string, s span, limit int) ([]visit, error) {
	filter := acceptedLogin + ` "source.ip":* "host.name":* ` + in("user.name", users)
	fields := []string{"_time", "event.id", "host.name", "user.name", "source.ip", "process.pid"}
	if users == nil {
		filter, fields = sessionEnd+` "process.pid":* "host.name":*`, []string{"_time", "event.id", "host.name", "process.pid"}
	}
	hosts, others := map[string]string{}, map[string]string{} // each name once
	intern := func(m map[string]string, v string) string {
		if s, ok := m[v]; ok {
			return s
		}
		v = strings.Clone(v)
		m[v] = v
		return v
	}
	var vs []visit
	err := l.q.Query(ctx, during(s)+` !"sextant.time":* `+filter+" | fields "+quoteAll(fields), func(row []event.Field) error {
		if len(vs) == limit {
			return errFull
		}
		var v visit
		for _, f := range row {
			switch f.Name {
			case "_time":
				v.time = parseTime(f.Value)
			case "event.id":
				v.id = strings.Clone(f.Value)
			case "host.name":
				v.host = intern(hosts, first(f.Value))
			case "user.name":
				v.user = intern(others, f.Value)
			case "source.ip":
				v.source = intern(others, first(f.Value))
			case "process.pid":
				v.pid = intern(others, f.Value)
			}
		}
		vs = append(vs, v)
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return nil, fmt.Errorf("incidents: read logins: %w", err)
	}
	return vs, nil
}

// errFull ends a question that has as many rows as it wants.
var errFull = errors.New("enough")

func (l logsQL) requests(ctx context.Context, source string, low, high int, s span, limit int) ([]record, error) {
	q := fmt.Sprintf(`%s "source.ip":=%s "event.category":web "http.response.status_code":range[%d,%d]`, during(s), quote(source), low, high)
	return l.rows(ctx, q+order, limit)
}

func (l logsQL) pages(ctx context.Context, paths []string, s span, limit int) (map[string]page, error) {
	pages := map[string]page{}
	for part := range slices.Chunk(paths, max(1, min(maxIn, maxRows/limit))) {
		q := during(s) + " " + in("url.path", part) + " " + webAnswer
		err := l.each(ctx, "compare answers", q+` | stats by ("url.path") count() n`, func(r row) {
			pages[r.get("url.path")] = page{count: r.count("n")}
		})
		if err != nil {
			return nil, err
		}
		rs, err := l.rowsOf(ctx, q+` | sort by ("http.response.body.bytes" desc,"_time","event.id") partition by ("url.path")`, limit,
			[]string{"_time", "event.id", "sextant.time", "source.ip", "url.path", "http.response.body.bytes"})
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			p := pages[r.urlPath]
			p.biggest = append(p.biggest, r)
			pages[r.urlPath] = p
		}
	}
	for _, p := range pages {
		slices.SortFunc(p.biggest, func(a, b record) int {
			return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.time, b.time), strings.Compare(a.id, b.id))
		})
	}
	return pages, nil
}

func (l logsQL) pageSizes(ctx context.Context, path string, sources []string, s span) (count int, biggest record, err error) {
	q := fmt.Sprintf(`%s "url.path":=%s %s !%s`, during(s), quote(path), webAnswer, in("source.ip", sources))
	if err = l.each(ctx, "compare answers", q+" | stats count() n", func(r row) { count = r.count("n") }); err != nil {
		return 0, biggest, err
	}
	rs, err := l.rows(ctx, q+` | sort by ("http.response.body.bytes" desc,"_time","event.id")`, 1)
	if len(rs) > 0 {
		biggest = rs[0]
	}
	return count, biggest, err
}

func startedFilter(parents, users []string) string {
	return `"event.category":process ("event.type":start OR "event.action":in("execve","executed","ran-command","Process creation") OR "process.name":=sudo)` +
		" (" + in("process.parent.name", parents) + " OR " + in("user.name", users) + ")" // in() of nothing holds nothing
}

func (l logsQL) startedBy(ctx context.Context, hosts, parents, users []string, s span, limit int) ([]record, error) {
	return l.rows(ctx, during(s)+" "+startedFilter(parents, users)+anyOf("host.name", hosts)+order, limit)
}

func (l logsQL) flows(ctx context.Context, sources, destinations []string, s span, limit int) ([]record, error) {
	return l.rows(ctx, during(s)+" "+networkRecord+anyOf("source.ip", sources)+anyOf("destination.ip", destinations)+order, limit)
}

func (l logsQL) connections(ctx context.Context, sources []string, s span, limit int) ([]record, error) {
	return l.rows(ctx, during(s)+" "+in("source.ip", sources)+" "+connectionMade+order, limit)
}

func (l logsQL) visitors(ctx context.Context, destinations []string) (map[string]int, error) {
	counts := map[string]int{}
	for part := range slices.Chunk(destinations, 10*maxIn) {
		q := networkRecord + " " + in("destination.ip", part) + ` | stats by ("destination.ip") count_uniq("source.ip") limit 1000 n`
		err := l.each(ctx, "ask who else was there", q, func(r row) { counts[r.get("destination.ip")] = r.count("n") })
		if err = unlessTooMany(err); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func (l logsQL) talkers(ctx context.Context, most int) (n int, err error) {
	q := networkRecord + ` ("source.ip":ipv4_range("10.0.0.0/8") OR "source.ip":ipv4_range("172.16.0.0/12") OR "source.ip":ipv4_range("192.168.0.0/16"))` +
		` | stats count_uniq("source.ip") limit ` + strconv.Itoa(most) + ` n`
	err = l.each(ctx, "ask how many talk", q, func(r row) { n = min(r.count("n"), most) })
	return n, unlessTooMany(err)
}

func (l logsQL) seen(ctx context.Context, source string, s span, limit int) ([]record, error) {
	return l.rows(ctx, during(s)+` "source.ip":=`+quote(source)+order, limit)
}

func (l logsQL) paths(ctx context.Context) ([]logPath, error) {
	q := `"host.name":* "log.file.path":* | stats by ("log.file.path","event.dataset","host.name") count() n` +
		` | sort by ("log.file.path","event.dataset","host.name") limit 50000`
	var ps []logPath
	err := l.each(ctx, "ask which hosts the logs name", q, func(r row) {
		ps = append(ps, logPath{path: r.get("log.file.path"), dataset: r.get("event.dataset"), host: first(r.get("host.name"))})
	})
	return ps, unlessTooMany(err)
}

func (l logsQL) ofProcesses(ctx context.Context, s span, ids []string, children, starts bool, limit int) ([]record, error) {
	field := "process.entity_id"
	if children {
		field = "process.parent.entity_id"
	}
	q := during(s) + " " + in(field, ids[:min(len(ids), maxIn)])
	if starts {
		q += ` "event.category":process "event.type":start`
	}
	return l.rows(ctx, q+order, limit)
}

func (l logsQL) sessionEnds(ctx context.Context, hosts []string, pid string, s span) ([]record, error) {
	q := during(s) + ` "process.pid":=` + quote(pid) + ` ` + sessionEnd + ` ` + in("host.name", hosts)
	return l.rows(ctx, q+order, 5)
}

func (l logsQL) kinds(ctx context.Context) ([]logKind, error) {
	ks, err := l.kindsBy(ctx, `"event.category","event.dataset","host.name"`)
	if errors.Is(err, store.ErrMemory) { // too many hosts to tell apart
		ks, err = l.kindsBy(ctx, `"event.category","event.dataset"`)
	}
	return ks, err
}

func (l logsQL) kindsBy(ctx context.Context, by string) ([]logKind, error) {
	var ks []logKind
	q := `"event.category":* | stats by (` + by + `) count() n | sort by (` + by + `) limit 100000`
	err := l.each(ctx, "ask which logs the store holds", q, func(r row) {
		for _, category := range values(r.get("event.category")) {
			ks = append(ks, logKind{category: category, dataset: r.get("event.dataset"), host: first(r.get("host.name"))})
		}
	})
	return ks, err
}

// unlessTooMany forgives that the store cannot tell so many hosts apart: a
// hostile log names any number of them, and answers can do without these.
func unlessTooMany(err error) error {
	if errors.Is(err, store.ErrMemory) {
		return nil
	}
	return err
}

// ownAddress are the records in which a host's own address stands: where it
// says so; Sysmon's outgoing connections; Windows logons over the network, which
// name the machine they come from.
var ownAddress = []struct{ filter, host, address string }{
	{`"host.ip":* "host.name":*`, "host.name", "host.ip"},
	{`"event.provider":="Microsoft-Windows-Sysmon" "network.direction":in("egress","outbound") "source.ip":* "host.name":*`, "host.name", "source.ip"},
	// A firewall of the host itself logs what came in to it and was not passed on.
	{`"event.dataset":="iptables.log" "observer.ingress.interface.name":* !"observer.egress.interface.name":* !"destination.mac":="FF-FF-FF-FF-FF-FF" "host.name":*`, "host.name", "destination.ip"},
	{`"event.code":=4624 "event.outcome":=success "source.domain":* "source.ip":*`, "source.domain", "source.ip"},
}

func (l logsQL) addresses(ctx context.Context) ([]hostAddress, error) {
	var as []hostAddress
	for _, own := range ownAddress {
		of := map[string][]string{}
		by := quoteAll([]string{own.host, own.address})
		q := own.filter + " | stats by (" + by + ") count() n | sort by (" + by + ") limit 20000"
		err := l.each(ctx, "ask for the hosts' addresses", q, func(r row) {
			host := first(r.get(own.host))
			for _, ip := range values(r.get(own.address)) {
				if a, err := netip.ParseAddr(ip); err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && a != broadcast {
					of[host] = append(of[host], a.Unmap().String())
				}
			}
		})
		if err = unlessTooMany(err); err != nil {
			return nil, err
		}
		for _, host := range slices.Sorted(maps.Keys(of)) {
			if own.address == "destination.ip" && len(of[host]) > maxOwn {
				continue // a router's: what it logs passes by
			}
			for _, a := range of[host] {
				as = append(as, hostAddress{host, a})
			}
		}
	}
	return l.peers(ctx, as)
}

// broadcast is everybody's address; maxOwn is how many addresses a host that is no router has.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

const maxOwn = 16

// peers adds the addresses of hosts that no record states, where a network
// sensor saw the connections that the host's login service wrote of: the same
// client's address and port within the hour.
func (l logsQL) peers(ctx context.Context, as []hostAddress) ([]hostAddress, error) {
	const samples, least = 100, 2
	sensor := map[string]span{}
	if err := l.extents(ctx, networkRecord+` "destination.ip":*`, "", sensor); err != nil || len(sensor) == 0 {
		return as, err
	}
	near := during(span{sensor[""].from - int64(time.Hour), sensor[""].to + int64(time.Hour)})
	var rs []record
	for _, end := range []string{"", " desc"} { // the sensor may have been there early or late
		q := near + ` "event.category":authentication "source.ip":* "source.port":* "host.name":* | sort by ("_time"` + end + `,"event.id") partition by ("host.name")`
		some, err := l.rowsOf(ctx, q, samples, clientColumns)
		if err = unlessTooMany(err); err != nil {
			return nil, err
		}
		rs = append(rs, some...)
	}
	known := map[string]bool{}
	for _, a := range as {
		known[a.host] = true
	}
	type client struct{ address, port string }
	seen := map[client][]record{}
	var ips, ports []string
	for _, r := range rs {
		if r.time != event.NoTime && !known[r.host] && !sensorLog(r.dataset) {
			seen[client{r.source, r.sourcePort}] = append(seen[client{r.source, r.sourcePort}], r)
			ips, ports = append(ips, r.source), append(ports, r.sourcePort)
		}
	}
	slices.Sort(ips)
	slices.Sort(ports)
	ips, ports = slices.Compact(ips), slices.Compact(ports)
	votes := map[hostAddress]map[client]bool{}
	for part := range slices.Chunk(ips, maxIn) {
		for _, numbers := range slices.Collect(slices.Chunk(ports, maxIn)) {
			q := `"event.category":network "destination.ip":* ` + in("source.ip", part) + " " + in("source.port", numbers)
			flows, err := l.rowsOf(ctx, q+order, 20_000, clientColumns)
			if err != nil {
				return nil, err
			}
			for _, f := range flows {
				c := client{f.source, f.sourcePort}
				for _, r := range seen[c] {
					if d := time.Duration(f.time - r.time); f.time != event.NoTime && -time.Hour <= d && d <= time.Hour && f.id != r.id {
						v := hostAddress{r.host, f.destination}
						if votes[v] == nil {
							votes[v] = map[client]bool{}
						}
						votes[v][c] = true
					}
				}
			}
		}
	}
	of := map[string][]string{}
	for v, clients := range votes {
		if len(clients) >= least {
			of[v.host] = append(of[v.host], v.address)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(of)) {
		if _, err := netip.ParseAddr(of[host][0]); err == nil && len(of[host]) == 1 { // two: one of them is a relay's
			as = append(as, hostAddress{host, of[host][0]})
		}
	}
	return as, nil
}

func sortRecords(rs []record) {
	slices.SortFunc(rs, func(a, b record) int {
		if a.time != b.time {
			if a.time < b.time {
				return -1
			}
			return 1
		}
		return strings.Compare(a.id, b.id)
	})
}
