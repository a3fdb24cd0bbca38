package forward

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
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

	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/event"
)

// Elasticsearch's bulk interface, and OpenSearch's, which is the same. Events are
// created with their event.id as _id: one that is there already is answered
// with a conflict, and is there. Rejections of single events are told apart: those
// for want of room are sent again, those for what the event is are refused.
//
// Source: Elasticsearch's REST reference, "Bulk API".
var _ = register("elasticsearch", `elasticsearch+https://USER:PASSWORD@HOST:9200/INDEX, also OpenSearch. INDEX may
have {dataset}, {date} and {month}. ?api-key-file=FILE or api-key=ID:KEY instead of the
user; pipeline=NAME; ca=FILE; cert=FILE&key=FILE; compress=0`, newElasticsearch)

type elasticsearch struct {
	urls      []string // of _bulk
	next      int
	index     string
	user      *url.Userinfo
	apiKey    string
	compress  bool
	client    *http.Client
	transport *http.Transport
}

func newElasticsearch(u *url.URL) (output, error) {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("want elasticsearch+https://HOST:9200/INDEX")
	}
	o := &elasticsearch{user: u.User, compress: true}
	path := strings.Trim(u.Path, "/")
	prefix := "" // where a proxy has it
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		prefix, path = "/"+path[:i], path[i+1:]
	}
	o.index = path
	if o.index == "" {
		o.index = "logs-sextant-default"
	}
	if strings.ContainsAny(o.index, `\*?"<>| ,#`) || o.index != strings.ToLower(o.index) {
		return nil, fmt.Errorf("%q cannot be an index: lower case, and none of \\ / * ? \" < > | , #", o.index)
	}
	q := u.Query()
	o.apiKey = q.Get("api-key")
	if name := q.Get("api-key-file"); name != "" {
		key, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		o.apiKey = strings.TrimSpace(string(key))
	}
	if strings.Contains(o.apiKey, ":") { // ID:KEY, else the encoded form of both
		o.apiKey = base64.StdEncoding.EncodeToString([]byte(o.apiKey))
	}
	if o.apiKey != "" && o.user != nil {
		return nil, errors.New("either an API key or a user, not both")
	}
	switch q.Get("compress") {
	case "", "1":
	case "0":
		o.compress = false
	default:
		return nil, fmt.Errorf("compress=%s: want 0 or 1", q.Get("compress"))
	}
	for host := range strings.SplitSeq(u.Host, ",") {
		to := u.Scheme + "://" + host + prefix + "/_bulk"
		if p := q.Get("pipeline"); p != "" {
			to += "?pipeline=" + url.QueryEscape(p)
		}
		o.urls = append(o.urls, to)
	}
	o.transport = http.DefaultTransport.(*http.Transport).Clone()
	if u.Scheme == "https" {
		var err error
		if o.transport.TLSClientConfig, err = collect.ClientTLS(q); err != nil {
			return nil, err
		}
	}
	o.client = &http.Client{Transport: o.transport, Timeout: 90 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return o, nil
}

func (o *elasticsearch) close() { o.transport.CloseIdleConnections() }

