//go:build !windows

package collect

import "errors"

func openEventLog() (eventLog, error) {
	return nil, errors.New("winlog: this machine has no Windows event log; give .evtx files to sextant investigate, or send them with Winlogbeat")
}
