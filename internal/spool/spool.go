// Package spool keeps what collectors receive on disk until the store has it,
// so that an acknowledgement can be given as soon as a record is safe, whatever
// the store is doing, and nothing that was acknowledged is lost or stored twice
// when the process dies.
//
//	s, err := spool.Open(dir, spool.Options{Stored: func(id string) bool { … }})
//	err = s.Append(ctx, delivery)      // returns when it is on disk
//
//	for {                              // another goroutine
//		e, err := s.Next(ctx)
//		// e.Delivery's records, the i-th at e.Offsets[i] of segment e.Segment
//		if e.End { …; s.Done(e.Segment) } // when the store has the segment for good
//	}
//
// The spool is a list of segments, files of frames: length, CRC-32C and body,
// written together and synced once for all who wait (group commit). A frame torn
// by the death of the process is as if it had not been written: nobody was told
// that it was. A segment is the unit in which the store takes over: its id is a
// source in the case's ledger, so what a killed process had stored of it is
// removed and stored again.
//
// Segments that are done are kept for a while, for what they know of records
// already seen.
package spool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure Open. The zero value of each has a default.
type Options struct {
	Stored       func(id string) bool // reports whether the store has the segment for good; nil: none
	SegmentBytes int64                // a segment is sealed when it is so large, 32 MiB
	MaxBytes     int64                // Append waits while so much is not done, 2 GiB
	KeepSegments int                  // segments kept that are done, 3
	NoSync       bool                 // do not wait for the disk: for measurements

	// Append also waits while the disk has less than so many bytes besides what the
	// backlog will take in the store: a disk that is full stops the store for
	// good, and everything else that writes to it. 256 MiB, or a tenth of a small disk.
	Reserve int64

	// For tests.
	free func(dir string) (free, all int64, err error)
	sync func(*os.File) error
}

// MaxDelivery is the most bytes of records in one delivery.
const MaxDelivery = 16 << 20

