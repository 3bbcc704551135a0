"""Ten times as much as the cluster can do: what is refused, what goes on, and how soon it is over.

MUSTER_OVERLOAD_SECONDS sets for how long; the long form is 60.
"""

import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
import unittest
import urllib.request

import http2
from cluster import Cluster, eventually, resident_bytes

SECONDS = float(os.environ.get("MUSTER_OVERLOAD_SECONDS", "5"))
ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOTS, TASK_MS = 8, 100
OK, REFUSED = 0, 8


def metric(cluster, name, **labels):
    with urllib.request.urlopen(f"http://{cluster.master.addresses['http']}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    total = 0.0
    for found in re.finditer(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.M):
        if all(f'{key}="{value}"' in (found.group(1) or "") for key, value in labels.items()):
            total += float(found.group(2))
    return total


def submit_request(priority):
    """A SubmitRequest as bytes, made by protoc from text."""
    text = (f'task {{ executor: "noop" priority: {priority} '
            f'parameters {{ fields {{ key: "sleep_ms" value {{ number_value: {TASK_MS} }} }} }} }}')
    return subprocess.run(["protoc", f"-I{ROOT}/proto", "--encode=muster.v1.SubmitRequest", "muster/v1/task_service.proto"],
                          input=text.encode(), capture_output=True, check=True).stdout


class Load:
    """Submits at a steady rate whatever is answered: a client without manners. Counts the answers of each second."""

    def __init__(self, address, priority, per_second):
        self.request, self.per_second = submit_request(priority), per_second
        self.connection = http2.Connection(address)
        self.connection.send(http2.frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535)))
        self.sent, self.answers, self.stopping = 0, [], False
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self._send, self._listen)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        began = time.monotonic()
        while not self.stopping:
            due = int((time.monotonic() - began) * self.per_second) - self.sent
            for _ in range(due):
                self.connection.message(self.connection.call("/muster.v1.TaskService/Submit"), self.request, end=True)
                self.sent += 1
            time.sleep(0.005)

    def _listen(self):
        known = {}  # HPACK: the encoder writes a status in full once, and then as an index
        for kind, flags, _, payload in self.connection.frames(600):
            if kind == http2.HEADERS and flags & http2.END_STREAM:
                self.answers.append((time.monotonic(), self._status(payload, known)))
            if self.stopping and len(self.answers) >= self.sent:
                return

    @staticmethod
    def _status(payload, known):
        found = re.search(rb"grpc-status[\x01\x02]([0-9]{1,2})", payload)
        if found:
            return int(found.group(1))
        # Refusals carry their message; what was accepted has none.
        return REFUSED if len(payload) > 24 else OK

    def count(self, status, since=0.0):
        return sum(1 for at, what in list(self.answers) if what == status and at >= since)

    def stop(self):
        self.stopping = True
        self.threads[0].join()
        eventually(lambda: len(self.answers) >= self.sent, 30, "the last answers")
        self.connection.socket.shutdown(socket.SHUT_RDWR)  # ends the listener's read
        self.threads[1].join()
        self.connection.socket.close()
        return self


