# SPDX-License-Identifier: BSD-3-Clause
"""Configures glibc as Debian does and builds libc.so and ld.so, or all of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ci.libc import overlay
from ci.libc.report import BuildError, Progress, say
from ci.libc.source import Release, fetch, installed_release, unpack

MACHINE = "x86_64"
HOST = "x86_64-linux-gnu"
# debian/rules and debian/sysdeps/amd64.mk of the glibc package: the ABI and the default paths hang on these.
CONFIGPARMS = """\
BUILD_CC = {cc}
CFLAGS = {cflags}
ASFLAGS = {cflags}
BUILD_CFLAGS = -O2 -g
LDFLAGS =
BASH := /bin/bash
KSH := /bin/bash
SHELL := /bin/bash
LIBGD = no
bindir = /usr/bin
datadir = /usr/share
complocaledir = /usr/lib/locale
sysconfdir = /etc
libexecdir = /usr/lib
rootsbindir = /sbin
includedir = /usr/include
docdir = /usr/share/doc
mandir = /usr/share/man
sbindir = /usr/sbin
vardbdir = /var/lib/misc
libdir = /usr/lib/{host}
slibdir = /lib/{host}
rtlddir = /lib64
"""
# The releases that Joyride is made for, with what Debian gives configure besides what it gives for all
# (debian/rules.d/build.mk): what is missing here changes the ABI or the hardening.
RELEASES = {
    "2.36": ["--enable-kernel=3.2"],
    "2.41": ["--enable-bind-now", "--enable-fortify-source"],
}
TARGET_LINE = re.compile(r" -o (\S+\.(?:o|os|oS|so|op))(?:\s|$)")
ERROR_LINE = re.compile(r": (?:fatal )?error: |undefined reference to|multiple definition of|^make.*\*\*\*")


@dataclass(frozen=True)
class Tree:
    """The folders of one build: `src` (glibc with Joyride in it), `obj`, `gen` (generated files)."""

    base: Path

    @property
    def src(self) -> Path:
        """Glibc's source."""
        return self.base / "src"

    @property
    def obj(self) -> Path:
        """Glibc's build folder."""
        return self.base / "obj"

    @property
    def gen(self) -> Path:
        """What the generator made."""
        return self.base / "gen"

    @property
    def log(self) -> Path:
        """The last build's output."""
        return self.base / "build.log"

    @property
    def stamp(self) -> Path:
        """What the source tree was made from; the tree is made anew when that changes."""
        return self.base / "source.json"


@dataclass(frozen=True)
class Options:
    """What to build: see `python3 -m ci.libc build --help`."""

    builddir: Path
    version: str | None = None
    full: bool = False
    clean: bool = False
    stock: bool = False
    generated: Path | None = None
    client: Path | None = None
    jobs: int = 2


def compiler() -> str:
    """The compiler Debian builds glibc 2.36 with, else the default one. Raises BuildError if there is none."""
    for name in (f"{HOST}-gcc-12", f"{HOST}-gcc", "gcc"):
        if shutil.which(name):
            return name
    raise BuildError("no C compiler: apt-get install gcc libc6-dev")


def check_machine() -> None:
    """Raise BuildError on a machine that Joyride's libc is not made for."""
    machine = os.uname().machine
    if machine != MACHINE:
        raise BuildError(f"Joyride's libc is made for {MACHINE}, not {machine}: nothing was built")


def check_release(release: Release) -> None:
    """Raise BuildError for a release of glibc that nobody has looked at."""
    if release.upstream not in RELEASES:
        known = ", ".join(RELEASES)
        raise BuildError(
            f"Joyride is made for glibc {known}, not {release.upstream}: glibc-patches/README.md says how to add one"
        )


def check_tools() -> None:
    """Raise BuildError naming every missing program at once."""
    missing = [tool for tool in ("make", "bison", "gawk", "python3", "ld") if not shutil.which(tool)]
    if missing:
        raise BuildError(f"needed to build glibc: apt-get install {' '.join(missing)}".replace(" ld", " binutils"))


