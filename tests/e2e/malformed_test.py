"""What no client of ours sends, at every socket: nothing crashes, and memory and descriptors come back."""

import os
import random
import socket
import unittest

import http2
from cluster import BIN, Cluster, Daemon, eventually, resident_bytes

CONNECTIONS = int(os.environ.get("MUSTER_MALFORMED_CONNECTIONS", "10000"))
ROUNDS = int(os.environ.get("MUSTER_MALFORMED_ROUNDS", "1"))
MASTER = ("TaskService", "ClusterService", "QueueService", "ScheduleService", "WorkflowService", "RegistryService")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def talk(address, data, answer=True):
    """Sends and returns what comes until the other side closes, or for a moment."""
    with connect(address) as link:
        try:
            link.sendall(data)
            link.settimeout(0.05 if not answer else 10)
            heard = b""
            while len(heard) < 1 << 20:
                more = link.recv(65536)
                if not more:
                    break
                heard += more
            return heard
        except (ConnectionError, socket.timeout):
            return b""


def nested(depth):
    """A message in a message in a message."""
    data = b""
    for _ in range(depth):
        size, prefix = len(data), b"\x0a"
        while size >= 128:
            prefix, size = prefix + bytes([size % 128 + 128]), size // 128
        data = prefix + bytes([size]) + data
    return data


