package collect

import "sync/atomic"

// Stats count what a collector did, since it began. They may be read at any
// time.
type Stats struct {
	Records     atomic.Int64 // taken
	Bytes       atomic.Int64 // of them
	Deliveries  atomic.Int64
	Errors      atomic.Int64 // deliveries refused, broken frames, failed connections
	Cut         atomic.Int64 // records that were longer than may be kept
	Lost        atomic.Int64 // datagrams that the kernel dropped because they came too fast
	Connections atomic.Int64 // open
	Behind      atomic.Int64 // bytes of followed files that are not read yet
	Last        atomic.Int64 // ns since the epoch of the last delivery
}
