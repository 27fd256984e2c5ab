# SPDX-License-Identifier: BSD-3-Clause
"""Network topologies made of namespaces.

The pair, which most tests use (`veth_pair()`): one machine on Joyride, one plain peer on the kernel.

      host (service, programs on Joyride)            peer (programs on the stock libc)
    +--------------------------------------+       +-------------------------------+
    |  jr0   10.77.0.1/24   fd77::1/64     |=======|  peer0  10.77.0.2/24 fd77::2  |
    |  lo    127.0.0.1      kernel only    | veth  |  lo                           |
    +--------------------------------------+       +-------------------------------+

The two services (`two_hosts()`): no kernel device between them, the ports are the two ends of one memif socket.

      left                                           right
    +--------------------------------------+       +-------------------------------+
    |  service, port memif0  10.78.0.1/24  |=======|  service  10.78.0.2/24        |
    +--------------------------------------+ memif +-------------------------------+

Segmentation and checksum offloads are off on both ends of the veth unless asked for, so that both stacks put packets of
MTU size on it and the comparison is fair.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import cleanup

CLONE_NEWNET = 0x40000000
OFFLOADS = ("tx", "rx", "sg", "tso", "gso", "gro", "lro")
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One network namespace, made by `ip netns add`; programs are started in it by `ip netns exec`."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.name = cleanup.unique(role)
        ip("netns", "add", self.name)
        self.close = cleanup.defer(lambda: cleanup.delete_netns(self.name))
        self.ip("link", "set", "lo", "up")

    def argv(self, argv: Sequence[object]) -> list[str]:
        """The command line that runs `argv` inside."""
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv: str | Path, timeout: float = 60, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run to the end inside, output captured.

        Raises:
            subprocess.CalledProcessError: it failed and `check` is set.
            subprocess.TimeoutExpired: it took more than `timeout` seconds.
        """
        done = subprocess.run(
            self.argv(argv), capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
        if check and done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stderr[-2000:])
            raise error
        return done

    def ip(self, *args: str) -> str:
        """Run ip(8) on this namespace."""
        return ip("-n", self.name, *args)

    def json(self, *args: str) -> Any:
        """Run ip(8) with JSON output on this namespace."""
        return json.loads(self.ip("-json", "-stats", *args) or "[]")

    def sysctl(self, key: str, value: str | int) -> None:
        """Set a sysctl of this namespace."""
        self.run("sysctl", "-q", "-w", f"{key}={value}")

    def open_socket(self, family: int, kind: int, proto: int = 0) -> socket.socket:
        """A kernel socket of this namespace, usable from the test itself (it stays in the namespace it was made in)."""
        made: list[socket.socket | OSError] = []

        def make() -> None:
            try:
                with open(f"/run/netns/{self.name}", "rb") as handle:  # noqa: PTH123 (a plain fd is all that is wanted)
                    if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                    made.append(socket.socket(family, kind, proto))
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=make)  # setns moves one thread: it ends with the move
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]

    def connect(self, address: str, port: int, timeout: float = 5.0) -> socket.socket:
        """A connected kernel TCP socket of this namespace."""
        sock = self.open_socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
        except OSError:
            sock.close()
            raise
        return sock

    def listen(self, address: str, port: int = 0, backlog: int = 64, timeout: float = 10.0) -> socket.socket:
        """A listening kernel TCP socket of this namespace."""
        sock = self.open_socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(timeout)
        sock.bind((address, port))
        sock.listen(backlog)
        return sock

    def set_resolver(self, nameserver: str) -> None:
        """Have programs in here use `nameserver` (ip netns exec puts the file over /etc/resolv.conf)."""
        folder = Path("/etc/netns", self.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {nameserver}\noptions timeout:2 attempts:2\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")

    def mac(self, device: str) -> bytes:
        """The hardware address of one of its devices."""
        return bytes.fromhex(self.json("link", "show", device)[0]["address"].replace(":", ""))


@dataclass
class Pair:
    """The two ends of a veth; see the drawing at the top."""

    host: Namespace
    peer: Namespace
    host_if: str = "jr0"
    peer_if: str = "peer0"
    host_ip: str = "10.77.0.1"
    peer_ip: str = "10.77.0.2"
    host_ip6: str = "fd77::1"
    peer_ip6: str = "fd77::2"
    mtu: int = 1500
    offload: bool = False

    def link(self, *, up: bool) -> None:
        """Take the peer's end up or down: the host loses carrier."""
        self.peer.ip("link", "set", self.peer_if, "up" if up else "down")

    def drop_share(self, share: float) -> None:
        """Drop this share (0…1) of the packets that leave the peer or arrive at it, by nftables; 0: none."""
        self.peer.run("nft", "flush", "ruleset")
        if share > 0:
            which = f"numgen random mod 10000 < {int(share * 10000)}" if share < 1 else ""
            rules = "".join(
                f"chain {hook} {{ type filter hook {hook} priority 0; {which} drop; }}\n"
                for hook in ("input", "output")
            )
            script = f"table inet jrloss {{ {rules} }}"
            subprocess.run(self.peer.argv(["nft", "-f", "-"]), input=script, text=True, check=True)


@contextlib.contextmanager
def veth_pair(*, mtu: int = 1500, offload: bool = False, queues: int = 1) -> Iterator[Pair]:
    """Two namespaces joined by a veth.

    Args:
        mtu: bytes of IP packet on the wire.
        offload: leave segmentation, receive and checksum offloads on.
        queues: rx and tx queues of both ends.

    Raises:
        subprocess.CalledProcessError: not root, or no ip/ethtool.
    """
    with contextlib.ExitStack() as stack:
        host, peer = Namespace("host"), Namespace("peer")
        stack.callback(host.close)
        stack.callback(peer.close)
        pair = Pair(host, peer, mtu=mtu, offload=offload)
        count = ["numtxqueues", str(queues), "numrxqueues", str(queues)]
        ip("link", "add", pair.host_if, "netns", host.name, *count, "type", "veth",
           "peer", "name", pair.peer_if, "netns", peer.name, *count)  # fmt: skip
        ends = ((host, pair.host_if, pair.host_ip, pair.host_ip6), (peer, pair.peer_if, pair.peer_ip, pair.peer_ip6))
        for ns, device, address, address6 in ends:
            ns.run("sysctl", "-q", "-w", f"net.ipv6.conf.{device}.accept_dad=0", f"net.ipv6.conf.{device}.accept_ra=0")
            ns.ip("link", "set", device, "mtu", str(mtu), "up")
            ns.ip("address", "add", f"{address}/24", "dev", device)
            ns.ip("address", "add", f"{address6}/64", "dev", device, "nodad")
            set_offload(ns, device, on=offload)
        yield pair


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that nothing joins yet: the services' memif ports will."""
    with contextlib.ExitStack() as stack:
        left, right = Namespace("left"), Namespace("right")
        stack.callback(left.close)
        stack.callback(right.close)
        yield left, right


def set_offload(ns: Namespace, device: str, *, on: bool) -> None:
    """Turn segmentation, receive and checksum offloads of a device on or off; those it doesn't have are left alone."""
    value = "on" if on else "off"
    for feature in OFFLOADS:
        ns.run("ethtool", "-K", device, feature, value, check=False)


def ip(*args: str) -> str:
    """Run ip(8); its standard output.

    Raises:
        subprocess.CalledProcessError: with what ip said as a note.
    """
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
        error.add_note(done.stderr)
        raise error
    return done.stdout


def require_root() -> None:
    """Stop with a sentence that says what to do.

    Raises:
        PermissionError: the caller isn't root.
    """
    if os.geteuid() != 0:
        raise PermissionError("network namespaces need root: run this as root, or with sudo")
