"""Workers that die, hang, refuse, share and come back."""

import collections
import fcntl
import os
import pathlib
import signal
import unittest

from cluster import BIN, Cluster, alive, children, eventually

PLUGINS = pathlib.Path(os.environ.get("MUSTER_PLUGINS", BIN.parent / "lib"))


class InCgroups(Cluster):
    """A cluster whose workers start in cgroups of their own."""

    def __init__(self, cgroups, **options):
        super().__init__(**options)
        self.cgroups = cgroups

    def prefix(self, node):
        if node == "master":
            return []
        join = " && ".join(f"echo $$ > {directory}/cgroup.procs" for directory in self.cgroups)
        return ["sh", "-c", f'{join} && exec "$@"', "sh"]


def remove_cgroup(directory):
    """Bottom up; what lived in it may take a moment to be gone."""
    def gone():
        try:
            for below, _, _ in os.walk(directory, topdown=False):
                os.rmdir(below)
        except OSError:
            pass
        return not directory.exists()
    eventually(gone, what=f"the end of {directory}")


class Workers(unittest.TestCase):
    def limited_cgroups(self, quota_us, memory_bytes):
        """New cgroups that together give a part of every 100 ms, and so much memory."""
        base, name = pathlib.Path("/sys/fs/cgroup"), f"muster-e2e-{os.getpid()}"
        if (base / "cgroup.controllers").exists():
            limits = {base / name: {"cpu.max": f"{quota_us} 100000", "memory.max": memory_bytes}}
        else:
            limits = {base / "cpu" / name: {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": quota_us},
                      base / "memory" / name: {"memory.limit_in_bytes": memory_bytes}}
        for directory, values in limits.items():
            try:
                directory.mkdir()
                self.addCleanup(remove_cgroup, directory)
                for file, value in values.items():
                    (directory / file).write_text(str(value))
            except OSError as error:
                self.skipTest(f"this machine lets nobody limit a cgroup: {error}")
        return list(limits)

    def test_a_worker_offers_what_its_cgroup_leaves_it_and_says_so(self):
        with InCgroups(self.limited_cgroups(50_000, 768 << 20), workers=1, worker_flags=["--resources=gpu=2"]) as cluster:
            offer = cluster.worker("w1")["offer"]
            self.assertEqual((offer["cpu"], offer["memory_bytes"]), (0.5, str(768 << 20)))
            self.assertEqual(offer["origins"], {"slots": "CAPACITY_ORIGIN_CONFIGURED", "cpu": "CAPACITY_ORIGIN_CGROUP",
                                                "memory": "CAPACITY_ORIGIN_CGROUP", "disk": "CAPACITY_ORIGIN_MACHINE"})
            task = cluster.ok("submit", "--cpu", "0.5", "--memory", "64M", "--resource", "gpu=1", "--", "sleep", "60").strip()
            cluster.await_state(task, "RUNNING")
            page = cluster.ok("worker", "get", "w1")
            self.assertRegex(page, r"  slots +1 of 2 +configured\n")
            self.assertRegex(page, r"  cpu +0\.5 of 0\.5 +detected: its cgroup's limit\n")
            self.assertRegex(page, r"  memory +64\.0 MiB of 768 MiB +detected: its cgroup's limit\n")
            self.assertRegex(page, r"  disk +0 B of .* +detected: free under work_dir")
            self.assertRegex(page, r"  gpu +1 of 2 +configured\n")
            more = cluster.ok("submit", "--cpu", "0.25", "--", "true").strip()
            self.assertIn("cpu", cluster.ok("explain", more))
            cluster.ok("cancel", task)
            cluster.await_state(more, "SUCCEEDED")

    def test_a_failing_command_is_tried_again_on_another_worker(self):
        with Cluster(workers=2) as cluster:
            done = cluster.muster("run", "--name", "twice", "--retries", "1", "--retry-delay", "0.1", "--",
                                  "sh", "-c", "echo $MUSTER_WORKER $MUSTER_ATTEMPT; exit 4")
            self.assertEqual(done.returncode, 4, done.stderr)
            places = [line.split() for line in done.stdout.decode().splitlines()]
            self.assertEqual([attempt for _, attempt in places], ["1", "2"])
            self.assertNotEqual(places[0][0], places[1][0])
            task = cluster.task("twice")
            self.assertEqual([a["end"]["exit_code"] for a in task["attempts"]], [4, 4])

    def test_a_killed_server_leaves_nothing_and_its_tasks_run_elsewhere(self):
        with Cluster(workers=2, slots=2) as cluster:
            marks, gate = cluster.directory / "marks", cluster.directory / "gate"
            marks.mkdir()
            ids = [cluster.ok("submit", "--", "sh", "-c",
                              f"echo $$ > {marks}/$MUSTER_TASK_ID-$MUSTER_ATTEMPT; "
                              f"while [ ! -e {gate} ]; do sleep 0.05; done").strip() for _ in range(2)]
            for identity in ids:
                cluster.await_state(identity, "RUNNING")
            victim_task = next(i for i in ids if cluster.task(i)["attempts"][-1]["worker"] == "w1")
            pid = int(eventually(lambda: (marks / f"{victim_task}-1").exists() and
                                 (marks / f"{victim_task}-1").read_text(), what="the mark"))
            family = children(cluster.workers["w1"].pid)
            os.kill(cluster.server_of("w1"), signal.SIGKILL)
            eventually(lambda: cluster.worker_state("w1") == "SUSPECT", what="w1 being SUSPECT")
            eventually(lambda: cluster.worker_state("w1") == "LOST", what="w1 being LOST")
            eventually(lambda: not alive(pid), 10, "the end of the command on w1")
            eventually(lambda: not [p for p in family if alive(p)], 10, "the end of all that w1 had started")
            eventually(lambda: cluster.task(victim_task)["attempts"][-1]["worker"] == "w2", what="a second attempt on w2")
            gate.touch()
            for identity in ids:
                cluster.await_state(identity, "SUCCEEDED")
            self.assertEqual(len(cluster.task(victim_task)["attempts"]), 2)
            cluster.start_worker("w1")
            self.assertEqual(cluster.worker_state("w1"), "ACTIVE")

    def test_a_new_incarnation_ends_what_its_killed_predecessor_left_also_without_cgroups(self):
        with Cluster(workers=0) as cluster:
            config, left = cluster.directory / "walk.yaml", cluster.directory / "left"
            config.write_text("executors:\n  - name: command\n    settings: {kill_tier: walk}\n")
            worker = cluster.start_worker("w1", f"--config={config}")
            # It forks away, makes a session of its own, and ignores SIGTERM.
            away = f"trap '' TERM; echo $$ > {left}.new; mv {left}.new {left}; while :; do sleep 600; done"
            cluster.ok("submit", "-e", f"AWAY={away}", "--", "sh", "-c", 'setsid sh -c "$AWAY" & sleep 600')
            pid = int(eventually(lambda: left.exists() and left.read_text(), what="the process that forked away"))
            family = children(worker.pid)
            # The supervisor goes first, so nobody is left to sweep.
            worker.kill()
            eventually(lambda: not alive(family[0]), what="the end of the server")
            cluster.start_worker("w1", f"--config={config}")
            self.assertFalse(alive(pid), "it outlived its worker")
            self.assertEqual([p for p in family if alive(p)], [])

    def test_a_second_worker_under_a_live_ones_name_is_refused(self):
        with Cluster(workers=1) as cluster:
            first = cluster.workers["w1"].addresses["grpc"]
            second = cluster.start_worker("w1", f"--work_dir={cluster.directory / 'other'}", wait=False)
            self.assertNotEqual(second.wait(30), 0)
            self.assertIn(first, second.text())
            self.assertEqual(cluster.worker_state("w1"), "ACTIVE")

    def test_a_master_that_answers_nothing_and_resets_nothing_shows_on_its_worker(self):
        with Cluster(workers=1) as cluster:
            worker = cluster.workers["w1"]
            self.assertEqual((cluster.unready(worker), cluster.metric("muster_worker_session_open", worker)), ("", 1))
            cluster.master.signal(signal.SIGSTOP)
            try:
                eventually(lambda: cluster.unready(worker).startswith("no answer from the master for "), what="the silence in /readyz")
                self.assertEqual(cluster.metric("muster_worker_session_open", worker), 0)
            finally:
                cluster.master.signal(signal.SIGCONT)
            eventually(lambda: not cluster.unready(worker), what="being ready again")
            eventually(lambda: cluster.metric("muster_worker_session_open", worker) == 1, what="the session in the metrics")

    def test_sigterm_lets_the_running_command_finish(self):
        with Cluster(workers=1) as cluster:
            gate = cluster.directory / "gate"
            identity = cluster.ok("submit", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done; echo whole").strip()
            cluster.await_state(identity, "RUNNING")
            worker = cluster.workers["w1"]
            worker.signal(signal.SIGTERM)
            eventually(lambda: cluster.worker_state("w1") == "DRAINING", what="w1 being DRAINING")
            gate.touch()
            self.assertEqual(worker.wait(30), 0, worker.text())
            self.assertEqual(cluster.state(identity), "SUCCEEDED")
            self.assertEqual(cluster.ok("logs", identity), "whole\n")

    def test_a_drain_past_its_time_stops_the_rest_and_it_runs_elsewhere(self):
        with Cluster(workers=2, slots=1) as cluster:
            gate = cluster.directory / "gate"
            identity = cluster.ok("submit", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done").strip()
            cluster.await_state(identity, "RUNNING")
            name = cluster.task(identity)["attempts"][0]["worker"]
            cluster.ok("worker", "drain", "--deadline", "0.5s", name)
            self.assertEqual(cluster.worker_state(name), "DRAINING")
            eventually(lambda: cluster.task(identity)["attempts"][-1]["worker"] != name, what="another worker")
            gate.touch()
            cluster.await_state(identity, "SUCCEEDED")
            cluster.ok("worker", "resume", name)
            eventually(lambda: cluster.worker_state(name) == "ACTIVE", what="ACTIVE again")

    def test_an_unhealthy_plugin_gets_no_work_and_comes_back(self):
        sick = None
        with Cluster(workers=0) as cluster:
            sick = cluster.directory / "sick"
            config = cluster.directory / "worker.yaml"
            config.write_text(f"executors:\n  - name: unhealthy\n    path: {PLUGINS}/muster-test/unhealthy.so\n"
                              f"    settings:\n      sick_file: {sick}\n")
            cluster.start_worker("w1", f"--config={config}")
            cluster.ok("run", "--executor", "unhealthy")
            sick.touch()

            def offer():
                return next(e for e in cluster.worker("w1")["offer"]["executors"] if e["name"] == "unhealthy")
            eventually(lambda: not offer().get("healthy"), what="the executor being unhealthy")
            self.assertIn("it is sick", cluster.ok("workers"))
            identity = cluster.ok("submit", "--executor", "unhealthy").strip()
            cluster.ok("run", "--", "true")
            self.assertEqual(cluster.state(identity), "QUEUED")
            self.assertIn("unhealthy", cluster.ok("get", identity))
            sick.unlink()
            cluster.await_state(identity, "SUCCEEDED")

    def test_three_weighted_workers_share_as_their_weights_say(self):
        with Cluster(workers=3, slots=4, master_flags=["--scheduler.balancer=weighted"]) as cluster:
            for number, weight in enumerate((1, 2, 3), 1):
                cluster.ok("worker", "set", f"w{number}", f"weight={weight}")
            lines = b'{"executor":"noop"}\n' * 6000
            ids = cluster.ok("submit", "-f", "-", input=lines, seconds=120).split()
            self.assertEqual(len(ids), 6000)
            eventually(lambda: not cluster.json("ps").get("tasks"), 60, "the end of all tasks")
            share = collections.Counter(t["attempts"][-1]["worker"] for t in
                                        cluster.json("ps", "-a", "--limit", "6000", seconds=120)["tasks"])
            print(dict(share))
            for number, weight in enumerate((1, 2, 3), 1):
                self.assertAlmostEqual(share[f"w{number}"] / 6000, weight / 6, delta=0.03)

    def test_a_label_that_no_worker_has_waits_and_says_so_until_one_comes(self):
        with Cluster(workers=1) as cluster:
            submitted = cluster.muster("submit", "--name", "wants-gpu", "--need", "gpu=a100", "--", "true")
            self.assertEqual(submitted.returncode, 0)
            self.assertIn("gpu", cluster.task("wants-gpu")["reason"])
            cluster.start_worker("w2", "--labels=gpu=a100")
            cluster.await_state("wants-gpu", "SUCCEEDED")
            self.assertEqual(cluster.task("wants-gpu")["attempts"][0]["worker"], "w2")

    def test_what_was_sent_ahead_is_recalled_for_a_worker_that_joins_or_falls_idle(self):
        with Cluster(workers=1, slots=4) as cluster:
            # One kind of command, for the words are the same: short while its gate is not there.
            command = ["--", "sh", "-c", "while [ -e $GATE ]; do sleep 0.02; done"]
            for _ in range(8):
                cluster.ok("run", "-e", "GATE=/no-such-gate", *command)
            gates = [cluster.directory / f"gate{number}" for number in range(6)]
            for gate in gates:
                gate.touch()
            tasks = [cluster.ok("submit", "-e", f"GATE={gate}", *command).strip() for gate in gates]
            self.assertEqual(eventually(lambda: cluster.worker("w1").get("prefetched"), what="work sent ahead"), 2)
            self.assertEqual(cluster.metric("muster_recalled_total"), 0)

            def running_on_w2():
                return [number for number, task in enumerate(tasks) if cluster.state(task) == "RUNNING"
                        and cluster.task(task)["attempts"][-1]["worker"] == "w2"]
            cluster.start_worker("w2", slots=1)
            first = eventually(running_on_w2, what="one of them on the worker that joined")
            self.assertEqual(cluster.metric("muster_recalled_total"), 1)
            gates[first[0]].unlink()
            cluster.await_state(tasks[first[0]], "SUCCEEDED")
            second = eventually(running_on_w2, what="the other on the worker that fell idle")
            self.assertEqual(sorted(first + second), [4, 5])
            self.assertEqual(cluster.metric("muster_recalled_total"), 2)
            for gate in gates:
                gate.unlink(missing_ok=True)
            for task in tasks:
                cluster.await_state(task, "SUCCEEDED")

    def test_two_hundred_commands_run_at_once_without_a_thread_each(self):
        with Cluster(workers=1, slots=200) as cluster:
            # All wait for one lock, so that none has to look again and again.
            with open(cluster.directory / "gate", "w") as gate:
                fcntl.flock(gate, fcntl.LOCK_EX)
                batch = cluster.ok("map", "--detach", "--", "flock", "-s", gate.name, "true", ":::", *range(200)).strip()
                running = {"state": "TASK_STATE_RUNNING", "count": "200"}
                eventually(lambda: running in cluster.task(batch)["counts"], 60, "200 running commands")
                self.assertLess(len(os.listdir(f"/proc/{cluster.server_of('w1')}/task")), 60, "threads")
            self.assertEqual(cluster.muster("wait", batch).returncode, 0)

    def test_shutdown_with_drain_stops_the_cluster_in_order(self):
        with Cluster(workers=2) as cluster:
            gate = cluster.directory / "gate"
            identity = cluster.ok("submit", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done").strip()
            cluster.await_state(identity, "RUNNING")
            shutdown = cluster.start("shutdown", "--drain")
            eventually(lambda: cluster.muster("submit", "--", "true").returncode == 125, what="refused admission")
            gate.touch()
            out, err = shutdown.communicate(timeout=60)
            self.assertEqual(shutdown.returncode, 0, err)
            self.assertEqual(cluster.master.wait(20), 0)
            cluster.start_master()
            self.assertEqual(cluster.state(identity), "SUCCEEDED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
