"""Schedules, with the real binaries: runs counted by their due time over kill -9 of the master, overlaps, pauses, runs by
hand, refusals with their column; and tasks that start later."""

import collections
import datetime
import json
import time
import unittest
import urllib.request

from cluster import Cluster, eventually


class Schedules(unittest.TestCase):
    def schedule(self, cluster, name):
        return cluster.json("schedule", "get", name)

    def test_each_due_time_runs_once_though_the_master_is_killed_over_and_over(self):
        with Cluster(workers=1, slots=8) as cluster:
            ledger = cluster.directory / "ledger"
            cluster.ok("schedule", "add", "tick", "every 1s", "--missed", "all:100", "--", "sh", "-c",
                       f"echo $MUSTER_SCHEDULE $MUSTER_DUE_TIME >> {ledger}")
            lines = lambda: ledger.read_text().split("\n")[:-1] if ledger.exists() else []
            for round in range(4):
                seen = len(lines())
                eventually(lambda: len(lines()) >= seen + 2, what="runs")
                cluster.kill_master()
                down_until = time.time() + 1.2
                eventually(lambda: time.time() > down_until, what="a due time without a master")
                cluster.start_master()
            seen = len(lines())
            eventually(lambda: len(lines()) >= seen + 3, what="runs after the last start")
            cluster.ok("schedule", "pause", "tick")
            eventually(lambda: not self.schedule(cluster, "tick")["running"], what="the end of what runs")
            counts = collections.Counter(lines())
            self.assertEqual([line for line, count in counts.items() if count > 1], [], "a due time ran twice")
            times = sorted(datetime.datetime.strptime(line, "tick %Y-%m-%dT%H:%M:%SZ") for line in counts)
            self.assertEqual([later - earlier for earlier, later in zip(times, times[1:])],
                             [datetime.timedelta(seconds=1)] * (len(times) - 1), "a due time is missing")
            created = self.schedule(cluster, "tick")["create_time"][:19]
            self.assertEqual(times[0], datetime.datetime.fromisoformat(created) + datetime.timedelta(seconds=1))
            self.assertEqual(len(cluster.json("ps", "-a", "-l", "muster/schedule=tick", "--limit", "1000")["tasks"]), len(times))

    def test_what_is_shown_and_steered(self):
        with Cluster(workers=1, slots=4) as cluster:
            gate = cluster.directory / "gate"
            said = cluster.muster("schedule", "add", "slow", "every", "1s", "--overlap", "forbid", "--", "sh", "-c",
                                  f"until [ -e {gate} ]; do sleep 0.02; done; exit 3")
            self.assertEqual((said.returncode, said.stdout), (0, b""))
            self.assertRegex(said.stderr.decode(), r"^muster: schedule slow is active \(every 1s\), next \S+, in 0s\n$")
            skipped = lambda: [run for run in self.schedule(cluster, "slow")["recent_runs"]
                               if run["result"] == "SCHEDULED_RUN_RESULT_SKIPPED"]
            eventually(skipped, what="a due time that finds the run before")
            self.assertEqual(len(self.schedule(cluster, "slow")["running"]), 1)
            self.assertRegex(cluster.ok("schedule", "ls"), r"(?m)^slow +every 1s +- +ACTIVE +in \S+ +RUNNING ")
            busy = cluster.muster("schedule", "run", "slow")
            self.assertEqual(busy.returncode, 125)
            self.assertIn(b"a run of schedule slow still goes on, and its overlap rule is forbid", busy.stderr)
            cluster.ok("schedule", "pause", "slow", "--reason", "a deploy")
            gate.touch()
            ended = eventually(lambda: [run for run in self.schedule(cluster, "slow")["recent_runs"] if run["task_id"]],
                               what="the end of the run")[0]
            self.assertEqual((ended["result"], ended["task_state"]), ("SCHEDULED_RUN_RESULT_ENDED", "TASK_STATE_FAILED"))
            page = cluster.ok("schedule", "get", "slow")
            self.assertIn("State:         PAUSED\nReason:        a deploy\n", page)
            self.assertRegex(page, rf"FAILED  {ended['task_id']} ")
            by_hand = cluster.ok("schedule", "run", "slow").strip()
            cluster.await_state(by_hand, "FAILED")
            self.assertEqual(cluster.task(by_hand)["spec"]["name"], "slow")
            cluster.ok("schedule", "resume", "slow")
            log = cluster.ok("log")
            self.assertIn("ScheduleChanged slow: added: every 1s by ", log)
            self.assertIn("skipped: the run before still went on", log)
            self.assertIn("ScheduleChanged slow: paused: a deploy by ", log)
            self.assertIn(f": started as {by_hand}", log)
            self.assertIn("muster_schedule_runs_total", self.metrics(cluster))
            self.assertEqual(cluster.metric("muster_schedules"), 1)
            cluster.ok("schedule", "rm", "slow")
            self.assertEqual(json.loads(cluster.ok("schedule", "ls", "-o", "json")), {"schedules": []})
            self.assertEqual(cluster.muster("schedule", "get", "slow").returncode, 125)

    def test_each_due_time_runs_its_workflow_once_though_the_master_is_killed_over_and_over(self):
        with Cluster(workers=1, slots=8) as cluster:
            ledger = cluster.directory / "ledger"
            file = self.flow_file(cluster, ledger)
            cluster.ok("schedule", "add", "tick", "every 1s", "--missed", "all:100", "--flow", file, "--set", "city=Ulm")
            file.unlink()  # the schedule has its own copy
            lines = lambda: ledger.read_text().split("\n")[:-1] if ledger.exists() else []
            for round in range(3):
                seen = len(lines())
                eventually(lambda: len(lines()) >= seen + 4, what="runs")
                cluster.kill_master()
                down_until = time.time() + 1.2
                eventually(lambda: time.time() > down_until, what="a due time without a master")
                cluster.start_master()
            cluster.ok("schedule", "pause", "tick")
            eventually(lambda: not self.schedule(cluster, "tick")["running"], what="the end of what runs")
            counts = collections.Counter(lines())
            self.assertEqual([line for line, count in counts.items() if count > 1], [], "a due time ran twice")
            times = {step: sorted(datetime.datetime.strptime(line, f"{step} Ulm tick %Y-%m-%dT%H:%M:%SZ")
                                  for line in counts if line.startswith(step)) for step in ("fetch", "load")}
            self.assertEqual(times["fetch"], times["load"], "a workflow is not whole")
            self.assertEqual([later - earlier for earlier, later in zip(times["fetch"], times["fetch"][1:])],
                             [datetime.timedelta(seconds=1)] * (len(times["fetch"]) - 1), "a due time is missing")
            flows = json.loads(cluster.ok("flow", "ls", "-a", "-o", "json"))["workflows"]
            self.assertEqual({flow["state"] for flow in flows}, {"WORKFLOW_STATE_SUCCEEDED"})
            self.assertEqual(len(flows), len(times["fetch"]))

    def flow_file(self, cluster, ledger):
        file = cluster.directory / "tick.yaml"
        line = f"'echo %s {{{{ city }}}} $MUSTER_SCHEDULE $MUSTER_DUE_TIME >> {ledger}'"
        file.write_text("parameters: {city: {}}\ntasks:\n"
                        f"  fetch: {{run: {line % 'fetch'}}}\n  load: {{run: {line % 'load'}, needs: fetch}}\n")
        return file

    def test_workflows_are_shown_replaced_and_refused_with_their_place(self):
        with Cluster(workers=1, slots=4) as cluster:
            file = self.flow_file(cluster, cluster.directory / "ledger")
            refused = lambda *arguments: cluster.muster("schedule", "add", "tick", "@daily", *arguments, text=True)
            missing = refused("--flow", file)
            self.assertEqual(missing.returncode, 125)
            self.assertIn("no value for the parameter city; give it with --set city=VALUE", missing.stderr)
            broken = cluster.directory / "broken.yaml"
            broken.write_text("tasks:\n  fetch: {run: 'true', needs: lode}\n  load: {run: 'true'}\n")
            self.assertRegex(refused("--flow", broken).stderr, r"broken.yaml:2:\d+: .*did you mean 'load'\?")
            self.assertIn("both --flow and a command", refused("--flow", file, "--", "true").stderr)
            self.assertIn("goes into", refused("--flow", file, "--retries", "2").stderr)
            self.assertIn("--set is for a workflow's parameters", refused("--set", "city=Ulm", "--", "true").stderr)

            cluster.ok("schedule", "add", "tick", "@daily", "--flow", file, "--set", "city=Ulm")
            run = cluster.ok("schedule", "run", "tick").strip()
            ended = eventually(lambda: [past for past in self.schedule(cluster, "tick")["recent_runs"]], what="the end of the run")[0]
            self.assertEqual((ended["workflow_id"], ended["workflow_state"]), (run, "WORKFLOW_STATE_SUCCEEDED"))
            self.assertIn("Workflow:      2 tasks\n", cluster.ok("schedule", "get", "tick"))
            self.assertRegex(cluster.ok("schedule", "ls"), rf"(?m)^tick +@daily +UTC +ACTIVE .* SUCCEEDED .* {run}$")
            self.assertIn("tick", cluster.ok("flow", "get", run))

            slow = cluster.directory / "slow.yaml"
            slow.write_text("tasks:\n  a: {run: sleep 600}\n  b: {run: 'true', needs: a}\n")
            cluster.ok("schedule", "add", "newest", "every 2s", "--overlap", "replace", "--flow", slow)
            replaced = eventually(lambda: [past for past in self.schedule(cluster, "newest")["recent_runs"]
                                           if past["workflow_state"] == "WORKFLOW_STATE_CANCELLED"], what="a run that was replaced")
            self.assertIn("a newer run takes its place", cluster.ok("flow", "get", replaced[0]["workflow_id"]))
            self.assertLessEqual(len(self.schedule(cluster, "newest")["running"]), 1)

    def metrics(self, cluster):
        with urllib.request.urlopen(f"http://{cluster.master.addresses['http']}/metrics") as answer:
            return answer.read().decode()

    def test_replace_ends_the_earlier_run(self):
        with Cluster(workers=1, slots=4) as cluster:
            cluster.ok("schedule", "add", "newest", "every 2s", "--overlap", "replace", "--", "sleep", "600")
            replaced = lambda: [run for run in self.schedule(cluster, "newest")["recent_runs"]
                                if run["task_state"] == "TASK_STATE_CANCELLED"]
            run = eventually(replaced, what="a run that was replaced")[0]
            self.assertIn("a newer run takes its place", cluster.ok("get", run["task_id"]))
            self.assertLessEqual(len(self.schedule(cluster, "newest")["running"]), 1)

    def test_what_is_wrong_is_told_with_its_column_and_the_fix(self):
        with Cluster(workers=0) as cluster:
            def refused(code, *arguments):
                done = cluster.muster("schedule", "add", *arguments, "--", "true")
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
                return done.stderr.decode()
            self.assertIn("minute 61 at column 1: 0 to 59", refused(125, "a", "61 2 * * *"))
            self.assertIn("at column 5 never comes in month FEB: 1 to 29", refused(125, "a", "0 0 30 FEB *"))
            self.assertIn("there is no day 30 in 2027-02, which has 28", refused(125, "a", "at 2027-02-30 10:00"))
            self.assertIn("Europe/Berlin", refused(125, "a", "@daily", "--zone", "Europe/Berlim"))
            self.assertIn("it has passed", refused(125, "a", "at 2001-02-03 04:05"))
            self.assertIn("is not one of skip, once, all, all:N", refused(2, "a", "@daily", "--missed", "some"))
            self.assertIn("put a cron line into quotes", refused(2, "a", *"0 0 x y z w".split()))
            cluster.ok("schedule", "add", "a", "@daily", "--", "true")
            cluster.ok("schedule", "add", "a", "@daily", "--", "true")
            self.assertIn("schedule a is there already, and another one", refused(125, "a", "@hourly"))

    def test_tasks_that_start_later(self):
        with Cluster(workers=1) as cluster:
            began = time.time()
            self.assertEqual(cluster.ok("run", "--delay", "1s", "--", "echo", "later"), "later\n")
            self.assertGreaterEqual(time.time() - began, 1)
            at = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            waits = cluster.ok("submit", "--at", at, "--", "true").strip()
            batch = cluster.ok("map", "--detach", "--at", at, "--", "echo", ":::", "a", "b").strip()
            for task in (waits, batch + "/1", batch + "/2"):
                self.assertEqual(cluster.state(task), "PENDING")
                self.assertEqual(cluster.task(task)["spec"]["start_time"], at)
            cluster.kill_master()
            cluster.start_master()
            self.assertEqual(cluster.state(waits), "PENDING", "it waits on after a restart")


if __name__ == "__main__":
    unittest.main()