// send implements output.
func (o *elasticsearch) send(ctx context.Context, docs []Document) (outcome, error) {
	body, err := o.body(docs)
	if err != nil {
		return outcome{left: docs}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.urls[o.next%len(o.urls)], bytes.NewReader(body))
	if err != nil {
		return outcome{left: docs}, errors.New("the URL cannot be used") // it is not to be shown
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if o.compress {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if o.apiKey != "" {
		req.Header.Set("Authorization", "ApiKey "+o.apiKey)
	} else if o.user != nil {
		password, _ := o.user.Password()
		req.SetBasicAuth(o.user.Username(), password)
	}
	resp, err := o.client.Do(req)
	if err != nil {
		o.next++
		return outcome{left: docs}, err
	}
	answer, err := readAnswer(resp.Body)
	resp.Body.Close()
	if err != nil {
		return outcome{left: docs}, err
	}
	if resp.StatusCode == http.StatusOK {
		out, err := bulkOutcome(docs, answer)
		if err != nil {
			o.next++
		}
		return out, pausing(err, resp)
	}
	err = fmt.Errorf("%s: %s", resp.Status, brief(answer))
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		// Of the whole: one of them may be at fault, or it is too much at once.
		if len(docs) == 1 {
			return outcome{refused: []refusal{{ID: docs[0].ID, Status: resp.StatusCode, Reason: brief(answer)}}}, nil
		}
		return o.halves(ctx, docs)
	}
	o.next++
	return outcome{left: docs}, pausing(err, resp)
}

// halves sends the documents as two.
func (o *elasticsearch) halves(ctx context.Context, docs []Document) (outcome, error) {
	first, err := o.send(ctx, docs[:len(docs)/2])
	if err != nil {
		first.left = append(append([]Document(nil), first.left...), docs[len(docs)/2:]...)
		return first, err
	}
	second, err := o.send(ctx, docs[len(docs)/2:])
	second.known += first.known
	second.refused = append(first.refused, second.refused...)
	return second, err
}

// pausing adds to an error the pause that the receiver asks for.
func pausing(err error, resp *http.Response) error {
	if seconds, e := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil && e == nil && seconds > 0 {
		return later{err, time.Duration(min(seconds, 3600)) * time.Second}
	}
	return err
}

// body is the request: for each document a line that says what to do, and itself.
func (o *elasticsearch) body(docs []Document) ([]byte, error) {
	var buf bytes.Buffer
	var w io.Writer = &buf
	var z *gzip.Writer
	if o.compress {
		z, _ = gzip.NewWriterLevel(&buf, gzip.BestSpeed)
		w = z
	}
	var line []byte
	for i := range docs {
		d := &docs[i]
		line = append(line[:0], `{"create":{"_index":`...)
		line = event.AppendQuoted(line, o.indexOf(d))
		line = append(line, `,"_id":`...)
		line = event.AppendQuoted(line, d.ID)
		line = append(append(append(line, "}}\n"...), d.Body...), '\n')
		if _, err := w.Write(line); err != nil {
			return nil, err
		}
	}
	if z != nil {
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

// indexOf is the index of a document. It depends on nothing but the document, so
// that the same one always goes to the same.
func (o *elasticsearch) indexOf(d *Document) string {
	if !strings.Contains(o.index, "{") {
		return o.index
	}
	date, month := "unknown", "unknown"
	if len(d.Time) >= 10 {
		date = strings.ReplaceAll(d.Time[:10], "-", ".")
		month = date[:7]
	}
	return strings.NewReplacer("{date}", date, "{month}", month, "{dataset}", dataset(d.Dataset)).Replace(o.index)
}

// dataset makes a name fit for the dataset of a data stream.
func dataset(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, name)
	if name = name[:min(len(name), 100)]; name == "" {
		return "generic"
	}
	return name
}

// bulkOutcome reads the answer to a bulk request. An answer that does not tell of
// every document tells of none.
func bulkOutcome(docs []Document, answer []byte) (outcome, error) {
	var result struct {
		Items []map[string]struct {
			ID     string          `json:"_id"`
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return outcome{left: docs}, fmt.Errorf("not the answer of Elasticsearch: %s", brief(answer))
	}
	if len(result.Items) != len(docs) {
		return outcome{left: docs}, fmt.Errorf("an answer for %d of %d events", len(result.Items), len(docs))
	}
	var out outcome
	var why error
	for i, item := range result.Items {
		status, reason := 0, ""
		for _, r := range item {
			status, reason = r.Status, brief(r.Error)
			if r.ID != "" && r.ID != docs[i].ID {
				return outcome{left: docs}, fmt.Errorf("an answer for event %.80q where %.80q was sent", r.ID, docs[i].ID)
			}
		}
		switch {
		case status >= 200 && status < 300:
		case status == http.StatusConflict: // created before
			out.known++
		case status == http.StatusTooManyRequests, status >= 500, status == 0, status == http.StatusNotFound,
			status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusRequestTimeout:
			// It has no room, or somebody has to make an index or give a right: not the event's fault.
			out.left = append(out.left, docs[i])
			why = fmt.Errorf("status %d: %s", status, reason)
		default:
			out.refused = append(out.refused, refusal{ID: docs[i].ID, Status: status, Reason: reason})
		}
	}
	return out, why
}

// brief is the beginning of an answer, on one line.
func brief(p []byte) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(p[:min(len(p), 600)]), "�")), " ")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}
