"""A store that an older muster-master left when it was killed opens, keeps everything, and goes on.

tests/golden/store-1.tar.gz: made by the last master of schema version 1, kill -9 while it had open tasks; store-2 and store-3: of versions 2 and 3.
"""

import pathlib
import subprocess
import tarfile
import unittest

from cluster import BIN, Cluster, eventually

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"


class OldStore(unittest.TestCase):
    def test_a_store_of_schema_version_1_keeps_everything_and_takes_settings_of_queues(self):
        cluster = Cluster(workers=0)
        with tarfile.open(GOLDEN / "store-1.tar.gz") as archive:
            archive.extractall(cluster.directory)
        checked = subprocess.run([BIN / "muster-master", "check", cluster.store], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertIn("of schema version 1; the next start adds to it what 4 has", checked.stdout)
        with cluster:
            self.assertEqual(cluster.ok("logs", "greeting"), "hello\n")
            failed = cluster.task("failing")
            self.assertEqual((failed["state"], failed["exit_code"]), ("TASK_STATE_FAILED", 3))
            self.assertEqual(cluster.state("unwanted"), "CANCELLED")
            again = cluster.ok("submit", "--name", "once", "--request-id", "r-1", "--", "true").strip()
            self.assertEqual(again, cluster.task("once")["id"])
            waiting = cluster.task("waiting")
            self.assertEqual((waiting["state"], waiting["spec"]["queue"], waiting["spec"]["priority"]),
                             ("TASK_STATE_QUEUED", "nightly", 7))
            cluster.start_worker("w1", "--labels=gpu")
            self.assertEqual(cluster.worker("w1")["weight"], 3)
            for selector in ("waiting", "8", "9", "A"):
                cluster.await_state(selector, "SUCCEEDED")
            self.assertEqual(cluster.ok("logs", "waiting"), "at last\n")
            cluster.await_state("running", "RUNNING")  # again: its worker had gone with the master
            cluster.ok("queue", "set", "nightly", "--max-running", "2")
            cluster.kill_master()
            cluster.start_master()
            self.assertEqual(cluster.json("queue", "get", "nightly")["settings"]["max_running"], "2")
            self.assertEqual(cluster.ok("logs", "greeting"), "hello\n")
            cluster.ok("cancel", "-y", "running")

    def test_a_store_of_schema_version_2_keeps_everything_and_takes_run_times(self):
        cluster = Cluster(workers=0)
        with tarfile.open(GOLDEN / "store-2.tar.gz") as archive:
            archive.extractall(cluster.directory)
        checked = subprocess.run([BIN / "muster-master", "check", cluster.store], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertIn("of schema version 2; the next start adds to it what 4 has", checked.stdout)
        with cluster:
            self.assertEqual(cluster.ok("logs", "greeting"), "hello\n")
            self.assertEqual(cluster.task("failing")["exit_code"], 3)
            queue = cluster.json("queue", "get", "nightly")
            self.assertEqual((queue["settings"]["max_running"], queue["pause_reason"]), ("2", "a deploy"))
            cluster.start_worker("w1")
            cluster.ok("queue", "resume", "nightly")
            cluster.await_state("waiting", "SUCCEEDED")
            for _ in range(3):
                cluster.ok("run", "--", "true")
            cluster.ok("run", "--", "true")  # its submit is a commit, which they ride with
            cluster.kill_master()
            cluster.start_master()
            self.assertEqual([kind["command"] for kind in cluster.json("stats")["run_times"]], ["true"])

    def test_a_store_of_schema_version_3_keeps_everything_and_takes_schedules(self):
        cluster = Cluster(workers=0)
        with tarfile.open(GOLDEN / "store-3.tar.gz") as archive:
            archive.extractall(cluster.directory)
        checked = subprocess.run([BIN / "muster-master", "check", cluster.store], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertIn("of schema version 3; the next start adds to it what 4 has", checked.stdout)
        with cluster:
            self.assertEqual(cluster.ok("logs", "greeting"), "hello\n")
            self.assertEqual(cluster.task("failing")["exit_code"], 3)
            self.assertIn("locality", cluster.ok("placement"))
            self.assertEqual(cluster.state("later"), "PENDING")
            cluster.start_worker("w1", slots=4)
            cluster.ok("queue", "resume", "nightly")
            cluster.await_state("later", "SUCCEEDED")
            cluster.ok("schedule", "add", "tick", "every 1s", "--", "true")
            cluster.kill_master()
            cluster.start_master()
            run = eventually(lambda: [run for run in cluster.json("schedule", "get", "tick")["recent_runs"]
                                      if run["task_state"] == "TASK_STATE_SUCCEEDED"], what="a run after the kill")
            self.assertEqual(cluster.task(run[0]["task_id"])["spec"]["name"], "tick")


if __name__ == "__main__":
    unittest.main()
