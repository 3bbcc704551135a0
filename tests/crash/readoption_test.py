"""A thousand running commands outlive the master's death and are taken up again within three seconds."""

import errno
import os
import re
import sys
import time
import unittest
import urllib.request

from harness import Cluster, eventually

COMMANDS = 1000
WORKERS = 4
WITHIN_SECONDS = 3


def running(cluster):
    """As the master's own metrics say: a task is RUNNING again once its worker's Hello has named it."""
    with urllib.request.urlopen(f"http://{cluster.master.addresses['http']}/metrics") as answer:
        found = re.search(r'^muster_tasks\{state="RUNNING"\} (\d+)', answer.read().decode(), re.M)
    return int(found.group(1)) if found else 0


def open_gate(gate):
    """Lets go of all that wait at it."""
    try:
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:  # nobody waits
            raise


class Readoption(unittest.TestCase):
    def test_a_thousand_running_commands_are_taken_up_again_within_three_seconds_as_the_same_attempts(self):
        # The times of a real cluster: nothing here is scaled.
        with Cluster(workers=WORKERS, slots=COMMANDS // WORKERS, times=False) as cluster:
            gate = cluster.directory / "gate"
            os.mkfifo(gate)
            # Each blocks, as sleep does, until somebody opens the gate.
            batch = cluster.ok("map", "--detach", "--", "sh", "-c", f"exec cat {gate}",
                               input="".join(f"{n}\n" for n in range(COMMANDS)).encode()).split()[0]
            eventually(lambda: running(cluster) == COMMANDS, 120, "the start of all commands")
            cluster.kill_master()
            began = time.monotonic()
            cluster.start_master()
            opened = time.monotonic()
            eventually(lambda: running(cluster) == COMMANDS, 60, "all commands being taken up again")
            took = time.monotonic() - opened
            print(f"{COMMANDS} running commands: serving {opened - began:.2f} s after the start, all taken up again "
                  f"{took:.2f} s after the listener opened", file=sys.stderr)
            self.assertLess(took, WITHIN_SECONDS)
            wait = cluster.start("wait", batch)

            def ended():  # who comes to the gate late finds it open again
                open_gate(gate)
                return wait.poll() is not None
            eventually(ended, 60, "the end of all commands")
            _, err = wait.communicate(timeout=60)
            self.assertEqual(wait.returncode, 0, err)
            # A list shows the newest attempt of each.
            newest = [task["attempts"][-1]["number"] for task in cluster.json("ps", "-a", "--limit", "0", batch)["tasks"]]
            self.assertEqual(newest, [1] * COMMANDS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
