"""The zoo: hostile commands in each tier of isolation that this machine can have. What each of them must be able to do, and
not, is the table in docs/isolation.md; nothing of any of them may be left running afterwards.

Every command is bounded by itself as well, so that one that gets through does no harm: it forks at most 200 times, opens
without writing, asks for a signal that nobody gets.
"""

import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import BIN, Cluster, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/isolation.md"
# The heads of the table's columns, the tier that is asked for, the worker that it runs on.
COLUMNS = [("plain", "plain", "rooted"), ("plain, own user", "plain", "parted"), ("limited, own user", "limited", "parted"),
           ("strict", "strict", "rooted")]
HELD, ESCAPES = "held", "escapes"
# What these do nobody but the tier refuses.
NEED_NO_RIGHTS = ("disk_filler_in_pieces", "tmp_filler", "worker_caller", "neighbour_reader", "key_reader", "hidden_reader", "anywhere_writer")

PRELUDE = r"""
import ctypes, os, resource, signal, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
E = os.environ
victim, worker = int(E["VICTIM"]), int(E["WORKER"])
def daemon(clear):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(0, 100)
    os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)", E["MARK"]], {} if clear else dict(E))
def opened(path, flags=os.O_WRONLY):
    os.close(os.open(path, flags))
"""

# Each does its deed, or an exception says that it could not. A deed that must be undone is.
ZOO = {
    "fork_bomb": """
for i in range(200):
    if os.fork() == 0:
        time.sleep(20); os._exit(0)
""",
    "memory_hog": """
hog = bytearray(600 << 20)
hog[::4096] = b"x" * len(hog[::4096])
""",
    "disk_filler": """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open("big", "wb") as f:
    for i in range(40): f.write(bytes(1 << 20))
""",
    "disk_filler_in_pieces": """
for i in range(6):
    with open(f"piece{i}", "wb") as f: f.write(bytes(10 << 20))
""",
    "tmp_filler": """
try:
    for i in range(4):
        with open(f"/tmp/{E['MARK']}-{i}", "wb") as f: f.write(bytes(12 << 20))
finally:
    for i in range(4):
        if os.path.exists(f"/tmp/{E['MARK']}-{i}"): os.unlink(f"/tmp/{E['MARK']}-{i}")
""",
    "descriptor_hoarder": "kept = [os.open('/dev/null', os.O_RDONLY) for i in range(100000)]",
    "daemon": "daemon(False); os.kill(os.getpid(), 0); raise SystemError('a daemon is left to be found')",
    "daemon_without_environment": "daemon(True); raise SystemError('a daemon is left to be found')",
    "signal_ignorer": """
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP): signal.signal(number, signal.SIG_IGN)
time.sleep(60)
""",
    "ptracer": """
call(101, 16, victim, 0, 0)
os.waitpid(victim, 0x40000000)
call(101, 17, victim, 0, 0)
""",
    "environ_reader": "assert b'SECRET=hunter2' in open(f'/proc/{victim}/environ', 'rb').read()",
    "neighbour_reader": "assert open(E['VICTIM_DIR'] + '/secret').read() == 'hunter2\\n'",
    "neighbour_killer": "os.kill(victim, 0)",
    "worker_killer": "os.kill(worker, 0)",
    "key_reader": "assert 'PRIVATE' in open(E['KEY']).read()",
    "hidden_reader": "assert open(E['HIDDEN']).read()",
    "anywhere_writer": "opened(E['ANYWHERE'] + '/mine', os.O_CREAT | os.O_WRONLY); os.unlink(E['ANYWHERE'] + '/mine')",
    "shadow_reader": "assert open('/etc/shadow').read()",
    "usr_writer": "opened('/usr/.' + E['MARK'], os.O_CREAT | os.O_WRONLY); os.unlink('/usr/.' + E['MARK'])",
    "setuid_program": """
import subprocess
if subprocess.run([E["SETUID"], "-u"], stdout=subprocess.PIPE, check=True).stdout == b"%d\\n" % os.getuid():
    raise PermissionError("it gave nothing")
""",
    "mounter": "call(165, b'none', b'.', b'tmpfs', 0, 0); call(166, b'.', 2)",
    "namespace_maker": "call(272, 0x10000000)",
    "chrooter": "os.chroot('.')",
    "device_maker": "os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(7, 0)); os.unlink('disk')",
    "kernel_tuner": "opened('/proc/sys/kernel/core_pattern')",
    "host_namer": "name = os.uname().nodename.encode(); call(170, name, len(name))",
    "key_keeper": "call(248, b'user', b'zoo', b'x', 1, -2)",
    "bpf_loader": "call(321, 0, (ctypes.c_uint32 * 5)(2, 4, 4, 1, 0), 20)",
    "raw_socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "packet_socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "cgroup_leaver": """
lines = [line.split(":", 2) for line in open("/proc/self/cgroup").read().splitlines()]
for number, names, path in lines:
    if names == "memory" or (number == "0" and len(lines) == 1):
        where = "/sys/fs/cgroup/" + names
        while not os.path.exists(where + path): path = path.rpartition("/")[0]
        opened(where + path.rpartition("/muster-")[0] + "/cgroup.procs")
        break
else:
    raise LookupError("in no cgroup")
""",
    "limit_raiser": "resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))",
    "queue_jumper": "os.nice(-5)",
    "descriptor_heir": "assert len(os.listdir('/proc/self/fd')) > 4  # its three, and the one that lists them",
    "worker_caller": "socket.create_connection(('127.0.0.1', int(E['PORT'])), 5)",
}


