package collect

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/sextant-logs/sextant/internal/spool"
)

// MaxBody is the most bytes of one request, before and after decompression.
const MaxBody = spool.MaxDelivery * 3 / 4

// errBody is what readBody's error wraps when the request is at fault.
var errBody = errors.New("bad request body")

// readBody reads a request's body, decompressed as its Content-Encoding says.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	h := holding(r)
	var body io.Reader = counting{http.MaxBytesReader(w, r.Body, MaxBody), h}
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		body = z
	case "deflate":
		z, err := zlib.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		body = z
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBody*2))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		defer z.Close()
		body = z
	case "snappy":
		packed, err := io.ReadAll(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		if n, err := snappy.DecodedLen(packed); err != nil || n > MaxBody {
			return nil, fmt.Errorf("%w: snappy", errBody)
		} else if err := h.grow(n); err != nil {
			return nil, err
		}
		data, err := snappy.Decode(nil, packed)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		return data, nil
	default:
		return nil, fmt.Errorf("%w: Content-Encoding %q is not supported", errBody, encoding)
	}
	if packed := r.Header.Get("Content-Encoding"); packed != "" && packed != "identity" {
		body = counting{body, h}
	}
	data, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	if len(data) > MaxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", errBody, MaxBody)
	}
	return data, nil
}

// bodyStatus is the HTTP status for an error of readBody.
func bodyStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.Is(err, errInbound) {
		return http.StatusServiceUnavailable
	}
	if errors.As(err, &tooLarge) || strings.Contains(err.Error(), "more than") {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// remoteIP is the address a request came from.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// newDelivery begins the delivery of a request.
func newDelivery(r *http.Request, name, path, format string) *spool.Delivery {
	return &spool.Delivery{Collector: name + path, Peer: remoteIP(r), Format: format, Received: time.Now().UnixNano()}
}

// refuse answers a request whose records could not be kept: the sender is to
// try again.
func refuse(w http.ResponseWriter, o Options, err error) {
	o.Stats.Errors.Add(1)
	w.Header().Set("Retry-After", "2")
	http.Error(w, "cannot keep it now: "+err.Error(), http.StatusServiceUnavailable)
}
