"""Queues with the real binaries: limits and pauses hold, take effect at once, and survive the master's end."""

import datetime
import json
import unittest

from cluster import Cluster, eventually


class Queues(unittest.TestCase):
    def submit(self, cluster, *flags):
        """A task that runs until the file `gate` is there."""
        gate = cluster.directory / "gate"
        return cluster.ok("submit", *flags, "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done").strip()

    def queue(self, cluster, name):
        return json.loads(cluster.ok("queue", "get", "-o", "json", name))

    def states(self, cluster, ids):
        return [cluster.task(identity)["state"].removeprefix("TASK_STATE_") for identity in ids]

    def test_a_limit_holds_is_told_and_is_raised_at_once(self):
        with Cluster(workers=1, slots=4) as cluster:
            cluster.ok("queue", "set", "nightly", "--max-running", "1", "--weight", "3")
            ids = [self.submit(cluster, "--queue", "nightly") for _ in range(3)]
            cluster.await_state(ids[0], "RUNNING")
            self.assertEqual(self.states(cluster, ids[1:]), ["QUEUED", "QUEUED"])
            self.assertEqual(cluster.task(ids[1])["reason"], "queue nightly runs 1 of at most 1")
            table = cluster.ok("queues")
            self.assertRegex(table, r"nightly +3 +2 +1/1 .* HELD +runs 1 of at most 1")
            cluster.ok("queue", "set", "nightly", "--max-running", "2")
            cluster.await_state(ids[1], "RUNNING")
            self.assertEqual(self.states(cluster, ids[2:]), ["QUEUED"])
            (cluster.directory / "gate").touch()
            cluster.await_state(ids[2], "SUCCEEDED")

    def test_settings_and_a_pause_survive_the_masters_death_and_a_resume_starts_what_waits(self):
        with Cluster(workers=1) as cluster:
            cluster.ok("queue", "set", "nightly", "--max-running", "7", "--priority", "-5", "--retries", "2")
            cluster.ok("queue", "pause", "nightly", "--reason", "a deploy")
            held = cluster.ok("submit", "--queue", "nightly", "--", "true").strip()
            cluster.master.kill()
            cluster.start_master()
            self.assertEqual(cluster.ok("run", "--", "echo", "hi"), "hi\n")  # other queues are served
            task = cluster.task(held)
            self.assertEqual(task["state"], "TASK_STATE_QUEUED")
            self.assertEqual(task["reason"], "queue nightly is paused until it is resumed: a deploy")
            self.assertEqual((task["spec"]["priority"], task["spec"]["retry"]["max_attempts"]), (-5, 3))
            queue = self.queue(cluster, "nightly")
            self.assertEqual((queue["settings"]["max_running"], queue["paused"]), ("7", True))
            cluster.ok("queue", "resume", "nightly")
            cluster.await_state(held, "SUCCEEDED")

    def explain(self, cluster, identity):
        return cluster.json("explain", identity)["explanations"][0]

    def test_a_pause_until_a_time_holds_is_explained_and_ends_by_itself(self):
        with Cluster(workers=1) as cluster:
            until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
            until = until.replace(microsecond=0).isoformat().replace("+00:00", "Z")
            cluster.ok("queue", "pause", "nightly", "--until", until, "--reason", "disks")
            identity = cluster.ok("submit", "--queue", "nightly", "--", "true").strip()
            explanation = self.explain(cluster, identity)
            self.assertEqual(explanation["code"], "REASON_CODE_QUEUE_PAUSED")
            self.assertEqual(explanation["sentence"], f"Queue nightly is paused until {until}: disks.")
            self.assertEqual(explanation["held_until"], until)
            self.assertIn("muster queue resume", explanation["advice"])
            dry = json.loads(cluster.ok("submit", "-o", "json", "--dry-run", "--queue", "nightly", "--", "true"))
            self.assertEqual(dry["code"], "REASON_CODE_QUEUE_PAUSED")
            cluster.await_state(identity, "SUCCEEDED")
            started = cluster.task(identity)["attempts"][0]["dispatch_time"]
            self.assertGreaterEqual(started.rstrip("Z"), until.rstrip("Z"))

    def test_never_more_run_than_the_queue_and_the_key_allow(self):
        with Cluster(workers=2, slots=8) as cluster:
            marks = cluster.directory / "marks"
            marks.mkdir()
            command = f"touch {marks}/$MUSTER_TASK_ID; ls {marks} | wc -l; sleep 0.05; rm {marks}/$MUSTER_TASK_ID; : {{}}"
            cluster.ok("queue", "set", "nightly", "--max-running", "3")
            seen = cluster.ok("map", "--queue", "nightly", "--shell", "--", command, ":::", *map(str, range(40))).split()
            self.assertEqual(len(seen), 40)
            self.assertLessEqual(max(map(int, seen)), 3)
            seen = cluster.ok("map", "--limit-key", "api=x", "--limit", "2", "--shell", "--", command, ":::",
                              *map(str, range(40))).split()
            self.assertEqual(len(seen), 40)
            self.assertLessEqual(max(map(int, seen)), 2)

    def test_a_limit_of_one_runs_in_order_of_arrival_over_a_retry_and_the_masters_death(self):
        with Cluster(workers=2, slots=4) as cluster:
            order = cluster.directory / "order"
            flags = ("--limit-key", "user=ann", "--limit", "1", "--retries", "2", "--retry-delay", "1s,1s")
            gate = cluster.directory / "gate"
            fails_once = (f"while [ ! -e {gate} ]; do sleep 0.05; done; echo $MUSTER_ATTEMPT of first >> {order}; "
                          "test $MUSTER_ATTEMPT -gt 1")
            ids = [cluster.ok("submit", *flags, "--", "sh", "-c", fails_once).strip()]
            for number in range(2, 6):
                priority = ("--priority", str(number), "--queue", f"q{number % 2}")
                ids.append(cluster.ok("submit", *flags, *priority, "--", "sh", "-c", f"echo {number} >> {order}").strip())
            cluster.await_state(ids[0], "RUNNING")
            explanation = self.explain(cluster, ids[2])
            self.assertEqual(explanation["code"], "REASON_CODE_KEY_ORDER")
            self.assertIn(f"user=ann run one after the other: task {ids[0]} (RUNNING) and 1 more have to end first",
                          explanation["sentence"])
            cluster.kill_master()
            gate.touch()
            cluster.start_master()
            eventually(lambda: order.exists(), what="the failure")
            cluster.kill_master()  # while the retry waits, or just after it
            cluster.start_master()
            for identity in ids:
                cluster.await_state(identity, "SUCCEEDED")
            self.assertEqual(order.read_text().splitlines(), ["1 of first", "2 of first", "2", "3", "4", "5"])

    def test_the_configuration_is_the_base_and_reset_goes_back_to_it(self):
        with Cluster(workers=0) as cluster:
            config = cluster.directory / "master.yaml"
            config.write_text("queues:\n  - name: nightly\n    weight: 5\n    max_queued: 1\n")
            cluster.master.kill()
            cluster.start_master(f"--config={config}")
            self.assertEqual(self.queue(cluster, "nightly")["settings"]["weight"], 5)
            cluster.ok("queue", "set", "nightly", "--weight", "9")
            self.assertTrue(self.queue(cluster, "nightly")["set_by_hand"])
            cluster.ok("submit", "--queue", "nightly", "--", "true")
            refused = cluster.muster("--retry-for", "0s", "submit", "--queue", "nightly", "--", "true")
            self.assertEqual(refused.returncode, 125)
            self.assertIn("queue nightly has 1 of at most 1 waiting tasks", refused.stderr.decode())
            cluster.ok("queue", "set", "nightly", "--reset")
            self.assertEqual(self.queue(cluster, "nightly")["settings"]["weight"], 5)
            self.assertIn("QueueChanged nightly: weight 5", cluster.ok("log"))

    def test_more_than_the_queue_holds_is_fed_as_room_comes(self):
        with Cluster(workers=1, slots=4) as cluster:
            cluster.ok("queue", "set", "mq", "--max-queued", "50")
            done = cluster.muster("map", "--queue", "mq", "--", "true", "{}", ":::", *map(str, range(60)))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("60 succeeded", done.stderr.decode())
            cluster.ok("queue", "set", "mq", "--max-queued", "2")
            tasks = b'{"command":{"argv":["true"]},"queue":"mq"}\n' * 9
            ids = cluster.ok("submit", "-f", "-", input=tasks).split()
            self.assertEqual(len(ids), 9)
            for identity in ids:
                cluster.await_state(identity, "SUCCEEDED")

    def test_a_call_that_is_larger_than_the_queue_is_refused_for_good(self):
        with Cluster(workers=0) as cluster:
            ids = [cluster.ok("submit", "--queue", "other", "--", "false").strip() for _ in range(3)]
            cluster.ok("cancel", *ids)
            cluster.ok("queue", "set", "other", "--max-queued", "2")
            done = cluster.muster("retry", "-y", *ids)
            self.assertEqual(done.returncode, 125)
            self.assertIn("this call brings 3 tasks to queue other, where at most 2 may wait", done.stderr.decode())
            self.assertIn("muster queue set other --max-queued 3", done.stderr.decode())
            self.assertNotIn("trying again", done.stderr.decode())

    def test_a_reason_beyond_1024_bytes_is_refused_and_not_kept(self):
        with Cluster(workers=1) as cluster:
            for words in (("queue", "pause", "nightly"), ("worker", "quarantine", "w1"), ("worker", "drain", "w1"),
                          ("cancel", "last")):
                if words[0] == "cancel":
                    cluster.ok("submit", "--", "true")
                done = cluster.muster(*words, "--reason", "x" * 1025)
                self.assertEqual(done.returncode, 125, (words, done.stderr))
                self.assertIn("has 1025 bytes; at most 1024", done.stderr.decode())
            self.assertEqual(cluster.worker_state("w1"), "ACTIVE")
            cluster.ok("worker", "quarantine", "w1", "--reason", "x" * 1024)

    def test_bad_input_is_one_line(self):
        with Cluster(workers=0) as cluster:
            for words, code, line in (
                    (("queue", "set", "nightly"), 2, "nothing to set"),
                    (("queue", "set", "nightly", "--weight", "0"), 2, "--weight: 0 is not within 1..1000"),
                    (("queue", "set", "nightly", "--rate", "fast"), 2, "--rate: 'fast' is not N/s[:BURST]"),
                    (("queue", "set", "a b", "--weight", "2"), 125, "[A-Za-z0-9._-]"),
                    (("queue", "set", "nightly", "--max-running", "-1"), 2, "--max-running: -1 is not within 0.."),
                    (("queue", "pause", "nightly", "--for", "1s", "--until", "14:30"), 2, "give one of them"),
                    (("queue", "pause", "nightly", "--until", "2020-01-01T00:00:00Z"), 125, "must be to come"),
                    (("queue", "pause", "nightly", "--until", "soon"), 2, "--until: "),
                    (("queue", "resume"), 2, "NAME"),
                    (("submit", "--limit", "3", "--", "true"), 2, "--limit-key"),
                    (("submit", "--limit-key", "user=ann", "--limit", "0", "--", "true"), 2, "--limit")):
                done = cluster.muster(*words)
                self.assertIn(line, done.stderr.decode(), words)
                self.assertEqual(len(done.stderr.decode().strip().splitlines()), 1, done.stderr.decode())
                self.assertEqual(done.returncode, code, (words, done.stderr))


if __name__ == "__main__":
    unittest.main()
