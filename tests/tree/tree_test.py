"""The shape of the tree: who may include whom, what pure folders may not know, and that every test is registered."""

import json
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MUSTER_BUILD", ROOT / "build"))

BASE = {"common/base"}
DOMAIN = BASE | {"common/domain"}
SERVING = {"common/convert", "common/rpc", "common/security", "common/pki", "common/policy", "common/runtime", "common/config",
           "common/telemetry"}  # edges and apps only
MASTER_CORE = DOMAIN | {"master/registry", "master/scheduler", "master/balancer", "master/schedules", "master/core"}
WORKER_EDGE = DOMAIN | SERVING | {"worker/plugin_api"}

# Folder: what it may include besides itself.
ALLOWED = {
    "common/base": set(),
    "common/domain": BASE,
    "common/runtime": BASE,
    "common/config": BASE,
    "common/telemetry": BASE | {"common/runtime"},
    "common/policy": BASE | {"common/config"},
    "common/convert": DOMAIN,
    "common/security": BASE,
    "common/pki": BASE | {"common/security"},
    "common/rpc": BASE | {"common/runtime", "common/config", "common/security", "common/pki"},
    "master/registry": DOMAIN,
    "master/scheduler": DOMAIN,
    "master/balancer": DOMAIN,
    "master/schedules": DOMAIN,
    "master/workflows": DOMAIN,
    "master/core": MASTER_CORE,
    "master/simulate": MASTER_CORE,
    "master/store": MASTER_CORE | SERVING,
    "master/dispatcher": MASTER_CORE | SERVING,
    # Reads go to the store's read side: its interface, and nothing of its making.
    "master/request_handler": MASTER_CORE | SERVING | {"master/store/store.h", "master/workflows"},
    "master/app": MASTER_CORE | SERVING | {"master/store", "master/dispatcher", "master/request_handler"},
    "worker/plugin_api": set(),
    "worker/plugins": {"worker/plugin_api"},
    "worker/core": DOMAIN,
    "worker/execution": WORKER_EDGE,
    "worker/session": WORKER_EDGE | {"worker/core", "worker/execution/execution_host.h"},
    "worker/app": WORKER_EDGE | {"worker/core", "worker/execution", "worker/session"},
    "cli": DOMAIN | SERVING | {"master/simulate"},  # what-if on the real core, without a master
}
PURE = ("common/domain", "common/security", "master/registry", "master/scheduler", "master/balancer", "master/schedules", "master/workflows",
        "master/core", "master/simulate", "worker/core")
IMPURE = re.compile(r'#include\s+["<](grpcpp/|grpc/|muster/v1/|thread>|mutex>|shared_mutex>|condition_variable>|atomic>|'
                    r"future>|fstream>|filesystem>|chrono>|unistd\.h>|fcntl\.h>|sys/|absl/synchronization/|"
                    r"absl/time/clock\.h|random>|iostream>)")


def sources(folder):
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".h", ".cc"))


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'#include "((?:common|master|worker|cli|tests)/[^"]+)"', line)
        if found:
            yield number, found.group(1)


class Tree(unittest.TestCase):
    maxDiff = None

    def test_includes_follow_the_data_flow(self):
        wrong = []
        for folder, allowed in ALLOWED.items():
            for path in sources(folder):
                for number, target in includes(path):
                    if not any(target == a or target.startswith(a + "/") for a in allowed | {folder}):
                        wrong.append(f"{path.relative_to(ROOT)}:{number} includes {target}")
        self.assertEqual(wrong, [])

    def test_every_folder_has_its_rule(self):
        folders = {str(p.relative_to(ROOT)) for top in ("common", "master", "worker") for p in (ROOT / top).iterdir()
                   if p.is_dir()}
        self.assertEqual(folders - set(ALLOWED), set())

    def test_pure_folders_know_no_wire_thread_file_or_clock(self):
        wrong = [f"{path.relative_to(ROOT)}: {found.group(0)}" for folder in PURE for path in sources(folder)
                 for found in IMPURE.finditer(path.read_text())]
        self.assertEqual(wrong, [])

    def test_every_header_opens_with_what_it_is_for(self):
        wrong = [str(path.relative_to(ROOT)) for folder in ALLOWED for path in sources(folder) if path.suffix == ".h"
                 and not (path.read_text().startswith("//") and "#pragma once" in path.read_text())]
        self.assertEqual(wrong, [])

    def test_no_test_sleeps_to_let_time_pass(self):
        wrong = [f"{path.relative_to(ROOT)}: {found.group(0)}" for path in sources("tests/unit") + sources("tests/simulation")
                 for found in re.finditer(r"absl::SleepFor\(absl::(?:Seconds|Minutes).*?\)|std::this_thread::sleep_for.*|\bsleep\(\d",
                                          path.read_text())]
        self.assertEqual(wrong, [])

    def test_every_test_on_disk_is_registered(self):
        listed = subprocess.run(["ctest", "--test-dir", BUILD, "--show-only=json-v1"], capture_output=True, text=True)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        names = [test["name"] for test in json.loads(listed.stdout)["tests"]]
        missing = []
        for path in sorted((ROOT / "tests").rglob("*_test.*")):
            place = path.relative_to(ROOT / "tests")
            if path.suffix == ".cc":
                cases = re.findall(r"^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)", path.read_text(), re.M)
                missing += [f"{place}: {suite}.{case}" for suite, case in cases
                            if not any(n.startswith(str(place.parent)) and f"{suite}.{case}" in n for n in names)]
            elif path.suffix == ".py" and not any(path.stem.removesuffix("_test") in n for n in names):
                missing.append(str(place))
        self.assertEqual(missing, [])

    def test_the_examples_mention_every_section_of_the_configuration(self):
        page = (ROOT / "docs/configuration.md").read_text()
        for program in ("muster-master", "muster-worker"):
            reference = page.split(f"## {program}\n")[1].split("\n## ")[0]
            sections = {key.split(".")[0] for key in re.findall(r"^\| `([\w.]+)` ", reference, re.M)}
            example = (ROOT / f"deploy/examples/{program}.yaml").read_text()
            mentioned = set(re.findall(r"^(?:# )?(\w+)(?:\.\w+)*:", example, re.M))
            self.assertEqual(sections - mentioned, set(), program)


if __name__ == "__main__":
    unittest.main(verbosity=2)
