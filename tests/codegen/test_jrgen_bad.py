# SPDX-License-Identifier: BSD-3-Clause
"""Specs that must be refused. The first line of bad/<kind>-<what>.yaml says on which line, and with what words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jrgen.__main__ import main
from jrgen_support import HERE, jrgen

KINDS = {
    "counters": ("counters", "counters/bad.yaml"),
    "sysctl": ("sysctl", "sysctl/bad.yaml"),
    "fsm": ("fsm", "tcp_fsm.yaml"),
    "abi": ("abi", "abi.yaml"),
    "calls": ("stubs", "calls/bad.yaml"),
}
BAD = sorted((HERE / "bad").glob("*.yaml"))


@pytest.mark.parametrize("bad", BAD, ids=lambda p: p.stem)
def test_refused_on_its_line(bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = bad.read_text(encoding="utf-8")
    expected = re.fullmatch(r"# (\d+): (.+)", text.splitlines()[0])
    assert expected, "the first line must be '# LINE: message'"
    emit, name = KINDS[bad.stem.partition("-")[0]]
    target = tmp_path / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
    assert main([emit, "--spec", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"{target}:{expected[1]}: "), lines[0]
    assert expected[2] in lines[0]


def test_there_are_bad_specs_of_every_kind() -> None:
    assert {p.stem.partition("-")[0] for p in BAD} == set(KINDS)


def test_missing_call(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls/required.txt").write_text("# these\nread\n", encoding="utf-8")
    done = jrgen("stubs", tmp_path, tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}/calls/required.txt:2: call read has no entry\n")


def test_name_used_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "counters").mkdir()
    for part in ("a", "b"):
        text = "counters:\n  - {name: rx_short, help: x}\n"
        (tmp_path / f"counters/{part}.yaml").write_text(text, encoding="utf-8")
    done = jrgen("counters", tmp_path, tmp_path / "out")
    assert done.stderr == f"{tmp_path}/counters/b.yaml:2: counter 'rx_short' is already in a.yaml:2\n"
