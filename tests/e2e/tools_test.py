"""The faces around the cluster: reflection, HTTP, the recipes, dev, completion, formats."""

import json
import pathlib
import re
import shlex
import subprocess
import unittest
import urllib.error
import urllib.request

from cluster import BIN, Cluster, OnOneCluster, alive, children, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Faces(OnOneCluster):
    def reflect(self, *arguments):
        done = subprocess.run([BIN / "reflect", "-plaintext", *arguments], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done.stdout

    def test_both_servers_can_be_listed_described_and_called_without_proto_files(self):
        worker = self.cluster.workers["w1"].addresses["grpc"]
        for address, services in ((self.cluster.address, {"muster.v1.TaskService", "muster.v1.ClusterService", "muster.v1.QueueService", "muster.v1.ScheduleService",
                                                          "muster.v1.RegistryService", "grpc.health.v1.Health"}),
                                  (worker, {"muster.v1.WorkerService", "grpc.health.v1.Health"})):
            self.assertLessEqual(services, set(self.reflect(address, "list").split()))
            self.assertIn("SERVING", self.reflect(address, "grpc.health.v1.Health/Check"))
        self.assertIn("argv", self.reflect(self.cluster.address, "describe", "muster.v1.Command"))
        events = self.reflect("-d", '{"task":{"command":{"argv":["echo","direct"]}}}', worker,
                              "muster.v1.WorkerService/Execute")
        self.assertIn("ZGlyZWN0Cg==", events)  # "direct\n"

    def test_every_recipe_works_as_it_stands(self):
        ports = {"localhost:7070": self.cluster.address, "localhost:7071": self.cluster.workers["w1"].addresses["grpc"]}
        recipes = [line for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs/recipes.md").read_text(), re.S)
                   for line in block.splitlines() if line.startswith("grpcurl ")]
        self.assertGreater(len(recipes), 10)
        for recipe in recipes:
            words = [ports.get(word, word) for word in shlex.split(recipe)[2:]]
            self.assertTrue(self.reflect(*words), recipe)

    def test_http_serves_metrics_health_and_readiness(self):
        for daemon in (self.cluster.master, self.cluster.workers["w1"]):
            base = "http://" + daemon.addresses["http"]
            for path in ("/healthz", "/readyz"):
                with urllib.request.urlopen(base + path, timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
            with urllib.request.urlopen(base + "/metrics", timeout=10) as answer:
                self.assertRegex(answer.read().decode(), r"(?m)^muster_\w+")
            with self.assertRaises(urllib.error.HTTPError):
                urllib.request.urlopen(base + "/nothing", timeout=10)

    def test_the_probes_address_serves_health_and_nothing_else(self):
        flags = ["--health.listen=127.0.0.1:0"]
        with Cluster(workers=1, master_flags=flags, worker_flags=flags) as cluster:
            for daemon in (cluster.master, cluster.workers["w1"]):
                base = "http://" + daemon.addresses["health"]
                for path in ("/healthz", "/readyz", "/metrics"):
                    with urllib.request.urlopen(base + path, timeout=10) as answer:
                        self.assertEqual(answer.status, 200)
                for method, path in (("POST", "/healthz"), ("GET", "/drain"), ("GET", "/api/v1/tasks"), ("GET", "/..")):
                    with self.assertRaises(urllib.error.HTTPError) as refused:
                        urllib.request.urlopen(urllib.request.Request(base + path, method=method), timeout=10)
                    self.assertIn(refused.exception.code, (400, 404, 405), (method, path))

    def test_every_format_of_ps(self):
        identity = self.cluster.ok("submit", "--name", "formats", "-l", "team=a", "--", "true").strip()
        self.cluster.ok("wait", identity)
        self.assertIn(identity, self.cluster.ok("ps", "-a"))
        self.assertIn(identity, self.cluster.ok("ps", "-a", "-o", "wide"))
        self.assertIn(identity, [t["id"] for t in json.loads(self.cluster.ok("ps", "-a", "-o", "json"))["tasks"]])
        self.assertIn(identity, [json.loads(line)["id"] for line in self.cluster.ok("ps", "-a", "-o", "jsonl").splitlines()])
        self.assertIn(f"id: {identity}", self.cluster.ok("ps", "-a", "-o", "yaml").replace('"', ""))
        self.assertIn(identity, self.cluster.ok("ps", "-a", "-o", "name").split())
        self.assertIn(identity, self.cluster.ok("ps", "-a", "-q", "-l", "team=a").split())
        self.assertNotIn(identity, self.cluster.ok("ps", "-a", "-q", "-l", "team=b").split())

    def test_retry_makes_a_new_task_with_its_history(self):
        identity = self.cluster.ok("submit", "--name", "again", "--", "false").strip()
        self.assertEqual(self.cluster.muster("wait", identity).returncode, 1)
        again = self.cluster.ok("retry", identity).split()[-1]
        self.assertNotEqual(again, identity)
        self.cluster.await_state(again, "FAILED")
        self.assertEqual(self.cluster.task(again)["retry_of"], identity)
        self.assertEqual(self.cluster.task("again")["id"], again, "a name selects the newest")

    def test_completion_is_accepted_by_bash(self):
        script = self.cluster.ok("completion", "bash")
        done = subprocess.run(["bash", "-c", script + "\ncomplete -p muster"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for shell in ("zsh", "fish"):
            self.assertIn("muster", self.cluster.ok("completion", shell))

    def test_version_and_help(self):
        for program in ("muster", "muster-master", "muster-worker"):
            for flag in ("--version", "--help"):
                done = subprocess.run([BIN / program, flag], capture_output=True, text=True, timeout=20)
                self.assertEqual((done.returncode, done.stderr), (0, ""), (program, flag))
                self.assertIn("muster", done.stdout)

    def test_the_activity_log_tells_the_whole_story(self):
        identity = self.cluster.ok("submit", "--", "true").strip()
        self.cluster.ok("wait", identity)

        def kinds():
            log = self.cluster.json("log", "--task", identity)
            records = log if isinstance(log, list) else log["records"]
            return [next(k for k in r if k not in ("commit", "index", "time")) for r in records]
        eventually(lambda: {"task_accepted", "attempt_dispatched", "task_ended"} <= set(kinds()), 10, "the whole story")


class Dev(unittest.TestCase):
    def test_dev_runs_a_command_on_a_fresh_cluster_and_exits_with_its_status(self):
        done = subprocess.run([BIN / "muster", "dev", "--workers", "2", "--", "sh", "-c",
                               f"{BIN}/muster run -- echo hello; exit 9"], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (9, b"hello\n"), done.stderr)

    def test_dev_leaves_no_process_behind_when_it_is_killed(self):
        dev = subprocess.Popen([BIN / "muster", "dev", "--workers", "2", "--", "sleep", "60"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        eventually(lambda: any("sleep" in pathlib.Path(f"/proc/{p}/comm").read_text() for p in children(dev.pid)
                               if pathlib.Path(f"/proc/{p}/comm").exists()), 30, "the command of dev")
        family = children(dev.pid)
        self.assertGreaterEqual(len(family), 4)
        dev.kill()
        dev.communicate()
        eventually(lambda: not [p for p in family if alive(p)], 20, "the end of the cluster")


class Tree(unittest.TestCase):
    def test_the_configuration_page_is_what_the_binaries_declare(self):
        page = (ROOT / "docs/configuration.md").read_text()
        for program in ("muster-master", "muster-worker"):
            done = subprocess.run([BIN / program, "--config-reference"], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(done.stdout.strip(), page, f"docs/configuration.md is stale: cmake --build build --target configuration_page")

    def test_the_example_of_a_master_is_what_it_declares_and_both_examples_load(self):
        done = subprocess.run([BIN / "muster-master", "--config-example"], capture_output=True, text=True, timeout=20)
        self.assertEqual((ROOT / "deploy/examples/muster-master.yaml").read_text(), done.stdout,
                         "the example is stale: cmake --build build --target configuration_page")
        for program in ("muster-master", "muster-worker"):
            example = ROOT / f"deploy/examples/{program}.yaml"
            done = subprocess.run([BIN / program, "--config", example, "--check-config"], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
