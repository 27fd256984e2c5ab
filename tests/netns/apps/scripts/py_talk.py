# SPDX-License-Identifier: BSD-3-Clause
"""Both ends of several talks: py_talk.py KIND serve|ask ADDRESS PORT CERT KEY; the asking end prints facts as JSON."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import select
import socket
import socketserver
import ssl
import sys
import threading
from multiprocessing.managers import BaseManager, DictProxy
from typing import Any

BLOCK = bytes(range(256)) * 512
Where = tuple[str, int]


def ready() -> None:
    """Tell the test."""
    print("ready", flush=True)


def contexts(cert: str, key: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=cert)


# ---- asyncio ----


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other end has finished."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
    except ConnectionError:
        pass


async def streams_serve(where: Where, cert: str, key: str) -> None:
    """Plain on the port, TLS on the next."""
    await asyncio.start_server(echo, *where, backlog=200)
    await asyncio.start_server(echo, where[0], where[1] + 1, ssl=contexts(cert, key)[0])
    ready()
    await asyncio.sleep(3600)


async def one(where: Where, count: int, context: ssl.SSLContext | None) -> bool:
    """A connection that sends and compares."""
    reader, writer = await asyncio.open_connection(*where, ssl=context)
    for _ in range(count):
        writer.write(BLOCK)
        if await reader.readexactly(len(BLOCK)) != BLOCK:
            return False
    if context is None:
        writer.write_eof()
        if await reader.read() != b"":
            return False
    writer.close()
    return True


async def streams_ask(where: Where, cert: str, key: str) -> dict[str, Any]:
    """Many at once, some by TLS, one that is cancelled while it waits."""
    secure = (where[0], where[1] + 1)
    context = contexts(cert, key)[1]
    plain = await asyncio.gather(*(one(where, 3, None) for _ in range(90)))
    tls = await asyncio.gather(*(one(secure, 3, context) for _ in range(20)))
    reader, writer = await asyncio.open_connection(*where)
    task = asyncio.create_task(reader.read(1))
    await asyncio.sleep(0.05)
    task.cancel()
    cancelled = (await asyncio.gather(task, return_exceptions=True))[0]
    writer.close()
    try:
        await asyncio.open_connection(where[0], 9)
        refused = False
    except ConnectionRefusedError:
        refused = True
    return {"plain": sum(plain), "tls": sum(tls), "cancelled": type(cancelled).__name__, "refused": refused}


class Echo(asyncio.DatagramProtocol):
    """Sends everything back."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data, address)


class Ask(asyncio.DatagramProtocol):
    """Collects answers."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _address: Any) -> None:
        self.answers.put_nowait(data)


async def datagrams_serve(where: Where, _cert: str, _key: str) -> None:
    """An echo."""
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=where)
    ready()
    await asyncio.sleep(3600)


async def datagrams_ask(where: Where, _cert: str, _key: str) -> dict[str, Any]:
    """100 datagrams of growing size, one after the other; again when one was lost."""
    loop = asyncio.get_running_loop()
    transport, ask = await loop.create_datagram_endpoint(Ask, remote_addr=where)
    same = 0
    for number in range(1, 101):
        data = BLOCK[: number * 80]
        for _ in range(5):
            transport.sendto(data)
            try:
                same += await asyncio.wait_for(ask.answers.get(), 2) == data
                break
            except TimeoutError:
                continue
    return {"same": same}


# ---- multiprocessing ----

STORE: dict[str, int] = {}


class Manager(BaseManager):
    """A dictionary of the server's."""


def store() -> dict[str, int]:
    """The dictionary."""
    return STORE


def fill(where: Where, number: int) -> None:
    """A process of its own."""
    manager = Manager(address=where, authkey=b"key")
    manager.connect()
    shared = manager.store()  # type: ignore[attr-defined]
    for i in range(50):
        shared.update({f"{number}-{i}": i})


def manager_serve(where: Where, _cert: str, _key: str) -> None:
    """The manager's own server."""
    Manager.register("store", callable=store, proxytype=DictProxy)
    server = Manager(address=where, authkey=b"key").get_server()
    ready()
    server.serve_forever()


