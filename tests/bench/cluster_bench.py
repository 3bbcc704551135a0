"""How fast the whole cluster is, as ratios measured side by side in one run.

    ctest --test-dir build -L bench -V          or: python3 tests/bench/cluster_bench.py [ROUNDS]

Sides take turns (A B A B); medians with minimum and maximum are printed. Bars: /bin/true through the cluster at
least 0.6 of a bare posix_spawn loop, and at least 20,000 durable no-op tasks a second. Every acknowledgement comes
after a sync.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from cluster import BIN, Cluster  # noqa: E402

COMMANDS = 4000
NOOPS = 100_000
SLOTS = 4  # twice the cores: while one command ends another starts
CORES = len(os.sched_getaffinity(0))  # the threads of the bare loop: its best
TRUE_BAR = 0.6
NOOP_BAR = 20_000


# Both sides run the same words in the same environment: with an argument `true` loads its locale, a tenth of its time.
def raw_loop():
    done = subprocess.run([BIN / "raw_spawn", str(COMMANDS), str(CORES), "/bin/true", str(COMMANDS - 1)], check=True,
                          env={"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}, capture_output=True)
    return float(done.stdout)


def timed(count, function):
    start = time.monotonic()
    function()
    return count / (time.monotonic() - start)


def commands(cluster, arguments):
    return timed(COMMANDS, lambda: cluster.ok("map", "-a", arguments, "--", "/bin/true", seconds=300))


def noop_batch(cluster, arguments):
    return timed(NOOPS, lambda: cluster.ok("map", "--executor", "noop", "-a", arguments, "--", "{}", seconds=300))


def noop_singles(cluster, lines):
    def submit_and_wait():
        ids = cluster.ok("submit", "-f", lines, seconds=300).split()
        assert len(ids) == NOOPS
        while cluster.json("ps", "--limit", "1").get("tasks"):
            time.sleep(0.01)
    return timed(NOOPS, submit_and_wait)


def latency_ms(cluster):
    def once():
        cluster.ok("run", "--", "/bin/true")
    return 1000 / timed(1, once)


def show(name, values, unit):
    middle = statistics.median(values)
    print(f"{name:44} {middle:12,.2f} [{min(values):,.2f}, {max(values):,.2f}] {unit}")
    return middle


def main(rounds):
    results = {"raw": [], "true": [], "ratio": [], "batch": [], "singles": [], "latency": []}
    # The owners' heartbeats, not the tests' short ones: nothing but the work is measured.
    with Cluster(workers=1, slots=SLOTS, times=False) as cluster:
        small, large, lines = (cluster.directory / name for name in ("small", "large", "lines"))
        small.write_text("".join(f"{n}\n" for n in range(COMMANDS)))
        large.write_text("".join(f"{n}\n" for n in range(NOOPS)))
        lines.write_text('{"executor":"noop"}\n' * NOOPS)
        commands(cluster, small)  # learn the command's run time, warm the caches
        for _ in range(rounds):
            results["raw"].append(raw_loop())
            results["true"].append(commands(cluster, small))
            results["ratio"].append(results["true"][-1] / results["raw"][-1])
            results["batch"].append(noop_batch(cluster, large))
            results["singles"].append(noop_singles(cluster, lines))
            results["latency"] += [latency_ms(cluster) for _ in range(10)]
    show("bare posix_spawn loop, /bin/true", results["raw"], "/s")
    show("muster map, /bin/true", results["true"], "/s")
    ratio = show("  ratio, pair by pair", results["ratio"], f"(bar {TRUE_BAR})")
    batch = show("durable no-op tasks, one batch", results["batch"], f"/s (bar {NOOP_BAR:,})")
    singles = show("durable no-op tasks, submitted one by one", results["singles"], f"/s (bar {NOOP_BAR:,})")
    show("muster run -- /bin/true, whole process", results["latency"], "ms")
    return 0 if ratio >= TRUE_BAR and batch >= NOOP_BAR and singles >= NOOP_BAR else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
