package event

import "unsafe"

// unsafeString views p as a string. The caller never writes to p again.
func unsafeString(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

// View is p as a string without a copy, for decoders that are handed a chunk
// of bytes which nobody writes to again.
func View(p []byte) string { return unsafeString(p) }
