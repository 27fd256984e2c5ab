# SPDX-License-Identifier: BSD-3-Clause
"""The source package builds on a bare machine, and gives the packages that were made here, byte by byte.

Other folders, another time, no compiler cache, Debian's own meson and Python modules instead of PyPI's: what is
compiled must not show any of them.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from chroot import Chroot
from conftest import OUT, Maker

from ci.packages.run import say

NAMES = ("joyride", "joyride-dev", "joyride-libc", "joyride-libc-system", "joyride-netsvc", "joyride-tools")


def hand_over(machine: Chroot) -> str:
    """Copy the source package into the machine; where its .dsc is."""
    folder = machine.seen / "srv/source"
    folder.mkdir(parents=True)
    for path in [*OUT.glob("deb/joyride_*.dsc"), *OUT.glob("deb/joyride_*.tar.xz")]:
        shutil.copy2(path, folder)
    return f"/srv/source/{next(folder.glob('*.dsc')).name}"


@pytest.mark.slow
def test_build_from_source(make_machine: Maker) -> None:
    machine = make_machine("builder", size="10g")
    dsc = hand_over(machine)
    machine.apt("update")
    began = time.monotonic()
    machine.apt("build-dep", "--no-install-recommends", dsc)
    say(f"build dependencies in {time.monotonic() - began:.0f} s")
    say("building the source package on a bare machine, without a compiler cache (5 minutes or more)")
    began = time.monotonic()
    script = f"cd /srv && dpkg-source -x {dsc} tree && cd tree && dpkg-buildpackage --build=binary --no-sign"
    machine.run("env", "-u", "LC_ALL", "sh", "-ec", script, timeout=7200)
    say(f"built in {time.monotonic() - began:.0f} s")
    made = {path.name: path for path in (machine.seen / "srv").glob("*.deb")}
    here = {path.name: path for path in (OUT / "deb").glob("*.deb")}
    assert made.keys() == here.keys()
    differ = [name for name, path in made.items() if path.read_bytes() != here[name].read_bytes()]
    if differ:  # for diffoscope
        for name in differ:
            shutil.copy2(made[name], OUT / f"differs-{name}")
    assert differ == []


def test_the_source_is_what_is_tracked(machine: Chroot) -> None:
    """`dpkg-source -b` of the unpacked source gives the same source package again."""
    dsc = hand_over(machine)
    machine.apt("update")
    machine.apt("install", "--no-install-recommends", "dpkg-dev", "xz-utils")
    machine.sh(f"cd /srv && dpkg-source -x {dsc} tree && dpkg-source -b tree")
    folder = machine.seen / "srv"
    first, second = (_files_of(path) for path in (folder / "source" / Path(dsc).name, folder / Path(dsc).name))
    assert first == second


def _files_of(dsc: Path) -> list[str]:
    text = dsc.read_text().split("Checksums-Sha256:", 1)[1].split("Files:", 1)[0]
    return sorted(line.strip() for line in text.splitlines() if line.strip())
