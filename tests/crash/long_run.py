#!/usr/bin/env python3
"""Keeps everything that looks for losses busy for a while, with new random seeds, and writes the ledger.

    ./test long --for 1h [--without soak,fuzz]

First the long forms of what ./test does briefly: ten times too much work for a minute, floods of malformed calls. Then
rounds of: kill -9 of masters and workers, deaths inside, cut networks, simulated histories, fuzz targets; and beside
them a cluster that soaks the whole time. Every failure's output is kept in build/long/ and its seed printed. In the end
one line is added to docs/reliability.md, failures and all. Exits with 1 when anything failed.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

import ledger

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEPT = ROOT / "build/long"
PAGE = ROOT / "docs/reliability.md"
ROUND = ("kills", "kill_points", "partitions", "simulation", "fuzz")
PARTS = ("floods", *ROUND, "soak")
SEEDS_PER_ROUND = 4_000
FUZZ_SECONDS_PER_ROUND = 60
LONGEST_PART_SECONDS = 1800


class LongRun:
    def __init__(self, seconds, without):
        self._until = time.monotonic() + seconds
        self._without = without
        self._random = random.SystemRandom()
        self.sums = collections.Counter()
        self.failures = []
        self.soak = "none"

    def left(self):
        return self._until - time.monotonic()

    def run(self):
        KEPT.mkdir(parents=True, exist_ok=True)
        if "floods" not in self._without:
            self.floods()
        soak = None if "soak" in self._without else self._start_soak()
        parts = [part for part in ROUND if part not in self._without]
        rounds = 0
        while parts and self.left() > 0:
            rounds += 1
            for part in parts:
                if self.left() > 0:
                    getattr(self, part)()
            print(f"after round {rounds}: {dict(self.sums)}, {len(self.failures)} failures", flush=True)
        if soak is not None:
            self._take_soak(soak)

    # --- Parts

    def floods(self):
        end_to_end = ROOT / "tests/e2e"
        self._call("overload", 0, [sys.executable, "-B", end_to_end / "overload_test.py"], MUSTER_BIN=ROOT / "build/bin",
                   MUSTER_OVERLOAD_SECONDS=60)
        self._call("malformed", 0, [sys.executable, "-B", end_to_end / "malformed_test.py"], MUSTER_BIN=ROOT / "build/bin",
                   MUSTER_MALFORMED_ROUNDS=10)

    def kills(self):
        self._harness("kills", ROOT / "build/bin", MUSTER_CRASH_MASTER_KILLS=100, MUSTER_CRASH_WORKER_KILLS=50)

    def kill_points(self):
        self._harness("kill_points", ROOT / "build-faults/bin")

    def partitions(self):
        self._harness("partitions", ROOT / "build/bin")

    def simulation(self):
        first = self._random.randrange(1 << 40)
        done = self._call("simulation", first, [ROOT / "build/bin/simulation_test", "--gtest_brief=1"],
                          MUSTER_SIMULATION_FIRST=first, MUSTER_SIMULATION_SEEDS=SEEDS_PER_ROUND)
        if done:
            self.sums["simulated histories"] += SEEDS_PER_ROUND

    def fuzz(self):
        share = max(10, min(FUZZ_SECONDS_PER_ROUND, int(self.left())))
        text = self._call("fuzz", 0, [sys.executable, ROOT / "tests/fuzz/run_fuzzers.py", "--for", f"{share}s"])
        found = re.search(r"^fuzz: .*?(\d+) runs", text or "", re.M)
        self.sums["fuzz runs"] += int(found[1]) if found else 0

    def _start_soak(self):
        # It begins and ends with the rounds, and then lets its last tasks finish.
        return subprocess.Popen([sys.executable, "-B", HERE / "soak.py", "--for", f"{self.left():.0f}s"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "MUSTER_BIN": str(ROOT / "build/bin")})

    def _take_soak(self, soak):
        out, err = soak.communicate(timeout=LONGEST_PART_SECONDS)
        try:
            figures = json.loads(out.splitlines()[-1])
        except (IndexError, ValueError):
            return self._fail("soak", 0, out + err)
        if figures["failures"]:
            self._fail("soak", 0, out + err)
        self.sums["workers killed"] += figures["worker_kills"]
        self.sums["tasks"] += figures["tasks"]
        self.soak = (f"{figures['minutes']} min, {ledger.growth_text(figures['mib_per_hour'])}, descriptors "
                     f"{figures['master_descriptors'][0]:g} to {figures['master_descriptors'][1]:g}, "
                     f"zombies {figures['zombies']}")

    # --- How they are called

    def _harness(self, test, binaries, **environment):
        seed = self._random.randrange(1, 10**9)
        results = KEPT / "results"
        results.unlink(missing_ok=True)
        self._call(test, seed, [sys.executable, "-B", HERE / f"{test}_test.py"], MUSTER_BIN=binaries,
                   MUSTER_CRASH_SEED=seed, MUSTER_CRASH_RESULTS=results, **environment)
        for line in results.read_text().splitlines() if results.exists() else ():
            result = json.loads(line)
            self.sums["tasks"] += result["tasks"]
            for what, times in result["happened"].items():
                self.sums[column_of(what)] += times

    def _call(self, part, seed, command, **environment):
        """Its stdout, or None when it failed; then all it said is kept."""
        try:
            done = subprocess.run(list(map(str, command)), cwd=ROOT, text=True, errors="replace",
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LONGEST_PART_SECONDS,
                                  env={**os.environ, **{name: str(value) for name, value in environment.items()}})
        except subprocess.TimeoutExpired as late:
            return self._fail(part, seed, f"not done after {LONGEST_PART_SECONDS} s\n{late.output}")
        return done.stdout if done.returncode == 0 else self._fail(part, seed, done.stdout)

    def _fail(self, part, seed, text):
        kept = KEPT / f"{part}-{seed}-{int(time.time())}.log"
        kept.write_text(text)
        self.failures.append(part)
        print(f"{part} FAILED (seed {seed}): {kept}", flush=True)


def column_of(accident):
    """The ledger's column for one of the harness's accidents."""
    if accident.startswith(("before_", "after_")):
        return "deaths inside"
    if accident.startswith("cut off"):
        return "cuts"
    if accident == "master killed":
        return "masters killed"
    if accident.startswith("worker's") and accident.endswith("killed"):
        return "workers killed"
    return "stopped or ended"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="seconds", type=ledger.duration, required=True, metavar="D", help="90s, 20m, 2h")
    parser.add_argument("--without", default="", metavar="PARTS", help=f"some of {','.join(PARTS)}")
    arguments = parser.parse_args()
    without = set(arguments.without.split(",")) - {""}
    if unknown := without - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not (ROOT / "tests/fuzz/run_fuzzers.py").exists():
        without.add("fuzz")
    whole = LongRun(arguments.seconds, without)
    whole.run()
    PAGE.write_text(ledger.add_line(PAGE.read_text() if PAGE.exists() else "", {
        **whole.sums, "date": datetime.date.today().isoformat(), "commit": ledger.commit(ROOT),
        "machine": ledger.machine(), "for": f"{arguments.seconds / 60:.1f} min", "soak": whole.soak,
        "failures": ", ".join(sorted(set(whole.failures))) or "none"}))
    return 1 if whole.failures else 0


if __name__ == "__main__":
    sys.exit(main())
