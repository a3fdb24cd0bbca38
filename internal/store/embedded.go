package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
)

// Options configure Open. The zero value of each means the default given with it.
type Options struct {
	// MaxMemory is the memory the whole process aims to stay below, 1 GiB; the
	// engine's caches and query states get a quarter of it. The first Open of
	// a process decides: the engine cannot change it later.
	MaxMemory int64

	// MinFreeDisk is the free space below which writers refuse rows, 256 MiB;
	// negative for none. The engine cannot survive a full disk.
	MinFreeDisk int64

	// DiskFull, when set, is called by a writer that has no room on the disk:
	// it may wait and return nil, so that the writer tries again, or an error.
	DiskFull func() error

	// MaxDays is how many distinct days (UTC) a case may have, 3,000. A day
	// costs 24 files and 200 kB of memory however few rows it has, and a hostile
	// log can name any. Rows of further days are stored at the fallback time.
	MaxDays int

	// MustExist makes Open fail with fs.ErrNotExist instead of making a new case.
	MustExist bool

	// Synonyms are values of columns that mean the same.
	Synonyms Synonyms

	flushInterval time.Duration // for tests

	// Log gets what the engine has to say, most of it at level Debug;
	// slog.Default.
	Log *slog.Logger
}

var (
	// ErrLocked is what Open's error wraps when the case is open elsewhere.
	ErrLocked = errors.New("the case is open in another process")

	// ErrClosed is what every method returns after Close.
	ErrClosed = errors.New("the store is closed")

	// ErrDiskFull is what a writer's error wraps when the disk is full.
	ErrDiskFull = errors.New("the disk is full")
)

// The engine holds times from minTime up to maxTime, both days; the rest of
// what int64 could say, 1677 to 2262, is left for its own arithmetic.
var (
	minTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	maxTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
)

const (
	retention    = 200 * 365 * 24 * time.Hour // from now into the past, and into the future
	dayNanos     = int64(24 * time.Hour)
	lockName     = "lock"
	snapshotDays = 8 // Sync takes so many snapshots rather than days out of the engine

	// flushInterval is when the engine writes to disk by itself what is little:
	// the longer, the fewer small files. What grows beyond about 1 MB goes at once.
	flushInterval = 10 * time.Second
)

// Embedded is the Store of a case directory.
type Embedded struct {
	dir    string
	log    *slog.Logger
	lock   *os.File
	ledger *Ledger
	engine *logstorage.Storage
	links  bool // the file system has hard links
	same   Synonyms
	full   func() error // Options.DiskFull

	maxFiles int
	chunk    int          // days that one run of the engine may read
	maxAdd   int          // days that rows handed over together may be of: to look up a stream, the engine opens some dozen files of each
	reading  sync.RWMutex // held for reading while the engine answers, for writing by closeFiles, which only tries; before adding
	adding   sync.RWMutex // held for reading while rows are handed to the engine, for writing by Sync and closeFiles
	streams  uint64       // the engine's count of new streams at the last Sync
	broken   atomic.Pointer[error]

	days   sync.Mutex         // guards what follows, for who does not hold adding for writing
	dirty  map[int64]struct{} // days that got rows since the last Sync
	opened map[int64]struct{} // days of which the engine may have files open
	known  map[int64]struct{} // days that have rows
	files  map[string]dayFiles
	most   int // of known

	life   sync.Mutex // guards closed and the start of users
	closed bool
	users  sync.WaitGroup // calls under way
	once   sync.Once
	err    error // of Close
}

var _ Store = (*Embedded)(nil)

