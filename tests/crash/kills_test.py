"""kill -9 of the master and of workers, again and again, under a mixed load: nothing acknowledged is lost, and nothing
runs twice that must not.

MUSTER_CRASH_MASTER_KILLS and MUSTER_CRASH_WORKER_KILLS set how many (200 and 100), MUSTER_CRASH_SEED the choices.
"""

import os
import statistics
import sys
import unittest

from harness import WORKER_PARTS, CrashCluster

MASTER_KILLS = int(os.environ.get("MUSTER_CRASH_MASTER_KILLS", "200"))
WORKER_KILLS = int(os.environ.get("MUSTER_CRASH_WORKER_KILLS", "100"))


class Kills(unittest.TestCase):
    def test_killed_masters_and_workers_lose_nothing_and_run_nothing_twice_that_must_not(self):
        with CrashCluster(workers=4) as cluster:
            accidents, chance = cluster.accidents, cluster.random
            cluster.begin_load()
            masters, workers = MASTER_KILLS, WORKER_KILLS
            while masters + workers > 0:
                cluster.check_load()
                accidents.revive()
                if chance.random() * (masters + workers) < masters:
                    accidents.kill_master()
                    masters -= 1
                elif len(accidents.alive_workers()) > 1:
                    accidents.hurt_worker(chance.choice(WORKER_PARTS))
                    workers -= 1
                self.something_else(accidents, chance)
                accidents.wait(chance.choice((0, chance.uniform(0, 0.2), chance.uniform(0, 0.6))))
            cluster.judge(self)
            times = sorted(accidents.serving_seconds)
            print(f"from the master's start to its serving line: median {statistics.median(times):.2f} s, "
                  f"longest {times[-1]:.2f} s", file=sys.stderr)

    @staticmethod
    def something_else(accidents, chance):
        """Now and then: a process that stops for a while, a clean end, or enough quiet for a silent worker to be LOST."""
        drawn = chance.random()
        if drawn < 0.02:
            accidents.stop_master(chance.uniform(0.1, 1.5))
        elif drawn < 0.04 and accidents.alive_workers():
            accidents.stop_worker(chance.choice(("server", "supervisor")), chance.uniform(0.1, 2.5))
        elif drawn < 0.06:
            accidents.end_master()
        elif drawn < 0.08:
            accidents.wait(2.5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
