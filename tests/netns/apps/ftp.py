# SPDX-License-Identifier: BSD-3-Clause
"""FTP: a control connection that opens others, from either side (PORT, PASV, EPRT, EPSV), and passes them to a child.

vsftpd opens data sockets in a privileged process and hands them to the one that speaks, which may have a network
namespace of its own (vsftpd.conf(5): isolate_network).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import programs
from harness.process import Process

from .base import MIB, App, Scene

APP = App("vsftpd", packages=["vsftpd", "curl", "lftp"], needs=["vsftpd", "curl", "lftp"])

CONF = """\
listen=YES
listen_port=2121
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={folder}/ftp
ftp_username={user}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
connect_from_port_20=YES
secure_chroot_dir=/run/vsftpd/empty
log_ftp_protocol=YES
xferlog_enable=YES
vsftpd_log_file={folder}/vsftpd.log
pasv_min_port=30000
pasv_max_port=30100
isolate={isolate}
isolate_network={isolate}
seccomp_sandbox=NO
"""


@contextlib.contextmanager
def running(scene: Scene, *, isolate: bool) -> Iterator[Process]:
    """vsftpd for anybody; its folder is writable."""
    Path("/run/vsftpd/empty").mkdir(parents=True, exist_ok=True)
    put = scene.path("ftp/put")
    put.mkdir(parents=True)
    put.chmod(0o777)
    conf = CONF.format(folder=scene.folder, isolate="YES" if isolate else "NO", user="daemon")
    with scene.serving(["vsftpd", scene.write("vsftpd.conf", conf)], 2121) as process:
        yield process


def transfers(scene: Scene, *, isolate: bool) -> dict[str, Any]:
    """Down and up in the four ways to open a data connection, and a list."""
    facts: dict[str, Any] = {}
    with running(scene, isolate=isolate):
        path, digest = scene.file(4 * MIB, "ftp/file")
        base = f"ftp://{scene.address}:2121"
        for name, options in (("EPSV", []), ("PASV", ["--disable-epsv"]), ("EPRT", ["-P", "-"]),
                              ("PORT", ["-P", "-", "--disable-eprt"])):  # fmt: skip
            got = programs.curl(scene.client, f"{base}/file", *options)
            put, said = scene.try_ask("curl", "-sS", *options, "-T", path, f"{base}/put/{name}")
            stored = scene.path(f"ftp/put/{name}")
            facts[name] = [got.code, programs.sha256(got.path) == digest, put, said,
                           stored.exists() and programs.sha256(stored) == digest]  # fmt: skip
        facts["list"] = scene.try_ask("curl", "-sS", "--list-only", f"{base}/put/")
        facts["part"] = scene.try_ask("curl", "-sS", "-r", "100-199", "-o", scene.path("part"), f"{base}/file")
        facts["part is"] = scene.path("part").read_bytes() == path.read_bytes()[100:200]
        facts["missing"] = scene.try_ask("curl", "-sS", f"{base}/none")[0]
    return facts


@APP.workload("curl, active and passive, up and down", ways=("serves", "asks", "local"), at_least=9)
def plain(scene: Scene) -> dict[str, Any]:
    return transfers(scene, isolate=False)


@APP.workload("the same, in namespaces of its own", ways=("serves",), at_least=1)
def isolated(scene: Scene) -> dict[str, Any]:
    return transfers(scene, isolate=True)


@APP.workload("lftp mirrors a tree there and back", ways=("serves", "asks"), at_least=5)
def mirrors(scene: Scene) -> dict[str, Any]:
    digests = {f"file{n}": scene.file(1 + n * 30_000, f"here/file{n}")[1] for n in range(20)}
    with running(scene, isolate=False):
        url = f"ftp://{scene.address}:2121"
        script = (f"set cmd:fail-exit yes; set ftp:sync-mode off; open {url}; "
                  f"mirror -R -P 4 {scene.path('here')} put/tree; "
                  f"mirror -P 4 put/tree {scene.path('back')}")  # fmt: skip
        code, said = scene.try_ask("lftp", "--norc", "-c", script)
    back = {path.name: programs.sha256(path) for path in scene.path("back").glob("file*")}
    return {"code": code, "said": said, "same": back == digests}
