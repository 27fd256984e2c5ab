# SPDX-License-Identifier: BSD-3-Clause
"""Debian 13, with glibc 2.41, its compiler and its DPDK: the same sources, built and tested there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chroot import Chroot
from conftest import OUT

from ci.packages import base
from ci.packages.run import say
from ci.packages.version import REPO

SUITE = "trixie"
PACKAGES = (
    "bind9-dnsutils", "bison", "ca-certificates", "clang", "curl", "dnsmasq-base", "ethtool", "gawk", "gcc",
    "glibc-source", "iperf3", "iproute2", "iputils-ping", "libbpf-dev", "libdpdk-dev", "libmnl-dev", "make", "meson",
    "nginx-light", "openssl", "pkgconf", "procps", "python3-jinja2", "python3-jsonschema", "python3-pyelftools",
    "python3-pytest", "python3-yaml", "redis-server", "socat", "tcpdump", "xz-utils",
)  # fmt: skip
SERVICE = "/build/meson/netsvc/main/joyride-netsvc"
BUILD_SERVICE = "meson setup /build/meson /repo && ninja -C /build/meson netsvc/main/joyride-netsvc"
BUILD_LIBC = "cd /repo && python3 -m ci.libc install --builddir /build/libc"
ENVIRONMENT = [
    f"JOYRIDE_SERVICE={SERVICE}", "JOYRIDE_LIBC=/opt/joyride", "JOYRIDE_BUILD=/build", "PYTHONDONTWRITEBYTECODE=1",
]  # fmt: skip
PYTEST = ["env", "-C", "/repo", *ENVIRONMENT, "python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
MAPS = "import ssl, ctypes; print(open('/proc/self/maps').read())"


@pytest.fixture(scope="module")
def machine() -> Iterator[Chroot]:
    """A machine with that release, where service and libc are built."""
    fresh = base.unpack(base.make_tar(OUT / "base", PACKAGES, suite=SUITE))
    with tempfile.TemporaryDirectory(prefix="joyride-chroot") as work:
        made = Chroot(fresh, Path(work) / SUITE, REPO, size="10g")
        try:
            made.sh(
                "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && mount --make-shared /"
            )  # for ip-netns(8)
            for what, script in (("service", BUILD_SERVICE), ("libc", BUILD_LIBC)):
                say(f"building the {what} on Debian 13")
                made.run("env", "PYTHONDONTWRITEBYTECODE=1", "sh", "-ec", script, timeout=7200)
            yield made
        finally:
            made.close()


def pytest_in(machine: Chroot, *words: str) -> None:
    result = machine.try_run(*PYTEST, *words, timeout=1800)
    assert result.code == 0, str(result)
    print(result.output.splitlines()[-1])


def test_the_release(machine: Chroot) -> None:
    assert "release version 2.41" in machine.run("/opt/joyride/ld.so", "/opt/joyride/libc.so.6")
    assert "/opt/joyride/libc.so.6" in machine.run("/opt/joyride/ld.so", "/usr/bin/python3", "-c", MAPS)


def test_symbols(machine: Chroot) -> None:
    """It exports what that release's libc6 exports."""
    pytest_in(machine, "tests/abi")


@pytest.mark.parametrize("file", ["programs", "sockets", "readiness", "fork", "local", "routing", "death"])
def test_real_programs(machine: Chroot, file: str) -> None:
    """Traffic through the service, compared with the kernel's."""
    pytest_in(machine, f"tests/netns/test_{file}.py")
