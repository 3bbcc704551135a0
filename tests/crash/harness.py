"""A loaded cluster under accidents, judged in the end.

    with CrashCluster(seed=7) as cluster:
        cluster.begin_load()
        ...accidents...
        cluster.judge(self)

judge() lets everything finish, reads what the store says and what the commands left, and asks the checker. When a test
fails, the cluster's directory (logs, store, marks) is kept and its path printed, with the seed.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from accidents import WORKER_PARTS, Accidents
from checker import RERUN, Attempt, FENCE, HOLD, History, Mark, violations
from cluster import BIN, TIME_FACTOR, Cluster, alive, children, eventually, resident_bytes
from load import Reader, Submitter

MARK = BIN / "crash_mark"
# Lost after 2 s; a quarter of it is spare time for a busy machine.
TIMES = {"heartbeat": 0.2, "lost_after": 2, "self_fence": 1, "kill_grace": 0.25, "fence_margin": 0.5, "shutdown_lease": 4}


def seed_from_environment():
    """MUSTER_CRASH_SEED replays a run's choices (not its timing)."""
    return int(os.environ.get("MUSTER_CRASH_SEED") or random.SystemRandom().randrange(1, 10**9))


class CrashCluster(Cluster):
    def __init__(self, workers=3, slots=4, seed=None, master_flags=(), worker_flags=(), workers_are_hurt=True):
        times = [f"--workers.{name}={seconds * TIME_FACTOR:g}s" for name, seconds in TIMES.items()]
        super().__init__(workers, slots, [*times, *master_flags], ["--kill_grace=0.25s", *worker_flags], times=False)
        self.seed = seed or seed_from_environment()
        self.random = random.Random(self.seed)
        self.marks = self.directory / "marks"
        self.marks.touch()
        self.history = History(workers_are_hurt)
        self.accidents = Accidents(self, self.random)
        self.reader = Reader(self, self.history)
        self.submitters = []
        self._listen = None

    def __exit__(self, kind, error, trace):
        if kind is not None:
            kept = pathlib.Path(tempfile.mkdtemp(prefix="muster-crash-"))
            shutil.copytree(self.directory, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("work-*", "calls"))
            print(f"MUSTER_CRASH_SEED={self.seed}; logs, store and marks are kept in {kept}", file=sys.stderr)
            kind = None  # not all logs on the screen
        super().__exit__(kind, error, trace)

    # The address stays, and is known to all threads also while the master is away.
    @property
    def address(self):
        return self._listen or super().address

    def start_master(self, *flags, wait=True, listen=None, environment=()):
        master = super().start_master(*flags, wait=wait, listen=listen or self._listen, environment=environment)
        if wait:
            self._listen = master.addresses["grpc"]
        return master

    def mark_command(self, milliseconds, code=0):
        return [MARK, self.marks, milliseconds, code]

    # --- The load

    def begin_load(self, most_open=120, modes=(RERUN, RERUN, FENCE, HOLD), submitters=1):
        self.reader.start()
        for number in range(submitters):
            submitter = Submitter(self, self.history, self.reader, random.Random(f"{self.seed}/{number}"), MARK,
                                  most_open, modes, tag=f"r{number}")
            self.submitters.append(submitter)
            submitter.start()

    def check_load(self):
        for part in (*self.submitters, self.reader):
            part.check()

    def acknowledged(self):
        return sum(1 for _ in self.history.promised())

    def finish(self, seconds=90):
        """All workers up, all calls answered, all tasks ended."""
        for submitter in self.submitters:
            submitter.finish()
        if self.reader.is_alive():
            self.reader.stop()

        def ended():
            self.accidents.wait(0.2)
            return self.accidents.all_well() and self.reader.look() and self.reader.open_count() == 0
        eventually(ended, seconds, "the end of all tasks")

    # --- The verdict

    def judge(self, test):
        self.finish()
        self.master.signal(signal.SIGTERM)
        test.assertEqual(self.master.wait(10), 0, "a clean end")
        self._read_marks()
        self._read_store(test)
        found = violations(self.history)
        print(self.summary(), file=sys.stderr)
        self._write_result(found)
        test.assertEqual(found[:20], [], f"{len(found)} promises broken")

    def _write_result(self, found):
        """For who adds up many runs: one JSON line."""
        if path := os.environ.get("MUSTER_CRASH_RESULTS"):
            with open(path, "a") as results:
                results.write(json.dumps({"seed": self.seed, "tasks": self.acknowledged(), "broken": len(found),
                                          "happened": self.accidents.happened}) + "\n")

    def summary(self):
        calls = self.history.calls
        return (f"seed {self.seed}: {self.acknowledged()} tasks of {len(calls)} calls; "
                + ", ".join(f"{what} {times}" for what, times in sorted(self.accidents.happened.items()))
                + f"; clients killed {sum(s.killed for s in self.submitters)}, gave up {sum(s.gave_up for s in self.submitters)}; "
                + f"{sum(len(marks) for marks in self.history.marks.values())} marks; {self.reader.looks} looks")

    def _read_marks(self):
        for line in self.marks.read_text().splitlines():
            kind, task, attempt, _, nanoseconds, code = line.split()
            self.history.ran(Mark(kind, task, int(attempt), int(nanoseconds) / 1e9, int(code)))

    def _read_store(self, test):
        with sqlite3.connect(f"file:{self.store}/muster.db?mode=ro", uri=True) as database:
            test.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            attempts = {}
            for task, number, reason in database.execute("SELECT id, number, end_reason FROM attempts ORDER BY task, number"):
                attempts.setdefault(task, []).append(Attempt(number, reason or ""))
            for task, state in database.execute("SELECT id, state FROM tasks"):
                self.history.ended(task, state, attempts.get(task, []))
