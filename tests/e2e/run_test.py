"""A command through the whole cluster: its streams, its exit status, and nothing of it left behind."""

import pathlib
import signal
import unittest

from cluster import OnOneCluster, alive, eventually


class Run(OnOneCluster):
    worker_count = 2

    def test_streams_and_status_are_the_commands_own(self):
        done = self.cluster.muster("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, b"out\n", b"err\n"))

    def test_bytes_that_are_no_text_come_through(self):
        done = self.cluster.muster("run", "--", "printf", r"\000\377\n\200")
        self.assertEqual((done.returncode, done.stdout), (0, b"\x00\xff\n\x80"))

    def test_a_missing_program_is_127_and_says_so(self):
        done = self.cluster.muster("run", "--", "no-such-program-here")
        self.assertEqual(done.returncode, 127, done.stderr)
        self.assertIn(b"no-such-program-here", done.stderr)

    def test_a_file_that_may_not_run_is_126(self):
        self.assertEqual(self.cluster.muster("run", "--", "/etc/passwd").returncode, 126)

    def test_a_signal_is_128_and_its_number(self):
        self.assertEqual(self.cluster.muster("run", "--", "sh", "-c", "kill -TERM $$").returncode, 143)

    def test_a_timeout_is_124_and_leaves_no_process(self):
        mark = self.cluster.directory / "timeout-pid"
        done = self.cluster.muster("run", "--timeout", "1s", "--", "sh", "-c", f"echo $$ > {mark}; sleep 9")
        self.assertEqual(done.returncode, 124, done.stderr)
        self.assertFalse(alive(int(mark.read_text())))

    def test_a_child_that_forked_away_and_ignores_sigterm_is_gone_too(self):
        mark = self.cluster.directory / "daemon-pid"
        script = f"(trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > {mark}; while :; do sleep 1; done' &) ; " \
                 f"while [ ! -s {mark} ]; do :; done; sleep 30"
        done = self.cluster.muster("run", "--timeout", "1s", "--", "sh", "-c", script)
        self.assertEqual(done.returncode, 124, done.stderr)
        eventually(lambda: not alive(int(mark.read_text())), 5, "the end of the daemonized child")

    def test_a_child_left_in_the_background_does_not_outlive_its_command(self):
        mark = self.cluster.directory / "background-pid"
        done = self.cluster.muster("run", "--", "sh", "-c", f"sleep 300 & echo $! > {mark}; echo done")
        self.assertEqual((done.returncode, done.stdout), (0, b"done\n"))
        eventually(lambda: not alive(int(mark.read_text())), 5, "the end of the background child")

    def test_the_environment_starts_empty(self):
        done = self.cluster.muster("run", "-e", "COLOUR=red", "--", "env")
        names = {line.split("=")[0] for line in done.stdout.decode().splitlines()}
        self.assertLessEqual({"PATH", "HOME", "LANG", "COLOUR", "MUSTER_TASK_ID", "MUSTER_ATTEMPT", "MUSTER_WORKER",
                              "MUSTER_TASK_DIR"}, names)
        self.assertEqual({n for n in names if not n.startswith("MUSTER_")} - {"PATH", "HOME", "LANG", "COLOUR"}, set())

    def test_standard_input_is_given_or_empty(self):
        self.assertEqual(self.cluster.muster("run", "--", "cat").stdout, b"")
        done = self.cluster.muster("run", "--stdin", "-", "--", "tr", "a-z", "A-Z", input=b"hello\n")
        self.assertEqual(done.stdout, b"HELLO\n")

    def test_a_shell_runs_only_when_asked_for(self):
        self.assertEqual(self.cluster.muster("run", "--", "echo", "$HOME").stdout, b"$HOME\n")
        self.assertEqual(self.cluster.muster("run", "--shell", "--", "echo $((6*7))").stdout, b"42\n")

    def test_a_script_is_sent_along_and_run_by_its_shebang(self):
        script = self.cluster.directory / "hello.sh"
        script.write_text("#!/bin/sh\necho \"script $1 in $(basename \"$0\")\"\n")
        done = self.cluster.muster("run", "--script", script, "--", "one")
        self.assertEqual((done.returncode, done.stdout), (0, b"script one in hello.sh\n"), done.stderr)

    def test_the_working_directory_is_fresh_and_gone_afterwards(self):
        done = self.cluster.muster("run", "--", "sh", "-c", "pwd; touch x; ls -A")
        directory, files = done.stdout.decode().split("\n", 1)
        self.assertEqual(files, "x\n")
        eventually(lambda: not pathlib.Path(directory).exists(), 5, "the end of the directory")

    def test_ctrl_c_detaches_and_says_how_to_come_back(self):
        mark = self.cluster.directory / "detached"
        run = self.cluster.start("run", "--name", "detached", "--", "sh", "-c",
                                 f"echo begun; while [ ! -e {mark} ]; do sleep 0.1; done; echo ended")
        self.assertEqual(run.stdout.readline(), b"begun\n")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=20)
        self.assertEqual(run.returncode, 130, err)
        self.assertIn(b"muster attach", err)
        mark.touch()
        self.assertEqual(self.cluster.muster("wait", "detached").returncode, 0)
        self.assertEqual(self.cluster.muster("logs", "detached").stdout, b"begun\nended\n")

    def test_get_shows_the_cost_of_an_attempt(self):
        identity = self.cluster.ok("submit", "--", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done").strip()
        self.cluster.ok("wait", identity)
        usage = self.cluster.task(identity)["attempts"][0]["end"]["usage"]
        self.assertGreater(int(usage["peak_memory_bytes"]), 100_000)
        self.assertRegex(usage["user_cpu_time"], r"^0\.\d+s$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
