# SPDX-License-Identifier: BSD-3-Clause
"""The RPM packages: the same stage as the Debian ones, cut by packaging/rpm/joyride.spec."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from ci.packages import sbom
from ci.packages.deb import TOOLS, next_release
from ci.packages.run import need, run, say
from ci.packages.stage import Stage
from ci.packages.version import MAINTAINER, REPO, source_date

FILES = REPO / "packaging/rpm"
# Debian's rpm has no build host to name and no paths of Fedora's.
MACROS = {
    "_mandir": "/usr/share/man",
    "_datadir": "/usr/share",
    "_buildhost": "joyride",
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "_build_id_links": "none",
    "_binary_payload": "w9.xzdio",
    "__brp_mangle_shebangs": "%{nil}",
}


def macros(stage: Stage, work: Path, release: str) -> dict[str, str]:
    """What the spec refers to."""
    glibc = stage.info["glibc"]
    date = datetime.fromtimestamp(source_date(), UTC)
    return {
        **MACROS,
        "_topdir": str(work),
        "_dbpath": str(work / "db"),
        "_version": stage.info["version"],
        "_release": release,
        "_glibc": glibc.split("-", 1)[0],
        "_next_glibc": next_release(glibc),
        "_stage": str(stage.base),
        "_source": str(REPO),
        "_boms": str(work / "boms"),
        "_maintainer": MAINTAINER,
        "_changelog_date": date.strftime("%a %b %d %Y"),
    }


def build(stage: Stage, out: Path, *, release: str = "1") -> list[Path]:
    """Make all packages in `out`, which is made anew; their paths. Raises PackagingError."""
    need("rpmbuild", "find-debuginfo", "eu-strip", packages="rpm debugedit elfutils")
    work = out.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for package in sbom.CONTENT:
        sbom.write(stage, package, work / f"boms/{package}.cdx.json")
    known = macros(stage, work, release)
    defines = [word for name, value in known.items() for word in ("--define", f"{name} {value}")]
    env = {**TOOLS, "SOURCE_DATE_EPOCH": stage.info["date"], "TZ": "UTC", "HOME": str(work)}
    argv: list[str | Path] = ["rpmbuild", "-bb", "--nodeps", "--target", "x86_64", *defines, FILES / "joyride.spec"]
    run(argv, env=env, log=work / "build.log", what=f"making the RPM packages {known['_version']}-{release}")
    found = sorted((work / "RPMS/x86_64").glob("*.rpm"))
    for path in found:
        path.rename(work / path.name)
    for folder in ("BUILD", "BUILDROOT", "RPMS", "SOURCES", "SPECS", "SRPMS", "db", "boms"):
        shutil.rmtree(work / folder, ignore_errors=True)
    made = [work / path.name for path in found]
    for path in made:
        size = int(run(["rpm", "-qp", "--dbpath", work / "db", "--qf", "%{SIZE}", path], env=TOOLS).split()[-1])
        say(f"  {path.name}: {path.stat().st_size / 1e3:.0f} kB, installed {size / 1e3:.0f} kB")
    shutil.rmtree(work / "db", ignore_errors=True)
    return made


def lint(out: Path) -> None:
    """Run rpmlint over what `build` made. Raises PackagingError with its complaints, if there are any."""
    need("rpmlint", packages="rpmlint")
    rpms = [path for path in sorted(out.resolve().glob("*.rpm")) if "-debuginfo-" not in path.name]
    run(["rpmlint", "--strict", "--config", FILES / "rpmlint.toml", *rpms], env=TOOLS, what="rpmlint")