// Open opens the case in dir, or makes it. It fails with a line that says what
// to do when dir is something else, is damaged, or is open elsewhere (ErrLocked).
func Open(dir string, options Options) (*Embedded, error) {
	if options.MaxMemory <= 0 {
		options.MaxMemory = 1 << 30
	}
	if options.MinFreeDisk == 0 {
		options.MinFreeDisk = 256 << 20
	}
	if options.MaxDays <= 0 {
		options.MaxDays = 3000
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if err := checkCase(dir, options.MustExist); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir) // the engine's paths must outlive a change of directory
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	s := &Embedded{dir: dir, same: options.Synonyms, full: options.DiskFull, log: options.Log, lock: lock, maxFiles: maxFiles(),
		chunk: chunkOf(maxFiles()), maxAdd: max(minChunk, maxFiles()/200), dirty: map[int64]struct{}{}, opened: map[int64]struct{}{}, known: map[int64]struct{}{}, most: options.MaxDays}
	// Look again: until the lock was ours, another process could change the case.
	if err := errors.Join(checkCase(dir, options.MustExist), checkEngine(filepath.Join(dir, engineName))); err != nil {
		lock.Close()
		return nil, err
	}
	if s.ledger, err = openLedger(dir); err != nil {
		lock.Close()
		return nil, err
	}
	prepareEngine(options.MaxMemory)
	engineLog.Store(options.Log)
	if err := s.openEngine(options); err != nil {
		s.ledger.close()
		lock.Close()
		return nil, err
	}
	s.links = hasLinks(dir)
	return s, nil
}

func (s *Embedded) openEngine(options Options) (err error) {
	defer recovered("open "+s.dir, &err)
	s.engine = logstorage.MustOpenStorage(filepath.Join(s.dir, engineName), &logstorage.StorageConfig{
		Retention:             retention,
		FutureRetention:       retention,
		FlushInterval:         cmp.Or(options.flushInterval, flushInterval),
		MinFreeDiskSpaceBytes: max(options.MinFreeDisk, 0),
	})
	for _, name := range s.engine.PartitionList() {
		if day, err := dayOf(name); err == nil {
			s.known[day] = struct{}{}
		}
	}
	for _, path := range s.engine.PartitionSnapshotList() { // of a Sync that was killed
		if err := s.engine.PartitionSnapshotDelete(path); err != nil {
			s.log.Warn("cannot remove a snapshot of the store", "path", path, "error", err)
		}
	}
	return nil
}

// takeLock keeps other processes out of dir until the file is closed.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	held, err := lockFile(f)
	if err != nil {
		defer f.Close()
		if !held {
			return nil, fmt.Errorf("%s: cannot lock the case: %w", dir, err)
		}
		who := make([]byte, 20)
		n, _ := f.Read(who)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(who[:n]))); err == nil {
			return nil, fmt.Errorf("%s: %w (process %d): wait for it or end it", dir, ErrLocked, pid)
		}
		return nil, fmt.Errorf("%s: %w: wait for it or end it", dir, ErrLocked)
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for the message above only
	return f, nil
}

// hasLinks reports whether files in dir can be linked, which snapshots need
// and not every file system has (exFAT on an evidence disk).
func hasLinks(dir string) bool {
	to := filepath.Join(dir, ".link")
	os.Remove(to)
	if os.Link(filepath.Join(dir, ledgerName), to) != nil {
		return false
	}
	return os.Remove(to) == nil
}

// enter notes a call under way, so that Close waits for it.
func (s *Embedded) enter() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.broken.Load(); err != nil {
		return *err
	}
	s.users.Add(1)
	return nil
}

// Ledger is the case's list of sources.
func (s *Embedded) Ledger() *Ledger { return s.ledger }

// Dir is the directory of the case.
func (s *Embedded) Dir() string { return s.dir }

