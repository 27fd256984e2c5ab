# SPDX-License-Identifier: BSD-3-Clause
"""Node.js: http and https, net, dgram, a cluster whose workers get connections or the listener itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .base import App, Scene

APP = App("node", packages=["nodejs", "apache2-utils"], needs=["node", "ab"])


@APP.workload("http, https, net: 200 requests, big bodies, errors", ways=("serves", "asks", "local"), at_least=20)
def web(scene: Scene) -> dict[str, Any]:
    cert, key = scene.certificate()
    talk: list[str | Path] = ["node", scene.script("node_talk.js")]
    return scene.exchange([*talk, "serve", "8000", cert, key], [*talk, "ask", scene.address, "8000", cert])


@APP.workload("dgram", ways=("serves", "asks"), carries="maybe")
def datagrams(scene: Scene) -> dict[str, Any]:
    talk: list[str | Path] = ["node", scene.script("node_talk.js")]
    where = [scene.address, "8000"]
    return scene.exchange([*talk, "udp-serve", *where], [*talk, "udp-ask", *where])


def cluster(scene: Scene, policy: str) -> dict[str, Any]:
    """Three workers under ab, one of which ends and is replaced."""
    argv = ["node", scene.script("node_talk.js"), "cluster", "8000"]
    with scene.server.running(argv, env={"NODE_CLUSTER_SCHED_POLICY": policy}) as server:
        server.wait_for_log("ready")
        base = f"http://{scene.address}:8000"
        said = scene.ask("ab", "-q", "-n", "300", "-c", "10", f"{base}/hello")
        scene.try_ask("curl", "-sS", f"{base}/exit")
        server.wait_for_log("replaced")
        again = scene.ask("ab", "-q", "-n", "100", "-c", "4", f"{base}/hello")
    return {"requests": [line for line in (said + again).splitlines() if line.startswith(("Complete", "Failed"))]}


@APP.workload("cluster, round robin (connections by SCM_RIGHTS)", ways=("serves",), at_least=300)
def round_robin(scene: Scene) -> dict[str, Any]:
    return cluster(scene, "rr")


@APP.workload("cluster, shared listener", ways=("serves",), at_least=300)
def shared(scene: Scene) -> dict[str, Any]:
    return cluster(scene, "none")
