"""Many tasks as one batch: order, grouping, halting, and the batch as a thing of its own."""

import json
import subprocess
import unittest

from cluster import BIN, OnOneCluster, eventually


class Map(OnOneCluster):
    worker_count = 2

    def test_ten_thousand_in_order_as_one_batch(self):
        numbers = [str(n) for n in range(1, 10001)]
        done = self.cluster.muster("map", "-k", "--", "echo", "{}", ":::", *numbers, seconds=200)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertEqual(done.stdout.decode().split(), numbers)
        batch = self.cluster.json("get", "last")
        self.assertEqual(int(batch["task_count"]), 10000)
        self.assertEqual({c["state"]: int(c["count"]) for c in batch["counts"]}, {"TASK_STATE_SUCCEEDED": 10000})
        self.assertEqual(self.cluster.muster("wait", batch["id"]).returncode, 0)
        listed = self.cluster.ok("ps", "-a", "--limit", "20000", "-o", "name", batch["id"]).split()
        self.assertEqual(len(listed), 10000)

    def test_one_task_of_a_batch_can_be_named(self):
        self.cluster.ok("map", "--", "echo", "row {}", ":::", "a", "b", "c")
        batch = self.cluster.json("get", "last")["id"]
        self.assertEqual(self.cluster.ok("logs", f"{batch}/2"), "row b\n")

    def test_cancel_takes_the_whole_batch(self):
        gate = self.cluster.directory / "never"
        run = self.cluster.start("map", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.2; done; : {{}}", ":::",
                                 *range(500))
        batch = eventually(lambda: [t["batch_id"] for t in self.cluster.json("ps").get("tasks", []) if t.get("batch_id")
                                    and t["state"] == "TASK_STATE_RUNNING"][:1], what="the batch")[0]
        self.cluster.ok("cancel", "-y", batch, seconds=60)
        counts = {c["state"]: int(c["count"]) for c in self.cluster.json("get", batch)["counts"]}
        self.assertEqual(counts, {"TASK_STATE_CANCELLED": 500})
        self.assertEqual(run.wait(30), 125)

    def test_the_highest_exit_status_is_the_maps(self):
        done = self.cluster.muster("map", "--", "sh", "-c", "exit {}", ":::", "0", "3", "1")
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"failed", done.stderr.lower())

    def test_outputs_are_never_mixed_and_can_be_tagged(self):
        done = self.cluster.muster("map", "--tag", "-k", "--", "sh", "-c", "echo a{}; echo b{}", ":::", "1", "2")
        self.assertEqual(done.stdout, b"1\ta1\n1\tb1\n2\ta2\n2\tb2\n")

    def test_sources_cross_and_link(self):
        crossed = self.cluster.muster("map", "-k", "--", "echo", "{1}-{2}", ":::", "a", "b", ":::", "1", "2")
        self.assertEqual(crossed.stdout.split(), [b"a-1", b"a-2", b"b-1", b"b-2"])
        linked = self.cluster.muster("map", "-k", "--", "echo", "{1}-{2}", ":::", "a", "b", ":::+", "1", "2")
        self.assertEqual(linked.stdout.split(), [b"a-1", b"b-2"])

    def test_arguments_come_from_a_file_and_from_standard_input(self):
        file = self.cluster.directory / "arguments"
        file.write_text("x y\nz\n")
        self.assertEqual(self.cluster.muster("map", "-k", "-a", file, "--", "echo").stdout, b"x y\nz\n")
        self.assertEqual(self.cluster.muster("map", "-k", "--", "echo", "{#}:{}", input=b"p\nq\n").stdout, b"1:p\n2:q\n")

    def test_a_value_in_a_shell_line_is_quoted(self):
        done = self.cluster.muster("map", "-k", "--shell", "--", "echo {} | tr a-z A-Z", ":::", "a; echo b", "$HOME 'c'")
        self.assertEqual((done.returncode, done.stdout), (0, b"A; ECHO B\n$HOME 'C'\n"), done.stderr)

    def newest(self):
        return (self.cluster.json("ps", "-a", "--limit", "1").get("tasks") or [{}])[0].get("id")

    def test_a_dry_run_prints_and_runs_nothing(self):
        before = self.newest()
        done = self.cluster.muster("map", "--dry-run", "--", "echo", "{/.}", ":::", "/a/b.c")
        self.assertEqual(done.stdout, b"echo b\n")
        self.assertEqual(self.newest(), before)

    def test_halt_now_stops_what_is_left(self):
        done = self.cluster.muster("map", "--halt", "now,fail=1", "--", "sh", "-c", "[ {} = 1 ] && exit 9; sleep 60",
                                   ":::", *range(1, 20), seconds=50)
        self.assertEqual(done.returncode, 9 if done.returncode == 9 else 125, done.stderr)

    def test_the_joblog_has_a_line_for_each_with_its_status(self):
        log = self.cluster.directory / "joblog"
        self.cluster.muster("map", "--joblog", log, "--", "sh", "-c", "exit {}", ":::", "0", "4")
        lines = [line.split("\t") for line in log.read_text().splitlines()]
        self.assertEqual(lines[0][:2], ["Seq", "Host"])
        by_sequence = {line[0]: dict(zip(lines[0], line)) for line in lines[1:]}
        self.assertEqual(by_sequence["1"]["Exitval"], "0")
        self.assertEqual(by_sequence["2"]["Exitval"], "4")

    def test_submit_takes_an_endless_stream_of_json_lines(self):
        lines = "".join(json.dumps({"executor": "noop", "name": f"line-{n}"}) + "\n" for n in range(3000))
        done = self.cluster.muster("submit", "-f", "-", input=lines.encode())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.split()), 3000)
        self.assertEqual(self.cluster.muster("wait", *done.stdout.decode().split()[-3:]).returncode, 0)

    def test_submit_takes_yaml(self):
        done = self.cluster.muster("submit", "-f", "-", input=b"command:\n  argv: [sh, -c, 'exit 6']\nname: yaml-task\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.cluster.muster("wait", "yaml-task").returncode, 6)

    def test_a_map_into_a_closed_pipe_ends_quietly(self):
        done = subprocess.run(["sh", "-c", f"seq 300 | {BIN}/muster map -k -- echo | head -n 1"], capture_output=True,
                              env=self.cluster.environment(), timeout=60)
        self.assertEqual(done.stdout, b"1\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
