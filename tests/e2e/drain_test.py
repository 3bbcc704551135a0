"""Drain, three ways: SIGTERM, `muster worker drain`, and a plain HTTP call; each tells how it goes, each keeps its time."""

import http.client
import os
import re
import shutil
import signal
import socket
import threading
import time
import unittest

from cluster import TIME_FACTOR, Cluster, eventually


class Call(threading.Thread):
    """One HTTP request in the background; `lines` grow as they come, `ended` when the answer came to its end."""

    def __init__(self, worker, method="POST", path="/drain", where="http", headers=None):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(worker.addresses[where], timeout=60 * TIME_FACTOR)
        self.request, self.headers = (method, path), headers or {}
        self.status, self.lines, self.ended = None, [], False
        self.start()

    def run(self):
        self.connection.request(*self.request, headers=self.headers)
        answer = self.connection.getresponse()
        self.status = answer.status
        text = ""
        try:
            while piece := answer.read1(65536):
                text += piece.decode()
                self.lines = text.splitlines()
            self.ended = True
        except (http.client.IncompleteRead, ConnectionError, OSError):
            pass

    def result(self, seconds=30):
        self.join(seconds * TIME_FACTOR)
        assert not self.is_alive(), f"no end of the answer: {self.lines}"
        return self


def gated(gate, then="true"):
    return ["--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done; {then}"]


