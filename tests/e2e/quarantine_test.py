"""A worker on which nothing works is put aside, tried again, and taken back; a command at fault costs nobody his place."""

import signal
import unittest

from cluster import Cluster, eventually

FIRST_PROBE = 2  # seconds

# A command that needs a directory which one machine does not have, and takes a moment where it is there.
NEEDS_A_MOUNT = "test -e {mount}/$MUSTER_WORKER || exit 3; sleep 0.2; echo {{}}"


def reason(cluster, name):
    return cluster.worker(name).get("reason", "")


class Quarantine(unittest.TestCase):
    def fleet(self):
        return Cluster(workers=6, slots=2, master_flags=[f"--workers.quarantine.first_probe={FIRST_PROBE}s"])

    def mount(self, cluster, *workers):
        mount = cluster.directory / "mount"
        mount.mkdir(exist_ok=True)
        for worker in workers:
            (mount / worker).touch()
        return NEEDS_A_MOUNT.format(mount=mount)

    def test_a_black_hole_is_put_aside_and_comes_back_by_itself_when_it_is_mended(self):
        count = 400
        with self.fleet() as cluster:
            command = self.mount(cluster, "w1", "w2", "w3", "w4", "w5")
            done = cluster.muster("map", "--retries", "5", "--retry-delay", "0.05,0.1", "--", "sh", "-c", command, ":::",
                                  *range(count), seconds=120)
            self.assertEqual(done.returncode, 0, done.stderr.decode()[-2000:])
            self.assertEqual(sorted(map(int, done.stdout.split())), list(range(count)))
            self.assertEqual(cluster.worker_state("w6"), "QUARANTINED")
            self.assertIn("failed at what works elsewhere", reason(cluster, "w6"))
            failed = int(cluster.worker("w6")["failed_count"])
            print(f"w6 failed {failed} of {count} tasks: 10 to be put aside, its probes, and what was under way")
            self.assertLess(failed, 30)
            self.assertEqual(cluster.metric("muster_workers_quarantined_total"), 1)
            self.mount(cluster, "w6")

            def back():
                cluster.ok("map", "--", "sh", "-c", command, ":::", *range(24))
                return cluster.worker_state("w6") == "ACTIVE"
            eventually(back, 60, "w6 being taken back")
            self.assertIn("QUARANTINED", cluster.ok("log", "--worker", "w6"))

    def test_a_worker_that_can_start_nothing_is_put_aside(self):
        with self.fleet() as cluster:
            config = cluster.directory / "no-path.yaml"
            config.write_text("executors:\n  - name: command\n    settings: {path: /nowhere}\n")
            cluster.workers["w6"].signal(signal.SIGTERM)
            cluster.workers["w6"].wait()
            cluster.start_worker("w6", f"--config={config}")
            done = cluster.muster("map", "--retries", "5", "--retry-delay", "0.05,0.1", "--", "sleep", "0.{}", ":::",
                                  *([1, 2, 3, 4, 5] * 40), seconds=120)
            self.assertEqual(done.returncode, 0, done.stderr.decode()[-2000:])
            self.assertEqual(cluster.worker_state("w6"), "QUARANTINED")
            self.assertLess(int(cluster.worker("w6")["failed_count"]), 30)

    def test_a_program_that_is_missing_everywhere_quarantines_nobody(self):
        with self.fleet() as cluster:
            cluster.ok("map", "--", "true", ":::", *range(60))
            done = cluster.muster("map", "--", "no-such-program-anywhere", ":::", *range(120))
            self.assertEqual(done.returncode, 127)
            states = {w["name"]: w["state"] for w in cluster.json("workers")["workers"]}
            self.assertEqual(set(states.values()), {"WORKER_STATE_ACTIVE"}, states)
            self.assertEqual(cluster.metric("muster_workers_quarantined_total"), 0)

    def test_by_hand_it_takes_nothing_and_stays_so_over_a_restart_of_the_master(self):
        with Cluster(workers=2, slots=2) as cluster:
            done = cluster.muster("worker", "quarantine", "w1", "--reason", "smells of smoke")
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"w1 is QUARANTINED and takes nothing new", done.stderr)
            places = set(cluster.ok("map", "--", "sh", "-c", "echo $MUSTER_WORKER {}", ":::", *range(10)).split()[::2])
            self.assertEqual(places, {"w2"})
            cluster.kill_master()
            cluster.start_master()
            cluster.await_active("w2")
            eventually(lambda: cluster.worker_state("w1") == "QUARANTINED", what="w1 being in quarantine again")
            self.assertEqual(reason(cluster, "w1"), "smells of smoke")
            self.assertIn("smells of smoke", cluster.ok("workers"))
            cluster.ok("worker", "resume", "w1")
            cluster.await_active("w1")
            refused = cluster.muster("worker", "quarantine", "w9")
            self.assertEqual(refused.returncode, 125)
            self.assertIn(b"no worker is named w9", refused.stderr)


if __name__ == "__main__":
    unittest.main()
