# SPDX-License-Identifier: BSD-3-Clause
"""The bills of materials and the licences in the packages: well formed, and true."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def read(debs: list[Path], package: str, name: str) -> str:
    """The text of a file in one of the packages."""
    found = next(path for path in debs if path.name.startswith(f"{package}_"))
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", found], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(tar)) as files:
        member = files.extractfile(f"./{name}")
        assert member is not None
        return member.read().decode()


def bom(debs: list[Path], package: str) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(read(debs, package, f"usr/share/doc/{package}/sbom.cdx.json"))
    return known


@pytest.mark.parametrize("package", ["joyride-libc", "joyride-netsvc"])
def test_is_cyclonedx(debs: list[Path], package: str) -> None:
    text = read(debs, package, f"usr/share/doc/{package}/sbom.cdx.json")
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"CycloneDX"', '"Cyclone"')) is not None


def test_the_service_names_what_it_is_linked_with(debs: list[Path]) -> None:
    """Every library package that the package depends on, and no other, with the version it was linked with."""
    found = next(path for path in debs if path.name.startswith("joyride-netsvc_"))
    said = subprocess.run(["dpkg-deb", "-f", found, "Depends"], capture_output=True, text=True, check=True).stdout
    depends = {re.split(r"[ (]", word.strip())[0] for word in said.split(",")}
    parts = {part["name"]: part for part in bom(debs, "joyride-netsvc")["components"]}
    linked = {name for name in depends if name.startswith("lib")}
    assert linked - {name for name in linked if name.startswith("librte-")} <= parts.keys()
    assert all(part["purl"].startswith(f"pkg:deb/debian/{name}@") for name, part in parts.items())


def test_the_libc_names_its_source(debs: list[Path]) -> None:
    info = json.loads(read(debs, "joyride-libc", "opt/joyride/libc-info.json"))
    (glibc,) = bom(debs, "joyride-libc")["components"]
    assert (glibc["name"], glibc["version"]) == ("glibc", info["glibc"])
    assert "SHA-256" in glibc["pedigree"]["notes"]


def test_glibcs_notices_are_in_the_package(debs: list[Path]) -> None:
    """What LICENSES of glibc's source says must go with the binary goes with it."""
    notices = read(debs, "joyride-libc", "opt/joyride/LICENSES")
    for holder in ("University of California", "Internet Software Consortium", "Sun Microsystems", "Henry Spencer"):
        assert holder in notices or holder.upper() in notices, holder
