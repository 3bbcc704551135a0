#!/usr/bin/env python3
"""Plants each known bug by itself and shows which tests catch it; fails when one is caught by none, or by fewer
than the table says. Without a bug the same tests must pass.

  run_mutants.py                all of them
  run_mutants.py NAME...        these
  run_mutants.py --targets      what must be built (preset `faults`) beforehand

A row of MUTANTS: the bug's name, as in Mutated("name"), and the suites that must catch it, each a test program and a
GoogleTest filter. docs/reliability.md tells what each bug is; this file holds the two and the sources together.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MUSTER_BIN", ROOT / "build-faults" / "bin"))
SECONDS = 240  # for one suite
SEEDS = "1000"  # of the simulator: a bug that hides longer is not caught in `./test`

SIMULATION = ("simulation_test", "*Histories*")
CORE = "unit_master_core_test"
WORKER = "unit_worker_core_test"
LOOP = "unit_master_app_test"
STORE = "unit_master_store_test"

MUTANTS = {
    "early_answer": [(LOOP, "*Loop*")],
    "skip_attempt_check": [(CORE, "Accidents.*"), SIMULATION],
    "skip_epoch_check": [(CORE, "Accidents.*"), (WORKER, "*"), SIMULATION],
    "reuse_attempt_number": [(CORE, "StateTable*:Accidents.*"), SIMULATION],
    "forget_result": [(WORKER, "*"), SIMULATION],
    "no_jitter": [(CORE, "RetryPolicyTest.*"), ("unit_worker_session_test", "CallScheduleTest.*")],
    "count_preemption": [(CORE, "StateTable*"), SIMULATION],
    "ignore_lease": [(WORKER, "*"), ("unit_worker_app_test", "LeaseWatchTest.*")],
    "trust_exit_code": [("unit_worker_execution_test", "Validation*")],
    "drop_sync": [(STORE, "DurabilityTest.*")],
    "forget_needs": [(CORE, "DependentsTest.*"), SIMULATION],
    "old_ends": [(CORE, "DependenciesTest.*")],
    "purge_needed": [(STORE, "WaitedForTest.*")],
    "workflow_place_too_many": [(CORE, "WorkflowsTest.*")],
    "workflow_condition_ignored": [(CORE, "WorkflowValuesTest.*:WorkflowsTest.*")],
    "workflow_line_unbounded": [(CORE, "FairWorkflowsTest.*")],
    "workflow_needs_lost": [(CORE, "WorkflowsTest.*"), (STORE, "WorkflowRowsTest.*")],
    "schedule_progress_apart": [(CORE, "ScheduleKillTest.*")],
    "torn_tail": [(STORE, "DamageTest.*")],
}


def suites():
    return sorted({suite for row in MUTANTS.values() for suite in row})


def run(suite, mutant):
    """Whether it failed, the name of the first test that did, and the seconds it took."""
    program, wanted = suite
    environment = dict(os.environ, MUSTER_MUTANT=mutant, MUSTER_SIMULATION_SEEDS=SEEDS)
    began = time.monotonic()
    try:
        done = subprocess.run([BIN / program, f"--gtest_filter={wanted}", "--gtest_fail_fast"], env=environment,
                              capture_output=True, text=True, errors="replace", timeout=SECONDS)
        said, failed = done.stdout + done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired as late:
        said, failed = (late.stdout or b"").decode(errors="replace"), True
    named = (re.findall(r"^\[  FAILED  \] ([\w./]+)", said, re.M) or
             re.findall(r"^\[ RUN      \] ([\w./]+)", said, re.M)[-1:])  # it crashed in the last one
    return failed, named[0] if named else program, time.monotonic() - began, said


def planted_in_sources():
    names = set()
    for top in ("common", "master", "worker"):
        for path in (ROOT / top).rglob("*.cc"), (ROOT / top).rglob("*.h"):
            for source in path:
                if source.name.startswith("planted_fault"):
                    continue
                names |= set(re.findall(r'Mutated\("(\w+)"\)', source.read_text()))
    return names


def agreement():
    page = (ROOT / "docs" / "reliability.md").read_text()
    wrong = [f"{name} is planted in the sources and not in MUTANTS" for name in planted_in_sources() - set(MUTANTS)]
    wrong += [f"{name} is in MUTANTS and not in the sources" for name in set(MUTANTS) - planted_in_sources()]
    wrong += [f"{name} is not told of in docs/reliability.md" for name in MUTANTS if f"`{name}`" not in page]
    return wrong


def main(arguments):
    if arguments == ["--targets"]:
        print(*sorted({program for program, _ in suites()}))
        return 0
    chosen = arguments or list(MUTANTS)
    wrong = agreement()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        sound = {suite: pool.submit(run, suite, "") for suite in suites() if any(suite in MUTANTS[m] for m in chosen)}
        planted = {(mutant, suite): pool.submit(run, suite, mutant) for mutant in chosen for suite in MUTANTS[mutant]}
    for suite, result in sound.items():
        failed, test, _, said = result.result()
        if failed:
            wrong.append(f"{test} fails without any bug:\n{said[-2000:]}")
    for (mutant, suite), result in planted.items():
        failed, test, seconds, _ = result.result()
        print(f"{mutant:22} {'caught by ' + test if failed else 'NOT CAUGHT by ' + ' '.join(suite)} ({seconds:.1f} s)")
        if not failed:
            wrong.append(f"{mutant} is not caught by {suite[0]} --gtest_filter={suite[1]}")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