def expectations():
    """The page's table: {name: {column: verdict}}."""
    table = {}
    heads = None
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:2] == ["Command", "What it tries"]:
            heads = cells
        elif not line.startswith("|"):
            heads = None
        elif heads and line.startswith("| `"):
            table[cells[0].strip("`")] = dict(zip(heads[2:], cells[2:]))
    return table


def others_may_pass(path):
    """Whether a user that owns nothing of it gets there."""
    return all(part.is_dir() and part.stat().st_mode & 0o001 for part in (path, *path.parents))


def has_other_users():
    """Whether root may become another user here; in a container without their numbers it may not."""
    try:
        return subprocess.run(["true"], user=71000, group=71000, extra_groups=[]).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def marked(mark):
    """Processes that carry the mark in their command line or environment, or whose session once did."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = b"".join(pathlib.Path(f"/proc/{entry}/{part}").read_bytes() for part in ("cmdline", "environ"))
            state = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if mark.encode() in text and state not in "ZX":
            found.append(int(entry))
    return found


@unittest.skipUnless(os.geteuid() == 0, "commands under users of their own, and cgroups, need a worker that runs as root")
@unittest.skipUnless(platform.machine() == "x86_64", "the zoo calls the system by the numbers of x86_64")
class Zoo(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not has_other_users():
            raise unittest.SkipTest("root cannot become another user here")
        bounds = ["--memory=256M", "--isolation.max_processes=64", "--isolation.max_open_files=1024",
                  "--isolation.max_file_size=16M", "--isolation.tmp_size=8M"]
        cls.cluster = Cluster(workers=0, worker_flags=bounds).__enter__()
        try:
            directory = cls.cluster.directory
            directory.chmod(0o711)
            # Where strict commands would see it: a /tmp of their own hides what lies there.
            place = next(path for path in (BIN.parent, *map(pathlib.Path, ("/opt", "/srv", "/mnt"))) if others_may_pass(path))
            cls.zoo = pathlib.Path(tempfile.mkdtemp(prefix="muster-zoo-", dir=place))
            cls.zoo.chmod(0o711)
            cls.key = cls.zoo / "key"
            cls.key.write_text("-----BEGIN PRIVATE KEY-----\n")
            cls.key.chmod(0o600)
            cls.hidden = cls.zoo / "hidden"
            cls.hidden.write_text("for anyone's eyes, but for those\n")
            cls.anywhere = cls.zoo / "anywhere"
            cls.anywhere.mkdir()
            cls.anywhere.chmod(0o1777)
            cls.setuid = cls.zoo / "id"
            shutil.copy(shutil.which("id"), cls.setuid)
            cls.setuid.chmod(0o4755)
            cls.cluster.start_worker("rooted", "--labels=is=rooted", f"--isolation.hide={cls.key},{cls.hidden}")
            cls.cluster.start_worker("parted", "--labels=is=parted", "--isolation.users=71000-71099",
                                     f"--isolation.hide={cls.key},{cls.hidden}")
            cls.victims = {name: cls.start_victim(name) for name in ("rooted", "parted")}
            cls.offers = {name: cls.cluster.worker(name)["load"]["isolation"] for name in ("rooted", "parted")}
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)
        if hasattr(cls, "zoo"):
            shutil.rmtree(cls.zoo, ignore_errors=True)

    @classmethod
    def start_victim(cls, worker):
        """Another attempt on that worker: its process and its directory."""
        task = cls.cluster.ok("submit", "--need", f"is={worker}", "-e", "SECRET=hunter2", "--shell", "--",
                              "umask 077; echo hunter2 > secret; echo $$ $PWD; exec sleep 600").strip()
        line = eventually(lambda: cls.cluster.ok("logs", task).split(), what="the victim")
        return int(line[0]), line[1]

    def release(self, animal, tier, worker):
        """How the deed ended, in a word and with what was said, and who is left of it."""
        mark = f"zoo-{animal}-{tier}-{worker}"
        pid, directory = self.victims[worker]
        variables = {"MARK": mark, "VICTIM": pid, "VICTIM_DIR": directory, "KEY": self.key, "HIDDEN": self.hidden, "ANYWHERE": self.anywhere,
                     "SETUID": self.setuid,
                     "WORKER": self.cluster.server_of(worker),
                     "PORT": self.cluster.worker(worker)["address"].rpartition(":")[2]}
        code = PRELUDE + "try:\n" + "".join(f"    {line}\n" for line in ZOO[animal].strip().splitlines()) + \
            "except BaseException as error:\n    print('held:', repr(error), flush=True)\n    os._exit(0)\nprint('escapes', flush=True)\nos._exit(0)\n"
        flags = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        short = ["--timeout", "300ms", "--kill-grace", "100ms"] if animal == "signal_ignorer" else ["--timeout", "30s"]
        done = self.cluster.muster("run", "--isolation", tier, "--need", f"is={worker}", *short, *flags, "--", "python3", "-c", code)
        said = done.stdout.decode().strip() or done.stderr.decode().strip()
        left = marked(mark)
        if done.stdout.startswith(b"escapes"):
            return ESCAPES, said, left
        # It says that it could not, or it was ended for it.
        held = done.stdout.startswith(b"held") or done.returncode in (124, 137)
        self.assertTrue(held, f"{animal} in {tier}: exit {done.returncode}: {said}")
        return HELD, said, left

    def test_a_table_of_commands_and_tiers(self):
        expected = expectations()
        self.assertEqual(sorted(expected), sorted(ZOO), "docs/isolation.md has a row for each, and no other")
        self.assertGreaterEqual(len(ZOO), 25)
        wrong = []
        for head, tier, worker in COLUMNS:
            offered = self.offers[worker].partition(";")[0].split(", ")
            if tier not in offered:
                print(f"skipped: {head}: this machine's workers have {self.offers[worker]}")
                continue
            for animal in ZOO:
                verdict, said, left = self.release(animal, tier, worker)
                print(f"{head:20} {animal:28} {verdict:8} {len(left)} left  {said[:100]}")
                # What a tier does not hold the system may: in a container much is refused to root, too.
                may_be_held = animal not in NEED_NO_RIGHTS
                if verdict != expected[animal][head] and not (verdict == HELD and may_be_held):
                    wrong.append(f"{animal} in {head}: {verdict}, and the page says {expected[animal][head]}: {said}")
                # Without cgroups a daemon of another user may not be found: the page says so.
                if left and "limited" in offered:
                    wrong.append(f"{animal} in {head}: {left} are left")
        self.assertEqual(wrong, [])
        for worker in ("rooted", "parted"):
            self.assertTrue(os.path.exists(f"/proc/{self.victims[worker][0]}"), "the neighbour lives on")
            self.assertEqual(self.cluster.worker_state(worker), "ACTIVE")

    def test_without_a_network_it_cannot_even_call_the_worker(self):
        if "strict" not in self.offers["rooted"].partition(";")[0]:
            self.skipTest(self.offers["rooted"])
        port = self.cluster.worker("rooted")["address"].rpartition(":")[2]
        call = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('through')"
        for flags, through in (["--isolation", "strict"], True), (["--no-network"], False):
            done = self.cluster.muster("run", *flags, "--need", "is=rooted", "--", "python3", "-c", call)
            self.assertEqual(done.stdout == b"through\n", through, done.stderr)

    def test_nothing_of_a_strict_command_outlives_a_killed_worker(self):
        if "strict" not in self.offers["rooted"].partition(";")[0]:
            self.skipTest(self.offers["rooted"])
        worker = self.cluster.start_worker("doomed", "--labels=is=doomed")
        task = self.cluster.ok("submit", "--isolation", "strict", "--need", "is=doomed", "--shell", "-e", "MARK=zoo-doomed", "--",
                               "trap '' TERM HUP; setsid sleep 500 & sleep 500").strip()
        self.cluster.await_state(task, "RUNNING")
        eventually(lambda: len(marked("zoo-doomed")) >= 3, what="the command and its child")
        os.kill(self.cluster.server_of("doomed"), signal.SIGKILL)
        worker.wait()
        self.assertEqual(marked("zoo-doomed"), [])
        del self.cluster.workers["doomed"]

    def test_what_is_offered_is_shown_and_matched(self):
        offer = self.offers["rooted"]
        self.assertRegex(offer, r"^plain(, limited(, strict)?)?(; not (limited|strict): .+)?; commands run as root$")
        self.assertIn("commands run as a user of their own of 71000-71099", self.offers["parted"])
        self.assertRegex(self.cluster.ok("worker", "get", "rooted"), r"Isolation: +" + re.escape(offer))
        self.assertIn("commands run as root", self.cluster.workers["rooted"].text())
        self.assertNotIn("commands run as root,", self.cluster.workers["parted"].text())
        can = json.dumps(self.cluster.worker("rooted")["offer"]["executors"])
        for tier in ("limited", "strict"):
            self.assertEqual(f'"isolation.{tier}"' in can, tier in offer.partition(";")[0])


class Refusals(unittest.TestCase):
    def test_a_tier_that_no_worker_has_waits_with_a_reason(self):
        with Cluster(workers=0) as cluster:
            config = cluster.directory / "walk.yaml"
            config.write_text("executors:\n  - name: command\n    settings: {kill_tier: walk}\n")
            cluster.start_worker("w1", f"--config={config}")
            self.assertRegex(cluster.worker("w1")["load"]["isolation"], "^plain; not limited: ")
            task = cluster.ok("submit", "--isolation", "limited", "--", "true").strip()
            self.assertIn('"REASON_CODE_NO_WORKER_ISOLATES"', cluster.ok("explain", task, "-o", "json"))
            self.assertIn("No worker offers isolation limited.", cluster.ok("explain", task))
            refused = cluster.muster("submit", "--isolation", "tight", "--", "true")
            self.assertEqual(refused.returncode, 2)
            for tier in (b"plain", b"limited", b"strict"):
                self.assertIn(tier, refused.stderr)
            mixed = cluster.muster("submit", "--isolation", "limited", "--no-network", "--", "true")
            self.assertEqual(mixed.returncode, 2, mixed.stderr)

    def test_a_minimum_that_cannot_be_had_is_no_start(self):
        with Cluster(workers=0) as cluster:
            config = cluster.directory / "walk.yaml"
            config.write_text("isolation: {minimum: strict}\nexecutors:\n  - name: command\n    settings: {kill_tier: walk}\n")
            worker = cluster.start_worker("w1", f"--config={config}", wait=False)
            self.assertNotEqual(worker.wait(), 0)
            self.assertIn("isolation.minimum strict cannot be had here: it has plain; not limited", worker.text())
            claimed = cluster.start_worker("w2", "--capabilities=isolation.strict", wait=False)
            self.assertNotEqual(claimed.wait(), 0)
            self.assertIn("isolation.strict is found out by the worker and cannot be claimed", claimed.text())
            cluster.workers.clear()


if __name__ == "__main__":
    unittest.main()
