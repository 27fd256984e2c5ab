# SPDX-License-Identifier: BSD-3-Clause
"""Ancillary data, errors and groups of datagrams, as Python's socket module sees them; the kernel is the oracle."""

from __future__ import annotations

from pathlib import Path

from conftest import Net
from harness.programs import PYTHON

DGRAM = Path(__file__).resolve().parents[1] / "harness/scripts/dgram.py"


def test_what_programs_are_told(net: Net) -> None:
    peer = net.pair.peer_ip
    with net.peer.running([PYTHON, DGRAM, "echo", peer, "7100"]) as server:
        server.wait_for_log("listening")
        facts = net.host.run(PYTHON, DGRAM, "ask", peer, "7100", "7101").splitlines()
    us = bytes(map(int, net.pair.host_ip.split("."))).hex()
    them = bytes(map(int, peer.split("."))).hex()
    assert facts == [
        "ttl 21000000 tos 28 fresh True",
        f"to {us} index True",
        "pieces b'1000 1000 500'",
        "mtu 1500",
        "too long 90",
        "poll [8]",
        f"error 0 11 (111, 2, 3, 3, 0, 0) {them} 8192",
        f"of b'lost' ('{peer}', 7101)",
        "pending 0",
    ]
    if net.service:
        assert net.service.counters()["udp_tx"] >= 6


def test_groups_reach_programs_on_a_shared_port(net: Net) -> None:
    net.host.run("ip", "route", "add", "239.0.0.0/8", "dev", net.pair.host_if)
    with net.host.running([PYTHON, DGRAM, "group", "239.5.5.5", "7200"]) as member:
        member.wait_for_log("joined")
        with net.peer.running([PYTHON, DGRAM, "tell", "239.5.5.5", "7200", "to many", net.pair.peer_ip]):
            member.wait_for_log("to many")
