# SPDX-License-Identifier: BSD-3-Clause
"""stress-ng's stressors of sockets, datagrams, polling and descriptors, with their own verification."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite

SECONDS = 3
STRESSORS = (
    "sock", "sock --sock-domain ipv6", "sock --sock-type stream --sock-opts send", "sock --sock-opts sendmsg",
    "sock --sock-opts sendmmsg", "sock --sock-zerocopy", "sock --sock-nodelay", "sock --sock-domain unix",
    "sockabuse", "sockdiag", "sockfd", "sockmany", "sockpair", "udp", "udp --udp-domain ipv6", "udp --udp-gro",
    "udp --udp-lite", "udp-flood", "epoll --epoll-domain ipv4", "epoll --epoll-domain ipv6", "epoll", "poll",
    "sendfile", "dup", "close", "fd-race", "pipe", "fork", "vfork", "clone", "daemon", "exec", "kill", "sigio",
    "signal", "sigpipe", "eventfd", "timerfd", "splice", "tee", "vm-splice", "dccp", "sctp", "rawudp", "rawsock",
    "icmp-flood", "ping-sock", "netdev", "netlink-task", "hdd", "io-uring", "enosys", "switch", "pthread", "revio",
    "mmapfork", "spawn", "zombie", "dynlib", "fanotify", "handle", "inotify",
)  # fmt: skip


def jobs(_tree: Path) -> list[Job]:
    """A job for each stressor."""
    found = []
    for what in STRESSORS:
        stressor, _, options = what.partition(" ")
        command = f"stress-ng --{stressor} 1 {options} --timeout {SECONDS} --verify --metrics-brief --temp-path /tmp"
        found.append(Job(what, f"{command} 2>&1", SECONDS + 40))
    return found


Suite("stress-ng", jobs, packages=("stress-ng",))
