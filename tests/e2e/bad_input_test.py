"""Bad input: one clear line each, a stable reason, exit 125 or 2, and nothing lost by it."""

import os
import pathlib
import socket
import subprocess
import unittest

from cluster import BIN, Cluster, OnOneCluster, eventually

PLUGINS = pathlib.Path(os.environ.get("MUSTER_PLUGINS", BIN.parent / "lib"))


class BadTasks(OnOneCluster):
    def refused(self, code, pattern, *arguments, **options):
        done = self.cluster.muster(*arguments, **options)
        text = done.stderr.decode()
        self.assertEqual(done.returncode, code, text)
        self.assertEqual(done.stdout, b"")
        self.assertRegex(text, pattern)
        self.assertEqual(len(text.strip().splitlines()), 1, text)

    def tearDown(self):
        self.assertEqual(self.cluster.muster("run", "--", "echo", "still here").stdout, b"still here\n")

    def test_no_command(self):
        self.refused(2, "(?i)command", "run")

    def test_no_argv_over_the_api(self):
        self.refused(125, "argv", "submit", "-f", "-", input=b'{"command":{}}\n')

    def test_an_argument_with_a_nul_byte(self):
        self.refused(125, r"(?i)argv\[1\].*NUL", "submit", "-f", "-",
                     input=b'{"command":{"argv":["echo","a\\u0000b"]}}\n')

    def test_an_argument_of_200_kib(self):
        self.refused(125, r"argv\[1\]", "submit", "-f", "-",
                     input=b'{"command":{"argv":["echo","%s"]}}\n' % (b"x" * 200 * 1024))

    def test_an_executor_that_nobody_knows(self):
        self.refused(125, "(?i)executor.*nosuch", "run", "--executor", "nosuch")

    def test_a_negative_timeout(self):
        self.refused(2, "(?i)timeout", "run", "--timeout=-1s", "--", "true")

    def test_a_negative_timeout_over_the_api(self):
        self.refused(125, "run_timeout", "submit", "-f", "-",
                     input=b'{"command":{"argv":["true"]},"run_timeout":"-1s"}\n')

    def test_an_unknown_flag(self):
        self.refused(2, "--nosuch", "run", "--nosuch", "--", "true")

    def test_a_task_that_is_not_there(self):
        self.refused(125, "ZZZZ", "get", "ZZZZ")

    def test_a_field_that_the_api_does_not_have(self):
        self.refused(2, "stdin:1: .*comand", "submit", "-f", "-", input=b'{"comand":{"argv":["true"]}}\n')

    def test_a_master_that_is_not_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        done = self.cluster.muster("ps", env=self.cluster.environment(MUSTER_MASTER=address))
        self.assertEqual(done.returncode, 125)
        self.assertIn(address.encode(), done.stderr)

    def test_the_reason_is_stable_on_the_wire(self):
        activity = self.cluster.ok("log", "-o", "json")
        self.refused(125, "(?i)executor.*nosuch", "run", "--executor", "nosuch")
        eventually(lambda: "requests_refused" in self.cluster.ok("log", "-o", "json"), 10, "the refusal in the log")
        self.assertTrue(activity)


class BadStarts(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(workers=0).__enter__()

    def tearDown(self):
        self.cluster.__exit__(None, None, None)

    def fails(self, pattern, program, *arguments, code=125):
        done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(lines[-1], pattern)
        self.assertEqual(len([line for line in lines if "error" in line.lower() or program in line.split(":")[0]]) > 0, True)

    def master(self, *arguments):
        return ("muster-master", "--grpc.listen=127.0.0.1:0", "--http.listen=127.0.0.1:0",
                f"--store.path={self.cluster.directory / 'other'}", *arguments)

    def test_an_unknown_configuration_key(self):
        self.fails("scheduler.balanser.*did you mean scheduler.balancer", *self.master("--scheduler.balanser=x"), code=2)

    def test_a_directory_where_a_file_is_meant(self):
        self.fails("cannot read /: Is a directory", "muster-master", "--config=/", code=2)
        self.fails("cannot read /: Is a directory", "muster-worker", "--config=/", code=2)
        for words in (("--config", "/", "ps"), ("simulate", "--log", "/"), ("simulate", "--swf", "/"), ("submit", "-f", "/")):
            done = self.cluster.muster(*words)
            self.assertEqual(done.returncode, 2, (words, done.stderr))
            self.assertRegex(done.stderr.decode(), "^muster: .*Is a directory\n$")

    def test_what_a_workers_start_refuses_its_check_refuses(self):
        for resources in ("lic=-1", "lic=nan", "../x=1"):
            self.fails("resources: .*must be a name and a whole number", "muster-worker", "--check-config",
                       f"--resources={resources}", code=2)

    def test_a_port_in_use(self):
        self.fails(self.cluster.address, *self.master(f"--grpc.listen={self.cluster.address}"))
        self.fails(self.cluster.master.addresses["http"],
                   *self.master(f"--http.listen={self.cluster.master.addresses['http']}"))

    def test_a_public_address_without_tls(self):
        self.fails("TLS", *self.master("--grpc.listen=0.0.0.0:0"), code=2)

    def test_times_that_do_not_fit_together(self):
        self.fails("lost_after", *self.master("--workers.lost_after=1s", "--workers.self_fence=1s"), code=2)

    def test_a_directory_that_another_master_holds(self):
        self.fails("(?i)in use", *self.master(f"--store.path={self.cluster.store}"))

    def test_a_corrupt_database(self):
        other = self.cluster.directory / "other"
        other.mkdir()
        (other / "muster.db").write_bytes(os.urandom(64 * 1024))
        self.fails("muster.db", *self.master())

    def test_a_page_of_the_database_overwritten(self):
        self.cluster.start_worker("w1")
        for _ in range(30):
            self.cluster.ok("submit", "--", "echo", "x" * 2000)
        self.cluster.master.signal(15)
        self.assertEqual(self.cluster.master.wait(10), 0)
        database = self.cluster.store / "muster.db"
        # Of a specification: a start reads those. A page of output is found by the scrub.
        pages = database.read_bytes()
        page = next(at for at in range(4096, len(pages), 4096) if b"echo" in pages[at:at + 4096] and b"x" * 1000 in pages[at:at + 4096])
        with open(database, "r+b") as file:
            file.seek(page)
            file.write(b"\xde\xad" * 2048)
        self.fails("muster.db", "muster-master", "--grpc.listen=127.0.0.1:0", "--http.listen=127.0.0.1:0",
                   f"--store.path={self.cluster.store}")

    def test_a_plugin_with_a_wrong_abi(self):
        config = self.cluster.directory / "worker.yaml"
        config.write_text(f"executors:\n  - name: old\n    path: {PLUGINS}/muster-test/wrong_abi.so\n")
        self.fails("(?i)abi", "muster-worker", f"--config={config}", "--name=x", f"--master={self.cluster.address}",
                   "--grpc.listen=127.0.0.1:0", "--http.listen=127.0.0.1:0", f"--work_dir={self.cluster.directory / 'x'}")

    def test_a_plugin_that_is_not_there(self):
        config = self.cluster.directory / "worker.yaml"
        config.write_text("executors:\n  - name: gone\n    path: /nonexistent.so\n")
        self.fails("/nonexistent.so", "muster-worker", f"--config={config}", "--name=x", f"--master={self.cluster.address}",
                   "--grpc.listen=127.0.0.1:0", "--http.listen=127.0.0.1:0", f"--work_dir={self.cluster.directory / 'x'}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
