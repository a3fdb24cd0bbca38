"""A logging handler that sends records to Sextant in batches."""

import atexit
import collections
import datetime
import json
import logging
import os
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid

# What every LogRecord has; anything else came from the caller's extra={…}.
_OWN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class Handler(logging.Handler):
    """Sends records as ECS documents to a Sextant server.

    The application never waits: records go to a queue that a thread of ours
    empties. When the server is slow or away, up to ``capacity`` records are kept
    and sent later; beyond that the oldest are dropped, and how many is sent as a
    record of its own once the server is back.

    url       of the server, "http://127.0.0.1:8514"
    token     a token with the role ingest, where the server asks for one
    batch     records sent at once at most
    interval  seconds after which fewer are sent
    capacity  records kept while they cannot be sent
    fields    ECS fields that every record gets, {"service.name": "shop"}
    """

    def __init__(self, url="http://127.0.0.1:8514", token=None, *, level=logging.NOTSET, batch=500,
                 interval=1.0, capacity=10_000, timeout=10.0, fields=None):
        super().__init__(level)
        self._url = url.rstrip("/") + "/ingest"
        self._token = token
        self._batch = batch
        self._interval = interval
        self._timeout = timeout
        self._fields = dict(fields or {})
        self._host = socket.gethostname()
        self._queue = collections.deque()
        self._capacity = capacity
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._closed = False
        self._pid = None
        self._thread = None
        self.dropped = 0   # records given up because the queue was full
        self.sent = 0      # records the server has on disk
        self._told = 0
        atexit.register(self.close)

    def emit(self, record):
        # urllib's own records must not make further ones.
        if threading.current_thread() is self._thread:
            return
        try:
            document = self._document(record)
        except Exception:
            self.handleError(record)
            return
        with self._lock:
            if self._closed:
                return
            if self._pid != os.getpid():  # also after a fork, which threads do not survive
                self._start()
            if len(self._queue) >= self._capacity:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(document)
            self._idle.clear()
            full = len(self._queue) >= self._batch
        if full:
            self._wake.set()

    def _start(self):
        self._pid = os.getpid()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sextant", daemon=True)
        self._thread.start()

    def _document(self, record):
        document = {
            "@timestamp": datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
            "ecs.version": "8.11.0",
            "message": record.getMessage(),
            "log.level": record.levelname.lower(),
            "log.logger": record.name,
            "log.origin.file.name": record.filename,
            "log.origin.file.line": record.lineno,
            "log.origin.function": record.funcName,
            "process.pid": record.process,
            "process.name": record.processName,
            "process.thread.name": record.threadName,
            "host.name": self._host,
        }
        document.update(self._fields)
        if record.exc_info and record.exc_info[0]:
            document["error.type"] = record.exc_info[0].__name__
            document["error.message"] = str(record.exc_info[1])
            document["error.stack_trace"] = logging.Formatter().formatException(record.exc_info)
        for name, value in record.__dict__.items():
            if name not in _OWN and value is not None:
                document[name if "." in name else "labels." + name] = value
        return json.dumps(document, default=str)

    def _run(self):
        pause = self._interval
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            pause = self._interval
            while True:
                with self._lock:
                    lines = [self._queue[i] for i in range(min(self._batch, len(self._queue)))]
                    if not lines:
                        self._idle.set()
                        if self._closed:
                            return
                        break
                    dropped = self.dropped
                if not self._send(lines):
                    if self._closed:
                        self._idle.set()
                        return
                    pause = min(max(pause, 0.5) * 2, 30)
                    break
                with self._lock:
                    # What was dropped meanwhile was at the front, as these are: it is sent after all.
                    saved = min(len(lines), self.dropped - dropped)
                    self.dropped -= saved
                    for _ in range(len(lines) - saved):
                        self._queue.popleft()
                    self.sent += len(lines)
                self._confess()

    def _confess(self):
        if self.dropped > self._told:
            n = self.dropped - self._told
            record = logging.LogRecord("sextant", logging.WARNING, __file__, 0, "%d records were dropped: the server could not take them", (n,), None)
            if self._send([self._document(record)]):
                self._told += n

    def _send(self, lines):
        body = "\n".join(lines).encode()
        # The same key for the same batch: sent again, it is stored once.
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, body.decode()))
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/x-ndjson", "Idempotency-Key": key})
        if self._token:
            request.add_header("Authorization", "Bearer " + self._token)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return answer.status // 100 == 2
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (400, 413) and len(lines) > 1:  # one bad record must not hold up the others
                half = len(lines) // 2
                return self._send(lines[:half]) and self._send(lines[half:])
            return error.code in (400, 413)
        except OSError:
            return False

    def flush(self, timeout=5.0):
        """Waits until all records so far are sent, or the timeout; says whether they are."""
        self._wake.set()
        return self._idle.wait(timeout)

    def close(self):
        """Sends what is there, for five seconds at most."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._wake.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(5.0)
        atexit.unregister(self.close)
        super().close()
