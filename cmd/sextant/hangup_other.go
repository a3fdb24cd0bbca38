//go:build !unix

package main

import "os"

// hangupSignals are none here: POST /api/reload asks a server to read its
// configuration again, or `sextant serve --reload`.
func hangupSignals() []os.Signal { return nil }
