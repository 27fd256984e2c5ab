# SPDX-License-Identifier: BSD-3-Clause
"""One installation of everything into a folder, from which all packages are cut.

Compiled so that the folders of this machine leave no trace: the same commit gives the same bytes wherever it is built.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ci.libc.build import check_machine, check_release
from ci.libc.report import BuildError
from ci.libc.source import installed_release
from ci.packages.run import PackagingError, need, run, say
from ci.packages.version import REPO, project_version, source_date

LIBC_PREFIX = Path("/opt/joyride")
HARDENING = "-O2 -g -fstack-protector-strong -Wformat -Werror=format-security -D_FORTIFY_SOURCE=2"


@dataclass(frozen=True)
class Stage:
    """The folders of one staged installation."""

    base: Path

    @property
    def root(self) -> Path:
        """The installation: usr/, etc/, opt/."""
        return self.base / "root"

    @property
    def meson(self) -> Path:
        """Meson's build folder."""
        return self.base / "meson"

    @property
    def libc(self) -> Path:
        """The build folder of the patched glibc."""
        return self.base / "libc"

    @property
    def info(self) -> dict[str, str]:
        """Version of Joyride, of glibc, and the time of the sources."""
        known: dict[str, str] = json.loads((self.base / "stage.json").read_text())
        return known


def path_maps(build: Path) -> list[str]:
    """The compiler's options with which no path of this machine gets into a file, nor how deep the build folder is."""
    maps = {
        f"{REPO}": "/usr/src/joyride",
        f"{build}": "/usr/src/joyride/build",
        f"{os.path.relpath(REPO, build)}/": "/usr/src/joyride/",
    }
    return [f"-ffile-prefix-map={old}={new}" for old, new in maps.items()]


def flags(build: Path) -> str:
    """The compiler's flags."""
    return " ".join([HARDENING, *path_maps(build)])


def _environment(stage: Stage) -> dict[str, str]:
    cflags = flags(stage.meson)
    return {
        "CFLAGS": cflags,
        "CPPFLAGS": "",
        "CXXFLAGS": cflags,
        "LDFLAGS": "-Wl,-z,relro -Wl,-z,now -Wl,--as-needed",
        "SOURCE_DATE_EPOCH": str(source_date()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "CCACHE_NOHASHDIR": "1",
    }


def _meson() -> str:
    beside = Path(sys.executable).with_name("meson")
    return str(beside) if beside.exists() else "meson"


def install_service(stage: Stage, jobs: int) -> None:
    """Configure, compile and install what meson builds."""
    options = [
        "--prefix=/usr", "--sysconfdir=/etc", "--sbindir=sbin", "--libexecdir=libexec", "--localstatedir=/var",
        "--buildtype=plain", "-Db_pie=true", "-Dextras=true", "-Dservice=enabled", "-Dclient=false",
        f"-Dbpf_flags={','.join(path_maps(stage.meson))}",
    ]  # fmt: skip
    env = _environment(stage)
    stamp = stage.meson / "joyride-flags"
    if not stamp.exists() or stamp.read_text() != env["CFLAGS"]:  # meson keeps those of its first time
        shutil.rmtree(stage.meson, ignore_errors=True)
    if not (stage.meson / "build.ninja").exists():
        run([_meson(), "setup", stage.meson, REPO, *options], env=env, what="configuring the service")
        stamp.write_text(env["CFLAGS"])
    else:
        run([_meson(), "configure", stage.meson, *options], env=env)
    run([_meson(), "compile", "-C", stage.meson, "-j", str(jobs)], env=env, what="compiling the service")
    run([_meson(), "install", "-C", stage.meson, "--no-rebuild", "--destdir", stage.root], env=env)


def install_libc(stage: Stage, jobs: int, libc_build: Path | None) -> None:
    """Build the patched glibc and install it, its symbols still in it."""
    argv: list[str | Path] = [
        sys.executable, "-m", "ci.libc", "install", "--builddir", libc_build or stage.libc, "--prefix", LIBC_PREFIX,
        "--destdir", stage.root, "--no-strip", "-j", str(jobs),
    ]  # fmt: skip
    run(argv, cwd=REPO, env={**_environment(stage), "PYTHONPATH": str(REPO)},
        what="building the patched libc (2 to 5 minutes; seconds when little changed)")  # fmt: skip


def make(base: Path, jobs: int, libc_build: Path | None = None) -> Stage:
    """Install everything anew into `base`/root; builds in `base` are reused. Raises PackagingError."""
    need("ninja", "clang", "gcc", packages="ninja-build clang gcc")
    try:  # before minutes are spent on the service
        check_machine()
        check_release(installed_release())
    except BuildError as err:
        raise PackagingError(str(err)) from err
    stage = Stage(base.resolve())
    shutil.rmtree(stage.root, ignore_errors=True)
    stage.root.mkdir(parents=True)
    install_service(stage, jobs)
    install_libc(stage, jobs, libc_build.resolve() if libc_build else None)
    glibc = json.loads((stage.root / "opt/joyride/libc-info.json").read_text())["glibc"]
    for path in [stage.root, *stage.root.rglob("*")]:  # a checkout's files are of any time
        os.utime(path, (source_date(), source_date()), follow_symlinks=False)
    known = {"version": project_version(), "glibc": glibc, "date": str(source_date())}
    (stage.base / "stage.json").write_text(json.dumps(known, indent=1) + "\n")
    size = sum(p.stat().st_size for p in stage.root.rglob("*") if p.is_file() and not p.is_symlink())
    say(f"staged {project_version()} with glibc {glibc}: {size / 1e6:.1f} MB with symbols, in {stage.root}")
    return stage


def default_jobs() -> int:
    """As many as there are CPUs."""
    return int(os.environ.get("JOYRIDE_JOBS", os.cpu_count() or 2))
