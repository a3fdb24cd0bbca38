package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/export"
)

var (
	_ = register("webhook", "JSON to any URL: webhook+https://HOST/PATH", func(u *url.URL) (output, error) { return newHook(u, generic) })
	_ = register("slack", "Slack, and Mattermost's hooks of the same shape: slack+https://HOOK", func(u *url.URL) (output, error) { return newHook(u, slack) })
	_ = register("mattermost", "Mattermost: mattermost+https://HOOK", func(u *url.URL) (output, error) { return newHook(u, slack) })
	_ = register("teams", "Microsoft Teams (workflow webhook, adaptive card): teams+https://HOOK", func(u *url.URL) (output, error) { return newHook(u, teams) })
	_ = register("elasticsearch", "documents in an index: elasticsearch+https://USER:PASSWORD@HOST/INDEX", newElastic)
	_ = register("smtp", "mail: smtp+tls://USER:PASSWORD@HOST:587?from=A&to=B,C (smtp+plain without TLS, to this machine)", newMail)
	_ = register("syslog", "RFC 5424: syslog+udp://HOST:514, syslog+tcp://, syslog+tls://", newSyslog)
	_ = register("file", "JSON lines appended to a file: file:///PATH", newFile)
)

// queueName names the folder of an output's messages, without its secrets.
func queueName(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	scheme, _, _ := strings.Cut(raw, ":")
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, scheme) + "-" + hex.EncodeToString(sum[:6])
}

// lines says a message in plain text. Log text in it cannot move a terminal's
// cursor.
func (m *Message) lines() []string {
	var out []string
	for _, it := range m.Items {
		l := fmt.Sprintf("[%s] %s", it.Level, it.Title)
		if it.Host != "" {
			l += " on " + it.Host
		}
		if it.Count > 1 {
			l += fmt.Sprintf(" (%d times)", it.Count)
		}
		out = append(out, export.Terminal(l), "    "+export.Terminal(it.Text))
	}
	if m.Others > 0 {
		out = append(out, fmt.Sprintf("and %d more findings", m.Others))
	}
	return out
}

// hook posts JSON.
type hook struct {
	url   string
	shape func(*Message) any
}

func newHook(u *url.URL, shape func(*Message) any) (output, error) {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("want KIND+https://HOST/PATH")
	}
	return &hook{u.String(), shape}, nil
}

var client = &http.Client{Timeout: 20 * time.Second}

func (h *hook) send(ctx context.Context, m *Message) error { return post(ctx, h.url, h.shape(m)) }

func post(ctx context.Context, to string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(data))
	if err != nil {
		return errors.New("bad URL")
	}
	req.Header.Set("Content-Type", "application/json")
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
		req.URL.User = nil
	}
	resp, err := client.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) { // its text holds the URL, which may be a secret
			err = e.Err
		}
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("answer %s: %s", resp.Status, export.Terminal(string(answer)))
	}
	return nil
}

func generic(m *Message) any { return m }

func slack(m *Message) any {
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(strings.Join(m.lines(), "\n"))
	title := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(export.Terminal(m.Title))
	return map[string]any{"text": "*" + title + "*\n" + text}
}

func teams(m *Message) any {
	body := []any{map[string]any{"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "text": plainMarkdown(m.Title)}}
	for _, l := range m.lines() {
		body = append(body, map[string]any{"type": "TextBlock", "wrap": true, "text": plainMarkdown(l)})
	}
	return map[string]any{"type": "message", "attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive",
		"content": map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}}}}
}

// plainMarkdown keeps log text from being links or emphasis.
func plainMarkdown(s string) string {
	return strings.NewReplacer("[", "\\[", "]", "\\]", "*", "\\*", "_", "\\_", "`", "\\`", "<", "&lt;").Replace(export.Terminal(s))
}

// elastic indexes a document for each item.
type elastic struct{ url string }

func newElastic(u *url.URL) (output, error) {
	index := strings.Trim(u.Path, "/")
	if u.Scheme != "http" && u.Scheme != "https" || index == "" || strings.Contains(index, "/") {
		return nil, errors.New("want elasticsearch+https://HOST/INDEX")
	}
	return &elastic{u.String()}, nil
}

