"""Workflows of 100,000 tasks: how soon they are accepted, how fast they run beside the same tasks without needs, and what a
task costs in memory.

    flow_bench.py [ROUNDS]      default: 3

Shapes: a random layered graph (100 layers, two needs each), a fan, and a chain, which is accepted and not run; how fast one of
10,000 runs is told, and has no bound: each of its tasks waits for a commit. The speed is a ratio to a workflow of as many
tasks that need nothing, run beside it.
"""
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time
from datetime import datetime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from cluster import Cluster, eventually, resident_bytes  # noqa: E402

TASKS = 100_000
MOST_ACCEPT_SECONDS = 5.0
LEAST_SPEED = 0.5
MOST_BYTES = 1024  # a task, beyond its text


def shape(kind, count):
    rng = random.Random(1)
    lines = ["defaults: {executor: noop}", "tasks:"]
    for i in range(count):
        needs = []
        if kind == "chain" and i > 0:
            needs = [i - 1]
        elif kind == "layered" and i >= count // 100:
            before = (i // (count // 100) - 1) * (count // 100)
            needs = sorted({before + rng.randrange(count // 100) for _ in range(2)})
        elif kind == "fan" and i > 0:
            needs = [0] if i < count - 1 else range(1, count - 1)
        lines.append(f"  t{i}: {{needs: [{', '.join(f't{need}' for need in needs)}]}}")
    return "\n".join(lines) + "\n"


def stamp(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).timestamp() + float("0." + (fraction or "0"))


def run(cluster, file):
    """Seconds until it was accepted, as its client sees it, and tasks a second from then on."""
    began = time.monotonic()
    flow = cluster.ok("flow", "run", "--no-wait", str(file), seconds=300).strip()
    accepted = time.monotonic() - began
    ended = json.loads(cluster.ok("flow", "get", "-w", "-o", "json", flow, seconds=600))
    seconds = stamp(ended["end_time"]) - stamp(ended["create_time"])
    return accepted, int(ended["task_count"]) / seconds


def accepted(directory, kind):
    """Seconds until it was accepted where nothing runs."""
    with Cluster(workers=0) as cluster:
        file = directory / "unrun"
        file.write_text(shape(kind, TASKS))
        began = time.monotonic()
        cluster.ok("flow", "run", "--no-wait", str(file), seconds=300)
        return time.monotonic() - began


def bytes_each(directory):
    """Of a task of a layered workflow none of whose tasks can start."""
    with Cluster(workers=0) as cluster:
        file = directory / "held.yaml"
        file.write_text(shape("layered", TASKS))
        # What a first call of this size leaves in buffers is none of the tasks'.
        warm = cluster.ok("flow", "run", "--no-wait", str(file), seconds=300).strip()
        cluster.ok("flow", "cancel", warm, seconds=300)
        before = settled(cluster)
        cluster.ok("flow", "run", "--no-wait", str(file), seconds=300)
        return (settled(cluster) - before) / TASKS, file.stat().st_size / TASKS


def settled(cluster):
    """Resident memory when it no longer falls."""
    def still():
        low = resident_bytes(cluster.master.pid)
        for _ in range(20):
            time.sleep(0.1)  # it is watched, not waited for: each look must find no less
            if resident_bytes(cluster.master.pid) < low - 100_000:
                return None
        return low
    return eventually(still, 60, "the master's memory to settle")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    failed = []
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for kind, count in (("none", TASKS), ("layered", TASKS), ("fan", TASKS), ("chain", TASKS // 10)):
            (directory / kind).write_text(shape(kind, count))
        ratios, accepts = {"layered": [], "fan": []}, {"layered": [], "fan": [], "chain": []}
        for _ in range(rounds):
            with Cluster(workers=2, slots=8) as cluster:
                _, base = run(cluster, directory / "none")
                for kind in ratios:
                    seconds, speed = run(cluster, directory / kind)
                    accepts[kind].append(seconds)
                    ratios[kind].append(speed / base)
                    print(f"{kind}: accepted in {seconds:.2f} s, {speed:.0f} tasks/s, {speed / base:.2f} of {base:.0f} without needs", flush=True)
            accepts["chain"].append(accepted(directory, "chain"))
            print(f"chain: accepted in {accepts['chain'][-1]:.2f} s", flush=True)
        with Cluster(workers=2, slots=8) as cluster:
            seconds, speed = run(cluster, directory / "chain")
            print(f"chain of {TASKS // 10}: accepted in {seconds:.2f} s, {speed:.0f} tasks/s")
        each, text = bytes_each(directory)
        print(f"memory: {each:.0f} bytes a task, {text:.0f} of text")
        for kind, of_kind in ratios.items():
            if statistics.median(of_kind) < LEAST_SPEED:
                failed.append(f"{kind} at {statistics.median(of_kind):.2f} of the speed without needs; {LEAST_SPEED} is promised")
        for kind, of_kind in accepts.items():
            if statistics.median(of_kind) > MOST_ACCEPT_SECONDS:
                failed.append(f"{kind} accepted in {statistics.median(of_kind):.2f} s; {MOST_ACCEPT_SECONDS} are promised")
        if each - text > MOST_BYTES:
            failed.append(f"{each - text:.0f} bytes a task beyond its text; {MOST_BYTES} are promised")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
