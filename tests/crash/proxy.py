"""A TCP proxy between two of our processes, for the network's accidents where no network namespace can be had.

    with Proxy() as proxy:
        to_master = proxy.route(lambda: cluster.address)   # "127.0.0.1:PORT", to be dialled in its place
        to_master.delay = 0.05                             # seconds, each way
        to_master.hold(forth=True, back=False)             # nothing goes forth; connections stay; what is sent waits
        to_master.sever()                                  # and every connection is reset, new ones are not taken
        to_master.heal()

Threads: one runs all routes; the methods may be called from any other. What waits while a route is held is bounded: it
stops reading, as a full socket does.
"""

import selectors
import socket
import struct
import threading
import time

CHUNK = 65536
MOST_WAITING = 1 << 20
TICK = 0.02


class Proxy:
    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._routes = []
        self._new = []
        self._lock = threading.Lock()
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._ending = True
        self._thread.join(10)

    def route(self, target):
        """A new listening route; `target()` gives host:port when a connection comes, or None: nobody is there."""
        route = Route(target)
        with self._lock:
            self._new.append(route)
        return route

    def _run(self):
        try:
            while not self._ending:
                self._turn()
        finally:
            for route in self._routes:
                route.close()

    def _turn(self):
        with self._lock:
            self._routes += self._new
            self._new.clear()
        for route in self._routes:
            route.turn(time.monotonic())
        wanted = {}
        for route in self._routes:
            wanted.update(route.wants())
        self._watch(wanted)
        for key, events in self._selector.select(TICK):
            key.data(key.fileobj, events)

    def _watch(self, wanted):
        known = {key.fileobj: key for key in self._selector.get_map().values()}
        for gone in known.keys() - wanted.keys():
            self._selector.unregister(gone)
        for item, (events, then) in wanted.items():
            if item not in known:
                self._selector.register(item, events, then)
            elif known[item].events != events:
                self._selector.modify(item, events, then)


class Route:
    def __init__(self, target):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._pairs = []
        self.delay = 0.0
        self._forth = self._back = True  # whether bytes pass
        self._severed = False

    # --- From any thread

    def hold(self, forth=True, back=True):
        self._forth, self._back = not forth, not back

    def sever(self):
        self._severed = True

    def heal(self):
        self._severed, self._forth, self._back = False, True, True

    # --- The proxy's thread

    def turn(self, now):
        if self._severed:
            for pair in self._pairs:
                pair.reset()
        self._pairs = [pair for pair in self._pairs if not pair.ended]
        for pair in self._pairs:
            pair.move(now, self._forth, self._back)

    def wants(self):
        wanted = {self._listener: (selectors.EVENT_READ, self._accept)}
        for pair in self._pairs:
            wanted.update(pair.wants())
        return wanted

    def close(self):
        self._listener.close()
        for pair in self._pairs:
            pair.reset()

    def _accept(self, listener, events):
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        target = None if self._severed else self._target()
        if target is None:
            return reset(client)
        host, port = target.rsplit(":", 1)
        server = socket.socket()
        server.setblocking(False)
        server.connect_ex((host, int(port)))
        client.setblocking(False)
        self._pairs.append(Pair(client, server, self))


class Flow:
    """One direction: what was read and waits for its time."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.waiting = []  # (when it may leave, bytes)
        self.size = 0
        self.at_end = False


class Pair:
    def __init__(self, client, server, route):
        self._route = route
        self._forth, self._back = Flow(client, server), Flow(server, client)
        self.ended = False

    def wants(self):
        wanted = {}
        if self.ended:
            return wanted
        for flow in (self._forth, self._back):
            if not flow.at_end and flow.size < MOST_WAITING:
                wanted[flow.source] = (selectors.EVENT_READ, self._read)
        return wanted

    def _read(self, source, events):
        flow = self._forth if source is self._forth.source else self._back
        if self.ended:
            return
        try:
            data = source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            return self.reset()
        flow.at_end = not data
        flow.size += len(data)
        flow.waiting.append((time.monotonic() + self._route.delay, data))
        self.move(time.monotonic(), self._route._forth, self._route._back)

    def move(self, now, forth, back):
        if forth and not self.ended:
            self._send(self._forth, now)
        if back and not self.ended:
            self._send(self._back, now)

    def _send(self, flow, now):
        while flow.waiting and flow.waiting[0][0] <= now:
            when, data = flow.waiting[0]
            try:
                if not data:
                    flow.sink.shutdown(socket.SHUT_WR)
                    sent = 0
                else:
                    sent = flow.sink.send(data)
            except BlockingIOError:
                return
            except OSError:
                return self.reset()
            flow.size -= sent
            if sent < len(data):
                flow.waiting[0] = (when, data[sent:])
            else:
                flow.waiting.pop(0)
        if self._forth.at_end and self._back.at_end and not self._forth.waiting and not self._back.waiting:
            self.reset()

    def reset(self):
        if not self.ended:
            self.ended = True
            reset(self._forth.source)
            reset(self._back.source)


def reset(connection):
    """Closes it with RST: the other end learns at once."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    connection.close()
