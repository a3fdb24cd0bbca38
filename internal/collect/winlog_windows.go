package collect

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The Windows Event Log API, pulled from: wevtapi.dll has no binding in x/sys.
//
// Source: Microsoft's reference of winevt.h (EvtSubscribe, EvtNext, EvtRender,
// EvtCreateBookmark, EvtUpdateBookmark).
var (
	wevtapi        = windows.NewLazySystemDLL("wevtapi.dll")
	evtSubscribe   = wevtapi.NewProc("EvtSubscribe")
	evtNext        = wevtapi.NewProc("EvtNext")
	evtRender      = wevtapi.NewProc("EvtRender")
	evtClose       = wevtapi.NewProc("EvtClose")
	evtNewBookmark = wevtapi.NewProc("EvtCreateBookmark")
	evtSetBookmark = wevtapi.NewProc("EvtUpdateBookmark")
)

const (
	evtFuture, evtOldest, evtAfterBookmark = 1, 2, 3 // EVT_SUBSCRIBE_FLAGS
	evtRenderXML, evtRenderBookmark        = 1, 2    // EVT_RENDER_FLAGS

	errChannelNotFound = syscall.Errno(15007) // ERROR_EVT_CHANNEL_NOT_FOUND

	winlogBatch = 256
	maxRendered = 8 << 20 // bytes of an event's XML
)

type windowsEventLog struct{}

func openEventLog() (eventLog, error) {
	if err := wevtapi.Load(); err != nil {
		return nil, fmt.Errorf("winlog: %w", err)
	}
	return windowsEventLog{}, nil
}

// windowsSubscription is a result set that the system adds to, and the event by
// which it says so.
type windowsSubscription struct {
	results, bookmark uintptr
	signal            windows.Handle
	buf               []uint16
}

func (windowsEventLog) subscribe(channel, query, bookmark string, oldest bool) (subscription, error) {
	path, err := windows.UTF16PtrFromString(channel)
	if err != nil {
		return nil, err
	}
	xpath, err := windows.UTF16PtrFromString(query)
	if err != nil {
		return nil, err
	}
	s := &windowsSubscription{buf: make([]uint16, 16<<10)}
	var text *uint16
	flags := uintptr(evtFuture)
	if bookmark != "" {
		if text, err = windows.UTF16PtrFromString(bookmark); err != nil {
			return nil, err
		}
		flags = evtAfterBookmark // without EvtSubscribeStrict: what was overwritten meanwhile is gone
	} else if oldest {
		flags = evtOldest
	}
	var e error
	if s.bookmark, _, e = evtNewBookmark.Call(uintptr(unsafe.Pointer(text))); s.bookmark == 0 {
		return nil, fmt.Errorf("bookmark: %w", e)
	}
	// Manual reset, set: the first look is due at once.
	if s.signal, err = windows.CreateEvent(nil, 1, 1, nil); err != nil {
		s.close()
		return nil, err
	}
	after := uintptr(0)
	if flags == evtAfterBookmark {
		after = s.bookmark
	}
	s.results, _, e = evtSubscribe.Call(0, uintptr(s.signal), uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(xpath)), after, 0, 0, flags)
	if s.results == 0 {
		s.close()
		switch {
		case errors.Is(e, errChannelNotFound):
			return nil, errNoChannel
		case errors.Is(e, windows.ERROR_ACCESS_DENIED):
			return nil, fmt.Errorf("%w: administrators and the group Event Log Readers may read it", e)
		}
		return nil, e
	}
	return s, nil
}

func (s *windowsSubscription) close() {
	for _, h := range []uintptr{s.results, s.bookmark} {
		if h != 0 {
			evtClose.Call(h)
		}
	}
	if s.signal != 0 {
		windows.CloseHandle(s.signal)
	}
	s.results, s.bookmark, s.signal = 0, 0, 0
}

// next implements subscription.
func (s *windowsSubscription) next() (events []string, bookmark string, err error) {
	if _, err := windows.WaitForSingleObject(s.signal, 1000); err != nil {
		return nil, "", err
	}
	var handles [winlogBatch]uintptr
	var n uint32
	ok, _, e := evtNext.Call(s.results, winlogBatch, uintptr(unsafe.Pointer(&handles[0])), 0, 0, uintptr(unsafe.Pointer(&n)))
	if ok == 0 {
		if errors.Is(e, windows.ERROR_NO_MORE_ITEMS) || errors.Is(e, windows.ERROR_TIMEOUT) || errors.Is(e, windows.ERROR_INVALID_OPERATION) {
			return nil, "", windows.ResetEvent(s.signal)
		}
		return nil, "", e
	}
	for i, h := range handles[:n] {
		if err == nil {
			var text string
			if text, err = s.render(h, evtRenderXML); err == nil {
				events = append(events, text)
				if ok, _, e := evtSetBookmark.Call(s.bookmark, h); ok == 0 {
					// Without a bookmark behind it, it is to be read again.
					events, err = events[:i], e
				}
			}
		}
		evtClose.Call(h)
	}
	if len(events) == 0 {
		return nil, "", err
	}
	bookmark, e = s.render(s.bookmark, evtRenderBookmark)
	if e != nil {
		return nil, "", e
	}
	return events, bookmark, err
}

// render is an event or bookmark as XML.
func (s *windowsSubscription) render(handle, how uintptr) (string, error) {
	for {
		var used, properties uint32
		ok, _, e := evtRender.Call(0, handle, how, uintptr(len(s.buf)*2), uintptr(unsafe.Pointer(&s.buf[0])), uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
		if ok != 0 {
			return windows.UTF16ToString(s.buf[:min(int(used)/2, len(s.buf))]), nil
		}
		if !errors.Is(e, windows.ERROR_INSUFFICIENT_BUFFER) || used > maxRendered || int(used) <= len(s.buf)*2 {
			return "", e
		}
		s.buf = make([]uint16, used/2+1)
	}
}
