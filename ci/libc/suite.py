# SPDX-License-Identifier: BSD-3-Clause
"""Runs glibc's own tests and compares what fails with what fails on the unmodified build."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ci.libc.build import Tree, environment, run_make
from ci.libc.report import BuildError, say

SUBDIRS = ["socket", "io", "misc", "posix", "nptl", "resolv", "inet"]
RESULT = re.compile(r"^(PASS|FAIL|XFAIL|XPASS|UNSUPPORTED|ERROR): (\S+)", re.MULTILINE)
KNOWN = Path(__file__).with_name("known-failures.txt")


def known_failures() -> set[str]:
    """Names of the tests that fail on the unmodified build too."""
    lines = KNOWN.read_text().splitlines() if KNOWN.is_file() else []
    return {line.split("#", 1)[0].strip() for line in lines} - {""}


def _check(tree: Tree, subdir: str, jobs: int) -> dict[str, str]:
    """Run one subdir's tests; the result of each by its name. Raises BuildError if there is none."""
    argv = [
        "env",
        "--default-signal=INT",
        "nice",
        "-n10",
        "make",
        "-r",
        "-k",
        f"-j{jobs}",
        "-C",
        str(tree.src / subdir),
        f"subdir={subdir}",
        f"objdir={tree.obj}",
        "..=../",
        "check",
    ]
    with (tree.base / f"test-{subdir}.log").open("w", encoding="utf-8") as log:
        # glibc's tests count open files and send SIGINT: give them neither ours nor an ignored one.
        subprocess.run(
            argv,
            env=environment(tree),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            close_fds=True,
            start_new_session=True,
        )
    results: dict[str, str] = {}
    for path in sorted((tree.obj / subdir).glob("**/*.test-result")):
        found = RESULT.search(path.read_text(errors="replace"))
        if found:
            results[found.group(2)] = found.group(1)
    if not results:
        raise BuildError(f"the tests of {subdir} did not run: see {tree.base}/test-{subdir}.log")
    return results


def run_suite(tree: Tree, subdirs: list[str], jobs: int, *, record: bool) -> int:
    """Run the tests of `subdirs` and print one line each.

    Returns 0 if nothing fails that passes on the unmodified build. With `record`, the failures become the known ones.
    """
    run_make(tree, "the tests' root file system", [str(tree.obj / "testroot.pristine/install.stamp")], 1)
    known = known_failures()
    failed: set[str] = set()
    for subdir in subdirs:
        results = _check(tree, subdir, jobs)
        bad = {name for name, result in results.items() if result in {"FAIL", "ERROR", "XPASS"}}
        count = {kind: sum(r == kind for r in results.values()) for kind in ("PASS", "FAIL", "XFAIL", "UNSUPPORTED")}
        counts = ", ".join(f"{number} {kind.lower()}" for kind, number in count.items() if number)
        say(f"{subdir}: {counts}")
        for name in sorted(bad):
            say(f"  {'known' if name in known else 'NEW'}: {name}")
        failed |= bad
    if record:
        head = (
            "# Tests of glibc that fail on the unmodified build too; from `python3 -m ci.libc test --stock --record`.\n"
        )
        KNOWN.write_text(head + "".join(f"{name}\n" for name in sorted(failed)))
        return 0
    new = failed - known
    say(
        f"{len(new)} tests fail that pass on the unmodified glibc"
        if new
        else "nothing fails that passes on the unmodified glibc"
    )
    return 1 if new else 0
