# SPDX-License-Identifier: BSD-3-Clause
"""A bill of materials in CycloneDX 1.5 JSON: what is in a package, from where, under which licence."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci.packages.run import PackagingError, run
from ci.packages.stage import Stage
from ci.packages.version import REPO

CONTENT = {
    "joyride-libc": ("LGPL-2.1-or-later", ["opt/joyride/ld.so", "opt/joyride/libc.so.6"]),
    "joyride-netsvc": ("BSD-3-Clause", ["usr/sbin/joyride-netsvc"]),
}


def _owner(library: str) -> dict[str, Any] | None:
    """The Debian package that has a shared library, as a component."""
    try:
        real = Path(library).resolve()
        said = run(["dpkg-query", "-S", f"*/{real.name}"])
        name = said.splitlines()[0].split(": ")[0].split(":")[0].split(",")[0]
        version, source = run(["dpkg-query", "-W", "-f=${Version} ${source:Package}\n", name]).splitlines()[0].split()
    except (PackagingError, IndexError, ValueError):
        return None
    return {
        "type": "library",
        "bom-ref": f"deb:{name}",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{name}@{version}?arch=amd64",
        "properties": [{"name": "debian:source", "value": source}],
    }


def _linked(binary: Path) -> list[dict[str, Any]]:
    """The packages of the libraries that the dynamic linker would load for a program."""
    rows = re.findall(r"=> (/\S+)", run(["ldd", binary]))
    owners = {o["name"]: o for o in map(_owner, sorted(rows)) if o}
    return [owners[name] for name in sorted(owners)]


def _glibc(version: str) -> dict[str, Any]:
    """The glibc that the libc is built from, with the overlay as its patch set."""
    overlay = sorted(p for p in (REPO / "glibc-patches").rglob("*") if p.is_file() and p.suffix in {".c", ".h", ".S"})
    digest = hashlib.sha256()
    for path in overlay:
        digest.update(path.read_bytes())
    return {
        "type": "library",
        "bom-ref": "deb:glibc-source",
        "name": "glibc",
        "version": version,
        "supplier": {"name": "Debian"},
        "licenses": [{"license": {"id": "LGPL-2.1-or-later"}}],
        "purl": f"pkg:deb/debian/glibc-source@{version}?arch=all",
        "pedigree": {"notes": f"built with the {len(overlay)} files of glibc-patches/, SHA-256 {digest.hexdigest()}"},
    }


def bom(stage: Stage, package: str) -> dict[str, Any]:
    """The bill of materials of one package. Raises PackagingError for a package that has none."""
    if package not in CONTENT:
        raise PackagingError(f"no bill of materials is made for {package}: choose from {', '.join(CONTENT)}")
    licence, names = CONTENT[package]
    info = stage.info
    date = datetime.fromtimestamp(int(info["date"]), UTC)
    parts = [_glibc(info["glibc"])] if package == "joyride-libc" else []
    if package == "joyride-netsvc":
        parts += _linked(stage.root / names[0])
    main = {
        "type": "application" if package == "joyride-netsvc" else "library",
        "bom-ref": package,
        "name": package,
        "version": info["version"],
        "licenses": [{"license": {"id": licence}}],
        "properties": [{"name": "file", "value": f"/{name}"} for name in names],
    }
    seed = json.dumps([main, parts], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, seed)}",
        "version": 1,
        "metadata": {"timestamp": date.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": main},
        "components": parts,
        "dependencies": [{"ref": package, "dependsOn": [part["bom-ref"] for part in parts]}],
    }


def write(stage: Stage, package: str, out: Path) -> None:
    """Write the bill of materials of one package."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(bom(stage, package), indent=1) + "\n")
