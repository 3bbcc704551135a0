"""Retries and validations with the real binaries: what is tried again and what never, and VALIDATING through the death of
the master and of the worker."""

import os
import pty
import signal
import unittest

from cluster import Cluster, eventually


def run(cluster, *arguments):
    return cluster.muster("run", *arguments, text=True)


class Retries(unittest.TestCase):
    def test_codes_decide_and_a_queue_says_which_when_its_task_does_not(self):
        with Cluster(workers=1, slots=4) as cluster:
            tries = cluster.directory / "tries"
            script = f"echo x >> {tries}; exit 64"
            ran = run(cluster, "--retries", "3", "--retry-delay", "10ms", "--never-retry", "2,64", "--", "sh", "-c", script)
            self.assertEqual(ran.returncode, 64)
            self.assertEqual(tries.read_text(), "x\n")
            cluster.ok("queue", "set", "nightly", "--retries", "2", "--retry-delay", "10ms", "--never-retry", "65")
            self.assertIn("never retry 65", cluster.ok("queue", "get", "nightly"))
            self.assertEqual(run(cluster, "--queue", "nightly", "--", "sh", "-c", script).returncode, 64)
            self.assertEqual(tries.read_text(), "x\n" * 4)
            refused = run(cluster, "--retry-on", "1-9", "--never-retry", "3", "--", "true")
            self.assertEqual(refused.returncode, 2)
            self.assertEqual(refused.stderr.strip(),
                             "muster: exit code 3 is in --retry-on and in --never-retry; take it out of one of them")

    def test_what_failed_is_tried_again_once_however_often_it_is_asked(self):
        with Cluster(workers=1, slots=4) as cluster:
            gate = cluster.directory / "gate"
            failed = [cluster.ok("submit", "--queue", queue, "--", "test", "-e", gate).strip()
                      for queue in ("nightly", "nightly", "daily")]
            for identity in failed:
                cluster.await_state(identity, "FAILED")
            self.assertEqual(cluster.ok("retry", "--failed", "--queue", "nightly", "--dry-run"), "2\n")
            gate.touch()
            again = cluster.ok("retry", "--failed", "--queue", "nightly", "-y").split()
            self.assertEqual(len(again), 2)
            self.assertEqual([cluster.task(identity)["retry_of"] for identity in again], failed[:2])
            self.assertEqual(len(cluster.ok("retry", "--failed", "--since", "1h", "-y").split()), 1)
            self.assertEqual(cluster.ok("retry", "--failed", "-y"), "")
            for identity in again:
                cluster.await_state(identity, "SUCCEEDED")

    def test_on_a_terminal_it_says_how_many_it_would_be_and_asks(self):
        with Cluster(workers=1, slots=4) as cluster:
            self.assertEqual([run(cluster, "--", "false").returncode for _ in range(3)], [1, 1, 1])
            self.assertIn("retry 3 tasks? [y/N]", self.on_a_terminal(cluster, "n", "retry", "--failed"))
            self.assertEqual(cluster.ok("retry", "--failed", "--dry-run"), "3\n")
            self.assertIn("retry 3 tasks? [y/N]", self.on_a_terminal(cluster, "y", "retry", "--failed"))
            eventually(lambda: cluster.ok("retry", "--failed", "--dry-run") == "3\n", what="the end of the retries")
            self.assertEqual(len(cluster.ok("ps", "-a", "-q").split()), 6)

    def on_a_terminal(self, cluster, answer, *arguments):
        """What it says there; `answer` is typed when it asks."""
        terminal, slave = pty.openpty()
        process = cluster.start(*arguments, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        said = b""
        try:
            while b"[y/N]" not in said:
                said += os.read(terminal, 4096)
            os.write(terminal, answer.encode() + b"\n")
            while chunk := os.read(terminal, 4096):
                said += chunk
        except OSError:  # it has ended
            pass
        process.wait()
        os.close(terminal)
        return said.decode()


class Validations(unittest.TestCase):
    def submit(self, cluster, *flags):
        """Its command ends at once; its validation waits until the file `gate` is there, and says that it has begun."""
        gate, begun = cluster.directory / "gate", cluster.directory / "begun"
        line = f"echo $MUSTER_ATTEMPT >> {begun}; while [ ! -e {gate} ]; do sleep 0.05; done; grep -q fine"
        return cluster.ok("submit", *flags, "--validate", line, "--", "echo", "all is fine").strip()

    def attempts(self, cluster, identity):
        return len(cluster.task(identity).get("attempts", []))

    def test_code_output_and_command_decide_in_this_order(self):
        with Cluster(workers=1) as cluster:
            self.assertEqual(run(cluster, "--accept-exit", "0,3", "--", "sh", "-c", "exit 3").returncode, 0)
            self.assertEqual(run(cluster, "--accept-exit", "3", "--", "true").returncode, 1)
            self.assertEqual(run(cluster, "--validate-output", "^[0-9]+ rows$", "--", "echo", "12 rows").returncode, 0)
            wrong = run(cluster, "--validate-output", "^[0-9]+ rows$", "--", "echo", "no rows")
            self.assertEqual((wrong.returncode, wrong.stdout), (1, "no rows\n"))
            self.assertIn("no line of its output matches ^[0-9]+ rows$", wrong.stderr)
            self.assertEqual(run(cluster, "--validate", "grep -q rows", "--", "echo", "12 rows").returncode, 0)
            wrong = run(cluster, "--validate", "echo 'no columns' >&2; exit 9", "--", "echo", "12 rows")
            self.assertEqual((wrong.returncode, wrong.stdout), (1, "12 rows\n"))
            self.assertIn("failed its validation: exited with 9: no columns", wrong.stderr)
            refused = run(cluster, "--validate-output", "(", "--", "true")
            self.assertEqual(refused.returncode, 125)
            self.assertIn("validation.output_pattern: is no regular expression", refused.stderr)

    def test_a_validation_that_fails_is_a_failure_that_is_tried_again(self):
        with Cluster(workers=1) as cluster:
            mark = cluster.directory / "mark"
            line = f"test -e {mark} || {{ touch {mark}; exit 1; }}"
            ran = run(cluster, "--retries", "1", "--retry-delay", "10ms", "--validate", line, "--", "echo", "hi")
            self.assertEqual(ran.returncode, 0)
            attempts = cluster.task("last")["attempts"]
            self.assertEqual([attempt["end"]["reason"] for attempt in attempts],
                             ["END_REASON_VALIDATION_FAILED", "END_REASON_EXITED"])

    def test_it_is_seen_and_a_cancel_ends_it(self):
        with Cluster(workers=1) as cluster:
            task = self.submit(cluster)
            cluster.await_state(task, "VALIDATING")
            self.assertRegex(cluster.ok("ps", "--state", "validating"), rf"{task} +VALIDATING")
            self.assertEqual(cluster.metric(r'muster_tasks\{state="VALIDATING"\}'), 1)
            self.assertIn("VALIDATING", cluster.ok("log", "--task", task))
            self.assertIn("VALIDATING", cluster.ok("explain", task))
            cluster.ok("cancel", task)
            self.assertEqual(cluster.state(task), "CANCELLED")

    def test_the_masters_death_neither_ends_nor_repeats_it(self):
        with Cluster(workers=1) as cluster:
            task = self.submit(cluster)
            cluster.await_state(task, "VALIDATING")
            cluster.kill_master()
            cluster.start_master()
            cluster.await_state(task, "VALIDATING")
            (cluster.directory / "gate").touch()
            cluster.await_state(task, "SUCCEEDED")
            self.assertEqual(self.attempts(cluster, task), 1)
            self.assertEqual((cluster.directory / "begun").read_text(), "1\n")

    def test_the_masters_death_in_which_it_ends_loses_nothing(self):
        with Cluster(workers=1) as cluster:
            task = self.submit(cluster)
            cluster.await_state(task, "VALIDATING")
            cluster.kill_master()
            (cluster.directory / "gate").touch()
            cluster.start_master()
            cluster.await_state(task, "SUCCEEDED")
            self.assertEqual(self.attempts(cluster, task), 1)

    def test_the_workers_death_is_decided_by_the_mode(self):
        with Cluster(workers=1, slots=2) as cluster:
            rerun = self.submit(cluster)
            held = self.submit(cluster, "--on-worker-loss", "hold")
            for task in (rerun, held):
                cluster.await_state(task, "VALIDATING")
            os.kill(cluster.server_of("w1"), signal.SIGKILL)
            cluster.workers["w1"].wait()
            cluster.start_worker("w1")
            cluster.await_state(held, "LOST")
            eventually(lambda: self.attempts(cluster, rerun) == 2, what="a second attempt")
            cluster.await_state(rerun, "VALIDATING")
            (cluster.directory / "gate").touch()
            cluster.await_state(rerun, "SUCCEEDED")
            self.assertEqual(sorted((cluster.directory / "begun").read_text().split()), ["1", "1", "2"])


if __name__ == "__main__":
    unittest.main()
