# SPDX-License-Identifier: BSD-3-Clause
"""The other side of the differential programs, on the kernel's stack: small services, and one that takes commands."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable


def echo(sock: socket.socket) -> None:
    """Send back what comes; close when it ends."""
    while data := sock.recv(1 << 16):
        sock.sendall(data)


def silent(sock: socket.socket) -> None:
    """Read nothing, say nothing, until the connection is over."""
    while True:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        if info[0] != 1:  # TCP_ESTABLISHED
            return
        time.sleep(0.01)


def end(sock: socket.socket) -> None:
    """Close at once."""


def reset(sock: socket.socket) -> None:
    """Reset at once."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hello(sock: socket.socket) -> None:
    """Say hello, then wait for the end."""
    sock.sendall(b"hello")
    while sock.recv(1 << 16):
        pass


def flood(sock: socket.socket) -> None:
    """Send without end."""
    while True:
        sock.sendall(bytes(1 << 16))


def ask(sock: socket.socket) -> None:
    """Send a question, take four bytes for an answer."""
    sock.sendall(b"who?")
    sock.recv(4)


KINDS = {kind.__name__: kind for kind in (echo, silent, end, reset, hello, flood, ask)}
PORTS = {7: echo, 9: silent, 11: end, 12: reset, 13: hello, 19: flood}


class Control:
    """One line in, one line out."""

    def __init__(self, host: str) -> None:
        """Its commands are about the machine `host`."""
        self.host = host

    def serve(self, sock: socket.socket) -> None:
        """Read a command, do it, answer."""
        with sock.makefile("r") as lines:
            name, *args = lines.readline().split()
        try:
            answer = getattr(self, f"do_{name}")(*args)
        except OSError as error:
            answer = f"error {error.errno}"
        sock.sendall(f"{answer}\n".encode())

    def do_dial(self, port: str, count: str, kind: str) -> str:
        """Connections to the host, each of a kind."""
        for _ in range(int(count)):
            run(KINDS[kind], socket.create_connection((self.host, int(port)), timeout=10))
        return "ok"

    def do_answers(self, port: str, count: str) -> str:
        """How many of the answers to `count` connections, made one after the other, are of each sort."""
        found: dict[str, int] = {}
        for _ in range(int(count)):
            with socket.create_connection((self.host, int(port)), timeout=10) as sock:
                sock.sendall(b"who?")
                answer = sock.recv(16).decode() or "end"
            found[answer] = found.get(answer, 0) + 1
        return " ".join(f"{key}={value}" for key, value in sorted(found.items()))

    def do_datagrams(self, port: str, count: str) -> str:
        """Send numbered datagrams."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(int(count)):
                sock.sendto(b"%04d" % number, (self.host, int(port)))
        return "ok"


def run(kind: Callable[[socket.socket], None], sock: socket.socket) -> None:
    """Serve a connection in a thread of its own."""

    def body() -> None:
        with contextlib.suppress(OSError), sock:
            sock.settimeout(None)
            kind(sock)

    threading.Thread(target=body, daemon=True).start()


def accept(port: int, kind: Callable[[socket.socket], None]) -> None:
    """Serve a port for ever."""
    with socket.create_server(("0.0.0.0", port), backlog=256) as server:
        while True:
            run(kind, server.accept()[0])


def full() -> None:
    """A listener whose queue has no room: who connects to it waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("0.0.0.0", 10))
        server.listen(0)
        waiting = []
        while True:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.settimeout(0.3)
            try:
                sock.connect(("127.0.0.1", 10))
            except OSError:
                break
            waiting.append(sock)
        threading.Event().wait()


def datagrams() -> None:
    """Echo datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 7))
        while True:
            data, sender = sock.recvfrom(1 << 16)
            sock.sendto(data, sender)


def main() -> None:
    """Serve all ports."""
    for body in (datagrams, full):
        threading.Thread(target=body, daemon=True).start()
    for port, kind in PORTS.items():
        threading.Thread(target=accept, args=(port, kind), daemon=True).start()
    accept(7000, Control(sys.argv[1]).serve)


if __name__ == "__main__":
    main()
