# SPDX-License-Identifier: BSD-3-Clause
"""A fresh Debian in a folder, from mmdebstrap: what packages are tried in and images are made from."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ci.packages.run import need, run, say

SUITE = "bookworm"
# What the packages depend on, so that a test asks the archive for nothing. The separate sysusers and tmpfiles make it a
# system without systemd, as containers are.
WITH = (
    "ca-certificates", "iproute2", "librte-bus-pci23", "librte-bus-vdev23", "librte-ethdev23", "librte-mempool-ring23",
    "librte-net-af-xdp23", "librte-net-memif23", "librte-net-ring23", "librte-net-tap23", "libbpf1", "libbsd0",
    "libmnl0", "librte-telemetry23", "netbase", "python3",
    "systemd-standalone-sysusers", "systemd-standalone-tmpfiles",
)  # fmt: skip


def make_tar(folder: Path, include: tuple[str, ...] = WITH, *, suite: str = SUITE) -> Path:
    """A tar of a minimal system with these packages; made once for each list of packages. Raises PackagingError."""
    need("mmdebstrap", packages="mmdebstrap")
    name = hashlib.sha256(" ".join([suite, *include]).encode()).hexdigest()[:12]
    tar = folder / f"{suite}-{name}.tar"
    if not tar.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = tar.with_suffix(".new.tar")
        options = [f"--include={','.join(include)}"] if include else []
        # Every file of it is made anew when something breaks: none has to be on the disk at once.
        options += ["--dpkgopt=force-unsafe-io", '--customize-hook=rm "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"']
        run(["mmdebstrap", "--variant=minbase", *options, suite, fresh], log=folder / "mmdebstrap.log",
            what=f"making a fresh {suite} with mmdebstrap")  # fmt: skip
        fresh.rename(tar)
    return tar


def unpack(tar: Path) -> Path:
    """The tar's content in a folder beside it, unpacked once. Nothing is ever mounted in it."""
    folder = tar.with_suffix("")
    if not folder.is_dir():
        say(f"unpacking {tar.name}")
        fresh = folder.with_name(folder.name + ".unpack")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        run(["tar", "-xf", tar, "-C", fresh, "--numeric-owner", "--exclude=./dev/*"])
        fresh.rename(folder)
    return folder
