# SPDX-License-Identifier: BSD-3-Clause
"""Programs that enter the kernel without libc, started from ones on Joyride: they and theirs are the kernel's."""

from __future__ import annotations

import subprocess
from typing import Any

from harness import programs
from harness.machine import BUILD

from .base import MIB, App, Scene
from .nginx import running

BUSYBOX = App("busybox", packages=["busybox-static", "nginx-light", "curl"], needs=["busybox", "nginx", "curl"])
GO = App("go", packages=["golang-go", "curl"], needs=["go", "curl"])


@BUSYBOX.workload("httpd and wget of a static busybox", ways=("serves", "asks"), carries="nothing")
def busybox(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(4 * MIB)
    with scene.serving(["env", "busybox", "httpd", "-f", "-p", "8000", "-h", scene.folder], 8000):
        out = scene.path("out")
        code, _ = scene.try_ask("env", "busybox", "wget", "-q", "-O", out, f"http://{scene.address}:8000/{path.name}")
    return {"code": code, "same": programs.sha256(out) == digest}


@BUSYBOX.workload("its wget asks an nginx on Joyride of the same host", ways=("local",), carries="nothing")
def beside(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(4 * MIB)
    with running(scene):
        out = scene.path("out")
        codes = []
        for address in ("127.0.0.1", scene.pair.host_ip):
            url = f"http://{address}:8080/{path.name}"
            codes.append(
                [scene.try_ask("env", "busybox", "wget", "-q", "-O", out, url)[0], programs.sha256(out) == digest]
            )
    return {"fetched": codes}


def compile_go(scene: Scene, cgo: bool) -> str:
    """The Go program, built once in a run's build folder."""
    folder = BUILD / "apps/go"
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / ("web-cgo" if cgo else "web")
    source = scene.script("web.go")
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        env = {"HOME": str(folder), "GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off",
               "CGO_ENABLED": "1" if cgo else "0", "PATH": "/usr/bin:/bin"}  # fmt: skip
        subprocess.run(["go", "build", "-o", binary, source], check=True, env=env, capture_output=True, timeout=300)
    return str(binary)


def go_serves(scene: Scene, cgo: bool) -> dict[str, Any]:
    """Its server with its client: 200 requests of 10."""
    binary = compile_go(scene, cgo)
    with scene.serving(["env", binary, "serve", ":8000"], 8000):
        said = scene.ask("env", binary, "ask", f"http://{scene.address}:8000/sum", "200", "10", timeout=60)
        curl = scene.ask("curl", "-sS", "--data-binary", "words", f"http://{scene.address}:8000/sum")
    return {"asked": said, "curl": curl}


@GO.workload("a static server and client", ways=("serves",), carries="nothing", timeout=320)
def static(scene: Scene) -> dict[str, Any]:
    return go_serves(scene, False)


@GO.workload("one that libc starts (cgo), whose calls are its own", ways=("serves",), carries="nothing", timeout=320)
def dynamic(scene: Scene) -> dict[str, Any]:
    return go_serves(scene, True)
