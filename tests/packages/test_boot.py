# SPDX-License-Identifier: BSD-3-Clause
"""Whatever happens to an installation, the system starts afterwards; systemd starts the service as its unit says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boot import Boot
from chroot import Chroot
from conftest import OUT, Maker
from harness import netns
from harness.process import wait_until

from ci.packages import base

NEW, OLD = "0.1.0-2", "0.1.0-1"
STANDALONE = ("systemd-standalone-sysusers", "systemd-standalone-tmpfiles")
WITH_SYSTEMD = (*(name for name in base.WITH if name not in STANDALONE), "dbus", "systemd-sysv")


@pytest.fixture(scope="module")
def fresh() -> Path:
    """A fresh Debian with systemd."""
    return base.unpack(base.make_tar(OUT / "base", WITH_SYSTEMD))


@contextlib.contextmanager
def booted(machine: Chroot, netns: str | None = None) -> Iterator[Boot]:
    system = Boot(machine, netns=netns)
    try:
        yield system
    finally:
        system.close()


def check(system: Boot) -> None:
    """It is up, nothing of it failed, and it is of use."""
    assert system.run("systemctl", "is-system-running").strip() == "running", system.run("systemctl", "--failed")
    assert (
        system.run("python3", "-c", "import ssl, socket; print(socket.getaddrinfo('localhost', 80)[0][4][1])") == "80\n"
    )
    assert system.run("perl", "-e", "print getpwuid(0) . ''") == "root"
    assert system.run("systemd-run", "--quiet", "--wait", "--pipe", "/usr/bin/id", "-un") == "root\n"
    assert system.run("apt-get", "--version").startswith("apt ")


def read_only_opt(machine: Chroot) -> None:
    machine.sh("mount -t tmpfs tmpfs /opt && mount -o remount,ro /opt")
    refused = machine.apt("install", "joyride-libc", "joyride-libc-system", ok=False)
    assert "Read-only file system" in refused.output


def disk_full_while_unpacking(machine: Chroot) -> None:
    machine.sh("mount -t tmpfs -o size=1m tmpfs /opt")
    refused = machine.apt("install", "joyride-libc", "joyride-libc-system", ok=False)
    assert "No space left on device" in refused.output


def disk_full_while_switching(machine: Chroot) -> None:
    """/opt has room, the folder of the system's libc has not."""
    machine.apt("install", "joyride-libc")
    machine.apt("download", "joyride-libc-system")
    machine.sh("mount -t tmpfs -o size=64m tmpfs /opt && apt-get -y -q install --reinstall joyride-libc")
    machine.sh("dpkg --unpack /joyride-libc-system_*.deb && { cat /dev/zero >/filler 2>/dev/null || :; }")
    refused = machine.try_run("dpkg", "--configure", "-a")
    machine.sh("rm /filler")
    assert refused.code != 0, str(refused)


def killed_while_switching(machine: Chroot) -> None:
    machine.apt("install", "joyride-libc")
    machine.apt("download", "joyride-libc-system")
    machine.sh("dpkg --unpack /joyride-libc-system_*.deb")
    machine.sh("sh -x /usr/libexec/joyride/system-libc on 2>&1 | sed '/rename-all/q' >/dev/null; :")


def killed_while_unpacking(machine: Chroot) -> None:
    machine.apt("download", "joyride-libc", "joyride-libc-system")
    machine.sh("dpkg --unpack /joyride-libc_*.deb /joyride-libc-system_*.deb & sleep 0.05; kill -9 $!; wait; :")


def out_of_order(machine: Chroot) -> None:
    machine.apt("download", "joyride-libc-system")
    refused = machine.try_run("dpkg", "-i", *(f"/{path.name}" for path in machine.seen.glob("joyride-libc-system_*")))
    assert "depends on joyride-libc" in refused.output


def its_other_half_forced_away(machine: Chroot) -> None:
    machine.apt("install", "joyride-libc-system")
    machine.sh("dpkg --force-depends --purge joyride-libc; rm -rf /opt/joyride")


def stock_libc_deleted(machine: Chroot) -> None:
    """Somebody deletes /opt/stock: the package cannot put back what is gone, and says so."""
    machine.apt("install", "joyride-libc-system")
    machine.sh("rm -rf /opt/stock")
    refused = machine.apt("remove", "joyride-libc-system", ok=False)
    assert refused.code != 0
    assert "the stock libc is not in /opt/stock/lib: Joyride's stays" in refused.output


def twice_and_downgraded(machine: Chroot) -> None:
    names = ("joyride-libc", "joyride-libc-system")
    for version in (NEW, NEW, OLD, OLD):
        machine.apt("install", "--reinstall", "--allow-downgrades", *(f"{name}={version}" for name in names))


def without_the_service(machine: Chroot) -> None:
    machine.apt("install", "--no-install-recommends", "joyride-libc-system")
    assert machine.installed().get("joyride-netsvc", "un") == "un"


def everything(machine: Chroot) -> None:
    machine.apt("install", "joyride", "joyride-libc-system")


def for_another_machine(machine: Chroot) -> None:
    """As a 64-bit system's packages see a 32-bit one."""
    machine.apt("download", "joyride-libc", "joyride-libc-system")
    refused = machine.try_run("sh", "-c", "setarch i686 dpkg -i /joyride-libc*.deb")
    assert "joyride-libc: this is for x86_64, not i686: nothing was changed" in refused.output
    assert "joyride-libc-system: this is for x86_64, not i686: nothing was changed" in refused.output
    assert not (machine.seen / "opt/joyride").exists()


