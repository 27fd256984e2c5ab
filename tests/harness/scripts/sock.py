# SPDX-License-Identifier: BSD-3-Clause
"""Small socket programs, one a sub-command; each prints what it saw, one fact a line.

echo ADDRESS PORT               accept for ever, send back what comes
source ADDRESS PORT             connect and send until it fails: "error NAME BYTES"
sink ADDRESS PORT               connect and read to the end: "eof BYTES" or "error NAME BYTES"
serve BYTES ADDRESS PORT        accept one, send BYTES, close
epoll ADDRESS PORT              connect, wait in epoll_wait without limit: "events NAMES"
poll ADDRESS PORT               the same with poll
connect ADDRESS PORT SECONDS    connect with a time limit: "connected" or "error NAME"
keepalive ADDRESS PORT          connect, keepalive of 1+1*2 s, blocking recv: "error NAME SECONDS"
usertimeout ADDRESS PORT        connect, TCP_USER_TIMEOUT 2 s, send, recv: "error NAME SECONDS"
forkexec ADDRESS PORT           accept, fork, exec a new image in the child, which echoes on the inherited fd
idle ADDRESS PORT COUNT         open COUNT connections and hold them: "holding COUNT"
udp-echo ADDRESS PORT           send back every datagram
udp-ask ADDRESS PORT COUNT      send COUNT datagrams of growing size and compare the answers: "same COUNT"
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

BLOCK = bytes(range(256)) * 256


def say(*words: object) -> None:
    """One fact."""
    print(*words, flush=True)


def name_of(error: OSError) -> str:
    """ECONNRESET, …; TIMEOUT for Python's own time limit."""
    return errno.errorcode.get(error.errno or 0, "TIMEOUT")


def family(address: str) -> socket.AddressFamily:
    """By the look of the address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connected(address: str, port: str) -> socket.socket:
    """A connected socket, after saying so."""
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.connect((address, int(port)))
    say("connected")
    return sock


def listening(address: str, port: str) -> socket.socket:
    """A listening socket, after saying so."""
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, int(port)))
    sock.listen(128)
    say("listening")
    return sock


def echo_on(sock: socket.socket) -> None:
    """Send back until the peer has finished."""
    try:
        while data := sock.recv(1 << 16):
            sock.sendall(data)
    except OSError as error:
        say("error", name_of(error))
    sock.close()


def echo(address: str, port: str) -> None:
    server = listening(address, port)
    while True:
        sock, peer = server.accept()
        say("accepted", *peer[:2])
        threading.Thread(target=echo_on, args=(sock,), daemon=True).start()


def source(address: str, port: str) -> None:
    sock, sent = connected(address, port), 0
    try:
        while True:
            sent += sock.send(BLOCK)
            if sent % (16 << 20) < len(BLOCK):
                say("sent", sent)
    except OSError as error:
        say("error", name_of(error), sent)


def sink(address: str, port: str) -> None:
    sock, got = connected(address, port), 0
    try:
        while data := sock.recv(1 << 16):
            got += len(data)
        say("eof", got)
    except OSError as error:
        say("error", name_of(error), got)


def serve(size: str, address: str, port: str) -> None:
    server, left = listening(address, port), int(size)
    sock, _ = server.accept()
    while left:
        left -= sock.send(BLOCK[: min(left, len(BLOCK))])
    sock.close()
    say("served", size)


def epoll(address: str, port: str) -> None:
    sock = connected(address, port)
    waiter = select.epoll()
    waiter.register(sock, select.EPOLLIN | select.EPOLLRDHUP)
    say("waiting")
    ((_fd, events),) = waiter.poll()
    names = [n for n in ("EPOLLIN", "EPOLLERR", "EPOLLHUP", "EPOLLRDHUP") if events & getattr(select, n)]
    say("events", *names)
    sink_rest(sock)


def poll(address: str, port: str) -> None:
    sock = connected(address, port)
    waiter = select.poll()
    waiter.register(sock, select.POLLIN)
    say("waiting")
    ((_fd, events),) = waiter.poll()
    say("events", *[n for n in ("POLLIN", "POLLERR", "POLLHUP") if events & getattr(select, n)])
    sink_rest(sock)


def sink_rest(sock: socket.socket) -> None:
    """Read once more, saying what comes."""
    try:
        say("eof" if not sock.recv(1 << 16) else "data")
    except OSError as error:
        say("error", name_of(error))


def connect(address: str, port: str, seconds: str) -> None:
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.settimeout(float(seconds))
    start = time.monotonic()
    try:
        sock.connect((address, int(port)))
        say("connected")
    except OSError as error:
        say("error", name_of(error), round(time.monotonic() - start, 1))


def wait_for_failure(sock: socket.socket) -> None:
    """Block in recv until it fails, and say how long that took."""
    start = time.monotonic()
    try:
        while sock.recv(1 << 16):
            pass
        say("eof", round(time.monotonic() - start, 1))
    except OSError as error:
        say("error", name_of(error), round(time.monotonic() - start, 1))


def keepalive(address: str, port: str) -> None:
    sock = connected(address, port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    say("waiting")
    wait_for_failure(sock)


def usertimeout(address: str, port: str) -> None:
    sock = connected(address, port)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2000)
    say("waiting")
    sys.stdin.readline()
    sock.send(b"lost")
    wait_for_failure(sock)


def forkexec(address: str, port: str) -> None:
    server = listening(address, port)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        sock, _ = server.accept()
        if os.fork() == 0:
            os.set_inheritable(sock.fileno(), True)
            os.execv(sys.executable, [sys.executable, __file__, "on-fd", str(sock.fileno())])
        sock.close()


def on_fd(fd: str) -> None:
    echo_on(socket.socket(fileno=int(fd)))


def idle(address: str, port: str, count: str) -> NoReturn:
    held = []
    for _ in range(int(count)):
        sock = socket.socket(family(address), socket.SOCK_STREAM)
        sock.connect((address, int(port)))
        held.append(sock)
    say("holding", len(held))
    while True:
        time.sleep(3600)


def udp_echo(address: str, port: str) -> NoReturn:
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.bind((address, int(port)))
    say("listening")
    while True:
        data, peer = sock.recvfrom(65535)
        sock.sendto(data, peer)


def udp_ask(address: str, port: str, count: str) -> None:
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.settimeout(2)
    same = 0
    for i in range(int(count)):
        data = BLOCK[i % 7 : i % 7 + i * 13 % 1400]
        sock.sendto(data, (address, int(port)))
        answer, peer = sock.recvfrom(65535)
        same += answer == data and peer[0] == address
    say("same", same)


COMMANDS: dict[str, Callable[..., None]] = {
    "echo": echo, "source": source, "sink": sink, "serve": serve, "epoll": epoll, "poll": poll, "connect": connect,
    "keepalive": keepalive, "usertimeout": usertimeout, "forkexec": forkexec, "on-fd": on_fd, "idle": idle,
    "udp-echo": udp_echo, "udp-ask": udp_ask,
}  # fmt: skip

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
