"""Tests with a real server: SEXTANT is its URL."""

import http.server
import json
import logging
import logging.handlers
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import sextant  # noqa: E402

SERVER = os.environ.get("SEXTANT")


def logger(name, handler):
    log = logging.getLogger(name)
    log.propagate = False
    log.setLevel(logging.DEBUG)
    log.handlers = [handler]
    return log


class Fake:
    """A server that keeps what it is sent, and refuses while it is down."""

    def __init__(self):
        self.lines, self.keys, self.down = [], [], False
        fake = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                down = fake.down
                if not down:  # before the answer, behind which the test looks
                    fake.lines += [json.loads(line) for line in body.splitlines()]
                    fake.keys.append(self.headers["Idempotency-Key"])
                self.send_response(503 if down else 204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class HandlerTest(unittest.TestCase):
    def test_records_become_documents(self):
        fake = Fake()
        handler = sextant.Handler(fake.url, fields={"service.name": "shop"}, interval=0.05)
        log = logger("shop", handler)
        log.warning("payment of %d failed", 7, extra={"user.name": "alice", "attempt": 3})
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("it broke")
        self.assertTrue(handler.flush())
        handler.close()
        first, second = fake.lines
        self.assertEqual(first["message"], "payment of 7 failed")
        self.assertEqual(first["log.level"], "warning")
        self.assertEqual(first["user.name"], "alice")
        self.assertEqual(first["labels.attempt"], 3)
        self.assertEqual(first["service.name"], "shop")
        self.assertEqual(second["error.type"], "ValueError")
        self.assertIn("Traceback", second["error.stack_trace"])

    def test_a_server_that_is_away_costs_the_application_nothing(self):
        fake = Fake()
        fake.down = True
        handler = sextant.Handler(fake.url, capacity=100, interval=0.05)
        log = logger("away", handler)
        begin = time.monotonic()
        for i in range(1000):
            log.info("message %d", i)
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(handler.dropped, 900)
        fake.down = False
        self.assertTrue(handler.flush(timeout=20))
        handler.close()
        messages = [line["message"] for line in fake.lines]
        self.assertIn("message 999", messages)
        # A try that was under way when the server came back brings what was given up meanwhile.
        kept = [m for m in messages if m.startswith("message ")]
        self.assertEqual(len(set(kept)), len(kept))
        self.assertEqual(len(kept) + handler.dropped, 1000)
        self.assertTrue(any("%d records were dropped" % handler.dropped in m for m in messages))

    def test_what_is_given_up_while_it_is_sent_is_not_lost(self):
        fake = Fake()
        handler = sextant.Handler(fake.url, capacity=100, interval=60)
        log = logger("under way", handler)
        send, sending, go = handler._send, threading.Event(), threading.Event()

        def slow(lines):
            sending.set()
            go.wait(10)
            return send(lines)

        handler._send = slow
        for i in range(100):
            log.info("message %d", i)
        handler._wake.set()
        self.assertTrue(sending.wait(10))
        for i in range(100, 140):  # push 40 of those under way out of the queue
            log.info("message %d", i)
        go.set()
        self.assertTrue(handler.flush(timeout=20))
        handler.close()
        messages = [line["message"] for line in fake.lines]
        self.assertEqual(messages, ["message %d" % i for i in range(140)])
        self.assertEqual(handler.dropped, 0)


@unittest.skipUnless(SERVER, "no server: set SEXTANT to its URL")
class ServerTest(unittest.TestCase):
    def found(self, query, n):
        case = sextant.open_case(SERVER)
        for _ in range(100):
            rows = list(case.rows(query))
            if len(rows) >= n:
                return rows
            time.sleep(0.1)
        self.fail("%d rows of %d: %r" % (len(rows), n, rows))

    def test_our_handler(self):
        handler = sextant.Handler(SERVER, interval=0.05)
        logger("ours", handler).error("from our handler", extra={"user.name": "alice"})
        self.assertTrue(handler.flush())
        handler.close()
        row = self.found('"from our handler"', 1)[0]
        self.assertEqual(row["user.name"], "alice")
        self.assertEqual(row["log.level"], "error")

    def test_syslog_handler(self):
        for kind, address in (("udp", os.environ["SEXTANT_UDP"]), ("tcp", os.environ["SEXTANT_TCP"])):
            host, port = address.rsplit(":", 1)
            import socket
            handler = logging.handlers.SysLogHandler((host, int(port)), socktype=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
            handler.ident = "myapp: "
            logger("syslog" + kind, handler).critical("by syslog over %s" % kind)
            handler.close()
            row = self.found('"by syslog over %s"' % kind, 1)[0]
            self.assertEqual(row["process.name"], "myapp")

    def test_http_handler(self):
        handler = logging.handlers.HTTPHandler(SERVER.split("//")[1], "/ingest/form", method="POST")
        logger("http", handler).info("by HTTP handler")
        self.found('"by HTTP handler"', 1)

    def test_socket_handler_of_json(self):
        class JSONLines(logging.handlers.SocketHandler):
            def makePickle(self, record):
                return (json.dumps({"@timestamp": record.created, "message": record.getMessage(), "level": record.levelname}) + "\n").encode()

        host, port = os.environ["SEXTANT_JSON"].rsplit(":", 1)
        handler = JSONLines(host, int(port))
        logger("socket", handler).info("by JSON socket")
        handler.close()
        self.found('"by JSON socket"', 1)

    def test_structlog(self):
        try:
            import structlog
        except ImportError:
            self.skipTest("structlog is not installed")
        handler = sextant.Handler(SERVER, interval=0.05)
        log = logger("structlog", handler)
        structlog.configure(processors=[structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs], logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger, cache_logger_on_first_use=False)
        structlog.wrap_logger(log).warning("by structlog", order=17)
        handler.flush()
        handler.close()
        row = self.found('"by structlog"', 1)[0]
        self.assertEqual(row["labels.order"], "17")

    def test_logbook(self):
        try:
            import logbook
        except ImportError:
            self.skipTest("logbook is not installed")
        host, port = os.environ["SEXTANT_UDP"].rsplit(":", 1)
        with logbook.SyslogHandler("mybook", address=(host, int(port)), level="INFO").applicationbound():
            logbook.Logger("x").warn("by logbook")
        self.found('"by logbook"', 1)

    def test_frames(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("pandas is not installed")
        handler = sextant.Handler(SERVER, interval=0.05)
        logger("frames", handler).info("for a frame")
        handler.flush()
        handler.close()
        self.found('"for a frame"', 1)
        frame = sextant.open_case(SERVER).query('"for a frame" | fields _time, process.pid, log.level')
        self.assertEqual(str(frame["_time"].dtype).split("[")[0], "datetime64")
        self.assertTrue(pandas.api.types.is_numeric_dtype(frame["process.pid"]))

    def test_a_broken_query_says_so(self):
        with self.assertRaises(sextant.QueryError):
            list(sextant.open_case(SERVER).rows("| | |"))


if __name__ == "__main__":
    unittest.main()
