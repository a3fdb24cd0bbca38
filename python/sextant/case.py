"""Cases as data frames: of a live server, or a directory by the sextant program."""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request


class QueryError(Exception):
    """What is wrong with a query, in the server's words."""


def open_case(where, token=None, *, program="sextant"):
    """Opens a case: the URL of `sextant serve`, or the directory of a case."""
    return Case(where, token, program=program)


class Case:
    def __init__(self, where, token=None, *, program="sextant"):
        self.where = where.rstrip("/")
        self.token = token
        self.program = program
        self.live = self.where.startswith(("http://", "https://"))
        if not self.live and shutil.which(program) is None:
            raise FileNotFoundError("the program %r is needed to open a case directory" % program)

    def rows(self, logsql="*", limit=0):
        """Yields the rows of a LogsQL query as dicts, without holding them all."""
        if self.live:
            yield from self._ask(logsql, limit)
        else:
            yield from self._run(logsql, limit)

    def query(self, logsql="*", limit=0):
        """Returns the rows of a LogsQL query as a pandas DataFrame. _time becomes
        a time, columns of nothing but numbers become numbers."""
        import pandas

        frame = pandas.DataFrame.from_records(list(self.rows(logsql, limit)))
        # Before 2.0, pandas looks at each value by itself anyway and knows no such name.
        iso = {"format": "ISO8601"} if int(pandas.__version__.split(".")[0]) >= 2 else {}
        for name in frame.columns:
            if name == "_time":
                frame[name] = pandas.to_datetime(frame[name], utc=True, **iso)
            else:
                try:
                    frame[name] = pandas.to_numeric(frame[name])
                except (ValueError, TypeError):
                    pass
        return frame

    def investigation(self):
        """Returns incidents, findings and statistics as `sextant investigate -o json` gives them."""
        if not self.live:
            with open(self.where + "/report.json", encoding="utf-8") as f:
                return json.load(f)
        with self._open("/api/investigation") as answer:
            return json.load(answer)

    def incidents(self):
        """Returns the incidents as a pandas DataFrame, a row each."""
        import pandas

        return pandas.json_normalize(self.investigation().get("incidents") or [], max_level=1)

    def findings(self):
        """Returns the findings as a pandas DataFrame, a row each."""
        import pandas

        return pandas.json_normalize(self.investigation().get("findings") or [], max_level=1)

    def _open(self, path, data=None):
        request = urllib.request.Request(self.where + path, data)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        try:
            return urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace").strip()
            if error.code == 400:
                raise QueryError(text) from None
            raise PermissionError(text) if error.code in (401, 403) else OSError(text) from None

    def _ask(self, logsql, limit):
        form = urllib.parse.urlencode({"query": logsql, "limit": limit} if limit else {"query": logsql})
        with self._open("/api/query", form.encode()) as answer:
            for line in answer:
                yield json.loads(line)

    def _run(self, logsql, limit):
        command = [self.program, "query", "--case", self.where, "-o", "jsonl"]
        if limit:
            command += ["--limit", str(limit)]
        with subprocess.Popen(command + ["--", logsql], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            for line in process.stdout:
                yield json.loads(line)
            problem = process.stderr.read().decode(errors="replace").strip()
        if process.returncode:
            raise QueryError(problem)
