# SPDX-License-Identifier: BSD-3-Clause
"""The joyride command without a service: what it starts, what it says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from joyride import cli, elf, query, stat, table

pytestmark = pytest.mark.unit


def test_a_program_is_found_as_the_shell_finds_it() -> None:
    program = elf.find("true", ["a"])
    assert program.path.name == "true"
    assert (program.name, program.args) == ("true", ["a"])
    assert program.interp == "/lib64/ld-linux-x86-64.so.2"


def test_a_script_is_started_by_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/usr/bin/env -S sh -e\n")
    script.chmod(0o755)
    program = elf.find(str(script), ["x"])
    assert program.path == Path("/usr/bin/env")
    assert program.args == ["-S sh -e", str(script), "x"]


def test_a_script_of_a_script_is_followed(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("#!/bin/sh\n")
    outer.write_text(f"#!{inner}\n")
    for path in (inner, outer):
        path.chmod(0o755)
    program = elf.find(str(outer), [])
    assert program.path == Path("/bin/sh")
    assert program.args == [str(inner), str(outer)]


def test_a_static_program_has_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-o", tmp_path / "x", tmp_path / "x.c"], check=True)
    assert elf.find(str(tmp_path / "x"), []).interp is None


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello")
    path.chmod(0o755)
    with pytest.raises(ValueError, match="neither an ELF program nor a script"):
        elf.find(str(path), [])
    with pytest.raises(FileNotFoundError):
        elf.find("no-such-program-anywhere", [])


def test_run_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--libc", str(tmp_path), "true"]) == 127
    assert "install joyride-libc" in capsys.readouterr().err


def test_raw_mode_is_told_to_libc(tmp_path: Path) -> None:
    (tmp_path / "ld.so").write_text('#!/bin/sh\necho "raw=$JOYRIDE_RAW" "$@"\n')
    (tmp_path / "ld.so").chmod(0o755)
    for option in ([], ["--raw"]):
        argv = [sys.executable, "-m", "joyride", "run", "--libc", str(tmp_path), *option, "true"]
        env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("raw=1 --argv0 true" if option else "raw= --argv0 true")


def test_doctor_fails_on_a_bare_machine_and_gives_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--run-dir", str(tmp_path), "doctor", "--libc", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "FAILED   service" in said
    assert "→" in said


def answering(folder: Path, answer: bytes) -> threading.Thread:
    """A service that answers one connection."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(folder / "stats.sock"))
    server.listen()

    def serve() -> None:
        sock, _ = server.accept()
        sock.sendall(answer)
        sock.close()
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_stat_shows_counters_that_are_not_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = (
        b'{"counters": {"tcp_rx": 1234, "tcp_tx": 0, "ip_rx": 7}, "ports": [{"name": "a", "up": true}], "sockets": []}'
    )
    thread = answering(tmp_path, document)
    assert cli.main(["--run-dir", str(tmp_path), "stat", "tcp"]) == 0
    thread.join()
    said = capsys.readouterr().out
    assert "1,234" in said
    assert "tcp_tx" not in said
    assert "ip_rx" not in said


@pytest.mark.parametrize("answer", [b"", b"[1]", b'{"counters":'])
def test_a_strange_answer_is_no_crash(tmp_path: Path, answer: bytes) -> None:
    thread = answering(tmp_path, answer)
    with pytest.raises(query.ServiceAbsent):
        query.snapshot(tmp_path)
    thread.join()


def test_tables_align() -> None:
    assert table.render(["A", "Bee"], [["x", 1], ["yy", 1000]]) == "A     Bee\nx       1\nyy  1,000"
    assert table.size(1536) == "1.5 KiB"


def test_counters_are_numbers() -> None:
    assert stat.counters_of({"counters": {"a": 1}}) == {"a": 1}
    assert Path(cli.parser().parse_args(["stat"]).run_dir).is_absolute()


def test_sockets_are_listed_as_people_read_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = '"local": {"addr": "10.0.0.1", "port": 80}, "remote": null'
    rows = f'{{"proto": "tcp", "state": "LISTEN", {ends}, "pid": 1234}}, {{"proto": "udp", "state": "", "pid": 5}}'
    thread = answering(tmp_path, f'{{"sockets": [{rows}]}}'.encode())
    assert cli.main(["--run-dir", str(tmp_path), "ss", "-tl"]) == 0
    thread.join()
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["Proto", "State"]
    assert [line.split() for line in lines] == [["tcp", "LISTEN", "-", "-", "10.0.0.1:80", "-", "-", "1234", "-", "-"]]
