"""check, backup, restore and salvage with the real binaries: beside a running master, and after things went wrong."""

import contextlib
import json
import os
import sqlite3
import struct
import subprocess
import unittest
import zlib

from cluster import BIN, Cluster, eventually


def tool(*arguments, seconds=60):
    return subprocess.run([str(BIN / "muster-master"), *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds)


def report(directory):
    return json.loads(tool("check", "-o", "json", directory).stdout)


class StoreTools(unittest.TestCase):
    def succeed(self, *arguments):
        done = tool(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_a_lost_machine_is_replaced_by_its_backup_and_nothing_is_given_out_twice(self):
        with Cluster(workers=1, slots=2) as cluster:
            gate = cluster.directory / "gate"
            wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
            running = cluster.ok("submit", "--", "sh", "-c", wait).strip()
            cluster.await_state(running, "RUNNING")
            ended = cluster.ok("submit", "--", "true").strip()
            cluster.await_state(ended, "SUCCEEDED")
            backup = cluster.directory / "backup"
            self.assertIn("verified", self.succeed("backup", cluster.store, backup))
            self.assertTrue(report(cluster.store)["beside_master"])

            # The tail that will be lost: another start, a task that still runs, an id that is gone.
            cluster.kill_master()
            cluster.start_master()
            cluster.await_active()
            lost = cluster.ok("submit", "--", "sh", "-c", wait).strip()
            cluster.await_state(lost, "RUNNING")
            before = report(cluster.store)
            cluster.kill_master()
            os.rename(cluster.store, cluster.directory / "gone")

            self.succeed("restore", backup, cluster.store)
            restored = report(cluster.store)
            self.assertTrue(restored["sound"], restored)
            self.assertEqual(restored["cluster_id"], before["cluster_id"])
            self.assertGreater(restored["epoch"], before["epoch"])
            cluster.start_master()
            cluster.await_active()  # the worker obeys the new epoch
            self.assertEqual(cluster.state(ended), "SUCCEEDED")
            eventually(lambda: "orphan" in cluster.ok("log"), what="the orphan in the log")
            fresh = cluster.ok("submit", "--", "true").strip()
            self.assertNotEqual(fresh, lost)
            self.assertGreater(len(fresh), len(lost))
            gate.touch()
            cluster.await_state(running, "SUCCEEDED")
            self.assertEqual([a["number"] for a in cluster.task(running)["attempts"]], [1], "re-adopted")
            cluster.await_state(fresh, "SUCCEEDED")

    def test_damage_stops_the_start_with_its_place_and_salvage_serves_the_rest(self):
        with Cluster(workers=1) as cluster:
            ids = cluster.ok("submit", "-f", "-", input=b'{"command":{"argv":["echo","hi"]}}\n' * 20).split()
            for identity in ids:
                cluster.await_state(identity, "SUCCEEDED")
            open_one = cluster.ok("submit", "--need", "gpu", "--", "true").strip()
            cluster.master.signal(15)
            self.assertEqual(cluster.master.wait(), 0)
            self.assertEqual(tool("check", cluster.store).returncode, 0)
            with contextlib.closing(sqlite3.connect(cluster.store / "muster.db")) as database, database:
                database.execute("update outcome set exit_code = 9 where task = 7")
                database.execute("update specification set owner = 'eve' where first = (select max(first) from specification)")
            found = tool("check", cluster.store)
            self.assertEqual(found.returncode, 1, found.stdout)
            self.assertIn("table outcome, row 7 (task 7): its checksum does not match", found.stdout)
            self.assertIn(f"(task {open_one})", found.stdout)
            self.assertIn("can be salvaged: 19 of 21 tasks", found.stdout)
            self.assertEqual([f["task"] for f in report(cluster.store)["findings"]], [open_one, "7"])

            address = cluster.address
            cluster.start_master(wait=False)
            self.assertEqual(cluster.master.wait(), 125)
            self.assertIn("table specification", cluster.master.text())

            salvaged = cluster.directory / "salvaged"
            text = self.succeed("salvage", cluster.store, salvaged)
            self.assertIn("ended LOST: 7:", text)
            self.assertIn(f"not served: {open_one}:", text)
            aside = [json.loads(line) for line in (salvaged / "set-aside.jsonl").read_text().splitlines()]
            self.assertLessEqual({"7", open_one}, {line.get("task") for line in aside})
            cluster.store = salvaged
            cluster.start_master(listen=address)
            cluster.await_active()
            self.assertEqual(cluster.state(ids[0]), "SUCCEEDED")
            self.assertEqual(cluster.state("7"), "LOST")
            self.assertEqual(cluster.ok("logs", ids[0]), "hi\n")
            cluster.await_state(cluster.ok("submit", "--", "true").strip(), "SUCCEEDED")

    def test_after_a_failed_sync_the_next_start_moves_the_store_to_a_new_file(self):
        with Cluster(workers=1) as cluster:
            identity = cluster.ok("submit", "--", "true").strip()
            cluster.await_state(identity, "SUCCEEDED")
            cluster.kill_master()
            with open(cluster.store / "store.mark", "r+b") as mark:
                for slot in (0, 512):
                    mark.seek(slot)
                    fields = list(struct.unpack("<IIQQqI", mark.read(36)))
                    fields[1] = 1  # what a failed sync leaves
                    body = struct.pack("<IIQQqI", *fields)
                    mark.seek(slot)
                    mark.write(body + struct.pack("<I", zlib.crc32(body)))
            self.assertIn("a sync has failed", tool("check", cluster.store).stdout)
            before = os.stat(cluster.store / "muster.db").st_ino
            cluster.start_master()
            self.assertNotEqual(os.stat(cluster.store / "muster.db").st_ino, before)
            self.assertEqual(cluster.state(identity), "SUCCEEDED")
            cluster.kill_master()
            after = os.stat(cluster.store / "muster.db").st_ino
            cluster.start_master()
            self.assertEqual(os.stat(cluster.store / "muster.db").st_ino, after, "once is enough")

    def test_wrong_usage_is_said_in_one_line(self):
        for arguments, why in ((["check"], "takes 1 directory, not 0"), (["backup", "a"], "takes 2 directories, not 1"),
                               (["check", "--fast", "a"], "unknown flag --fast"),
                               (["check", "-o", "xml", "a"], "no output format xml"),
                               (["check", "/nowhere"], "there is no store in /nowhere")):
            done = tool(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(why, done.stderr)
        for command in ("check", "backup", "restore", "salvage"):
            help_text = self.succeed(command, "--help")
            self.assertIn("Example", help_text)
            self.assertIn(command, self.succeed("--help"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
