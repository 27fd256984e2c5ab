# SPDX-License-Identifier: BSD-3-Clause
"""What programs see on loopback: prints the same on any correct stack.

`loopback.py all 4|6|mapped` runs every case, one line of JSON each. Nothing here waits where a kernel's loopback
needs no waiting: what was sent is there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any

FAMILY = {"4": socket.AF_INET, "6": socket.AF_INET6, "mapped": socket.AF_INET6}
HOST = {"4": "127.0.0.1", "6": "::1", "mapped": "::ffff:127.0.0.1", "any": "0.0.0.0"}
ANY = {"4": "0.0.0.0", "6": "::", "mapped": "::"}
NOW = socket.MSG_DONTWAIT
case_family = "4"


def host() -> str:
    return HOST.get(case_family, case_family)


def sock(kind: int = socket.SOCK_STREAM) -> socket.socket:
    return socket.socket(FAMILY.get(case_family, socket.AF_INET), kind)


def bound(kind: int = socket.SOCK_STREAM, to: str | None = None, port: int = 0) -> socket.socket:
    s = sock(kind)
    s.bind((host() if to is None else to, port))
    return s


def bind_and_close(kind: int, to: str, port: int) -> None:
    bound(kind, to, port).close()


def listener(backlog: int = 5, to: str | None = None) -> socket.socket:
    s = bound(to=to)
    s.listen(backlog)
    s.setblocking(False)
    return s


def connected() -> tuple[socket.socket, socket.socket]:
    with listener() as at:
        client = sock()
        client.connect(at.getsockname())
        server, _ = at.accept()
    server.setblocking(True)
    return client, server


def dgrams() -> tuple[socket.socket, socket.socket]:
    a, b = bound(socket.SOCK_DGRAM), bound(socket.SOCK_DGRAM)
    a.connect(b.getsockname())
    b.connect(a.getsockname())
    return a, b


def said(call: Callable[..., Any], *args: Any) -> Any:
    """What a call returns, or the name of its error."""
    try:
        got = call(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno or 0, str(e))
    return got.decode("latin1") if isinstance(got, bytes) else got


def ready(*socks: socket.socket) -> list[int]:
    """What poll says at this moment."""
    poll = select.poll()
    for s in socks:
        poll.register(s, select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP)
    found = dict(poll.poll(0))
    return [found.get(s.fileno(), 0) for s in socks]


def case_two_sends_one_read() -> Any:
    c, s = connected()
    c.send(b"one")
    c.send(b"two")
    c.send(b"three")
    return [ready(c, s), said(lambda: s.recv(100, NOW)), ready(c, s), said(lambda: s.recv(100, NOW))]


def case_names() -> Any:
    with listener() as at, sock() as c:
        c.connect(at.getsockname())
        s, addr = at.accept()
        return [
            c.getpeername() == at.getsockname(),
            s.getsockname() == at.getsockname(),
            s.getpeername() == c.getsockname() == addr,
            c.getsockname()[0],
            addr[2:],
            said(at.getpeername),
        ]


def case_accept_at_once() -> Any:
    with listener() as at, sock() as c:
        c.setblocking(False)
        out = [ready(at), said(lambda: c.connect(at.getsockname()))]
        out += [ready(at, c), c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        s, _ = at.accept()
        out += [ready(at), said(lambda: c.connect(at.getsockname())), said(lambda: c.connect(at.getsockname()))]
        s.close()
        return out


def case_refused() -> Any:
    with bound() as free:
        port = free.getsockname()[1]
    out = [said(lambda: sock().connect((host(), port)))]
    with sock() as c:
        c.setblocking(False)
        out += [said(lambda: c.connect((host(), port))), ready(c)]
        out += [c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        out += [ready(c), said(c.getpeername), said(lambda: c.send(b"x") if False else 0)]
        at = listener()
        c.setblocking(True)
        out += [said(lambda: c.connect(at.getsockname())), said(lambda: c.send(b"after"))]
        return out


def case_bound_but_not_listening() -> Any:
    with bound() as b, sock() as c:
        return [said(lambda: c.connect(b.getsockname())), said(b.accept)]


def case_connect_to_any() -> Any:
    with listener(to=ANY[case_family]) as at, sock() as c:
        out = [said(lambda: c.connect((ANY[case_family], at.getsockname()[1])))]
        s, _ = at.accept()
        c.send(b"hello")
        return [*out, c.getpeername()[0], s.getsockname()[0], said(lambda: s.recv(10, NOW))]


def case_wildcard_listener() -> Any:
    with listener(to=ANY[case_family]) as at, sock() as c:
        out = [at.getsockname()[0], said(lambda: c.connect((host(), at.getsockname()[1])))]
        s, _ = at.accept()
        return [*out, s.getsockname()[0], c.getsockname()[0]]


def case_other_loopback_address() -> Any:
    if case_family != "4":
        return None
    with listener(to="127.1.2.3") as at, sock() as c, sock() as d:
        out = [said(lambda: c.connect(("127.0.0.1", at.getsockname()[1])))]
        out += [said(lambda: d.connect(at.getsockname())), d.getsockname()[0]]
        return out


def case_self_connect() -> Any:
    with bound() as s:
        out = [said(lambda: s.connect(s.getsockname())), said(lambda: s.send(b"me"))]
        return [*out, said(lambda: s.recv(10, NOW)), s.getpeername() == s.getsockname()]


def case_half_close() -> Any:
    c, s = connected()
    c.send(b"last")
    c.shutdown(socket.SHUT_WR)
    out = [ready(c, s), said(lambda: s.recv(10, NOW)), said(lambda: s.recv(10, NOW)), said(lambda: c.send(b"x"))]
    s.send(b"answer")
    out += [said(lambda: c.recv(10, NOW)), ready(c, s)]
    s.shutdown(socket.SHUT_WR)
    return [*out, ready(c, s), said(lambda: c.recv(10, NOW)), said(lambda: c.shutdown(socket.SHUT_RDWR))]


def case_shutdown_read() -> Any:
    c, s = connected()
    s.shutdown(socket.SHUT_RD)
    return [ready(s), said(lambda: s.recv(10, NOW)), said(lambda: c.send(b"x")), said(lambda: s.send(b"y"))]


def case_close_ends() -> Any:
    c, s = connected()
    c.close()
    return [ready(s), said(lambda: s.recv(10, NOW)), said(lambda: s.send(b"x")), said(lambda: s.send(b"y")), ready(s)]


def case_close_with_unread_resets() -> Any:
    c, s = connected()
    c.send(b"unread")
    s.close()
    return [ready(c), said(lambda: c.recv(10, NOW)), said(lambda: c.recv(10, NOW)), said(lambda: c.send(b"x"))]


def case_linger_zero_resets() -> Any:
    c, s = connected()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    out = [ready(s), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), said(lambda: s.recv(10, NOW))]
    return [*out, said(s.getpeername)]


def case_data_then_reset() -> Any:
    c, s = connected()
    c.send(b"data")
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    return [said(lambda: s.recv(10, NOW)), said(lambda: s.recv(10, NOW))]


def case_listener_closes_on_queue() -> Any:
    at = listener()
    c = sock()
    c.connect(at.getsockname())
    at.close()
    return [ready(c), said(lambda: c.recv(10, NOW)), said(lambda: c.send(b"x"))]


def case_urgent() -> Any:
    c, s = connected()
    c.send(b"ab")
    c.send(b"!", socket.MSG_OOB)
    out = [ready(s), said(lambda: s.recv(1, socket.MSG_OOB | NOW)), said(lambda: s.recv(10, NOW))]
    c.send(b"cd")
    out += [said(lambda: s.recv(10, NOW)), said(lambda: s.recv(1, socket.MSG_OOB | NOW))]
    s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    c.send(b"e?", socket.MSG_OOB)
    return [*out, ready(s), said(lambda: s.recv(10, NOW)), said(lambda: s.recv(10, NOW))]


def case_full_buffers() -> Any:
    c, s = connected()
    c.setblocking(False)
    total = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            total += c.send(b"x" * 65536)
    out = [total > 65536, ready(c, s)]
    got = 0
    while got < total:
        got += len(s.recv(1 << 20))
    return [*out, got == total, ready(c, s)]


def case_small_buffers() -> Any:
    with listener() as at, sock() as c:
        at.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        c.connect(at.getsockname())
        s, _ = at.accept()
        c.setblocking(False)
        s.setblocking(False)
        sent = got = 0
        for _ in range(20000):
            with contextlib.suppress(BlockingIOError):
                sent += c.send(b"y" * min(1000, 300000 - sent)) if sent < 300000 else 0
            with contextlib.suppress(BlockingIOError):
                got += len(s.recv(700))
        return [sent, got]


def case_in_queue_and_out_queue() -> Any:
    c, s = connected()
    c.send(b"12345")
    buf = bytearray(4)
    fcntl.ioctl(s, termios.FIONREAD, buf)
    out = [struct.unpack("i", buf)[0]]
    fcntl.ioctl(c, termios.TIOCOUTQ, buf)
    return [*out, struct.unpack("i", buf)[0]]


def case_peek_waitall_trunc() -> Any:
    c, s = connected()
    c.send(b"abcdef")
    out = [said(lambda: s.recv(3, socket.MSG_PEEK | NOW)), said(lambda: s.recv(4, socket.MSG_WAITALL))]
    return [*out, said(lambda: s.recv(10, NOW | socket.MSG_TRUNC)) is not None, said(lambda: s.recv(1, NOW))]


def case_epoll_edges() -> Any:
    c, s = connected()
    ep = select.epoll()
    ep.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
    out = [[e for _, e in ep.poll(0)], [e for _, e in ep.poll(0)]]
    c.send(b"a")
    out += [[e for _, e in ep.poll(0)], [e for _, e in ep.poll(0)]]
    c.send(b"b")
    out += [[e for _, e in ep.poll(0)]]
    c.close()
    return [*out, [e for _, e in ep.poll(0)], said(lambda: s.recv(10, NOW))]


def case_epoll_several() -> Any:
    pairs = [connected() for _ in range(5)]
    ep = select.epoll()
    for _, s in pairs:
        ep.register(s, select.EPOLLIN)
    for c, _ in pairs:
        c.send(b"x")
    return sorted(e for _, e in ep.poll(0))


def case_select_sets() -> Any:
    c, s = connected()
    at = listener()
    c.send(b"x")
    n = sock()
    n.connect(at.getsockname())
    r, w, _ = select.select([s, at, c], [c, s, at], [c, s], 0)
    return [[x in r for x in (s, at, c)], [x in w for x in (c, s, at)]]


def case_bind_conflicts() -> Any:
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    out: list[Any] = []
    for kind in kinds:
        with bound(kind) as a:
            port = a.getsockname()[1]
            out.append(said(bind_and_close, kind, host(), port))
            out.append(said(bind_and_close, kind, ANY[case_family], port))
            with sock(kind) as b:
                b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                out.append(said(b.bind, (host(), port)))
            with sock(kind) as b:
                out.append(said(lambda: b.bind(("10.255.255.1" if case_family == "4" else "2001:db8::1", 0))))
            out.append(said(lambda: a.bind((host(), 0))))
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            with sock(kind) as a, sock(kind) as b:
                a.setsockopt(socket.SOL_SOCKET, option, 1)
                b.setsockopt(socket.SOL_SOCKET, option, 1)
                a.bind((host(), 0))
                out.append(said(lambda: b.bind(a.getsockname())))
                if kind == socket.SOCK_STREAM:
                    out += [said(lambda: a.listen(1)), said(lambda: b.listen(1))]
    return out


def case_time_wait() -> Any:
    with listener() as at:
        name = at.getsockname()
        c = sock()
        c.connect(name)
        s, _ = at.accept()
    s.close()
    c.recv(1)
    c.close()
    out = [said(lambda: bound(port=name[1]).close())]
    with sock() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return [*out, said(lambda: again.bind(name)), said(lambda: again.listen(1))]


def case_listen_twice_and_again() -> Any:
    with listener() as at, sock() as c, sock() as plain:
        out = [said(lambda: at.listen(10)), said(lambda: at.connect(at.getsockname())), said(lambda: plain.listen(1))]
        c.connect(at.getsockname())
        return [*out, said(lambda: c.listen(1)), at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), ready(at)]


def case_backlog() -> Any:
    with listener(1) as at:
        clients = []
        for _ in range(2):
            c = sock()
            c.setblocking(False)
            clients.append((c, said(c.connect, at.getsockname())))
        out = [r for _, r in clients] + [ready(c) for c, _ in clients]
        third = sock()
        third.setblocking(False)
        out.append(said(lambda: third.connect(at.getsockname())))
        return [*out, *(said(lambda: at.accept()[0].detach() > 0) for _ in range(2))]


def case_dgram_at_once() -> Any:
    a, b = bound(socket.SOCK_DGRAM), bound(socket.SOCK_DGRAM)
    a.sendto(b"one", b.getsockname())
    a.sendto(b"", b.getsockname())
    a.sendto(b"three", b.getsockname())
    out: list[Any] = [ready(a, b)]
    for _ in range(3):
        data, addr = b.recvfrom(100, NOW)
        out += [data.decode(), addr == a.getsockname()]
    return [*out, said(lambda: b.recv(10, NOW))]


def case_dgram_unbound_sender() -> Any:
    with sock(socket.SOCK_DGRAM) as a, bound(socket.SOCK_DGRAM) as b:
        a.sendto(b"x", b.getsockname())
        data, addr = b.recvfrom(10, NOW)
        b.sendto(b"back", addr)
        return [data.decode(), addr[0], a.getsockname()[0], said(lambda: a.recv(10, NOW))]


def case_dgram_wildcard() -> Any:
    with sock(socket.SOCK_DGRAM) as a, bound(socket.SOCK_DGRAM, ANY[case_family]) as b:
        a.connect((host(), b.getsockname()[1]))
        a.send(b"x")
        data, addr = b.recvfrom(10, NOW)
        b.sendto(b"back", addr)
        return [data.decode(), addr == a.getsockname(), b.getsockname()[0], said(lambda: a.recv(10, NOW))]


def case_dgram_refused() -> Any:
    with bound(socket.SOCK_DGRAM) as free:
        name = free.getsockname()
    with sock(socket.SOCK_DGRAM) as a, sock(socket.SOCK_DGRAM) as u:
        a.connect(name)
        out = [said(lambda: a.send(b"x")), ready(a), said(lambda: a.send(b"y")), said(lambda: a.send(b"z"))]
        out += [said(lambda: a.recv(1, NOW)), said(lambda: a.recv(1, NOW))]
        return [*out, said(lambda: u.sendto(b"x", name)), said(lambda: u.sendto(b"x", name)), ready(u)]


def case_dgram_connected_filters() -> Any:
    a, b = dgrams()
    with bound(socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"no", b.getsockname())
        a.send(b"yes")
        out = [said(lambda: b.recv(10, NOW)), said(lambda: b.recv(10, NOW))]
        out += [said(lambda: stranger.send(b"x")), said(lambda: a.sendto(b"to", stranger.getsockname()))]
        return [*out, said(lambda: stranger.recv(10, NOW))]


def case_dgram_later_server() -> Any:
    with bound(socket.SOCK_DGRAM) as free:
        name = free.getsockname()
    with sock(socket.SOCK_DGRAM) as a:
        a.connect(name)
        out = [said(lambda: a.send(b"x")), said(lambda: a.send(b"y"))]
        with bound(socket.SOCK_DGRAM, port=name[1]) as b:
            out += [said(lambda: a.send(b"z")), said(lambda: b.recv(10, NOW))]
        return out


def case_dgram_sizes() -> Any:
    a, b = dgrams()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    out: list[Any] = []
    for n in (0, 1, 1472, 9000, 65507, 65508, 70000):
        out += [said(a.send, b"d" * n), len(said(lambda: b.recv(100000, NOW)))]
    a.send(b"truncated")
    data, _, flags, _ = b.recvmsg(4, 0, NOW)
    return [*out, data.decode(), flags & socket.MSG_TRUNC == socket.MSG_TRUNC, said(lambda: b.recv(10, NOW))]


def case_dgram_overflow_is_dropped() -> Any:
    a, b = dgrams()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sent = [said(lambda: a.send(b"d" * 1000)) for _ in range(200)]
    got = 0
    with contextlib.suppress(BlockingIOError):
        while b.recv(2000, NOW):
            got += 1
    return [set(sent) == {1000}, 0 < got < 200]


def case_dgram_disconnect() -> Any:
    a, b = dgrams()
    libc_connect(a, struct.pack("H14x", socket.AF_UNSPEC))
    return [said(lambda: a.send(b"x")), said(a.getpeername), said(lambda: a.sendto(b"y", b.getsockname())) in (1, "x")]


def libc_connect(s: socket.socket, addr: bytes) -> int:
    import ctypes

    return int(ctypes.CDLL(None).connect(s.fileno(), addr, len(addr)))


def case_dgram_reuseport() -> Any:
    if not hasattr(socket, "SO_REUSEPORT"):
        return None
    socks: list[socket.socket] = []
    for _ in range(2):
        s = sock(socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((host(), socks[0].getsockname()[1] if socks else 0))
        socks.append(s)
    for _ in range(64):
        with sock(socket.SOCK_DGRAM) as c:
            c.sendto(b"x", socks[0].getsockname())
    counts = [0, 0]
    for i, s in enumerate(socks):
        with contextlib.suppress(BlockingIOError):
            while s.recv(10, NOW):
                counts[i] += 1
    return [sum(counts), min(counts) > 0]


def case_stream_reuseport() -> Any:
    socks: list[socket.socket] = []
    for _ in range(2):
        s = sock()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((host(), socks[0].getsockname()[1] if socks else 0))
        s.listen(64)
        s.setblocking(False)
        socks.append(s)
    clients = [sock() for _ in range(64)]
    for c in clients:
        c.connect(socks[0].getsockname())
    counts = [0, 0]
    for i, s in enumerate(socks):
        with contextlib.suppress(BlockingIOError):
            while s.accept():
                counts[i] += 1
    return [sum(counts), min(counts) > 0]


def case_broadcast() -> Any:
    if case_family != "4":
        return None
    with sock(socket.SOCK_DGRAM) as a, bound(socket.SOCK_DGRAM, "0.0.0.0") as b:
        to = ("127.255.255.255", b.getsockname()[1])
        out = [said(lambda: a.sendto(b"x", to))]
        a.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return [*out, said(lambda: a.sendto(b"y", to)), said(lambda: b.recv(10, NOW)), said(lambda: b.recv(10, NOW))]


def case_options() -> Any:
    c, s = connected()
    out: list[Any] = []
    for level, name in (
        (socket.SOL_SOCKET, socket.SO_TYPE),
        (socket.SOL_SOCKET, socket.SO_DOMAIN),
        (socket.SOL_SOCKET, socket.SO_PROTOCOL),
        (socket.SOL_SOCKET, socket.SO_ERROR),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.SOL_SOCKET, socket.SO_RCVLOWAT),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
    ):
        out += [said(c.getsockopt, level, name)]
        out += [said(s.getsockopt, level, name)]
    info = c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return [*out, info[0]]


def case_simultaneous_open() -> Any:
    a, b = bound(), bound()
    a.setblocking(False)
    b.setblocking(False)
    return [said(lambda: a.connect(b.getsockname())), said(lambda: b.connect(a.getsockname())), ready(a)]


def case_fork_shares() -> Any:
    c, s = connected()
    pid = os.fork()
    if pid == 0:
        s.send(b"child" if c.recv(10) == b"ask" else b"?")
        os._exit(0)
    c.close()
    out = []
    s2 = s
    with contextlib.suppress(OSError):
        out.append(said(lambda: 0))
    os.kill(pid, 0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return [*out, said(lambda: s2.recv(10))]


def case_passes_by_scm_rights() -> Any:
    c, s = connected()
    left, right = socket.socketpair()
    socket.send_fds(left, [b"x"], [s.fileno()])
    s.close()
    _, fds, _, _ = socket.recv_fds(right, 1, 1)
    got = socket.socket(fileno=fds[0])
    c.send(b"hello")
    return [said(lambda: got.recv(10, NOW)), got.getpeername() == c.getsockname()]


def run_all() -> None:
    for name, case in sorted(globals().items()):
        if name.startswith("case_") and callable(case):
            print(json.dumps([name[5:], said(case)]), flush=True)


def echo(port: int) -> None:
    with bound(port=port) as s:
        s.listen(5)
        print("listening", flush=True)
        while True:
            c, _ = s.accept()
            c.sendall(c.recv(100))


def hold(port: int) -> None:
    with sock() as c:
        c.connect((host(), port))
        print("connected", flush=True)
        print("ended", said(lambda: c.recv(10)), flush=True)


def ask(port: int) -> None:
    with sock() as c:
        c.connect((host(), port))
        c.sendall(b"hello")
        print(c.recv(100))


def dgram_echo(port: int) -> None:
    with bound(socket.SOCK_DGRAM, port=port) as s:
        print("bound", flush=True)
        while True:
            data, addr = s.recvfrom(100)
            s.sendto(data, addr)


def dgram_ask(port: int) -> None:
    with sock(socket.SOCK_DGRAM) as c:
        c.settimeout(5)
        c.sendto(b"hello", (host(), port))
        print(c.recv(100))


def main() -> None:
    global case_family
    what, case_family, *rest = sys.argv[1:]
    if what == "all":
        run_all()
    else:
        calls = {"echo": echo, "hold": hold, "ask": ask, "dgram-echo": dgram_echo, "dgram-ask": dgram_ask}
        calls[what](int(rest[0]))


main()
