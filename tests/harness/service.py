# SPDX-License-Identifier: BSD-3-Clause
"""joyride-netsvc under test: its configuration, its start, its state."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .machine import BUILD, KERNEL, Machine, Stack, joyride_stack
from .process import NotReady, Process, wait_until

TCP_CONNECTIONS = ("tcp_established",)  # counters of connections that were established
DATAGRAMS = ("udp_rx", "udp_tx")
PORT_KIND = os.environ.get("JOYRIDE_PORT_KIND", "af_packet")  # af_xdp works on a veth too
BINARY = Path(os.environ.get("JOYRIDE_SERVICE", BUILD / "meson/netsvc/main/joyride-netsvc"))


@dataclass
class Config:
    """What netsvc.toml will say."""

    ports: list[dict[str, Any]]
    service: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def text(self, run_dir: Path) -> str:
        """The file."""
        lines = []
        for name, table in {
            "service": {"run_dir": str(run_dir), "telemetry": False, **self.service},
            **self.tables,
        }.items():
            lines += [f"[{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items())]
        for port in self.ports:
            lines += ["[[port]]", *(f"{_key(key)} = {_value(value)}" for key, value in port.items())]
        return "\n".join(lines) + "\n"


def veth_config(device: str = "jr0", **keys: Any) -> Config:
    """The service on the host's end of a veth pair, which it shares with the kernel; `keys` are added to the port's."""
    return Config(ports=[{"name": device, "kind": PORT_KIND, "interface": device, **keys}])


def exclusive_config(device: str = "jr0", address: str = "10.77.0.1/24", **keys: Any) -> Config:
    """The service alone on the interface: every frame is its own, and so is the address."""
    return veth_config(device, share=False, addresses=[address], **keys)


def memif_config(socket_path: Path, role: str, address: str) -> Config:
    """One end of a memif between two services; the server's end makes the socket."""
    keys = {
        "name": "memif0",
        "kind": "memif",
        "socket": str(socket_path),
        "id": 0,
        "role": role,
        "addresses": [address],
    }
    return Config(ports=[keys])


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


class Service:
    """A running service; see `running()`."""

    def __init__(self, process: Process, run_dir: Path, config: Path) -> None:
        self.process = process
        self.run_dir = run_dir
        self.config = config
        self.expected_alive = True  # a test that kills it says so

    @property
    def worker_pid(self) -> int:
        """The process that does the work; its parent only cleans up after it."""
        below = self.process.children()
        return below[0] if below else self.process.pid

    def kill_worker(self) -> None:
        """SIGKILL the worker, as a crash would end it, and wait until its supervisor has cleaned up.

        Raises:
            NotReady: the supervisor did not end.
        """
        self.expected_alive = False
        os.kill(self.worker_pid, signal.SIGKILL)
        self.process.wait(10)

    @property
    def control(self) -> Path:
        """Its control socket."""
        return self.run_dir / "netsvc.sock"

    def stack(self, **env: str) -> Stack:
        """The stack that programs of this machine run on."""
        return joyride_stack(self.control, **env)

    def state(self) -> dict[str, Any]:
        """Its counters, ports and sockets now.

        Raises:
            OSError: it does not answer.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            sock.connect(str(self.run_dir / "stats.sock"))
            chunks = []
            while chunk := sock.recv(1 << 16):
                chunks.append(chunk)
        document: dict[str, Any] = json.loads(b"".join(chunks))
        return document

    def counters(self) -> dict[str, int]:
        """Its counters by name."""
        return {str(k): int(v) for k, v in self.state()["counters"].items()}

    def sockets(self) -> list[dict[str, Any]]:
        """Its sockets."""
        return list(self.state()["sockets"])

    def wait_for_sockets(self, count: int, timeout: float = 30) -> None:
        """Wait until it has exactly `count` sockets.

        Raises:
            NotReady: with the sockets it has instead.
        """
        try:
            wait_until(lambda: len(self.sockets()) == count, timeout, f"{count} sockets in the service")
        except NotReady as late:
            raise NotReady(f"{late}: {json.dumps(self.sockets())[:2000]}") from None

    def rise(self, before: dict[str, int], *names: str, timeout: float = 15) -> dict[str, int]:
        """How far counters have risen since `before`; waits until each of `names` has.

        Raises:
            NotReady: one did not; tells which others rose.
        """
        end = time.monotonic() + timeout
        while True:
            now = self.counters()
            risen = {name: value - before.get(name, 0) for name, value in now.items() if value != before.get(name, 0)}
            if all(risen.get(name, 0) > 0 for name in names):
                return risen
            if time.monotonic() > end:
                raise NotReady(f"of {', '.join(names)} not all rose within {timeout} s; these did: {risen}")
            time.sleep(0.02)

    def open_fds(self) -> int:
        """How many fds it has open."""
        return len(list(Path(f"/proc/{self.worker_pid}/fd").iterdir()))

    def memory_regions(self) -> int:
        """How many shared memory objects it has mapped: segments of programs, pairs."""
        return Path(f"/proc/{self.worker_pid}/maps").read_text().count("memfd:")


@contextlib.contextmanager
def running(
    machine: Machine, config: Config, *, ready_timeout: float = 30, through: Sequence[str] = ()
) -> Iterator[Service]:
    """The service on a machine, ready when entered; `through`: a command that runs it.

    Raises:
        FileNotFoundError: it has not been built.
        NotReady: it gave up; the end of its log is in the text.
    """
    if not BINARY.exists():
        raise FileNotFoundError(f"{BINARY}: build it first (nox -s build-netsvc)")
    run_dir = machine.file("run")
    run_dir.mkdir(mode=0o755)
    path = machine.file("netsvc.toml")
    path.write_text(config.text(run_dir))
    told, ready = os.pipe()
    try:
        argv = [*through, BINARY, "-c", path, "--ready-fd", str(ready)]
        process = machine.on(KERNEL).start(argv, pass_fds=[ready])
        os.close(ready)
        ready = -1
        try:
            process.wait_for_fd(told, ready_timeout)
            yield Service(process, run_dir, path)
        finally:
            process.stop()
    finally:
        for fd in (told, ready):
            if fd >= 0:
                os.close(fd)
