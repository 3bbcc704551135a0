"""A cluster of real processes for end-to-end tests: one master and some workers on loopback, killed for real.

    with Cluster(workers=3) as cluster:
        done = cluster.muster("run", "--", "echo", "hi")
        assert (done.returncode, done.stdout) == (0, b"hi\n")

Processes are ended by their id. Nothing sleeps for time to pass: `eventually` polls a condition with a deadline.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

BIN = pathlib.Path(os.environ.get("MUSTER_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/bin"))
# One factor for all times of the cluster and all deadlines of the tests: sanitizers and slow machines set it higher.
TIME_FACTOR = float(os.environ.get("MUSTER_TIME_FACTOR", "1"))


def eventually(condition, seconds=30, what="the condition"):
    """The first true value of condition(), which is polled; fails after the deadline, saying what did not come."""
    deadline = time.monotonic() + seconds * TIME_FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds * TIME_FACTOR:g} s")
        time.sleep(0.02)


def alive(pid):
    """Whether the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    """All descendants of the process, nearest first."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parents.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found, level = [], [pid]
    while level:
        level = [child for parent in level for child in parents.get(parent, [])]
        found += level
    return found


def worker_server(supervisor):
    """The pid of a worker's server, None while there is none. Orphans of its commands are the supervisor's children, too."""
    for pid in children(supervisor):
        try:
            with open(f"/proc/{pid}/comm") as name:
                if name.read().strip() == "muster-worker":
                    return pid
        except (FileNotFoundError, ProcessLookupError):
            pass
    return None


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Daemon:
    """One of our servers. `addresses` come from its serving line: {"grpc": "127.0.0.1:1", "http": ...}. `environment`
    adds to the little that it is given."""

    def __init__(self, arguments, log, environment=()):
        self.log = pathlib.Path(log)
        self.addresses = {}
        with open(self.log, "ab") as out:
            before = out.tell()
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **SANITIZER_ENV,
                     **dict(environment)})
        self._before = before

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        with open(self.log, "rb") as log:
            log.seek(self._before)
            return log.read().decode(errors="replace")

    def know_addresses(self):
        """Whether its serving line has come; then `addresses` are there."""
        if not self.addresses:
            line = re.search(r"^muster-\w+: serving (.*)$", self.text(), re.M)
            self.addresses = dict(pair.split("=", 1) for pair in line.group(1).split()) if line else {}
        return bool(self.addresses)

    def await_serving(self, seconds=30):
        def serving():
            if not self.know_addresses() and self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.text()}")
            return self.addresses
        eventually(serving, seconds, f"the serving line of {self.log.name}")
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=30):
        return self.process.wait(seconds * TIME_FACTOR)

    def kill(self):
        """kill -9 of this process alone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


SANITIZER_ENV = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}


