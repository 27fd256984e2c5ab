# SPDX-License-Identifier: BSD-3-Clause
"""The repositories that `nox -s repo` made: a stranger's machine believes them only with their key."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chroot import Chroot
from conftest import OUT

from ci.packages.repo import KEYRING, SUITE, sources_for


@pytest.fixture
def machine(fresh: Path) -> Iterator[Chroot]:
    """A machine that sees the repository at /repo."""
    with tempfile.TemporaryDirectory(prefix="joyride-chroot") as work:
        made = Chroot(fresh, Path(work) / "one", OUT / "repo/apt")
        yield made
        made.close()


def use(machine: Chroot, sources: str) -> None:
    (machine.seen / "etc/apt/sources.list.d/joyride.sources").write_text(sources)


def test_apt_installs_from_it(machine: Chroot) -> None:
    use(machine, sources_for("/repo"))
    machine.apt("update", "-o", "Dir::Etc::SourceList=/dev/null")
    machine.apt("install", "joyride-libc")
    machine.run("/opt/joyride/ld.so", "/bin/true")
    assert f"/repo {SUITE}/main" in machine.run("apt-cache", "policy", "joyride-libc")


def test_one_file_is_all_that_a_machine_needs(machine: Chroot) -> None:
    """joyride.sources has the key in it; only the repository's place is another here."""
    text = (OUT / "repo/apt/joyride.sources").read_text()
    use(machine, re.sub("^URIs: .*$", "URIs: file:///repo", text, flags=re.MULTILINE))
    machine.apt("update", "-o", "Dir::Etc::SourceList=/dev/null")
    machine.apt("install", "joyride")
    assert machine.run("joyride", "run", "echo", "on Joyride") == "on Joyride\n"


def test_served_by_a_web_server(machine: Chroot) -> None:
    server = machine.start("python3", "-um", "http.server", "0", "--bind", "127.0.0.1", "--directory", "/repo")
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        use(machine, sources_for("/repo").replace("file:///repo", f"http://127.0.0.1:{port}"))
        only = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", "Acquire::http::Proxy::127.0.0.1=DIRECT"]
        machine.apt("update", *only)
        machine.apt("install", *only, "joyride-libc", "joyride-tools")
        machine.run("joyride", "run", "true")
    finally:
        server.kill()
        server.wait()


def test_apt_refuses_it_without_the_key(machine: Chroot) -> None:
    use(machine, sources_for("/repo").replace(f"Signed-By: /repo/{KEYRING}\n", ""))
    refused = machine.apt("update", "-o", "Dir::Etc::SourceList=/dev/null", ok=False)
    assert "NO_PUBKEY" in refused.output


def test_apt_refuses_a_changed_package(machine: Chroot) -> None:
    machine.sh("cp -a /repo /changed && for f in /changed/pool/main/joyride-libc_*; do echo >>$f; done")
    use(machine, sources_for("/changed"))
    machine.apt("update", "-o", "Dir::Etc::SourceList=/dev/null")
    refused = machine.apt("install", "joyride-libc", ok=False)
    assert refused.code != 0
    assert "Hash Sum mismatch" in refused.output or "unexpected size" in refused.output
