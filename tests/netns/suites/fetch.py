# SPDX-License-Identifier: BSD-3-Clause
"""Sources of suites: Debian source packages, PyPI and npm, unpacked and built once below the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.programs import PYTHON

from .base import Suite

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "joyride/suites")
_SOURCES = Path("/etc/apt")
Say = Callable[[str], None]


class NotBuilt(Exception):
    """A suite could not be fetched or built."""


def tree(suite: Suite) -> Path:
    """Where a suite is unpacked and built."""
    return CACHE / suite.name / "tree"


def prepare(suite: Suite, say: Say) -> Path:
    """Fetch and build a suite unless that is done; its tree.

    Raises:
        NotBuilt: with the log's name and its end.
    """
    folder, stamp = tree(suite), CACHE / suite.name / "built"
    what = repr((suite.source, suite.packages, suite.pypi, suite.npm, suite.build))
    wanted = hashlib.sha256(what.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.mkdir(parents=True)
    log = folder.parent / "log"
    if suite.packages:
        say("installing packages")
        _apt(log, "apt-get", "install", "-q", "-y", "--no-install-recommends", *suite.packages)
    if suite.source:
        say("fetching its source")
        if suite.build_deps:
            _apt(log, "apt-get", "build-dep", "-q", "-y", suite.source)
        unpack(suite.source, folder, log)
    folder.mkdir(exist_ok=True)
    if suite.pypi:
        say("installing from PyPI")
        _run([PYTHON, "-m", "venv", "--system-site-packages", "venv"], log, cwd=folder)
        _run([folder / "venv/bin/pip", "install", "-q", *suite.pypi], log, cwd=folder)
    if suite.npm:
        say("installing from npm")
        _run(["npm", "install", "--no-audit", "--no-fund", *suite.npm], log, cwd=folder)
    if suite.build:
        say("building")
        _run(["sh", "-ec", suite.build], log, cwd=folder, env={"JOBS": str(os.cpu_count() or 1)})
    stamp.write_text(wanted)
    return folder


def unpack(source: str, folder: Path, log: Path) -> None:
    """Fetch a Debian source package and unpack it.

    Raises:
        NotBuilt: there is no such package, or the network is away.
    """
    archives = CACHE / "archives"
    archives.mkdir(exist_ok=True)
    try:
        _apt(log, "apt-get", "source", "-q", "--download-only", source, cwd=archives)
    except NotBuilt:  # the newest version is not everywhere yet: the release's own
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        _apt(log, "apt-get", "source", "-q", "--download-only", f"{source}/{release}", cwd=archives)
    descriptions = [path for path in archives.glob(f"{source}_*.dsc") if path.is_file()]
    newest = max(descriptions, key=lambda path: path.stat().st_mtime)
    _run(["dpkg-source", "--no-check", "-q", "-x", newest, folder], log, cwd=archives)


def _apt(log: Path, *argv: str, cwd: Path | None = None) -> None:
    config = CACHE / "apt/apt.conf"
    if not config.exists():
        _with_sources(config, log)
    patient = (argv[0], "-o", "DPkg::Lock::Timeout=600", *argv[1:])  # somebody else may be installing
    _run(patient, log, cwd=cwd, env={"APT_CONFIG": str(config), "DEBIAN_FRONTEND": "noninteractive"})


def _with_sources(config: Path, log: Path) -> None:
    """The system's package sources with source packages added, for these calls of apt only."""
    folder = config.parent
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    for path in (_SOURCES / "sources.list.d").glob("*.sources"):
        text = path.read_text().replace("Types: deb\n", "Types: deb deb-src\n")
        (folder / "parts" / path.name).write_text(text)
    for path in (_SOURCES / "sources.list", *(_SOURCES / "sources.list.d").glob("*.list")):
        if path.exists():
            text = path.read_text()
            text += "".join("deb-src" + x[3:] for x in text.splitlines(keepends=True) if x.startswith("deb "))
            (folder / "parts" / path.with_suffix(".list").name).write_text(text)
    settings = {"Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": folder / "parts",
                "Dir::State::Lists": folder / "lists", "APT::Sandbox::User": "root"}  # fmt: skip
    draft = config.with_suffix(".new")
    draft.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    _run(["apt-get", "update", "-q"], log, env={"APT_CONFIG": str(draft)})
    draft.rename(config)


def _run(argv: Sequence[object], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    with log.open("ab") as out:
        done = subprocess.run(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False, cwd=cwd,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise NotBuilt(f"{' '.join(map(str, argv))[:80]} ended with {done.returncode}; {log}:\n{tail}")
