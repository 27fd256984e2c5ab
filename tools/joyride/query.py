# SPDX-License-Identifier: BSD-3-Clause
"""Asks the service for its state: stats.sock answers each connection with one JSON document."""

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
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
            chunks = []
            while chunk := sock.recv(1 << 16):
                chunks.append(chunk)
        except PermissionError as error:
            raise ServiceAbsent(f"{path}: {error.strerror}; try as root") from error
        except OSError as error:
            advice = "is joyride-netsvc running? (systemctl status joyride-netsvc; other folder: --run-dir)"
            raise ServiceAbsent(f"{path}: {error.strerror or error}; {advice}") from error
    try:
        document = json.loads(b"".join(chunks))
    except ValueError as error:
        raise ServiceAbsent(f"{path}: the answer is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise ServiceAbsent(f"{path}: the answer is no JSON object")
    return document
