"""Values that a task writes, with the real binaries: kept with its success and shown, refused when they are none, tried
again as another validation, there after the death of the master."""

import json
import unittest

from cluster import Cluster, OnOneCluster, eventually


class Outputs(OnOneCluster):
    def submit(self, *arguments):
        return self.cluster.ok("submit", *arguments).strip()

    def ends(self, line, *flags):
        """The task of a line for a shell that may write `version`, once it has ended."""
        identity = self.submit("--outputs", "version", *flags, "--", "sh", "-c", line)
        self.cluster.await_state(identity, "SUCCEEDED", "FAILED")
        return self.cluster.task(identity)

    def test_what_a_success_wrote_is_shown(self):
        identity = self.submit("--outputs", "version,digest,note", "--", "sh", "-c",
                               'printf "digest=a b\\nversion=1\\nversion=1.4\\nother=5" > "$MUSTER_OUTPUTS"')
        self.cluster.await_state(identity, "SUCCEEDED")
        page = self.cluster.ok("get", identity)
        self.assertIn("May write:     version, digest, note\n", page)
        self.assertIn("\nOutput version: 1.4\n", page)
        self.assertIn("\nOutput digest: a b\n", page)
        self.assertNotIn("other", page.split("Attempts:")[1])
        wanted = [{"name": "version", "value": "1.4"}, {"name": "digest", "value": "a b"}]
        self.assertEqual(self.cluster.task(identity)["attempts"][0]["outputs"], wanted)
        listed = next(t for t in self.cluster.json("ps", "-a")["tasks"] if t["id"] == identity)
        self.assertEqual(listed["attempts"][0]["outputs"], wanted)

    def test_a_terminal_is_given_no_orders_by_a_value(self):
        task = self.ends(r'printf "version=\033]0;owned\007\n" > "$MUSTER_OUTPUTS"')
        self.assertEqual(task["attempts"][0]["outputs"][0]["value"], "\x1b]0;owned\x07")
        page = self.cluster.ok("get", task["id"])
        self.assertIn("Output version: ?]0;owned?\n", page)
        self.assertNotIn("\x1b", page)

    def test_a_file_that_is_none_fails_the_attempt_and_says_why(self):
        no_file = "what MUSTER_OUTPUTS names is no regular file"
        for line, why in {
                'printf "version=1\\n\\ngarbage\\n" > "$MUSTER_OUTPUTS"': "line 3 is no NAME=VALUE",
                'head -c 3000 /dev/urandom | tr -d "\\n" | sed "s/^/version=/" > "$MUSTER_OUTPUTS"': "line 1 is not UTF-8",
                'mkfifo "$MUSTER_OUTPUTS"': no_file,
                'mkdir "$MUSTER_OUTPUTS"': no_file,
                'ln -s /etc/passwd "$MUSTER_OUTPUTS"': no_file,
                'truncate -s 1G "$MUSTER_OUTPUTS"': "the file has more than 64 KiB"}.items():
            task = self.ends(line)
            self.assertEqual(task["state"], "TASK_STATE_FAILED", line)
            end = task["attempts"][0]["end"]
            self.assertEqual((end["reason"], end["message"]), ("END_REASON_VALIDATION_FAILED", f"its outputs: {why}"), line)
            self.assertEqual(task["attempts"][0]["outputs"], [], line)
            ran = self.cluster.muster("run", "--outputs", "version", "--", "sh", "-c", line)
            self.assertEqual(ran.returncode, 1, line)

    def test_one_that_is_none_is_tried_again(self):
        tries = self.cluster.directory / "tries"
        task = self.ends(f'echo x >> {tries}; test $(wc -l < {tries}) = 2 && echo version=2 > "$MUSTER_OUTPUTS" && exit 0; '
                         'echo nonsense > "$MUSTER_OUTPUTS"', "--retries", "2", "--retry-delay", "10ms")
        self.assertEqual(task["state"], "TASK_STATE_SUCCEEDED")
        self.assertEqual([a["end"]["reason"] for a in task["attempts"]], ["END_REASON_VALIDATION_FAILED", "END_REASON_EXITED"])
        self.assertEqual(task["attempts"][1]["outputs"], [{"name": "version", "value": "2"}])

    def test_a_validation_reads_them_and_a_failed_one_leaves_none(self):
        write = 'echo version=1 > "$MUSTER_OUTPUTS"'
        good = self.ends(write, "--validate", 'grep -qx version=1 "$MUSTER_OUTPUTS"')
        self.assertEqual(good["attempts"][0]["outputs"], [{"name": "version", "value": "1"}])
        bad = self.ends(write, "--validate", 'grep -qx version=2 "$MUSTER_OUTPUTS"')
        self.assertEqual(bad["state"], "TASK_STATE_FAILED")
        self.assertEqual(bad["attempts"][0]["outputs"], [])

    def test_where_there_can_be_none_they_are_refused(self):
        mapped = self.cluster.muster("map", "--outputs", "version", "--", "echo", "{}", ":::", "a")
        self.assertNotEqual(mapped.returncode, 0)
        self.assertIn("of single tasks", mapped.stderr.decode())
        other = self.cluster.muster("submit", "--executor", "noop", "--outputs", "version")
        self.assertNotEqual(other.returncode, 0)
        self.assertIn('for the executor "command" alone', other.stderr.decode())
        file = json.dumps({"command": {"argv": ["true"]}, "outputs": ["a", "a"]}).encode()
        twice = self.cluster.muster("submit", "-f", "-", input=file)
        self.assertNotEqual(twice.returncode, 0)
        self.assertIn("is named twice", twice.stderr.decode())

    def test_a_task_without_any_has_no_file(self):
        self.assertEqual(self.cluster.ok("run", "--", "sh", "-c", "echo ${MUSTER_OUTPUTS-unset} ${MUSTER_WORKFLOW-unset}"),
                         "unset unset\n")


class OutputsThatLast(unittest.TestCase):
    def test_they_are_there_after_the_master_was_killed(self):
        with Cluster(workers=1) as cluster:
            gate = cluster.directory / "gate"
            before = cluster.ok("submit", "--outputs", "version", "--", "sh", "-c", "echo version=1 > $MUSTER_OUTPUTS").strip()
            cluster.await_state(before, "SUCCEEDED")
            during = cluster.ok("submit", "--outputs", "version", "--", "sh", "-c",
                                f"until [ -e {gate} ]; do sleep 0.02; done; echo version=2 > $MUSTER_OUTPUTS").strip()
            cluster.await_state(during, "RUNNING")
            cluster.kill_master()
            gate.touch()
            cluster.start_master()
            cluster.await_state(during, "SUCCEEDED")
            for identity, value in ((before, "1"), (during, "2")):
                attempts = eventually(lambda: cluster.task(identity)["attempts"], what="its attempts")
                self.assertEqual(attempts[-1]["outputs"], [{"name": "version", "value": value}])


if __name__ == "__main__":
    unittest.main(verbosity=2)
