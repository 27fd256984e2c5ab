# SPDX-License-Identifier: BSD-3-Clause
"""Servers of short questions by UDP: chrony, snmpd, tftpd; and mosh, a terminal over datagrams."""

from __future__ import annotations

import re
from typing import Any

from harness import programs

from .base import MIB, App, Scene

CHRONY = App("chrony", packages=["chrony"], needs=["chronyd"])
SNMPD = App("snmpd", packages=["snmpd", "snmp"], needs=["snmpd", "snmpget", "snmpbulkwalk"])
TFTPD = App("tftpd", packages=["tftpd-hpa", "curl"], needs=["in.tftpd", "curl"])
MOSH = App("mosh", packages=["mosh", "socat"], needs=["mosh-server", "mosh-client", "socat"])


@CHRONY.workload("a client measures its offset", ways=("serves", "asks"), carries="udp", at_least=4)
def chrony(scene: Scene) -> dict[str, Any]:
    lines = ["local stratum 1", "allow", "port 11123", f"bindaddress {scene.address}", "cmdport 0", "user root",
             f"pidfile {scene.path('chrony.pid')}", f"bindcmdaddress {scene.path('cmd.sock')}"]  # fmt: skip
    conf = scene.write("chrony.conf", "\n".join(lines) + "\n")
    with scene.server.running(["chronyd", "-x", "-d", "-f", conf]) as server:
        server.wait_for_log("chronyd version")
        ask = ["chronyd", "-x", "-Q", "-t", "10", f"pidfile {scene.path('ask.pid')}", "cmdport 0", "user root",
               f"bindcmdaddress {scene.path('ask.sock')}",
               f"server {scene.address} port 11123 iburst maxsamples 4"]  # fmt: skip
        code, said = scene.try_ask(*ask)
    return {"code": code, "measured": "System clock wrong by" in said}


@SNMPD.workload("get, walk, errors, by UDP and TCP", ways=("serves",), carries="udp", at_least=4)
@SNMPD.workload("the same, asked by UDP from a socket bound to no address, and by TCP", ways=("asks",), at_least=2)
def snmpd(scene: Scene) -> dict[str, Any]:
    conf = scene.write("snmpd.conf", "rocommunity public\nsysName apps\nsysLocation here\nsysContact nobody\n"
                                     "sysServices 72\n")  # fmt: skip
    argv = ["snmpd", "-f", "-Le", "-C", "-c", conf, "-I", "snmp_mib,system_mib,sysORTable", "-p",
            scene.path("snmpd.pid"), f"udp:{scene.address}:1161,tcp:{scene.address}:1161"]  # fmt: skip
    facts: dict[str, Any] = {}
    with scene.serving(argv, 1161, env={"SNMP_PERSISTENT_DIR": str(scene.folder)}):
        for how in ("udp", "tcp"):
            where = ["-v2c", "-c", "public", "-On", "-t", "2", f"{how}:{scene.address}:1161"]
            names = ["1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.1.4.0"]
            facts[how] = scene.try_ask("snmpget", *where, *names)
            walked = scene.try_ask("snmpbulkwalk", *where, "1.3.6.1.2.1.1.9.1.3")[1]
            facts[f"{how}, walk"] = walked.splitlines()
    return facts


@TFTPD.workload("a file there and back, one that is missing", ways=("serves",), carries="udp", at_least=400)
@TFTPD.workload("the same, asked from a socket bound to no address", ways=("asks",), carries="nothing")
def tftpd(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(MIB // 4, "tftp/file")
    scene.path("tftp").chmod(0o777)
    path.chmod(0o644)
    argv = ["in.tftpd", "--foreground", "--verbose", "--create", "--user", "nobody", "--address", f"{scene.address}:69",
            "--secure", scene.path("tftp")]  # fmt: skip
    base = f"tftp://{scene.address}"
    facts: dict[str, Any] = {}
    with scene.server.running(argv):
        out = scene.path("out")
        get = ["curl", "-sS", "--retry", "5", "--retry-all-errors", "--retry-delay", "1", "-o", out, f"{base}/file"]
        facts["get"] = [scene.try_ask(*get), programs.sha256(out) == digest]
        small = ["--tftp-blksize", "1024", "-o", out, f"{base}/file"]
        facts["bigger blocks"] = [scene.try_ask("curl", "-sS", *small), programs.sha256(out) == digest]
        facts["put"] = scene.try_ask("curl", "-sS", "-T", path, f"{base}/put")
        facts["put is"] = scene.path("tftp/put").exists() and programs.sha256(scene.path("tftp/put")) == digest
        facts["missing"] = scene.try_ask("curl", "-sS", "-o", out, f"{base}/none")[0]
    return facts


@MOSH.workload("a session: commands and what they print", ways=("serves", "asks"), carries="maybe")
def mosh(scene: Scene) -> dict[str, Any]:
    utf = {"LC_ALL": "C.UTF-8", "TERM": "xterm", "MOSH_NO_TERM_INIT": "1"}
    work = scene.write("work.sh", "stty -echo; echo ready; while read word; do echo \"heard-$word-$((6 * 7))\";"
                                  " [ $word = end ] && exit; done\n")  # fmt: skip
    argv = ["mosh-server", "new", "-i", scene.address, "-p", "60001", "--", "sh", str(work)]
    said = scene.server.run(*argv, env=utf)
    found = re.search(r"MOSH CONNECT (\d+) (\S+)", said)
    if not found:
        raise RuntimeError(said)
    words = "sleep 1; for w in one two end; do echo $w; sleep 0.7; done; sleep 1"
    client = scene.write("client.sh", f"stty rows 24 cols 80; exec mosh-client {scene.address} {found[1]}\n")
    ask = f"({words}) | socat -t 5 - 'EXEC:sh {client},pty,setsid,ctty,rawer'"
    _, text = scene.try_ask("sh", "-c", ask, env={**utf, "MOSH_KEY": found[2]}, timeout=30)
    return {"heard": [word for word in ("one", "two") if f"heard-{word}-42" in text]}