// Recover removes the rows of sources that were begun and never committed, so
// that they can be read again. Call it before the first writer adds.
func (s *Embedded) Recover(ctx context.Context) error {
	// The engine goes on with what a killed process was deleting. It must have
	// ended before a source of the same id is written again.
	if err := s.tasksDone(ctx); err != nil {
		return err
	}
	var ids []string
	for _, r := range s.ledger.Leftovers() {
		ids = append(ids, r.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	if err := s.Delete(ctx, ids); err != nil {
		return err
	}
	return s.ledger.removed(ids)
}

// Remove takes committed sources out of the case: their rows and their place
// in the ledger. A run killed in the middle of it is completed by Recover.
func (s *Embedded) Remove(ctx context.Context, sourceIDs []string) error {
	if len(sourceIDs) == 0 {
		return nil
	}
	if err := s.ledger.retract(sourceIDs); err != nil {
		return err
	}
	return s.Recover(ctx)
}

func (s *Embedded) Flush(ctx context.Context) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	defer recovered("flush", &err)
	s.engine.DebugFlush()
	return ctx.Err()
}

// Sync makes rows durable in the only ways the engine has. Of a few days that
// got rows it takes snapshots, for which the engine writes its memory to disk,
// and throws them away; more days it takes out and puts back. That cannot be
// done while a query runs; then there will be more snapshots or, on a file
// system without hard links, a wait for the engine's own writing. Writers wait
// as long.
func (s *Embedded) Sync(ctx context.Context) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	defer recovered("sync", &err)

	reading := s.reading.TryLock() // before adding, see there
	if reading {
		defer s.reading.Unlock()
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	if len(s.dirty) == 0 {
		return ctx.Err()
	}
	many := int(openReaders.Get()) >= s.maxFiles/4
	if reading && (!s.links || len(s.dirty) > snapshotDays || many) {
		s.days.Lock()
		if many {
			maps.Copy(s.dirty, s.opened)
		}
		days := namesOf(s.dirty)
		s.days.Unlock()
		return s.reopen(days)
	}
	if err := s.write(ctx, namesOf(s.dirty)); err != nil {
		return err
	}
	clear(s.dirty)
	return nil
}

// write has the engine write the rows of the days to disk, and waits for it.
func (s *Embedded) write(ctx context.Context, days []string) error {
	var stats logstorage.StorageStats
	s.engine.DebugFlush()
	rounds := 1
	if s.engine.UpdateStats(&stats); stats.StreamsCreatedTotal != s.streams {
		rounds = 2 // the index of streams has no counter of what is in memory: what a merge held back the first time goes the second
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if s.links {
			if err := inParallel(days, s.snapshot); err != nil {
				return err
			}
		}
		stats.Reset()
		s.engine.UpdateStats(&stats)
		if rounds--; rounds <= 0 && stats.InmemoryRowsCount == 0 {
			s.streams = stats.StreamsCreatedTotal
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		if !s.links && s.reading.TryLock() { // the query has ended
			defer s.reading.Unlock()
			return s.reopen(days)
		}
	}
}

// snapshot makes and removes a snapshot of a day.
func (s *Embedded) snapshot(day string) error {
	for _, path := range s.engine.PartitionSnapshotMustCreate(day) {
		if err := s.engine.PartitionSnapshotDelete(path); err != nil {
			return err
		}
	}
	return nil
}

// admit reports whether rows of the day may be stored, and notes that there
// will be some. A day is what the engine takes it for: a time divided by the
// length of a day, rounded towards 1970.
func (s *Embedded) admit(day int64) bool {
	s.days.Lock()
	defer s.days.Unlock()
	if _, ok := s.known[day]; !ok {
		if len(s.known) >= s.most {
			return false
		}
		s.known[day] = struct{}{}
	}
	return true
}

// someDay is the beginning of the latest day that has rows.
func (s *Embedded) someDay() int64 {
	s.days.Lock()
	defer s.days.Unlock()
	latest := int64(math.MinInt64)
	for day := range s.known {
		latest = max(latest, day)
	}
	return latest * dayNanos
}

// Delete lets the engine's delete task do the work, which rewrites all files
// that have such rows; it looks for tasks about every second.
func (s *Embedded) Delete(ctx context.Context, sourceIDs []string) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	defer recovered("delete", &err)

	for len(sourceIDs) > 0 {
		some := sourceIDs[:min(len(sourceIDs), 1000)]
		sourceIDs = sourceIDs[len(some):]
		if err := s.deleteSome(ctx, some); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
	}
	return nil
}

func (s *Embedded) deleteSome(ctx context.Context, ids []string) error {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = strconv.Quote(id)
	}
	query := "sextant.source:in(" + strings.Join(quoted, ",") + ")"
	filter, err := logstorage.ParseFilter(query)
	if err != nil {
		return err
	}
	s.engine.DebugFlush()
	for attempt := 0; ; attempt++ {
		left, err := s.count(ctx, query)
		if err != nil || left == 0 {
			return err
		}
		if attempt == 10 {
			return fmt.Errorf("%d rows remain", left)
		}
		// A merge that ends between the task's choice of files and its start
		// would make the engine panic, so let those that Open started end.
		if err := s.quiet(ctx); err != nil {
			return err
		}
		// The task leaves alone what is later than its start, so it starts at the end of time.
		id := "sextant-" + strconv.FormatInt(time.Now().UnixNano(), 36)
		if err := s.engine.DeleteRunTask(ctx, id, maxTime, []logstorage.TenantID{{}}, filter); err != nil {
			return err
		}
		if err := s.taskDone(ctx, id); err != nil {
			return err
		}
	}
}

