"""What was acknowledged survives kill -9, and what runs is never touched by a master's death."""

import sqlite3
import subprocess
import unittest

from cluster import BIN, Cluster, Threaded, eventually


class Durability(unittest.TestCase):
    def test_a_hundred_thousand_acknowledged_tasks_survive_kill_9(self):
        with Cluster(workers=1) as cluster:
            rows = "".join(f"{n}\n" for n in range(50000)).encode()
            singles = b'{"executor":"noop"}\n' * 50000
            # Half as one batch, half as single tasks; map's --detach answers when all rows are acknowledged.
            batch = cluster.muster("map", "--detach", "--executor", "noop", "--", "{}", input=rows, seconds=120)
            self.assertEqual(batch.returncode, 0, batch.stderr)
            ids = cluster.muster("submit", "-f", "-", input=singles, seconds=240)
            cluster.kill_master()
            self.assertEqual(ids.returncode, 0, ids.stderr)
            self.assertEqual(len(set(ids.stdout.split())), 50000)
            with sqlite3.connect(cluster.store / "muster.db") as database:
                (kept,) = database.execute("select sum(count) from specification").fetchone()
            self.assertEqual(kept, 100000)
            cluster.start_master()
            cluster.await_active()
            selector = batch.stdout.decode().strip()
            self.assertEqual(cluster.muster("wait", selector, seconds=120).returncode, 0)
            counts = {c["state"]: int(c["count"]) for c in cluster.json("get", selector)["counts"]}
            self.assertEqual(counts, {"TASK_STATE_SUCCEEDED": 50000})
            eventually(lambda: not cluster.json("ps").get("tasks"), 60, "the end of all tasks")

    def test_a_killed_master_loses_nothing_and_running_commands_go_on_as_the_same_attempt(self):
        with Cluster(workers=2, slots=2) as cluster:
            marks, gate = cluster.directory / "marks", cluster.directory / "gate"
            marks.mkdir()
            mark = f"echo $MUSTER_ATTEMPT >> {marks}/$MUSTER_TASK_ID"
            held = [cluster.ok("submit", "--", "sh", "-c",
                               f"{mark}; while [ ! -e {gate} ]; do sleep 0.05; done").strip() for _ in range(4)]
            for identity in held:
                cluster.await_state(identity, "RUNNING")
            lines = '{"command":{"argv":["sh","-c","%s"]}}\n' % mark.replace('"', '\\"')
            queued = cluster.ok("submit", "-f", "-", input=(lines * 1000).encode()).split()
            self.assertEqual(len(queued), 1000)
            cluster.kill_master()
            cluster.start_master()
            gate.touch()
            for identity in held:
                cluster.await_state(identity, "SUCCEEDED")
                attempts = cluster.task(identity)["attempts"]
                self.assertEqual([a["number"] for a in attempts], [1], "re-adopted, not run again")
            eventually(lambda: not cluster.json("ps").get("tasks"), 120, "the end of all tasks")
            ended = {}
            for task in cluster.json("ps", "-a", "--limit", "5000")["tasks"]:
                ended[task["id"]] = task["state"]
            self.assertEqual({ended.get(identity) for identity in queued + held}, {"TASK_STATE_SUCCEEDED"})
            # One mark each outside the cluster; what was dispatched in the moment of the kill may have run once more
            # only if its mark says so as another attempt.
            for identity in held:
                self.assertEqual((marks / identity).read_text(), "1\n")
            for identity in queued:
                self.assertEqual(len((marks / identity).read_text().split()), 1, identity)

    def test_run_keeps_its_output_and_status_across_a_masters_death(self):
        with Cluster(workers=1) as cluster:
            gate = cluster.directory / "gate"
            run = cluster.start("run", "--", "sh", "-c",
                                f"echo before; while [ ! -e {gate} ]; do sleep 0.05; done; echo after; exit 5")
            self.assertEqual(run.stdout.readline(), b"before\n")
            cluster.kill_master()
            cluster.start_master()
            gate.touch()
            out, err = run.communicate(timeout=60)
            self.assertEqual((run.returncode, out), (5, b"after\n"), err)

    def test_a_repeated_request_is_the_same_task_also_after_a_restart(self):
        with Cluster(workers=1) as cluster:
            first = cluster.ok("submit", "--request-id", "r-1", "--", "true").strip()
            self.assertEqual(cluster.ok("submit", "--request-id", "r-1", "--", "true").strip(), first)
            cluster.kill_master()
            cluster.start_master()
            self.assertEqual(cluster.ok("submit", "--request-id", "r-1", "--", "true").strip(), first)
            other = cluster.muster("submit", "--request-id", "r-1", "--", "false")
            self.assertEqual(other.returncode, 125)
            self.assertIn(b"r-1", other.stderr)

    def test_readers_never_see_a_task_go_back_or_half_of_a_call(self):
        with Cluster(workers=2) as cluster:
            order = ["QUEUED", "DISPATCHED", "RUNNING", "SUCCEEDED"]
            stop = []

            def read():
                seen = {}
                while not stop:
                    for task in cluster.json("ps", "-a", "--limit", "400").get("tasks", []):
                        state = order.index(task["state"].removeprefix("TASK_STATE_"))
                        assert state >= seen.get(task["id"], 0), (task, seen[task["id"]])
                        seen[task["id"]] = state
                return seen

            readers = [Threaded(read) for _ in range(2)]
            for _ in range(15):
                identity = cluster.ok("submit", "--", "true").strip()
                self.assertEqual(cluster.task(identity)["id"], identity, "after an OK, Get finds the task")
                cluster.ok("map", "--detach", "--", "true", ":::", *range(10))
                self.assertEqual(int(cluster.json("get", "last")["task_count"]), 10)
            eventually(lambda: not cluster.json("ps").get("tasks"), 60, "the end of all tasks")
            stop.append(True)
            self.assertTrue(all(reader.result() for reader in readers))

    def test_sigterm_ends_the_master_cleanly_within_five_seconds_and_workers_go_on(self):
        with Cluster(workers=1) as cluster:
            gate = cluster.directory / "gate"
            identity = cluster.ok("submit", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done").strip()
            cluster.await_state(identity, "RUNNING")
            cluster.master.signal(15)
            self.assertEqual(cluster.master.wait(5), 0)
            cluster.start_master()
            gate.touch()
            cluster.await_state(identity, "SUCCEEDED")
            self.assertEqual(len(cluster.task(identity)["attempts"]), 1)
            log = cluster.json("log")
            records = log if isinstance(log, list) else log["records"]
            started = [r["master_started"] for r in records if "master_started" in r]
            self.assertEqual(len(started), 2)
            self.assertTrue(started[1].get("last_end_clean"))
            self.assertTrue(any("master_stopped" in r for r in records))

    def test_everything_works_with_the_network_gone(self):
        if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
            self.skipTest("this machine lets nobody make a network namespace")
        script = f"ip link set lo up && {BIN}/muster dev --workers 2 -- {BIN}/muster map -k -- echo {{}} ::: 1 2 3"
        done = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout), (0, b"1\n2\n3\n"), done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
