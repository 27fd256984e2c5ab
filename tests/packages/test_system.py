# SPDX-License-Identifier: BSD-3-Clause
"""joyride-libc-system: the system's libc is replaced, updated around, and put back."""

from __future__ import annotations

import pytest
from chroot import Chroot
from conftest import Maker

LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
MAPS = ["perl", "-e", "open F, '/proc/self/maps'; print <F>"]


@pytest.fixture
def system(make_machine: Maker) -> Chroot:
    """A machine whose system libc is Joyride's."""
    made = make_machine("system")
    made.apt("install", "joyride-libc-system")
    return made


def is_ours(machine: Chroot, path: str) -> bool:
    return b"/run/joyride/netsvc.sock" in (machine.seen / path.lstrip("/")).read_bytes()


def test_every_program_is_on_it(system: Chroot) -> None:
    assert is_ours(system, LIBC)
    assert not is_ours(system, "/opt/stock/lib/libc.so.6")
    assert "/opt/stock" not in system.run(*MAPS)
    assert system.run("readlink", "/proc/self/exe") == "/usr/bin/readlink\n"
    system.apt("update", "-o", "Dir::Etc::SourceList=/dev/null")
    assert system.run("python3", "-c", "print(6 * 7)") == "42\n"
    assert system.run("dpkg", "--verify") == ""
    assert system.run("dpkg", "--audit") == ""


def test_one_program_back_on_the_stock_libc(system: Chroot) -> None:
    maps = system.run("/opt/stock/ld.so", "/usr/bin/" + MAPS[0], *MAPS[1:])
    assert "/opt/stock/lib/libc.so.6" in maps
    assert "/opt/stock/lib/ld-linux-x86-64.so.2" in maps
    # its children are the system's again
    assert "/opt/stock" not in system.run("/opt/stock/ld.so", "/bin/sh", "-c", "cat /proc/self/maps; :")
    missing = system.try_run("/opt/stock/ld.so", "/no/such/program")
    assert missing.code == 127
    system.sh("mkdir /empty && cp /opt/stock/ld.so /empty")
    alone = system.try_run("/empty/ld.so", "/bin/true")
    assert alone.code == 127
    assert "is not set aside here" in alone.output


def test_mixed_files_work(system: Chroot) -> None:
    """What a program started between the two renames gets."""
    ours, stock = "/opt/joyride", "/opt/stock/lib"
    for loader, libc in (("ld.so", stock), ("ld-linux-x86-64.so.2", ours)):
        folder = stock if libc == ours else ours
        system.sh(f"mkdir /mixed && cp {folder}/{loader} /mixed/ld && cp {libc}/libc.so.6 /mixed/")
        assert system.run("/mixed/ld", "--library-path", "/mixed", "/usr/bin/perl", "-e", "print getpwuid(0)")
        system.sh("rm -r /mixed")


def test_programs_run_on_while_it_comes_and_goes(make_machine: Maker) -> None:
    """A program that starts programs all the time never sees one fail."""
    machine = make_machine("busy")
    loop = "while [ ! -e /stop ]; do /bin/true && /usr/bin/id -un >/dev/null || echo broken; done; echo done"
    loops = [machine.start("sh", "-c", loop) for _ in range(2)]
    for _ in range(3):
        machine.apt("install", "joyride-libc-system")
        machine.apt("remove", "joyride-libc-system")
    machine.sh("touch /stop")
    for one in loops:
        said, _ = one.communicate(timeout=120)
        assert said == "done\n"


def test_updates_of_libc6_go_beside(system: Chroot) -> None:
    """Reinstalling libc6 stands for a security update: the diversion takes its files, and ours stay."""
    system.apt("update")
    system.apt("download", "libc6")
    packages = [p.name for p in system.seen.glob("libc6_*.deb")]
    assert packages
    system.run("dpkg", "-i", *(f"/{name}" for name in packages))
    assert is_ours(system, LIBC)
    assert not is_ours(system, "/opt/stock/lib/libc.so.6")
    system.run("/opt/stock/ld.so", "/bin/true")
    assert system.run("dpkg", "--verify", "libc6") == ""
    system.apt("purge", "joyride-libc-system")
    assert not is_ours(system, LIBC)
    assert not (system.seen / "opt/stock").exists()
    assert system.run("dpkg", "--verify", "libc6") == ""


