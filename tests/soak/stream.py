# SPDX-License-Identifier: BSD-3-Clause
"""The programs of the soak: one sends a known stream of bytes, one reads it and compares every byte.

send ADDRESS PORT SECONDS      connect, send for so long, or to the peer's end: "sent BYTES"
read ADDRESS PORT SECONDS      accept twice: a whole short stream to its end, then a long one for so long

What `read` prints is one JSON object: the seconds that the short stream took, the bytes and seconds of the long one and
the longest time in it without a byte, and the offset of the first wrong byte (-1: none).
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys
import time

SHORT = 256 << 10
PERIOD = 1048573  # bytes; a prime, so that whole segments or buffers in the wrong place are seen
BLOCK = random.Random(1).randbytes(PERIOD)
VIEW = memoryview(BLOCK + BLOCK)
CHUNK = 64 << 10


def expected(offset: int, length: int) -> memoryview:
    """`length` (at most PERIOD) bytes of the stream from `offset`."""
    start = offset % PERIOD
    return VIEW[start : start + length]


def connect(address: str, port: int) -> socket.socket:
    """A connection whose sender's congestion control is CUBIC, whatever the machine's default."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    sock.connect((address, port))
    return sock


def send(address: str, port: int, seconds: float) -> None:
    """The short stream on one connection, the long one on another."""
    with connect(address, port) as sock:
        sock.sendall(expected(0, SHORT))
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)  # the reader's end
    sent = 0
    with connect(address, port) as sock:
        end = time.monotonic() + seconds
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                sent += sock.send(expected(sent, CHUNK))
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)
    print("sent", sent, flush=True)


def compare(sock: socket.socket, seconds: float) -> dict[str, float]:
    """Read to the end or for so long; what came, when, and where it was wrong."""
    got, wrong, gap = 0, -1, 0.0
    begin = last = time.monotonic()
    sock.settimeout(seconds + 1)
    with contextlib.suppress(TimeoutError):
        while last - begin < seconds and (data := sock.recv(CHUNK)):
            now = time.monotonic()
            gap = max(gap, now - last)
            last = now
            if wrong < 0 and data != expected(got, len(data)):
                wrong = got + next(
                    i for i, (a, b) in enumerate(zip(data, expected(got, len(data)), strict=True)) if a != b
                )
            got += len(data)
    spent = time.monotonic() - begin
    return {"bytes": got, "seconds": spent, "gap": max(gap, begin + spent - last), "wrong": wrong}


def read(address: str, port: int, seconds: float) -> None:
    """Accept both connections."""
    with socket.create_server((address, port)) as server:
        print("listening", flush=True)
        sock, _ = server.accept()
        with sock:
            short = compare(sock, 300)
        if short["bytes"] != SHORT or short["wrong"] >= 0:
            raise SystemExit(f"the short stream: {short}")
        sock, _ = server.accept()
        with sock:
            long = compare(sock, seconds)
    print(json.dumps({"short": short["seconds"], **long}), flush=True)


if __name__ == "__main__":
    {"send": send, "read": read}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
