"""What tasks of a workflow write for others: variables, conditions, what breaks; and a task that adds to its own workflow.
Real binaries, and a master that is killed while values are on their way."""

import json
import unittest

from cluster import BIN, Cluster, eventually

VALUES = """
name: values
parameters: {mode: full}
tasks:
  pick:
    run: printf 'model=a b{1}\\nrows=7\\n' >> "$MUSTER_OUTPUTS"
    outputs: [model, rows]
  train:
    needs: pick
    env: {MODEL: "{{ pick.model }}"}
    matrix: {fold: [1, 2]}
    run: echo "$MODEL/"{{ matrix.fold }}
  none: {needs: pick, if: pick.rows == 0, run: echo none}
  some: {needs: pick, if: pick.rows != 0, run: echo some}
  deep: {needs: some, if: '"{{ mode }}" == full', run: echo deep}
"""

# Its own tasks find two pieces, and say what is to be done with each.
GROWS = """
name: grows
tasks:
  list:
    env: {FLOW: "%(muster)s"}
    run: |
      cat > more.yaml <<'END'
      parameters: {word: }
      tasks:
        piece1: {run: 'echo \\{{ word }} 1', needs: [{list: success}]}
        piece2: {run: 'echo \\{{ word }} 2', needs: [{list: success}]}
        join: {run: echo joined, needs: [piece1, piece2, after]}
      END
      "$FLOW" flow add more.yaml --set word=piece
      "$FLOW" flow add more.yaml --set word=piece
  after: {run: echo after, needs: list}
"""


