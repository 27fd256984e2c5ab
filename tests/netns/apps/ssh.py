# SPDX-License-Identifier: BSD-3-Clause
"""OpenSSH: sshd with its separated processes, ssh, scp, sftp, forwarded ports both ways, a SOCKS proxy."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import programs
from harness.process import Process

from .base import MIB, App, Scene, tool

APP = App("openssh", packages=["openssh-server", "openssh-client", "curl"],
          needs=["sshd", "ssh", "scp", "sftp", "ssh-keygen", "curl"])  # fmt: skip

CONF = """\
Port 2222
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PermitRootLogin yes
GatewayPorts yes
Subsystem sftp /usr/lib/openssh/sftp-server
LogLevel VERBOSE
"""


@contextlib.contextmanager
def running(scene: Scene) -> Iterator[Process]:
    """sshd with keys of its own."""
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scene.path(name)], check=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    conf = scene.write("sshd_config", CONF.format(folder=scene.folder))
    with scene.serving([tool("sshd"), "-D", "-e", "-f", conf], 2222) as process:
        yield process


def options(scene: Scene) -> list[str]:
    """What every client needs."""
    return ["-F", "/dev/null", "-i", str(scene.path("user_key")), "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]  # fmt: skip


def ssh(scene: Scene, *command: str) -> tuple[int, str]:
    """A command there."""
    return scene.try_ask("ssh", *options(scene), "-p", "2222", f"root@{scene.address}", *command, timeout=30)


@APP.workload("commands, exit codes, a terminal, scp and sftp", ways=("serves", "asks", "local"), at_least=6)
def sessions(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(8 * MIB)
    facts: dict[str, Any] = {}
    with running(scene):
        facts["command"] = ssh(scene, "echo one; exit 7")
        facts["terminal"] = ssh(scene, "-tt", "test -t 0 && echo terminal")[1].strip()
        facts["no password"] = scene.try_ask("ssh", *options(scene)[:2], "-i", "/dev/null", *options(scene)[4:], "-p",
                                             "2222", f"root@{scene.address}", "true")[0]  # fmt: skip
        there, back = scene.path("there"), scene.path("back")
        port = ["-P", "2222"]
        facts["scp"] = [
            scene.try_ask("scp", *options(scene), *port, path, f"root@{scene.address}:{there}")[0],
            scene.try_ask("scp", *options(scene), *port, f"root@{scene.address}:{there}", back)[0],
            programs.sha256(back) == digest,
        ]
        batch = scene.write("batch", f"put {path} {there}.2\nget {there}.2 {back}.2\nls -1 {scene.folder}/there.2\n")
        code, _ = scene.try_ask("sftp", *options(scene), *port, "-b", batch, f"root@{scene.address}")
        facts["sftp"] = [code, programs.sha256(Path(f"{back}.2")) == digest]
        pipe = f"ssh {' '.join(options(scene))} -p 2222 root@{scene.address} 'cat | sha256sum' < {path}"
        facts["piped"] = scene.ask("sh", "-c", pipe).split()[0] == digest
    return facts


@APP.workload("forwarded ports: local, remote, SOCKS", ways=("serves", "asks"), at_least=2)
def forwards(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(8 * MIB)
    with (
        running(scene),
        programs.nginx(scene.server, scene.folder, port=8081),
        programs.nginx(scene.client, scene.folder, port=8082),
    ):
        where = ["-L", f"7001:{scene.address}:8081", "-R", "7002:127.0.0.1:8082", "-D", "7003"]
        argv = ["ssh", *options(scene), *where, "-N", "-p", "2222", f"root@{scene.address}"]
        with scene.client.running(argv) as tunnel:
            tunnel.wait_for_port(scene.client.ns, "127.0.0.1", 7003)
            urls = [
                (scene.client, "http://127.0.0.1:7001/file", []),
                (scene.client, f"http://{scene.address}:7002/file", []),
                (scene.server, "http://127.0.0.1:7002/file", []),
                (scene.client, f"http://{scene.address}:8081/file", ["--socks5", "127.0.0.1:7003"]),
            ]
            got = [programs.curl(machine, url, *more) for machine, url, more in urls]
    return {"fetched": [[g.code, programs.sha256(g.path) == digest] for g in got]}
