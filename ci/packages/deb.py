# SPDX-License-Identifier: BSD-3-Clause
"""The Debian packages: a source package from the tree and packaging/deb, binaries from the stage."""

from __future__ import annotations

import io
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import textwrap
from pathlib import Path

from ci.packages.run import PackagingError, need, run, say
from ci.packages.stage import Stage
from ci.packages.version import MAINTAINER, REPO, project_version, rfc2822, source_date
from ci.tree import tracked

FILES = REPO / "packaging/deb"
TOOLS = {"PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}", "PYTHONPATH": "", "LC_ALL": "C.UTF-8"}
DRIVERS = ("bus-pci", "bus-vdev", "mempool-ring", "net-af-xdp", "net-memif", "net-ring", "net-tap")


def release_range(glibc: str) -> str:
    """The libc6 that a patched libc fits: its own release of glibc, at least its Debian version's base.

    The other libraries of glibc are the system's; what they share with libc.so.6 changes only between releases.
    """
    return f"libc6 (>= {glibc.split('-', 1)[0]}), libc6 (<< {next_release(glibc)}~)"


def next_release(glibc: str) -> str:
    """The release after the one of a Debian version: 2.37 for 2.36-9+deb12u14."""
    major, minor = glibc.split("-", 1)[0].split(".")[:2]
    return f"{major}.{int(minor) + 1}"


def dpdk_abi(service: Path) -> str:
    """DPDK's ABI number, from the soname that the service was linked with."""
    said = run(["objdump", "-p", service])
    found = re.search(r"NEEDED\s+librte_eal\.so\.(\d+)", said)
    if not found:
        raise PackagingError(f"{service} is not linked with librte_eal")
    return found.group(1)


def driver_packages(abi: str) -> list[str]:
    """Debian's packages of the drivers that DPDK opens at run time, so that no linker knows of them."""
    return [f"librte-{name}{'-' if name[-1].isdigit() else ''}{abi}" for name in DRIVERS]


def own_symbols(listed: str) -> str:
    """The part of libc6's symbols file that speaks of what joyride-libc has: the libc and its loader."""
    parts = re.split(r"^(?=[^ |*\n])", listed, flags=re.MULTILINE)
    return "".join(part for part in parts if part.startswith(("libc.so.6 ", "ld-linux-x86-64.so.2 ")))


def write_symbols(debian: Path, glibc: str) -> None:
    """What the distribution's libc6 exports, which ours has to export exactly: dpkg-gensymbols(1) compares."""
    said = run(["dpkg-query", "--control-path", "libc6:amd64", "symbols"]).strip()
    (debian / "libc6.symbols").write_text(own_symbols(Path(said).read_text()))
    (debian / "libc6.version").write_text(glibc)


def write_substvars(stage: Stage, debian: Path) -> None:
    """What control refers to as ${joyride:...}, and the symbols file."""
    glibc = stage.info["glibc"]
    (debian / "joyride-libc.substvars").write_text(
        f"joyride:Libc={release_range(glibc)}\njoyride:Built-Using=glibc (= {glibc})\n"
    )
    (debian / "joyride-libc-system.substvars").write_text(
        f"joyride:Libc={release_range(glibc)}\njoyride:Next-Libc=libc6 (>= {next_release(glibc)}~)\n"
    )
    write_symbols(debian, glibc)
    drivers = ", ".join(driver_packages(dpdk_abi(stage.root / "usr/sbin/joyride-netsvc")))
    (debian / "joyride-netsvc.substvars").write_text(f"joyride:Drivers={drivers}\n")


