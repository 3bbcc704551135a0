"""How soon a killed master serves again, by what its store holds.

    restart_bench.py [OPEN [FINISHED]]      default: 1,000,000 open tasks; beside 5,000,000 finished ones

For each kind of store: the seconds from exec to the serving line and to a first answered call, the parts of it inside
the process, and resident memory. Every start follows a kill -9, so the store is verified before it serves.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BIN = os.environ.get("MUSTER_BIN", os.path.join(os.path.dirname(__file__), "../../build/bin"))
RUNS = 3
MOST_SECONDS = 5.0  # the promise, for 1,000,000 open tasks


def tool(name):
    return os.path.join(BIN, name)


def start_and_kill(directory):
    began = time.monotonic()
    master = subprocess.Popen([tool("muster-master"), f"--store.path={directory}", "--grpc.listen=127.0.0.1:0",
                               "--http.listen=127.0.0.1:0", "--log.level=error",
                               "--retention.tasks.count=1000000000"],  # what is finished stays
                              stderr=subprocess.PIPE, text=True)
    try:
        for line in master.stderr:
            found = re.search(r"serving grpc=(\S+)", line)
            if found:
                break
        else:
            sys.exit(f"muster-master did not serve: exit {master.wait()}")
        serving = time.monotonic() - began
        subprocess.run([tool("muster"), "--master", found.group(1), "ps", "-q", "--limit", "1"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        answered = time.monotonic() - began
        with open(f"/proc/{master.pid}/status") as status:
            resident = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) // 1024
        return serving, answered, resident
    finally:
        master.send_signal(signal.SIGKILL)
        master.wait()


def main():
    open_tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    finished = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
    root = tempfile.mkdtemp(prefix="muster-restart-bench-")
    slowest = 0.0
    try:
        print("store                          serving s  answered s  resident MiB")
        for kind, beside in (("single", 0), ("equal", 0), ("batch", 0), ("single", finished)):
            directory = os.path.join(root, f"{kind}-{beside}")
            subprocess.run([tool("restart_store"), "make", directory, str(open_tasks), str(beside), kind], check=True)
            runs = sorted(start_and_kill(directory) for _ in range(RUNS))
            serving, answered, resident = runs[len(runs) // 2]
            slowest = max(slowest, answered)
            print(f"{open_tasks} {kind:<6} + {beside} finished".ljust(30), f"{serving:9.2f} {answered:11.2f} {resident:13d}",
                  flush=True)
            shutil.rmtree(directory)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    allowed = MOST_SECONDS * max(1.0, open_tasks / 1_000_000)
    if slowest > allowed:
        sys.exit(f"a start took {slowest:.2f} s until it answered; {allowed:.1f} s are allowed")


if __name__ == "__main__":
    main()
