"""What the cluster has as a whole, with the real binaries: asked for, taken, told of, and counted over a master's death."""

import unittest

from cluster import Cluster


class Resources(unittest.TestCase):
    def holding(self, cluster, gate, *flags):
        """A task that has its licence until the file `gate` is there."""
        line = f"while [ ! -e {gate} ]; do sleep 0.05; done"
        return cluster.ok("submit", "--resource", "license.matlab=1", *flags, "--", "sh", "-c", line).strip()

    def test_never_more_is_taken_than_there_is_and_a_master_that_dies_forgets_nothing(self):
        with Cluster(workers=2, slots=4, master_flags=["--resources=license.matlab=2,api=50"]) as cluster:
            gates = [cluster.directory / f"gate-{i}" for i in range(3)]
            tasks = [self.holding(cluster, gate) for gate in gates]
            for task in tasks[:2]:
                cluster.await_state(task, "RUNNING")
            self.assertEqual(cluster.state(tasks[2]), "QUEUED")
            self.assertEqual(cluster.task(tasks[2])["reason"], "2 of 2 license.matlab are taken")
            self.assertIn("CLUSTER_LACKS", cluster.ok("explain", tasks[2]))
            self.assertRegex(cluster.ok("resources"), rf"license.matlab +2 +2 +1 +{tasks[0]},{tasks[1]}")
            self.assertRegex(cluster.ok("resources"), r"api +0 +50 +0 +-")
            self.assertEqual(cluster.ok("run", "--", "echo", "free").strip(), "free")
            cluster.kill_master()
            cluster.start_master("--resources=license.matlab=1")
            for task in tasks[:2]:
                cluster.await_state(task, "RUNNING")
            self.assertEqual(cluster.task(tasks[2])["reason"], "2 of 1 license.matlab are taken")
            self.assertEqual(cluster.metric(r'muster_cluster_resource_used\{resource="license.matlab"\}'), 2)
            gates[0].touch()
            cluster.await_state(tasks[0], "SUCCEEDED")
            self.assertEqual(cluster.state(tasks[2]), "QUEUED")
            gates[1].touch()
            cluster.await_state(tasks[2], "RUNNING")
            gates[2].touch()
            cluster.await_state(tasks[2], "SUCCEEDED")

    def test_more_than_there_ever_is_is_said_at_once(self):
        with Cluster(workers=1, master_flags=["--resources=license.matlab=2"]) as cluster:
            submitted = cluster.muster("submit", "--resource", "license.matlab=4", "--", "true", text=True)
            self.assertEqual(submitted.returncode, 0)
            self.assertIn("asks for 4 license.matlab, and the cluster has 2", submitted.stderr)
            self.assertIn("asks for 4 license.matlab, and the cluster has 2", cluster.task(submitted.stdout.strip())["reason"])
            self.assertIn("CLUSTER_NEVER_HAS", cluster.ok("submit", "--dry-run", "--resource", "license.matlab=4", "--", "true"))


if __name__ == "__main__":
    unittest.main()
