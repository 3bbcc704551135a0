"""Fifty workflows at once with the real binaries: all end, and every limit is kept, as it is seen from outside."""

import collections
import json
import unittest

from cluster import Cluster, eventually

FLOWS, AT_ONCE, PARALLEL, SLOTS = 50, 6, 2, 4

# It waits until all are there. It writes a line when it begins and one when it ends, each in one write to the end of the file.
MARKED = "until [ -e {gate} ]; do sleep 0.02; done; echo + {number} >> {marks}; sleep 0.02; echo - {number} >> {marks}"
WIDE = """
max_parallel: %(parallel)d
tasks:
  each: {run: '%(run)s', matrix: {i: [1, 2, 3, 4, 5, 6]}}
  last: {run: '%(run)s', needs: each}
"""
NARROW = """
tasks:
  a: {run: '%(run)s'}
  b: {run: '%(run)s', needs: a}
  c: {run: '%(run)s', needs: b}
"""


class FlowCrowd(unittest.TestCase):
    def flows(self, cluster):
        return json.loads(cluster.ok("flow", "ls", "-a", "-o", "json"))["workflows"]

    def count(self, flow, state):
        return sum(int(each["count"]) for each in flow["counts"] if each["state"] == "TASK_STATE_" + state)

    def look(self, cluster):
        """All of them, when all have ended; every look holds the limits against what is told."""
        flows = self.flows(cluster)
        running = [flow for flow in flows if flow["state"] == "WORKFLOW_STATE_RUNNING"]
        self.most_running = max(self.most_running, len(running))
        self.assertLessEqual(len(running), AT_ONCE)
        for flow in running:
            if flow.get("max_parallel"):
                self.assertLessEqual(self.count(flow, "RUNNING") + self.count(flow, "DISPATCHED"), PARALLEL)
        self.assertLessEqual(sum(self.count(flow, "RUNNING") for flow in flows), 2 * SLOTS)
        ended = [flow for flow in flows if flow["state"] not in ("WORKFLOW_STATE_RUNNING", "WORKFLOW_STATE_PENDING")]
        return flows if len(ended) == FLOWS else None

    def test_fifty_at_once_keep_their_limits_and_all_succeed(self):
        self.most_running = 0
        with Cluster(workers=2, slots=SLOTS, master_flags=[f"--workflows.max_running={AT_ONCE}"]) as cluster:
            marks, gate = cluster.directory / "marks", cluster.directory / "gate"
            for number in range(FLOWS):
                text = (WIDE if number % 2 else NARROW) % {"parallel": PARALLEL, "run": MARKED.format(number=number, marks=marks, gate=gate)}
                file = cluster.directory / f"{number}.yaml"
                file.write_text(text)
                cluster.ok("flow", "run", "--no-wait", "-q", str(file))
            self.assertIsNone(self.look(cluster))
            self.assertEqual(self.most_running, AT_ONCE, "as many as may, do")
            gate.touch()
            flows = eventually(lambda: self.look(cluster), 60, "the end of all of them")
            self.assertEqual({flow["state"] for flow in flows}, {"WORKFLOW_STATE_SUCCEEDED"})
            self.check_marks(marks.read_text().split("\n")[:-1])

    def check_marks(self, lines):
        now = collections.Counter()
        for line in lines:
            sign, number = line.split()
            now[number] += 1 if sign == "+" else -1
            self.assertLessEqual(sum(now.values()), 2 * SLOTS)
            self.assertLessEqual(sum(1 for running in now.values() if running), AT_ONCE)
            self.assertLessEqual(now[number], PARALLEL if int(number) % 2 else 1, f"workflow {number}")
        self.assertEqual(collections.Counter(lines), {f"{sign} {number}": 7 if number % 2 else 3 for number in range(FLOWS) for sign in "+-"})


if __name__ == "__main__":
    unittest.main()
