"""Output: every byte, whoever reads slowly, at no cost in memory."""

import base64
import hashlib
import subprocess
import time
import unittest

from cluster import BIN, Cluster, resident_bytes

MIB = 1 << 20
GIB = 1 << 30


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(4 * MIB):
            sha.update(block)
    return sha.hexdigest()


class Output(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(workers=1).__enter__()

    def tearDown(self):
        self.cluster.__exit__(None, None, None)

    def test_a_gigabyte_comes_through_whole_and_costs_the_daemons_no_memory(self):
        source, copy = self.cluster.directory / "source", self.cluster.directory / "copy"
        subprocess.run(["sh", "-c", f"head -c {GIB} /dev/urandom > {source}"], check=True)
        self.cluster.muster("run", "--", "head", "-c", 8 * MIB, source)  # so that one-time costs are paid
        daemons = {"master": self.cluster.master.pid, "worker": self.cluster.server_of("w1")}
        before = {name: resident_bytes(pid) for name, pid in daemons.items()}
        peak = dict(before)
        with open(copy, "wb") as out:
            run = self.cluster.start("run", "--", "cat", source, stdout=out)
            while run.poll() is None:
                for name, pid in daemons.items():
                    peak[name] = max(peak[name], resident_bytes(pid))
                time.sleep(0.05)  # between samples; nothing waits for it
        self.assertEqual(run.returncode, 0, run.stderr.read())
        self.assertEqual(copy.stat().st_size, GIB)
        self.assertEqual(digest(copy), digest(source))
        for name in daemons:
            grown = peak[name] - before[name]
            print(f"{name} grew by {grown / MIB:.1f} MiB")
            self.assertLess(grown, 64 * MIB, name)

    def test_a_reader_that_stops_for_ten_seconds_loses_nothing(self):
        source = self.cluster.directory / "source"
        subprocess.run(["sh", "-c", f"head -c {64 * MIB} /dev/urandom > {source}"], check=True)
        run = self.cluster.start("run", "--", "cat", source)
        sha = hashlib.sha256(run.stdout.read(MIB))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:  # the accident itself: ten seconds without a read
            self.assertIsNone(run.poll())
            time.sleep(0.2)
        while block := run.stdout.read(MIB):
            sha.update(block)
        self.assertEqual(run.wait(60), 0)
        self.assertEqual(sha.hexdigest(), digest(source))

    def test_output_streams_while_the_command_runs(self):
        gate = self.cluster.directory / "gate"
        run = self.cluster.start("run", "--", "sh", "-c", f"echo first; while [ ! -e {gate} ]; do sleep 0.05; done; echo last")
        self.assertEqual(run.stdout.readline(), b"first\n")
        gate.touch()
        self.assertEqual(run.stdout.read(), b"last\n")
        self.assertEqual(run.wait(20), 0)

    def test_logs_keeps_head_and_tail_and_says_what_is_missing(self):
        identity = self.cluster.ok("submit", "--", "sh", "-c", "seq 1000000").strip()
        self.cluster.ok("wait", identity)
        logs = self.cluster.muster("logs", identity)
        lines = logs.stdout.split(b"\n")
        self.assertEqual(lines[0], b"1")
        self.assertEqual(lines[-2], b"1000000")
        self.assertRegex(logs.stderr + logs.stdout, rb"(?i)(omitted|skipped|not (kept|retained))")
        whole = "".join(f"{n}\n" for n in range(1, 1000001)).encode()
        end = self.cluster.task(identity)["attempts"][0]["end"]
        self.assertEqual(base64.b64decode(end["stdout"]["sha256"]), hashlib.sha256(whole).digest())
        self.assertEqual(int(end["stdout"]["total_bytes"]), len(whole))

    def test_logs_follow_ends_with_the_task_and_tail_shows_the_last_lines(self):
        gate = self.cluster.directory / "gate"
        identity = self.cluster.ok("submit", "--", "sh", "-c",
                                   f"seq 5; while [ ! -e {gate} ]; do sleep 0.05; done; echo end >&2").strip()
        follow = self.cluster.start("logs", "-f", identity)
        self.assertEqual(follow.stdout.readline(), b"1\n")
        gate.touch()
        out, err = follow.stdout.read(), follow.stderr.read()
        self.assertEqual((follow.wait(30), out, err), (0, b"2\n3\n4\n5\n", b"end\n"))
        self.assertEqual(self.cluster.muster("logs", "--stdout", "--tail", "2", identity).stdout, b"4\n5\n")

    def test_a_reader_that_left_is_taken_up_again_by_attach(self):
        gate = self.cluster.directory / "gate"
        identity = self.cluster.ok("submit", "--name", "later", "--", "sh", "-c",
                                   f"echo early; while [ ! -e {gate} ]; do sleep 0.05; done; echo late; exit 3").strip()
        attach = self.cluster.start("attach", identity)
        self.assertEqual(attach.stdout.readline(), b"early\n")
        gate.touch()
        out, _ = attach.communicate(timeout=30)
        self.assertEqual((attach.returncode, out), (3, b"late\n"))

    def test_a_closed_pipe_ends_quietly(self):
        done = subprocess.run(["sh", "-c", f"{BIN}/muster run -- seq 1000000 | head -n 1"], capture_output=True,
                              env=self.cluster.environment(), timeout=60)
        self.assertEqual((done.stdout, done.stderr), (b"1\n", b""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