def manager_ask(where: Where, _cert: str, _key: str) -> dict[str, Any]:
    """Four processes fill it."""
    Manager.register("store", proxytype=DictProxy)
    workers = [multiprocessing.get_context("fork").Process(target=fill, args=(where, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    manager = Manager(address=where, authkey=b"key")
    manager.connect()
    shared = manager.store()  # type: ignore[attr-defined]
    return {"exits": [w.exitcode for w in workers], "size": len(shared), "sum": sum(shared.values())}


# ---- socketserver ----


class Line(socketserver.StreamRequestHandler):
    """A line in, a line out."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


class Forking(socketserver.ForkingMixIn, socketserver.TCPServer):
    """A process per connection."""

    allow_reuse_address = True
    request_queue_size = 64  # the kernel and FreeBSD differ about what happens to more


class Threading(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread per connection."""

    allow_reuse_address = True
    request_queue_size = 64  # the kernel and FreeBSD differ about what happens to more


def socketserver_serve(where: Where, _cert: str, _key: str) -> None:
    """Threads on the port, processes on the next."""
    forking = Forking((where[0], where[1] + 1), Line)
    threading_server = Threading(where, Line)
    threading.Thread(target=threading_server.serve_forever, daemon=True).start()
    ready()
    forking.serve_forever()


def socketserver_ask(where: Where, _cert: str, _key: str) -> dict[str, Any]:
    """Ten connections to each, used in turn."""
    answers: dict[str, Any] = {}
    for name, port in (("threads", where[1]), ("processes", where[1] + 1)):
        conns = [socket.create_connection((where[0], port)) for _ in range(10)]
        files = [c.makefile("rwb") for c in conns]
        said = []
        for turn in range(3):
            for number, f in enumerate(files):
                f.write(b"word %d %d\n" % (turn, number))
                f.flush()
                said.append(f.readline().decode())
        for c in conns:
            c.shutdown(socket.SHUT_WR)
        ends = [f.read() == b"" for f in files]
        answers[name] = [hashlib.sha256("".join(said).encode()).hexdigest(), ends.count(True)]
    return answers


# ---- ssl on plain sockets ----


def tls_serve(where: Where, cert: str, key: str) -> None:
    """Echo on blocking TLS sockets until the other end unwraps."""
    context = contexts(cert, key)[0]
    listener = socket.create_server(where)
    ready()
    while True:
        conn = listener.accept()[0]
        with context.wrap_socket(conn, server_side=True) as secure:
            while data := secure.recv(65536):
                secure.sendall(data)


def tls_ask(where: Where, cert: str, key: str) -> dict[str, Any]:
    """Blocking, then non-blocking with select."""
    context = contexts(cert, key)[1]
    facts: dict[str, Any] = {}
    with context.wrap_socket(socket.create_connection(where), server_hostname=where[0]) as secure:
        writer = threading.Thread(target=lambda: secure.sendall(BLOCK * 16))
        writer.start()
        digest, left = hashlib.sha256(), len(BLOCK) * 16
        while left:
            data = secure.recv(min(left, 65536))
            digest.update(data)
            left -= len(data)
        writer.join()
        facts["blocking"] = [digest.digest() == hashlib.sha256(BLOCK * 16).digest(), secure.version()]
    sock = socket.create_connection(where)
    sock.setblocking(False)
    quick = context.wrap_socket(sock, server_hostname=where[0], do_handshake_on_connect=False)
    again(quick, quick.do_handshake)
    sent = again(quick, lambda: quick.send(BLOCK[:1000]))
    got = again(quick, lambda: quick.recv(1000))
    facts["non-blocking"] = [sent, got == BLOCK[:1000], quick.selected_alpn_protocol()]
    return facts


def again(sock: ssl.SSLSocket, call: Any) -> Any:
    """A call on a non-blocking TLS socket, repeated when it asks for that."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            select.select([sock], [], [], 10)
        except ssl.SSLWantWriteError:
            select.select([], [sock], [], 10)


def main() -> None:
    """One end."""
    kind, role, address, port, cert, key = sys.argv[1:]
    result = globals()[f"{kind}_{role}"]((address, int(port)), cert, key)
    if asyncio.iscoroutine(result):
        result = asyncio.run(result)
    if role == "ask":
        print(json.dumps(result))


if __name__ == "__main__":
    main()
