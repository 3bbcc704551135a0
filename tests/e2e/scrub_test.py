"""A row that goes bad on the disk while the master serves is found, named and shown."""

import json
import sqlite3
import unittest

from cluster import Cluster, eventually


class Scrub(unittest.TestCase):
    def test_a_damaged_row_makes_the_master_not_ready_and_is_named(self):
        with Cluster(workers=1) as cluster:
            task = cluster.ok("submit", "--", "true").strip()
            cluster.await_state(task, "SUCCEEDED")
            self.assertEqual(cluster.unready(), "")
            with sqlite3.connect(cluster.store / "muster.db") as database:
                database.execute("update outcome set message = 'not what was written'")
            database.close()
            eventually(lambda: "table outcome, row" in cluster.unready(), 60, "the damage in /readyz")
            self.assertEqual(cluster.metric("muster_store_damaged_rows"), 1)
            eventually(lambda: "the scrub found damage" in cluster.master.text(), what="the line in the log")
            self.assertIn("table outcome, row", cluster.master.text())

    def test_a_damaged_row_hides_its_own_task_from_lists_and_no_other(self):
        with Cluster(workers=1) as cluster:
            tasks = [cluster.ok("submit", "--", "true").strip() for _ in range(3)]
            for task in tasks:
                cluster.await_state(task, "SUCCEEDED")
            with sqlite3.connect(cluster.store / "muster.db") as database:
                database.execute("update outcome set message = 'not what was written' where task = 2")
            database.close()
            listed = cluster.muster("ps", "-a", "-o", "name")
            self.assertEqual(listed.stdout.decode().split(), [tasks[2], tasks[0]])
            self.assertIn(f"1 task is not shown, its row in the store is damaged: {tasks[1]}; `muster get {tasks[1]}` says which row",
                          listed.stderr.decode())
            self.assertEqual(listed.returncode, 125, "a script must not take it for all there is")
            self.assertEqual([task["id"] for task in json.loads(cluster.muster("ps", "-a", "-o", "json").stdout)["tasks"]],
                             [tasks[2], tasks[0]])
            one = cluster.muster("get", tasks[1])
            self.assertEqual(one.returncode, 125)
            self.assertIn("table outcome, row 2: its checksum does not match (data_loss)", one.stderr.decode())


if __name__ == "__main__":
    unittest.main()
