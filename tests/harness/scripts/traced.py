# SPDX-License-Identifier: BSD-3-Clause
"""Calls worth tracing: ADDRESS PORT of an echo server, and a child that makes some, too."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys


def main() -> None:
    """Connect, send, wait, receive; loopback; then the same in a child."""
    address = (sys.argv[1], int(sys.argv[2]))
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 1), timeout=5)
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b'hello "you"\n')
    poll = select.epoll()
    poll.register(sock.fileno(), select.EPOLLIN)
    poll.poll(5)
    select.select([sock], [], [], 5)
    sock.recv(100)
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.recv(100)
    sock.close()
    if os.fork() == 0:
        child = socket.create_connection(address)
        child.sendall(b"from the child")
        child.recv(100)
        os._exit(0)
    os.wait()
    os.close(2)  # the trace does not depend on it
    socket.create_connection(address).close()
    print("done", flush=True)


main()
