"""Retries with the real binaries: what is tried again and what never."""

import unittest

from cluster import Cluster


def run(cluster, *arguments):
    return cluster.muster("run", *arguments, text=True)


class Retries(unittest.TestCase):
    def test_codes_decide_and_a_queue_says_which_when_its_task_does_not(self):
        with Cluster(workers=1, slots=4) as cluster:
            tries = cluster.directory / "tries"
            script = f"echo x >> {tries}; exit 64"
            ran = run(cluster, "--retries", "3", "--retry-delay", "10ms", "--never-retry", "2,64", "--", "sh", "-c", script)
            self.assertEqual(ran.returncode, 64)
            self.assertEqual(tries.read_text(), "x\n")
            cluster.ok("queue", "set", "nightly", "--retries", "2", "--retry-delay", "10ms", "--never-retry", "65")
            self.assertIn("never retry 65", cluster.ok("queue", "get", "nightly"))
            self.assertEqual(run(cluster, "--queue", "nightly", "--", "sh", "-c", script).returncode, 64)
            self.assertEqual(tries.read_text(), "x\n" * 4)
            refused = run(cluster, "--retry-on", "1-9", "--never-retry", "3", "--", "true")
            self.assertEqual(refused.returncode, 2)
            self.assertEqual(refused.stderr.strip(),
                             "muster: exit code 3 is in --retry-on and in --never-retry; take it out of one of them")

    def test_what_failed_is_tried_again_once_however_often_it_is_asked(self):
        with Cluster(workers=1, slots=4) as cluster:
            gate = cluster.directory / "gate"
            failed = [cluster.ok("submit", "--queue", queue, "--", "test", "-e", gate).strip()
                      for queue in ("nightly", "nightly", "daily")]
            for identity in failed:
                cluster.await_state(identity, "FAILED")
            self.assertEqual(cluster.ok("retry", "--failed", "--queue", "nightly", "--dry-run"), "2\n")
            gate.touch()
            again = cluster.ok("retry", "--failed", "--queue", "nightly", "-y").split()
            self.assertEqual(len(again), 2)
            self.assertEqual([cluster.task(identity)["retry_of"] for identity in again], failed[:2])
            self.assertEqual(len(cluster.ok("retry", "--failed", "--since", "1h", "-y").split()), 1)
            self.assertEqual(cluster.ok("retry", "--failed", "-y"), "")
            for identity in again:
                cluster.await_state(identity, "SUCCEEDED")


if __name__ == "__main__":
    unittest.main()
