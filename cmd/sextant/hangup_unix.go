//go:build unix

package main

import (
	"os"
	"syscall"
)

// hangupSignals ask a server to read its configuration again.
func hangupSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }
