package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Standard access logs of Amazon CloudFront: W3C's layout with tabs between the columns, whose order is fixed, so that a file
// whose header was cut off can be read as well.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/AccessLogs.html
var _ = register(Format{
	Name:      "aws.cloudfront_logs",
	Title:     "AWS CloudFront access log",
	Group:     "web",
	Recognise: recogniseCloudFront,
	Header:    isW3CDirective,
	Lines:     func(p *Params) LineDecoder { return newW3C(p, &cloudFront).decode },
})

var cloudFront = w3cProduct{
	dataset: "aws.cloudfront_logs",
	prefix:  "aws.cloudfront.",
	columns: map[string]w3cColumn{
		"x-edge-location": {w3cText, "aws.cloudfront.edge_location"}, "x-edge-result-type": {w3cText, "aws.cloudfront.edge_result_type"}, "x-edge-request-id": {w3cText, "http.request.id"}, "x-host-header": {w3cHost, ""},
		"cs(Host)": {w3cText, "aws.cloudfront.domain"}, "sc-bytes": {w3cNumber, "http.response.bytes"}, "cs-bytes": {w3cNumber, "http.request.bytes"}, "cs-protocol": {w3cText, "network.protocol"},
		"cs(Cookie)": {w3cText, "aws.cloudfront.cookies"}, "time-taken": {w3cSeconds, ""}, "ssl-protocol": {w3cTLS, ""}, "ssl-cipher": {w3cText, "tls.cipher"},
		"x-edge-response-result-type": {w3cText, "aws.cloudfront.edge_response_result_type"}, "x-edge-detailed-result-type": {w3cText, "aws.cloudfront.edge_detailed_result_type"},
		"fle-status": {w3cText, "aws.cloudfront.fle_status"}, "fle-encrypted-fields": {w3cText, "aws.cloudfront.fle_encrypted_fields"}, "time-to-first-byte": {w3cNumber, "aws.cloudfront.time_to_first_byte"},
		"sc-content-type": {w3cText, "aws.cloudfront.content_type"}, "sc-content-len": {w3cNumber, "http.response.body.bytes"}, "sc-range-start": {w3cNumber, "aws.cloudfront.range_start"}, "sc-range-end": {w3cNumber, "aws.cloudfront.range_end"},
	},
	guess:  guessCloudFront,
	finish: finishCloudFront,
}

// cloudFrontColumns are the columns of today; older files end earlier.
var cloudFrontColumns = strings.Fields("date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header " +
	"cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type " +
	"sc-content-type sc-content-len sc-range-start sc-range-end")

func recogniseCloudFront(s *Sample) int {
	if header := w3cColumns(s.Lines); header != "" {
		if strings.Contains(" "+header+" ", " x-edge-location ") {
			return 97
		}
		return 0
	}
	return s.majority(96, func(l string) bool { return guessCloudFront(strings.Split(l, "\t")) != nil })
}

// guessCloudFront: a line without a header is CloudFront's if date, place, address, method and status stand where they must.
func guessCloudFront(words []string) []string {
	if len(words) < 12 || len(words) > len(cloudFrontColumns) || len(words[0]) != 10 || len(words[1]) != 8 || len(words[2]) < 4 || len(words[2]) > 12 || !isIP(words[4]) || !isMethod(words[5]) ||
		!isDigits(words[3]) || len(words[8]) != 3 || !isDigits(words[8]) {
		return nil
	}
	for i := range 3 { // an airport's code and a number: "FRA56-P2"
		if c := words[2][i]; c < 'A' || 'Z' < c {
			return nil
		}
	}
	return cloudFrontColumns[:len(words)]
}

func finishCloudFront(b *event.Batch) {
	b.Add("cloud.provider", "aws")
	e := b.Event()
	host, scheme := e.Get("url.domain"), e.Get("network.protocol")
	b.Add("destination.address", host)
	b.Add("related.hosts", e.Get("aws.cloudfront.domain"))
	addNetworkType(b, e.Get("source.ip"))
	if path := e.Get("url.original"); host != "" && path != "" && scheme != "" {
		b.Add("url.scheme", scheme)
		full := append(append(append(append([]byte(nil), scheme...), "://"...), host...), path...)
		if q := e.Get("url.query"); q != "" {
			full = append(append(full, '?'), q...)
		}
		b.Add("url.full", b.Bytes(full))
	}
}
