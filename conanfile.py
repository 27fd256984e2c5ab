# SPDX-License-Identifier: BSD-3-Clause
"""What Joyride needs from the distribution, and the compiler settings that meson is given.

`conan install .` with `-c tools.system.package_manager:mode=install` installs the missing packages; mode=check only
names them. Nothing comes from a Conan remote: DPDK and the libraries are the distribution's.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from conan import ConanFile
from conan.tools.meson import MesonToolchain
from conan.tools.system.package_manager import Apt, Dnf

BUILD_APT = [
    "bison", "ccache", "clang", "gawk", "gcc", "gcc-12", "libbpf-dev", "libbsd-dev", "libc6-dev", "libdpdk-dev",
    "libelf-dev", "libmnl-dev", "libnuma-dev", "libxdp-dev", "linux-libc-dev", "llvm", "make", "pkg-config",
    "python3-minimal", "xz-utils",
]  # fmt: skip
TEST_APT = [
    "bind9-dnsutils", "binutils", "bpftool", "curl", "dnsmasq-base", "ethtool", "iperf3", "iproute2", "iputils-ping",
    "nftables", "nginx-light", "openssl", "procps", "python3", "redis-server", "redis-tools", "socat", "spin",
    "tcpdump", "valgrind",
]  # fmt: skip
LINT_APT = ["clang-format", "clang-tidy"]
APPS_APT = [
    "apache2", "apache2-utils", "aria2", "bind9", "bind9-dnsutils", "busybox-static", "chrony", "coturn", "curl",
    "dante-server", "distcc", "dnsmasq-base", "dovecot-imapd", "exim4-daemon-light", "ffmpeg", "gcc", "git",
    "golang-go", "haproxy", "iperf", "iperf3", "ldap-utils", "lftp", "libnbd-bin", "libopenmpi-dev",
    "libpython3.11-testsuite", "lighttpd", "mariadb-client", "mariadb-server", "memcached", "mosh", "mosquitto",
    "mosquitto-clients", "ncat", "netcat-openbsd", "nghttp2-client", "nghttp2-server", "nginx-light", "nmap",
    "nodejs", "nuttcp", "openjdk-17-jdk-headless", "openmpi-bin", "openssh-client", "openssh-server", "openssl",
    "openvpn", "perl", "pgbouncer", "php-cli", "php-fpm", "postgresql", "proxychains4", "python3", "python3-aiohttp",
    "python3-grpcio", "python3-gunicorn", "python3-requests", "python3-tornado", "python3-zmq", "qemu-utils",
    "redis-server", "redis-tools", "rsync", "ruby", "samba", "siege", "slapd", "smbclient", "snmp", "snmpd", "socat",
    "sockperf", "squid", "stress-ng", "stunnel4", "subversion", "systemd", "tftpd-hpa", "tinyproxy-bin", "unbound",
    "uwsgi-core", "uwsgi-plugin-python3", "varnish", "vsftpd", "wget", "wrk", "xinetd",
]  # fmt: skip

BUILD_DNF = [
    "bison", "ccache", "clang", "dpdk-devel", "elfutils-libelf-devel", "gawk", "gcc", "libbpf-devel",
    "libbsd-devel", "libmnl-devel", "libxdp-devel", "llvm", "make", "numactl-devel", "pkgconf-pkg-config", "xz",
]  # fmt: skip
TEST_DNF = [
    "bind-utils", "binutils", "bpftool", "curl", "dnsmasq", "ethtool", "iperf3", "iproute", "iputils",
    "nftables", "nginx", "openssl", "procps-ng", "python3", "redis", "socat", "tcpdump", "valgrind",
]  # fmt: skip
LINT_DNF = ["clang-tools-extra"]

PACKAGE_APT = [
    "apt-utils", "autopkgtest", "createrepo-c", "debhelper", "debugedit", "dh-python", "dnf", "docker-compose",
    "docker.io", "dpkg-dev", "elfutils", "ethtool", "file", "gnupg", "iproute2", "iptables", "lintian",
    "mmdebstrap", "nftables", "procps", "rpm", "rpmlint",
]  # fmt: skip
PACKAGE_DNF = ["createrepo_c", "debugedit", "elfutils", "gnupg2", "iptables", "moby-engine", "rpm-build", "rpmlint"]

DAEMONS = {  # service: program; the tests start their own, the packages' must not run
    "apache2": "apache2", "chrony": "chronyd", "containerd": "containerd", "coturn": "turnserver", "danted": "danted",
    "distcc": "distccd", "docker": "dockerd", "dovecot": "dovecot", "exim4": "exim4", "haproxy": "haproxy",
    "lighttpd": "lighttpd", "mariadb": "mariadbd", "memcached": "memcached", "mosquitto": "mosquitto",
    "named": "named", "nginx": "nginx", "nmbd": "nmbd", "openvpn": "openvpn", "pgbouncer": "pgbouncer",
    "php8.2-fpm": "php-fpm8.2", "postgresql": "pg_ctlcluster", "redis-server": "redis-server", "samba-ad-dc": "samba",
    "slapd": "slapd", "smbd": "smbd", "snmpd": "snmpd", "squid": "squid", "ssh": "sshd", "stunnel4": "stunnel",
    "svnserve": "svnserve", "tftpd-hpa": "in.tftpd", "unbound": "unbound", "uwsgi": "uwsgi-core",
    "varnish": "varnishd", "vsftpd": "vsftpd", "xinetd": "xinetd",
}  # fmt: skip
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# joyride: packages installed for its tests start no services\nexit 101\n"


class Joyride(ConanFile):
    """System packages and toolchain."""

    name = "joyride"
    version = (Path(__file__).parent / "tools/joyride/VERSION").read_text().strip()
    license = "BSD-3-Clause AND LGPL-2.1-or-later"
    settings = "os", "arch", "compiler", "build_type"
    options = {"tests": [True, False], "lint": [True, False], "apps": [True, False], "packages": [True, False]}  # noqa: RUF012 (Conan's way)
    default_options = {"tests": True, "lint": False, "apps": False, "packages": False}  # noqa: RUF012

    def system_requirements(self) -> None:
        """Install, or name, the packages that are missing."""
        fresh = [daemon for daemon, program in DAEMONS.items() if not _installed(program)]
        with _starting_no_services(self.conf.get("tools.system.package_manager:mode") == "install"):
            Apt(self).install(
                self._wanted(BUILD_APT, TEST_APT, LINT_APT, APPS_APT, PACKAGE_APT), update=True, check=True
            )
            Dnf(self).install(self._wanted(BUILD_DNF, TEST_DNF, LINT_DNF, [], PACKAGE_DNF), update=True, check=True)
        for daemon in fresh:
            if _installed(DAEMONS[daemon]) and shutil.which("systemctl"):
                subprocess.run(["systemctl", "disable", "--quiet", daemon], check=False, capture_output=True)

    def generate(self) -> None:
        """Write meson's native file."""
        toolchain = MesonToolchain(self)
        toolchain.b_ndebug = "false"  # assertions stay: they guard the trust border
        if shutil.which("ccache"):
            toolchain.c = ["ccache", "gcc"]
        toolchain.generate()

    def _wanted(self, build: list[str], *optional: list[str]) -> list[str]:
        chosen = dict(zip(("tests", "lint", "apps", "packages"), optional, strict=True))
        return sorted({*build, *(p for name, found in chosen.items() if self.options.get_safe(name) for p in found)})


def _installed(program: str) -> bool:
    return shutil.which(program, path="/usr/sbin:/usr/bin") is not None


@contextlib.contextmanager
def _starting_no_services(installing: bool) -> Iterator[None]:
    """Debian starts what it installs, unless policy-rc.d says no (invoke-rc.d(8))."""
    if not installing or not POLICY.parent.is_dir() or (POLICY.exists() and POLICY.read_text() != POLICY_TEXT):
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
