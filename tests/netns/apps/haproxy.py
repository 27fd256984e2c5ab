# SPDX-License-Identifier: BSD-3-Clause
"""HAProxy: a master with a worker of several threads, HTTP and plain TCP, TLS, and reloads that hand over listeners."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

from harness import programs
from harness.process import Process

from .base import MIB, App, Scene, must, settle

APP = App("haproxy", packages=["haproxy", "nginx-light", "curl", "apache2-utils"],
          needs=["haproxy", "nginx", "curl", "ab"])  # fmt: skip

CONF = """\
global
    nbthread {threads}
    stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend web
    mode http
    bind :8000
    bind :8443 ssl crt {pem}
    http-response set-header X-Says {says}
    default_backend servers
backend servers
    mode http
    balance roundrobin
    option httpchk GET /ping
    server one {backend}:8081 check inter 200ms
    server two {backend}:8082 check inter 200ms
listen plain
    mode tcp
    bind :8001
    server one {backend}:8081
"""


def configure(scene: Scene, says: str, threads: int) -> None:
    """Write haproxy.cfg."""
    cert, key = scene.certificate()
    pem = scene.write("both.pem", cert.read_text() + key.read_text())
    text = CONF.format(folder=scene.folder, pem=pem, says=says, threads=threads, backend=scene.peer_address)
    scene.write("haproxy.cfg", text)


@contextlib.contextmanager
def running(scene: Scene, *, threads: int = 2) -> Iterator[Process]:
    """haproxy before two servers on the peer."""
    configure(scene, "one", threads)
    with (
        programs.nginx(scene.peer, scene.folder, port=8081, accept_from=(scene.peer, scene.peer_address)),
        programs.nginx(scene.peer, scene.folder, port=8082, accept_from=(scene.peer, scene.peer_address)),
        scene.serving(["haproxy", "-W", "-f", scene.path("haproxy.cfg")], 8000) as process,
    ):
        yield process


@APP.workload("HTTP, TLS and TCP to two servers on the peer", ways=("serves",), at_least=20)
def carries(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(8 * MIB)
    facts: dict[str, Any] = {}
    with running(scene):
        for name, url in (
            ("http", "http://{}:8000/file"),
            ("tls", "https://{}:8443/file"),
            ("tcp", "http://{}:8001/file"),
        ):
            got = programs.curl(scene.client, url.format(scene.address), "--cacert", str(scene.certificate()[0]))
            facts[name] = [got.code, programs.sha256(got.path) == digest]
        said = scene.ask("ab", "-q", "-n", "300", "-c", "10", f"http://{scene.address}:8000/ping")
        facts["ab"] = [line for line in said.splitlines() if line.startswith(("Complete", "Failed", "Non-2xx"))]
    return facts


@APP.workload("reload that hands listeners over by SCM_RIGHTS", ways=("serves",), at_least=4)
def reload(scene: Scene) -> dict[str, Any]:
    ask = ["curl", "-sS", "-o", "/dev/null", "-w", "%header{x-says} %{http_code}", f"http://{scene.address}:8000/ping"]
    with running(scene) as process:
        answers = [scene.ask(*ask)]
        for says in ("two", "three"):
            configure(scene, says, 2)
            process.kill(signal.SIGUSR2)
            must(settle(lambda want=says: scene.ask(*ask).startswith(want), 40), f"no answer from {says}")  # type: ignore[misc]
            answers.append(scene.ask(*ask))
        alone = settle(lambda: len(process.children()) == 1)
    return {"answers": answers, "old workers ended": alone}