class FlowValues(unittest.TestCase):
    def file(self, cluster, name, text):
        path = cluster.directory / name
        path.write_text(text)
        return str(path)

    def run_flow(self, cluster, text, code):
        ran = cluster.muster("flow", "run", self.file(cluster, "w.yaml", text), text=True)
        self.assertEqual(ran.returncode, code, ran.stderr)
        return ran

    def nodes(self, cluster, selector):
        whole = json.loads(cluster.ok("flow", "get", "-o", "json", selector))
        return whole["workflow"], {node["name"]: node for node in whole["nodes"]}

    def logs(self, cluster, node):
        first, count = node["tasks"][0]["first_id"], int(node["tasks"][0]["count"])
        return cluster.ok("logs", first) if count == 1 else "".join(
            cluster.ok("logs", task["id"]) for task in json.loads(cluster.ok("ps", "-a", "-o", "json"))["tasks"]
            if task["spec"].get("name") == node["name"])

    def test_a_value_is_a_variable_and_decides_who_runs(self):
        with Cluster(workers=2, slots=2) as cluster:
            self.run_flow(cluster, VALUES, 0)
            workflow, nodes = self.nodes(cluster, "values")
            self.assertEqual(sorted(self.logs(cluster, nodes["train"]).split("\n")), ["", "a b{1}/1", "a b{1}/2"])
            self.assertTrue(nodes["none"]["skipped"])
            self.assertEqual(nodes["none"]["reason"], "condition: pick.rows is '7', and not '0'")
            self.assertEqual(self.logs(cluster, nodes["deep"]), "deep\n")
            pick = cluster.task(nodes["pick"]["tasks"][0]["first_id"])
            self.assertEqual(pick["attempts"][-1]["outputs"], [{"name": "model", "value": "a b{1}"}, {"name": "rows", "value": "7"}])
            self.assertEqual(workflow["skipped_count"], "1")

    def test_a_value_that_was_not_written_breaks_that_workflow_alone(self):
        with Cluster(workers=1, slots=4) as cluster:
            broken = self.run_flow(cluster, """
name: broken
tasks:
  pick: {run: 'true', outputs: [model]}
  train: {needs: pick, env: {MODEL: "{{ pick.model }}"}, run: echo never}
  clean: {needs: [{train: any}], run: echo clean}
""", 1)
            workflow, nodes = self.nodes(cluster, "broken")
            self.assertEqual(workflow["state"], "WORKFLOW_STATE_FAILED")
            self.assertRegex(workflow["reason"], "^broke at task [0-9A-Z]+: its variable MODEL is pick.model, which was not written$")
            self.assertIn("broke at task", broken.stderr)
            self.assertEqual(self.logs(cluster, nodes["clean"]), "clean\n")
            self.run_flow(cluster, VALUES, 0)

    def test_a_file_of_outputs_that_cannot_be_read_fails_its_task(self):
        with Cluster(workers=1, slots=2) as cluster:
            self.run_flow(cluster, "name: bad\ntasks: {pick: {run: 'echo nonsense > $MUSTER_OUTPUTS', outputs: [model]}}\n", 1)
            task = cluster.task(self.nodes(cluster, "bad")[1]["pick"]["tasks"][0]["first_id"])
            self.assertEqual(task["state"], "TASK_STATE_FAILED")
            self.assertEqual(task["attempts"][-1]["end"]["reason"], "END_REASON_VALIDATION_FAILED")

    def test_a_task_adds_to_its_own_workflow_once_though_it_asks_twice(self):
        with Cluster(workers=2, slots=2) as cluster:
            self.run_flow(cluster, GROWS % {"muster": BIN / "muster"}, 0)
            workflow, nodes = self.nodes(cluster, "grows")
            self.assertEqual(workflow["task_count"], "5")
            self.assertEqual(workflow.get("retry_count", 0), 0)
            self.assertEqual(self.logs(cluster, nodes["piece2"]), "piece 2\n")
            self.assertEqual(self.logs(cluster, nodes["join"]), "joined\n")
            late = cluster.muster("flow", "add", "--to", "grows", self.file(cluster, "late.yaml", "tasks: {late: {run: 'true'}}\n"), text=True)
            self.assertEqual(late.returncode, 125)
            self.assertIn("WORKFLOW_HAS_ENDED", late.stderr)
            nowhere = cluster.muster("flow", "add", self.file(cluster, "late.yaml", "tasks: {late: {run: 'true'}}\n"), text=True)
            self.assertEqual(nowhere.returncode, 2)
            self.assertIn("--to", nowhere.stderr)

    def test_what_is_wrong_with_an_addition_is_one_line_and_adds_nothing(self):
        with Cluster(workers=1, slots=2) as cluster:
            hold = self.file(cluster, "hold.yaml", "name: hold\ntasks: {wait: {run: sleep 600, outputs: [o]}}\n")
            flow = cluster.ok("flow", "run", "--no-wait", hold).strip()
            for text, code, line in [
                    ("tasks: {wait: {run: x}}\n", 125, "'wait' is the name of nodes[0], too"),
                    ("tasks: {a: {run: x, needs: [wiat]}}\n", 125, "did you mean 'wait'?"),
                    ("tasks: {a: {run: x, needs: [wait], if: wait.p == 1}}\n", 125, "has no output 'p'"),
                    ("name: other\ntasks: {a: {run: x}}\n", 2, "whole workflow's"),
                    ("tasks: {a: {run: x, needs: [b]}, b: {run: x, needs: [a]}}\n", 2, "circle")]:
                with self.subTest(text=text):
                    refused = cluster.muster("flow", "add", "--to", flow, self.file(cluster, "bad.yaml", text), text=True)
                    self.assertEqual((refused.returncode, refused.stderr.count("\n")), (code, 1), refused.stderr)
                    self.assertIn(line, refused.stderr)
            self.assertEqual(self.nodes(cluster, flow)[0]["task_count"], "1")
            cluster.ok("flow", "cancel", flow)

    def test_a_killed_master_passes_on_what_was_written_before(self):
        with Cluster(workers=1, slots=2) as cluster:
            gate = cluster.directory / "gate"
            flow = cluster.ok("flow", "run", "--no-wait", self.file(cluster, "w.yaml", f"""
name: long
tasks:
  pick: {{run: 'echo model=x1 > "$MUSTER_OUTPUTS"', outputs: [model]}}
  wait: {{run: 'until test -e {gate}; do sleep 0.05; done', needs: pick}}
  more: {{needs: wait, run: 'true'}}
  use: {{needs: [pick, wait], env: {{MODEL: "{{{{ pick.model }}}}"}}, run: echo "$MODEL"}}
""")).strip()
            eventually(lambda: cluster.task(self.nodes(cluster, flow)[1]["wait"]["tasks"][0]["first_id"])["state"] == "TASK_STATE_RUNNING",
                       30, "the second task to run")
            cluster.ok("flow", "add", "--to", flow, self.file(cluster, "more.yaml",
                       'tasks: {late: {needs: [pick, wait], env: {M: "{{ pick.model }}"}, run: echo "$M late"}}\n'))
            cluster.kill_master()
            cluster.start_master()
            gate.touch()
            eventually(lambda: self.nodes(cluster, flow)[0]["state"] == "WORKFLOW_STATE_SUCCEEDED", 60, "the workflow to end")
            nodes = self.nodes(cluster, flow)[1]
            self.assertEqual(self.logs(cluster, nodes["use"]), "x1\n")
            self.assertEqual(self.logs(cluster, nodes["late"]), "x1 late\n")

    # Each of ten tasks adds one task, fails, and adds it again in its second attempt, while the master is killed. The CLI
    # sends its call again until it is answered.
    def test_tasks_that_add_in_each_attempt_over_kills_of_the_master_add_once(self):
        with Cluster(workers=2, slots=4) as cluster:
            ran, adding = cluster.directory / "ran", 10
            for i in range(adding):
                self.file(cluster, f"more{i}.yaml", f"tasks: {{more{i}: {{run: 'echo more{i} >> {ran}'}}}}\n")
            script = f"echo tries >> {cluster.directory}/tries; {BIN / 'muster'} flow add {cluster.directory}/more"
            tasks = "".join(f"  n{i}: {{retries: 3, run: '{script}{i}.yaml && test $MUSTER_ATTEMPT -gt 1'}}\n" for i in range(adding))
            flow = cluster.ok("flow", "run", "--no-wait", self.file(cluster, "adds.yaml", f"name: adds\ntasks:\n{tasks}")).strip()
            tries = cluster.directory / "tries"
            for kill in range(4):
                eventually(lambda: tries.exists() and len(tries.read_text().split()) >= 1 + 4 * kill, 60, f"attempts before kill {kill}")
                cluster.kill_master()
                cluster.start_master()
            eventually(lambda: self.nodes(cluster, flow)[0]["state"] == "WORKFLOW_STATE_SUCCEEDED", 120, "the workflow to end")
            self.assertEqual(sorted(ran.read_text().split()), sorted(f"more{i}" for i in range(adding)), "each was added once")
            self.assertEqual(self.nodes(cluster, flow)[0]["task_count"], str(2 * adding))


if __name__ == "__main__":
    unittest.main()
