# SPDX-License-Identifier: BSD-3-Clause
"""`joyride run --trace` and `joyride ss`, with real programs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from conftest import SCRIPT, Net
from harness import machine
from harness.programs import PYTHON

REPO = Path(__file__).resolve().parents[2]
TRACED = SCRIPT.parent / "traced.py"


def _joyride(net: Net, *arguments: str | Path) -> list[str | Path]:
    """The command line of the tool."""
    run_dir = net.running_service.run_dir
    return ["env", f"PYTHONPATH={REPO / 'tools'}", f"JOYRIDE_LIBC={machine.LIBC_PREFIX}", sys.executable, "-m",
            "joyride", "--run-dir", run_dir, *arguments]  # fmt: skip


def _traced(net: Net, *how: str) -> list[str]:
    """What the trace of a program says."""
    out = net.host.file("trace")
    control = net.running_service.control
    with net.peer.running([PYTHON, SCRIPT, "echo", net.pair.peer_ip, "7000"]) as server:
        server.wait_for_log("listening")
        argv = _joyride(net, "run", "--socket", control, "--trace", "-o", out, *how, PYTHON, TRACED, net.pair.peer_ip,
                        "7000")  # fmt: skip
        assert "done" in net.kernel_host.run(*argv)
    return out.read_text().splitlines()


def test_a_trace_has_each_call_and_its_route(joyride: Net) -> None:
    lines = _traced(joyride)
    peer = re.escape(joyride.pair.peer_ip)
    expected = [
        r"socket\(AF_INET, SOCK_STREAM\|SOCK_CLOEXEC, (IPPROTO_IP|IPPROTO_TCP)\) = \d+ <not decided>",
        r"connect\(\d+, {AF_INET 127.0.0.1:1}, 16\) = -1 \w+ \(.*\) <kernel: loopback>",
        rf"connect\(\d+, {{AF_INET {peer}:7000}}, 16\) = 0 <service>",
        r"setsockopt\(\d+, IPPROTO_TCP, TCP_NODELAY, \[1\], 4\) = 0 <service>",
        r'send(to)?\(\d+, "hello \\"you\\"\\n", 12, 0.*\) = 12 <service>',
        r"epoll_ctl\(\d+, EPOLL_CTL_ADD, \d+, {EPOLLIN, \d+}\) = 0 <service>",
        r"epoll_wait\(\d+, \[{EPOLLIN, \d+}\], \d+, 5000\) = 1",
        r"select\(\d+, \[\d+\], (\[\]|NULL), (\[\]|NULL), {\d, \d+}\) = 1",
        r'recv(from)?\(\d+, "hello \\"you\\"\\n", 100, 0.*\) = 12 <service>',
        r"(ioctl\(\d+, FIONBIO, \[1\]\)|fcntl\(\d+, F_SETFL, O_NONBLOCK.*\)) = 0 <service>",
        r"recv(from)?\(\d+, .*\) = -1 EAGAIN \(Resource temporarily unavailable\) <service>",
        r"close\(\d+\) = 0",
    ]
    rest = iter(lines)
    for pattern in expected:
        assert any(re.fullmatch(pattern, line) for line in rest), "\n".join([f"not found: {pattern}", *lines])
    assert not any("from the child" in line for line in lines)
    assert sum("connect(" in line for line in lines) == 3


def test_a_trace_follows_forks_on_request(joyride: Net) -> None:
    lines = _traced(joyride, "-f")
    assert all(re.match(r"\[pid \d+\] \w+\(", line) for line in lines), lines
    pids = {line.split()[1] for line in lines}
    assert len(pids) == 2, pids
    assert any(re.search(r'"from the child", 14, .* = 14 <service>', line) for line in lines)


def test_nothing_is_traced_unless_asked_for(joyride: Net) -> None:
    with joyride.peer.running([PYTHON, SCRIPT, "echo", joyride.pair.peer_ip, "7000"]) as server:
        server.wait_for_log("listening")
        with joyride.host.running([PYTHON, TRACED, joyride.pair.peer_ip, "7000"]) as process:
            assert process.wait(20) == 0
            assert process.text().split() == ["done"]


def test_ss_tells_who_holds_a_socket(joyride: Net) -> None:
    count = 3
    with joyride.peer.running([PYTHON, SCRIPT, "echo", joyride.pair.peer_ip, "7000"]) as server:
        server.wait_for_log("listening")
        argv = [PYTHON, SCRIPT, "idle", joyride.pair.peer_ip, "7000", str(count)]
        with joyride.host.running(argv) as one, joyride.host.running(argv) as two:
            for process in (one, two):
                process.wait_for_log(f"holding {count}")
            text = joyride.kernel_host.run(*_joyride(joyride, "ss", "-tnpiH"))
            found = json.loads(joyride.kernel_host.run(*_joyride(joyride, "ss", "-tj")))
            pids = {one.pid, two.pid}
            assert {h["pid"] for sock in found for h in sock["holders"]} == pids, found
            assert all(len(sock["holders"]) == 1 for sock in found)
            assert len(found) == 2 * count
            for pid in pids:
                fds = {h["fd"] for sock in found for h in sock["holders"] if h["pid"] == pid}
                assert len(fds) == count
                assert len(re.findall(rf'users:\(\("[^"]+",pid={pid},fd=\d+\)\)', text)) == count, text
            assert len(re.findall(r"rto:[\d.]+ rtt:[\d.]+/[\d.]+ mss:1\d\d\d pmtu:1500 cwnd:\d+", text)) == 2 * count, (
                text
            )