// quiet waits until the engine merges nothing, as seen several times in a row.
func (s *Embedded) quiet(ctx context.Context) error {
	for calm := 0; calm < 3; {
		var st logstorage.StorageStats
		s.engine.UpdateStats(&st)
		calm++
		if st.ActiveInmemoryMerges+st.ActiveSmallMerges+st.ActiveBigMerges > 0 {
			calm = 0
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// tasksDone waits until the engine deletes nothing.
func (s *Embedded) tasksDone(ctx context.Context) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	defer recovered("delete", &err)
	for {
		tasks, err := s.engine.DeleteActiveTasks(ctx)
		if err != nil || len(tasks) == 0 {
			return err
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *Embedded) taskDone(ctx context.Context, id string) error {
	for {
		tasks, err := s.engine.DeleteActiveTasks(ctx)
		if err != nil {
			return err
		}
		done := true
		for _, t := range tasks {
			done = done && t.TaskID != id
		}
		if done {
			return nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Close waits for calls under way, makes all flushed rows durable and lets
// others open the case. It returns the same error however often it is called.
func (s *Embedded) Close() error {
	s.once.Do(func() {
		s.life.Lock()
		s.closed = true
		s.life.Unlock()
		s.users.Wait()
		s.err = s.closeEngine()
		s.err = errors.Join(s.err, s.ledger.close(), s.lock.Close())
		engineLog.CompareAndSwap(s.log, nil)
	})
	return s.err
}

func (s *Embedded) closeEngine() (err error) {
	defer recovered("close "+s.dir, &err)
	s.engine.MustClose()
	return nil
}

// Stats are figures of the store, for progress lines and reports.
type Stats struct {
	Rows      int64 // stored, without those Flush has not made visible
	DiskBytes int64 // of the rows' files and their index
	Days      int   // distinct days (UTC) that have rows
	First     int64 // time of the first and the last row, ns since the epoch; both 0 without rows
	Last      int64
}

// Stats returns the store's figures as they are now.
func (s *Embedded) Stats() (Stats, error) {
	if err := s.enter(); err != nil {
		return Stats{}, err
	}
	defer s.users.Done()
	var st logstorage.StorageStats
	s.engine.UpdateStats(&st)
	out := Stats{
		Rows:      int64(st.RowsCount()),
		DiskBytes: int64(st.CompressedSmallPartSize + st.CompressedBigPartSize + st.IndexdbSizeBytes),
		Days:      int(st.PartitionsCount),
	}
	if st.MinTimestamp > math.MinInt64 && st.MaxTimestamp < math.MaxInt64 && st.MinTimestamp <= st.MaxTimestamp {
		out.First, out.Last = st.MinTimestamp, st.MaxTimestamp
	}
	return out, nil
}
