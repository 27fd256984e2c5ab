# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of packages stand on: a repository with two versions of them, and fresh machines."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chroot import Chroot
from harness import cleanup, netns

from ci.packages import base, deb, repo
from ci.packages.stage import Stage
from ci.packages.version import REPO

OUT = Path(os.environ.get("JOYRIDE_PACKAGES", REPO / "build/packages"))
Maker = Callable[..., Chroot]


@pytest.fixture(scope="session")
def debs() -> list[Path]:
    """The packages that were built."""
    found = sorted((OUT / "deb").glob("*.deb"))
    assert found, f"no packages in {OUT}/deb: `nox -s deb` makes them"
    return found


@pytest.fixture(scope="session")
def next_debs(debs: list[Path]) -> list[Path]:
    """The same packages in a newer version."""
    folder = OUT / "deb-next"
    newest = max(path.stat().st_mtime for path in debs)
    old = sorted(folder.glob("*.deb"))
    if not old or min(path.stat().st_mtime for path in old) < newest:
        old = deb.build(Stage(OUT / "stage"), folder, revision="2", source=False)
    return old


@pytest.fixture(scope="session")
def apt_repo(debs: list[Path], next_debs: list[Path]) -> Iterator[Path]:
    """A signed repository with both versions."""
    with tempfile.TemporaryDirectory(prefix="joyride-repo") as folder, repo.Signer() as signer:
        Path(folder).chmod(0o755)
        yield repo.make_apt(Path(folder) / "apt", [*debs, *next_debs], signer)


@pytest.fixture(scope="session")
def fresh() -> Path:
    """A fresh Debian."""
    return base.unpack(base.make_tar(OUT / "base"))


@pytest.fixture
def make_machine(apt_repo: Path, fresh: Path) -> Iterator[Maker]:
    """Makes machines that know the repository; each is gone after the test."""
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="joyride-chroot") as work:

        def make(name: str = "one", *, size: str = "2g") -> Chroot:
            made = Chroot(fresh, Path(work) / name, apt_repo, size=size)
            stack.callback(made.close)
            (made.seen / "etc/apt/sources.list.d/joyride.sources").write_text(repo.sources_for("/repo"))
            only = ["-o", "Dir::Etc::SourceList=/dev/null"]
            made.apt("update", *only)
            return made

        yield make


@pytest.fixture
def machine(make_machine: Maker) -> Chroot:
    """One fresh machine."""
    return make_machine()


@pytest.fixture(scope="module")
def pair() -> Iterator[netns.Pair]:
    netns.require_root()
    cleanup.remove_leftovers()
    with netns.veth_pair() as made:
        yield made


@pytest.fixture
def echo(pair: netns.Pair) -> Iterator[None]:
    """A server on the peer that sends back what it gets."""
    script = (
        "import socket\ns = socket.create_server(('10.77.0.2', 7000)); print('ready', flush=True)\n"
        "while True:\n c, _ = s.accept()\n c.sendall(c.recv(100))\n c.close()"
    )
    argv = pair.peer.argv([sys.executable, "-c", script])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            server.kill()
