# SPDX-License-Identifier: BSD-3-Clause
"""Wrong frames on the wire: each is dropped and counted under its own name, and the service goes on.

The port is exclusive and AF_XDP, so that the service sees every frame as it was sent: on a shared port the kernel sorts
some out before, and of an AF_PACKET socket's frames it has taken the tags off.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from conftest import SCRIPT, Net
from harness import service
from harness.frames import ACK, ETH_P_ARP, ETH_P_IP, SYN, Ipv4, Sender, Tcp, Udp, checksum, ethernet
from harness.programs import PYTHON


@dataclass
class Case:
    """One wrong frame, and the counter that must rise."""

    counter: str
    send: Callable[[Sender], None]


def icmp(kind: int, code: int, rest: bytes, csum: int | None = None) -> bytes:
    head = struct.pack("!BBH", kind, code, 0) + rest
    value = checksum(head) if csum is None else csum
    return struct.pack("!BBH", kind, code, value) + rest


def arp(hardware: int = 1, protocol: int = 0x0800, hlen: int = 6, operation: int = 1, size: int = 28) -> bytes:
    return (struct.pack("!HHBBH", hardware, protocol, hlen, 4, operation) + bytes(20))[:size]


def from_group(s: Sender) -> None:
    s.sock.send(ethernet(s.dst_mac, b"\x01\x00\x5e\x00\x00\x01", ETH_P_IP, bytes(46)))


def to_another(s: Sender) -> None:
    s.sock.send(ethernet(b"\x02\x00\x00\x00\x00\x99", s.src_mac, ETH_P_IP, bytes(46)))


def conflicting(s: Sender) -> None:
    ours = bytes(map(int, s.pair.host_ip.split(".")))
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + s.src_mac + ours + bytes(6) + ours
    s.sock.send(ethernet(b"\xff" * 6, s.src_mac, ETH_P_ARP, body))


def fragment(s: Sender, offset: int, size: int, *, more: bool, ident: int) -> None:
    s.ipv4(17, bytes(size), ident=ident, flags_offset=(0x2000 if more else 0) | offset // 8)


def overlapping(s: Sender) -> None:
    fragment(s, 0, 64, more=True, ident=77)
    fragment(s, 32, 64, more=True, ident=77)
    fragment(s, 24, 64, more=False, ident=77)


def beyond_64k(s: Sender) -> None:
    fragment(s, 65528, 1400, more=False, ident=78)


def uneven(s: Sender) -> None:
    s.ipv4(17, bytes(61), ident=79, flags_offset=0x2000)


def short_quote(s: Sender) -> None:
    s.ipv4(1, icmp(3, 1, bytes(4) + b"\x45"))


def foreign_quote(s: Sender) -> None:
    quoted = Ipv4("10.99.0.1", s.pair.peer_ip, 6, bytes(8)).build()
    s.ipv4(1, icmp(3, 1, bytes(4) + quoted))


CASES = {
    "ether-source-is-a-group": Case("ether_bad_src", from_group),
    "ether-for-another-station": Case("ether_not_for_us", to_another),
    "ether-unknown-type": Case("ether_unknown_type", lambda s: s.frame(0x88B5, bytes(46))),
    "ether-vlan": Case("ether_vlan", lambda s: s.frame(0x8100, struct.pack("!HH", 5, ETH_P_IP) + bytes(46))),
    "arp-short": Case("arp_short", lambda s: s.frame(ETH_P_ARP, arp(size=12))),
    "arp-hardware": Case("arp_bad", lambda s: s.frame(ETH_P_ARP, arp(hardware=7))),
    "arp-hardware-length": Case("arp_bad", lambda s: s.frame(ETH_P_ARP, arp(hlen=255))),
    "arp-conflict": Case("arp_conflict", conflicting),
    "ip-version": Case("ip_bad_version", lambda s: s.ipv4(6, version=5)),
    "ip-header-length": Case("ip_bad_hlen", lambda s: s.ipv4(6, ihl=4)),
    "ip-header-beyond-packet": Case("ip_short", lambda s: s.frame(ETH_P_IP, b"\x4f\x00\x00\x14" + bytes(16))),
    "ip-total-beyond-frame": Case("ip_bad_len", lambda s: s.ipv4(6, bytes(20), total=4000)),
    "ip-total-below-header": Case("ip_bad_len", lambda s: s.ipv4(6, bytes(20), total=12)),
    "ip-checksum": Case("ip_bad_cksum", lambda s: s.ipv4(6, bytes(20), csum=0x1234)),
    "ip-option-length": Case("ip_bad_opts", lambda s: s.ipv4(6, bytes(20), options=b"\x07\xff\x04\x00")),
    "ip-source-route": Case(
        "ip_source_route", lambda s: s.ipv4(6, bytes(20), options=b"\x83\x07\x04\x0a\x4d\x00\x02\x00")
    ),
    "ip-source-broadcast": Case("ip_bad_src", lambda s: s.ipv4(6, bytes(20), src="255.255.255.255")),
    "ip-source-multicast": Case("ip_bad_src", lambda s: s.ipv4(6, bytes(20), src="224.0.0.5")),
    "ip-source-ours": Case("ip_bad_src", lambda s: s.ipv4(6, bytes(20), src="10.77.0.1")),
    "ip-to-loopback": Case("ip_bad_dst", lambda s: s.ipv4(6, bytes(20), dst="127.0.0.1")),
    "ip-for-another": Case("ip_not_for_us", lambda s: s.ipv4(6, bytes(20), dst="10.77.0.9")),
    "ip-unknown-protocol": Case("ip_no_proto", lambda s: s.ipv4(253, bytes(20))),
    "fragments-overlap": Case("ip_frag_overlap", overlapping),
    "fragment-beyond-64k": Case("ip_frag_bad", beyond_64k),
    "fragment-of-uneven-size": Case("ip_frag_bad", uneven),
    "icmp-short": Case("icmp_short", lambda s: s.ipv4(1, b"\x08\x00")),
    "icmp-checksum": Case("icmp_bad_cksum", lambda s: s.ipv4(1, icmp(8, 0, bytes(8), csum=0x0102))),
    "icmp-redirect": Case(
        "icmp_redirect", lambda s: s.ipv4(1, icmp(5, 1, bytes(4) + Ipv4("10.77.0.1", "10.77.0.2", 6, bytes(8)).build()))
    ),
    "icmp-quote-short": Case("icmp_bad_quote", short_quote),
    "icmp-quote-foreign": Case("icmp_not_ours", foreign_quote),
    "udp-short": Case("udp_short", lambda s: s.ipv4(17, b"\x00\x01\x00")),
    "udp-length": Case("udp_bad_len", lambda s: s.udp(Udp(5, 6, bytes(10), length=500))),
    "udp-checksum": Case("udp_bad_cksum", lambda s: s.udp(Udp(5, 6, bytes(10), csum=0x0102))),
    "udp-port-zero": Case("udp_port_zero", lambda s: s.udp(Udp(5, 0, bytes(10)))),
    "udp-no-port": Case("udp_no_port", lambda s: s.udp(Udp(5, 999, bytes(10)))),
    "tcp-short": Case("tcp_short", lambda s: s.ipv4(6, bytes(8))),
    "tcp-header-length": Case("tcp_bad_offset", lambda s: s.tcp(Tcp(5, 6, offset=2))),
    "tcp-header-beyond-packet": Case("tcp_bad_offset", lambda s: s.tcp(Tcp(5, 6, offset=15))),
    "tcp-checksum": Case("tcp_bad_cksum", lambda s: s.tcp(Tcp(5, 6, csum=0x0102))),
    "tcp-no-port": Case("tcp_noport", lambda s: s.tcp(Tcp(5, 999, flags=ACK))),
}


@pytest.fixture
def config() -> service.Config:
    return service.exclusive_config(kind="af_xdp")


@pytest.fixture
def wire(joyride: Net) -> Iterator[Sender]:
    """A sender on the peer; the host's kernel has no address on the wire."""
    joyride.pair.host.ip("address", "flush", "dev", joyride.pair.host_if)
    sender = Sender(joyride.pair)
    yield sender
    sender.close()


