"""`muster top` in a real terminal: it draws, follows resizes and restarts, and gives the terminal back on every way out."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from cluster import BIN, TIME_FACTOR, Cluster, eventually

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Pty:
    """`muster ARGUMENTS` on a terminal of its own. `screen` is what a person would see now."""

    def __init__(self, cluster, *arguments, columns=100, rows=30, term="xterm"):
        self.master, slave = pty.openpty()
        self.resize(columns, rows, slave)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.bytes = b""
        self.process = subprocess.Popen([str(BIN / "muster"), *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env=cluster.environment(TERM=term), start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, columns, rows, fd=None):
        fcntl.ioctl(self.master if fd is None else fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.columns, self.rows = columns, rows
        if fd is None:
            self.process.send_signal(signal.SIGWINCH)  # the terminal is nobody's controlling one

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                got = os.read(self.master, 65536)
            except OSError:
                break
            if not got:
                break
            self.bytes += got
        return self.bytes

    def frames(self):
        """The frames that were drawn whole."""
        return [frame for frame in self.read().split(b"\x1b[H")[1:] if frame.endswith(b"\x1b[J") or b"\x1b[J" in frame]

    def screen(self):
        frames = self.frames()
        if not frames:
            return ""
        frame = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", frames[-1].split(b"\x1b[J")[0])
        return frame.decode().replace("\r", "")

    def sees(self, pattern, seconds=20):
        return eventually(lambda: re.search(pattern, self.screen()), seconds, f"{pattern!r} on the screen")

    def ended(self, seconds=20):
        def done():
            self.read()
            return self.process.poll() is not None
        eventually(done, seconds, "the end of top")
        return self.process.returncode

    def is_as_before(self):
        """The main screen with its cursor, wrapping, and the modes of the line as they were."""
        tail = self.read()
        return (tail.rfind(LEAVE) > tail.rfind(ENTER) and tail.rfind(b"\x1b[?25h") > tail.rfind(b"\x1b[?25l")
                and tail.rfind(b"\x1b[?7h") > tail.rfind(b"\x1b[?7l") and termios.tcgetattr(self.slave) == self.before)


class Top(unittest.TestCase):
    def test_it_shows_the_cluster_follows_a_resize_a_restart_of_the_master_and_quits(self):
        with Cluster(workers=2) as cluster:
            for _ in range(3):
                cluster.ok("submit", "--name", "long", "--", "sleep", "300")
            cluster.ok("queue", "pause", "nightly", "--reason", "a deploy")
            with Pty(cluster, "top", "--interval", "200ms") as top:
                top.sees(r"epoch 1 .* queued 0 +running 3 +ended 0.0/s +failed 0.0/s")
                top.sees(r"w1 +ACTIVE +\[#####.....\] 1/2|w1 +ACTIVE +\[##########\] 2/2")
                top.sees(r"nightly .* PAUSED +paused until it is resumed: a deploy")
                top.sees(r"\w+ +w[12] +[0-9.]+m?s +long +sleep 300")
                self.assertEqual(len(top.screen().split("\n")), 30)
                cluster.ok("map", "--", "true", ":::", *map(str, range(20)))
                top.sees(r"ended ([1-9]|0\.[1-9])")

                top.resize(48, 14)
                eventually(lambda: len(top.screen().split("\n")) == 14, what="a frame of 14 rows")
                self.assertLessEqual(max(map(len, top.screen().split("\n"))), 48)
                self.assertIn("more", top.screen())
                top.resize(120, 40)
                eventually(lambda: len(top.screen().split("\n")) == 40, what="a frame of 40 rows")

                cluster.kill_master()
                top.sees(r"reconnecting: ")
                self.assertIn("sleep 300", top.screen())  # what was known last stays
                cluster.start_master()
                top.sees(r"epoch 2 ", 30)
                eventually(lambda: "reconnecting" not in top.screen(), what="the end of the trouble")
                cluster.await_active("w1", "w2")
                top.sees(r"sleep 300")

                top.press("q")
                self.assertEqual(top.ended(), 0)
                self.assertTrue(top.is_as_before())
                # Nothing but the first frame clears: drawing over it is what does not flicker.
                self.assertEqual(top.bytes.count(b"\x1b[2J"), 1)

    def test_the_terminal_is_given_back_on_every_way_out(self):
        with Cluster(workers=1) as cluster:
            ways = [("Ctrl-C", lambda top: top.press("\x03"), 130),
                    ("SIGINT", lambda top: top.process.send_signal(signal.SIGINT), 130),
                    ("SIGTERM", lambda top: top.process.send_signal(signal.SIGTERM), 143),
                    ("SIGHUP", lambda top: top.process.send_signal(signal.SIGHUP), -signal.SIGHUP),
                    ("a crash", lambda top: top.process.send_signal(signal.SIGSEGV), -signal.SIGSEGV),
                    ("an abort", lambda top: top.process.send_signal(signal.SIGABRT), -signal.SIGABRT)]
            for name, leave, code in ways:
                with self.subTest(name), Pty(cluster, "top", "--interval", "200ms") as top:
                    top.sees(r"WORKER")
                    leave(top)
                    self.assertEqual(top.ended(), code)
                    self.assertTrue(top.is_as_before(), name)

    def test_q_quits_also_while_the_master_does_not_answer(self):
        with Cluster(workers=0, times=False) as cluster, Pty(cluster, "top", "--interval", "100ms") as top:
            top.sees(r"WORKER")
            cluster.master.signal(signal.SIGSTOP)
            try:
                top.sees(r"reconnecting: ", 30)
                begin = time.monotonic()
                top.press("q")
                self.assertEqual(top.ended(), 0)
                self.assertLess(time.monotonic() - begin, 2 * TIME_FACTOR)
                self.assertTrue(top.is_as_before())
            finally:
                cluster.master.signal(signal.SIGCONT)

    def test_keys_pause_sort_and_filter(self):
        with Cluster(workers=2) as cluster, Pty(cluster, "top", "--interval", "100ms") as top:
            top.sees(r"s sort \(by name\)")
            top.press("s")
            top.sees(r"s sort \(by load\)")
            top.press("/w2\r")
            top.sees(r"only what has 'w2' in it")
            self.assertNotRegex(top.screen(), r"w1 +ACTIVE")
            self.assertRegex(top.screen(), r"w2 +ACTIVE")
            top.press("\x1b")
            top.sees(r"w1 +ACTIVE")
            top.press("p")
            top.sees(r"paused; p goes on")
            task = cluster.ok("submit", "--", "sleep", "300").strip()
            cluster.await_state(task, "RUNNING")
            self.assertNotIn("sleep 300", top.screen())
            top.press("p")
            top.sees(r"sleep 300")

    def test_without_a_terminal_there_are_frames_without_orders_to_one(self):
        with Cluster(workers=1) as cluster:
            once = cluster.ok("top", "--once", "--interval", "100ms")
            self.assertRegex(once, r"^cluster \w{8}  epoch 1 .*started 0.0/s\n1 of 1 workers active")
            self.assertNotIn("\x1b", once)
            data = json.loads(cluster.ok("top", "--once", "-o", "json", "--interval", "100ms"))
            self.assertEqual(data["workers"][0]["name"], "w1")
            self.assertEqual(data["rates"]["ended_per_second"], 0)
            flowing = cluster.start("top", "--interval", "100ms")
            head = [flowing.stdout.readline() for _ in range(40)]
            flowing.stdout.close()
            flowing.wait(20 * TIME_FACTOR)
            self.assertGreaterEqual(sum(line.startswith(b"cluster ") for line in head), 2)
            self.assertNotIn(b"\x1b", b"".join(head))
            self.assertEqual(flowing.stderr.read(), b"")
            flowing.stderr.close()
            refused = cluster.muster("top", "--interval", "1ms")
            self.assertEqual((refused.returncode, refused.stderr), (2, b"muster: --interval is not in 100ms..1h\n"))
            with Pty(cluster, "top", "--once", term="dumb") as top:
                self.assertEqual(top.ended(), 0)
                self.assertNotIn(b"\x1b[?1049h", top.read())

    def test_a_task_that_takes_longer_than_its_kind_is_marked(self):
        with Cluster(workers=1, master_flags=["--scheduler.straggler_floor=500ms"]) as cluster:
            slow = cluster.directory / "slow"
            command = ["sh", "-c", f"while [ -e {slow} ]; do sleep 0.05; done"]
            for _ in range(10):
                cluster.ok("run", "--", *command)
            slow.touch()
            task = cluster.ok("submit", "--", *command).strip()
            marked = eventually(lambda: cluster.task(task).get("straggler"), what="the mark")
            self.assertEqual(marked["run_count"], 10)
            self.assertRegex(cluster.ok("get", task), r"Reason: +runs for \S+, \S+ times its usual \S+ \(p90 of 10 runs\)")
            self.assertRegex(cluster.ok("ps"), r"RUNNING .* \(\d+x usual\)")
            self.assertRegex(cluster.ok("top", "--once", "--interval", "100ms"), r"\(\d+x usual\)")
            eventually(lambda: cluster.metric("muster_stragglers") == 1, what="the metric")
            self.assertIn("It straggles", cluster.ok("explain", task))
            slow.unlink()
            cluster.await_state(task, "SUCCEEDED")


if __name__ == "__main__":
    unittest.main()
