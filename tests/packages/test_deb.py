# SPDX-License-Identifier: BSD-3-Clause
"""The Debian packages, installed by apt from a signed repository on fresh machines."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from chroot import Chroot, differences
from conftest import OUT

OLD, NEW = "0.1.0-1", "0.1.0-2"
SYSTEM_LIBC = "/lib/x86_64-linux-gnu/libc.so.6"


def purge(machine: Chroot) -> None:
    machine.apt("purge", *machine.installed())


def test_libc_runs_programs(machine: Chroot) -> None:
    began = time.monotonic()
    machine.apt("install", "joyride-libc")
    print(f"installed in {time.monotonic() - began:.1f} s")
    script = "import os, ctypes; print(open('/proc/self/maps').read())"
    assert "/opt/joyride/libc.so.6" in machine.run("/opt/joyride/ld.so", "/usr/bin/python3", "-c", script)
    assert "/opt/joyride" not in machine.run("python3", "-c", script)
    assert machine.run("/opt/joyride/ld.so", "/bin/sh", "-c", "echo $((6 * 7))") == "42\n"
    info = json.loads((machine.seen / "opt/joyride/libc-info.json").read_text())
    assert info["glibc"].startswith("2.36-")


def test_locales_and_character_sets_are_the_systems(machine: Chroot) -> None:
    machine.apt("install", "joyride-libc")
    assert machine.run("/opt/joyride/ld.so", "/usr/bin/locale", "charmap") == "UTF-8\n"
    latin = "printf 'gr\\303\\274n' | /opt/joyride/ld.so /usr/bin/iconv -f UTF-8 -t ISO-8859-15 | od -An -tx1"
    assert machine.sh(latin).split() == ["67", "72", "fc", "6e"]
    assert "localhost" in machine.run("/opt/joyride/ld.so", "/usr/bin/getent", "hosts", "localhost")
    assert "root" in machine.run("/opt/joyride/ld.so", "/usr/bin/id", "-un")


def test_finds_libraries_that_come_later(machine: Chroot) -> None:
    """By the system's cache, which dpkg's trigger brings up to date: Debian's folders and the administrator's."""
    machine.apt("install", "joyride-libc")
    machine.sh(
        "mkdir /usr/local/lib/later && mv /usr/lib/x86_64-linux-gnu/libmnl.so.* /usr/local/lib/later && ldconfig"
    )
    load = ["/opt/joyride/ld.so", "/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL('libmnl.so.0')"]
    assert machine.try_run(*load).code != 0
    machine.sh("echo /usr/local/lib/later >/etc/ld.so.conf.d/later.conf && ldconfig")
    machine.run(*load)


def test_the_trigger_looks_at_updates_of_libc6(machine: Chroot) -> None:
    """Another Debian version of the same release is named; another release is told to be none for programs."""
    machine.apt("install", "joyride-libc")
    fire = "dpkg-trigger --by-package=libc6 /usr/share/doc/libc6 && dpkg --triggers-only joyride-libc"
    assert machine.sh(fire).splitlines()[1:] == []
    machine.sh("sed -i 's/2.36-[^\"]*/2.36-1/' /opt/joyride/libc-info.json")
    assert "built from libc6 2.36-1, the system has 2.36-9+deb12u" in machine.sh(fire)
    machine.sh("sed -i 's/release version 2.36/release version 2.99/' /opt/joyride/libc.so.6")
    assert "it is glibc 2.99, this system's is 2.36: programs must not be started on it" in machine.sh(fire)
    assert machine.run("dpkg", "--audit") == ""


def test_everything_comes_and_goes_without_a_trace(machine: Chroot) -> None:
    before = machine.files()
    machine.apt("install", "joyride", "joyride-dev", "joyride-libc-system")
    assert set(machine.installed().values()) == {"ii"}
    assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    assert machine.run("joyride", "--version") == "joyride 0.1.0\n"
    assert machine.run("joyride-netsvc", "--version") == "joyride-netsvc 0.1.0\n"
    purge(machine)
    assert differences(before, machine.files()) == []
    assert machine.try_run("getent", "group", "joyride").code != 0


def test_configuration_stays_until_purge(machine: Chroot) -> None:
    machine.apt("install", "joyride-netsvc")
    config = machine.seen / "etc/joyride/netsvc.toml"
    config.write_text(config.read_text() + "# mine\n")
    machine.apt("remove", "joyride-netsvc")
    assert "# mine" in config.read_text()
    machine.apt("install", "joyride-netsvc")
    assert "# mine" in config.read_text()
    machine.apt("purge", "joyride-netsvc")
    assert not config.parent.exists()


@pytest.mark.parametrize("system", [False, True], ids=["beside", "system"])
def test_upgrade_and_downgrade(machine: Chroot, system: bool) -> None:
    names = ["joyride", "joyride-libc", "joyride-netsvc", "joyride-tools"] + ["joyride-libc-system"] * system
    machine.apt("install", *(f"{name}={OLD}" for name in names))
    program = machine.start("/opt/joyride/ld.so", "/bin/cat")
    machine.apt("upgrade")
    assert NEW in machine.run("dpkg-query", "-W", "joyride-libc")
    machine.run("/opt/joyride/ld.so", "/bin/true")
    machine.apt("install", "--allow-downgrades", *(f"{name}={OLD}" for name in names))
    machine.apt("install", "--reinstall", *(f"{name}={OLD}" for name in names))
    machine.run("/opt/joyride/ld.so", "/bin/true")
    assert machine.run("dpkg", "--verify") == ""
    said, _ = program.communicate("still here\n", timeout=120)
    assert said == "still here\n"


def test_out_of_order_and_twice(machine: Chroot) -> None:
    """As dpkg sees packages that somebody hands it one by one."""
    debs = {path.name.split("_")[0]: f"/repo/pool/main/{path.name}" for path in
            (machine.seen / "repo/pool/main").glob(f"*_{OLD}_*")}  # fmt: skip
    refused = machine.try_run("dpkg", "-i", debs["joyride-libc-system"])
    assert refused.code != 0
    assert "depends on joyride-libc" in refused.output
    machine.run("/bin/true")
    assert not (machine.seen / "opt/stock/lib/libc.so.6").exists()
    machine.run("dpkg", "-i", debs["joyride-libc"])
    machine.run("dpkg", "--configure", "-a")
    assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    for _ in range(2):
        machine.run("dpkg", "-i", debs["joyride-libc"], debs["joyride-libc-system"])
    machine.run("/opt/stock/ld.so", "/bin/true")
    purge(machine)
    machine.run("/bin/true")


def test_without_a_service_everything_is_the_kernels(machine: Chroot) -> None:
    machine.apt("install", "joyride")
    script = (
        "import socket as s; a = s.create_server(('127.0.0.1', 0)); b = s.create_connection(a.getsockname());"
        "b.sendall(b'x'); print(a.accept()[0].recv(1))"
    )
    assert machine.run("joyride", "run", "python3", "-c", script) == "b'x'\n"
    report = machine.try_run("joyride", "doctor")
    assert report.code == 1
    assert "libc: /opt/joyride/ld.so runs programs" in report.output
    assert "libc release" in report.output
    assert "systemctl start joyride-netsvc" in report.output
    assert "refused" not in report.output.replace("Connection refused", "")


def test_read_only_opt(machine: Chroot) -> None:
    machine.sh("mount -t tmpfs tmpfs /opt && mount -o remount,ro /opt")
    refused = machine.apt("install", "joyride-libc", ok=False)
    assert refused.code != 0
    assert "Read-only file system" in refused.output
    machine.run("/bin/true")
    machine.sh("mount -o remount,rw /opt")
    machine.apt("install", "-f", "joyride-libc")
    machine.run("/opt/joyride/ld.so", "/bin/true")


def test_full_disk_while_unpacking(machine: Chroot) -> None:
    machine.sh("mount -t tmpfs -o size=1m tmpfs /opt")
    refused = machine.apt("install", "joyride-libc", "joyride-libc-system", ok=False)
    assert refused.code != 0
    assert "No space left on device" in refused.output
    assert not list((machine.seen / "opt").rglob("*.dpkg-new"))
    machine.run("/bin/true")
    machine.sh("mount -o remount,size=64m /opt")
    machine.apt("install", "-f", "joyride-libc", "joyride-libc-system")
    assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"


def test_full_disk_while_switching(machine: Chroot) -> None:
    """/opt has room, the system's folder has not: the system's libc stays as it is."""
    machine.apt("install", "joyride-libc")
    machine.sh("mount -t tmpfs -o size=64m tmpfs /opt && apt-get -y -q install --reinstall joyride-libc")
    machine.sh("head -c 3G /dev/zero >/filler 2>/dev/null || :")
    refused = machine.try_run("dpkg", "--configure", "-a")
    refused = machine.apt("install", "joyride-libc-system", ok=False)
    assert refused.code != 0
    machine.sh("rm /filler")
    machine.run("/bin/true")
    machine.sh("dpkg --configure -a || :")
    machine.apt("install", "-f", "joyride-libc-system")
    assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    purge(machine)
    machine.run("/bin/true")


def test_another_release(machine: Chroot) -> None:
    """A libc of another release than the system's is refused by name, and the system is left alone."""
    machine.apt("install", "joyride-libc")
    machine.sh("sed -i 's/release version 2.36/release version 2.99/' /opt/joyride/libc.so.6")
    before = machine.files()[SYSTEM_LIBC.replace("/lib/", "usr/lib/", 1)]
    refused = machine.apt("install", "joyride-libc-system", ok=False)
    assert refused.code != 0
    assert "joyride-libc is glibc 2.99, this system's is 2.36: nothing was changed" in refused.output
    assert machine.files()[SYSTEM_LIBC.replace("/lib/", "usr/lib/", 1)] == before
    assert machine.run("dpkg-divert", "--list", "joyride-libc-system") == ""
    machine.apt("purge", "joyride-libc-system")
    machine.apt("install", "--reinstall", "joyride-libc")


