"""`muster failures`: what failed, put together by cause, and run again by the command that it names."""

import shlex
import unittest

from cluster import Cluster


class Failures(unittest.TestCase):
    def test_two_causes_are_told_apart_and_each_is_run_again_by_its_command(self):
        with Cluster(workers=3) as cluster:
            mount = cluster.directory / "mount"
            script = (f"test -e {mount} || {{ echo \"$(date +%H:%M:%S) {mount}/$MUSTER_TASK_ID/{{}}: not found after {{}} ms\" >&2; "
                      "exit 3; }")
            cluster.muster("map", "--", "sh", "-c", script, ":::", *range(24))
            cluster.muster("map", "--retries", "1", "--retry-delay", "0.05", "--", "sh", "-c", "echo bad {} >&2; exit 4", ":::", 1, 2)

            text = cluster.ok("failures", "--since", "10m")
            self.assertTrue(text.startswith("28 failures, 2 causes"), text)
            found = cluster.json("failures", "--since", "10m")
            self.assertEqual(int(found["count"]), 28)
            first, second = found["groups"]
            self.assertEqual((int(first["count"]), first["code"], int(first["retry_count"])), (24, 3, 24))
            self.assertEqual(first["text"], "<time> <path>: not found after <n> ms")
            self.assertEqual(sum(int(w["count"]) for w in first["workers"]), 24)
            # Two tasks were tried twice: four attempts, two tasks to run again.
            self.assertEqual((int(second["count"]), second["code"], int(second["retry_count"])), (4, 4, 2))
            self.assertIn("muster retry " + " ".join(second["retry_task_ids"]), text)

            mount.touch()
            line = next(line for line in text.splitlines() if first["cause"] in line and "xargs" in line)
            query, again = (part.strip() for part in line.split("to retry", 1)[1].split("|"))
            ids = cluster.ok(*shlex.split(query)[1:]).split()
            self.assertEqual(len(ids), 24)
            self.assertEqual(again, "xargs -n 1000 muster retry -y")
            new = cluster.ok("retry", "-y", *ids).split()
            cluster.ok("wait", *new)

    def test_an_empty_cluster_has_none_and_a_negative_time_is_refused(self):
        with Cluster(workers=1) as cluster:
            self.assertEqual(cluster.ok("failures"), "0 failures, 0 causes\n")
            self.assertEqual(cluster.json("failures")["groups"], [])
            self.assertEqual(cluster.ok("failures", "-q"), "")
            self.assertEqual(cluster.muster("failures", "--since", "yesterday").returncode, 2)


if __name__ == "__main__":
    unittest.main()
