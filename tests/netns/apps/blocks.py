# SPDX-License-Identifier: BSD-3-Clause
"""Disks and files from afar: QEMU's block server (its main loop polls by io_uring), Samba, Subversion, distcc."""

from __future__ import annotations

import os
from typing import Any

from harness import programs

from .base import MIB, App, Scene

NBD = App("qemu-nbd", packages=["qemu-utils", "libnbd-bin"], needs=["qemu-nbd", "qemu-img", "nbdcopy", "nbdinfo"])
SAMBA = App("samba", packages=["samba", "smbclient"], needs=["smbd", "smbclient"])
SVN = App("subversion", packages=["subversion"], needs=["svnserve", "svn", "svnadmin"])
DISTCC = App("distcc", packages=["distcc", "gcc"], needs=["distccd", "distcc", "gcc"])


@NBD.workload("nbdcopy and qemu-img read and write 16 MiB", ways=("serves", "asks", "local"), at_least=4)
def nbd(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(16 * MIB, "disk")
    back, again = scene.path("back"), scene.path("again")
    url = f"nbd://{scene.address}:10809/d"
    serve = ["qemu-nbd", "-t", "-e", "8", "-x", "d", "-f", "raw", "-b", "0.0.0.0", "-p", "10809", path]
    facts: dict[str, Any] = {}
    with scene.serving(serve, 10809):
        facts["size"] = scene.try_ask("nbdinfo", "--size", url)
        facts["read"] = scene.try_ask("nbdcopy", url, back)[0], programs.sha256(back) == digest
        facts["converted"] = (
            scene.try_ask("qemu-img", "convert", "-O", "raw", url, again)[0],
            (programs.sha256(again) == digest),
        )
        other = programs.make_file(back, 16 * MIB, seed=2)
        facts["written"] = scene.try_ask("nbdcopy", "--flush", back, url)[0], programs.sha256(path) == other
        facts["compared"] = scene.try_ask("qemu-img", "compare", "-f", "raw", "-F", "raw", url, back)
        facts["unknown"] = scene.try_ask("nbdinfo", "--size", url + "x")[0]
    return facts


SMB_CONF = """\
[global]
    workgroup = APPS
    server role = standalone server
    bind interfaces only = yes
    interfaces = {address}/24
    smb ports = 1445
    map to guest = Bad User
    guest account = root
    log file = {folder}/log.%m
    {folders}
[all]
    path = {folder}/there
    guest ok = yes
    read only = no
"""
SMB_FOLDERS = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")


@SAMBA.workload("smbclient puts, lists and gets files", ways=("serves", "asks"), at_least=2, timeout=120)
def samba(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(8 * MIB)
    own = scene.path("smb")
    for folder in (own, scene.path("there")):
        folder.mkdir()
    folders = "\n    ".join(f"{name} = {own}" for name in SMB_FOLDERS)
    conf = scene.write("smb.conf", SMB_CONF.format(address=scene.address, folder=scene.folder, folders=folders))
    ask = ["smbclient", "-s", conf, "-N", "-p", "1445", f"//{scene.address}/all", "-c"]
    facts: dict[str, Any] = {}
    with scene.serving(["smbd", "-F", "--no-process-group", "--debug-stdout", "-s", conf], 1445):
        facts["put"] = scene.try_ask(*ask, f"put {path} one; mkdir sub; put {path} sub/two")[0]
        facts["there"] = [programs.sha256(scene.path(f"there/{n}")) == digest for n in ("one", "sub/two")]
        listed = scene.ask(*map(str, ask), "ls").splitlines()
        facts["listed"] = sorted(line.split()[0] for line in listed if line and "blocks" not in line)
        facts["get"] = (
            scene.try_ask(*ask, f"get one {scene.path('back')}")[0],
            (programs.sha256(scene.path("back")) == digest),
        )
        facts["missing"] = scene.try_ask(*ask, "get none")[0]
    return facts


@SVN.workload("svnserve: import, check out, commit, a thread per connection", ways=("serves", "asks"), at_least=4)
def svn(scene: Scene) -> dict[str, Any]:
    there, here, copy = (scene.path(n) for n in ("repo", "tree", "copy"))
    scene.host.run("svnadmin", "create", str(there))
    (there / "conf/svnserve.conf").write_text("[general]\nanon-access = write\n")
    for number in range(20):
        scene.file(1 + number * 10_000, f"tree/file{number}")
    url = f"svn://{scene.address}/"
    ask = ["svn", "--non-interactive", "--config-dir", scene.path("config")]
    facts: dict[str, Any] = {}
    with scene.serving(["svnserve", "-d", "--foreground", "-T", "-r", there, "--listen-port", "3690"], 3690):
        facts["import"] = scene.try_ask(*ask, "import", "-q", "-m", "all", here, url)
        facts["out"] = scene.try_ask(*ask, "checkout", "-q", url, copy)
        facts["same"] = all(programs.sha256(copy / p.name) == programs.sha256(p) for p in here.iterdir())
        (copy / "file3").write_text("changed\n")
        facts["commit"] = scene.try_ask(*ask, "commit", "-q", "-m", "one", copy)
        facts["read"] = scene.try_ask(*ask, "cat", url + "file3")
        facts["missing"] = scene.try_ask(*ask, "cat", url + "none")[0]
    return facts


@DISTCC.workload("20 files compiled there, eight at a time", ways=("serves", "asks"), at_least=20)
def distcc(scene: Scene) -> dict[str, Any]:
    for number in range(20):
        scene.write(f"f{number}.c", f"int f{number}(void) {{ return {number}; }}\n")
    scene.path("state").mkdir()
    scene.write("one.sh", 'cd "$1" && exec distcc gcc -c "f$2.c"\n')
    serve = ["distccd", "--no-detach", "--daemon", "--allow-private", "--allow", "0.0.0.0/0", "--listen", scene.address,
             "--port", "3632", "--jobs", "4", "--log-stderr", "--user", "nobody"]  # fmt: skip
    env = {"DISTCC_HOSTS": f"{scene.address}:3632/8", "DISTCC_FALLBACK": "0", "DISTCC_DIR": str(scene.path("state")),
           "PATH": os.environ["PATH"] + ":/usr/bin", "DISTCC_IO_TIMEOUT": "40"}  # fmt: skip
    with scene.serving(serve, 3632, env={"DISTCC_CMDLIST_NUMWORDS": "1"}):
        code, said = scene.try_ask(
            "sh", "-c", f"seq 0 19 | xargs -P 8 -n 1 sh {scene.path('one.sh')} {scene.folder}", env=env
        )
    return {"code": code, "said": said, "made": sum(scene.path(f"f{n}.o").exists() for n in range(20))}
