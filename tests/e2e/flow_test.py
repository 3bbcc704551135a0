"""Workflows with the real binaries: a failure that is tried again, bad files, a folder, a cancel, limits, and a master
that is killed while one runs."""

import json
import signal
import unittest

from cluster import Cluster, eventually

NIGHTLY = """
name: nightly
parameters:
  city: {default: Bonn}
tasks:
  fetch: {run: 'echo fetched {{ city }}'}
  score:
    command: [sh, -c, 'echo "$1 $2"', score, "{{ matrix.model }}", "{{ matrix.seed }}"]
    matrix: {model: [a, b], seed: [1, 2]}
    needs: fetch
  build: {run: 'test -e %(ok)s', needs: score}
  report: {run: echo report, needs: build}
  tell: {run: echo told, needs: [{build: failure}]}
"""


class Flow(unittest.TestCase):
    def file(self, cluster, name, text):
        path = cluster.directory / name
        path.write_text(text)
        return str(path)

    def flow(self, cluster, selector):
        whole = json.loads(cluster.ok("flow", "get", "-o", "json", selector))
        return whole["workflow"], {node["name"]: node for node in whole["nodes"]}

    def first_task(self, node):
        return node["tasks"][0]["first_id"]

    def await_flow(self, cluster, selector, state, seconds=60):
        return eventually(lambda: (lambda flow: flow if flow[0]["state"] == "WORKFLOW_STATE_" + state else None)(
            self.flow(cluster, selector)), seconds, f"workflow {selector} to be {state}")

    def test_what_failed_is_tried_again_and_what_succeeded_stays(self):
        with Cluster(workers=2, slots=2) as cluster:
            ok = cluster.directory / "ok"
            file = self.file(cluster, "nightly.yaml", NIGHTLY % {"ok": ok})
            failed = cluster.muster("flow", "run", file, "--set", "city=Ulm", text=True)
            self.assertEqual(failed.returncode, 1, failed.stderr)
            self.assertIn("build (task", failed.stderr)
            self.assertIn("flow retry", failed.stderr)
            workflow, nodes = self.flow(cluster, "nightly")
            self.assertEqual(workflow["state"], "WORKFLOW_STATE_FAILED")
            self.assertTrue(nodes["report"]["skipped"])
            self.assertFalse(nodes["tell"]["skipped"])
            self.assertEqual(cluster.ok("logs", self.first_task(nodes["fetch"])), "fetched Ulm\n")
            rows = nodes["score"]["tasks"][0]
            self.assertEqual(rows["count"], "4")
            told = self.first_task(nodes["tell"])

            ok.touch()
            again = cluster.muster("flow", "retry", "nightly", text=True)
            self.assertEqual(again.returncode, 0, again.stderr)
            after, now = self.flow(cluster, workflow["id"])
            self.assertEqual(after["state"], "WORKFLOW_STATE_SUCCEEDED")
            self.assertEqual(after["retry_count"], 1)
            self.assertEqual(now["fetch"]["tasks"], nodes["fetch"]["tasks"])
            self.assertEqual(now["score"]["tasks"], nodes["score"]["tasks"])
            self.assertEqual(now["build"]["earlier_task_ids"], [self.first_task(nodes["build"])])
            self.assertEqual(cluster.task(self.first_task(now["build"]))["retry_of"], self.first_task(nodes["build"]))
            self.assertTrue(now["tell"]["skipped"])
            self.assertEqual(now["tell"]["earlier_task_ids"], [told])
            nothing = cluster.muster("flow", "retry", "nightly", text=True)
            self.assertEqual((nothing.returncode, nothing.stderr),
                             (125, "muster: refused: nothing of it failed: there is nothing to try again [NOTHING_FAILED]\n"))
            listed = cluster.ok("flow", "ls", "-a")
            self.assertIn("nightly", listed)
            self.assertIn("SUCCEEDED", listed)

    def test_what_is_wrong_is_one_line_and_nothing_is_run(self):
        with Cluster(workers=0) as cluster:
            for text, code, line in [
                    ("tasks:\n  a: {run: x, needs: [b]}\n  b: {run: x, needs: [a]}\n", 2, "circle: a -> b -> a"),
                    ("tasks:\n  fetch: {run: x}\n  b: {run: x, needs: [fecth]}\n", 2, "did you mean 'fetch'?"),
                    ("parameters: {city: }\ntasks: {a: {run: 'echo {{ city }}'}}\n", 125, "city"),
                    ("tasks: {a: {run: x, executor: nobody}}\n", 125, "nobody")]:
                with self.subTest(text=text):
                    refused = cluster.muster("flow", "run", self.file(cluster, "bad.yaml", text), text=True)
                    self.assertEqual((refused.returncode, refused.stderr.count("\n")), (code, 1), refused.stderr)
                    self.assertIn(line, refused.stderr)
            self.assertEqual(json.loads(cluster.ok("flow", "ls", "-a", "-o", "json"))["workflows"], [])
            self.assertEqual(cluster.muster("flow", "get", "nobody", text=True).stderr, "muster: no workflow nobody; `muster flow ls -a` lists them [NO_SUCH_WORKFLOW]\n")

    def test_a_folder_a_plan_and_a_drawing(self):
        with Cluster(workers=1) as cluster:
            folder = cluster.directory / "tasks"
            folder.mkdir()
            (folder / "fetch.yaml").write_text("run: echo one\n")
            (folder / "load.yaml").write_text("run: echo two\nneeds: fetch\n")
            plan = cluster.ok("flow", "plan", str(folder))
            self.assertIn("2 tasks in 2 stages", plan)
            self.assertIn("fetch -> load", plan)
            self.assertIn("digraph", cluster.ok("flow", "plan", "-o", "dot", str(folder)))
            self.assertEqual(json.loads(cluster.ok("flow", "ls", "-a", "-o", "json"))["workflows"], [], "a plan changes nothing")
            self.assertEqual(cluster.muster("flow", "run", str(folder)).returncode, 0)

    def test_a_cancelled_one_ends_with_all_its_tasks(self):
        with Cluster(workers=1, slots=2) as cluster:
            file = self.file(cluster, "long.yaml", "name: long\ntasks:\n  a: {run: sleep 600}\n  b: {run: echo b, needs: a}\n"
                                                   "  c: {run: echo c, needs: [{b: any}]}\n")
            flow = cluster.ok("flow", "run", "--no-wait", "-q", file).strip()
            eventually(lambda: self.flow(cluster, flow)[1]["a"]["counts"] == [{"state": "TASK_STATE_RUNNING", "count": "1"}])
            self.assertEqual(cluster.muster("flow", "cancel", "long", "--reason", "wrong input").returncode, 0)
            workflow, nodes = self.flow(cluster, flow)
            self.assertEqual(workflow["state"], "WORKFLOW_STATE_CANCELLED")
            self.assertIn("wrong input", workflow["reason"])
            self.assertTrue(all(node["counts"] == [{"state": "TASK_STATE_CANCELLED", "count": "1"}] for node in nodes.values()))
            self.assertEqual(cluster.muster("flow", "get", "-w", flow).returncode, 125)

    def test_limits_are_told_and_kept(self):
        with Cluster(workers=1, slots=8, master_flags=["--workflows.max_running=1"]) as cluster:
            gate = cluster.directory / "gate"
            text = f"max_parallel: 1\ntasks:\n  t: {{run: 'until [ -e {gate} ]; do sleep 0.02; done', matrix: {{i: [1, 2, 3]}}}}\n"
            first = cluster.ok("flow", "run", "--no-wait", self.file(cluster, "wide.yaml", text)).strip()
            second = cluster.ok("flow", "run", "--no-wait", self.file(cluster, "wide.yaml", text)).strip()
            waits = self.flow(cluster, first)[1]["t"]["tasks"][0]["first_id"]
            batch = cluster.task(waits)["batch_id"]
            self.assertIn("runs at most 1 task at once, and 1 is on the way", cluster.ok("explain", batch + "/2"))
            self.assertEqual(self.flow(cluster, second)[0]["state"], "WORKFLOW_STATE_PENDING")
            self.assertIn("waits for its turn", cluster.ok("explain", self.flow(cluster, second)[1]["t"]["tasks"][0]["first_id"]))
            gate.touch()
            self.await_flow(cluster, second, "SUCCEEDED")
            self.assertEqual(self.flow(cluster, first)[0]["state"], "WORKFLOW_STATE_SUCCEEDED")

    def test_a_master_killed_again_and_again_runs_each_node_once_and_in_order(self):
        with Cluster(workers=2, slots=4) as cluster:
            ran = cluster.directory / "ran"
            nodes = 40
            tasks = [f"  n{i}: {{run: 'echo n{i} >> {ran}; sleep 0.05'" + (f", needs: [n{i - 1}]" if i % 4 else (f", needs: [n{i - 4}]" if i else "")) + "}"
                     for i in range(nodes)]
            flow = cluster.ok("flow", "run", "--no-wait", self.file(cluster, "chains.yaml", "tasks:\n" + "\n".join(tasks) + "\n")).strip()
            for kill in range(5):
                eventually(lambda: ran.exists() and len(ran.read_text().split()) >= 4 + 6 * kill, 60, f"progress before kill {kill}")
                cluster.kill_master()
                cluster.start_master()
            self.await_flow(cluster, flow, "SUCCEEDED", 120)
            order = ran.read_text().split()
            self.assertEqual(sorted(order), sorted(f"n{i}" for i in range(nodes)), "each node once")
            for i in range(1, nodes):
                need = i - 1 if i % 4 else i - 4
                self.assertLess(order.index(f"n{need}"), order.index(f"n{i}"))


if __name__ == "__main__":
    unittest.main()
