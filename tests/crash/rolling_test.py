"""A rolling restart of everything under load: the master and each worker in turn, by SIGTERM. No task fails for it."""

import signal
import unittest

from harness import CrashCluster

ROUNDS = 2


class Rolling(unittest.TestCase):
    def test_a_rolling_restart_of_everything_under_load_fails_no_task(self):
        with CrashCluster(workers=3, workers_are_hurt=False) as cluster:
            cluster.begin_load()
            for _ in range(ROUNDS):
                cluster.accidents.end_master()
                for name in sorted(cluster.workers):
                    cluster.check_load()
                    worker = cluster.workers[name]
                    worker.signal(signal.SIGTERM)
                    self.assertEqual(worker.wait(30), 0, f"{name} did not end in order: {worker.text()}")
                    cluster.start_worker(name)
                    cluster.accidents.happened["worker ended"] += 1
            # Nobody was hurt: the checker takes no loss, no second run without a failure, no state but the command's own.
            cluster.judge(self)
            self.assertGreater(cluster.acknowledged(), 100, "a load that is none")


if __name__ == "__main__":
    unittest.main(verbosity=2)
