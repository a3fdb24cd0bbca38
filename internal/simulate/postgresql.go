package simulate

import (
	"fmt"
	"strings"
)

// The application's database on app1: PostgreSQL with log_connections,
// log_disconnections and Debian's log_line_prefix '%m [%p] %q%u@%d '.

func (w *world) newPostgreSQL(h *host) {
	if !w.o.without(h.name, "postgresql") {
		h.database = w.newTextLog(h, "var/log/postgresql/postgresql-15-main.log")
	}
}

// sql writes a line about a client's session; user "" is the server itself.
func (h *host) sql(a *actor, pid int64, user, db, format string, args ...any) {
	l := h.database
	if l == nil {
		return
	}
	l.line = h.local().AppendFormat(l.line, "2006-01-02 15:04:05.000 MST")
	l.line = fmt.Appendf(l.line, " [%d] ", pid)
	if user != "" {
		l.line = fmt.Appendf(l.line, "%s@%s ", user, db)
	}
	l.line = fmt.Appendf(l.line, format, args...)
	l.end(a.mark)
}

func (w *world) livePostgreSQL(h *host) {
	if h.database == nil {
		return
	}
	server := h.newPIDOf(900)
	w.spawn("checkpoints", w.now, func(a *actor) {
		for {
			a.wait(5 * minute)
			n := a.between(20, 900)
			h.sql(a, server, "", "", "LOG:  checkpoint starting: time")
			took := a.between(2*second, 60*second)
			a.wait(took)
			h.sql(a, server, "", "", "LOG:  checkpoint complete: wrote %d buffers (%d.%d%%); 0 WAL file(s) added, 0 removed, 0 recycled; write=%d.%03d s, sync=0.004 s, total=%d.%03d s; sync files=%d, longest=0.002 s, average=0.001 s; distance=%d kB, estimate=%d kB",
				n, n/164, n%10, took/second, took/1000%1000, took/second, took/1000%1000+9, n/9+1, n*8, n*9)
		}
	})
	w.spawn("application's sessions", w.now, func(a *actor) {
		for {
			a.busy(4 * minute)
			pid, port := h.newPID(a), clientPort(a)
			w.spawn(fmt.Sprint("sql session ", pid), w.now, func(a *actor) {
				from, user, db := "127.0.0.1", "app", "app"
				began := w.now
				h.sql(a, pid, "", "", "LOG:  connection received: host=%s port=%d", from, port)
				a.pause(2*msec, 9*msec)
				h.sql(a, pid, user, db, "LOG:  connection authenticated: identity=\"%s\" method=scram-sha-256 (/etc/postgresql/15/main/pg_hba.conf:97)", user)
				h.sql(a, pid, user, db, "LOG:  connection authorized: user=%s database=%s application_name=app SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)", user, db)
				for range a.rng.below(4) {
					a.wait(a.rng.gap(2 * minute))
					if a.rng.chance(300) {
						h.sql(a, pid, user, db, "ERROR:  duplicate key value violates unique constraint \"%s_pkey\"", pick(&a.rng, strings.Fields("orders carts sessions")))
					} else {
						h.sql(a, pid, user, db, "LOG:  duration: %d.%03d ms  statement: SELECT * FROM orders WHERE customer_id = %d ORDER BY created_at DESC LIMIT 50", a.between(250, 2400), a.rng.below(1000), a.rng.below(90_000))
					}
				}
				a.wait(a.rng.gap(6 * minute))
				took := w.now - began
				h.sql(a, pid, user, db, "LOG:  disconnection: session time: %d:%02d:%02d.%03d user=%s database=%s host=%s port=%d", took/hour, took/minute%60, took/second%60, took/1000%1000, user, db, from, port)
			})
		}
	})
}
