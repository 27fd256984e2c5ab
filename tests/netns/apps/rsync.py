# SPDX-License-Identifier: BSD-3-Clause
"""rsync with its daemon: a process per connection, files there and back, changes only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from .base import App, Scene

APP = App("rsync", packages=["rsync"], needs=["rsync"])

CONF = """\
uid = root
gid = root
use chroot = {chroot}
log file = {folder}/rsyncd.log
[all]
    path = {folder}/there
    read only = no
"""


def tree(folder: Path) -> str:
    """The hash of all names and contents."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@APP.workload("daemon: push, pull, change, delete", ways=("serves", "asks", "local"), at_least=4)
def daemon(scene: Scene) -> dict[str, Any]:
    here, back, there = (scene.path(name) for name in ("here", "back", "there"))
    for folder in (here, there):
        folder.mkdir()
    for number in range(40):
        scene.file(1 + number * 20_000, f"here/file{number}")
    conf = scene.write("rsyncd.conf", CONF.format(folder=scene.folder, chroot="yes"))
    url = f"rsync://{scene.address}/all/"
    facts: dict[str, Any] = {}
    with scene.serving(["rsync", "--daemon", "--no-detach", f"--config={conf}"], 873):
        facts["listed"] = scene.try_ask("rsync", f"rsync://{scene.address}/")
        facts["push"] = scene.try_ask("rsync", "-a", f"{here}/", url)[0], tree(there) == tree(here)
        (here / "file39").write_bytes((here / "file39").read_bytes() + b"more")
        (here / "file1").unlink()
        said = scene.ask("rsync", "-a", "--delete", "--itemize-changes", f"{here}/", url)
        changed = sorted(line.split()[-1] for line in said.splitlines() if line[0] == "*" or line[2] in "+cs")
        facts["changes"] = changed, tree(there) == tree(here)
        facts["pull"] = scene.try_ask("rsync", "-az", url, f"{back}/")[0], tree(back) == tree(here)
        facts["missing"] = scene.try_ask("rsync", "-a", f"rsync://{scene.address}/none/", f"{back}/")[0]
    return facts