UPDATE = "2.36-9+deb12u99"
REPACK = """
dpkg-deb -R /libc6_*_amd64.deb /new
printf update >>/new/lib/x86_64-linux-gnu/libc.so.6
sed -i 's/^Version: .*/Version: {version}/' /new/DEBIAN/control
cd /new && md5sum $(find * -type f ! -path 'DEBIAN/*') >DEBIAN/md5sums
mkdir /update && dpkg-deb -Z none -b /new /update/libc6.deb && cd /update
{{ dpkg-deb -f libc6.deb && echo Filename: ./libc6.deb && stat -c 'Size: %s' libc6.deb &&
    sha256sum libc6.deb | sed 's/^\\([^ ]*\\).*/SHA256: \\1/'; }} >Packages
echo 'deb [trusted=yes] file:/update ./' >/etc/apt/sources.list.d/update.list
"""


def test_apt_upgrades_libc6(system: Chroot) -> None:
    """A security update from an archive: its files go beside, in one piece, and are the system's when ours is gone."""
    system.apt("update")
    system.apt("download", "libc6")
    system.sh(REPACK.format(version=UPDATE))
    system.apt("update", "-o", "Dir::Etc::SourceParts=/none", "-o", "Dir::Etc::SourceList=sources.list.d/update.list")
    ours = (system.seen / LIBC.lstrip("/")).stat()
    said = system.apt("upgrade", "--with-new-pkgs").output
    assert f"the system has {UPDATE} now: its fixes come with the next joyride-libc" in said
    now = (system.seen / LIBC.lstrip("/")).stat()
    assert (now.st_ino, now.st_mtime_ns) == (ours.st_ino, ours.st_mtime_ns)
    assert (system.seen / "opt/stock/lib/libc.so.6").read_bytes().endswith(b"update")
    assert system.run("dpkg-query", "-W", "-f=${Version}", "libc6") == UPDATE
    system.run("/opt/stock/ld.so", "/usr/bin/perl", "-e", "print getpwuid(0)")
    assert system.run(*MAPS)
    assert (system.run("dpkg", "--verify"), system.run("dpkg", "--audit")) == ("", "")
    system.apt("purge", "joyride-libc-system", "joyride-libc")
    assert (system.seen / LIBC.lstrip("/")).read_bytes().endswith(b"update")
    assert (system.run("dpkg", "--verify"), system.run("dpkg", "--audit")) == ("", "")
    assert not list((system.seen / "opt").iterdir())


def test_updates_after_it_was_switched_off_by_hand(system: Chroot) -> None:
    """dpkg still diverts: the update becomes the system's when the package goes."""
    system.run("/usr/libexec/joyride/system-libc", "off")
    assert not is_ours(system, LIBC)
    system.apt("update")
    system.apt("download", "libc6")
    system.sh(REPACK.format(version=UPDATE))
    system.run("dpkg", "-i", "/update/libc6.deb")
    system.apt("purge", "joyride-libc-system", "joyride-libc")
    assert (system.seen / LIBC.lstrip("/")).read_bytes().endswith(b"update")
    assert (system.run("dpkg", "--verify"), system.run("dpkg", "--audit")) == ("", "")


def test_another_release_of_libc6_needs_it_gone(system: Chroot) -> None:
    """apt does not upgrade to a glibc that the other half would not fit."""
    control = r"Package: libc6\nVersion: 2.41-12\nArchitecture: amd64\nMaintainer: x <x@x>\nDescription: fake\n"
    system.sh(f"mkdir -p /fake/DEBIAN && printf '{control}' >/fake/DEBIAN/control")
    system.sh("dpkg-deb -b /fake /libc6_2.41-12_amd64.deb")
    plan = system.apt("install", "-s", "/libc6_2.41-12_amd64.deb", ok=False)
    assert plan.code != 0 or "Remv joyride-libc-system" in plan.output
    refused = system.try_run("dpkg", "-i", "/libc6_2.41-12_amd64.deb")
    assert refused.code != 0
    assert "joyride-libc-system conflicts with libc6" in refused.output
    system.run("/bin/true")
    assert is_ours(system, LIBC)


def test_interrupted_anywhere(make_machine: Maker) -> None:
    """The switch is killed at every step: the next start of any program works, and a second try succeeds."""
    machine = make_machine("cut")
    machine.apt("install", "joyride-libc")
    machine.apt("download", "joyride-libc-system")
    machine.sh("dpkg --unpack /joyride-libc-system_*.deb")
    steps = machine.run("sh", "-c", "sh -x /usr/libexec/joyride/system-libc on 2>&1 | grep -c '^+'")
    machine.run("/usr/libexec/joyride/system-libc", "off")
    count = int(steps)
    assert count > 10
    for step in range(0, count, 3):  # head closes the pipe, and the shell dies of what it traces next
        machine.sh(f"sh -x /usr/libexec/joyride/system-libc on 2>&1 | head -n {step} >/dev/null; :")
        machine.run("/bin/true")
    machine.sh("dpkg --configure -a")
    assert is_ours(machine, LIBC)
    machine.apt("purge", "joyride-libc-system", "joyride-libc")
    assert not is_ours(machine, LIBC)
