"""Why a task is where it is, asked of a real cluster with the command line."""

import re
import unittest

from cluster import Cluster, eventually


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(workers=2, slots=1, worker_flags=["--labels=zone=east"]).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def setUp(self):
        self.submitted = []

    def tearDown(self):
        for task in self.submitted:
            self.cluster.muster("cancel", task)

    def submit(self, *arguments):
        done = self.cluster.muster("submit", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        task = done.stdout.decode().strip()
        self.submitted.append(task)
        return task, done.stderr.decode()

    def explain(self, *selectors):
        return self.cluster.json("explain", *selectors)["explanations"]

    def code(self, task):
        return self.explain(task)[0]["code"].removeprefix("REASON_CODE_")

    def test_a_label_that_nobody_has_is_told_at_once_and_later(self):
        before = self.cluster.metric("muster_tasks_impossible_total")
        task, said = self.submit("--need", "gpu=a100", "--", "true")
        self.assertIn("no worker has label gpu=a100", said)
        self.assertIn(f"muster explain {task}", said)
        eventually(lambda: self.cluster.metric("muster_tasks_impossible_total") == before + 1, what="the metric")
        explanation = self.explain(task)[0]
        self.assertEqual(explanation["code"], "REASON_CODE_NO_WORKER_HAS_NEED")
        self.assertEqual(explanation["worker_groups"][0]["worker_count"], 2)
        page = self.cluster.ok("explain", task)
        self.assertRegex(page, r"Reason: +NO_WORKER_HAS_NEED\n +No worker has label gpu=a100\.\n")
        self.assertRegex(page, r"Would start: +now, without label gpu=a100\n")
        self.assertRegex(page, "2 workers, each has no label gpu=a100: (w1, w2|w2, w1)")  # as they joined

    def test_a_label_that_every_worker_has_can_be_avoided(self):
        task, said = self.submit("--avoid", "zone=east", "--avoid", "spot", "--", "true")
        self.assertIn("every worker has label zone=east, which the task avoids", said)
        self.assertEqual(self.code(task), "NO_WORKER_WITHOUT_AVOIDED")
        self.assertRegex(self.cluster.ok("get", task), r"Avoids: +zone=east, spot\n")
        self.assertRegex(self.cluster.ok("get", task), r"Reason: +every worker has label zone=east")
        page = self.cluster.ok("submit", "--dry-run", "--avoid", "zone=east", "--", "true")
        self.assertRegex(page, r"Would start: +now, with label zone=east allowed\n")
        batch = self.cluster.muster("map", "--detach", "--avoid", "zone=west", "--", "echo", ":::", "a", "b")
        self.assertEqual((batch.returncode, batch.stderr.count(b"avoids")), (0, 0), batch.stderr)
        self.cluster.ok("wait", batch.stdout.decode().strip())
        refused = self.cluster.muster("submit", "--need", "zone=east", "--avoid", "zone", "--", "true")
        self.assertEqual(refused.returncode, 125)
        self.assertIn(b"requirements.needs[0]", refused.stderr)
        self.assertIn(b"is also avoided", refused.stderr)

    def test_disk_is_counted(self):
        offer = self.cluster.json("worker", "get", "w1")["offer"]
        self.assertGreater(int(offer["disk_bytes"]), 0)
        page = self.cluster.ok("submit", "--dry-run", "--disk", "1000000T", "--", "true")
        self.assertRegex(page, r"Reason: +NO_WORKER_EVER_FITS\n +No worker is large enough \(w[12] has \d+ [GM]iB of disk, ")
        self.assertRegex(page, r"Would start: +now, with disk <= \d+ [GM]iB\n")
        task, said = self.submit("--disk", "1M", "--", "true")
        self.assertEqual(said, "")
        self.cluster.await_state(task, "SUCCEEDED")
        self.assertRegex(self.cluster.ok("get", task), r"Needs: +disk 1.0 MiB\n")

    def test_a_full_cluster_says_who_is_first(self):
        running = [self.submit("--", "sleep", "60")[0] for _ in range(2)]
        for task in running:
            self.cluster.await_state(task, "RUNNING")
        first, said = self.submit("--", "true")
        self.assertEqual(said, "")
        second, _ = self.submit("--", "true")
        third, _ = self.submit("--priority", "9", "--", "true")
        self.assertEqual([self.code(task) for task in [running[0], third, second]],
                         ["RUNNING", "WAITS_FOR_SLOT", "BEHIND_HIGHER_PRIORITY"])
        position = self.explain(second)[0]["position"]
        self.assertEqual((position["ahead_count"], position["ahead_by_priority_count"]), ("2", "1"))
        everything = self.explain(running[0], first, second, third)
        self.assertEqual([one["task_id"] for one in everything], [running[0], first, second, third])

    def test_a_dry_run_says_what_a_submit_would_meet_and_leaves_nothing(self):
        newest = self.cluster.json("ps", "-a")["tasks"]
        page = self.cluster.ok("submit", "--dry-run", "--", "true")
        self.assertRegex(page, r"Reason: +STARTS_NOW\n +Worker w[12] can take it now\.\n")
        page = self.cluster.ok("run", "--dry-run", "--resource", "fpga=2", "--", "true")
        self.assertRegex(page, r"Reason: +NO_WORKER_EVER_FITS\n")
        self.assertRegex(page, r"Would start: +now, without resource fpga\n")
        refused = self.cluster.muster("submit", "--dry-run", "--executor", "sql", "--", "true")
        self.assertEqual(refused.returncode, 125, refused.stderr)
        self.assertIn(b"sql", refused.stderr)
        self.assertEqual(self.cluster.json("ps", "-a")["tasks"], newest)

    def test_an_ended_task_says_how_it_ended(self):
        task, _ = self.submit("--", "sh", "-c", "exit 3")
        self.cluster.await_state(task, "FAILED")
        explanation = self.explain(task)[0]
        self.assertEqual(explanation["code"], "REASON_CODE_ENDED")
        self.assertRegex(explanation["sentence"], r"It ended FAILED: exited with 3\.")

    def test_of_many_tasks_some_are_explained_and_the_rest_counted(self):
        done = self.cluster.muster("map", "--detach", "--need", "moon", "--", "echo", ":::", *map(str, range(15)))
        self.assertEqual(done.returncode, 0, done.stderr)
        batch = done.stdout.decode().strip()
        self.submitted.append(batch)
        shown = self.cluster.muster("explain", batch)
        self.assertEqual(len(re.findall(rb"^Task:", shown.stdout, re.M)), 10)
        self.assertIn(b"5 more are not explained", shown.stderr)
        self.assertEqual(len(self.explain("--limit", "15", batch)), 15)
        self.assertIn(b"no worker has label moon", done.stderr)

    def test_run_says_at_once_what_no_worker_can_take(self):
        before = self.cluster.metric("muster_tasks_impossible_total")
        done = self.cluster.muster("run", "--detach", "--slots", "64", "--", "true")
        self.assertEqual(done.returncode, 0)
        task = done.stdout.decode().strip()
        self.submitted.append(task)
        self.assertIn(f"{task} waits for a worker that can take it: no worker is large enough", done.stderr.decode())
        self.assertRegex(self.cluster.ok("get", task), r"Reason: +no worker is large enough \(w[12] has 1 slot, 64 are asked for")
        eventually(lambda: self.cluster.metric("muster_tasks_impossible_total") == before + 1, what="the metric")

    def test_what_is_not_there_is_a_refusal(self):
        self.assertEqual(self.cluster.muster("explain", "no-such-task").returncode, 125)
        self.assertEqual(self.cluster.muster("explain").returncode, 2)
        self.assertEqual(self.cluster.muster("explain", "--limit", "1000", "last").returncode, 2)

    def test_a_drain_is_named(self):
        for name in ("w1", "w2"):
            self.cluster.ok("worker", "drain", name, "--reason", "new kernel")
        try:
            task, _ = self.submit("--", "true")
            eventually(lambda: self.code(task) == "WORKERS_DRAINING", what="the drain in the explanation")
            self.assertIn("new kernel", self.explain(task)[0]["sentence"])
        finally:
            for name in ("w1", "w2"):
                self.cluster.ok("worker", "resume", name)
        self.cluster.await_state(task, "SUCCEEDED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
