# SPDX-License-Identifier: BSD-3-Clause
"""Hand-made Ethernet frames, right or wrong in one chosen place, sent from a namespace by an AF_PACKET socket.

Layouts from RFC 791 (IPv4), 8200 (IPv6), 9293 (TCP), 768 (UDP), 792 (ICMP), 826 (ARP).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass, field

from .netns import Namespace, Pair

ETH_P_ALL = 0x0003
ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(dst: bytes, src: bytes, kind: int, payload: bytes) -> bytes:
    """An Ethernet II frame without padding."""
    return dst + src + struct.pack("!H", kind) + payload


@dataclass
class Ipv4:
    """An IPv4 packet; fields left None are filled in correctly."""

    src: str
    dst: str
    proto: int
    payload: bytes = b""
    version: int = 4
    ihl: int = 5
    total: int | None = None
    ident: int = 1
    flags_offset: int = 0x4000
    ttl: int = 64
    csum: int | None = None
    options: bytes = b""

    def build(self) -> bytes:
        """Its bytes."""
        ihl = self.ihl + len(self.options) // 4
        total = 20 + len(self.options) + len(self.payload) if self.total is None else self.total
        addresses = ipaddress.IPv4Address(self.src).packed + ipaddress.IPv4Address(self.dst).packed

        def head(csum: int) -> bytes:
            first = struct.pack("!BBHHHBBH", self.version << 4 | ihl, 0, total, self.ident, self.flags_offset, self.ttl,
                                self.proto, csum)  # fmt: skip
            return first + addresses + self.options

        return head(checksum(head(0)) if self.csum is None else self.csum) + self.payload


@dataclass
class Tcp:
    """A TCP segment; `offset` in words and `csum` are filled in correctly when left None."""

    sport: int
    dport: int
    seq: int = 1000
    ack: int = 0
    flags: int = SYN
    window: int = 65535
    options: bytes = b""
    payload: bytes = b""
    offset: int | None = None
    csum: int | None = None
    urgent: int = 0

    def build(self, src: str, dst: str) -> bytes:
        """Its bytes, with the checksum over the pseudo header of src and dst."""
        offset = 5 + len(self.options) // 4 if self.offset is None else self.offset

        def whole(csum: int) -> bytes:
            head = struct.pack("!HHIIBBHHH", self.sport, self.dport, self.seq & 0xFFFFFFFF, self.ack & 0xFFFFFFFF,
                               offset << 4, self.flags, self.window, csum, self.urgent)  # fmt: skip
            return head + self.options + self.payload

        return whole(_l4_checksum(src, dst, 6, whole(0)) if self.csum is None else self.csum)


@dataclass
class Udp:
    """A UDP datagram; length and checksum are filled in correctly when left None."""

    sport: int
    dport: int
    payload: bytes = b""
    length: int | None = None
    csum: int | None = None

    def build(self, src: str, dst: str) -> bytes:
        """Its bytes."""
        length = 8 + len(self.payload) if self.length is None else self.length

        def whole(csum: int) -> bytes:
            return struct.pack("!HHHH", self.sport, self.dport, length, csum) + self.payload

        return whole((_l4_checksum(src, dst, 17, whole(0)) or 0xFFFF) if self.csum is None else self.csum)


@dataclass
class Sender:
    """Sends frames from the peer of a pair to its host."""

    pair: Pair
    sock: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.sock = raw_socket(self.pair.peer, self.pair.peer_if)
        self.src_mac = self.pair.peer.mac(self.pair.peer_if)
        self.dst_mac = self.pair.host.mac(self.pair.host_if)

    def frame(self, kind: int, payload: bytes) -> None:
        """Send one Ethernet frame."""
        self.sock.send(ethernet(self.dst_mac, self.src_mac, kind, payload))

    def ipv4(self, proto: int, payload: bytes = b"", **fields: int | bytes | str | None) -> None:
        """Send one IPv4 packet; `fields` are those of Ipv4."""
        values: dict[str, object] = {"src": self.pair.peer_ip, "dst": self.pair.host_ip, **fields}
        self.frame(ETH_P_IP, Ipv4(proto=proto, payload=payload, **values).build())  # type: ignore[arg-type]

    def tcp(self, segment: Tcp, **ip_fields: int | bytes | str | None) -> None:
        """Send one TCP segment over IPv4."""
        self.ipv4(6, segment.build(self.pair.peer_ip, self.pair.host_ip), **ip_fields)

    def udp(self, datagram: Udp, **ip_fields: int | bytes | str | None) -> None:
        """Send one UDP datagram over IPv4."""
        self.ipv4(17, datagram.build(self.pair.peer_ip, self.pair.host_ip), **ip_fields)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def raw_socket(ns: Namespace, device: str) -> socket.socket:
    """An AF_PACKET socket on a device of a namespace."""
    sock = ns.open_socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((device, 0))
    sock.settimeout(2.0)
    return sock


def _l4_checksum(src: str, dst: str, proto: int, segment: bytes) -> int:
    one, two = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    pseudo = (
        struct.pack("!BBH", 0, proto, len(segment))
        if len(one) == 4
        else struct.pack("!IHBB", len(segment), 0, 0, proto)
    )
    return checksum(one + two + pseudo + segment)