func (e *elastic) send(ctx context.Context, m *Message) error {
	for i, it := range m.Items {
		doc := map[string]any{"@timestamp": m.Time, "event.kind": "alert", "rule.id": it.Rule, "rule.name": it.Title, "rule.level": it.Level, "message": it.Text,
			"host.name": it.Host, "user.name": it.Users, "source.ip": it.Sources, "event.id": it.Finding}
		// The id makes a second try overwrite the first.
		u, _ := url.Parse(e.url)
		u.Path = strings.TrimRight(u.Path, "/") + "/_doc/" + url.PathEscape(fmt.Sprintf("%s-%d", m.ID, i))
		if err := post(ctx, u.String(), doc); err != nil {
			return err
		}
	}
	return nil
}

// mail speaks SMTP.
type mail struct {
	addr, host string
	from       string
	to         []string
	auth       smtp.Auth
	plain      bool
}

func newMail(u *url.URL) (output, error) {
	q := u.Query()
	m := &mail{addr: u.Host, host: u.Hostname(), from: q.Get("from"), to: strings.FieldsFunc(q.Get("to"), func(r rune) bool { return r == ',' }), plain: u.Scheme == "plain"}
	if u.Port() == "" {
		m.addr = net.JoinHostPort(u.Hostname(), "587")
	}
	if m.host == "" || m.from == "" || len(m.to) == 0 {
		return nil, errors.New("want smtp+tls://USER:PASSWORD@HOST:587?from=ADDRESS&to=ADDRESS")
	}
	if strings.ContainsAny(m.from+strings.Join(m.to, ""), "\r\n<>") {
		return nil, errors.New("an address has characters that none has")
	}
	if u.User != nil {
		password, _ := u.User.Password()
		m.auth = smtp.PlainAuth("", u.User.Username(), password, m.host)
	}
	return m, nil
}

func (o *mail) send(ctx context.Context, m *Message) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if strings.HasSuffix(o.addr, ":465") {
		conn = tls.Client(conn, &tls.Config{ServerName: o.host})
	}
	c, err := smtp.NewClient(conn, o.host)
	if err != nil {
		return err
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok && !o.plain {
		if err := c.StartTLS(&tls.Config{ServerName: o.host}); err != nil {
			return err
		}
	} else if !o.plain && !strings.HasSuffix(o.addr, ":465") {
		return errors.New("the mail server offers no TLS; smtp+plain:// does without")
	}
	if o.auth != nil {
		if err := c.Auth(o.auth); err != nil {
			return err
		}
	}
	if err := c.Mail(o.from); err != nil {
		return err
	}
	for _, to := range o.to {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@sextant>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
		o.from, strings.Join(o.to, ", "), mime.QEncoding.Encode("utf-8", export.Terminal(m.Title)), m.Time.Format(time.RFC1123Z), m.ID)
	for _, l := range m.lines() {
		fmt.Fprintf(w, "%s\r\n", l)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// syslogOut writes a message of RFC 5424 for each item.
type syslogOut struct{ u *url.URL }

func newSyslog(u *url.URL) (output, error) {
	if u.Scheme != "udp" && u.Scheme != "tcp" && u.Scheme != "tls" || u.Host == "" {
		return nil, errors.New("want syslog+udp://HOST:514, syslog+tcp:// or syslog+tls://")
	}
	return &syslogOut{u}, nil
}

var syslogSeverity = map[string]int{"critical": 2, "high": 3, "medium": 4, "low": 5, "informational": 6}

func (o *syslogOut) send(ctx context.Context, m *Message) error {
	var conn net.Conn
	var err error
	switch o.u.Scheme {
	case "tls":
		conn, err = (&tls.Dialer{}).DialContext(ctx, "tcp", o.u.Host)
	default:
		conn, err = (&net.Dialer{}).DialContext(ctx, o.u.Scheme, o.u.Host)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	host, _ := os.Hostname()
	for _, it := range m.Items {
		const local0 = 16
		text := fmt.Sprintf("<%d>1 %s %s sextant %d alert - %s: %s", local0<<3+syslogSeverity[it.Level], m.Time.Format(time.RFC3339Nano), cmp.Or(host, "-"), os.Getpid(),
			export.Terminal(it.Title), export.Terminal(it.Text))
		if o.u.Scheme != "udp" {
			text = fmt.Sprintf("%d %s", len(text), text)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return err
		}
	}
	return nil
}

type fileOut struct{ path string }

func newFile(u *url.URL) (output, error) {
	if u.Path == "" {
		return nil, errors.New("want file:///PATH")
	}
	return &fileOut{u.Path}, nil
}

func (o *fileOut) send(_ context.Context, m *Message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(o.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	return errors.Join(err, f.Close())
}
