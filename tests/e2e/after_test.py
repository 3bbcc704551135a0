"""Tasks that wait for others, with the real binaries: conditions, batches, refusals, kill -9 of the master while they
wait, and a retention that leaves what they depend on."""

import json
import signal
import unittest

from cluster import Cluster, eventually


class After(unittest.TestCase):
    def submit(self, cluster, *arguments):
        return cluster.ok("submit", *arguments).strip()

    def gated(self, cluster, name, *flags, code=0):
        """It runs until the file `name` is there, and exits with `code`."""
        gate = cluster.directory / name
        return gate, self.submit(cluster, "--name", name, *flags, "--", "sh", "-c",
                                 f"until [ -e {gate} ]; do sleep 0.02; done; exit {code}")

    def test_each_condition_starts_or_cancels(self):
        with Cluster(workers=1, slots=8) as cluster:
            fetch, _ = self.gated(cluster, "fetch")
            broken, identity = self.gated(cluster, "broken", code=7)
            wants = {
                ("fetch",): "SUCCEEDED", ("fetch:success",): "SUCCEEDED", ("fetch:failure",): "CANCELLED",
                ("fetch:any",): "SUCCEEDED", ("broken",): "CANCELLED", ("broken:failure",): "SUCCEEDED",
                ("broken:any",): "SUCCEEDED", ("id:" + identity + ":failure", "name:fetch"): "SUCCEEDED",
                ("fetch,broken:any",): "SUCCEEDED", ("fetch", "broken"): "CANCELLED"}
            tasks = {after: self.submit(cluster, *[word for one in after for word in ("--after", one)], "--", "true")
                     for after in wants}
            for task in tasks.values():
                self.assertEqual(cluster.task(task)["state"], "TASK_STATE_PENDING")
            self.assertIn("waits for 2 tasks: fetch, broken", cluster.ok("get", tasks["fetch", "broken"]))
            self.assertIn("waits for 1 task: broken to fail", cluster.ok("ps", "-o", "wide"))
            explained = cluster.ok("explain", tasks["fetch",])
            self.assertIn("DEPENDENCY", explained)
            self.assertIn("It waits for 1 task: fetch (RUNNING on w1)", explained)
            fetch.touch()
            broken.touch()
            for after, state in wants.items():
                with self.subTest(after=after):
                    cluster.await_state(tasks[after], state)
            self.assertIn(f"dependency: task {identity} ended FAILED", cluster.ok("get", tasks["broken",]))
            # What has ended by now decides at once, and a dry run says so.
            self.assertEqual(cluster.muster("run", "--after", "fetch", "--", "true").returncode, 0)
            late = cluster.muster("run", "--after", "broken", "--", "true", text=True)
            self.assertEqual(late.returncode, 125)
            self.assertIn("dependency", late.stderr)
            self.assertIn("It would be CANCELLED at once", cluster.ok("submit", "--after", "broken", "--dry-run", "--", "true"))

    def test_last_a_batch_and_one_of_it(self):
        with Cluster(workers=1, slots=8) as cluster:
            gate = cluster.directory / "gate"
            batch = cluster.ok("map", "--detach", "--", "sh", "-c",
                               f"until [ -e {gate} ]; do sleep 0.02; done; exit {{}}", ":::", "0", "3", "0").strip()
            whole = self.submit(cluster, "--after", "last:any", "--", "true")
            one = self.submit(cluster, "--after", batch + "/1", "--", "true")
            two = self.submit(cluster, "--after", batch + "/2", "--", "true")
            some = self.submit(cluster, "--after", batch + ":failure", "--", "true")
            rows = cluster.ok("map", "--detach", "--after", batch + ":failure", "--", "echo", "{}", ":::", "a", "b").strip()
            self.assertIn("(3 of 3 left)", cluster.ok("get", whole))
            shown = cluster.task(some)["spec"]["dependencies"]
            self.assertEqual([(one["task"], one["condition"], one["tasks"][0]["count"]) for one in shown],
                             [(batch, "DEPENDENCY_CONDITION_FAILURE", "3")])
            gate.touch()
            for task, state in ((whole, "SUCCEEDED"), (one, "SUCCEEDED"), (two, "CANCELLED"), (some, "SUCCEEDED"),
                                (rows + "/1", "SUCCEEDED"), (rows + "/2", "SUCCEEDED")):
                with self.subTest(task=task):
                    cluster.await_state(task, state)

    def test_what_is_not_there_is_one_clear_line(self):
        with Cluster(workers=0) as cluster:
            for after, line in {
                    "nobody": "muster: refused: task.dependencies[0].task: cannot be waited for: no task nobody; `muster ps -a` lists them",
                    "no/body": "must be an id, BATCH, BATCH/NUMBER or a name",
                    "nobody:never": "muster: --after: 'never' is no condition"}.items():
                with self.subTest(after=after):
                    refused = cluster.muster("submit", "--after", after, "--", "true", text=True)
                    self.assertNotEqual(refused.returncode, 0)
                    self.assertIn(line, refused.stderr)
                    self.assertEqual(len(refused.stderr.strip().splitlines()), 1, refused.stderr)
            self.assertEqual(cluster.ok("ps", "-a", "-q"), "")

    def test_a_killed_master_goes_on_waiting_and_starts_nothing_too_early(self):
        with Cluster(workers=1, slots=8) as cluster:
            gate, first = self.gated(cluster, "first")
            order = cluster.directory / "order"
            failed = self.submit(cluster, "--", "false")
            cluster.await_state(failed, "FAILED")
            chain = [self.submit(cluster, "--after", "first", "--after", failed + ":failure", "--", "sh", "-c", f"echo 1 >> {order}")]
            for number in range(2, 6):
                chain.append(self.submit(cluster, "--after", chain[-1], "--", "sh", "-c", f"echo {number} >> {order}"))
            never = self.submit(cluster, "--after", chain[0] + ":failure", "--", "touch", cluster.directory / "never")
            for _ in range(2):
                cluster.master.kill()
                cluster.start_master()
                cluster.await_active("w1")
                self.assertEqual([cluster.task(task)["state"] for task in chain], ["TASK_STATE_PENDING"] * 5)
            gate.touch()
            cluster.await_state(chain[1], "SUCCEEDED")
            cluster.master.kill()  # in the middle of it
            cluster.start_master()
            for task in [first, *chain]:
                cluster.await_state(task, "SUCCEEDED")
            cluster.await_state(never, "CANCELLED")
            self.assertEqual(order.read_text(), "1\n2\n3\n4\n5\n")
            self.assertFalse((cluster.directory / "never").exists())

    def test_a_killed_master_finds_what_ended_while_it_was_gone(self):
        with Cluster(workers=1, slots=8) as cluster:
            gate, _ = self.gated(cluster, "first", code=3)
            goes = self.submit(cluster, "--after", "first:failure", "--", "true")
            stays = self.submit(cluster, "--after", "first", "--", "true")
            cluster.master.kill()
            gate.touch()
            cluster.start_master()
            cluster.await_state(goes, "SUCCEEDED")
            cluster.await_state(stays, "CANCELLED")

    def test_a_purge_leaves_what_an_open_task_depends_on(self):
        with Cluster(workers=1, slots=8) as cluster:
            gate, _ = self.gated(cluster, "gate")
            needed = self.submit(cluster, "--", "true")
            others = [self.submit(cluster, "--", "true") for _ in range(3)]
            for task in [needed, *others]:
                cluster.await_state(task, "SUCCEEDED")
            waits = self.submit(cluster, "--after", needed, "--after", "gate", "--", "true")
            cluster.ok("purge", "-y")
            self.assertEqual(cluster.task(needed)["state"], "TASK_STATE_SUCCEEDED")
            self.assertNotEqual(cluster.muster("get", others[0]).returncode, 0)
            cluster.master.kill()
            cluster.start_master()
            gate.touch()
            cluster.await_state(waits, "SUCCEEDED")
            last = self.submit(cluster, "--", "true")  # the newest is kept for its id
            cluster.await_state(last, "SUCCEEDED")
            cluster.ok("purge", "-y")
            gone = cluster.muster("submit", "--after", needed, "--", "true", text=True)
            self.assertIn(f"cannot be waited for: task {needed} is not kept any more", gone.stderr)

    def test_the_same_request_gives_the_same_task_whatever_a_name_means_by_then(self):
        with Cluster(workers=1, slots=8) as cluster:
            gate, _ = self.gated(cluster, "step")
            task = self.submit(cluster, "--after", "step", "--request-id", "r1", "--", "true")
            again, _ = self.gated(cluster, "step")  # a newer one of that name, and the same gate
            self.assertEqual(self.submit(cluster, "--after", "step", "--request-id", "r1", "--", "true"), task)
            gate.touch()
            cluster.await_state(task, "SUCCEEDED")
            retried = cluster.ok("retry", task).strip()
            self.assertEqual(cluster.task(retried)["spec"]["dependencies"], [])
            cluster.await_state(retried, "SUCCEEDED")


if __name__ == "__main__":
    unittest.main()
