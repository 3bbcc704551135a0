"""A disk whose syncs take seconds: no lease expires on either side, whatever is committed meanwhile.

Times are scaled: workers.lost_after is 3 s, so a worker fences itself after 2 s without an answer. Syncs take 1.5 s one
after the other, and then one takes 4 s: longer than a worker may be silent.
"""

import pathlib
import re
import tempfile
import unittest

from cluster import BIN, TIME_FACTOR, Cluster, Threaded


class SlowSync(unittest.TestCase):
    def test_slow_syncs_expire_no_lease_on_either_side(self):
        with tempfile.TemporaryDirectory(prefix="muster-slow-sync-") as directory:
            slow = pathlib.Path(directory) / "milliseconds"
            preload = {"LD_PRELOAD": str(BIN.parent / "lib/muster-test/slow_sync.so"), "MUSTER_SLOW_SYNC": str(slow)}
            times = ["--workers.heartbeat=%gs" % (0.3 * TIME_FACTOR), "--workers.lost_after=%gs" % (3 * TIME_FACTOR)]
            with Cluster(workers=2, times=False, master_flags=times, master_environment=preload) as cluster:
                marks, gate = cluster.directory / "marks", cluster.directory / "gate"
                fenced = cluster.ok("submit", "--on-worker-loss", "rerun-after-fence", "--", "sh", "-c",
                                    f"echo started >> {marks}; while [ ! -e {gate} ]; do sleep 0.05; done").strip()
                cluster.await_state(fenced, "RUNNING")
                before = len(cluster.ok("log").splitlines())
                slow.write_text(str(int(1500 * TIME_FACTOR)))
                several = Threaded(lambda: [cluster.ok("submit", "--", "true").strip() for _ in range(4)])
                tasks = several.result() + [cluster.ok("submit", "--", "true").strip()]
                slow.write_text(str(int(4000 * TIME_FACTOR)))
                tasks.append(cluster.ok("submit", "--", "true").strip())
                slow.unlink()
                for task in tasks:
                    cluster.await_state(task, "SUCCEEDED")
                gate.touch()
                cluster.await_state(fenced, "SUCCEEDED")
                self.assertEqual([a["number"] for a in cluster.task(fenced)["attempts"]], [1])
                self.assertEqual(marks.read_text(), "started\n", "it was never fenced and run again")
                told = "\n".join(cluster.ok("log").splitlines()[before:])
                self.assertIsNone(re.search(r"SUSPECT|LOST|lost", told), told)
                self.assertGreater(cluster.metric("muster_bridged_heartbeats_total"), 10)


if __name__ == "__main__":
    unittest.main()
