# SPDX-License-Identifier: BSD-3-Clause
"""Puts Joyride's files into a glibc source tree, touching only what changed so that a rebuild stays short."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ci.libc.report import BuildError, say

REPO = Path(__file__).resolve().parents[2]
PATCHES = REPO / "glibc-patches"
JOYRIDE = Path("sysdeps/joyride")
CLIENT_PREFIX = ("jr-", "jr_")


@dataclass
class Changes:
    """What `sync` did: paths inside the source tree."""

    added: list[Path] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def series(upstream: str) -> list[Path]:
    """The patches for one glibc release, in order; usually none."""
    return sorted((PATCHES / "series" / upstream).glob("*.patch"))


def apply_series(upstream: str, tree: Path) -> None:
    """Apply the release's patches. Raises BuildError naming the first that does not apply."""
    for patch in series(upstream):
        if not shutil.which("patch"):
            raise BuildError("needed to apply glibc-patches/series: apt-get install patch")
        say(f"applying {patch.relative_to(REPO)}")
        done = subprocess.run(
            ["patch", "-p1", "--batch", "-F0", "-i", patch], cwd=tree, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BuildError(f"{patch.name} does not apply:\n{done.stdout.strip()}")


def generate(out: Path) -> None:
    """Run the code generator for the stubs and the shared header into `out`.

    Raises BuildError with the generator's own messages if the specs have problems.
    """
    for emit in ("stubs", "abi"):
        folder = out / emit
        folder.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "jrgen", emit, "--spec", str(REPO / "codegen/spec"), "--out", str(folder)]
        done = subprocess.run(argv, cwd=REPO / "codegen", capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"the generator failed ({emit}):\n{done.stderr.strip()}")


def _client_name(path: Path) -> str:
    """A client file's name in sysdeps/joyride: .c files get a prefix, as glibc has a connect.c of its own."""
    if path.suffix == ".c" and not path.name.startswith(CLIENT_PREFIX):
        return CLIENT_PREFIX[0] + path.name
    return path.name


def wanted_files(generated: Path | None, client: Path | None = None) -> dict[Path, Path]:
    """Every file the tree must have, by its path in the tree; an overlay file wins over a generated one.

    `generated` is the generator's output or None for none; `client` replaces the client's folder.
    """
    files: dict[Path, Path] = {}
    if generated:
        files |= {
            JOYRIDE / path.name: path for path in sorted(generated.rglob("*")) if path.suffix in {".c", ".h", ".mk"}
        }
    for path in sorted((client or PATCHES / "client").glob("*.[ch]")):
        if not path.name.endswith("_test.c"):
            files[JOYRIDE / _client_name(path)] = path
    overlay = PATCHES / "overlay"
    files |= {path.relative_to(overlay): path for path in sorted(overlay.rglob("*")) if path.is_file()}
    return files


def compare(tree: Path, files: dict[Path, Path]) -> Changes:
    """What is to be done so that the tree holds exactly `files` besides glibc's own."""
    changes = Changes()
    for name, origin in files.items():
        target = tree / name
        if not target.exists():
            changes.added.append(name)
        elif target.read_bytes() != origin.read_bytes():
            changes.changed.append(name)
    for path in sorted((tree / JOYRIDE).rglob("*")):
        name = path.relative_to(tree)
        if path.is_file() and name not in files:
            changes.removed.append(name)
    return changes


def sync(tree: Path, objdir: Path, files: dict[Path, Path]) -> Changes:
    """Make the tree hold `files`, leaving equal ones untouched, and drop the objects that are stale then.

    The objects go first: if this is interrupted, the next run finds the same changes again.
    """
    changes = compare(tree, files)
    forget_objects(objdir, changes)
    for name in changes.added + changes.changed:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(files[name].read_bytes())
    for name in changes.removed:
        (tree / name).unlink()
    return changes


def _users_of(objdir: Path, headers: set[str]) -> list[Path]:
    """The dependency files of objects that include a header of one of these names."""
    found = []
    for note in objdir.glob("*/*.o*.d"):
        words = note.read_text(errors="replace").split() if note.is_file() else []
        if any(word.rsplit("/", 1)[-1] in headers for word in words):
            found.append(note)
    return found


def forget_objects(objdir: Path, changes: Changes) -> None:
    """Drop what make can't see is stale.

    `read.c` may come from another folder now, while its old object depends on the old file; the same goes for a header.
    glibc keeps a list of the system calls that have no file, and archives keep members that are gone.
    """
    moved = changes.added + changes.removed
    if not moved or not objdir.is_dir():
        return
    for name in ("sysd-syscalls", "sysd-sorted"):
        (objdir / name).unlink(missing_ok=True)
    stale = list(objdir.glob("libc_pic.*"))
    for path in moved:
        if path.suffix in {".c", ".S"}:
            for prefix in ("", "rtld-"):
                stale += objdir.glob(f"*/{prefix}{path.stem}.o*")
    headers = {path.name for path in moved if path.suffix == ".h"}
    stale += [note.with_suffix("") for note in _users_of(objdir, headers)]
    for path in stale:
        path.unlink(missing_ok=True)
