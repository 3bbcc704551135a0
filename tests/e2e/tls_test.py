"""The recipe of the README, followed with the real binaries: certificates by `muster pki`, and then nobody else gets in."""

import os
import pathlib
import shlex
import stat
import subprocess
import tempfile
import unittest

from cluster import BIN, Cluster, Daemon, eventually


class Pki:
    """An authority in a directory of its own, by `muster pki`."""

    def __init__(self, folder, cluster="lab"):
        self.folder = pathlib.Path(folder)
        self.run("init", "--cluster", cluster)

    def start(self, *arguments):
        return subprocess.run([str(BIN / "muster"), "pki", *map(str, arguments), "--dir", str(self.folder)], capture_output=True,
                              text=True)

    def run(self, *arguments):
        done = self.start(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def flags(self, role, name, *more):
        """Of a daemon, as the shell's $(muster pki issue ...) gives them."""
        return self.run("issue", role, name, *more).split()

    def variables(self, role, name, *more):
        """Of a person, as eval takes them."""
        line = self.run("issue", role, name, *more)
        return dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)


class TlsCluster(Cluster):
    def __init__(self, pki, **options):
        self.pki = pki
        self.mine = pki.variables("admin", "anna")
        super().__init__(master_flags=pki.flags("master", "m1"), **options)

    def worker_network(self, name):
        return [*super().worker_network(name), *self.pki.flags("worker", name)]

    def environment(self, **more):
        return super().environment(**{**self.mine, **more})


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="muster-tls-")
        folder = pathlib.Path(cls.directory.name)
        cls.pki, cls.other = Pki(folder / "lab"), Pki(folder / "other")
        cls.cluster = TlsCluster(cls.pki, workers=2)
        cls.cluster.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)
        cls.directory.cleanup()

    def refused(self, environment, *arguments):
        done = self.cluster.muster(*arguments, env=self.cluster.environment(**environment))
        words = done.stderr.decode().strip()
        self.assertEqual(done.returncode, 125, words)
        self.assertEqual(len(words.splitlines()), 1, words)
        return words

    def test_the_recipe_makes_a_cluster_that_runs_commands(self):
        done = self.cluster.muster("run", "--", "sh", "-c", "echo sealed; exit 3")
        self.assertEqual((done.returncode, done.stdout), (3, b"sealed\n"), done.stderr)
        self.assertEqual(self.cluster.json("get", "last")["owner"], "admin/anna")

    def test_nobody_else_gets_in(self):
        none = {"MUSTER_TLS_CERTIFICATE": "", "MUSTER_TLS_KEY": ""}
        stranger = self.other.variables("admin", "eve")
        self.refused({**none, "MUSTER_TLS_CA": ""}, "ps", "--retry-for", "1s")
        self.assertIn("asks who calls: name your certificate", self.refused(none, "ps", "--retry-for", "1s"))
        self.assertIn("the TLS handshake failed", self.refused(stranger, "ps", "--retry-for", "1s"))
        self.refused({**stranger, "MUSTER_TLS_CA": self.cluster.mine["MUSTER_TLS_CA"]}, "ps", "--retry-for", "1s")
        expired = self.pki.variables("admin", "old", "--valid", "1s")
        environment = self.cluster.environment(**expired)
        eventually(lambda: self.cluster.muster("ps", "--retry-for", "0s", env=environment).returncode == 125, what="the end of a certificate")
        self.assertIn("admin-old.pem: it has expired", self.refused(expired, "ps", "--retry-for", "0s"))

    def test_it_speaks_tls_1_3_and_nothing_before_1_2(self):
        def speak(*options):
            return subprocess.run(["openssl", "s_client", "-connect", self.cluster.address, "-alpn", "h2", "-CAfile", f"{self.pki.folder}/ca.pem",
                                   "-cert", f"{self.pki.folder}/admin-anna.pem", "-key", f"{self.pki.folder}/admin-anna.key", *options],
                                  input="", capture_output=True, text=True, errors="replace", timeout=30).stdout
        self.assertIn("New, TLSv1.3", speak())
        self.assertIn("Verify return code: 0 (ok)", speak())
        self.assertIn("New, TLSv1.2", speak("-tls1_2"))
        self.assertIn("New, (NONE)", speak("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"))

    def test_renewed_certificates_are_taken_up_while_a_command_streams(self):
        def serial():
            shown = subprocess.run(["openssl", "s_client", "-connect", self.cluster.address, "-alpn", "h2"], input="",
                                   capture_output=True, text=True, errors="replace", timeout=30).stdout
            return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown, capture_output=True, text=True).stdout
        before, gate = serial(), self.cluster.directory / "gate"
        self.assertIn("serial=", before)
        running = self.cluster.start("run", "--", "sh", "-c", f"echo begin; while [ ! -e {gate} ]; do sleep 0.05; done; echo end")
        self.assertEqual(running.stdout.readline(), b"begin\n")
        for role, name in (("master", "m1"), ("worker", "w1"), ("worker", "w2")):
            self.pki.run("issue", role, name, "--renew")
        eventually(lambda: serial() not in ("", before), 40, what="the master's new certificate")
        gate.touch()
        out, err = running.communicate(timeout=30)
        self.assertEqual((running.returncode, out, err), (0, b"end\n", b""))
        self.cluster.ok("run", "--", "true")

    def test_everyone_may_do_what_the_role_says(self):
        viewer, submitter = self.pki.variables("viewer", "vera"), self.pki.variables("submitter", "sam")
        self.cluster.ok("ps", env=self.cluster.environment(**viewer))
        self.assertIn("viewer/vera may not do that; it takes the role submitter",
                      self.refused(viewer, "run", "--retry-for", "1s", "--", "true"))
        self.cluster.ok("run", "--", "true", env=self.cluster.environment(**submitter))
        anothers = self.cluster.ok("submit", "--", "true").strip()
        self.assertIn(f"task {anothers} is admin/anna's", self.refused(submitter, "cancel", anothers, "--retry-for", "1s"))
        self.assertIn("it takes the role operator", self.refused(submitter, "worker", "drain", "w1", "--retry-for", "1s"))
        self.assertIn("it takes the role admin", self.refused(submitter, "shutdown", "--retry-for", "1s"))
        worker = {"MUSTER_TLS_CERTIFICATE": f"{self.pki.folder}/worker-w1.pem", "MUSTER_TLS_KEY": f"{self.pki.folder}/worker-w1.key"}
        self.assertIn("worker/w1 may not do that", self.refused(worker, "ps", "--retry-for", "1s"))
        eventually(lambda: "viewer/vera" in self.cluster.ok("log"), what="the refusal in the activity log")

    def test_a_worker_is_what_its_certificate_says(self):
        def start(*flags):
            daemon = Daemon([BIN / "muster-worker", f"--master={self.cluster.address}", "--grpc.listen=127.0.0.1:0", "--http.listen=",
                             f"--work_dir={self.cluster.directory}/work-x", *flags], self.cluster.directory / "x.log")
            return daemon
        flags = self.pki.flags("worker", "w9")
        for wrong, words in {("--name=w1", *flags): "is not what the certificate",
                             ("--name=anna", *self.as_worker("admin-anna")): "it is for the role admin, and this is a worker"}.items():
            daemon = start(*wrong)
            self.assertNotEqual(daemon.process.wait(30), 0)
            self.assertIn(words, daemon.text())
        named = start(*flags)
        eventually(lambda: self.cluster.worker_state("w9") == "ACTIVE", what="w9 by its certificate's name alone")
        named.process.terminate()
        named.process.wait(30)

    def as_worker(self, stem):
        return [f"--grpc.tls.certificate={self.pki.folder}/{stem}.pem", f"--grpc.tls.key={self.pki.folder}/{stem}.key",
                f"--grpc.tls.ca={self.pki.folder}/ca.pem"]

    def test_keys_are_for_their_owner_and_nothing_is_replaced_unasked(self):
        for key in self.pki.folder.glob("*.key"):
            self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600, key)
        self.assertEqual(stat.S_IMODE(os.stat(self.pki.folder).st_mode), 0o700)
        before = (self.pki.folder / "worker-w1.pem").read_text()
        for again in (("init", "--cluster", "lab"), ("issue", "worker", "w1")):
            done = self.pki.start(*again)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("already there", done.stderr)
        self.assertEqual((self.pki.folder / "worker-w1.pem").read_text(), before)
        self.pki.run("issue", "worker", "w1", "--renew", "--host", "node-1.example", "--host", "10.0.0.7")
        shown = self.pki.run("show")
        self.assertRegex(shown, r"worker-w1\.pem +spiffe://lab/worker/w1 +until .* node-1\.example,10\.0\.0\.7")
        self.assertRegex(shown, r"ca\.pem +spiffe://lab \(authority\)")
        for wrong in (("issue", "root", "eve"), ("issue", "admin", "e/ve"), ("issue", "admin", "..")):
            self.assertEqual(self.pki.start(*wrong).returncode, 2, wrong)


if __name__ == "__main__":
    unittest.main(verbosity=2)
