"""What a death leaves behind: processes of a killed worker, and workers of a store that is gone."""

import os
import shutil
import signal
import unittest

from harness import CrashCluster, alive, children, eventually


class Leftovers(unittest.TestCase):
    def test_nothing_of_a_command_outlives_its_workers_killed_server(self):
        with CrashCluster(workers=1) as cluster:
            left = cluster.directory / "left"
            # A child that forks away into a session of its own, with a child of its own, deaf to SIGTERM.
            away = f"trap '' TERM HUP INT; sleep 600 & echo $$ $! > {left}.new; mv {left}.new {left}; while :; do sleep 600; done"
            cluster.ok("submit", "-e", f"AWAY={away}", "--", "sh", "-c", 'setsid sh -c "$AWAY" & exec sleep 600')
            eventually(left.exists, what="the processes that forked away")
            gone = [int(pid) for pid in left.read_text().split()]
            family = children(cluster.workers["w1"].pid)
            self.assertTrue(set(gone) < set(family))
            os.kill(cluster.server_of("w1"), signal.SIGKILL)
            self.assertEqual(cluster.workers["w1"].wait(10), 128 + signal.SIGKILL)
            # The supervisor leaves only when nothing is left, so there is nothing to wait for.
            self.assertEqual([pid for pid in family + gone if alive(pid)], [])

    def test_workers_of_a_store_that_was_wiped_stop_its_commands_and_serve_the_new_one(self):
        with CrashCluster(workers=2, slots=2) as cluster:
            old = [cluster.ok("submit", "--", *cluster.mark_command(600_000)).strip() for _ in range(4)]
            for identity in old:
                cluster.await_state(identity, "RUNNING")
            commands = [pid for name in cluster.workers for pid in children(cluster.server_of(name))]
            self.assertEqual(len(commands), 4)
            cluster.kill_master()
            shutil.rmtree(cluster.store)
            cluster.start_master()
            # Orphans are stopped, and their slots serve the new store's tasks, which have the same names again.
            new = [cluster.ok("submit", "--", "sh", "-c", "echo new").strip() for _ in range(4)]
            self.assertEqual(new, old)
            for identity in new:
                cluster.await_state(identity, "SUCCEEDED")
                task = cluster.task(identity)
                self.assertEqual(task["spec"]["command"]["argv"][0], "sh")
                self.assertEqual(cluster.ok("logs", identity), "new\n")
            eventually(lambda: not [pid for pid in commands if alive(pid)], what="the end of the former cluster's commands")
            for name in cluster.workers:
                self.assertIn("a master of another cluster took over", cluster.workers[name].text())
                self.assertIsNone(cluster.workers[name].process.poll(), "the worker itself goes on")


if __name__ == "__main__":
    unittest.main(verbosity=2)
