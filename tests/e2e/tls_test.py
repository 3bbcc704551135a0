"""TLS on every connection: with certificates of one CA all works, without them nobody gets in."""

import pathlib
import subprocess
import tempfile
import unittest

from cluster import Cluster


def make_certificates(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-days", "2", "-subj", f"/CN={name}")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "node.key", "-out", "node.csr", "-subj", "/CN=node")
    openssl("x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "node.pem", "-days", "2", "-extfile", "names")


class Tls(unittest.TestCase):
    def test_only_who_has_a_certificate_of_the_ca_gets_in(self):
        with tempfile.TemporaryDirectory(prefix="muster-tls-") as name:
            folder = pathlib.Path(name)
            make_certificates(folder)
            daemons = [f"--grpc.tls.certificate={folder}/node.pem", f"--grpc.tls.key={folder}/node.key",
                       f"--grpc.tls.ca={folder}/ca.pem"]
            ours = {"MUSTER_TLS_CA": f"{folder}/ca.pem", "MUSTER_TLS_CERTIFICATE": f"{folder}/node.pem",
                    "MUSTER_TLS_KEY": f"{folder}/node.key"}

            class Encrypted(Cluster):
                def environment(self, **more):
                    return super().environment(**{**ours, **more})

            with Encrypted(workers=2, master_flags=daemons, worker_flags=daemons) as cluster:
                done = cluster.muster("run", "--", "sh", "-c", "echo sealed; exit 3")
                self.assertEqual((done.returncode, done.stdout), (3, b"sealed\n"), done.stderr)
                strangers = {"plain": {"MUSTER_TLS_CA": "", "MUSTER_TLS_CERTIFICATE": "", "MUSTER_TLS_KEY": ""},
                             "without a certificate": {"MUSTER_TLS_CERTIFICATE": "", "MUSTER_TLS_KEY": ""},
                             "who believes another CA": {"MUSTER_TLS_CA": f"{folder}/other.pem"}}
                for stranger, environment in strangers.items():
                    done = cluster.muster("ps", "--retry-for", "1s", env=cluster.environment(**environment))
                    self.assertEqual(done.returncode, 125, stranger)
                    self.assertEqual(len(done.stderr.decode().strip().splitlines()), 1, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
