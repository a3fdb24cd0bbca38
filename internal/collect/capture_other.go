//go:build !linux && !darwin

package collect

import (
	"errors"
	"runtime"
)

func openSniffer(sniffOptions) (sniffer, error) {
	if runtime.GOOS == "windows" {
		return nil, errors.New("capture: packets cannot be captured on Windows: Npcap is not supported. Capture with pktmon (pktmon start --capture; pktmon etl2pcap) and give the file to sextant investigate")
	}
	return nil, errors.New("capture: packets are captured on Linux and macOS")
}
