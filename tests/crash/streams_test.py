"""What clients follow goes on by itself over the master's deaths: `run`, `logs -f`, `wait` and `map` lose no byte."""

import hashlib
import subprocess
import unittest

from harness import CrashCluster, eventually

KILLS = 4
# Random bytes by the megabyte, a little at a time, so that every kill falls into the middle of the stream.
PIECES, PIECE_BYTES = 40, 500_000


class Streams(unittest.TestCase):
    def kill_again_and_again(self, cluster, still_going, times=KILLS):
        """Kills the master while the stream is in its middle."""
        for _ in range(times):
            cluster.accidents.wait(cluster.random.uniform(0.1, 0.5))
            self.assertTrue(still_going(), "it ended before the master was killed often enough")
            cluster.accidents.kill_master()

    def test_run_streams_every_byte_of_both_streams_over_the_masters_deaths(self):
        with CrashCluster(workers=1) as cluster:
            source = cluster.directory / "source"
            subprocess.run(["sh", "-c", f"head -c {PIECES * PIECE_BYTES} /dev/urandom > {source}"], check=True)
            script = (f"for i in $(seq 1 {PIECES}); do head -c {PIECE_BYTES} >&1; echo line $i >&2; sleep 0.1; done < {source}; "
                      "exit 7")
            out, err = cluster.directory / "out", cluster.directory / "err"
            with open(out, "wb") as out_file, open(err, "wb") as err_file:
                run = cluster.start("run", "--", "sh", "-c", script, stdout=out_file, stderr=err_file)
                self.kill_again_and_again(cluster, lambda: run.poll() is None)
                self.assertEqual(run.wait(60), 7)
            self.assertEqual(hashlib.sha256(out.read_bytes()).digest(), hashlib.sha256(source.read_bytes()).digest())
            lines = [line for line in err.read_text().splitlines() if not line.startswith("muster: ")]
            self.assertEqual(lines, [f"line {n}" for n in range(1, PIECES + 1)])
            self.assertEqual(len(cluster.task("last")["attempts"]), 1)

    def test_logs_that_follow_show_every_line_over_the_masters_deaths(self):
        with CrashCluster(workers=1) as cluster:
            script = "for i in $(seq 1 4000); do echo line $i; [ $((i % 100)) = 0 ] && sleep 0.1; done; true"
            identity = cluster.ok("submit", "--", "sh", "-c", script).strip()
            out = cluster.directory / "out"
            with open(out, "wb") as out_file:
                logs = cluster.start("logs", "-f", identity, stdout=out_file)
                wait = cluster.start("wait", identity)
                self.kill_again_and_again(cluster, lambda: logs.poll() is None)
                for follower in (logs, wait):
                    _, err = follower.communicate(timeout=60)
                    self.assertEqual(follower.returncode, 0, err)
            self.assertEqual(out.read_text(), "".join(f"line {n}\n" for n in range(1, 4001)))

    def test_wait_returns_the_highest_code_over_the_masters_deaths(self):
        with CrashCluster(workers=1, slots=4) as cluster:
            ids = [cluster.ok("submit", "--", "sh", "-c", f"sleep 3; exit {code}").strip() for code in (0, 5, 3)]
            wait = cluster.start("wait", *ids)
            self.kill_again_and_again(cluster, lambda: wait.poll() is None)
            _, err = wait.communicate(timeout=60)
            self.assertEqual(wait.returncode, 5, err)

    def test_map_prints_every_tasks_output_once_and_in_order_over_the_masters_deaths(self):
        with CrashCluster(workers=2, slots=4) as cluster:
            # 200 tasks of 20 lines, 0.1 s each.
            command = 'for i in 1 2 3 4 5 6 7 8 9 10; do echo $0 $i; done; sleep 0.1; for i in 11 12 13; do echo $0 $i; done'
            out = cluster.directory / "out"
            with open(out, "wb") as out_file:
                run = cluster.start("map", "-k", "--", "sh", "-c", command, "{}", ":::", *range(200), stdout=out_file)
                self.kill_again_and_again(cluster, lambda: run.poll() is None)
                _, err = run.communicate(timeout=120)
                self.assertEqual(run.returncode, 0, err)
            self.assertEqual(out.read_text(), "".join(f"{task} {line}\n" for task in range(200) for line in range(1, 14)))
            eventually(lambda: not cluster.json("ps").get("tasks"), what="the end of all tasks")


if __name__ == "__main__":
    unittest.main(verbosity=2)
