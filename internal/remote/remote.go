// Package remote asks a server of Sextant what a case directory would be asked:
// its client is a store that can only be queried.
package remote

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
)

// Options configure New.
type Options struct {
	Pin string // SHA-256 of the server's certificate in hex, instead of authorities
	CA  string // PEM file of authorities, instead of the system's
}

// Client asks one server.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New makes the client of the server at base, http:// or https://. The token is
// one of `sextant access token`; NAME:PASSWORD in the URL is a person's.
func New(base, token string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("want the server's URL: http://HOST:PORT or https://HOST:PORT")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case o.Pin != "":
		t.TLSClientConfig.InsecureSkipVerify = true // what is verified instead is below
		t.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
			sum := sha256.Sum256(s.PeerCertificates[0].Raw)
			if hex.EncodeToString(sum[:]) != o.Pin {
				return errors.New("another certificate than the server's own")
			}
			return nil
		}
	case o.CA != "":
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(o.CA + " holds no certificate in PEM form")
		}
	}
	return &Client{base: u, token: token, http: &http.Client{Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Do asks for a path with form values and returns the answer's body. What the
// server refuses is an error in its words.
func (c *Client) Do(ctx context.Context, method, path string, form url.Values) (io.ReadCloser, error) {
	u := *c.base
	user := u.User
	u.User, u.Path = nil, strings.TrimRight(u.Path, "/")+path
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	} else if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if e := new(url.Error); errors.As(err, &e) {
			err = e.Err
		}
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	text := strings.TrimSpace(string(said))
	if resp.StatusCode == http.StatusUnauthorized {
		return nil, fmt.Errorf("%s asks who you are: give --token TOKEN or SEXTANT_TOKEN (`sextant access token NAME --role viewer` makes one)", u.Host)
	}
	if text == "" {
		text = resp.Status
	}
	return nil, fmt.Errorf("%s: %s", u.Host, text)
}

// Query implements analyze.Querier.
func (c *Client) Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error {
	return c.QueryWith(ctx, logsql, store.QueryOptions{}, fn)
}

// maxRow is the most bytes of one row; the store's rows are smaller.
const maxRow = 16 << 20

// QueryWith is store.Store's.
func (c *Client) QueryWith(ctx context.Context, logsql string, o store.QueryOptions, fn func(row []event.Field) error) error {
	form := url.Values{"query": {logsql}}
	if o.Limit > 0 {
		form.Set("limit", strconv.FormatInt(o.Limit, 10))
	}
	for name, ns := range map[string]int64{"from": o.From, "until": o.Until} {
		if ns != 0 {
			form.Set(name, time.Unix(0, ns).UTC().Format(time.RFC3339Nano))
		}
	}
	if o.Unsorted {
		form.Set("unsorted", "true")
	}
	body, err := c.Do(ctx, http.MethodPost, "/api/query", form)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxRow)
	var row []event.Field
	for lines.Scan() {
		if row, err = parse(row[:0], lines.Bytes()); err != nil {
			return fmt.Errorf("%s: the answer is no row: %w", c.base.Host, err)
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: the answer breaks off: %w", c.base.Host, err)
	}
	return nil
}

// Patterns returns what the server's case knows of the kinds of messages, those
// included that came a moment ago.
func (c *Client) Patterns(ctx context.Context) (*logpattern.Miner, error) {
	body, err := c.Do(ctx, http.MethodGet, "/api/patterns", nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	m, err := logpattern.Read(body)
	if err != nil {
		return nil, fmt.Errorf("%s: the answer: %w", c.base.Host, err)
	}
	return m, nil
}

// Close gives up connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// parse reads an object of strings, in its order.
func parse(row []event.Field, line []byte) ([]event.Field, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("no JSON object"), err)
	}
	for d.More() {
		var pair [2]string
		for i := range pair {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			s, ok := t.(string)
			if !ok {
				return nil, fmt.Errorf("%v is no text", t)
			}
			pair[i] = s
		}
		row = append(row, event.Field{Name: pair[0], Value: pair[1]})
	}
	return row, nil
}

// ErrReadOnly is what everything returns that would change the server's case.
var ErrReadOnly = errors.New("a server's case can be asked, not changed, from outside")

// NewWriter, Flush, Sync and Delete make the client a store.Store; there is
// nothing to flush, and nothing can be written.
func (c *Client) NewWriter() store.Writer                { return noWriter{} }
func (c *Client) Flush(context.Context) error            { return nil }
func (c *Client) Sync(context.Context) error             { return nil }
func (c *Client) Delete(context.Context, []string) error { return ErrReadOnly }

type noWriter struct{}

func (noWriter) Add(*store.Source, []event.Event) error { return ErrReadOnly }
func (noWriter) Flush() error                           { return nil }
func (noWriter) Report() store.Report                   { return store.Report{} }

var _ store.Store = (*Client)(nil)
