# SPDX-License-Identifier: BSD-3-Clause
"""py_rpc.py zmq|grpc serve|ask ADDRESS PORT: two libraries with threads and event loops of their own; facts as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from concurrent import futures
from importlib import import_module
from typing import Any

Address = tuple[str, int]


def zmq_serve(address: Address) -> None:
    """A socket that answers, one that publishes, one that collects what the other side pushes."""
    zmq: Any = import_module("zmq")

    where, port = address
    context = zmq.Context()
    rep, pub, pull = context.socket(zmq.REP), context.socket(zmq.XPUB), context.socket(zmq.PULL)
    for number, sock in enumerate((rep, pub, pull)):
        sock.bind(f"tcp://{where}:{port + number}")
    poller = zmq.Poller()
    for sock in (rep, pub, pull):
        poller.register(sock, zmq.POLLIN)
    pulled: list[bytes] = []
    print("ready", flush=True)
    while True:
        ready = dict(poller.poll())
        if pub in ready:
            pub.recv()  # a subscription
            for number in range(100):
                pub.send_multipart([b"news", b"item %d" % number])
        if pull in ready:
            pulled.append(pull.recv())
        if rep in ready:
            said = rep.recv()
            rep.send(str(len(pulled)).encode() if said == b"pulled" else hashlib.sha256(said).hexdigest().encode())


def zmq_ask(address: Address) -> dict[str, Any]:
    """Requests of several sizes, a subscription, a pipeline of 1000."""
    zmq: Any = import_module("zmq")

    where, port = address
    context = zmq.Context()
    req, sub, push = context.socket(zmq.REQ), context.socket(zmq.SUB), context.socket(zmq.PUSH)
    for number, sock in enumerate((req, sub, push)):
        sock.setsockopt(zmq.RCVTIMEO, 10_000)
        sock.connect(f"tcp://{where}:{port + number}")
    facts: dict[str, Any] = {"same": []}
    for size in (0, 1, 1000, 100_000, 4_000_000):
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        req.send(body)
        facts["same"].append(req.recv() == hashlib.sha256(body).hexdigest().encode())
    sub.setsockopt(zmq.SUBSCRIBE, b"news")
    facts["news"] = [sub.recv_multipart()[1].decode() for _ in range(100)][-1]
    for number in range(1000):
        push.send(b"%d" % number)
    count = 0
    while count < 1000:
        req.send(b"pulled")
        count = int(req.recv())
    facts["pulled"] = count
    context.destroy(linger=0)
    return facts


def grpc_serve(address: Address) -> None:
    """Three methods without any generated code."""
    grpc: Any = import_module("grpc")

    def double(said: bytes, _context: Any) -> bytes:
        return said + said

    def count(said: bytes, _context: Any) -> Iterator[bytes]:
        for number in range(int(said)):
            yield b"%d" % number

    def total(said: Iterator[bytes], _context: Any) -> bytes:
        return b"%d" % sum(map(len, said))

    handlers = {"Double": grpc.unary_unary_rpc_method_handler(double),
                "Count": grpc.unary_stream_rpc_method_handler(count),
                "Total": grpc.stream_unary_rpc_method_handler(total)}  # fmt: skip
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("apps", handlers),))
    server.add_insecure_port(f"{address[0]}:{address[1]}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def grpc_ask(address: Address) -> dict[str, Any]:
    """Calls by ten channels at once, streams each way, a port where nobody is."""
    grpc: Any = import_module("grpc")

    where = f"{address[0]}:{address[1]}"
    own = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(where, own) for _ in range(10)]
    calls = [
        channel.unary_unary("/apps/Double").future(b"word%d" % n, wait_for_ready=True)
        for n, channel in enumerate(channels * 20)
    ]
    facts: dict[str, Any] = {"doubled": sum(call.result(60) == b"word%d" % n * 2 for n, call in enumerate(calls))}
    facts["counted"] = sum(map(int, channels[0].unary_stream("/apps/Count")(b"5000", timeout=60)))
    parts = (b"x" * 100_000 for _ in range(50))
    facts["total"] = int(channels[1].stream_unary("/apps/Total")(parts, timeout=60))
    for name, target, method in (("refused", f"{address[0]}:9", "Double"), ("unknown", where, "None")):
        try:
            with grpc.insecure_channel(target) as channel:
                channel.unary_unary(f"/apps/{method}")(b"x", timeout=5)
        except grpc.RpcError as error:
            facts[name] = error.code().name
    for channel in channels:
        channel.close()
    return facts


def main() -> None:
    """One of four."""
    which, role, address, port = sys.argv[1:]
    where = (address, int(port))
    if role == "serve":
        {"zmq": zmq_serve, "grpc": grpc_serve}[which](where)
    else:
        print(json.dumps({"zmq": zmq_ask, "grpc": grpc_ask}[which](where)))


if __name__ == "__main__":
    main()
