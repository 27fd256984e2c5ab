# SPDX-License-Identifier: BSD-3-Clause
"""Debian's own glibc source, in the version of the libc6 that is installed (or the nearest the archive has)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ci.libc.report import BuildError, say

PACKAGE = "glibc-source"


@dataclass(frozen=True)
class Release:
    """One Debian version of glibc: the whole version ("2.36-9+deb12u14") and the release in it ("2.36")."""

    version: str

    @property
    def upstream(self) -> str:
        """The glibc release: what stands before Debian's revision."""
        return self.version.split("-", 1)[0].split(":")[-1]


def cache_dir() -> Path:
    """Where downloads are kept: $XDG_CACHE_HOME/joyride/glibc, ~/.cache/joyride/glibc by default."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "joyride" / "glibc"


def _output(*argv: str) -> str:
    """The standard output of a command, or "" if it can't run or fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def installed_release() -> Release:
    """The version of the libc6 that this machine runs.

    Raises BuildError where dpkg knows no libc6.
    """
    version = _output("dpkg-query", "-W", "-f=${Version}", "libc6:amd64").strip()
    if not version:
        raise BuildError(
            "dpkg knows no libc6:amd64 here; give a version with --libc-version (for example 2.36-9+deb12u14)"
        )
    return Release(version)


def _cached(release: Release) -> Path | None:
    """The cached package of `release`, if it is there and undamaged.

    One that somebody put there by hand has no checksum yet: apt's lists have it, or it is taken with a message.
    """
    deb = cache_dir() / f"{PACKAGE}_{release.version.replace(':', '%3a')}_all.deb"
    note = deb.with_suffix(".sha256")
    if not deb.is_file():
        return None
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    if note.is_file():
        expected = note.read_text().strip()
    else:
        found = re.search(
            r"^SHA256: (\w+)$", _output("apt-cache", "show", f"{PACKAGE}={release.version}"), re.MULTILINE
        )
        expected = found.group(1) if found else digest
        if not found:
            say(f"{deb} is used as it is: apt knows no checksum for it")
    if digest == expected:
        return deb
    say(f"{deb} is damaged: downloading it again")
    return None


def _download(release: Release) -> Path | None:
    """Fetch the package with apt, which checks it against the signed archive; None if the archive has it not."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    say(f"downloading {PACKAGE} {release.version} (20 MB)")
    argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=", "download", f"{PACKAGE}={release.version}"]
    done = subprocess.run(argv, cwd=cache_dir(), capture_output=True, text=True, check=False)
    deb = cache_dir() / f"{PACKAGE}_{release.version.replace(':', '%3a')}_all.deb"
    if done.returncode != 0 or not deb.is_file():
        say("apt-get: " + (done.stderr.strip().splitlines() or ["no message"])[-1])
        return None
    deb.with_suffix(".sha256").write_text(hashlib.sha256(deb.read_bytes()).hexdigest() + "\n")
    return deb


def _installed(release: Release) -> Path | None:
    """The tar of the installed glibc-source, if it is of this version: what a package's build stands on, offline."""
    if _output("dpkg-query", "-W", "-f=${Version}", PACKAGE).strip() != release.version:
        return None
    tar = Path(f"/usr/src/glibc/glibc-{release.upstream}.tar.xz")
    return tar if tar.is_file() else None


def _known_versions() -> list[str]:
    """All versions of the source package that apt or the cache knows."""
    rows = _output("apt-cache", "madison", PACKAGE).splitlines()
    known = {row.split("|")[1].strip() for row in rows if row.count("|") >= 2}
    known |= {deb.name.split("_")[1].replace("%3a", ":") for deb in cache_dir().glob(f"{PACKAGE}_*_all.deb")}
    return sorted(known)


def _is_older(left: str, right: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False).returncode == 0


def nearest(wanted: Release, known: list[str]) -> Release | None:
    """The newest known version not newer than `wanted`, else the oldest newer one; same glibc release only."""
    best: str | None = None
    same = [version for version in known if Release(version).upstream == wanted.upstream]
    for version in same:
        if _is_older(wanted.version, version):
            continue
        if best is None or _is_older(best, version):
            best = version
    for version in same:
        if best is None or (_is_older(wanted.version, best) and _is_older(version, best)):
            best = version
    return Release(best) if best else None


def fetch(wanted: Release) -> tuple[Release, Path]:
    """The source package of `wanted`, or of the nearest version of the same glibc release, with a message.

    Returns the release found and the path of the .deb, or of the .tar.xz where the package is installed. Raises
    BuildError if there is none.
    """
    deb = _installed(wanted) or _cached(wanted) or _download(wanted)
    if deb:
        return wanted, deb
    other = nearest(wanted, [version for version in _known_versions() if version != wanted.version])
    if other:
        say(
            f"WARNING: no source for libc6 {wanted.version}; using the nearest, {other.version}: the exported symbols"
            f" are the same within glibc {wanted.upstream}, the distribution's fixes may differ"
        )
        deb = _cached(other) or _download(other)
        if deb:
            return other, deb
    raise BuildError(
        f"no {PACKAGE} for glibc {wanted.upstream} in apt's lists or in {cache_dir()}; "
        "run `apt-get update`, or put the .deb there"
    )


def unpack(found: Path, release: Release, to: Path) -> None:
    """Unpack the source tree (already patched by Debian) to the folder `to`, replacing what is there."""
    for tool in ("dpkg-deb", "tar", "xz"):
        if not shutil.which(tool):
            raise BuildError(f"{tool} is needed to unpack {found.name}")
    say(f"unpacking glibc {release.version}")
    work = to.with_name(to.name + ".unpack")
    for stale in (work, to):
        if stale.exists():
            shutil.rmtree(stale)
    work.mkdir(parents=True)
    tars = [found]
    if found.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", found, work], check=True)
        tars = list(work.glob("usr/src/glibc/glibc-*.tar.xz"))
    if len(tars) != 1 or not re.fullmatch(r"glibc-[0-9.]+\.tar\.xz", tars[0].name):
        raise BuildError(f"{found.name} does not hold usr/src/glibc/glibc-{release.upstream}.tar.xz")
    subprocess.run(["tar", "-xJf", tars[0], "-C", work], check=True)
    (work / tars[0].name.removesuffix(".tar.xz")).rename(to)
    shutil.rmtree(work)
