"""A disk that runs full under the master, on a small file system of its own.

Below the low-water mark new tasks are refused with a reason and a delay, results and cancels still land; with nothing
left at all, results stay on the workers and heartbeats go on being answered; with room again it heals by itself.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

from cluster import Cluster, eventually

MIB = 1 << 20


class SmallDisk:
    """A tmpfs that tests fill and empty; skips the test where mounting is not allowed."""

    def __init__(self, bytes):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="muster-small-disk-"))
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={bytes}", "muster-test", str(self.path)],
                                 stderr=subprocess.PIPE, text=True)
        if mounted.returncode != 0:
            self.path.rmdir()
            raise unittest.SkipTest(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
        self.filling = self.path / "filling"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)], check=True)
        self.path.rmdir()

    def free(self):
        system = os.statvfs(self.path)
        return system.f_bavail * system.f_frsize

    def leave(self, bytes):
        """Until no more than this is free."""
        with open(self.filling, "ab") as filling:
            while (too_much := self.free() - bytes) > 0:
                try:
                    filling.write(b"x" * min(too_much, MIB))
                    filling.flush()
                except OSError:
                    return

    def empty(self):
        self.filling.unlink()


def held_task(gate, output_bytes=0):
    return ["sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done; head -c {output_bytes} /dev/zero"]


class DiskFull(unittest.TestCase):
    def test_little_room_refuses_new_work_and_lets_results_and_cancels_land(self):
        with SmallDisk(64 * MIB) as disk:
            flags = [f"--store.path={disk.path}/store", "--store.ballast=16MiB", "--store.low_water=8MiB"]
            with Cluster(workers=1, slots=4, master_flags=flags) as cluster:
                gate = cluster.directory / "gate"
                held = [cluster.ok("submit", "--", *held_task(gate, 500_000)).strip() for _ in range(3)]
                for task in held:
                    cluster.await_state(task, "RUNNING")
                disk.leave(4 * MIB)
                eventually(lambda: "new tasks are refused" in cluster.unready(), what="the refusal of new work")
                with open(cluster.directory / "said", "wb") as said:
                    waiting = cluster.start("submit", "--", "true", stderr=said)  # it comes again, as it was told
                eventually(lambda: b"MiB are free in" in (cluster.directory / "said").read_bytes(),
                           what="the reason in words")
                self.assertEqual((disk.path / "store/ballast").stat().st_size, 0, "the ballast is let go")
                cluster.ok("cancel", held[0])
                self.assertEqual(cluster.state(held[0]), "CANCELLED")
                gate.touch()
                for task in held[1:]:
                    cluster.await_state(task, "SUCCEEDED")
                    self.assertEqual(len(cluster.muster("logs", task).stdout), 500_000)
                disk.empty()
                eventually(lambda: not cluster.unready(), what="being ready again")
                self.assertEqual((disk.path / "store/ballast").stat().st_size, 16 * MIB, "the ballast is made anew")
                out, _ = waiting.communicate(timeout=60)
                self.assertEqual(waiting.returncode, 0)
                cluster.await_state(out.decode().strip(), "SUCCEEDED")

    def test_no_room_at_all_keeps_results_on_the_worker_and_leases_alive(self):
        with SmallDisk(48 * MIB) as disk:
            flags = [f"--store.path={disk.path}/store", "--store.ballast=4MiB", "--store.low_water=4MiB"]
            with Cluster(workers=1, slots=4, master_flags=flags) as cluster:
                gate = cluster.directory / "gate"
                fenced = cluster.ok("submit", "--on-worker-loss", "rerun-after-fence", "--",
                                    *held_task(cluster.directory / "later")).strip()
                held = [cluster.ok("submit", "--", *held_task(gate, 900_000)).strip() for _ in range(3)]
                for task in [fenced, *held]:
                    cluster.await_state(task, "RUNNING")
                disk.leave(0)
                eventually(lambda: cluster.metric("muster_store_ballast_held") == 0, what="the ballast being let go")
                disk.leave(0)
                gate.touch()
                eventually(lambda: cluster.metric("muster_disk_full_waits_total") > 0, what="a commit without room")
                self.assertIn("cannot write", cluster.unready())
                # Three times the lost time in heartbeats (0.2 s each, lost after 2 s), all answered.
                before = cluster.metric("muster_bridged_heartbeats_total")
                eventually(lambda: cluster.metric("muster_bridged_heartbeats_total") - before >= 30,
                           what="answers to heartbeats")
                self.assertIsNone(cluster.master.process.poll())
                disk.empty()
                for task in held:
                    cluster.await_state(task, "SUCCEEDED")
                    self.assertEqual([a["number"] for a in cluster.task(task)["attempts"]], [1])
                eventually(lambda: not cluster.unready(), what="being ready again")
                (cluster.directory / "later").touch()
                cluster.await_state(fenced, "SUCCEEDED")
                self.assertEqual([a["number"] for a in cluster.task(fenced)["attempts"]], [1], "never fenced")
                cluster.ok("run", "--", "true")


if __name__ == "__main__":
    unittest.main()
