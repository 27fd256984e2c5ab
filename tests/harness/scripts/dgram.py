# SPDX-License-Identifier: BSD-3-Clause
"""What a program sees of datagrams: one fact a line, the same on every stack.

echo ADDRESS PORT        send back every datagram with TTL 33 and TOS 0x28; an empty one is told the sizes of the last
ask ADDRESS PORT CLOSED  talk to such an echo, and to a closed port of the same host
group GROUP PORT         print the first datagram for the group
trace ADDRESS PORT       send with growing TTL and print who tells that it was not enough
tell GROUP PORT TEXT IF  send TEXT to the group by the interface with address IF, until killed
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections.abc import Callable

IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_MTU_DISCOVER, IP_MTU = 8, 11, 12, 13, 10, 14
IP_PMTUDISC_DO, MSG_ERRQUEUE, UDP_SEGMENT, SO_TIMESTAMPNS = 2, 0x2000, 103, 35


def echo(address: str, port: str) -> None:
    """Answer for ever."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 33)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
    sock.bind((address, int(port)))
    print("listening", flush=True)
    sizes: list[int] = []
    while True:
        data, sender = sock.recvfrom(70000)
        sizes.append(len(data))
        sock.sendto(data if data else " ".join(map(str, sizes[-4:-1])).encode(), sender)


def control(sock: socket.socket) -> dict[tuple[int, int], bytes]:
    """The ancillary data of the next datagram."""
    _, found, _, _ = sock.recvmsg(70000, 512)
    return {(level, kind): data for level, kind, data in found}


def refused(address: str, port: str) -> None:
    """Tell what the error queue says about a closed port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.sendto(b"lost", (address, int(port)))
    poll = select.poll()
    poll.register(sock, 0)
    print("poll", [what for _, what in poll.poll(3000)])
    data, found, flags, dst = sock.recvmsg(100, 512, MSG_ERRQUEUE)
    level, kind, error = found[0]
    print("error", level, kind, struct.unpack("IBBBxII", error[:16]), error[20:24].hex(), flags & MSG_ERRQUEUE)
    print("of", data, dst)
    print("pending", sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def ask(address: str, port: str, closed: str) -> None:
    """Print the facts."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for level, name in ((0, IP_PKTINFO), (0, IP_RECVTTL), (0, IP_RECVTOS), (1, SO_TIMESTAMPNS)):
        sock.setsockopt(level, name, 1)
    sock.settimeout(5)
    sock.connect((address, int(port)))
    sock.send(b"hello")
    seen = control(sock)
    seconds, _ = struct.unpack("ll", seen[1, SO_TIMESTAMPNS])
    print("ttl", seen[0, 2].hex(), "tos", seen[0, 1].hex(), "fresh", abs(time.time() - seconds) < 5)
    print("to", seen[0, IP_PKTINFO][8:].hex(), "index", struct.unpack("i", seen[0, IP_PKTINFO][:4])[0] > 0)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
    sock.send(bytes(2500))
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
    for _ in range(3):
        sock.recv(2000)
    sock.send(b"")
    print("pieces", sock.recv(100))
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    print("mtu", sock.getsockopt(socket.IPPROTO_IP, IP_MTU))
    try:
        sock.send(bytes(1473))
    except OSError as e:
        print("too long", e.errno)
    refused(address, closed)


def trace(address: str, port: str) -> None:
    """What traceroute does."""
    for ttl in (1, 2):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.sendto(b"probe", (address, int(port)))
        poll = select.poll()
        poll.register(sock, 0)
        poll.poll(5000)
        data, found, _, dst = sock.recvmsg(100, 512, MSG_ERRQUEUE)
        error = found[0][2]
        print(ttl, data, dst[0], struct.unpack("IBBB", error[:7]), socket.inet_ntoa(error[20:24]))


def group(address: str, port: str) -> None:
    """Join and wait."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", int(port)))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(address) + bytes(4))
    print("joined", flush=True)
    print(sock.recv(100).decode())


def tell(address: str, port: str, text: str, by: str) -> None:
    """Send a datagram every tenth of a second."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(by))
    while True:
        sock.sendto(text.encode(), (address, int(port)))
        time.sleep(0.1)


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {"echo": echo, "ask": ask, "group": group, "trace": trace, "tell": tell}
    commands[sys.argv[1]](*sys.argv[2:])