def environment(tree: Tree) -> dict[str, str]:
    """The environment of configure and make: nothing that changes flags, ccache relative to the build folder.

    ccache does not see a new header come before another of its name: it gets a name space per set of headers.
    """
    unwanted = {"CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "LD_LIBRARY_PATH", "MAKEFLAGS", "MFLAGS", "GCC_COLORS"}
    env = {key: value for key, value in os.environ.items() if key not in unwanted}
    headers = sorted(path.name for path in (tree.src / overlay.JOYRIDE).rglob("*.h"))
    space = hashlib.sha256(" ".join(headers).encode()).hexdigest()[:16]
    ccache = {"CCACHE_BASEDIR": str(tree.base), "CCACHE_NOHASHDIR": "1", "CCACHE_NAMESPACE": f"joyride-{space}"}
    return env | ccache | {"LC_ALL": "C", "TZ": "UTC"}


def prepare_source(tree: Tree, options: Options) -> Release:
    """Make `tree.src` hold the wanted glibc with Joyride in it (without, for --stock)."""
    wanted = Release(options.version) if options.version else installed_release()
    if not options.stock:
        check_release(wanted)
    patches = [] if options.stock else overlay.series(wanted.upstream)
    recipe = {"wanted": wanted.version, "patches": {path.name: path.read_text() for path in patches}}
    old = json.loads(tree.stamp.read_text()) if tree.stamp.is_file() else {}
    if not tree.src.is_dir() or any(old.get(key) != value for key, value in recipe.items()):
        release, deb = fetch(wanted)
        tree.stamp.unlink(missing_ok=True)
        shutil.rmtree(tree.obj, ignore_errors=True)
        unpack(deb, release, tree.src)
        if not options.stock:
            overlay.apply_series(release.upstream, tree.src)
        tree.stamp.write_text(json.dumps(recipe | {"version": release.version}, indent=1) + "\n")
    release = Release(json.loads(tree.stamp.read_text())["version"])
    if options.stock:
        return release
    generated = options.generated
    if generated is None:
        overlay.generate(tree.gen)
        generated = tree.gen
    changes = overlay.sync(tree.src, tree.obj, overlay.wanted_files(generated, options.client))
    if changes:
        say(f"overlay: {len(changes.added)} added, {len(changes.changed)} changed, {len(changes.removed)} removed")
    return release


def configure(tree: Tree, release: Release) -> None:
    """Run configure exactly as Debian's rules do; nothing to do if it has run."""
    if (tree.obj / "config.status").is_file():
        return
    tree.obj.mkdir(parents=True, exist_ok=True)
    cc = compiler()
    # ccache calls the folder of the objects ../../obj
    cflags = f"-pipe -O2 -g -fdebug-prefix-map={tree.base}=. -fdebug-prefix-map=../../obj=./obj"
    (tree.obj / "configparms").write_text(CONFIGPARMS.format(cc=cc, cflags=cflags, host=HOST))
    launcher = "ccache " if shutil.which("ccache") else ""
    argv = [
        "nice",
        "-n",
        "10",
        str(tree.src / "configure"),
        f"CC={launcher}{cc} -Wl,--hash-style=both",
        "CXX=:",
        "AUTOCONF=false",
        "MAKEINFO=:",
        f"--host={HOST}",
        f"--build={HOST}",
        "--prefix=/usr",
        "--without-selinux",
        "--disable-crypt",
        "--enable-stackguard-randomization",
        "--enable-stack-protector=strong",
        f"--with-pkgversion=Debian GLIBC {release.version}",
        "--with-bugurl=http://www.debian.org/Bugs/",
        *RELEASES.get(release.upstream, []),
        "--enable-multi-arch",
    ]
    say("configuring as Debian does")
    done = subprocess.run(argv, cwd=tree.obj, env=environment(tree), capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(tree.obj)
        raise BuildError("configure failed:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-15:]))


def run_make(tree: Tree, what: str, goals: list[str], jobs: int) -> None:
    """Run make with progress and a log. Raises BuildError with the compiler's own messages."""
    counts_file = tree.base / "targets.json"
    counts: dict[str, int] = json.loads(counts_file.read_text()) if counts_file.is_file() else {}
    argv = ["nice", "-n", "10", "make", "-r", f"-j{jobs}", "-C", str(tree.src), f"objdir={tree.obj}", *goals]
    progress = Progress(what, counts.get(what, 0))
    errors: list[str] = []
    tail: list[str] = []
    with (
        tree.log.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            argv,
            env=environment(tree),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as make,
    ):
        assert make.stdout is not None
        for line in make.stdout:
            log.write(line)
            tail = [*tail[-11:], line.rstrip()[:300]]
            if ERROR_LINE.search(line):
                errors.append(line.rstrip()[:300])
            target = TARGET_LINE.search(line)
            if target:
                progress.step(target.group(1).removeprefix(f"{tree.obj}/"))
    progress.done()
    if make.returncode:
        raise BuildError("make failed:\n  " + "\n  ".join(errors[:20] or tail) + f"\nthe whole output is in {tree.log}")
    counts[what] = max(counts.get(what, 0), progress.count)
    counts_file.write_text(json.dumps(counts) + "\n")


def build(options: Options) -> Tree:
    """Build into `options.builddir` and return its folders. Raises BuildError."""
    check_machine()
    check_tools()
    tree = Tree(options.builddir.resolve())
    if options.clean:
        shutil.rmtree(tree.obj, ignore_errors=True)
    tree.base.mkdir(parents=True, exist_ok=True)
    release = prepare_source(tree, options)
    configure(tree, release)
    if options.full:
        run_make(tree, "all of glibc", ["all"], options.jobs)
    else:
        run_make(
            tree,
            "libc.so and ld.so",
            ["object-suffixes=.os", "object-suffixes-noshared=", str(tree.obj / "libc.so")],
            options.jobs,
        )
    for name in ("libc.so", "elf/ld.so"):
        if not (tree.obj / name).is_file():
            raise BuildError(f"make ended without {name}; try --clean")
    return tree
