"""A row that goes bad on the disk while the master serves is found, named and shown."""

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


if __name__ == "__main__":
    unittest.main()
