# SPDX-License-Identifier: BSD-3-Clause
"""Asks the service: stats.sock answers each connection with one JSON document, sysctl.sock each request."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


class ServiceAbsent(Exception):
    """Nobody answers; the text says what was tried and what to do."""


def snapshot(run_dir: Path, timeout: float = 5.0) -> dict[str, Any]:
    """The service's counters, ports and sockets at this moment.

    Args:
        run_dir: the service's folder (its `run_dir`).
        timeout: seconds.

    Raises:
        ServiceAbsent: no service answers there.
    """
    path = run_dir / "stats.sock"
    document = parse(path, receive(path, socket.SOCK_STREAM, b"", timeout))
    if not isinstance(document, dict):
        raise ServiceAbsent(f"{path}: the answer is no JSON object")
    return document


def exchange(path: Path, request: bytes, timeout: float = 5.0) -> Any:
    """One request in one packet, and the service's answer to it.

    Args:
        path: a SOCK_SEQPACKET socket of the service.
        request: what to ask; may be empty.
        timeout: seconds.

    Raises:
        ServiceAbsent: no service answers there.
    """
    return parse(path, receive(path, socket.SOCK_SEQPACKET, request, timeout))


def receive(path: Path, kind: socket.SocketKind, request: bytes, timeout: float) -> bytes:
    """All that comes until the end of file; a request is sent before only over packets.

    Raises:
        ServiceAbsent: no service answers there.
    """
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
            if kind == socket.SOCK_SEQPACKET:
                sock.send(request)
            chunks = []
            while chunk := sock.recv(1 << 20):
                chunks.append(chunk)
        except PermissionError as error:
            raise ServiceAbsent(f"{path}: {error.strerror}; try as root") from error
        except OSError as error:
            advice = "is joyride-netsvc running? (systemctl status joyride-netsvc; other folder: --run-dir)"
            raise ServiceAbsent(f"{path}: {error.strerror or error}; {advice}") from error
    return b"".join(chunks)


def parse(path: Path, answer: bytes) -> Any:
    """The answer as data.

    Raises:
        ServiceAbsent: it is no JSON.
    """
    try:
        return json.loads(answer)
    except ValueError as error:
        raise ServiceAbsent(f"{path}: the answer is no JSON ({error})") from error
