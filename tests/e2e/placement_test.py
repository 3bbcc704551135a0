"""How workers are chosen: commands return to where they ran, a shadow is compared, and a changeover needs no restart."""

import unittest

from cluster import Cluster, eventually


def decisions(cluster, which):
    return cluster.metric(rf'muster_shadow_decisions_total\{{decision="{which}"\}}')


def run(cluster, word):
    """Where a command of the kind ran."""
    identity = cluster.ok("submit", "--", "sh", "-c", f": {word}").strip()
    cluster.await_state(identity, "SUCCEEDED")
    return cluster.task(identity)["attempts"][-1]["worker"]


class Placement(unittest.TestCase):
    def test_commands_return_to_the_worker_that_ran_them_last_also_after_a_kill(self):
        with Cluster(workers=3, master_flags=["--scheduler.balancer=locality"]) as cluster:
            busy = cluster.start("run", "--", "sleep", "600")
            held = eventually(lambda: next((w["name"] for w in cluster.json("workers")["workers"] if w.get("used_slots")), None),
                              what="the first one running")
            at_home = run(cluster, "compile")
            self.assertNotEqual(at_home, held, "the least loaded one, when nothing is known")
            for _ in range(4):
                self.assertEqual(run(cluster, "compile"), at_home)
            cluster.kill_master()
            cluster.start_master()
            cluster.await_active()
            # The master has learned where three of them ran; the least loaded worker with the lowest id may be another.
            for _ in range(2):
                self.assertEqual(run(cluster, "compile"), at_home)
            busy.kill()
            busy.wait()

    def test_a_shadow_is_compared_and_takes_over_without_a_restart_and_survives_a_kill(self):
        with Cluster(workers=3) as cluster:
            page = cluster.ok("placement")
            self.assertIn("Balancer:    least_loaded (as configured)", page)
            self.assertIn("Shadow:      none (as configured)", page)
            self.assertEqual(decisions(cluster, "different"), 0)

            said = cluster.muster("placement", "set", "--shadow", "locality").stderr.decode()
            self.assertIn("tasks are placed by least_loaded, with locality beside it", said)
            busy = [cluster.start("run", "--", "sleep", "600") for _ in range(4)]
            eventually(lambda: len(cluster.json("ps").get("tasks", [])) == 4, what="four that run")
            eventually(lambda: decisions(cluster, "different") > 0, what="a decision that differs")
            shown = cluster.json("placement")
            self.assertEqual((shown["balancer"], shown["shadow"], shown["shadow_set_by_hand"]), ("least_loaded", "locality", True))
            first = shown["differences"][-1]
            self.assertEqual(first["shadow_why"], "had this kind of command last")
            self.assertRegex(first["why"], r"has \d of 2 slots taken")
            self.assertRegex(cluster.ok("placement"), r"Compared: +\d of \d placements \(\d+\.\d %\) in the last \d+s would have been different")
            self.assertIn("the shadow would have placed it elsewhere", cluster.master.text())

            started = cluster.metric("muster_start_time_seconds")
            self.assertGreater(started, 0)
            said = cluster.muster("placement", "set", "locality", "--no-shadow").stderr.decode()
            self.assertIn("tasks are placed by locality", said)
            self.assertEqual(cluster.metric("muster_start_time_seconds"), started)
            at_home = run(cluster, "test")
            for _ in range(3):
                self.assertEqual(run(cluster, "test"), at_home)
            counted = decisions(cluster, "same") + decisions(cluster, "different")

            cluster.kill_master()
            cluster.start_master()
            cluster.await_active()
            shown = cluster.json("placement")
            self.assertEqual((shown["balancer"], shown.get("shadow", "")), ("locality", ""))
            self.assertTrue(shown["balancer_set_by_hand"] and shown["shadow_set_by_hand"])
            self.assertIn("PlacementChanged locality, with no shadow", cluster.ok("log"))
            self.assertGreater(counted, 0)
            self.assertEqual(run(cluster, "test"), at_home)
            self.assertEqual(decisions(cluster, "same") + decisions(cluster, "different"), 0, "a shadow ran beside it")

            cluster.ok("placement", "set", "--reset")
            self.assertIn("Balancer:    least_loaded (as configured)", cluster.ok("placement"))
            cluster.kill_master()
            cluster.start_master()
            self.assertIn("Balancer:    least_loaded (as configured)", cluster.ok("placement"))
            for process in busy:
                process.kill()
                process.wait()

    def test_bad_names_get_one_line_with_the_choices(self):
        with Cluster(workers=1) as cluster:
            for arguments, code, text in (
                    (("set", "best"), 2, '"best" is no balancer; use least_loaded, round_robin, weighted, locality'),
                    (("set", "--shadow", "best"), 2, '"best" is no balancer; use'),
                    (("set",), 2, "what is to be set?"),
                    (("set", "--shadow", "weighted", "--no-shadow"), 2, "exclude each other"),
                    (("set", "weighted", "--shadow", "weighted"), None, "there would be nothing to compare")):
                done = cluster.muster("placement", *arguments)
                self.assertEqual(done.returncode, code if code is not None else done.returncode or 1, arguments)
                self.assertIn(text, done.stderr.decode())
                self.assertEqual(done.stderr.decode().count("\n"), 1, done.stderr)
            self.assertIn("least_loaded (as configured)", cluster.ok("placement"))


if __name__ == "__main__":
    unittest.main()