class Malformed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(workers=1, worker_flags=["--health.listen=127.0.0.1:0"],
                              master_flags=["--health.listen=127.0.0.1:0", "--grpc.memory=64MiB"]).__enter__()
        cls.seed = int(os.environ.get("MUSTER_SEED", "7"))
        cls.random = random.Random(cls.seed)
        worker = cls.cluster.workers["w1"]
        cls.pids = {"master": cls.cluster.master.pid, "worker": cls.cluster.server_of("w1")}
        cls.grpc = {"master": cls.cluster.address, "worker": worker.addresses["grpc"]}
        cls.http = {f"{name} {port}": daemon.addresses[port] for name, daemon in
                    (("master", cls.cluster.master), ("worker", worker)) for port in ("http", "health")}

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def setUp(self):
        self.works_on()

    def tearDown(self):
        self.works_on()

    def send_twice(self, send, before_it_counts=1):
        """What the first times took in memory (arenas, caches) is there to be used again: one more takes no more."""
        before = {name: descriptors(pid) for name, pid in self.pids.items()}
        for _ in range(before_it_counts):
            send()
        kept = {name: resident_bytes(pid) for name, pid in self.pids.items()}
        send()
        for name, pid in self.pids.items():
            eventually(lambda: descriptors(pid) <= before[name] + 8, 30, f"the descriptors of the {name} coming back")
            eventually(lambda: resident_bytes(pid) < kept[name] + (24 << 20), 30,
                       f"the memory of the {name} coming back")

    def works_on(self):
        """The same processes as before, and they work."""
        self.assertEqual(self.cluster.ok("run", "--", "echo", "still here"), "still here\n")
        self.assertIsNone(self.cluster.master.process.poll())
        self.assertEqual(self.cluster.server_of("w1"), self.pids["worker"])
        for where, address in self.http.items():
            self.assertIn(b" 200 ", talk(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")[:32], where)

    def test_random_bytes(self):
        def send():
            for address in [*self.grpc.values(), *self.http.values()]:
                for _ in range(20 * ROUNDS):
                    talk(address, self.random.randbytes(self.random.randint(1, 4096)), answer=False)
        self.send_twice(send)

    def test_half_and_wrong_http2(self):
        def send():
            frame, seed = http2.frame, self.random
            settled = http2.PREFACE + frame(http2.SETTINGS, 0, 0)
            block = http2.header_block(http2.call_headers("/muster.v1.TaskService/Get"))
            cases = [
                http2.PREFACE[:10],
                http2.PREFACE,
                settled + frame(http2.DATA, 0, 1, b"x", length=0xffffff),
                settled + frame(http2.HEADERS, http2.END_HEADERS, 1, block)[:20],
                settled + frame(http2.HEADERS, http2.END_HEADERS, 2, block),  # even: not a client's
                settled + frame(http2.HEADERS, 0, 1, block) + frame(http2.PING, 0, 0, b"12345678"),  # no CONTINUATION
                settled + frame(http2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,  # beyond 2^31
                settled + frame(http2.SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff"),
                settled + frame(http2.SETTINGS, 0, 1),
                settled + frame(99, 255, 1, b"what"),
                settled + frame(http2.HEADERS, http2.END_HEADERS, 1, b"\xff" * 64),  # no HPACK
                settled + frame(http2.PING, 0, 0, b"12345678") * 2000,
                settled + b"".join(frame(http2.HEADERS, http2.END_HEADERS, 2 * i + 1, block) +
                                   frame(http2.RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(2000)),
                settled + b"".join(frame(seed.randrange(12), seed.randrange(256), seed.randrange(8), seed.randbytes(seed.randrange(64)))
                                   for _ in range(200)),
            ]
            for address in self.grpc.values():
                for case in cases * ROUNDS:
                    talk(address, case, answer=False)
        self.send_twice(send, 4)

    def test_huge_headers(self):
        def send():
            for server, method in (("master", "/muster.v1.TaskService/Get"), ("worker", "/muster.v1.WorkerService/Execute")):
                big = http2.header_block([*http2.call_headers(method), ("x-big", "y" * (1 << 20))])
                with http2.Connection(self.grpc[server]) as connection:
                    pieces = [big[i:i + 16384] for i in range(0, len(big), 16384)]
                    for i, piece in enumerate(pieces):
                        kind = http2.HEADERS if i == 0 else http2.CONTINUATION
                        connection.send(http2.frame(kind, http2.END_HEADERS if i == len(pieces) - 1 else 0, 1, piece))
                    connection.message(1, b"", end=True)
                    self.assertIn(connection.grpc_status(1), (3, 8, "RST"))
            for where, address in self.http.items():
                heard = talk(address, b"GET /healthz HTTP/1.1\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n")
                self.assertNotIn(b" 200 ", heard[:32], where)
        self.send_twice(send)

    def test_garbage_and_deep_nesting_to_every_method(self):
        def send():
            targets = [("master", m) for m in http2.methods(*MASTER)] + [("worker", m) for m in http2.methods("WorkerService")]
            self.assertGreater(len(targets), 15)
            for server, method in targets:
                garbage = [b"\xff" * 11, b"\x0a\xff\xff\xff\xff\x0f"]
                if not method.endswith("/Shutdown"):  # what is nothing but unknown fields is a wish like any other
                    garbage += [self.random.randbytes(300), nested(20000)]
                for data in garbage:
                    with http2.Connection(self.grpc[server]) as connection:
                        stream = connection.call(method)
                        connection.message(stream, data, end=True)
                        # 0 where the bytes happen to be nothing but fields that nobody knows.
                        status = connection.grpc_status(stream)
                        self.assertIsNotNone(status, f"{method} does not answer (seed {self.seed})")
            self.assertTrue(self.cluster.json("ps", "-a", "--limit", "1")["tasks"])
        self.send_twice(send)

    def test_an_oversized_message_is_one_clear_refusal(self):
        for server, method in (("master", "/muster.v1.TaskService/Submit"), ("worker", "/muster.v1.WorkerService/Execute")):
            with http2.Connection(self.grpc[server]) as connection:
                stream = connection.call(method)
                self.assertTrue(connection.push(stream, 8 << 20))
                self.assertEqual(connection.grpc_status(stream), 8, method)

    def test_a_message_without_measure_is_cut_off_before_it_fills_the_memory(self):
        def send():
            with http2.Connection(self.grpc["master"]) as connection:
                stream = connection.call("/muster.v1.TaskService/Submit")
                self.assertFalse(connection.push(stream, 1 << 30), "a gigabyte was taken")
        send()
        # What takes memory back runs beside the reader: on a busy machine the bound of 64 MiB is overshot by far.
        self.assertLess(resident_bytes(self.pids["master"]), 384 << 20)
        self.send_twice(send)

    def test_calls_that_never_end_their_message(self):
        def send():
            held = []
            for address, method in ((self.grpc["master"], "/muster.v1.TaskService/Submit"),
                                    (self.grpc["worker"], "/muster.v1.WorkerService/Execute")):
                for _ in range(20):
                    connection = http2.Connection(address)
                    held.append(connection)
                    for _ in range(50):
                        connection.message(connection.call(method), b"x", claimed=1 << 20)
            self.works_on()
            for connection in held:
                connection.socket.close()
        self.send_twice(send)

    def test_slow_requests_do_not_keep_the_probes_away(self):
        for where, address in self.http.items():
            slow = [connect(address) for _ in range(24)]
            for link in slow:
                link.sendall(b"GET /metr")
            eventually(lambda: b" 200 " in talk(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")[:32], 15, where)
            for link in slow:
                link.close()

    def test_ten_thousand_connections_opened_and_closed(self):
        def send():
            for address in self.grpc.values():
                for _ in range(CONNECTIONS // 1000):  # twice: each port gets all of them
                    links = [connect(address) for _ in range(500)]
                    for link in links:
                        link.close()
            for address in self.http.values():
                for _ in range(CONNECTIONS // 100):
                    connect(address).close()
        self.send_twice(send)


class Descriptors(unittest.TestCase):
    def test_more_connections_than_descriptors_leave_the_master_serving(self):
        with Cluster(workers=0) as cluster:
            cluster.master.signal(15)
            cluster.master.wait(10)
            address = cluster.address
            cluster.master = Daemon(["prlimit", "--nofile=256:256", BIN / "muster-master", f"--store.path={cluster.store}",
                                     f"--grpc.listen={address}", "--http.listen=127.0.0.1:0", *cluster.times],
                                    cluster.directory / "master.log").await_serving()
            cluster.start_worker("w1")
            before = descriptors(cluster.master.pid)
            links = [connect(address) for _ in range(300)]
            # Who was connected before goes on: the worker keeps its lease.
            for link in links:
                link.close()
            self.assertEqual(cluster.ok("run", "--", "echo", "still here"), "still here\n")
            eventually(lambda: descriptors(cluster.master.pid) <= before + 8, what="the descriptors coming back")


if __name__ == "__main__":
    unittest.main(verbosity=2)
