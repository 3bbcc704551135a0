#!/usr/bin/env python3
"""Keeps the fuzz targets busy for some time, each for its share, and prints one line of totals.

  run_fuzzers.py --for 10m [--build build-asan] [TARGET...]

New inputs are kept in BUILD/fuzz/TARGET/corpus for the next time; what breaks a target is kept beside them, and the
command that replays it is printed. The last line, on stdout:

  fuzz: 11 targets, 1234567 runs in 600 s, 0 crashes (argument_rows 112233, configuration ...)
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
LONGEST_INPUT_BYTES = 4096
# Its book-keeping by frequency takes four fifths of the time where one input visits ten thousand places.
NO_ENTROPY = "-entropic=0"
# Leaks are looked for at the end of a run and not after each input, which costs half of the runs.
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=0",
              "UBSAN_OPTIONS": "print_stacktrace=1"}


def seconds(text):
    found = re.fullmatch(r"(\d+)([smh]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f'"{text}" is not a duration; write 90s, 10m or 2h')
    return int(found[1]) * UNITS[found[2]]


def targets():
    return sorted(path.name.removesuffix("_fuzz.cc") for path in HERE.glob("*_fuzz.cc"))


def fuzz(build, target, share):
    """Runs one target for `share` seconds. Returns (runs, crash files)."""
    place = build / "fuzz" / target
    corpus = place / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    before = set(place.glob("*-*"))
    log = place / "log"
    with open(log, "wb") as out:
        subprocess.run([build / "bin" / f"{target}_fuzz", f"-max_total_time={share}", "-print_final_stats=1",
                        f"-artifact_prefix={place}/", f"-max_len={LONGEST_INPUT_BYTES}", "-rss_limit_mb=2048",
                        "-timeout=25", "-detect_leaks=0", NO_ENTROPY, corpus, HERE / "corpus" / target],
                       stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **SANITIZERS}, check=False)
    text = log.read_text(errors="replace")
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    crashes = sorted(set(place.glob("*-*")) - before)
    if runs is None and not crashes:
        sys.exit(f"{target} did not run:\n{text[-2000:]}")
    return (int(runs[1]) if runs else 0), crashes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="time", type=seconds, default=60, metavar="D", help="all in all: 90s, 10m, 2h")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build-asan")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all of them")
    arguments = parser.parse_args()
    chosen = arguments.targets or targets()
    unknown = set(chosen) - set(targets())
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets())}")

    at_once = min(os.cpu_count() or 1, len(chosen))
    share = max(1, arguments.time * at_once // len(chosen))
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        results = dict(zip(chosen, pool.map(lambda target: fuzz(arguments.build, target, share), chosen)))

    crashes = 0
    for target, (runs, files) in results.items():
        for file in files:
            crashes += 1
            print(f"{target} broke; see {file.parent / 'log'}; replay it with: {arguments.build}/bin/{target}_fuzz {file}",
                  file=sys.stderr)
    print(f"fuzz: {len(chosen)} targets, {sum(runs for runs, _ in results.values())} runs in "
          f"{time.monotonic() - begin:.0f} s, {crashes} crashes "
          f"({', '.join(f'{target} {runs}' for target, (runs, _) in results.items())})")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
