"""The fencing token: a resource outside of the cluster refuses an attempt that the cluster has given up."""

import os
import pathlib
import signal
import unittest

from cluster import Cluster, eventually

APPEND = pathlib.Path(__file__).resolve().parents[2] / "deploy/examples/fenced-append"


class Fencing(unittest.TestCase):
    def test_the_write_of_a_superseded_attempt_is_refused_by_the_resource(self):
        with Cluster(workers=2, slots=1) as cluster:
            marks, resource = cluster.directory / "marks", cluster.directory / "resource"
            marks.mkdir()
            # Claims, waits until the test lets this attempt go on, writes, and leaves what the resource said.
            identity = cluster.ok("submit", "--", "sh", "-c", f"""
                {APPEND} {resource} claim
                echo $MUSTER_WORKER > {marks}/claimed-$MUSTER_ATTEMPT
                while [ ! -e {marks}/go-$MUSTER_ATTEMPT ]; do sleep 0.05; done
                {APPEND} {resource} attempt $MUSTER_ATTEMPT wrote this
                echo $? > {marks}/said-$MUSTER_ATTEMPT.new
                mv {marks}/said-$MUSTER_ATTEMPT.new {marks}/said-$MUSTER_ATTEMPT""").strip()

            def mark(name):
                return eventually(lambda: (marks / name).exists() and (marks / name).read_text().strip(), what=name)

            first = mark("claimed-1")
            # The worker falls silent, its command does not: what a long pause or a cut cable looks like.
            stopped = [cluster.workers[first].pid, cluster.server_of(first)]
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            try:
                second = mark("claimed-2")
                self.assertNotEqual(second, first)
                (marks / "go-1").touch()
                self.assertEqual(mark("said-1"), "75", "attempt 1 still ran, and was refused")
                (marks / "go-2").touch()
                self.assertEqual(mark("said-2"), "0")
                cluster.await_state(identity, "SUCCEEDED")
            finally:
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)
            # It is back, and what it has to tell of attempt 1 changes nothing any more.
            cluster.await_active(first)
            stale = eventually(lambda: "too late" in cluster.ok("get", identity, "-o", "json"), what="the note of attempt 1")
            self.assertTrue(stale)
            self.assertEqual(cluster.state(identity), "SUCCEEDED")
            self.assertEqual(resource.read_text(), "attempt 2 wrote this\n")

    def test_tokens_compare_as_the_document_says(self):
        with Cluster(workers=1) as cluster:
            ids = cluster.ok("submit", "-f", "-", input=b'{"executor":"noop"}\n' * 1100).split()
            self.assertGreater(len({len(identity) for identity in ids}), 1, "ids of different lengths")
            self.assertEqual(sorted(ids, key=lambda text: (len(text), text)), ids, "by length, then by bytes")


if __name__ == "__main__":
    unittest.main(verbosity=2)
