# SPDX-License-Identifier: BSD-3-Clause
"""Runs jrgen and the compiler as the build does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
CODEGEN = REPO / "codegen"
REAL = CODEGEN / "spec"
SMALL = HERE / "small"
CC = ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]


def jrgen(emit: str, spec: Path, out: Path, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one emit in a process of its own."""
    argv = [sys.executable, "-m", "jrgen", emit, "--spec", str(spec), "--out", str(out), *more]
    return subprocess.run(
        argv, env=os.environ | {"PYTHONPATH": str(CODEGEN)} | env, capture_output=True, text=True, check=False
    )


def generate(emit: str, spec: Path, out: Path) -> dict[str, str]:
    """Run an emit that must succeed; every file it made, by name."""
    done = jrgen(emit, spec, out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return {str(p.relative_to(out)): p.read_text(encoding="utf-8") for p in sorted(out.rglob("*")) if p.is_file()}


def compile_c(*args: str | Path) -> None:
    """Compile; warnings are errors."""
    done = subprocess.run([*CC, *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
