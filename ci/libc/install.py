# SPDX-License-Identifier: BSD-3-Clause
"""Puts ld.so and libc.so.6 side by side into one folder, which may be moved anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from ci.libc.build import Tree
from ci.libc.report import BuildError, say

PROBE = "/bin/true"


def _replace(source: Path, target: Path, debug: Path | None, *, strip: bool = True) -> None:
    """Write a stripped copy beside the target and rename it over: running programs keep the old file.

    The symbol table stays, for profilers and valgrind; the rest of the debug information goes to `debug`, if given.
    """
    fresh = target.with_name(target.name + ".new")
    subprocess.run(["strip", "--strip-debug", "-o", fresh, source] if strip else ["cp", source, fresh], check=True)
    if debug:
        subprocess.run(["objcopy", "--only-keep-debug", "--compress-debug-sections", source, debug], check=True)
        debug.chmod(0o644)
        subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", fresh], check=True)
    fresh.chmod(0o755)
    fresh.replace(target)


def install(tree: Tree, prefix: Path, destdir: Path | None, *, debug: bool, strip: bool = True) -> Path:
    """Install to `destdir` + `prefix` and try it; returns the folder.

    With `debug`, the symbols go to `.debug/` under it, by the names that gdb looks for; without `strip` they stay, for
    packages that split them off themselves. Raises BuildError if the loader can't run a program.
    """
    folder = Path(str(destdir) + str(prefix)) if destdir else prefix
    try:
        folder.mkdir(parents=True, exist_ok=True)
        notes = folder / ".debug"
        if debug:
            notes.mkdir(exist_ok=True)
        for built, name in ((tree.obj / "elf/ld.so", "ld.so"), (tree.obj / "libc.so", "libc.so.6")):
            _replace(built, folder / name, notes / f"{name}.debug" if debug else None, strip=strip)
    except PermissionError as err:
        raise BuildError(f"can't write to {folder}: {err.strerror}; run as root or give --destdir") from err
    recipe = json.loads(tree.stamp.read_text())
    (folder / "libc-info.json").write_text(json.dumps({"glibc": recipe["version"]}, indent=1) + "\n")
    shutil.copyfile(tree.src / "LICENSES", folder / "LICENSES")  # must go with the binaries, it says
    done = subprocess.run([folder / "ld.so", PROBE], capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise BuildError(f"{folder}/ld.so {PROBE} failed ({done.returncode}): {done.stderr.strip()}")
    say(f"installed {folder}/ld.so and {folder}/libc.so.6")
    return folder
