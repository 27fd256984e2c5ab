# SPDX-License-Identifier: BSD-3-Clause
"""Urgent data: what programs see of it, with Joyride on either side or on both, is what they see on the kernel."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Net
from harness.machine import Machine
from harness.programs import PYTHON

_SCRIPT = str(Path(__file__).resolve().parents[1] / "harness/scripts/urgent.py")
_IN, _PRI = 1, 2

_EXPECTED = {
    "beside": [_IN | _PRI, 3, 0, 1, "abc", 1, 0, "d", "d", True, "EINVAL", _IN, "ef", 0, 0],
    "none": ["EINVAL", 0, "ab"],
    "alone": [_PRI, 0, 1, "x", 0, "EAGAIN", "yz", 0],
    "replaced_at_the_mark": [_PRI, 1, "3", "EINVAL", "EAGAIN"],
    "replaced_before_the_mark": ["a1", 1, "2", "b"],
    "many_bytes": ["o", "hell", 1],
    "in_line": [1, _IN | _PRI, 4, "EINVAL", "ab", 1, _IN | _PRI, "cd", 0, 0],
    "passed_over": ["a", "b", "d", "EINVAL", 0],
    "waits_for_all": ["ab", "d", "d"],
    "watched": [0, _PRI, "q", 0],
}


def _exchange(sender: Machine, receiver: Machine, address: str) -> None:
    with sender.running([PYTHON, _SCRIPT, "puppet", address]) as puppet:
        puppet.wait_for_log("listening")
        found = json.loads(receiver.run(PYTHON, _SCRIPT, "driver", address))
        assert found == _EXPECTED
        assert puppet.wait(5) == 0, puppet.tail()


def test_urgent_data_comes_in(net: Net) -> None:
    _exchange(net.peer, net.host, net.pair.peer_ip)


def test_urgent_data_goes_out(net: Net) -> None:
    _exchange(net.host, net.peer, net.pair.host_ip)


def test_urgent_data_between_two_programs_here(net: Net) -> None:
    _exchange(net.host, net.host, net.pair.host_ip)
