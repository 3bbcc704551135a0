"""Links that can be cut between the nodes of a cluster, in two ways with one face:

    with NamespaceNetwork(["w1", "w2"]) as network:   # or ProxyNetwork
        with NetworkCluster(network, workers=2) as cluster:
            network.cut("w1", to_master=True, to_worker=False)
            network.heal("w1")

NamespaceNetwork: each node in a network namespace of its own, a pair of veth devices between the master's and each
worker's. Nothing of the machine's own network is touched, and all of it goes when its processes end. A cut drops
packets, as a broken switch does. ProxyNetwork: everything on loopback, both connections through a TCP proxy, which can
also delay and reset.
"""

import pathlib
import shlex
import subprocess
import tempfile

from cluster import BIN
from harness import CrashCluster
from proxy import Proxy


class ProxyNetwork:
    """`sever(name)` resets connections and takes no new ones; `delay(name, seconds)` slows both ways."""

    def __init__(self, workers):
        self._proxy = Proxy()
        self._names = list(workers)
        self._cluster = None

    def __enter__(self):
        self._proxy.__enter__()
        return self

    def __exit__(self, *error):
        self._proxy.__exit__(*error)

    def join(self, cluster):
        self._cluster = cluster
        self._to_master = {name: self._proxy.route(lambda: cluster.address) for name in self._names}
        self._to_worker = {name: self._proxy.route(lambda name=name: self._address_of(name)) for name in self._names}

    def _address_of(self, name):
        worker = self._cluster.workers.get(name)
        return worker.addresses.get("grpc") if worker and worker.know_addresses() else None

    def flags(self, name):
        return [f"--master={self._to_master[name].address}", "--grpc.listen=127.0.0.1:0",
                f"--grpc.advertise={self._to_worker[name].address}"]

    def prefix(self, node):
        return []

    def master_flags(self):
        return []

    worker_flags = master_flags

    def environment(self):
        return {}

    def cut(self, name, to_master=True, to_worker=True):
        # The worker's own connection carries heartbeats, the master's the session: bytes go both ways on each.
        self._to_master[name].hold(forth=to_master, back=to_worker)
        self._to_worker[name].hold(forth=to_worker, back=to_master)

    def sever(self, name):
        self._to_master[name].sever()
        self._to_worker[name].sever()

    def delay(self, name, seconds):
        self._to_master[name].delay = self._to_worker[name].delay = seconds

    def heal(self, name):
        self._to_master[name].heal()
        self._to_worker[name].heal()
        self.delay(name, 0)


class NamespaceNetwork:
    """The master's namespace has 10.99.N.1 for worker N, and worker N has 10.99.N.2; TLS, since it is not loopback."""

    def __init__(self, workers):
        self._names = list(workers)
        self._holders = {}  # node -> the process that keeps its namespace
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-net-"))

    @staticmethod
    def possible():
        """Why not, or nothing."""
        script = "ip link add v0 type veth peer name v1 && ip link set lo up"
        done = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, text=True)
        return "" if done.returncode == 0 else f"this machine lets nobody make network namespaces: {done.stderr.strip()}"

    def __enter__(self):
        try:
            for node in ("master", *self._names):
                # `exec cat` ends with its standard input, so with this test, however that ends.
                self._holders[node] = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up; echo; exec cat"],
                                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self._holders[node].stdout.readline()
            for number, name in enumerate(self._names, 1):
                self._connect(number, name)
            self._make_certificates()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error):
        for holder in self._holders.values():
            holder.stdin.close()
            holder.wait(10)
            holder.stdout.close()
        subprocess.run(["rm", "-rf", self._folder], check=True)

    def join(self, cluster):
        pass

    def _connect(self, number, name):
        self._in("master", f"ip link add to{number} type veth peer name eth netns {self._holders[name].pid}")
        self._in("master", f"ip address add 10.99.{number}.1/30 dev to{number}; ip link set to{number} up")
        self._in(name, f"ip address add 10.99.{number}.2/30 dev eth; ip link set eth up")

    def _in(self, node, script):
        subprocess.run([*self.prefix(node), "sh", "-ec", script], check=True, capture_output=True)

    def _make_certificates(self):
        self._pki("init", "--cluster", "net")
        self._master = self._pki("issue", "master", "m").split()
        self._workers = {name: self._pki("issue", "worker", name).split() for name in self._names}
        line = self._pki("issue", "admin", "tester")
        self._client = dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)

    def _pki(self, *arguments):
        return subprocess.run([str(BIN / "muster"), "pki", *arguments, "--dir", str(self._folder)], check=True, capture_output=True,
                              text=True).stdout

    def _number(self, name):
        return self._names.index(name) + 1

    def prefix(self, node):
        return ["nsenter", "--net", "-t", str(self._holders[node].pid), "--"]

    def worker_flags(self):
        return []

    def master_flags(self):
        return self._master

    def flags(self, name):
        return ["--master={}:{}".format(f"10.99.{self._number(name)}.1", self.port), "--grpc.listen={}:{}".format(
            f"10.99.{self._number(name)}.2", 0), *self._workers[name]]

    def environment(self):
        return self._client

    # A route into nowhere for one address goes before the one to its network.
    def cut(self, name, to_master=True, to_worker=True):
        if to_master:
            self._in(name, f"ip route add blackhole 10.99.{self._number(name)}.1/32")
        if to_worker:
            self._in("master", f"ip route add blackhole 10.99.{self._number(name)}.2/32")

    def heal(self, name):
        self._in(name, f"ip route del blackhole 10.99.{self._number(name)}.1/32 2>/dev/null || true")
        self._in("master", f"ip route del blackhole 10.99.{self._number(name)}.2/32 2>/dev/null || true")


class NetworkCluster(CrashCluster):
    def __init__(self, network, **options):
        self.network = network
        super().__init__(master_flags=network.master_flags(), worker_flags=network.worker_flags(), **options)
        network.join(self)

    def start_master(self, *flags, wait=True, listen=None, environment=()):
        everywhere = isinstance(self.network, NamespaceNetwork)
        master = super().start_master(*flags, wait=wait, listen=listen or ("0.0.0.0:0" if everywhere else None),
                                      environment=environment)
        if wait and everywhere:
            self.network.port = master.addresses["grpc"].rsplit(":", 1)[1]
            self._listen = f"0.0.0.0:{self.network.port}"
        return master

    @property
    def address(self):
        return super().address.replace("0.0.0.0", "127.0.0.1")

    def prefix(self, node):
        return self.network.prefix(node)

    def worker_network(self, name):
        return self.network.flags(name)

    def environment(self, **more):
        return super().environment(**self.network.environment(), **more)
