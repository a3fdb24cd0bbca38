package event

// A Question is one of the six that every investigation asks of a record.
type Question struct {
	Name   string   // "what", "when", "where", "who", "succeeded", "impact"
	Fields []string // the ECS fields that answer it, most telling first
}

// Questions is the projection of ECS on the six questions. Decoders feed these
// fields as far as their data allows; reports read them.
var Questions = []Question{
	{"what", []string{"event.action", "event.category", "event.type", "event.dataset", "rule.name", "process.command_line", "process.name", "file.path", "url.original", "dns.question.name", "message"}},
	{"when", []string{"@timestamp", "event.start", "event.end", "event.duration", "event.created"}},
	{"where", []string{"host.name", "source.ip", "source.port", "destination.ip", "destination.port", "destination.domain", "network.transport", "service.name", "log.file.path", "log.offset"}},
	{"who", []string{"user.name", "user.target.name", "user.effective.name", "user.id", "source.ip", "process.parent.name", "user_agent.original"}},
	{"succeeded", []string{"event.outcome", "http.response.status_code", "error.message", "error.code"}},
	{"impact", []string{"event.severity", "rule.level", "source.bytes", "destination.bytes", "network.bytes", "http.response.body.bytes"}},
}
