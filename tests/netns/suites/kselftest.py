# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's own tests of sockets, epoll, descriptors and processes: tools/testing/selftests, without its scripts."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, tap

TREE = "tools/testing/selftests"
UNPACK = f"""
tar --strip-components=1 -xf /usr/src/linux-source-6.12.tar.xz \
    linux-source-6.12/{TREE} linux-source-6.12/tools/include linux-source-6.12/usr/include
mkdir bin
for file in {TREE}/filesystems/epoll/*.c {TREE}/net/*.c {TREE}/net/af_unix/*.c {TREE}/pidfd/*.c {TREE}/clone3/*.c \
    {TREE}/filesystems/eventfd/*.c {TREE}/core/*.c {TREE}/proc/fd*.c \
    {TREE}/exec/execveat.c {TREE}/splice/splice_read.c \
    {TREE}/syscall_user_dispatch/sud_test.c; do
    name=$(basename "$file" .c)
    (cd "$(dirname "$file")" && gcc -w -O1 -D_GNU_SOURCE -idirafter "$OLDPWD/usr/include" -I. \
        -o "$OLDPWD/bin/$name" "$name.c" -lpthread -lcap) || rm -f "bin/$name"  # a few want libraries or another kernel
done
test -x bin/epoll_wakeup_test
"""
PORTS = "sysctl -qw net.ipv4.ip_local_port_range='32768 32768' net.ipv4.ip_autobind_reuse=1"
WITH_TAP = (
    "epoll_wakeup_test", "so_netns_cookie", "sk_bind_sendto_listen",
    "close_range_test", "pidfd_getfd_test", "pidfd_open_test", "pidfd_poll_test", "pidfd_fdinfo_test", "pidfd_test",
    "pidfd_wait", "bind_wildcard", "bind_timewait", "ip_local_port_range", "sk_so_peek_off", "so_incoming_cpu",
    "epoll_busy_poll", "eventfd_test", "scm_rights", "clone3", "clone3_clear_sighand", "sud_test", "unix_connect",
)  # fmt: skip
PLAIN = (
    "socket", "sk_connect_zero_addr", "reuseport_bpf", "reuseport_bpf_cpu", "reuseport_dualstack", "reuseport_addr_any",
    "reuseaddr_conflict", "tcp_inq -4", "tcp_inq -6", "ipv6_flowlabel", "execveat", "fd-001-lookup", "fd-002-posix-eq",
    "udpgso -4 -C", "udpgso -4 -C -s", "udpgso -6 -C", "udpgso -6 -C -s", "udpgso -4 -c", "udpgso -4 -C -m",
    "udpgso -6 -C -m", "rxtimestamp", "rxtimestamp --tcp", "rxtimestamp --udp", "rxtimestamp --ip",
    *(f"txtimestamp {way}{family}" for way in ("", "-u ", "-C ", "-u -C ", "-n ", "-u -n ")
      for family in ("-4 -L 127.0.0.1", "-6 -L ::1")),
    *(f"tcp_fastopen_backup_key {way}" for way in ("-4", "-6", "-4s", "-6s", "-4r", "-6r", "-4sr", "-6sr")),
    "stress_reuseport_listen 100",
)  # fmt: skip


def jobs(tree: Path) -> list[Job]:
    """A job for each program that could be built."""
    bin_ = tree / "bin"
    found = [Job(name, f"bin/{name}", 300, tap) for name in WITH_TAP if (bin_ / name).exists()]
    for what in PLAIN:
        if (bin_ / what.split()[0]).exists():
            found.append(Job(what, f"sysctl -qw net.ipv4.tcp_fastopen=3; bin/{what} 2>&1", 100))
    found.append(Job("ports exhausted", f"{PORTS}; bin/reuseaddr_ports_exhausted", 100, tap))
    bind = "ulimit -n 40000; ip addr add 127.0.0.2/32 dev lo; bin/bind_bhash 443 ipv4 127.0.0.2"
    found.append(Job("bind_bhash", bind, 200))
    return found


KNOWN = {
    "reuseport_bpf*": "Options for the kernel alone",
    "txtimestamp *": "Options for the kernel alone",
    "udpgso *": "The size of loopback's packets",
    "global.reuseaddr_ports_exhausted_*": "Ports that are chosen",
}
Suite(
    "kselftest", jobs, packages=("linux-source-6.12", "linux-libc-dev", "libcap-dev", "gcc"), build=UNPACK, known=KNOWN
)
