package format

import "strings"

// Access logs of AWS API Gateway: REST, HTTP and WebSocket. Their layout is the user's; AWS proposes JSON of these names.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
var _ = registerCloud(&cloudLog{
	name:   "aws.apigateway_logs",
	title:  "AWS API Gateway access log, JSON",
	group:  "web",
	prefix: "aws.apigateway.",
	recognise: func(has func(string) bool) bool {
		return has("requestId") && (has("requestTime") || has("requestTimeEpoch")) && has("status") && (has("routeKey") || has("resourcePath") || has("httpMethod") && has("protocol"))
	},
	times:  []string{"requestTimeEpoch", "requestTime"},
	fields: map[string]string{"ip": "aws.apigateway.ip_address", "requestTime": ""},
	rename: snake,
	finish: finishAPIGateway,
})

func finishAPIGateway(r *cloudRecord) {
	b := r.b
	b.Add("cloud.provider", "aws")
	for _, name := range [...]string{"status", "responseLength", "response_length"} {
		r.number("aws.apigateway." + name)
	}
	if e := b.Event(); e.Has("@timestamp") || r.get("requestTime") != "" {
		addTime("aws.apigateway.request_time", e.Time, b)
	}
	given := func(name string) string {
		if v := r.get(name); v != "-" {
			return v
		}
		return ""
	}
	r.source(r.get("ip", "identity.sourceIp", "sourceIp"))
	r.agent(r.get("userAgent", "identity.userAgent"))
	r.status(given("status"))
	r.login("user.", given("user"))
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	b.Add("http.request.id", r.get("requestId"))
	if size := given("responseLength"); isDigits(size) {
		b.AddNumber("http.response.body.bytes", size)
	}
	method, path := given("httpMethod"), r.get("path", "resourcePath")
	if m, route, ok := strings.Cut(given("routeKey"), " "); ok { // "GET /pets"
		if method == "" {
			method = m
		}
		if path == "" {
			path = route
		}
	}
	b.Add("http.request.method", method)
	b.Add("url.path", path)
	b.Add("url.domain", given("domainName"))
	b.Add("http.version", strings.TrimPrefix(given("protocol"), "HTTP/"))
	if action := given("eventType"); action != "" { // CONNECT, MESSAGE, DISCONNECT of a WebSocket
		b.Add("event.action", lower(action, b))
	} else if method != "" {
		b.Add("event.action", lower(method, b))
	}
	if message := given("errorMessage"); message != "" {
		b.Add("error.message", message)
	}
}
