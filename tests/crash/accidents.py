"""What is done to a cluster: each accident is one method, counted by its kind.

    accidents = Accidents(cluster, random)
    accidents.kill_master()              # and starts it again
    accidents.hurt_worker("supervisor")  # and starts it again after a while: see revive()

Thread rule: one thread. Pauses here are the accidents themselves (a process that is down or stopped for a time).
"""

import collections
import os
import signal
import time

from cluster import TIME_FACTOR, children, worker_server

WORKER_PARTS = ("server", "supervisor", "family")


class Accidents:
    def __init__(self, cluster, random):
        self.cluster, self.random = cluster, random
        self.happened = collections.Counter()
        self.serving_seconds = []  # from each start of the master to its serving line
        self._revive_at = {}

    # --- The master

    def kill_master(self, down=None):
        self.cluster.kill_master()
        self._master_down(down)
        self.happened["master killed"] += 1

    def end_master(self):
        self.cluster.master.signal(signal.SIGTERM)
        code = self.cluster.master.wait(10)
        assert code == 0, f"the master ended with {code} after SIGTERM: {self.cluster.master.text()}"
        self._master_down(None)
        self.happened["master ended"] += 1

    def stop_master(self, seconds):
        """SIGSTOP, then SIGCONT."""
        self._stopped(self.cluster.master.pid, seconds)
        self.happened["master stopped"] += 1

    def _master_down(self, down):
        if down is None:
            down = self.random.choice((0, 0, 0, self.random.uniform(0, 0.5)))
        self.wait(down)
        began = time.monotonic()
        self.cluster.start_master()
        self.serving_seconds.append(time.monotonic() - began)

    # --- Workers

    def alive_workers(self):
        return sorted(name for name in self.cluster.workers if name not in self._revive_at and self._poll(name) is None)

    def hurt_worker(self, part, name=None, down=None):
        """kill -9 of its server alone, its supervisor alone, or of both with all that they run."""
        name = name or self.random.choice(self.alive_workers())
        supervisor = self.cluster.workers[name].pid
        family = children(supervisor)
        # One that has only just begun has no server yet: then it is the supervisor.
        victims = {"server": [worker_server(supervisor) or supervisor], "supervisor": [supervisor],
                   "family": [supervisor, *family]}[part]
        for victim in victims:
            self._signal(victim, signal.SIGKILL)
        self._later(name, down)
        self.happened[f"worker's {part} killed"] += 1

    def stop_worker(self, part, seconds, name=None):
        """SIGSTOP of one of its two processes, then SIGCONT. Not of both: a machine that is frozen whole is outside the
        promise."""
        name = name or self.random.choice(self.alive_workers())
        supervisor = self.cluster.workers[name].pid
        pid = supervisor if part == "supervisor" else worker_server(supervisor)
        if pid is not None:
            self._stopped(pid, seconds)
            self.happened[f"worker's {part} stopped"] += 1

    def revive(self, everyone=False):
        """Starts workers whose time has come; as systemd does, once the process that it started is gone."""
        for name in list(self.cluster.workers):
            code = self._poll(name)
            if code is None:
                continue
            if name not in self._revive_at:  # nobody killed it: its own fence did
                assert code == 128 + signal.SIGKILL, f"{name} ended with {code}: {self.cluster.workers[name].text()}"
                self.happened["worker fenced by its supervisor"] += 1
                self._later(name, None)
            if everyone or time.monotonic() >= self._revive_at[name]:
                del self._revive_at[name]
                self.cluster.start_worker(name, wait=False)

    def forgive(self, name):
        """Somebody else starts it again."""
        self._revive_at.pop(name, None)

    def all_well(self):
        """Whether every worker is up; starts those that are not."""
        self.revive(everyone=True)
        return not self._revive_at and all(self._poll(name) is None for name in self.cluster.workers)

    def _later(self, name, down):
        if down is None:
            long = self.random.random() < 0.1  # long enough to be LOST
            down = self.random.uniform(2, 3) if long else self.random.choice((0, self.random.uniform(0, 0.4)))
        self._revive_at[name] = time.monotonic() + down * TIME_FACTOR

    def _poll(self, name):
        return self.cluster.workers[name].process.poll()

    # --- Both

    def wait(self, seconds):
        time.sleep(seconds * TIME_FACTOR)

    def _stopped(self, pid, seconds):
        self._signal(pid, signal.SIGSTOP)
        try:
            self.wait(seconds)
        finally:
            self._signal(pid, signal.SIGCONT)

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it ended by itself in the meantime