def changes() -> list[str]:
    """What CHANGELOG.md says about the newest release (or what is not released yet), one entry each."""
    text = (REPO / "CHANGELOG.md").read_text()
    section = re.search(r"^## [^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    entries = re.findall(r"^- (.*?)(?=^- |^#|\Z)", section.group(1) if section else "", re.MULTILINE | re.DOTALL)
    return [" ".join(entry.split()) for entry in entries]


def changelog(version: str) -> str:
    """debian/changelog: one entry, dated as the sources are."""
    lines = []
    for entry in changes() or ["See CHANGELOG.md."]:
        lines += textwrap.wrap(entry, 74, initial_indent="  * ", subsequent_indent="    ", break_long_words=False)
    said = "\n".join(lines)
    return f"joyride ({version}) unstable; urgency=medium\n\n{said}\n\n -- {MAINTAINER}  {rfc2822(source_date())}\n"


def _indented(text: str) -> str:
    return "\n".join(f" {line}" if line.strip() else " ." for line in text.strip().splitlines())


def debian_folder(to: Path, version: str) -> None:
    """Make debian/ from packaging/deb."""
    shutil.copytree(FILES, to, ignore=shutil.ignore_patterns("lintian.suppress"))
    for name in ("control", "copyright"):
        text = (to / name).read_text().replace("@MAINTAINER@", MAINTAINER)
        (to / name).write_text(text.replace("@BSD@", _indented((REPO / "LICENSES/BSD-3-Clause.txt").read_text())))
    (to / "changelog").write_text(changelog(version))


def _plain(info: tarfile.TarInfo, date: int) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mtime = date
    info.mode = 0o755 if info.mode & 0o100 else 0o644
    return info


def write_tar(to: Path, folder: Path, names: list[Path], top: str) -> None:
    """A tar.xz with `names` of `folder` under `top`/: the same files give the same bytes."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(names):
            info = _plain(tar.gettarinfo(folder / name, arcname=f"{top}/{name}"), source_date())
            with (folder / name).open("rb") as data:
                tar.addfile(info, data)
    to.write_bytes(lzma.compress(memory.getvalue(), preset=6))


def source_tree(work: Path, version: str) -> Path:
    """The tracked files and debian/ in `work`/joyride-<version>, the original tar beside it."""
    upstream = version.rsplit("-", 1)[0]
    names = [Path(f) for f in tracked()]
    tree = work / f"joyride-{upstream}"
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO / name, tree / name)
    write_tar(work / f"joyride_{upstream}.orig.tar.xz", REPO, names, tree.name)
    debian_folder(tree / "debian", version)
    return tree


def environment(stage: Stage) -> dict[str, str]:
    """What dpkg-buildpackage gets: the stage, the time, and a path with the system's tools first."""
    jobs = os.environ.get("JOYRIDE_JOBS", str(os.cpu_count() or 2))
    return {
        "JOYRIDE_STAGE": str(stage.base),
        "SOURCE_DATE_EPOCH": stage.info["date"],
        "DEB_BUILD_OPTIONS": f"parallel={jobs} nocheck",
        "PYTHONDONTWRITEBYTECODE": "1",
        **TOOLS,
        "TZ": "UTC",
    }


def build(stage: Stage, out: Path, *, revision: str = "1", source: bool = True) -> list[Path]:
    """Make all packages in `out`, which is made anew; the paths of the .deb files. Raises PackagingError."""
    need("dpkg-buildpackage", "dh", "dh_python3", packages="dpkg-dev debhelper dh-python")
    version = f"{project_version()}-{revision}"
    work = out.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tree = source_tree(work, version)
    kinds = ["--build=full"] if source else ["--build=binary"]
    run(["dpkg-buildpackage", "--no-sign", "-d", "--no-pre-clean", *kinds], cwd=tree, env=environment(stage),
        log=work / "build.log", what=f"making the Debian packages {version}")  # fmt: skip
    shutil.rmtree(tree)
    debs = sorted(work.glob("*.deb"))
    for deb in debs:
        installed = int(run(["dpkg-deb", "-f", deb, "Installed-Size"]).strip() or 0)
        say(f"  {deb.name}: {deb.stat().st_size / 1e3:.0f} kB, installed {installed} kB")
    return debs


def lint(out: Path) -> None:
    """Run lintian over what `build` made. Raises PackagingError with its complaints, if there are any.

    packaging/deb/lintian.suppress names the tags that speak of an upload to Debian.
    """
    need("lintian", packages="lintian")
    suppressed = ",".join((FILES / "lintian.suppress").read_text().split())
    strict = ["--allow-root", "--fail-on", "error,warning", "--suppress-tags", suppressed]
    run(["lintian", *strict, *out.glob("*.changes")], env=TOOLS, what="lintian")


def versions_of(debs: list[Path]) -> dict[str, str]:
    """Name and version of each package."""
    found = {}
    for deb in debs:
        said = subprocess.run(
            ["dpkg-deb", "-W", "--showformat=${Package} ${Version}", deb], capture_output=True, text=True, check=True
        ).stdout.split()
        found[said[0]] = said[1]
    return found
