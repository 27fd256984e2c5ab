# SPDX-License-Identifier: BSD-3-Clause
"""Servers that are handed their sockets: xinetd (inetd(8)'s way) and systemd's (sd_listen_fds(3))."""

from __future__ import annotations

from typing import Any

from harness import programs

from .base import MIB, PYTHON, App, Scene

XINETD = App("xinetd", packages=["xinetd", "socat"], needs=["xinetd", "socat"])
SYSTEMD = App("systemd-socket-activate", packages=["systemd", "python3", "curl"],
              needs=["systemd-socket-activate", "python3", "curl"])  # fmt: skip

CONF = """\
defaults
{{
    instances = 60
    log_type = FILE {folder}/xinetd.log
}}
service sum
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    port = 7000
    wait = no
    user = root
    server = /usr/bin/head
    server_args = -c {size}
}}
service waits
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    port = 7001
    wait = yes
    user = root
    server = {python}
    server_args = {script} wait
}}
"""


@XINETD.workload("a program per connection, one that accepts itself", ways=("serves",), at_least=8)
def xinetd(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(MIB)
    conf = scene.write("xinetd.conf", CONF.format(
        folder=scene.folder, size=MIB, python=PYTHON, script=scene.script("handed.py")))  # fmt: skip
    with scene.serving(["xinetd", "-dontfork", "-f", conf, "-pidfile", scene.path("pid")], 7000):
        back = scene.path("back")
        ask = f"socat -t 20 - TCP:{scene.address}:7000 < {path} > {back}"
        same = []
        for _ in range(4):
            scene.ask("sh", "-c", ask)
            same.append(programs.sha256(back) == digest)
        waits = [scene.ask("sh", "-c", f"echo word{i} | socat -t 5 - TCP:{scene.address}:7001") for i in range(4)]
    return {"same": same, "waits": waits}


@SYSTEMD.workload("a listener for a server, an accepted socket each", ways=("serves",), at_least=5)
def systemd(scene: Scene) -> dict[str, Any]:
    script = scene.script("handed.py")
    facts: dict[str, Any] = {}
    with scene.server.running(["systemd-socket-activate", "-l", "7000", PYTHON, script, "listen"]) as process:
        process.wait_for_log("Listening on")
        facts["listener"] = [scene.ask("sh", "-c", f"echo word{i} | socat -t 5 - TCP:{scene.address}:7000")
                             for i in range(4)]  # fmt: skip
    argv = ["systemd-socket-activate", "-l", "7001", "--accept", PYTHON, script, "accepted"]
    with scene.server.running(argv) as process:
        process.wait_for_log("Listening on")
        facts["accepted"] = [scene.ask("sh", "-c", f"echo word{i} | socat -t 5 - TCP:{scene.address}:7001")
                             for i in range(4)]  # fmt: skip
    argv = ["systemd-socket-activate", "-l", "7002", "--inetd", "--accept", "/bin/cat"]
    with scene.server.running(argv) as process:
        process.wait_for_log("Listening on")
        facts["inetd"] = scene.ask("sh", "-c", f"echo words | socat -t 5 - TCP:{scene.address}:7002")
    return facts
