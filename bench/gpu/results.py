"""Results that survive an interrupted run, and the time a run may take."""

import datetime
import json
import os
import threading
import time


class Budget:
    """Seconds on a clock that nobody sets back."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    def left(self):
        return self._end - time.monotonic()


class Results:
    """A file of JSON lines, one per case, written as soon as the case is over.

    A line that starts with "run" describes the run whose cases follow: machine, commit, versions. A file holds the
    results of one commit on one card, so that a case that is there is never one of other code or another GPU.
    """

    def __init__(self, path, commit, card, facts):
        """`facts` is called once, before the first case is written, and returns what describes the run."""
        self._path = path
        self._of = {"commit": commit, "card": card}
        self._facts = facts
        self._run = None
        self._adding = threading.Lock()
        self.lines = {}
        for line in self._load():
            if "case" in line:
                self.lines[line["case"]] = line
                continue
            for what, own in self._of.items():
                if line[what] != own:
                    raise SystemExit(f"{path} holds results of {what} {line[what]}, not of {own}: "
                                     "choose another output folder")

    def __contains__(self, case):
        """Whether it is done; what a time limit left unfinished is tried again."""
        return case in self.lines and self.lines[case]["status"] != "unfinished"

    def add(self, case, status, **fields):
        with self._adding:
            if self._run is None:
                self._run = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                self._append({"run": self._run, **self._of, **self._facts()})
            line = {"case": case, "status": status, **fields, "card": self._of["card"], "of": self._run}
            self.lines[case] = line
            self._append(line)
            return line

    def _append(self, line):
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _load(self):
        if not self._path.exists():
            return []
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:  # a run was killed in the middle of a line
            self._path.write_bytes(whole)
        return [json.loads(line) for line in whole.splitlines()]
