# SPDX-License-Identifier: BSD-3-Clause
"""The runner of real programs (`nox -s apps`): its catalogue is whole, and it notices what it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from apps import __main__ as command
from apps import document
from apps.base import APPS, App, Workload
from apps.runner import Outcome, Row, carried_wrong, play_app

REPO = Path(__file__).resolve().parents[2]


def row(stock: Outcome, ours: Outcome, **known: str) -> Row:
    """A row as after a run."""
    workload = Workload("x", "title", "serves", lambda _: {}, "tcp", 2, 5, known)
    return Row(workload, {"stock": stock, "joyride": ours})


def test_what_is_wrong_is_told() -> None:
    good = Outcome({"code": 0}, counted={"tcp": 2, "pairs": 0, "udp": 0})
    other = Outcome({"code": 1}, counted={"tcp": 2, "pairs": 0, "udp": 0})
    assert row(Outcome({"code": 0}), good).complaints() == []
    assert "code: stock 0, Joyride 1" in row(Outcome({"code": 0}), other).complaints()
    assert row(Outcome({"code": 0}), other, code="#a-heading").complaints() == []
    assert row(Outcome(error="it failed"), good).complaints() == ["stock: it failed"]
    assert "counted 1 (tcp)" in row(Outcome({}), Outcome({}, counted={"tcp": 1})).complaints()[0]


def test_static_programs_must_not_be_carried() -> None:
    workload = Workload("x", "title", "serves", lambda _: {}, "nothing", 1, 5)
    assert carried_wrong(workload, {"tcp": 0, "pairs": 0, "udp": 0}) == []
    assert carried_wrong(workload, {"tcp": 1, "pairs": 0, "udp": 0}) != []


def test_the_catalogue_is_whole() -> None:
    """Every package is in conanfile.py, every known difference has its heading."""
    headings = re.findall(r"^#+ (.*)$", (REPO / "docs/compatibility.md").read_text(), re.MULTILINE)
    packages = (REPO / "conanfile.py").read_text()
    for app in command.load().values():
        assert app.workloads, app.name
        assert [p for p in app.packages if f'"{p}"' not in packages] == [], app.name
        for workload in app.workloads:
            assert set(workload.known.values()) <= set(headings), workload


def test_loopback_has_everything_once() -> None:
    for app in command.load().values():
        looped = app.looped()
        assert {w.play for w in looped} == {w.play for w in app.workloads if not w.apart}
        assert len({w.play for w in looped}) == len(looped)
        assert {(w.way, w.carries) for w in looped} <= {("loopback", c) for c in ("tcp", "udp", "some", "nothing")}


def test_a_run_writes_its_own_part_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "PATH", tmp_path / "page.md")
    monkeypatch.setitem(APPS, "x", None)  # so that it is out again at the end
    apps = {"x": App("x", packages=["libc6"], needs=[])}
    good, bad = Outcome({"a": 1}, counted={"tcp": 2}), Outcome({"a": 2}, counted={"tcp": 3})
    document.update(False, [row(good, good), row(good, bad)], apps)
    document.update(True, [row(good, bad, a="A heading")], apps)
    one, two = (document.part(document.PATH.read_text(), h) for h in document.HEADINGS.values())
    assert "1 of 2 the same" in one
    assert "| title | serves, serves | 5 tcp | a: stock 1, Joyride 2 |" in one
    assert "[a](compatibility.md#a-heading)" in two
    document.update(False, [row(good, good)], apps)
    assert document.part(document.PATH.read_text(), document.HEADINGS[True]) == two
    assert "1 of 1 the same" in document.PATH.read_text()


def test_an_unknown_program_is_an_error() -> None:
    with pytest.raises(SystemExit, match="no such program: nonesuch"):
        command.select(command.load(), ["nonesuch"], [], "")


def test_a_program_runs_on_both(tmp_path: Path) -> None:
    app = command.load()["curl"]
    wanted = [w for w in app.workloads if w.title.startswith("refused")]
    (done,) = play_app(app, wanted, ("stock", "joyride"), tmp_path, lambda *_: None)
    assert done.complaints() == []
    assert done.outcomes["joyride"].counted["tcp"] > 0
