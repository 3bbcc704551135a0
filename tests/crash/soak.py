#!/usr/bin/env python3
"""A cluster that serves for long while a worker dies again and again: what the master holds must not grow.

    python3 tests/crash/soak.py --for 1h [--every 60s] [--samples FILE]

One worker is never killed and is measured as well. The first third is warm-up. The last line, on stdout, is a JSON
object for long_run.py; before it stands the same in words. Exits with 1 when a bar is broken: resident memory of the
master grows by 1 MiB an hour or more, descriptors or zombies by any, or the checker finds a broken promise.
"""

import argparse
import json
import os
import sys
import time
import unittest

from harness import CrashCluster, children, resident_bytes
import ledger
from ledger import duration, slope_per_hour

MIB = 1 << 20
SAMPLE_SECONDS = 2
MOST_GROWTH_MIB_PER_HOUR = 1
SHORTEST_FOR_MEMORY = 1200  # seconds after the warm-up: below, a slope says nothing
SHORTEST_FOR_DESCRIPTORS = 120
MOST_MORE_DESCRIPTORS = 3   # a connection more or less; a leak is one for each death, or for each task


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def zombies(pid):
    found = set()
    for child in [pid, *children(pid)]:
        try:
            with open(f"/proc/{child}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    found.add(child)
        except (FileNotFoundError, ProcessLookupError):  # it ended before, or while it was looked at
            pass
    return found


class Samples:
    """Of the master and of the worker that is never killed. A zombie counts when two samples in a row see it."""

    def __init__(self, cluster, steady):
        self._cluster = cluster
        self._pids = {"master": cluster.master.pid, "worker": cluster.server_of(steady)}
        self._dying = set()
        self.rows = []  # (seconds, resident bytes of the master, descriptors of each)
        self.zombies = set()

    def take(self):
        self.rows.append((time.monotonic(), resident_bytes(self._pids["master"]),
                          {name: descriptors(pid) for name, pid in self._pids.items()}))
        now = set().union(*(zombies(pid) for pid in [self._cluster.master.pid, *(w.pid for w in self._cluster.workers.values())]))
        self.zombies |= now & self._dying
        self._dying = now

    def write(self, path):
        begin = self.rows[0][0]
        with open(path, "w") as file:
            for when, size, counts in self.rows:
                file.write(json.dumps({"second": round(when - begin, 1), "bytes": size, "descriptors": counts}) + "\n")

    def verdict(self):
        """(figures, what is wrong) of what came after the warm-up."""
        rows = self.rows[len(self.rows) // 3:]
        seconds = rows[-1][0] - rows[0][0]
        growth = slope_per_hour([(when, size / MIB) for when, size, _ in rows])
        fifth = max(1, len(rows) // 5)
        figures = {"minutes": round((self.rows[-1][0] - self.rows[0][0]) / 60, 1), "mib_per_hour": round(growth, 2) if seconds >= SHORTEST_FOR_MEMORY else None,
                   "mib": [round(rows[0][1] / MIB, 1), round(rows[-1][1] / MIB, 1)], "zombies": len(self.zombies)}
        wrong = []
        if seconds >= SHORTEST_FOR_MEMORY and growth >= MOST_GROWTH_MIB_PER_HOUR:
            wrong.append(f"the master grows by {growth:.2f} MiB an hour")
        for name in self._pids:
            # What is open in a quiet moment: commands that run and clients that look come and go, a leak stays.
            begin, end = (min(row[2][name] for row in part) for part in (rows[:fifth], rows[-fifth:]))
            figures[f"{name}_descriptors"] = [begin, end]
            if seconds >= SHORTEST_FOR_DESCRIPTORS and end - begin > MOST_MORE_DESCRIPTORS:
                wrong.append(f"the {name}'s descriptors grew from {begin} to {end}")
        if self.zombies:
            wrong.append(f"{len(self.zombies)} zombies stayed")
        return figures, wrong


def soak(seconds, every, path):
    with CrashCluster(workers=3) as cluster:
        samples = Samples(cluster, "w1")
        cluster.begin_load(most_open=40)
        end = time.monotonic() + seconds
        next_death = time.monotonic() + every
        while time.monotonic() < end:
            cluster.check_load()
            cluster.accidents.revive()
            if time.monotonic() >= next_death:
                next_death += every
                victims = [name for name in cluster.accidents.alive_workers() if name != "w1"]
                if victims:
                    cluster.accidents.hurt_worker(cluster.random.choice(("server", "supervisor", "family")),
                                                  cluster.random.choice(victims))
            samples.take()
            cluster.accidents.wait(SAMPLE_SECONDS)
        if path:
            samples.write(path)
        figures, wrong = samples.verdict()
        figures["worker_kills"] = sum(cluster.accidents.happened.values())
        try:
            cluster.judge(unittest.TestCase())
        except AssertionError as error:
            wrong.append(str(error))
        figures["tasks"] = cluster.acknowledged()
        return figures, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="seconds", type=duration, default=3600, metavar="D")
    parser.add_argument("--every", type=duration, default=60, metavar="D", help="between the deaths of workers")
    parser.add_argument("--samples", metavar="FILE", help="write what was measured there, a JSON object each")
    arguments = parser.parse_args()
    figures, wrong = soak(arguments.seconds, arguments.every, arguments.samples)
    print(f"soak: {figures['minutes']} min, {figures['worker_kills']} workers killed, {figures['tasks']} tasks; the master "
          f"{figures['mib'][0]} to {figures['mib'][1]} MiB ({ledger.growth_text(figures['mib_per_hour'])})"
          + "".join(f"; {line}" for line in wrong))
    print(json.dumps({**figures, "failures": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
