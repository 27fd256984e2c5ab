# SPDX-License-Identifier: BSD-3-Clause
"""The joyride command without a service: what it starts, what it says."""

from __future__ import annotations

import json
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


SOCKETS = [
    {"proto": "tcp", "state": "LISTEN", "local": {"addr": "10.0.0.1", "port": 80}, "remote": None, "backlog": 5,
     "accept_queue": 2, "route": "service", "pid": 1234, "ino": 1},
    {"proto": "tcp", "state": "ESTABLISHED", "local": {"addr": "fd77::1", "port": 4000}, "ino": 2, "uid": 7,
     "comm": "x", "remote": {"addr": "fd77::2", "port": 443}, "rx_queue": 10, "tx_queue": 2000, "route": "service",
     "pid": 1, "timer": {"name": "keepalive", "left_ms": 7140000, "count": 0}, "rx_cap": 65536, "seg": 3, "slot": 4,
     "tcp": {"rto_us": 200000, "rtt_us": 1500, "rttvar_us": 250, "mss": 1448, "pmtu": 1500, "cwnd": 10, "lost": 0,
             "ssthresh": 2147483647, "snd_wnd": 1, "unacked": 0, "retrans": 0, "retrans_total": 0, "bytes_sent": 5,
             "bytes_acked": 5, "bytes_received": 0, "segs_out": 3, "segs_in": 2, "notsent": 0}},
    {"proto": "udp", "state": "UNCONN", "local": {"addr": "10.0.0.1", "port": 53}, "remote": None, "pid": 5, "ino": 3},
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "ports"),
    [
        ("", ["4000"]),
        ("-a", ["80", "4000", "53"]),
        ("-l", ["80", "53"]),
        ("-tl", ["80"]),
        ("-ua", ["53"]),
        ("-4a", ["80", "53"]),
        ("-6a", ["4000"]),
        ("state listening", ["80"]),
        ("state established state closed", ["4000", "53"]),
        ("exclude connected", ["80", "53"]),
    ],
)
def test_ss_selects(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, ports: list[str]) -> None:
    thread = answering(tmp_path, json.dumps({"sockets": SOCKETS}).encode())
    assert cli.main(["--run-dir", str(tmp_path), "ss", "-nH", *arguments.split()]) == 0
    thread.join()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[4].rpartition(":")[2] for line in lines] == ports


def test_ss_prints_as_ss_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thread = answering(tmp_path, json.dumps({"sockets": SOCKETS}).encode())
    assert cli.main(["--run-dir", str(tmp_path), "ss", "-taoie"]) == 0
    thread.join()
    header, listener, listener_more, connection, more = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["Netid", "State", "Recv-Q", "Send-Q"]
    assert listener.split() == ["tcp", "LISTEN", "2", "5", "10.0.0.1:http", "*:*", "service"]
    assert "ino:1" in listener_more
    assert connection.split()[:6] == ["tcp", "ESTAB", "10", "2000", "[fd77::1]:4000", "[fd77::2]:https"]
    assert "timer:(keepalive,119min,0)" in more
    assert "rto:200 rtt:1.5/0.25 mss:1448" in more
    assert "ssthresh" not in more


def test_ss_refuses_what_is_no_filter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--run-dir", str(tmp_path), "ss", "state", "sleepy"]) == 2
    assert "sleepy" in capsys.readouterr().out
