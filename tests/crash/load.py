"""The clients of a cluster under accidents: many small submits of mixed tasks, and a reader of what became of them.

Every call has a request id. A call without an answer (the client was killed, or gave up while the master was away) is
made again, with the same id and content, until it is answered; some that were answered are made again, too. All that
is asked, answered and seen goes into the checker's History. Each class is one thread; `failed` tells of its exception.
"""

import json
import threading

from checker import FENCE, HOLD, RERUN

FAILING = 3  # the exit code of commands that are made to fail


class Repeating(threading.Thread):
    """Repeats self.step() until stop(); an exception ends it and is kept for check()."""

    def __init__(self):
        super().__init__(daemon=True)
        self._ending = threading.Event()
        self.failed = None

    def run(self):
        try:
            while not self._ending.is_set():
                self.step()
        except BaseException as error:  # told by check()
            self.failed = error

    def pause(self, seconds):
        self._ending.wait(seconds)

    def stop(self, seconds=60):
        self._ending.set()
        self.join(seconds)
        assert not self.is_alive(), f"{type(self).__name__} does not end"
        self.check()

    def check(self):
        if self.failed:
            raise self.failed


class Submitter(Repeating):
    """`most_open` bounds the tasks that are acknowledged and not yet known to have ended."""

    def __init__(self, cluster, history, reader, random, mark, most_open=120, modes=(RERUN, RERUN, FENCE, HOLD), tag="r"):
        super().__init__()
        self._cluster, self._history, self._reader, self._random = cluster, history, reader, random
        self._mark = mark
        self._most_open = most_open
        self._modes = modes
        self._tag = tag
        self._made = 0
        self._unanswered = []
        self._answered = []
        self._calls = cluster.directory / "calls"
        self._calls.mkdir(exist_ok=True)
        self.killed = self.repeated = self.gave_up = 0

    def step(self):
        if self._reader.open_count() > self._most_open:
            return self.pause(0.05)
        chance = self._random.random()
        if self._unanswered and chance < 0.4:
            return self._call(self._unanswered.pop(0))
        if self._answered and chance > 0.95:
            self.repeated += 1
            return self._call(self._random.choice(self._answered[-50:]))
        self._call(self._ask())
        self.pause(self._random.uniform(0, 0.15))  # clients think, too

    def finish(self):
        """Every call that was made is answered in the end."""
        self.stop()
        while self._unanswered:
            self._call(self._unanswered.pop(0), may_die=False, retry="60s")

    def _ask(self):
        """Writes a new call's tasks down, and tells the history; returns its request id."""
        self._made += 1
        request = f"{self._tag}-{self._made}"
        mode = self._random.choice(self._modes)
        codes = [FAILING if self._random.random() < 0.08 else 0 for _ in range(self._random.randint(1, 16))]
        lines = [json.dumps(self._task(mode, code)) for code in codes]
        (self._calls / request).write_text("\n".join(lines) + "\n")
        self._history.asked(request, mode, codes)
        return request

    def _task(self, mode, code):
        long = self._random.random() < 0.06
        milliseconds = self._random.randint(300, 1500) if long else self._random.randint(1, 80)
        task = {"command": {"argv": [str(self._mark), str(self._cluster.marks), str(milliseconds), str(code)]},
                "on_worker_loss": f"ON_WORKER_LOSS_{mode}", "max_worker_losses": 1000,
                "priority": self._random.randint(-3, 3)}
        if self._random.random() < 0.2:
            task["validation"] = {"command": f"sleep {self._random.choice((0, 0.05, 0.4))}"}
        if mode == RERUN and code:
            task["retry"] = {"max_attempts": self._random.randint(1, 2), "base_delay": "0.05s"}
        return task

    def _call(self, request, may_die=True, retry="0.3s"):
        client = self._cluster.start("submit", "--request-id", request, "--retry-for", retry, "-f", self._calls / request)
        dies = may_die and self._random.random() < 0.1
        if dies:
            self.pause(self._random.uniform(0, 0.08))
            client.kill()
            self.killed += 1
        out, err = client.communicate(timeout=120)
        if client.returncode == 0:
            self._history.acknowledged(request, out.decode().split())
            self._reader.expect(out.decode().split())
            self._answered.append(request)
            return
        assert dies or client.returncode == 125, f"submit {request}: exit {client.returncode}: {err.decode()}"
        self.gave_up += not dies
        self._unanswered.append(request)


class Reader(Repeating):
    """Looks at all open tasks and the newest ended ones, again and again."""

    def __init__(self, cluster, history, every=0.7):
        super().__init__()
        self._cluster, self._history, self._every = cluster, history, every
        self._lock = threading.Lock()
        self._open = set()
        self.looks = self.failed_looks = 0

    def expect(self, tasks):
        with self._lock:
            self._open.update(tasks)

    def open_count(self):
        with self._lock:
            return len(self._open)

    def step(self):
        self.look()
        self.pause(self._every)

    def look(self):
        """One look; whether it succeeded. A task that was acknowledged before and is not among the open ones has ended."""
        with self._lock:
            before = set(self._open)
        now_open = self._list()
        if now_open is None or self._list("-a", "--limit", "300") is None:
            self.failed_looks += 1
            return False
        with self._lock:
            self._open -= before - now_open
        self.looks += 1
        return True

    def _list(self, *more):
        done = self._cluster.muster("ps", "-o", "jsonl", "--retry-for", "0.5s", *more)
        if done.returncode != 0:
            return None
        tasks = [json.loads(line) for line in done.stdout.splitlines()]
        for task in tasks:
            self._history.seen(task["id"], task["state"].removeprefix("TASK_STATE_"))
        return {task["id"] for task in tasks}