class HttpDrain(unittest.TestCase):
    def test_a_post_tells_what_runs_and_returns_when_all_is_done_and_acknowledged(self):
        for method in ("POST", "GET"):
            with self.subTest(method), Cluster(workers=1) as cluster:
                gate, worker = cluster.directory / "gate", cluster.workers["w1"]
                identity = cluster.ok("submit", *gated(gate)).strip()
                cluster.await_state(identity, "RUNNING")
                call = Call(worker, method)
                eventually(lambda: call.lines, what="the first line")
                self.assertRegex(call.lines[0], rf"^w1 takes nothing new; 1 attempt runs: task {identity} \(attempt 1\); \d+ s left$")
                eventually(lambda: cluster.worker_state("w1") == "DRAINING", what="w1 being DRAINING")
                self.assertTrue(call.is_alive(), "it waits")
                gate.touch()
                call.result()
                self.assertEqual((call.status, call.ended), (200, True), call.lines)
                self.assertIn(f"ended: task {identity} (attempt 1)", call.lines)
                self.assertEqual(call.lines[-1], "drained")
                self.assertEqual(worker.wait(30), 0, "as after SIGTERM, the process ends")
                self.assertEqual(cluster.state(identity), "SUCCEEDED")

    def test_what_does_not_end_in_time_is_stopped_and_runs_elsewhere(self):
        with Cluster(workers=0) as cluster:
            gate, worker = cluster.directory / "gate", cluster.start_worker("w1", "--drain_timeout=1s")
            identity = cluster.ok("submit", *gated(gate)).strip()
            cluster.await_state(identity, "RUNNING")
            began = time.monotonic()
            call = Call(worker).result()
            self.assertLess(time.monotonic() - began, (1 + 5) * TIME_FACTOR)
            self.assertTrue(any(line.startswith(f"time is up: stopping task {identity}") for line in call.lines), call.lines)
            self.assertEqual((call.lines[-1], call.ended), ("drained", True))
            self.assertEqual(worker.wait(10), 0)
            self.assertEqual(cluster.state(identity), "QUEUED")
            gate.touch()
            cluster.start_worker("w2")
            cluster.await_state(identity, "SUCCEEDED")

    def test_a_drain_that_the_master_does_not_acknowledge_is_an_answer_cut_short(self):
        with Cluster(workers=0) as cluster:
            gate, worker = cluster.directory / "gate", cluster.start_worker("w1", "--drain_timeout=0.5s")
            cluster.await_state(cluster.ok("submit", *gated(gate)).strip(), "RUNNING")
            cluster.kill_master()
            call = Call(worker).result()
            self.assertFalse(call.ended, "curl and a kubelet's hook fail")
            self.assertRegex(call.lines[-1], "^not drained: 1 results were not acknowledged")
            self.assertEqual(worker.wait(10), 1)

    def test_the_hook_and_then_sigterm_as_kubernetes_does_it(self):
        with Cluster(workers=1) as cluster:
            gate, worker = cluster.directory / "gate", cluster.workers["w1"]
            identity = cluster.ok("submit", *gated(gate)).strip()
            cluster.await_state(identity, "RUNNING")
            call = Call(worker, "GET", headers={"User-Agent": "kube-lifecycle/1.29"})
            eventually(lambda: call.lines, what="the first line")
            worker.signal(signal.SIGTERM)
            eventually(lambda: cluster.worker_state("w1") == "DRAINING", what="w1 being DRAINING")
            gate.touch()
            self.assertEqual(call.result().lines[-1], "drained")
            self.assertEqual(worker.wait(30), 0)
            self.assertEqual(cluster.state(identity), "SUCCEEDED", "the signal did not hurry it")

    def test_a_caller_that_leaves_leaves_the_drain_going(self):
        with Cluster(workers=1) as cluster:
            gate, worker = cluster.directory / "gate", cluster.workers["w1"]
            identity = cluster.ok("submit", *gated(gate)).strip()
            cluster.await_state(identity, "RUNNING")
            host, port = worker.addresses["http"].split(":")
            with socket.create_connection((host, int(port)), timeout=20) as link:
                link.sendall(b"POST /drain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
                self.assertIn(b" 200 ", link.recv(4096))
            eventually(lambda: cluster.worker_state("w1") == "DRAINING", what="w1 being DRAINING")
            gate.touch()
            self.assertEqual(worker.wait(30), 0)

    def test_neither_the_probes_port_nor_a_web_page_nor_the_master_drains(self):
        with Cluster(workers=0) as cluster:
            worker = cluster.start_worker("w1", "--health.listen=127.0.0.1:0")
            found = eventually(lambda: re.search(r"health=(\S+)", worker.text()), what="the address of health.listen")
            worker.addresses["health"] = found.group(1)
            for method in ("GET", "POST"):
                self.assertIn(Call(worker, method, where="health").result().status, (404, 405))
                self.assertIn(Call(cluster.master, method).result().status, (404, 405))
                page = Call(worker, method, headers={"Origin": "http://evil.example"}).result()
                self.assertEqual(page.status, 403)
            self.assertEqual(cluster.ok("run", "--", "echo", "it works on"), "it works on\n")


class AnotherMaster(unittest.TestCase):
    def test_a_drain_ends_with_the_store_whose_master_asked_for_it(self):
        with Cluster(workers=1) as cluster:
            cluster.ok("worker", "drain", "w1")
            cluster.kill_master()
            shutil.rmtree(cluster.store)
            cluster.start_master()
            cluster.await_active("w1")
            self.assertEqual(cluster.ok("run", "--timeout", "10s", "--", "echo", "it works again"), "it works again\n")


class Narration(unittest.TestCase):
    def test_worker_drain_tells_what_runs_how_much_time_is_left_and_what_it_stopped(self):
        with Cluster(workers=2, slots=1) as cluster:
            gate = cluster.directory / "gate"
            identity = cluster.ok("submit", *gated(gate)).strip()
            cluster.await_state(identity, "RUNNING")
            name = cluster.task(identity)["attempts"][0]["worker"]
            began = time.monotonic()
            done = cluster.muster("worker", "drain", "--deadline", "1s", name)
            took = time.monotonic() - began
            text = done.stderr.decode()
            self.assertEqual(done.returncode, 0, text)
            self.assertRegex(text, rf"muster: {name} takes no new work; 1 attempt is still there: {identity}; 1s left\n")
            self.assertRegex(text, rf"muster: {name}: {identity} is stopped there and queued again\n")
            self.assertRegex(text, rf"muster: {name} is drained; nothing runs there")
            self.assertGreater(took, 0.9)
            self.assertLess(took, (1 + 5) * TIME_FACTOR)
            gate.touch()
            cluster.await_state(identity, "SUCCEEDED")

    def test_a_worker_that_is_lost_in_the_middle_is_not_called_drained(self):
        with Cluster(workers=1, slots=2) as cluster:
            gate = cluster.directory / "gate"
            tasks = [cluster.ok("submit", "--on-worker-loss", mode, *gated(gate)).strip() for mode in ("rerun", "hold")]
            for identity in tasks:
                cluster.await_state(identity, "RUNNING")
            with open(cluster.directory / "said", "wb") as said:
                drain = cluster.start("worker", "drain", "w1", stderr=said)
            def text():
                return (cluster.directory / "said").read_text()
            eventually(lambda: "2 attempts are still there" in text(), what="the start of the drain")
            os.kill(cluster.server_of("w1"), signal.SIGSTOP)
            self.assertEqual(drain.wait(30 * TIME_FACTOR), 125)
            self.assertIn(f"w1 is lost and not drained; 2 attempts are unaccounted for and may run there still: {', '.join(tasks)}.", text())
            self.assertNotIn("is drained", text())
            # Asked again, only what is held is known to be there.
            again = cluster.muster("worker", "drain", "w1")
            self.assertEqual(again.returncode, 125)
            self.assertIn(f"1 attempt is unaccounted for and may run there still: {tasks[1]}.", again.stderr.decode())

    def test_sigterm_tells_its_log(self):
        with Cluster(workers=1) as cluster:
            gate, worker = cluster.directory / "gate", cluster.workers["w1"]
            identity = cluster.ok("submit", *gated(gate)).strip()
            cluster.await_state(identity, "RUNNING")
            worker.signal(signal.SIGTERM)
            eventually(lambda: f"1 attempt runs: task {identity} (attempt 1)" in worker.text(), what="the line of what runs")
            gate.touch()
            self.assertEqual(worker.wait(30), 0)
            self.assertIn("every result is acknowledged", worker.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
