# SPDX-License-Identifier: BSD-3-Clause
"""Well-known programs with configurations of their own: nginx, redis, dnsmasq, iperf3, curl, Python's asyncio."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine
from .process import Process

PYTHON = "/usr/bin/python3"  # Debian's own: also what the patched libc is tried with
_SCRIPTS = Path(__file__).parent / "scripts"
_BLOCK = 1 << 20

_NGINX_CONF = """\
daemon off;
user root;
worker_processes {workers};
pid {folder}/nginx-{port}.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    default_type application/octet-stream;
    access_log off;
    sendfile {sendfile};
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    server {{
        {listen}
        location / {{ root {root}; }}
        location = /ping {{ return 200 "pong\\n"; }}
        location /put/ {{ root {root}; dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""


def make_file(path: Path, size: int, seed: int = 1) -> str:
    """Fill a file with bytes that repeat nowhere; its sha256."""
    dice = random.Random(seed)
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for start in range(0, size, _BLOCK):
            block = dice.randbytes(min(_BLOCK, size - start))
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def nginx(
    machine: Machine,
    root: Path,
    *,
    port: int = 8080,
    addresses: tuple[str, ...] = ("0.0.0.0", "[::]"),
    workers: int = 1,
    sendfile: bool = True,
    accept_from: tuple[Machine, str] | None = None,
) -> Iterator[Process]:
    """nginx serving `root`.

    Args:
        machine: where it runs.
        root: the folder it serves; PUT below /put/ works too.
        port: TCP port.
        addresses: what it listens on.
        workers: worker processes.
        sendfile: as nginx's directive; on in Debian.
        accept_from: wait until a connection from this machine to this address is accepted.
    """
    listen = " ".join(f"listen {a}:{port}{' ipv6only=on' if a.startswith('[') else ''};" for a in addresses)
    conf = machine.file("nginx.conf")
    conf.write_text(
        _NGINX_CONF.format(
            workers=workers,
            folder=machine.folder,
            port=port,
            root=root,
            listen=listen,
            sendfile="on" if sendfile else "off",
        )
    )
    with machine.running(["nginx", "-c", conf, "-p", machine.folder, "-e", "stderr"]) as process:
        if accept_from:
            process.wait_for_port(accept_from[0].ns, accept_from[1], port)
        yield process


@contextlib.contextmanager
def redis(
    machine: Machine, *, port: int = 6379, bind: str = "0.0.0.0", accept_from: tuple[Machine, str] | None = None
) -> Iterator[Process]:
    """redis-server that keeps nothing on disk."""
    options = ["--port", str(port), "--bind", bind, "--protected-mode", "no", "--save", "", "--appendonly", "no"]
    with machine.running(["redis-server", *options, "--dir", machine.folder]) as process:
        process.wait_for_log("Ready to accept connections")
        if accept_from:
            process.wait_for_port(accept_from[0].ns, accept_from[1], port)
        yield process


def redis_benchmark(
    machine: Machine,
    address: str,
    *,
    port: int = 6379,
    requests: int = 20000,
    clients: int = 50,
    data_bytes: int = 3,
    pipeline: int = 1,
    tests: str = "set,get",
    timeout: float = 120,
) -> dict[str, float]:
    """Run redis-benchmark; requests per second by test name (GET, SET, …)."""
    out = machine.run(
        "redis-benchmark", "-h", address, "-p", str(port), "-t", tests, "-n", str(requests), "-c", str(clients),
        "-d", str(data_bytes), "-P", str(pipeline), "--csv", timeout=timeout,
    )  # fmt: skip
    return {row["test"]: float(row["rps"]) for row in csv.DictReader(out.splitlines())}


@contextlib.contextmanager
def dnsmasq(machine: Machine, address: str, records: dict[str, str]) -> Iterator[Process]:
    """A name server on `address` port 53 that knows `records` (name → address) and nothing else."""
    hosts = [f"--host-record={name},{target}" for name, target in records.items()]
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--user=root",
            "--bind-interfaces", f"--listen-address={address}", "--log-queries", "--log-facility=-",
            f"--pid-file={machine.file('dnsmasq.pid')}", *hosts]  # fmt: skip
    with machine.running(argv) as process:
        process.wait_for_log("started, version")
        yield process


@dataclass
class Fetched:
    """One transfer by curl."""

    code: int
    bytes: int
    seconds: float
    path: Path

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.bytes / self.seconds if self.seconds else 0.0


def curl(machine: Machine, url: str, *options: str, timeout: float = 120, path: Path | None = None) -> Fetched:
    """Fetch a URL into a file.

    Raises:
        RuntimeError: curl failed; its message says why.
    """
    path = path or machine.file("fetched")
    form = "%{http_code} %{size_download} %{size_upload} %{time_total}"
    out = machine.run("curl", "-sS", "-g", "--max-time", str(timeout), "-o", path, "-w", form, *options, url,
                      timeout=timeout + 10)  # fmt: skip
    code, down, up, seconds = out.split()
    return Fetched(int(code), int(down) + int(up), float(seconds), path)


@contextlib.contextmanager
def iperf3_server(machine: Machine, port: int = 5201) -> Iterator[Process]:
    """iperf3 -s."""
    with machine.running(["iperf3", "-s", "-p", str(port), "--forceflush"]) as process:
        process.wait_for_log("listening on")
        yield process


def iperf3(machine: Machine, address: str, *options: str, port: int = 5201, seconds: float = 3) -> float:
    """Run an iperf3 client; bits per second as its receiver counted."""
    out = machine.run(
        "iperf3", "-c", address, "-p", str(port), "-t", str(seconds), "-J", *options, timeout=seconds + 20
    )
    return float(json.loads(out)["end"]["sum_received"]["bits_per_second"])


@contextlib.contextmanager
def http_server(machine: Machine, *, port: int = 8000, bind: str = "0.0.0.0") -> Iterator[Process]:
    """An asyncio HTTP server in Python: GET /N answers N bytes, POST answers the body's sha256."""
    with machine.running([PYTHON, _SCRIPTS / "http_server.py", bind, str(port)]) as process:
        process.wait_for_log("listening")
        yield process


def http_client(machine: Machine, address: str, *, port: int = 8000, connections: int = 8, requests: int = 200,
                size: int = 2048, timeout: float = 60) -> dict[str, float]:  # fmt: skip
    """Run the asyncio client against it: {"requests", "bytes", "seconds"}."""
    out = machine.run(PYTHON, _SCRIPTS / "http_client.py", address, str(port), str(connections), str(requests),
                      str(size), timeout=timeout)  # fmt: skip
    values: dict[str, float] = json.loads(out)
    return values


def resolve(machine: Machine, name: str, timeout: float = 20) -> list[str]:
    """The addresses that getaddrinfo() finds, in its order."""
    code = (
        "import socket,sys; seen=[a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)];"
        "print('\\n'.join(seen))"
    )
    return machine.run(PYTHON, "-c", code, name, timeout=timeout).split()


def count_matches(process: Process, pattern: str) -> int:
    """How often a program's log matches."""
    return len(re.findall(pattern, process.text()))