def test_every_wrong_frame_is_counted_under_its_name(joyride: Net, wire: Sender) -> None:
    svc = joyride.running_service
    missed = []
    for name, case in CASES.items():
        before = svc.counters()
        assert case.counter in before, f"{name}: no counter {case.counter}"
        case.send(wire)
        try:
            svc.rise(before, case.counter)
        except Exception as late:
            missed.append(f"{name}: {late}")
    assert not missed, "\n".join(missed)
    assert "1 received" in joyride.pair.peer.run("ping", "-c1", "-W2", joyride.pair.host_ip).stdout


def test_noise_does_not_end_the_service(joyride: Net, wire: Sender) -> None:
    """Frames with valid beginnings and random rests."""
    dice = random.Random(4)
    for _ in range(3000):
        body = dice.randbytes(dice.randrange(0, 200))
        kind = dice.choice((ETH_P_IP, ETH_P_ARP, 0x86DD))
        choice = dice.randrange(4)
        if choice == 0:
            wire.frame(kind, body)
        elif choice == 1:
            wire.ipv4(dice.choice((1, 6, 17)), body)
        elif choice == 2:
            flags = dice.randrange(256)
            ports = dice.randrange(65536), dice.randrange(65536)
            segment = Tcp(*ports, dice.getrandbits(32), dice.getrandbits(32), flags,
                          options=dice.randbytes(4 * dice.randrange(11)), payload=body)  # fmt: skip
            wire.tcp(segment)
        else:
            wire.ipv4(17, body, flags_offset=dice.randrange(65536), ident=dice.randrange(4))
    assert "1 received" in joyride.pair.peer.run("ping", "-c1", "-W2", joyride.pair.host_ip).stdout


def test_a_syn_flood_leaves_the_listener_open(joyride: Net, wire: Sender) -> None:
    with joyride.host.running([PYTHON, SCRIPT, "echo", joyride.pair.host_ip, "7000"]) as server:
        server.wait_for_log("listening")
        for i in range(5000):
            wire.tcp(Tcp(1024 + i, 7000, seq=i, flags=SYN), src=f"10.77.0.{100 + i % 100}")
        with joyride.pair.peer.connect(joyride.pair.host_ip, 7000) as sock:
            sock.sendall(b"still here")
            assert sock.recv(100) == b"still here"
