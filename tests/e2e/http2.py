"""As much of HTTP/2 and gRPC as it takes to send what no client library would: frames by hand, messages as bytes.

    with Connection("127.0.0.1:7070") as connection:
        stream = connection.call("/muster.v1.TaskService/Submit")
        connection.message(stream, b"\\xff\\xff", end=True)
        connection.grpc_status(stream)   # 13
"""

import pathlib
import re
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto/muster/v1"


def methods(*services):
    """Every method of those services, as paths, read from the .proto files."""
    found = []
    for path in sorted(PROTO.glob("*_service.proto")):
        for service, body in re.findall(r"^service (\w+) \{(.*?)^\}", path.read_text(), re.M | re.S):
            if service in services:
                found += [f"/muster.v1.{service}/{name}" for name in re.findall(r"^\s*rpc (\w+)\(", body, re.M)]
    return found


def frame(kind, flags, stream, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _text(text):
    text = text.encode() if isinstance(text, str) else text
    size, out = len(text), b""
    if size < 127:
        return bytes([size]) + text
    size, out = size - 127, b"\x7f"
    while size >= 128:
        out, size = out + bytes([size % 128 + 128]), size // 128
    return out + bytes([size]) + text


def header_block(pairs):
    """HPACK: each header literal, never indexed."""
    return b"".join(b"\x10" + _text(name) + _text(value) for name, value in pairs)


def call_headers(path):
    return [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
            ("te", "trailers"), ("content-type", "application/grpc")]


class Connection:
    def __init__(self, address, settle=True):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.streams, self.heard = 1, b""
        self.room = {0: 65535}  # flow control: of the connection, and of each stream
        self.first_room = 65535
        if settle:
            self.send(PREFACE + frame(SETTINGS, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False: the other side has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionError, socket.timeout):
            return False

    def call(self, path):
        stream, self.streams = self.streams, self.streams + 2
        self.room[stream] = self.first_room
        self.send(frame(HEADERS, END_HEADERS, stream, header_block(call_headers(path))))
        return stream

    def push(self, stream, size, seconds=10):
        """One message of that many bytes, as fast as the other side lets us. False: it cut the call before all was sent."""
        left = size
        self.send(frame(DATA, 0, stream, b"\0" + struct.pack(">I", size)))
        deadline = time.monotonic() + seconds
        news = self.frames(seconds)
        while left > 0 and time.monotonic() < deadline:
            count = min(16384, left)
            if min(self.room[0], self.room[stream]) >= count + 5:
                self.room[0], self.room[stream], left = self.room[0] - count, self.room[stream] - count, left - count
                if not self.send(frame(DATA, 0 if left else END_STREAM, stream, b"x" * count)):
                    return False
                continue
            heard = next(news, None)
            if heard is None or (heard[2] == stream and heard[0] == RST_STREAM) or heard[0] == GOAWAY:
                return False
        return left == 0

    def message(self, stream, data, end=False, claimed=None):
        payload = b"\0" + struct.pack(">I", len(data) if claimed is None else claimed) + data
        chunks = [payload[i:i + 16384] for i in range(0, len(payload), 16384)] or [b""]
        for i, chunk in enumerate(chunks):
            if not self.send(frame(DATA, END_STREAM if end and i == len(chunks) - 1 else 0, stream, chunk)):
                return

    def frames(self, seconds=20):
        """What the other side sends, until it closes or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            while len(self.heard) >= 9:
                size = int.from_bytes(self.heard[:3], "big")
                if len(self.heard) < 9 + size:
                    break
                kind, flags = self.heard[3], self.heard[4]
                stream = int.from_bytes(self.heard[5:9], "big") & 0x7fffffff
                payload, self.heard = self.heard[9:9 + size], self.heard[9 + size:]
                if kind == SETTINGS and not flags & ACK:
                    self._settings(payload)
                    self.send(frame(SETTINGS, ACK, 0))
                if kind == WINDOW_UPDATE:
                    self.room[stream] = self.room.get(stream, 0) + int.from_bytes(payload, "big")
                if kind == PING and not flags & ACK:
                    self.send(frame(PING, ACK, 0, payload))
                yield kind, flags, stream, payload
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(65536)
            except (socket.timeout, ConnectionError):
                return
            if not more:
                return
            self.heard += more

    def _settings(self, payload):
        for at in range(0, len(payload), 6):
            if int.from_bytes(payload[at:at + 2], "big") == 4:  # the first room of a stream, also of those that are open
                grown = int.from_bytes(payload[at + 2:at + 6], "big") - self.first_room
                self.first_room += grown
                for stream in self.room:
                    self.room[stream] += grown if stream else 0

    def grpc_status(self, stream, seconds=20):
        """Of the call: a number, "RST" when the stream was cut, None when there was no end of it."""
        for kind, flags, on, payload in self.frames(seconds):
            if on == stream and kind == RST_STREAM:
                return "RST"
            if on == stream and kind == HEADERS and flags & END_STREAM:
                # gRPC's encoder writes its own short strings plain, and this name in full the first time.
                found = re.search(rb"grpc-status[\x01\x02]([0-9]{1,2})", payload)
                return int(found.group(1)) if found else "?"
        return None
