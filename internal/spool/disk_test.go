package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestAppendWaitsWhileTheDiskIsNearlyFull(t *testing.T) {
	var free atomic.Int64
	free.Store(1000)
	s := open(t, t.TempDir(), Options{Reserve: 5000, free: func(string) (int64, int64, error) { return free.Load(), 1 << 40, nil }})
	appended := make(chan error)
	go func() { appended <- s.Append(context.Background(), delivery("x")) }()
	select {
	case <-appended:
		t.Fatal("appended to a full disk")
	case <-time.After(100 * time.Millisecond):
	}
	if !s.Stats().DiskFull {
		t.Error("it does not say so")
	}
	free.Store(1 << 30)
	if err := <-appended; err != nil {
		t.Error(err)
	}
	if s.Stats().DiskFull {
		t.Error("it goes on saying so")
	}
}

func TestCloseDoesNotWaitForAFullDisk(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Reserve: 5000, free: func(string) (int64, int64, error) { return 0, 1 << 40, nil }})
	if err != nil {
		t.Fatal(err)
	}
	appended := make(chan error)
	go func() { appended <- s.Append(context.Background(), delivery("x")) }()
	time.Sleep(50 * time.Millisecond)
	s.Close()
	if err := <-appended; err == nil {
		t.Error("what is not written is acknowledged")
	}
}

// On a slow disk that fails now and then, whatever was acknowledged is there, what
// was not may be sent again and is there once.
func TestASlowDiskThatFailsLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	var syncs atomic.Int64
	o := Options{SegmentBytes: 2000, sync: func(f *os.File) error {
		time.Sleep(3 * time.Millisecond)
		switch n := syncs.Add(1); {
		case n%7 == 3:
			return syscall.ENOSPC
		case n%11 == 5:
			return errors.New("I/O error")
		}
		return f.Sync()
	}}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var failed atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				d := delivery(fmt.Sprintf("%d-%d", i, j))
				d.Records[0].Key = KeyOf(d.Records[0].Data)
				for s.Append(context.Background(), d) != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() == 0 {
		t.Error("no sync failed")
	}
	if n := syncs.Load(); n >= 400 {
		t.Errorf("%d syncs for 400 deliveries: those that wait are to go together", n)
	}
	s.Close()
	got, _ := drain(t, open(t, dir, Options{}))
	slices.Sort(got)
	if len(got) != 400 || len(slices.Compact(got)) != 400 {
		t.Errorf("%d records are there, want 400, each once", len(got))
	}
}

// A segment that is sealed while it is being written must not end before what is
// being written: its reader would never see it, though it is acknowledged.
func TestWhatIsWrittenWhileASegmentIsSealedIsRead(t *testing.T) {
	writing, on := make(chan struct{}), make(chan struct{})
	n := 0
	s := open(t, t.TempDir(), Options{sync: func(f *os.File) error {
		if n++; n == 2 {
			close(writing)
			<-on
		}
		return f.Sync()
	}})
	append1(t, s, delivery("one"))
	if e, err := s.Next(context.Background()); err != nil || e.End {
		t.Fatal(e, err)
	}
	appended := make(chan error)
	go func() { appended <- s.Append(context.Background(), delivery("two")) }()
	<-writing
	s.Seal()
	if e, err := s.Poll(); e != nil || err != nil {
		t.Errorf("%+v %v while the second is being written", e, err)
	}
	close(on)
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
	if got, segments := drain(t, s); !slices.Equal(got, []string{"two"}) || len(segments) != 1 {
		t.Errorf("%q in %d segments", got, len(segments))
	}
}
