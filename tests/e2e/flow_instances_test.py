"""Workflows of published shapes on a real cluster: each instance runs to its end, in the order that its edges ask, and
within 10 % of its critical path when there are workers enough."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import TIME_FACTOR, Cluster

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "support/workflows/wfcommons_instances.py"
# Name, tasks, edges, and the seconds that its critical path is scaled to.
INSTANCES = [("montage-chameleon-2mass-05d-001", 1738, 4698, 30), ("epigenomics-chameleon-hep-1seq-100k-001", 41, 48, 8),
             ("1000genome-chameleon-2ch-100k-001", 52, 76, 8)]


class Instance:
    """Its tasks, their seconds and their parents, read from its file and by nothing of muster."""

    def __init__(self, path):
        workflow = json.loads(path.read_text())["workflow"]
        self.seconds = {task["id"]: task["runtimeInSeconds"] for task in workflow["execution"]["tasks"]}
        self.parents = {task["id"]: set(task.get("parents", [])) for task in workflow["specification"]["tasks"]}

    def critical_path(self):
        ends = {}
        left = dict(self.parents)
        while left:
            ready = [task for task, parents in left.items() if all(parent in ends for parent in parents)]
            for task in ready:
                ends[task] = self.seconds[task] + max((ends[parent] for parent in left.pop(task)), default=0)
        return max(ends.values())


def stamp(text):
    """RFC 3339 with up to nanoseconds, as seconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


class FlowInstances(unittest.TestCase):
    def test_published_shapes_run_in_their_order_about_as_fast_as_their_critical_path(self):
        with Cluster(workers=2, slots=700) as cluster, tempfile.TemporaryDirectory() as directory:
            names = [name for name, _, _, _ in INSTANCES]
            subprocess.run([sys.executable, SCRIPT, "--out", directory, *names], check=True, stdout=subprocess.DEVNULL)
            for name, tasks, edges, seconds in INSTANCES:
                with self.subTest(instance=name):
                    self.run_one(cluster, pathlib.Path(directory) / (name + ".json"), tasks, edges, seconds)

    def run_one(self, cluster, path, tasks, edges, seconds):
        instance = Instance(path)
        self.assertEqual((len(instance.parents), sum(len(parents) for parents in instance.parents.values())), (tasks, edges))
        scale = seconds / instance.critical_path()
        file = cluster.directory / (path.stem + ".yaml")
        file.write_text(cluster.ok("flow", "import", "--wfcommons", str(path), "--scale", str(scale)))
        run = cluster.muster("flow", "run", "-o", "json", str(file), seconds=300)
        self.assertEqual(run.returncode, 0, run.stderr)
        flow = json.loads(run.stdout)
        self.assertEqual(int(flow["task_count"]), tasks)
        took = stamp(flow["end_time"]) - stamp(flow["start_time"])
        print(f"{path.stem}: {took:.2f} s, critical path {seconds} s: {took / seconds:.3f}")
        self.check_order(cluster, instance, flow)
        if TIME_FACTOR == 1:
            self.assertLess(took, seconds * 1.1)

    def check_order(self, cluster, instance, flow):
        whole = json.loads(cluster.ok("flow", "get", "-o", "json", flow["id"], seconds=120))
        times = {node["name"]: (stamp(node["start_time"]), stamp(node["end_time"])) for node in whole["nodes"]}
        self.assertEqual(set(times), set(instance.parents))
        for task, parents in instance.parents.items():
            for parent in parents:
                self.assertLessEqual(times[parent][1], times[task][0], f"{task} began before {parent} had ended")


if __name__ == "__main__":
    unittest.main()
