# SPDX-License-Identifier: BSD-3-Clause
"""A client of memcached's text protocol (protocol.txt): memcache.py tcp|udp ADDRESS PORT; prints facts as JSON."""

from __future__ import annotations

import json
import socket
import struct
import sys
from typing import Any


def line(stream: Any, request: bytes) -> str:
    """The first line of the answer."""
    stream.write(request)
    stream.flush()
    return str(stream.readline().decode().strip())


def tcp(address: tuple[str, int]) -> dict[str, Any]:
    """Many connections at once, used in turn."""
    streams = [socket.create_connection(address).makefile("rwb") for _ in range(20)]
    big = bytes(range(256)) * 3900
    facts: dict[str, Any] = {"big": line(streams[0], b"set big 0 0 %d\r\n%s\r\n" % (len(big), big))}
    stored = [line(s, b"set key%d 0 0 4\r\nval%d\r\n" % (n % 10, n % 10)) for n, s in enumerate(streams * 10)]
    facts["stored"] = {answer: stored.count(answer) for answer in stored}
    line(streams[0], b"set n 0 0 1\r\n0\r\n")
    facts["n"] = [line(s, b"incr n 3\r\n") for s in streams][-1]
    same = 0
    for s in streams:
        head = line(s, b"get big\r\n").split()
        same += s.read(int(head[3]) + 7) == big + b"\r\nEND\r\n"
    facts["big is the same"] = same
    facts["wrong"] = line(streams[1], b"nonsense\r\n")
    facts["missing"] = line(streams[1], b"get nothing\r\n")
    return facts


def udp(address: tuple[str, int]) -> dict[str, Any]:
    """One request a datagram, with memcached's header of eight bytes."""
    stream = socket.create_connection(address).makefile("rwb")
    line(stream, b"set key 0 0 1000\r\n%s\r\n" % (b"x" * 1000))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(address)
    sock.settimeout(5)
    answers = []
    for number in range(100):
        sock.send(struct.pack(">HHHH", number, 0, 1, 0) + b"get key\r\n")
        datagram = sock.recv(2000)
        answers.append(struct.unpack(">H", datagram[:2])[0] == number and len(datagram) > 1000)
    return {"answers": answers.count(True)}


if __name__ == "__main__":
    print(json.dumps({"tcp": tcp, "udp": udp}[sys.argv[1]]((sys.argv[2], int(sys.argv[3])))))
