package collect

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// A message of two bytes becomes a structure of hundreds, so that a request of a
// few megabytes could take gigabytes when it is decoded. Its parts are counted
// before.

const (
	maxOTLPGRPC   = 4 << 20 // bytes of a message: the Collector's own bound, so exporters keep to it
	maxOTLPValues = 400_000 // records, attributes and values of one request
	maxOTLPDepth  = 32      // of values within values
)

var errOTLP = fmt.Errorf("%w: more than %d records and attributes in one request, or values more than %d deep", errBody, maxOTLPValues, maxOTLPDepth)

// otlpKind is a kind of message.
type otlpKind byte

const (
	otlpExport otlpKind = iota
	otlpResourceLogs
	otlpResource
	otlpScopeLogs
	otlpScope
	otlpRecord
	otlpKeyValue
	otlpAny
	otlpArray
	otlpMap
	otlpEntity
)

// otlpParts are which fields of a kind of message are messages, and of which kind:
// opentelemetry/proto/collector/logs/v1, logs/v1, resource/v1, common/v1.
var otlpParts = [...]map[protowire.Number]otlpKind{
	otlpExport:       {1: otlpResourceLogs},
	otlpResourceLogs: {1: otlpResource, 2: otlpScopeLogs},
	otlpResource:     {1: otlpKeyValue, 3: otlpEntity},
	otlpScopeLogs:    {1: otlpScope, 2: otlpRecord},
	otlpScope:        {3: otlpKeyValue},
	otlpRecord:       {5: otlpAny, 6: otlpKeyValue},
	otlpKeyValue:     {2: otlpAny},
	otlpAny:          {5: otlpArray, 6: otlpMap},
	otlpArray:        {1: otlpAny},
	otlpMap:          {1: otlpKeyValue},
	otlpEntity:       {},
}

// otlpBound says whether a request has too many parts.
func otlpBound(body []byte) error {
	left := maxOTLPValues
	return otlpCount(body, otlpExport, 0, &left)
}

func otlpCount(p []byte, kind otlpKind, depth int, left *int) error {
	if depth > 3*maxOTLPDepth { // a value within a value is three messages
		return errOTLP
	}
	return protoFields(p, func(num protowire.Number, data []byte, _ uint64) error {
		part, ok := otlpParts[kind][num]
		if !ok {
			if kind == otlpEntity { // lists of names
				*left--
			}
			if *left < 0 {
				return errOTLP
			}
			return nil
		}
		if *left--; *left < 0 {
			return errOTLP
		}
		return otlpCount(data, part, depth+1, left)
	})
}

// otlpCodec counts before it decodes.
type otlpCodec struct{ encoding.CodecV2 }

func (c otlpCodec) Unmarshal(data mem.BufferSlice, v any) error {
	body := data.Materialize()
	if err := otlpBound(body); err != nil {
		return err
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{mem.SliceBuffer(body)}, v)
}
