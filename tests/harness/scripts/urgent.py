# SPDX-License-Identifier: BSD-3-Clause
"""Urgent data between two programs: `puppet ADDRESS` sends what `driver ADDRESS` says, which prints what it sees.

The driver makes two connections, one to command and one that is commanded; the puppet answers each command when it is
carried out, so that the driver knows when to look.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import json
import select
import socket
import sys
import termios
from collections.abc import Callable

PORT = 7000
SIOCATMARK = 0x8905
LIBC = ctypes.CDLL(None, use_errno=True)


def puppet(address: str) -> None:
    listener = socket.create_server((address, PORT))
    print("listening", flush=True)
    while True:
        command, _ = listener.accept()
        lines = command.makefile()
        if lines.readline() == "end\n":
            return
        data, _ = listener.accept()
        data.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line in lines:
            what, text = line.split()
            data.sendall(text.encode(), socket.MSG_OOB if what == "oob" else 0)
            command.sendall(b"k")
        data.close()
        command.close()


class Peer:
    """One connection to the puppet, and what it looks like from here."""

    def __init__(self, address: str) -> None:
        self.command = socket.create_connection((address, PORT))
        self.command.sendall(b"begin\n")
        self.data = socket.create_connection((address, PORT))
        self.data.setblocking(False)
        self.total = 0

    def send(self, *commands: str) -> None:
        for line in commands:
            self.command.sendall(line.encode() + b"\n")
            assert self.command.recv(1) == b"k"
            self.total += len(line.split()[1])
            while self._is_late():
                select.select([], [], [], 0.001)

    def _is_late(self) -> bool:
        """Whether bytes are on their way, by TCP_INFO; between two programs of one host nothing is."""
        if self.data.getsockname()[0] == self.data.getpeername()[0]:
            return False
        info = self.data.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
        established = info[0] == 1
        return established and int.from_bytes(info[128:136], sys.byteorder) < self.total

    def recv(self, n: int = 100, flags: int = 0) -> str:
        try:
            return self.data.recv(n, flags).decode()
        except OSError as e:
            return errno.errorcode[e.errno or 0]

    def oob(self, flags: int = 0) -> str:
        return self.recv(1, socket.MSG_OOB | flags)

    def at_mark(self) -> int:
        word = array.array("i", [7])
        fcntl.ioctl(self.data, SIOCATMARK, word)
        assert LIBC.sockatmark(self.data.fileno()) == word[0]
        return word[0]

    def waiting(self) -> int:
        word = array.array("i", [0])
        fcntl.ioctl(self.data, termios.FIONREAD, word)
        return word[0]

    def ready(self, timeout_ms: int = 0) -> int:
        poller = select.poll()
        poller.register(self.data, select.POLLIN | select.POLLPRI)
        found = poller.poll(timeout_ms)
        return found[0][1] if found else 0


def beside(p: Peer) -> list[object]:
    p.send("data abc", "oob d", "data ef")
    out: list[object] = [p.ready(), p.waiting(), p.at_mark()]
    _, _, urgent = select.select([], [], [p.data], 0)
    out += [len(urgent), p.recv(), p.at_mark(), p.waiting(), p.oob(socket.MSG_PEEK)]
    data, _, flags, _ = p.data.recvmsg(1, 0, socket.MSG_OOB)
    out += [data.decode(), bool(flags & socket.MSG_OOB), p.oob(), p.ready(), p.recv(), p.at_mark(), p.ready()]
    return out


def none(p: Peer) -> list[object]:
    p.send("data ab")
    return [p.oob(), p.at_mark(), p.recv()]


def alone(p: Peer) -> list[object]:
    p.send("oob x")
    out: list[object] = [p.ready(), p.waiting(), p.at_mark(), p.oob(), p.ready(), p.recv()]
    p.send("data yz")
    return [*out, p.recv(), p.at_mark()]


def replaced_at_the_mark(p: Peer) -> list[object]:
    p.send("oob 1", "oob 2", "oob 3")
    return [p.ready(), p.at_mark(), p.oob(), p.oob(), p.recv()]


def replaced_before_the_mark(p: Peer) -> list[object]:
    p.send("data a", "oob 1", "oob 2", "data b")
    return [p.recv(), p.at_mark(), p.oob(), p.recv()]


def many_bytes(p: Peer) -> list[object]:
    p.send("oob hello")
    return [p.oob(), p.recv(), p.at_mark()]


def in_line(p: Peer) -> list[object]:
    p.data.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    p.send("data ab", "oob c", "data d")
    on = p.data.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
    return [on, p.ready(), p.waiting(), p.oob(), p.recv(), p.at_mark(), p.ready(), p.recv(), p.ready(), p.at_mark()]


def passed_over(p: Peer) -> list[object]:
    p.send("data ab", "oob c", "data d")
    return [p.recv(1), p.recv(1), p.recv(), p.oob(), p.ready()]


def waits_for_all(p: Peer) -> list[object]:
    p.send("data ab", "oob c", "data d")
    p.data.setblocking(True)
    return [p.recv(10, socket.MSG_WAITALL), p.recv(10, socket.MSG_PEEK), p.recv(10)]


def watched(p: Peer) -> list[object]:
    with select.epoll() as ep:
        ep.register(p.data.fileno(), select.EPOLLPRI)
        out: list[object] = [len(ep.poll(0))]
        p.command.sendall(b"oob q\n")
        out += [ep.poll(10)[0][1], p.oob(), len(ep.poll(0))]
        assert p.command.recv(1) == b"k"
        return out


CASES: list[Callable[[Peer], list[object]]] = [
    beside, none, alone, replaced_at_the_mark, replaced_before_the_mark, many_bytes, in_line, passed_over,
    waits_for_all, watched,
]  # fmt: skip


def driver(address: str) -> None:
    found = {}
    for case in CASES:
        peer = Peer(address)
        found[case.__name__] = case(peer)
        peer.data.close()
        peer.command.close()
    socket.create_connection((address, PORT)).sendall(b"end\n")
    print(json.dumps(found))


if __name__ == "__main__":
    {"puppet": puppet, "driver": driver}[sys.argv[1]](sys.argv[2])
