# SPDX-License-Identifier: BSD-3-Clause
"""The build tool's own decisions: which source to take, what to copy, which objects to forget."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from ci.libc import overlay, source  # noqa: E402

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("wanted", "known", "found"),
    [
        ("2.36-9+deb12u14", ["2.36-9+deb12u10", "2.36-9+deb12u13", "2.41-12"], "2.36-9+deb12u13"),
        ("2.36-9+deb12u14", ["2.36-9+deb12u15", "2.36-9+deb12u16"], "2.36-9+deb12u15"),
        ("2.36-9+deb12u14", ["2.36-9", "2.36-9+deb12u15"], "2.36-9"),
        ("2.36-9+deb12u14", ["2.41-12", "2.31-13"], None),
        ("2.36-9+deb12u14", [], None),
    ],
)
def test_nearest_version_is_of_the_same_release(wanted: str, known: list[str], found: str | None) -> None:
    nearest = source.nearest(source.Release(wanted), known)
    assert (nearest.version if nearest else None) == found


def test_damaged_download_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    release = source.Release("2.36-9")
    folder = source.cache_dir()
    folder.mkdir(parents=True)
    deb = folder / "glibc-source_2.36-9_all.deb"
    deb.write_bytes(b"data")
    deb.with_suffix(".sha256").write_text("0" * 64)
    assert source._cached(release) is None
    deb.with_suffix(".sha256").write_text("3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7\n")
    assert source._cached(release) == deb


def test_client_files_do_not_clash_with_glibcs(tmp_path: Path) -> None:
    client, generated = tmp_path / "client", tmp_path / "gen/stubs"
    client.mkdir()
    generated.mkdir(parents=True)
    for path in (
        client / "connect.c",
        client / "jr_fds.c",
        client / "jr-x.h",
        client / "fd_test.c",
        generated / "connect.c",
    ):
        path.write_text("")
    files = overlay.wanted_files(tmp_path / "gen", client)
    assert files[overlay.JOYRIDE / "jr-connect.c"] == client / "connect.c"
    assert files[overlay.JOYRIDE / "connect.c"] == generated / "connect.c"
    assert files[overlay.JOYRIDE / "jr_fds.c"] == client / "jr_fds.c"
    assert overlay.JOYRIDE / "jr-fd_test.c" not in files
    assert Path("sysdeps/unix/sysv/linux/x86_64/64/Implies") in files


def test_sync_touches_only_what_changed(tmp_path: Path) -> None:
    tree, one, two = tmp_path / "src", tmp_path / "one.c", tmp_path / "two.h"
    one.write_text("1")
    two.write_text("2")
    files = {overlay.JOYRIDE / "one.c": one, overlay.JOYRIDE / "two.h": two}
    changes = overlay.sync(tree, tmp_path / "obj", files)
    assert (len(changes.added), len(changes.changed), len(changes.removed)) == (2, 0, 0)
    before = (tree / overlay.JOYRIDE / "two.h").stat().st_mtime_ns
    one.write_text("1b")
    changes = overlay.sync(tree, tmp_path / "obj", files)
    assert changes.changed == [overlay.JOYRIDE / "one.c"]
    assert not changes.added
    assert (tree / overlay.JOYRIDE / "two.h").stat().st_mtime_ns == before
    changes = overlay.sync(tree, tmp_path / "obj", {overlay.JOYRIDE / "two.h": two})
    assert changes.removed == [overlay.JOYRIDE / "one.c"]
    assert not (tree / overlay.JOYRIDE / "one.c").exists()


def test_objects_of_moved_sources_and_headers_are_forgotten(tmp_path: Path) -> None:
    obj = tmp_path / "obj"
    (obj / "io").mkdir(parents=True)
    for name in ("read.os", "rtld-read.os", "write.os", "poll.os"):
        (obj / "io" / name).write_text("")
        (obj / "io" / f"{name}.d").write_text(f"io/{name}: ../io/{name[:-2]}c ../include/other.h\n")
    (obj / "io/poll.os.d").write_text("io/poll.os: ../sysdeps/internal-x.h \\\n ../include/y.h\n")
    (obj / "io/tst-x.o.d").mkdir()  # glibc's tests leave folders of such names
    (obj / "sysd-syscalls").write_text("")
    (obj / "libc_pic.a").write_text("")
    overlay.forget_objects(obj, overlay.Changes(changed=[overlay.JOYRIDE / "write.c"]))
    assert (obj / "sysd-syscalls").exists()
    overlay.forget_objects(obj, overlay.Changes(added=[overlay.JOYRIDE / "read.c", overlay.JOYRIDE / "internal-x.h"]))
    assert sorted(path.name for path in obj.glob("*/*.os")) == ["write.os"]
    assert not (obj / "sysd-syscalls").exists()
    assert not (obj / "libc_pic.a").exists()
