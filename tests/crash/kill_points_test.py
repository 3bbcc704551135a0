"""Deaths inside: a daemon of the build with planted faults kills itself at a chosen place, at its n-th passing.

The places are where an acknowledgement, a record and an act follow one another; MayDieAt marks them in
master/app (patient_commit.cc, master_loop.cc) and worker/app/worker_loop.cc. MUSTER_CRASH_DEATHS_PER_PLACE sets how
often (6).
"""

import os
import signal
import unittest


from harness import CrashCluster, alive, children, eventually

MASTER_PLACES = ("before_sync", "after_sync", "after_answer")
WORKER_PLACES = ("before_start", "after_start", "before_validation", "before_result", "after_result")
DEATHS_PER_PLACE = int(os.environ.get("MUSTER_CRASH_DEATHS_PER_PLACE", "6"))


class KillPoints(unittest.TestCase):
    def test_a_daemon_that_dies_between_a_record_and_an_act_loses_nothing_and_repeats_nothing(self):
        with CrashCluster(workers=3) as cluster:
            cluster.begin_load()
            deaths = [(self.master_dies, place) for place in MASTER_PLACES] + [(self.worker_dies, p) for p in WORKER_PLACES]
            deaths *= DEATHS_PER_PLACE
            cluster.random.shuffle(deaths)
            for dies, place in deaths:
                cluster.check_load()
                cluster.accidents.revive()
                dies(cluster, place)
            cluster.judge(self)
            for place in MASTER_PLACES + WORKER_PLACES:
                self.assertEqual(cluster.accidents.happened[place], DEATHS_PER_PLACE, place)

    def master_dies(self, cluster, place):
        cluster.kill_master()
        doomed = cluster.start_master(wait=False, environment=self.plan(place, cluster.random.randint(1, 30)))
        self.await_death(cluster, doomed, place)
        self.assertEqual(doomed.process.returncode, -signal.SIGKILL, doomed.text())
        cluster.start_master()

    def worker_dies(self, cluster, place):
        name = cluster.random.choice(sorted(cluster.workers))
        family = [cluster.workers[name].pid, *children(cluster.workers[name].pid)]
        cluster.accidents.hurt_worker("family", name, down=0)
        cluster.workers[name].wait()
        # Its server holds the lock of work_dir until it is gone, too.
        eventually(lambda: not any(alive(pid) for pid in family), 30, f"the end of all of {name}")
        cluster.accidents.forgive(name)
        doomed = cluster.start_worker(name, wait=False, environment=self.plan(place, cluster.random.randint(1, 8)))
        self.await_death(cluster, doomed, place)
        self.assertEqual(doomed.process.returncode, 128 + signal.SIGKILL, doomed.text())
        cluster.start_worker(name, wait=False)

    @staticmethod
    def plan(place, passes):
        return {"MUSTER_DIE_AT": f"{place}:{passes}"}

    def await_death(self, cluster, doomed, place):
        eventually(lambda: doomed.process.poll() is not None, 30, f"the death {place}")
        self.assertIn(f"planted fault: MUSTER_DIE_AT={place}", doomed.text(), "the build of preset `faults` has them")
        cluster.accidents.happened[place] += 1


if __name__ == "__main__":
    unittest.main(verbosity=2)
