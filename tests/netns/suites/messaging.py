# SPDX-License-Identifier: BSD-3-Clause
"""Messaging libraries: ZeroMQ's tests and nng's, over TCP, IPC, UDP, WebSocket and within the process."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Parse, Suite, lines

ZMQ = """
cmake -B jr -DCMAKE_BUILD_TYPE=None -DBUILD_STATIC=OFF -DWITH_PERF_TOOL=OFF -DENABLE_CPACK=OFF -DWITH_DOCS=OFF .
make -s -C jr -j "$JOBS"
"""
NNG = """
cmake -B jr -DBUILD_SHARED_LIBS=OFF -DNNG_TESTS=ON -DNNG_TOOLS=OFF -DNNG_ENABLE_NNGCAT=OFF .
make -s -C jr -j "$JOBS"
"""


def named(name: str, parse: Parse) -> Parse:
    """The same, with the program's name before each test's."""

    def its(text: str, code: int) -> dict[str, str]:
        return {f"{name}: {test}": word for test, word in parse(text, code).items()}

    return its


def zmq(tree: Path) -> list[Job]:
    """A job for each program."""
    parse = lines(r"^\S+:\d+:(?P<test>\w+):(?P<word>PASS|FAIL|IGNORE)", {"PASS": "ok", "IGNORE": "skipped"})
    files = sorted(path.name for path in (tree / "jr/bin").glob("test_*"))
    return [Job(name, f"cd jr/bin && ./{name} 2>&1", 90, named(name, parse)) for name in files]


def nng(tree: Path) -> list[Job]:
    """A job for each program."""
    parse = lines(r"^Test (?P<test>\w+)\.\.\.\s*\[ (?P<word>OK|FAILED|SKIPPED) \]", {"OK": "ok", "SKIPPED": "skipped"})
    built = (path for path in (tree / "jr").rglob("*") if "CMake" not in str(path) and not path.suffix)
    files = sorted(path for path in built if path.is_file() and path.stat().st_mode & 0o111)
    return [
        Job(path.stem, f"cd {path.parent.relative_to(tree)} && ./{path.name} -v 2>&1", 90,
            named(path.stem, parse) if path.stem.endswith("_test") else None)
        for path in files
    ]  # fmt: skip


Suite("zeromq", zmq, source="zeromq3", build_deps=False, build=ZMQ, packages=("cmake", "g++", "libsodium-dev"))
Suite("nng", nng, source="nng", build_deps=False, build=NNG, packages=("cmake", "gcc"))
