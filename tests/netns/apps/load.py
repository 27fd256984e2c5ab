# SPDX-License-Identifier: BSD-3-Clause
"""Programs that make load: iperf3, wrk, stress-ng's socket stressors; only what speed does not change is compared."""

from __future__ import annotations

import json
import re
from typing import Any

from harness import programs

from .base import App, Scene
from .nginx import running

IPERF = App("iperf3", packages=["iperf3"], needs=["iperf3"])
WRK = App("wrk", packages=["wrk", "nginx-light"], needs=["wrk", "nginx"])
STRESS = App("stress-ng", packages=["stress-ng"], needs=["stress-ng"])


@IPERF.workload("TCP: one stream, four, reversed, both ways, IPv6", ways=("serves", "asks", "local"), at_least=10)
def iperf_tcp(scene: Scene) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    tries = {"one": [], "four": ["-P", "4"], "reversed": ["-R"], "both": ["--bidir"], "small": ["-l", "100"],
             "IPv6": ["-6"], "MSS": ["-M", "600"], "window": ["-w", "32K"]}  # fmt: skip
    with programs.iperf3_server(scene.server):
        for name, more in tries.items():
            address = scene.address6 if name == "IPv6" else scene.address
            end = json.loads(scene.ask("iperf3", "-c", address, "-n", "4M", "-J", *more))["end"]
            facts[name] = end["sum_sent"]["bytes"] > 900_000
    return facts


@IPERF.workload("UDP at 20 Mb/s, both directions", ways=("asks",), carries="udp", at_least=100)
def iperf_udp(scene: Scene) -> dict[str, Any]:
    facts = {}
    with programs.iperf3_server(scene.server):
        for name, more in (("there", []), ("back", ["-R"])):
            argv = ["iperf3", "-c", scene.address, "-u", "-b", "20M", "-t", "1", "-l", "1200", "-J", *more]
            end = json.loads(scene.ask(*argv))["end"]["sum"]
            facts[name] = [end["packets"] > 1000, end["lost_packets"] <= end["packets"] // 100]
    return facts


@WRK.workload("40 connections of two threads", ways=("serves", "asks", "local"), at_least=40)
def wrk(scene: Scene) -> dict[str, Any]:
    with running(scene):
        said = scene.ask("wrk", "-t", "2", "-c", "40", "-d", "1", f"http://{scene.address}:8080/say")
    return {"errors": re.findall(r"Socket errors.*|Non-2xx.*", said), "some": "Requests/sec" in said}


@STRESS.workload("sock, sockmany, udp, epoll, sockpair, sockfd, dccp", ways=("local",), carries="maybe", timeout=150)
def stress(scene: Scene) -> dict[str, Any]:
    facts = {}
    for stressor, ops in (("sock", 200), ("sockmany", 5), ("udp", 5000), ("epoll", 500), ("sockpair", 2000),
                          ("sockfd", 200), ("sockabuse", 20), ("udp-flood", 500), ("poll", 2000), ("sendfile", 500),
                          ("splice", 500), ("dup", 200), ("close", 50), ("fd-fork", 20), ("vfork", 100)):  # fmt: skip
        argv = ["stress-ng", f"--{stressor}", "2", f"--{stressor}-ops", str(ops), "--verify", "--timeout", "8"]
        code, text = scene.try_ask(*argv, "--temp-path", scene.folder, timeout=40)
        facts[stressor] = [code, sorted(set(re.findall(r"fail: *\[\d+\] (.*)", text)))]
    return facts
