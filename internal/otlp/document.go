// Package otlp makes documents in ECS terms of OpenTelemetry's log records, which come over a
// network (package collect) or lie in files (package format). The body is the message; attributes and those of the
// resource keep their names where ECS has them, as the semantic conventions and ECS have been
// one since 2023, and stand under otel.attributes and otel.resource otherwise.
//
// Source: opentelemetry-proto, logs/v1, and the logs data model.
package otlp

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/sextant-logs/sextant/internal/event"
)

// severity is the level of a severity number (logs data model, "Severity
// fields"): six ranges of four.
var severity = [...]string{"trace", "debug", "info", "warn", "error", "fatal"}

// batches hold the fields of a document while it is made.
var batches = sync.Pool{New: func() any { return &event.Batch{} }}

// Document is a log record as a JSON document. received, in nanoseconds, is its time where it has none of its
// own; 0 if that is not known either.
func Document(res pcommon.Resource, scope pcommon.InstrumentationScope, lr plog.LogRecord, received int64) []byte {
	b := batches.Get().(*event.Batch)
	defer batches.Put(b)
	b.Reset()
	b.Begin(0, "")
	at := int64(lr.Timestamp())
	if at == 0 {
		at = int64(lr.ObservedTimestamp())
	}
	if at == 0 {
		at = received
	}
	if at != 0 { // then it is a document of ECS, which a reader leaves as it is
		b.Add("@timestamp", time.Unix(0, at).UTC().Format(time.RFC3339Nano))
		b.Add("ecs.version", "8.11.0")
		b.Add("event.kind", "event")
	}
	body := lr.Body()
	switch body.Type() {
	case pcommon.ValueTypeMap:
		addMap(b, "otel.body", body.Map(), 0)
		if v, ok := body.Map().Get("message"); ok {
			b.Add("message", v.AsString())
		} else {
			b.Add("message", body.AsString())
		}
	default:
		b.Add("message", body.AsString())
	}
	if s := lr.SeverityText(); s != "" {
		b.Add("log.level", strings.ToLower(s))
	} else if n := int(lr.SeverityNumber()); n >= 1 && n <= 24 {
		b.Add("log.level", severity[(n-1)/4])
	}
	if n := lr.SeverityNumber(); n != 0 {
		b.AddInt("otel.severity_number", int64(n))
	}
	if id := lr.TraceID(); !id.IsEmpty() {
		b.Add("trace.id", hex.EncodeToString(id[:]))
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		b.Add("span.id", hex.EncodeToString(id[:]))
	}
	b.Add("event.action", lr.EventName())
	b.Add("log.logger", scope.Name())
	addAttributes(b, "otel.resource", res.Attributes())
	addAttributes(b, "otel.attributes", lr.Attributes())
	return event.AppendFieldsJSON(nil, b.Event().Fields)
}

// names are the attributes of the semantic conventions that ECS has under
// another name.
var names = map[string]string{
	"service.instance.id": "service.node.name", "deployment.environment": "service.environment", "deployment.environment.name": "service.environment",
	"host.arch": "host.architecture", "host.name": "host.name", "host.id": "host.id", "host.ip": "host.ip", "os.type": "host.os.type", "os.version": "host.os.version",
	"process.pid": "process.pid", "process.executable.path": "process.executable", "process.executable.name": "process.name", "process.command_line": "process.command_line",
	"process.owner": "user.name", "thread.id": "process.thread.id", "thread.name": "process.thread.name",
	"k8s.namespace.name": "orchestrator.namespace", "k8s.cluster.name": "orchestrator.cluster.name", "k8s.pod.name": "kubernetes.pod.name", "k8s.node.name": "kubernetes.node.name",
	"exception.type": "error.type", "exception.message": "error.message", "exception.stacktrace": "error.stack_trace",
	"client.address": "client.address", "server.address": "server.address", "source.address": "source.address", "destination.address": "destination.address",
	"source.port": "source.port", "destination.port": "destination.port", "client.port": "client.port", "server.port": "server.port",
	"network.peer.address": "source.address", "net.peer.ip": "source.ip", "net.sock.peer.addr": "source.ip",
	"http.request.method": "http.request.method", "http.method": "http.request.method", "http.response.status_code": "http.response.status_code", "http.status_code": "http.response.status_code",
	"url.full": "url.full", "url.path": "url.path", "url.query": "url.query", "url.scheme": "url.scheme", "http.url": "url.full", "http.target": "url.original",
	"user_agent.original": "user_agent.original", "http.user_agent": "user_agent.original", "enduser.id": "user.name", "user.name": "user.name", "user.id": "user.id", "user.email": "user.email",
	"log.file.path": "log.file.path", "log.file.name": "log.file.name", "event.name": "event.action", "code.function": "log.origin.function", "code.filepath": "log.origin.file.name",
	"service.name": "service.name", "service.version": "service.version", "cloud.provider": "cloud.provider", "cloud.region": "cloud.region", "cloud.account.id": "cloud.account.id",
	"cloud.availability_zone": "cloud.availability_zone", "container.id": "container.id", "container.name": "container.name", "container.image.name": "container.image.name",
}

func addAttributes(b *event.Batch, prefix string, m pcommon.Map) {
	for key, v := range m.All() {
		if name, ok := names[key]; ok && !b.Event().Has(name) && v.Type() != pcommon.ValueTypeMap {
			addValue(b, name, v, 0)
			continue
		}
		addValue(b, prefix+"."+key, v, 0)
	}
}

func addMap(b *event.Batch, prefix string, m pcommon.Map, depth int) {
	for key, v := range m.All() {
		addValue(b, prefix+"."+key, v, depth)
	}
}

func addValue(b *event.Batch, name string, v pcommon.Value, depth int) {
	if len(name) > 512 {
		name = name[:512]
	}
	switch v.Type() {
	case pcommon.ValueTypeInt:
		b.AddInt(name, v.Int())
	case pcommon.ValueTypeDouble:
		b.AddFloat(name, v.Double())
	case pcommon.ValueTypeBool:
		b.AddBool(name, v.Bool())
	case pcommon.ValueTypeMap:
		if depth < 8 {
			addMap(b, name, v.Map(), depth+1)
		} else {
			b.Add(name, v.AsString())
		}
	case pcommon.ValueTypeSlice:
		for i := range v.Slice().Len() {
			if e := v.Slice().At(i); e.Type() == pcommon.ValueTypeMap || e.Type() == pcommon.ValueTypeSlice {
				raw, _ := json.Marshal(v.AsRaw())
				b.AddKind(name, string(raw), event.JSON)
				return
			}
		}
		for i := range v.Slice().Len() {
			addValue(b, name, v.Slice().At(i), depth+1)
		}
	default:
		b.Add(name, v.AsString())
	}
}
