"""What is kept, and what goes: by retention, and by `muster purge`."""

import unittest

from cluster import Cluster, eventually


class Retention(unittest.TestCase):
    def test_finished_tasks_go_by_themselves_and_get_says_so(self):
        with Cluster(workers=1, master_flags=["--retention.tasks.age=2s"]) as cluster:
            gate = cluster.directory / "gate"
            held = cluster.ok("submit", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done").strip()
            first = cluster.ok("submit", "--", "echo", "gone soon").strip()
            cluster.await_state(first, "SUCCEEDED")
            last = cluster.ok("submit", "--", "true").strip()  # the newest stays in any case
            cluster.await_state(last, "SUCCEEDED")
            eventually(lambda: cluster.muster("get", first).returncode != 0, 60, "the purge")
            self.assertIn("is not kept any more", cluster.muster("get", first).stderr.decode())
            self.assertIn("no task", cluster.muster("get", "ZZZZZ").stderr.decode())
            self.assertEqual(cluster.state(held), "RUNNING")
            gate.touch()
            cluster.await_state(held, "SUCCEEDED")

    def test_purge_counts_first_and_leaves_what_is_open(self):
        with Cluster(workers=1) as cluster:
            lines = b'{"executor":"noop"}\n' * 3000
            cluster.ok("submit", "-f", "-", input=lines)
            cluster.ok("map", "--executor", "noop", "--", "{}", ":::", *map(str, range(40)))
            eventually(lambda: not cluster.json("ps").get("tasks"), 60, "the end of all tasks")
            held = cluster.ok("submit", "--need", "nowhere", "--", "true").strip()
            self.assertEqual(cluster.ok("purge", "--dry-run").strip(), "3040")
            self.assertEqual(cluster.ok("purge", "--dry-run", "--older-than", "1h").strip(), "0")
            done = cluster.muster("purge", "-y")
            self.assertEqual((done.returncode, done.stdout), (0, b""))
            self.assertIn("3040 purged", done.stderr.decode())
            self.assertEqual([task["id"] for task in cluster.json("ps", "-a")["tasks"]], [held])
            self.assertEqual(cluster.metric("muster_store_purged_tasks_total"), 3040)
            lines = [line for line in cluster.ok("log").splitlines() if "TasksPurged" in line]
            self.assertEqual(sum(int(line.split("TasksPurged ")[1].split()[0]) for line in lines), 3040, lines)
            cluster.kill_master()
            cluster.start_master()
            self.assertEqual(cluster.state(held), "QUEUED")
            self.assertEqual(cluster.ok("purge", "--dry-run").strip(), "0")


if __name__ == "__main__":
    unittest.main()
