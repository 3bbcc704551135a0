"""What-if on the log of a real run: as it was, it must come out as it was."""

import json
import pathlib
import tempfile
import unittest

from cluster import Cluster

TASKS = 120
SLOTS = 2 * 2


class Simulate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(workers=2, slots=2).__enter__()
        cls.folder = tempfile.TemporaryDirectory()
        cls.log = pathlib.Path(cls.folder.name) / "log.jsonl"
        # Run times from 0.1 to 0.4 s, in an order that repeats.
        cls.cluster.ok("map", "sleep", "0.{}", ":::", *[str(1 + i * 7 % 4) for i in range(TASKS)])
        cls.log.write_text(cls.cluster.ok("log", "-o", "jsonl"))

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)
        cls.folder.cleanup()

    def simulate(self, *flags):
        return json.loads(self.cluster.ok("simulate", "--log", str(self.log), "-o", "json", *flags))

    def test_the_mean_wait_of_a_real_run_comes_out_within_a_tenth(self):
        answer = self.simulate()
        real, simulated = answer["observed_mean_wait_seconds"], answer["runs"][0]["wait_seconds"]["mean"]
        self.assertGreater(real, 1, "it was a run with a queue")
        self.assertAlmostEqual(simulated / real, 1, delta=0.1)
        self.assertEqual(answer["runs"][0]["tasks"], TASKS)
        self.assertEqual(answer["left_out"], 0)

    def test_twice_the_workers_take_half_the_time(self):
        as_it_was = self.simulate()["runs"][0]
        twice = self.simulate("--workers", "4")["runs"][0]
        self.assertAlmostEqual(twice["makespan_seconds"] / as_it_was["makespan_seconds"], 0.5, delta=0.1)
        self.assertLess(twice["wait_seconds"]["mean"], 0.6 * as_it_was["wait_seconds"]["mean"])

    def test_two_balancers_stand_side_by_side(self):
        table = self.cluster.ok("simulate", "--log", str(self.log), "--balancer", "least_loaded", "--balancer", "round_robin")
        self.assertRegex(table, r"^ +least_loaded +round_robin\n")
        for row in ("mean wait", "makespan", "slots in use", "fairness"):
            self.assertRegex(table, rf"\n{row} +\S+")
        self.assertIn("In truth the mean wait was", table)

    def test_a_trace_of_an_archive_needs_no_master(self):
        trace = pathlib.Path(self.folder.name) / "small.swf"
        trace.write_text("; MaxProcs: 4\n" + "".join(
            f"{i} {i} -1 10 {1 + i % 4} -1 -1 -1 -1 -1 1 {i % 3} 1 -1 1 -1 -1 -1\n" for i in range(1, 41)))
        answer = json.loads(self.cluster.ok("--master", "127.0.0.1:1", "simulate", "--swf", str(trace), "-o", "json"))
        self.assertEqual(answer["runs"][0]["tasks"], 40)
        narrow = self.cluster.muster("simulate", "--swf", str(trace), "--workers", "2", "--slots", "2")
        self.assertIn("20 tasks are wider than every worker", narrow.stderr.decode())

    def test_what_cannot_be_read_is_said_in_one_line(self):
        bad = pathlib.Path(self.folder.name) / "bad.jsonl"
        bad.write_text('{"time":"2026-01-02T03:04:05Z"}\nnonsense\n')
        timeless = pathlib.Path(self.folder.name) / "timeless.jsonl"
        timeless.write_text('{"commit":"1"}\n')
        for flags, words in (((), "wants --log FILE"), (("--log", "/nowhere"), "cannot read /nowhere: No such file"),
                             (("--log", "/"), "cannot read /: Is a directory"), (("--swf", "/"), "Is a directory"),
                             (("--log", str(bad)), "line 2"), (("--log", str(timeless)), "line 1 has no time"), (("--swf", str(bad)), "line 1"),
                             (("--log", str(self.log), "--swf", str(bad)), "wants --log FILE"),
                             (("--log", str(self.log), "--balancer", "best"), "use least_loaded, round_robin, weighted"),
                             (("--log", str(self.log), "--workers", "0"), "--workers is not in 1..20000")):
            done = self.cluster.muster("simulate", *flags)
            self.assertEqual(done.returncode, 2, (flags, done.stderr))
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
            self.assertIn(words, done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
