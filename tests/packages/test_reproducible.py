# SPDX-License-Identifier: BSD-3-Clause
"""The same stage gives the same packages, byte by byte, wherever it is and whenever they are made."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import OUT

from ci.packages import deb
from ci.packages.stage import Stage


def test_debian_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a copy of the stage, in another folder, at another time: packages, symbols and source are as they were."""
    stage = OUT / "stage"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", json.loads((stage / "stage.json").read_text())["date"])
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    shutil.copytree(stage / "root", copy / "root", symlinks=True)
    shutil.copy2(stage / "stage.json", copy)
    deb.build(Stage(copy), tmp_path / "deeper/second")
    here, again = (
        {p.name: p.read_bytes() for p in folder.glob("joyride*") if p.suffix not in {".buildinfo", ".changes"}}
        for folder in (OUT / "deb", tmp_path / "deeper/second")
    )
    assert len(here) > 10
    assert here.keys() == again.keys()
    assert [name for name, content in here.items() if content != again[name]] == []


def test_no_path_of_this_machine() -> None:
    """Nothing that was compiled names the folder it was compiled in."""
    root = OUT / "stage/root"
    named = re.compile(b"(?<!/usr)" + re.escape(str(OUT.parent).encode()))  # "/src/joyride" is in "/usr/src/joyride"
    found = [path for path in root.rglob("*") if path.is_file() and named.search(path.read_bytes())]
    assert found == []
