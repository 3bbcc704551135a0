"""Who may run what: the master's policy before a task is accepted, the worker's own before it runs, and both tried out first."""

import json
import subprocess
import unittest

from cluster import BIN, Cluster

RULES = """
rules:
  - {name: ops, who: [ops], allow: true}
  - {name: no-shell, shell: true, deny: name a program}
  - {name: tools, programs: [echo, "true"], environment: [LANG, "JOB_*"], most: {priority: 5}, allow: true}
"""


class Policies(unittest.TestCase):
    def cluster(self, rules, **options):
        cluster = Cluster(workers=0, **options)
        path = cluster.directory / "policy.yaml"
        path.write_text(rules)
        cluster.master_flags = [*cluster.master_flags, f"--policy.file={path}"]
        return cluster

    def refused(self, cluster, words, *arguments):
        ran = cluster.muster(*arguments, text=True)
        self.assertEqual((ran.returncode, ran.stderr.count("\n")), (125, 1), ran.stderr)
        self.assertIn(words, ran.stderr)
        return ran

    def file(self, cluster, name, text):
        path = cluster.directory / name
        path.write_text(text)
        return str(path)

    def test_whatever_way_a_task_comes_the_rules_are_asked(self):
        with self.cluster(RULES) as cluster:
            cluster.start_worker("w1")
            self.assertEqual(cluster.ok("run", "-e", "JOB_DAY=1", "--", "echo", "hi"), "hi\n")
            for arguments in (["submit", "--", "rm", "x"], ["run", "--", "rm", "x"], ["submit", "--dry-run", "--", "rm", "x"],
                              ["schedule", "add", "s", "every 1h", "--", "rm", "x"]):
                self.refused(cluster, "no rule of the policy allows", *arguments)
            self.refused(cluster, "rule no-shell of the policy: name a program", "submit", "--shell", "echo x")
            self.refused(cluster, "sets no variable LD_PRELOAD; it allows LANG, JOB_*", "submit", "-e", "LD_PRELOAD=/tmp/x.so", "--", "echo")
            self.refused(cluster, "a priority of at most 5, and this is 6", "submit", "--priority", "6", "--", "echo")
            ran = cluster.muster("map", "{}", ":::", "echo", "rm", text=True)
            self.assertNotEqual(ran.returncode, 0)
            self.assertIn("no rule of the policy allows", ran.stderr)
            flow = "tasks: {pick: {command: [echo], outputs: [a]}, use: {needs: pick, command: [echo], env: {LD_PRELOAD: '{{ pick.a }}'}}}\n"
            self.refused(cluster, "sets no variable LD_PRELOAD", "flow", "run", self.file(cluster, "w.yaml", flow))
            self.assertEqual(json.loads(cluster.ok("ps", "-a", "-o", "json"))["tasks"].__len__(), 1, "a refused one left something")

    def test_what_was_allowed_once_is_asked_for_again_when_it_is_tried_again(self):
        with self.cluster("rules: [{name: all, allow: true}]\n") as cluster:
            cluster.start_worker("w1")
            task = cluster.ok("submit", "--", "false").strip()
            cluster.await_state(task, "FAILED")
            self.file(cluster, "policy.yaml", RULES)
            cluster.kill_master()
            cluster.start_master()
            self.refused(cluster, "no rule of the policy allows", "retry", task)

    def test_the_stricter_of_master_and_worker_wins(self):
        with Cluster(workers=0) as cluster:
            policy = self.file(cluster, "worker.yaml", RULES)
            cluster.start_worker("w1", f"--policy.file={policy}")
            self.assertEqual(cluster.ok("run", "--", "echo", "hi"), "hi\n")
            ran = cluster.muster("run", "--", "rm", "x", text=True)
            self.assertNotEqual(ran.returncode, 0)
            self.assertIn("worker w1 does not run it: no rule of the policy allows", ran.stderr)

    def test_a_file_that_is_not_understood_ends_the_start_with_its_line(self):
        with Cluster(workers=0) as cluster:
            bad = self.file(cluster, "bad.yaml", "rules:\n  - {name: a, alow: true}\n")
            for program in ("muster-master", "muster-worker"):
                ended = subprocess.run([BIN / program, f"--policy.file={bad}", f"--{'store.path' if program == 'muster-master' else 'work_dir'}={cluster.directory}/x"],
                                       capture_output=True, text=True, timeout=60)
                self.assertEqual((ended.returncode, ended.stderr.count("\n")), (2, 1), ended.stderr)
                self.assertIn("bad.yaml:2: 'alow' is no key of a rule", ended.stderr)

    def test_a_policy_can_be_tried_out(self):
        with Cluster(workers=1) as cluster:
            policy = self.file(cluster, "p.yaml", RULES)
            task = cluster.ok("submit", "--", "echo", "hi").strip()
            spec = json.loads(cluster.ok("get", "-o", "json", task))
            spec = spec.get("task", spec)["spec"]
            judge = lambda spec: subprocess.run([BIN / "muster-master", "policy", "test", policy, "-"], input=json.dumps(spec),
                                                capture_output=True, text=True, timeout=60)
            self.assertEqual((judge(spec).returncode, judge(spec).stdout), (0, "allowed by rule tools\n"))
            spec["command"]["argv"][0] = "rm"
            self.assertEqual(judge(spec).returncode, 1)
            self.assertIn("refused: no rule of the policy allows", judge(spec).stdout)
            self.assertEqual(judge({"no": "task"}).returncode, 2)


if __name__ == "__main__":
    unittest.main()