class Cluster:
    """Times are short so that losses take seconds: heartbeats every 0.2 s, lost after 2 s."""

    def __init__(self, workers=1, slots=2, master_flags=(), worker_flags=(), times=True, master_environment=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="muster-e2e-"))
        self.store = self.directory / "store"
        self.slots = slots
        self.times = ["--workers.heartbeat=%gs" % (0.2 * TIME_FACTOR),
                      "--workers.lost_after=%gs" % (2 * TIME_FACTOR),
                      "--workers.shutdown_lease=%gs" % (8 * TIME_FACTOR)] if times else []
        self.master_flags = list(master_flags)
        self.worker_flags = list(worker_flags)
        self.master_environment = dict(master_environment)
        self.worker_count = workers
        self.master = None
        self.workers = {}
        self.all_workers = []  # also those whose name another one has by now

    def __enter__(self):
        try:
            self.start_master()
            for number in range(1, self.worker_count + 1):
                self.start_worker(f"w{number}", wait=False)
            self.await_active(*self.workers)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            for log in sorted(self.directory.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")
        for daemon in [*self.all_workers, self.master]:
            if daemon is None or daemon.process.poll() is not None:
                continue
            family = children(daemon.pid)
            daemon.kill()
            for pid in family:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- Daemons

    def start_master(self, *flags, wait=True, listen=None, environment=()):
        listen = listen or (self.master.addresses["grpc"] if self.master else "127.0.0.1:0")
        self.master = Daemon([*self.prefix("master"), BIN / "muster-master",
                              f"--store.path={self.store}", f"--grpc.listen={listen}", "--http.listen=127.0.0.1:0", "--log.level=info", *self.times, *self.master_flags, *flags],
                             self.directory / "master.log", {**self.master_environment, **dict(environment)})
        if wait:
            self.master.await_serving()
        return self.master

    def start_worker(self, name, *flags, slots=None, wait=True, environment=()):
        worker = Daemon([*self.prefix(name), BIN / "muster-worker", f"--name={name}", *self.worker_network(name),
                         "--http.listen=127.0.0.1:0", f"--slots={slots or self.slots}",
                         f"--work_dir={self.directory / ('work-' + name)}",
                         *self.worker_flags, *flags],
                        self.directory / f"{name}.log", environment)
        self.workers[name] = worker
        self.all_workers.append(worker)
        if wait:
            worker.await_serving()
            self.await_active(name)
        return worker

    def prefix(self, node):
        """What runs in front of a program of this node ("master", which also has the clients, or a worker)."""
        return []

    def worker_network(self, name):
        """How a worker and its master find one another."""
        return [f"--master={self.address}", "--grpc.listen=127.0.0.1:0"]

    @property
    def address(self):
        return self.master.addresses["grpc"]

    def kill_master(self):
        """kill -9; start_master() brings it back under the same address."""
        self.master.kill()

    def server_of(self, name):
        """The pid of a worker's server, the child of its supervisor."""
        return eventually(lambda: worker_server(self.workers[name].pid), what="the server")

    # --- The command line

    def environment(self, **more):
        state = self.directory / "home"
        return {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(state), "XDG_STATE_HOME": str(state),
                "XDG_CONFIG_HOME": str(state), "MUSTER_MASTER": self.address, **SANITIZER_ENV, **more}

    def start(self, *arguments, **options):
        """`muster ARGUMENTS` in the background, its streams as pipes unless said otherwise."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "env": self.environment(), **options}
        return subprocess.Popen([*self.prefix("master"), str(BIN / "muster"), *map(str, arguments)], **options)

    def muster(self, *arguments, seconds=60, input=None, **options):
        """`muster ARGUMENTS` to its end: returncode, stdout, stderr (bytes)."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": self.environment(), **options}
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([*self.prefix("master"), str(BIN / "muster"), *map(str, arguments)], input=input,
                              timeout=seconds * TIME_FACTOR, **options)

    def ok(self, *arguments, **options):
        """Like muster(), and it must succeed; returns stdout as text."""
        done = self.muster(*arguments, **options)
        assert done.returncode == 0, f"muster {arguments}: exit {done.returncode}: {done.stderr.decode()}"
        return done.stdout.decode()

    def json(self, *arguments, **options):
        return json.loads(self.ok(*arguments, "-o", "json", **options))

    def metric(self, name, daemon=None):
        """A series without labels, from /metrics of the master or another daemon."""
        with urllib.request.urlopen(f"http://{(daemon or self.master).addresses['http']}/metrics") as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)
        return float(found.group(1)) if found else 0.0

    def unready(self, daemon=None):
        """What /readyz of the master or another daemon says against it; empty: it is ready."""
        try:
            with urllib.request.urlopen(f"http://{(daemon or self.master).addresses['http']}/readyz") as answer:
                return "" if answer.status == 200 else answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode() or "not ready"

    def task(self, selector):
        return self.json("get", selector)

    def state(self, selector):
        return self.task(selector).get("state", "").removeprefix("TASK_STATE_")

    def worker(self, name):
        return next((w for w in self.json("workers").get("workers", []) if w["name"] == name), {})

    def worker_state(self, name):
        return self.worker(name).get("state", "").removeprefix("WORKER_STATE_")

    def await_active(self, *names):
        wanted = set(names or self.workers)

        def active():
            for daemon in self.workers.values():
                if daemon.process.poll() is not None and daemon.addresses == {}:
                    raise AssertionError(f"a worker ended with {daemon.process.returncode}: {daemon.text()}")
            found = {w["name"] for w in self.json("workers").get("workers", []) if w["state"] == "WORKER_STATE_ACTIVE"}
            return wanted <= found
        for name in wanted:
            self.workers[name].await_serving()
        eventually(active, what=f"workers {sorted(wanted)} being ACTIVE")

    def await_state(self, selector, *states, seconds=30):
        return eventually(lambda: self.state(selector) in states and self.state(selector), seconds,
                          f"task {selector} in {states}")


class Threaded(threading.Thread):
    """A function in the background whose result (or exception) join() gives."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self._function = function
        self._result = self._error = None
        self.start()

    def run(self):
        try:
            self._result = self._function()
        except BaseException as error:  # handed to join()
            self._error = error

    def result(self, seconds=60):
        self.join(seconds * TIME_FACTOR)
        assert not self.is_alive(), "still running"
        if self._error:
            raise self._error
        return self._result


class OnOneCluster(unittest.TestCase):
    """Tests that share a cluster, for they leave it as they found it: `self.cluster`."""

    worker_count = 1

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(workers=cls.worker_count).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)
