# SPDX-License-Identifier: BSD-3-Clause
"""The command line: dependency files, missing specs, several problems at once."""

from __future__ import annotations

import shutil
from pathlib import Path

from jrgen_support import CODEGEN, SMALL, jrgen


def dependencies(depfile: Path) -> tuple[list[str], list[str]]:
    left, _, right = depfile.read_text(encoding="utf-8").replace("\\\n", " ").partition(": ")
    return left.split(), right.split()


def test_depfile_names_all_that_was_read(tmp_path: Path) -> None:
    spec = tmp_path / "spec"
    shutil.copytree(SMALL, spec)
    assert jrgen("counters", spec, tmp_path / "out", "--depfile", str(tmp_path / "x.d")).returncode == 0
    outputs, inputs = dependencies(tmp_path / "x.d")
    assert outputs == [str(tmp_path / "out" / n) for n in ("jr_counters.h", "jr_counters.c")]
    assert str(spec / "counters") in inputs  # the folder: a new file changes its time stamp
    assert {str(spec / "counters/eth.yaml"), str(spec / "counters/tcp.yaml")} < set(inputs)
    for name in ("jrgen/counters.py", "templates/jr_counters.h.j2", "spec/schema/counters.schema.json"):
        assert str(CODEGEN / name) in inputs
    assert str(spec / "abi.yaml") not in inputs


def test_missing_spec(tmp_path: Path) -> None:
    done = jrgen("abi", tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}/abi.yaml:1: no such spec file\n"
    assert not (tmp_path / "out").exists()


def test_every_problem_is_told_once_and_nothing_is_written(tmp_path: Path) -> None:
    spec = tmp_path / "spec"
    shutil.copytree(SMALL, spec)
    (spec / "counters/eth.yaml").write_text("counters:\n  - {name: Bad, help: x}\n  - {name: ok}\n", encoding="utf-8")
    fsm = spec / "tcp_fsm.yaml"
    fsm.write_text(fsm.read_text(encoding="utf-8") + "  - {from: CLOSED, to: NOWHERE, on: x}\n", encoding="utf-8")
    done = jrgen("all", spec, tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{spec}/counters/eth.yaml:2: 'Bad' is not of the form ^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
        f"{spec}/counters/eth.yaml:3: key 'help' is missing",
        f"{fsm}:{len(fsm.read_text(encoding='utf-8').splitlines())}: unknown state NOWHERE",
    ]
    assert not (tmp_path / "out").exists()
