"""What was learned of run times: `muster stats` shows it, and it is still there, and still used, after a restart."""

import subprocess
import unittest

from cluster import BIN, Cluster, eventually

SLEEP = ["sh", "-c", "sleep 0.3; exit $0"]


class Stats(unittest.TestCase):
    def kinds(self, cluster):
        return {kind["command"]: kind for kind in cluster.json("stats")["run_times"]}

    def estimate(self, cluster):
        """Of the last of some tasks that wait behind a busy slot."""
        ids = [cluster.ok("submit", "--", *SLEEP, "0").strip() for _ in range(6)]
        explanation = cluster.json("explain", ids[-1])["explanations"][0]
        for identity in ids:
            cluster.await_state(identity, "SUCCEEDED")
        return explanation.get("estimate")

    def test_what_was_learned_survives_a_kill_and_a_clean_end_and_is_used(self):
        with Cluster(workers=1, slots=1) as cluster:
            self.assertIn("nothing has run three times yet", cluster.muster("stats").stderr.decode())
            self.assertIsNone(self.estimate(cluster))
            known = self.kinds(cluster)["sh -c sleep 0.3; exit $0 0"]
            self.assertEqual((known["run_count"], known["failed_count"]), ("6", "0"))
            self.assertEqual(known["workers"], [{"worker": "w1", "count": "6"}])
            self.assertGreaterEqual(float(known["p50"].rstrip("s")), 0.3)
            cluster.muster("run", "--", *SLEEP, "3")
            # The first write was with the third run; a kill loses at most what came within ten seconds of it.
            cluster.kill_master()
            cluster.start_master()
            cluster.await_active("w1")
            self.assertGreaterEqual(int(self.kinds(cluster)["sh -c sleep 0.3; exit $0 0"]["run_count"]), 3)
            estimate = self.estimate(cluster)
            self.assertIsNotNone(estimate)
            self.assertGreater(float(estimate["p50"].rstrip("s")), 0.5)
            for _ in range(3):
                self.assertEqual(cluster.muster("run", "--", *SLEEP, "3").returncode, 3)
            before = self.kinds(cluster)
            self.assertEqual(before["sh -c sleep 0.3; exit $0 3"]["failed_count"], "3")
            self.assertRegex(cluster.ok("stats"), r"[0-9a-f]{8} +3 +3 +\S+ +\S+ +\S+ +\d+s +w1 3 +sh -c sleep 0.3; exit \$0 3")
            self.assertEqual(cluster.ok("stats", "-q", "--limit", "1").strip(), before["sh -c sleep 0.3; exit $0 3"]["fingerprint"])

            cluster.master.signal(15)
            self.assertEqual(cluster.master.wait(), 0)
            checked = subprocess.run([BIN / "muster-master", "check", cluster.store], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            self.assertRegex(checked.stdout, r"run_time 2")
            cluster.start_master()
            self.assertEqual(self.kinds(cluster), before)  # a clean end loses nothing

    def test_a_damaged_row_is_counted_and_stops_nothing(self):
        with Cluster(workers=1) as cluster:
            for word in ("a", "b"):
                for _ in range(3):
                    cluster.ok("run", "--", "echo", word)
            cluster.master.signal(15)
            cluster.master.wait()
            import sqlite3
            with sqlite3.connect(cluster.store / "muster.db") as database:
                database.execute("UPDATE run_time SET runs = 1000 WHERE command = 'echo a'")
            database.close()
            cluster.start_master()
            self.assertEqual(list(self.kinds(cluster)), ["echo b"])
            self.assertEqual(cluster.metric("muster_run_times_damaged_total"), 1)
            self.assertIn("rows of learned run times are damaged", cluster.master.text())
            for _ in range(3):
                cluster.ok("run", "--", "echo", "a")
            self.assertEqual(set(self.kinds(cluster)), {"echo a", "echo b"})
            checked = subprocess.run([BIN / "muster-master", "check", cluster.store], capture_output=True, text=True)
            self.assertNotIn("muster_", checked.stderr)


if __name__ == "__main__":
    unittest.main()