const (
	magic       = "sextant spool 1\n"
	headerBytes = len(magic) + 12 // then the id
	frameHeader = 8
	maxFrame    = MaxDelivery + 1<<10
	maxGroup    = 4 << 20 // bytes written together
	suffix      = ".spool"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrClosed is what Append and Next return after Close.
var ErrClosed = errors.New("the spool is closed")

// segment is one file.
type segment struct {
	id     string // 24 hex digits
	number int64  // orders the files
	path   string
	size   int64 // bytes that are whole
	rest   int64 // bytes behind them that are not
	sealed bool
	done   bool
}

// Spool is a directory of segments. Append may be called from several
// goroutines; Next from one.
type Spool struct {
	dir     string
	options Options
	appends chan *request
	closing chan struct{}
	closed  chan struct{} // the writer has ended
	once    sync.Once

	mu       sync.Mutex
	changed  chan struct{} // closed and made anew when something below changes
	segments []*segment    // by number; the last is being written unless sealed
	marks    map[string]string
	seen     seen
	stats    Stats
	over     bool      // the writer has ended: no segment will grow or begin
	problems []string  // what Open found damaged
	looked   time.Time // at the disk's free space
	writing  bool      // the last segment is being written
	sealing  bool      // and is to be sealed then

	file *os.File // of the last segment; the writer's

	read struct { // Next's
		segment *segment
		file    *os.File
		at      int64
		ended   bool
	}
}

// Stats are figures of the spool since Open.
type Stats struct {
	Deliveries int64 // taken
	Records    int64
	Duplicates int64 // records left out because they were there
	Bytes      int64 // written
	Syncs      int64
	Backlog    int64 // bytes that the store does not have for good
	DiskFull   bool  // nothing is taken for want of disk space
}

type request struct {
	deliveries []*Delivery
	done       chan error
}

// Open opens the spool in dir, or makes it. Segments that the store has are
// only read for what they say of keys and marks.
func Open(dir string, options Options) (*Spool, error) {
	options.SegmentBytes = cmp.Or(options.SegmentBytes, 32<<20)
	options.MaxBytes = cmp.Or(options.MaxBytes, 2<<30)
	options.KeepSegments = cmp.Or(options.KeepSegments, 3)
	if options.free == nil {
		options.free = freeSpace
	}
	if options.sync == nil {
		options.sync = (*os.File).Sync
	}
	if options.Stored == nil {
		options.Stored = func(string) bool { return false }
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Spool{dir: dir, options: options, appends: make(chan *request, 256), closing: make(chan struct{}), closed: make(chan struct{}),
		changed: make(chan struct{}), marks: map[string]string{}}
	if err := s.load(); err != nil {
		return nil, err
	}
	go s.write()
	return s, nil
}

// load finds the segments, takes torn frames away, and learns keys and marks.
func (s *Spool) load() error {
	if err := s.loadMarks(); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		var number int64
		if _, err := fmt.Sscanf(name, "%d", &number); !ok || err != nil {
			continue
		}
		path := filepath.Join(s.dir, e.Name())
		seg := &segment{number: number, path: path, sealed: true}
		switch err := s.loadSegment(seg); {
		case errors.Is(err, errEmpty): // made, and nothing written
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		seg.done = s.options.Stored(seg.id)
		s.segments = append(s.segments, seg)
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	for i, seg := range s.segments {
		if seg.rest == 0 {
			continue
		}
		if i < len(s.segments)-1 { // only the last can have been torn by the death of the process
			s.problems = append(s.problems, fmt.Sprintf("%s: damaged behind byte %d; %d bytes cannot be read", seg.path, seg.size, seg.rest))
		} else if err := os.Truncate(seg.path, seg.size); err != nil {
			return err
		}
	}
	for _, seg := range s.segments { // in the order in which they were written
		err := s.frames(seg, func(d *Delivery) {
			s.seen.learn(d)
			s.mark(d)
		})
		if err != nil {
			return err
		}
	}
	return s.tidy()
}

var errEmpty = errors.New("empty segment")

// loadSegment reads the header and finds where the last whole frame ends.
func (s *Spool) loadSegment(seg *segment) error {
	f, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var head [headerBytes]byte
	if n, _ := f.ReadAt(head[:], 0); n < headerBytes {
		return errEmpty
	}
	if string(head[:len(magic)]) != magic {
		return fmt.Errorf("%s is no spool segment; move it away", seg.path)
	}
	seg.id = hex.EncodeToString(head[len(magic):])
	seg.size = int64(headerBytes)
	for {
		body, err := readFrame(f, seg.size)
		if err != nil {
			break
		}
		seg.size += frameHeader + int64(len(body))
	}
	if seg.size == int64(headerBytes) {
		return errEmpty
	}
	seg.rest = info.Size() - seg.size
	return nil
}

// Problems tells what Open found damaged, a line each.
func (s *Spool) Problems() []string { return s.problems }

func (s *Spool) frames(seg *segment, fn func(*Delivery)) error {
	f, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer f.Close()
	for at := int64(headerBytes); at < seg.size; {
		body, err := readFrame(f, at)
		if err != nil {
			return fmt.Errorf("%s: byte %d: %w", seg.path, at, err)
		}
		d, _, err := parseDelivery(body)
		if err != nil {
			return fmt.Errorf("%s: byte %d: %w", seg.path, at, err)
		}
		fn(d)
		at += frameHeader + int64(len(body))
	}
	return nil
}

var errTorn = errors.New("torn frame")

func readFrame(f *os.File, at int64) ([]byte, error) {
	var head [frameHeader]byte
	if _, err := f.ReadAt(head[:], at); err != nil {
		return nil, errTorn
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return nil, errTorn
	}
	body := make([]byte, n)
	if _, err := f.ReadAt(body, at+frameHeader); err != nil {
		return nil, errTorn
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errTorn
	}
	return body, nil
}

// Append writes the deliveries and returns when they are on disk, or with the
// reason why they are not. It waits while too much is not stored yet.
func (s *Spool) Append(ctx context.Context, deliveries ...*Delivery) error {
	r := &request{deliveries: deliveries, done: make(chan error, 1)}
	for _, d := range deliveries {
		if n := d.Size(); n > MaxDelivery {
			return fmt.Errorf("a delivery of %d bytes is more than %d", n, MaxDelivery)
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	case s.appends <- r:
	}
	select {
	case err := <-r.done: // also after ctx ended: the sender must be told the truth
		return err
	case <-s.closed:
		select {
		case err := <-r.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// write is the goroutine that owns the file: it writes together what waits.
func (s *Spool) write() {
	defer close(s.closed)
	var buf []byte
	for {
		var group []*request
		select {
		case r := <-s.appends:
			group = append(group, r)
		case <-s.closing:
			for { // what was accepted before is still written
				select {
				case r := <-s.appends:
					buf = s.commit([]*request{r}, buf)
				default:
					s.Seal()
					s.mu.Lock()
					s.over = true
					s.notify()
					s.mu.Unlock()
					return
				}
			}
		}
		if !s.room() {
			group[0].done <- ErrClosed
			continue
		}
		size := group[0].size()
	gather:
		for size < maxGroup {
			select {
			case r := <-s.appends:
				group = append(group, r)
				size += r.size()
			default:
				break gather
			}
		}
		buf = s.commit(group, buf)
	}
}

func (r *request) size() (n int) {
	for _, d := range r.deliveries {
		n += d.Size()
	}
	return n
}

// room waits until the backlog is small enough and the disk has room; false when
// the spool closes.
func (s *Spool) room() bool {
	for {
		s.mu.Lock()
		backlog, changed := s.backlog(), s.changed
		full := s.diskFull(backlog)
		s.stats.DiskFull = full
		s.mu.Unlock()
		if backlog < s.options.MaxBytes && !full {
			return true
		}
		var again <-chan time.Time
		if full {
			again = time.After(lookAgain)
		}
		select {
		case <-changed:
		case <-again:
		case <-s.closing:
			return false
		}
	}
}

const lookAgain = 250 * time.Millisecond

func reserveOf(disk int64) int64 { return min(256<<20, disk/10) }

// Reserve is the space that a spool in dir, which need not exist yet, leaves free
// by default, in bytes; 0 where the system does not tell.
func Reserve(dir string) int64 {
	for {
		if _, all, err := freeSpace(dir); err == nil {
			return reserveOf(all)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return 0
		}
		dir = up
	}
}

// diskFull reports whether the disk has too little room. A system that cannot say
// has enough.
func (s *Spool) diskFull(backlog int64) bool {
	if !s.stats.DiskFull && time.Since(s.looked) < lookAgain {
		return false
	}
	s.looked = time.Now()
	free, all, err := s.options.free(s.dir)
	if err != nil || all <= 0 {
		return false
	}
	reserve := cmp.Or(s.options.Reserve, reserveOf(all))
	// What waits takes less in the store than here.
	return free < reserve+min(backlog, s.options.MaxBytes)/2
}

func (s *Spool) backlog() (n int64) {
	for _, seg := range s.segments {
		if !seg.done {
			n += seg.size
		}
	}
	return n
}

// commit writes a group of requests, syncs, and answers.
func (s *Spool) commit(group []*request, buf []byte) []byte {
	buf = buf[:0]
	var taken []*Delivery
	var records, duplicates int64
	s.mu.Lock()
	for _, r := range group {
		for _, d := range r.deliveries {
			fresh := s.seen.fresh(d)
			duplicates += int64(len(d.Records) - len(fresh.Records))
			if len(fresh.Records) == 0 && fresh.Mark.Name == "" {
				continue
			}
			records += int64(len(fresh.Records))
			taken = append(taken, fresh)
			at := len(buf)
			buf = append(buf, 0, 0, 0, 0, 0, 0, 0, 0)
			buf = appendDelivery(buf, fresh)
			body := buf[at+frameHeader:]
			binary.LittleEndian.PutUint32(buf[at:], uint32(len(body)))
			binary.LittleEndian.PutUint32(buf[at+4:], crc32.Checksum(body, castagnoli))
		}
	}
	s.mu.Unlock()
	err := s.put(buf)
	s.mu.Lock()
	if err != nil {
		for _, d := range taken {
			s.seen.forget(d)
		}
	} else {
		for _, d := range taken {
			s.mark(d)
		}
		s.stats.Deliveries += int64(len(taken))
		s.stats.Records += records
		s.stats.Duplicates += duplicates
		s.stats.Bytes += int64(len(buf))
	}
	s.mu.Unlock()
	for _, r := range group {
		r.done <- err
	}
	if cap(buf) > 4*maxGroup {
		return nil
	}
	return buf
}

// put makes buf the end of the current segment, durably.
func (s *Spool) put(buf []byte) error {
	if len(buf) == 0 {
		return nil
	}
	s.mu.Lock()
	var seg *segment
	if n := len(s.segments); n > 0 && !s.segments[n-1].sealed && s.file != nil {
		seg = s.segments[n-1]
	}
	s.writing = true // nobody else may say that the segment is at its end
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writing = false
		if s.sealing {
			s.sealing = false
			s.sealLast()
		}
	}()
	if seg == nil {
		var err error
		if seg, err = s.begin(); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	_, err := s.file.WriteAt(buf, seg.size)
	if err == nil && !s.options.NoSync {
		err = s.options.sync(s.file)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		// What is behind size counts for nothing, and after a failed sync nobody
		// knows what the file has: the next delivery begins a new one.
		_ = s.file.Truncate(seg.size)
		s.seal(seg)
		return fmt.Errorf("spool: %w", err)
	}
	seg.size += int64(len(buf))
	s.stats.Syncs++
	if seg.size >= s.options.SegmentBytes {
		s.seal(seg)
	}
	s.notify()
	return nil
}

// begin makes a new segment.
func (s *Spool) begin() (*segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := &segment{number: 1, size: int64(headerBytes)}
	if n := len(s.segments); n > 0 {
		seg.number = s.segments[n-1].number + 1
	}
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	seg.id = hex.EncodeToString(id[:])
	seg.path = filepath.Join(s.dir, fmt.Sprintf("%012d%s", seg.number, suffix))
	f, err := os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(append([]byte(magic), id[:]...)); err != nil {
		f.Close()
		os.Remove(seg.path)
		return nil, err
	}
	syncDir(s.dir)
	if s.file != nil {
		s.file.Close()
	}
	s.file = f
	s.segments = append(s.segments, seg)
	return seg, nil
}

// Seal ends the segment being written, if it holds anything, so that it can be
// done.
func (s *Spool) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing {
		s.sealing = true // when it is written
		return
	}
	s.sealLast()
}

func (s *Spool) sealLast() {
	if n := len(s.segments); n > 0 && !s.segments[n-1].sealed && s.segments[n-1].size > int64(headerBytes) {
		s.segments[n-1].sealed = true // the writer closes the file when it begins the next
		s.notify()
	}
}

func (s *Spool) seal(seg *segment) {
	seg.sealed = true
	s.notify()
}

func (s *Spool) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Settle says that the sender of a request has learnt of its arrival: the same
// request again would be another one.
func (s *Spool) Settle(request Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.settle(request)
}

// Stats returns the spool's figures.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Backlog = s.backlog()
	return st
}

// Entry is a delivery on its way to the store, or the end of a segment.
type Entry struct {
	Segment  string // id
	Path     string // of the segment's file
	Delivery *Delivery
	Offsets  []int64 // where each record's data begins in the segment
	End      bool    // the segment is read to its end; Delivery is nil
}

// Next returns the next delivery that is not stored, waiting for one. The
// records are the caller's. After Close it goes on until all is read, then
// returns ErrClosed. One goroutine calls Next and Poll.
func (s *Spool) Next(ctx context.Context) (*Entry, error) {
	for {
		e, wait, err := s.next()
		if e != nil || err != nil {
			return e, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wait:
		}
	}
}

// Poll returns the next delivery if there is one now, else nil.
func (s *Spool) Poll() (*Entry, error) {
	e, _, err := s.next()
	return e, err
}

func (s *Spool) next() (*Entry, <-chan struct{}, error) {
	r := &s.read
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.segment == nil || r.ended {
		next := s.following(r.segment)
		if next == nil {
			if s.over {
				return nil, nil, ErrClosed
			}
			return nil, s.changed, nil
		}
		f, err := os.Open(next.path)
		if err != nil {
			return nil, nil, err
		}
		r.segment, r.file, r.at, r.ended = next, f, int64(headerBytes), false
	}
	if r.at >= r.segment.size {
		if !r.segment.sealed {
			return nil, s.changed, nil
		}
		r.file.Close()
		r.ended = true
		return &Entry{Segment: r.segment.id, Path: r.segment.path, End: true}, nil, nil
	}
	at := r.at
	s.mu.Unlock()
	body, err := readFrame(r.file, at)
	s.mu.Lock()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: byte %d: %w", r.segment.path, at, err)
	}
	d, offsets, err := parseDelivery(body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: byte %d: %w", r.segment.path, at, err)
	}
	r.at += frameHeader + int64(len(body))
	for i := range offsets {
		offsets[i] += at + frameHeader
	}
	return &Entry{Segment: r.segment.id, Path: r.segment.path, Delivery: d, Offsets: offsets}, nil, nil
}

// following is the first segment behind seg that is not done.
func (s *Spool) following(seg *segment) *segment {
	for _, n := range s.segments {
		if !n.done && (seg == nil || n.number > seg.number) {
			return n
		}
	}
	return nil
}

// Done says that the store has all of a segment for good.
func (s *Spool) Done(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		if seg.id == id {
			seg.done = true
		}
	}
	s.notify()
	return s.tidy()
}

// tidy removes the oldest segments that are done, but for some, once the marks
// they hold are kept elsewhere.
func (s *Spool) tidy() error {
	done := 0
	for _, seg := range s.segments {
		if !seg.done {
			break
		}
		done++
	}
	if done <= s.options.KeepSegments {
		return nil
	}
	if err := s.saveMarks(); err != nil {
		return err
	}
	for done > s.options.KeepSegments {
		if err := os.Remove(s.segments[0].path); err != nil {
			return err
		}
		s.segments = s.segments[1:]
		done--
	}
	return nil
}

// Close stops taking deliveries; those under way are still written. Next goes
// on until all is read.
func (s *Spool) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.closed
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	return nil
}

// syncDir makes new names in dir durable where the system can do that.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
