# SPDX-License-Identifier: BSD-3-Clause
"""memcached with four threads (libevent), asked over TCP and UDP."""

from __future__ import annotations

from typing import Any

from .base import PYTHON, App, Scene

APP = App("memcached", packages=["memcached", "python3"], needs=["memcached", "python3"])


def run(scene: Scene, kind: str, address: str = "0.0.0.0") -> dict[str, Any]:
    """The server, and scripts/memcache.py as its client."""
    argv = ["memcached", "-u", "nobody", "-t", "4", "-l", address, "-p", "11211", "-U", "11211", "-v"]
    return scene.exchange(argv, [PYTHON, scene.script("memcache.py"), kind, scene.address, "11211"], port=11211)


@APP.workload("20 TCP clients: sets, gets, big values, counters", ways=("serves", "asks", "local"), at_least=20)
def tcp(scene: Scene) -> dict[str, Any]:
    return run(scene, "tcp")


@APP.workload("UDP gets", ways=("serves", "asks"), carries="udp", at_least=100)
def udp(scene: Scene) -> dict[str, Any]:
    return run(
        scene, "udp", scene.address
    )  # a datagram socket bound to no address is the kernel's where a port is shared
