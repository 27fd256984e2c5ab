# SPDX-License-Identifier: BSD-3-Clause
"""Container images from the Debian packages: packaging/image has one folder for each, with its Dockerfile."""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ci.packages import base
from ci.packages.engine import any_engine
from ci.packages.run import PackagingError, run, say
from ci.packages.version import REPO, project_version, source_date

if TYPE_CHECKING:
    import docker

FILES = REPO / "packaging/image"
BASE = "joyride/base"
# Image and the packages that its Dockerfile installs from the context; in the order in which they stand on each other.
IMAGES = {
    "netsvc": ("joyride-netsvc", "joyride-tools"),
    "debian-system": ("joyride-libc", "joyride-libc-system"),
    "app-example": (),
}


def import_base(client: docker.DockerClient, tar: Path) -> str:
    """The fresh Debian as an image, imported once; its name."""
    name = f"{BASE}:{tar.stem}"
    if not client.images.list(name=name):
        say(f"importing {tar.name} as {name}")
        client.api.import_image_from_file(str(tar), repository=BASE, tag=tar.stem)
    return name


def labels(name: str) -> dict[str, str]:
    """The labels that the Open Containers initiative has names for."""
    made = datetime.fromtimestamp(source_date(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "org.opencontainers.image.title": f"joyride/{name}",
        "org.opencontainers.image.version": project_version(),
        "org.opencontainers.image.created": made,
        "org.opencontainers.image.licenses": "BSD-3-Clause AND LGPL-2.1-or-later",
    }


def _context(name: str, debs: Path, to: Path) -> None:
    """The Dockerfile's folder with the packages that it installs."""
    shutil.copytree(FILES / name, to)
    (to / "debs").mkdir()
    for package in IMAGES[name]:
        found = list(debs.glob(f"{package}_*.deb"))
        if len(found) != 1:
            raise PackagingError(f"{debs} has not one {package}_*.deb: `nox -s deb` makes it")
        shutil.copy2(found[0], to / "debs")


def build_one(client: docker.DockerClient, name: str, debs: Path, arguments: dict[str, str]) -> str:
    """Build one image with the engine's cache; its name with the version. Raises PackagingError."""
    tag = f"joyride/{name}:{project_version()}"
    began = time.monotonic()
    tail: list[str] = []
    with tempfile.TemporaryDirectory(prefix="joyride-image") as folder:
        context = Path(folder) / name
        _context(name, debs, context)
        steps = client.api.build(
            path=str(context), tag=tag, rm=True, forcerm=True, decode=True, network_mode="host", buildargs=arguments,
            labels=labels(name),
        )  # fmt: skip
        for step in steps:
            text = str(step.get("stream", "")).strip()
            tail = [*tail[-20:], *text.splitlines()]
            if text.startswith("Step "):
                say(f"  {name}: {text.splitlines()[0][:100]}")
            if "error" in step:
                raise PackagingError(f"building {tag}: {step['error']}\n  " + "\n  ".join(tail))
    image = client.images.get(tag)
    image.tag(f"joyride/{name}", "latest")
    say(f"{tag}: {int(image.attrs['Size']) / 1e6:.0f} MB, {time.monotonic() - began:.0f} s")
    return tag


def build(debs: Path, out: Path, *, save: bool = False) -> list[str]:
    """Build all images; with `save`, also write them to `out` for `docker load`. Their names. Raises PackagingError."""
    tar = base.make_tar(out.parent / "base")
    with any_engine(out.parent / "docker") as client:
        arguments = {"BASE": import_base(client, tar), "VERSION": project_version()}
        tags = [build_one(client, name, debs.resolve(), arguments) for name in IMAGES]
        for tag in tags if save else []:
            out.mkdir(parents=True, exist_ok=True)
            target = out / f"{tag.replace('/', '-').replace(':', '_')}.tar"
            with target.open("wb") as file:
                for chunk in client.images.get(tag).save(named=True):
                    file.write(chunk)
            run(["xz", "-T0", "-3", "-f", target], what=f"saving {target.name}.xz")
    return tags
