# SPDX-License-Identifier: BSD-3-Clause
"""Python: asyncio with TLS and datagrams, requests, http.server, multiprocessing's managers, frameworks that fork."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import programs

from .base import MIB, PYTHON, App, Scene
from .nginx import running

PY = App("python3", packages=["python3", "python3-requests", "nginx-light", "curl"],
         needs=["python3", "nginx", "curl", "/usr/lib/python3/dist-packages/requests"])  # fmt: skip
WEB = App("python-web", packages=["python3-gunicorn", "python3-aiohttp", "python3-tornado", "apache2-utils", "curl"],
          needs=["ab", "curl", "/usr/lib/python3/dist-packages/gunicorn", "/usr/lib/python3/dist-packages/aiohttp",
                 "/usr/lib/python3/dist-packages/tornado"])  # fmt: skip


def talk(scene: Scene, kind: str) -> dict[str, Any]:
    """scripts/py_talk.py at both ends."""
    cert, key = scene.certificate()
    talk: list[str | Path] = [PYTHON, scene.script("py_talk.py"), kind]
    bind = scene.address if kind == "datagrams" else "0.0.0.0"
    return scene.exchange([*talk, "serve", bind, "7000", cert, key], [*talk, "ask", scene.address, "7000", cert, key])


@PY.workload("asyncio: streams, TLS, 100 connections, cancellation", ways=("serves", "asks", "local"), at_least=100)
def asyncio_streams(scene: Scene) -> dict[str, Any]:
    return talk(scene, "streams")


@PY.workload("asyncio: datagrams", ways=("serves", "asks"), carries="udp", at_least=100)
def asyncio_datagrams(scene: Scene) -> dict[str, Any]:
    return talk(scene, "datagrams")


@PY.workload("multiprocessing: a manager, its proxies in 4 processes", ways=("serves", "asks", "local"), at_least=5)
def managers(scene: Scene) -> dict[str, Any]:
    return talk(scene, "manager")


@PY.workload("socketserver: a thread and a process per connection", ways=("serves", "asks"), at_least=20)
def socketservers(scene: Scene) -> dict[str, Any]:
    return talk(scene, "socketserver")


@PY.workload("blocking and non-blocking TLS, half-closed, big writes", ways=("serves", "asks", "local"), at_least=2)
def tls(scene: Scene) -> dict[str, Any]:
    return talk(scene, "tls")


@PY.workload("requests and urllib ask nginx; http.server answers curl", ways=("serves", "asks"), at_least=4)
def http(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(4 * MIB)
    with running(scene):
        said = scene.ask(PYTHON, scene.script("py_fetch.py"), f"http://{scene.address}:8080",
                         f"https://{scene.address}:8443", str(scene.certificate()[0]))  # fmt: skip
    facts: dict[str, Any] = {"clients": [line == digest for line in said.split()]}
    with scene.serving([PYTHON, "-m", "http.server", "8000", "-d", scene.folder], 8000):
        got = [programs.curl(scene.client, f"http://{scene.address}:8000/file") for _ in range(3)]
        facts["http.server"] = [[g.code, programs.sha256(g.path) == digest] for g in got]
    return facts


def load(scene: Scene, argv: list[object], port: int) -> dict[str, Any]:
    """A web application under ab, then two answers."""
    with scene.serving(argv, port) as process:
        base = f"http://{scene.address}:{port}"
        said = scene.ask("ab", "-q", "-n", "300", "-c", "10", f"{base}/hello")
        echo = scene.ask("curl", "-sS", "--data-binary", "words", f"{base}/echo")
        code = process.stop(10)
    return {"ab": [line for line in said.splitlines() if line.startswith(("Complete", "Failed", "Non-2xx"))],
            "echo": echo, "exit": code}  # fmt: skip


@WEB.workload("gunicorn: a master with three workers", ways=("serves",), at_least=300)
def gunicorn(scene: Scene) -> dict[str, Any]:
    argv = [PYTHON, "-m", "gunicorn", "-w", "3", "-b", "0.0.0.0:8000", "--worker-tmp-dir", scene.folder,
            "--pythonpath", scene.script(""), "py_web:wsgi"]  # fmt: skip
    return load(scene, argv, 8000)


@WEB.workload("tornado: three forked processes on one port", ways=("serves",), at_least=300)
def tornado(scene: Scene) -> dict[str, Any]:
    return load(scene, [PYTHON, scene.script("py_web.py"), "tornado", "8000"], 8000)


@WEB.workload("aiohttp", ways=("serves",), at_least=300)
def aiohttp(scene: Scene) -> dict[str, Any]:
    return load(scene, [PYTHON, scene.script("py_web.py"), "aiohttp", "8000"], 8000)