class Overload(unittest.TestCase):
    def test_ten_times_the_capacity_is_refused_lowest_first_and_soon_over(self):
        if shutil.which("protoc") is None:
            self.skipTest("no protoc to make a request with")
        with Cluster(workers=1, slots=SLOTS, master_flags=["--queue.delay_target=0.5s"]) as cluster:
            ended = lambda: metric(cluster, "muster_tasks_ended_total", state="SUCCEEDED")
            capacity = self.measure(cluster, ended)
            before = resident_bytes(cluster.master.pid)
            low = Load(cluster.address, 0, 10 * capacity)
            high = Load(cluster.address, 5, 0.3 * capacity)
            began, done = time.monotonic(), ended()
            eventually(lambda: metric(cluster, "muster_admission_floor") >= 0, 30, "the floor rising")
            time.sleep(max(0, SECONDS - (time.monotonic() - began)))  # the load itself takes its time
            during = (ended() - done) / (time.monotonic() - began)
            low.stop()
            high.stop()
            grown = resident_bytes(cluster.master.pid) - before
            print(f"capacity {capacity:.0f}/s; offered {low.sent + high.sent} in {time.monotonic() - began:.1f} s; "
                  f"low: {low.count(OK)} taken, {low.count(REFUSED)} refused; high: {high.count(OK)} taken, "
                  f"{high.count(REFUSED)} refused; ended meanwhile {during:.0f}/s; memory +{grown >> 20} MiB")
            self.assertGreater(low.count(REFUSED), low.count(OK), "most of it cannot be done")
            self.assertLessEqual(high.count(REFUSED), 0.05 * high.sent, "the lowest first")
            self.assertGreater(during, 0.8 * capacity, "the workers never run dry")
            self.assertLess(grown, 64 << 20)
            self.assertGreater(metric(cluster, "muster_requests_refused_total", cause="QUEUE_SLOW"), 0)
            after = self.recover(cluster, capacity, ended)
            # Nothing that was accepted is lost.
            eventually(lambda: not cluster.json("ps").get("tasks"), 60, "the end of all tasks")
            accepted = metric(cluster, "muster_tasks_accepted_total")
            self.assertEqual(ended(), accepted)
            self.assertEqual(self.taken + low.count(OK) + high.count(OK) + after, accepted, "answers and tasks agree")

    def measure(self, cluster, ended):
        """What the worker ends in a second when there is always something to do."""
        self.taken = SLOTS * 20
        line = b'{"executor":"noop","parameters":{"sleep_ms":%d}}\n' % TASK_MS
        began = time.monotonic()
        cluster.ok("submit", "--priority", "100", "-f", "-", input=line * self.taken)
        eventually(lambda: ended() == self.taken, 60, "the tasks that measure")
        return self.taken / (time.monotonic() - began)

    def recover(self, cluster, capacity, ended):
        """With as much as it can do, within 30 s again 95 % of that is taken and done."""
        rate = 0.8 * capacity
        load = Load(cluster.address, 0, rate)
        over, window = time.monotonic(), 2.0
        while True:
            since, sent, done = time.monotonic(), load.sent, ended()
            time.sleep(window)  # the window is what is measured
            offered = load.sent - sent
            share = min(load.count(OK, since) / offered, (ended() - done) / offered)
            if share >= 0.95:
                break
            self.assertLess(time.monotonic() - over, 30, f"goodput is {share:.0%}")
        print(f"goodput is {share:.0%} of {rate:.0f}/s again after {time.monotonic() - over:.1f} s")
        return load.stop().count(OK)


class BusyMaster(unittest.TestCase):
    def test_the_command_line_waits_as_it_is_told_and_says_so(self):
        with Cluster(workers=0, master_flags=["--queue.max_queued=1"]) as cluster:
            first = cluster.ok("submit", "--", "true").strip()
            for verb in (["submit", "--", "true"], ["run", "--", "true"], ["map", "--", "true", ":::", "1"]):
                done = cluster.muster(verb[0], "--retry-for", "1.6s", *verb[1:])
                text = done.stderr.decode()
                self.assertEqual(done.returncode, 125, text)
                self.assertRegex(text, r"^muster: the master is busy \(queue full\); trying again in 1(\.\d)?s\n")
                self.assertRegex(text.splitlines()[-1], r"\[QUEUE_FULL\]")
            waiting = cluster.start("submit", "--", "true")
            self.assertIn(b"trying again", waiting.stderr.readline())
            cluster.ok("cancel", first)
            out, err = waiting.communicate(timeout=60)
            self.assertEqual(waiting.returncode, 0, err)
            refused = metric(cluster, "muster_requests_refused_total", cause="QUEUE_FULL")
            self.assertGreaterEqual(refused, 4)
            # In the activity log: one line per cause, identity and second, with a count.
            records = eventually(lambda: [r for r in self.records(cluster) if "requests_refused" in r], what="the refusals in the log")
            self.assertEqual({r["requests_refused"]["cause"] for r in records}, {"QUEUE_FULL"})
            eventually(lambda: sum(int(r["requests_refused"]["count"]) for r in self.records(cluster) if "requests_refused" in r)
                       == refused, what="all of them being counted")

    @staticmethod
    def records(cluster):
        log = cluster.json("log")
        return log if isinstance(log, list) else log["records"]

    def test_many_refusals_in_one_second_are_one_line(self):
        if shutil.which("protoc") is None:
            self.skipTest("no protoc to make a request with")
        with Cluster(workers=0, master_flags=["--queue.max_queued=1"]) as cluster:
            cluster.ok("submit", "--", "true")
            load = Load(cluster.address, 0, 500)
            eventually(lambda: load.count(REFUSED) >= 500, what="500 refusals")
            load.stop()
            refused = metric(cluster, "muster_requests_refused_total", cause="QUEUE_FULL")
            counted = lambda: [int(r["requests_refused"]["count"]) for r in self.records(cluster) if "requests_refused" in r]
            eventually(lambda: sum(counted()) == refused, what="all of them being counted")
            self.assertLess(len(counted()), 12)


if __name__ == "__main__":
    unittest.main(verbosity=2)