def for_another_glibc(machine: Chroot) -> None:
    machine.apt("install", "joyride-libc")
    machine.sh("sed -i 's/release version 2.36/release version 2.99/' /opt/joyride/libc.so.6")
    refused = machine.apt("install", "joyride-libc-system", ok=False)
    assert "joyride-libc is glibc 2.99, this system's is 2.36: nothing was changed" in refused.output


HAPPENED: list[Callable[[Chroot], None]] = [
    read_only_opt, disk_full_while_unpacking, disk_full_while_switching, killed_while_switching,
    killed_while_unpacking, out_of_order, its_other_half_forced_away, stock_libc_deleted, twice_and_downgraded,
    without_the_service, everything, for_another_machine, for_another_glibc,
]  # fmt: skip


@pytest.mark.parametrize("happened", HAPPENED, ids=lambda function: function.__name__)
def test_boots_after(make_machine: Maker, happened: Callable[[Chroot], None]) -> None:
    machine = make_machine("boots", size="700m" if "full" in happened.__name__ else "2g")
    happened(machine)
    with booted(machine) as system:
        check(system)


CONFIG = '[[port]]\nname = "jr0"\nkind = "af_packet"\ninterface = "jr0"\n[service]\nhugepages_mb = 0\n'
TALK = """
import socket
s = socket.create_connection(("10.77.0.2", 7000), 60)
s.sendall(b"hello"); print(s.recv(100).decode())
print("joyride" if "memfd:j" in open("/proc/self/maps").read() else "kernel")
"""
SERVICE = "joyride-netsvc.service"


def properties(system: Boot) -> dict[str, str]:
    said = system.run("systemctl", "show", SERVICE, "-p", "ActiveState,SubState,MainPID,NRestarts,UnitFileState")
    return dict(line.split("=", 1) for line in said.splitlines())


def talk(system: Boot) -> list[str]:
    return system.run("joyride", "run", "python3", "-c", TALK).split()


@pytest.mark.usefixtures("echo")
def test_the_units(machine: Chroot, pair: netns.Pair) -> None:
    """Neither started nor enabled by itself, nor by presets; then as the unit says, with its limits."""
    machine.apt("install", "joyride")
    (machine.seen / "etc/joyride/netsvc.toml").write_text(CONFIG)
    with booted(machine, pair.host.name) as system:
        check(system)
        system.run("systemctl", "preset-all", "--preset-mode=enable-only")  # as at the first start of an image
        state = properties(system)
        assert (state["ActiveState"], state["UnitFileState"]) == ("inactive", "disabled")
        assert talk(system) == ["hello", "kernel"]

        system.run("systemctl", "start", SERVICE)
        assert properties(system)["SubState"] == "running"
        assert talk(system) == ["hello", "joyride"]
        assert "jr0" in system.run("joyride", "stat")
        status = system.run("cat", f"/proc/{properties(system)['MainPID']}/status")
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status

        system.run("systemctl", "reload", SERVICE)
        assert talk(system) == ["hello", "joyride"]

        system.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", SERVICE)
        wait_until(lambda: properties(system)["NRestarts"] == "1", 90, "systemd starts it again")
        wait_until(lambda: properties(system)["SubState"] == "running", 90, "it is ready again")
        assert talk(system) == ["hello", "joyride"]

        system.run("systemctl", "stop", SERVICE)
        assert properties(system)["ActiveState"] == "inactive"
        assert talk(system) == ["hello", "kernel"]
        assert system.run("systemctl", "is-system-running").strip() == "running"


def test_a_mistake_in_the_configuration(machine: Chroot) -> None:
    """Said once, in the log, and not tried again and again."""
    machine.apt("install", "joyride-netsvc")
    (machine.seen / "etc/joyride/netsvc.toml").write_text("[[port]]\nkind = 7\n")
    with booted(machine) as system:
        assert system.try_run("systemctl", "start", SERVICE).code != 0
        state = properties(system)
        assert (state["ActiveState"], state["NRestarts"]) == ("failed", "0")
        assert "netsvc.toml:2" in system.journal()


def test_units_are_well_formed(machine: Chroot) -> None:
    machine.apt("install", "joyride-netsvc")
    units = [f"/lib/systemd/system/{name}.service" for name in ("joyride-netsvc", "joyride-hugepages")]
    verified = machine.try_run("systemd-analyze", "verify", "--man=no", *units)
    assert (verified.code, verified.output) == (0, "")
    for unit, most in zip(units, (60, 15), strict=True):
        said = machine.try_run("systemd-analyze", "security", "--offline=true", f"--threshold={most}", unit)
        print(said.output.splitlines()[-1] if said.output else "")
        assert said.code == 0, said.output


def test_upgrade_while_it_runs(machine: Chroot, pair: netns.Pair) -> None:
    """systemd starts the new version where the old one ran."""
    names = ("joyride-netsvc", "joyride-libc", "joyride-tools")
    machine.apt("install", *(f"{name}={OLD}" for name in names))
    (machine.seen / "etc/joyride/netsvc.toml").write_text(CONFIG)
    (machine.seen / "usr/sbin/policy-rc.d").unlink()
    with booted(machine, pair.host.name) as system:
        system.run("systemctl", "start", SERVICE)
        before = properties(system)["MainPID"]
        install = ["apt-get", "-y", "-q", "-o", "APT::Sandbox::User=root", "install"]
        system.run(*install, *(f"{name}={NEW}" for name in names))
        wait_until(lambda: properties(system)["SubState"] == "running", 90, "the new one is ready")
        assert properties(system)["MainPID"] != before
        system.run("apt-get", "-y", "-q", "purge", *names)
        assert "joyride" not in system.run("systemctl", "list-units", "--all", "--no-legend")
        assert system.run("systemctl", "is-system-running").strip() == "running"
