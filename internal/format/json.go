package format

import (
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// JSON records of any product: one object a line, objects over many lines, or
// an array of them. Documents that already speak ECS (Beats, Elastic Agent,
// ecs-logging) pass as they are; other records keep their own names, dotted, and
// get the ECS fields that their names and values make certain.
var _ = register(Format{
	Name:      "json",
	Title:     "JSON records with any field names",
	Group:     "general",
	Recognise: recogniseJSON,
	Frame:     frameJSON,
	Decode:    decodeJSON(newJSONDecoder),
})

func recogniseJSON(s *Sample) int {
	n := jsonLeaves(s, func(func(string) bool) bool { return true })
	return (n*6 + 9) / 10
}

// scannerPool keeps the scanners of a format between chunks, with the names they
// have learnt.
func scannerPool(tag func(path string) int32) *sync.Pool {
	return &sync.Pool{New: func() any { return &event.Scanner{Tag: tag} }}
}

var namedScanners = scannerPool(nameTag)