def test_autopkgtest(machine: Chroot, tmp_path: Path) -> None:
    """autopkgtest(1) runs what packaging/deb/tests has; "service" carries traffic between two network namespaces."""
    machine.sh("mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && mount --make-shared /")  # for ip-netns(8)
    machine.apt("update")
    tree = tmp_path / "tree"
    subprocess.run(["dpkg-source", "--no-check", "-x", next((OUT / "deb").glob("*.dsc")), tree], check=True)
    alone = ["--ignore-restrictions=isolation-machine"]  # the network namespaces are what it asks for
    argv = ["autopkgtest", "--no-built-binaries", *alone, f"{tree}/", "--", "chroot", str(machine.root)]
    result = machine.try_run(*argv, outside=True, timeout=1800)
    assert result.code == 0, str(result)
    summary = result.output.split("@@@@@@ ")[-1].splitlines()
    assert [line.split()[:2] for line in summary if "PASS" in line] == [["libc", "PASS"], ["service", "PASS"]], str(
        result
    )


def test_debug_symbols(machine: Chroot) -> None:
    """gdb finds them by itself: functions of the service and the libc have lines, and ld.so's own too."""
    machine.apt("update")
    machine.apt("install", "--no-install-recommends", "gdb", "joyride-libc", "joyride-netsvc")
    wanted = {
        "/usr/sbin/joyride-netsvc": ("main", "main.c"),
        "/opt/joyride/libc.so.6": ("keep_fd", "jr-loader.c"),
        "/opt/joyride/ld.so": ("_dl_map_object", "dl-load.c"),
    }
    for program, (function, _) in wanted.items():
        said = machine.try_run("gdb", "-batch", "-ex", f"info line {function}", program).output
        assert "No line number information" in said or "not defined" in said, said
    machine.apt("install", "joyride-libc-dbgsym", "joyride-netsvc-dbgsym")
    for program, (function, file) in wanted.items():
        said = machine.run("gdb", "-batch", "-ex", f"info line {function}", program)
        assert file in said, said
        assert said.startswith("Line "), said


def test_refused_where_the_systems_libc_is_another_release(machine: Chroot) -> None:
    """apt's own words name the release; what is there already stays."""
    machine.sh("sed -i '/^Package: libc6$/,/^$/s/^Version: .*/Version: 2.41-12/' /var/lib/dpkg/status")
    refused = machine.apt("install", "joyride-libc", ok=False)
    assert refused.code != 0
    assert "joyride-libc : Depends: libc6 (< 2.37~) but 2.41-12 is to be installed" in refused.output
    machine.run("/bin/true")
