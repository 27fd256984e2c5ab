# SPDX-License-Identifier: BSD-3-Clause
"""git over its own daemon and over HTTP: programs that hand a socket to what they execute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.machine import KERNEL, Machine

from .base import PYTHON, App, Scene

APP = App("git", packages=["git", "python3"], needs=["git", "python3"])
WHO = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@apps.test", "GIT_COMMITTER_NAME": "A",
       "GIT_COMMITTER_EMAIL": "a@apps.test", "GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000",
       "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": "1",
       "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}  # fmt: skip


def repository(scene: Scene) -> Path:
    """A bare repository with a few commits, the same every time; made without a network."""
    plain = Machine(scene.server.ns, KERNEL, scene.folder)
    work, bare = scene.path("work"), scene.path("all/one.git")
    plain.run("git", "init", "-q", "-b", "main", work, env=WHO)
    for number in range(5):
        scene.file(300_000 + number, f"work/file{number}")
        plain.run("git", "-C", work, "add", "-A", env=WHO)
        plain.run("git", "-C", work, "commit", "-qm", f"number {number}", env=WHO)
    plain.run("git", "clone", "-q", "--bare", work, bare, env=WHO)
    plain.run("git", "-C", bare, "config", "http.receivepack", "true", env=WHO)
    (bare / "git-daemon-export-ok").touch()
    return bare


def exchange(scene: Scene, url: str, bare: Path) -> dict[str, Any]:
    """Clone, change, push, fetch by another."""
    one, two = scene.path("one"), scene.path("two")
    codes = [scene.try_ask("git", "clone", "-q", url, to, env=WHO) for to in (one, two)]
    (one / "new").write_text("line\n" * 50_000)
    for command in (["add", "-A"], ["commit", "-qm", "new"], ["push", "-q", "origin", "main"]):
        codes.append(scene.try_ask("git", "-C", one, *command, env=WHO))
    codes.append(scene.try_ask("git", "-C", two, "pull", "-q", env=WHO))
    heads = [scene.ask("git", "-C", where, "rev-parse", "main", env=WHO).strip() for where in (one, two, bare)]
    codes.append(scene.try_ask("git", "-C", two, "fsck", "--no-progress", env=WHO))
    wrong = scene.try_ask("git", "ls-remote", url + "-not", env=WHO)[0]
    return {"codes": codes, "heads": heads, "missing": wrong}


@APP.workload("git daemon: clone, push, pull", ways=("serves", "asks", "local"), at_least=5)
def daemon(scene: Scene) -> dict[str, Any]:
    bare = repository(scene)
    argv = ["git", "daemon", "--reuseaddr", f"--base-path={bare.parent}", "--enable=receive-pack", bare.parent]
    with scene.serving(argv, 9418, env=WHO):
        return exchange(scene, f"git://{scene.address}/one.git", bare)


@APP.workload("git over HTTP, by http.server and git-http-backend", ways=("serves", "asks"), at_least=5)
def http(scene: Scene) -> dict[str, Any]:
    bare = repository(scene)
    env = {**WHO, "GIT_PROJECT_ROOT": str(bare.parent), "GIT_HTTP_EXPORT_ALL": "1"}
    with scene.serving([PYTHON, scene.script("git_http.py"), "8000"], 8000, env=env):
        return exchange(scene, f"http://{scene.address}:8000/one.git", bare)
