# SPDX-License-Identifier: BSD-3-Clause
"""What each emit makes, compared with the files in golden/. `pytest tests/codegen --update-golden` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jrgen import abi, calls, fsm
from jrgen.source import SpecDir
from jrgen_support import HERE, REAL, SMALL, generate, jrgen

GOLDEN = HERE / "golden"
EMITS = ["counters", "sysctl", "fsm", "abi", "dispatch", "stubs", "docs"]


def compare(folder: Path, made: dict[str, str], update: bool) -> None:
    """Markdown is kept as .md.txt: its links hold where it is made, not here."""
    files = {name + ".txt" if name.endswith(".md") else name: text for name, text in made.items()}
    if update:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    kept = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert kept == set(files)
    for name, text in files.items():
        assert text == (folder / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("emit", EMITS)
def test_small_spec(emit: str, tmp_path: Path, update_golden: bool) -> None:
    compare(GOLDEN / emit, generate(emit, SMALL, tmp_path), update_golden)


def test_all_is_every_emit(tmp_path: Path) -> None:
    single: dict[str, str] = {}
    for emit in EMITS:
        single |= generate(emit, SMALL, tmp_path / emit)
    assert generate("all", SMALL, tmp_path / "all") == single


def test_real_layout(update_golden: bool) -> None:
    """A change of the shared layout is seen in review: it cuts off every libc built before it."""
    compare(GOLDEN / "real-layout", {"jr_abi.txt": abi.load(SpecDir(REAL)).canonical()}, update_golden)


def test_real_calls(update_golden: bool) -> None:
    lines = [
        f"{c.name}: {c.stub.kind}, {c.route_text}{', cancellation point' if c.cancel else ''}"
        for c in calls.load(SpecDir(REAL))
    ]
    compare(GOLDEN / "real-calls", {"calls.txt": "\n".join(lines) + "\n"}, update_golden)


def test_real_state_numbers() -> None:
    """The numbers are FreeBSD's (tcp_fsm.h), and part of what a recovery record holds."""
    names = (
        "CLOSED LISTEN SYN_SENT SYN_RECEIVED ESTABLISHED CLOSE_WAIT FIN_WAIT_1 CLOSING LAST_ACK FIN_WAIT_2 TIME_WAIT"
    )
    assert " ".join(s.name for s in fsm.load(SpecDir(REAL)).states) == names


@pytest.mark.parametrize("spec", [SMALL, REAL], ids=["small", "real"])
def test_output_depends_on_the_spec_only(spec: Path, tmp_path: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        assert jrgen("all", spec, out, PYTHONHASHSEED=seed, LC_ALL="C", TZ=f"UTC{seed}").returncode == 0
        texts.append({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()})
    assert texts[0] == texts[1]
    assert not any(str(tmp_path).encode() in text or b"/home" in text for text in texts[0].values())


def test_unchanged_files_keep_their_time(tmp_path: Path) -> None:
    generate("all", SMALL, tmp_path)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    for path in files:
        os.utime(path, (1, 1))
    changed = tmp_path / "jr_abi.h"
    changed.write_text("something else", encoding="utf-8")
    generate("all", SMALL, tmp_path)
    assert [p for p in files if p.stat().st_mtime != 1] == [changed]
    assert changed.read_text(encoding="utf-8") != "something else"
