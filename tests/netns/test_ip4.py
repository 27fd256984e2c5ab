# SPDX-License-Identifier: BSD-3-Clause
"""IPv4 as programs use it: fragments, names, groups, hops that are told of, a VLAN, neighbours."""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from conftest import Net
from harness import frames, netns, programs, service
from harness.machine import KERNEL, Machine
from harness.process import wait_until
from harness.programs import PYTHON

DGRAM = Path(__file__).resolve().parents[1] / "harness/scripts/dgram.py"
GROUP = "239.1.2.3"
VLAN = 5
SOL_PACKET, PACKET_AUXDATA = 263, 8
PROBES = {"net.inet.ip.dad_count": 3}


def own_port(sysctls: dict[str, int] | None = None, **keys: Any) -> service.Config:
    """A port of the service's own, groups and sockets without an address too."""
    made = service.exclusive_config(**{"kind": "af_packet", **keys})
    made.tables = {"policy": {"multicast": "service", "udp_wildcard": "service"}, "sysctl": sysctls or {}}
    return made


@pytest.fixture
def config(request: pytest.FixtureRequest) -> service.Config:
    """A port of the service's own, or what the test is parametrised with."""
    return getattr(request, "param", None) or own_port()


@pytest.mark.parametrize("size", [56, 1472, 1473, 8000, 20000])
def test_ping_of_every_size(joyride: Net, size: int) -> None:
    before = joyride.running_service.counters()
    out = joyride.peer.run("ping", "-c", "3", "-i", "0.2", "-W", "5", "-s", str(size), joyride.pair.host_ip)
    assert " 0% packet loss" in out
    rise = joyride.running_service.rise(before, "icmp_echo")
    assert rise["icmp_echo"] == 3
    if size > 1472:
        assert joyride.running_service.counters()["ip_reassembled"] >= before["ip_reassembled"] + 3


def test_ping_records_the_route_and_times(joyride: Net) -> None:
    out = joyride.peer.run("ping", "-c", "1", "-R", "-W", "5", joyride.pair.host_ip)
    hops = [line.split()[-1] for line in out.split("RR:")[1].splitlines() if line.strip()][:3]
    assert hops[:3] == [joyride.pair.peer_ip, joyride.pair.host_ip, joyride.pair.peer_ip]
    out = joyride.peer.run("ping", "-c", "1", "-T", "tsandaddr", "-W", "5", joyride.pair.host_ip)
    assert joyride.pair.host_ip in out.split("TS:")[1]


def test_dig_asks_by_udp_and_tcp(joyride: Net) -> None:
    net = joyride
    with programs.dnsmasq(net.peer, net.pair.peer_ip, {"one.test": "10.9.8.7"}) as server:
        for how in ("+notcp", "+tcp"):
            out = net.host.run("dig", "-b", net.pair.host_ip, f"@{net.pair.peer_ip}", "one.test", "+short", how)
            assert out.split() == ["10.9.8.7"]
        assert programs.count_matches(server, r"query\[A\] one\.test") == 2
    counters = net.running_service.counters()
    assert counters["udp_rx"] >= 1
    assert counters["tcp_established"] >= 1


def test_socat_answers_and_asks(joyride: Net) -> None:
    net = joyride
    echo = ["socat", "-d", "-d", f"UDP4-LISTEN:7000,bind={net.pair.host_ip}", "SYSTEM:cat"]
    with net.host.running(echo) as server:
        server.wait_for_log("listening on")
        text = net.peer.run("sh", "-c", f"echo hello | socat -t2 - UDP4:{net.pair.host_ip}:7000")
        assert text == "hello\n"
    with net.peer.running(["socat", "-d", "-d", f"UDP4-RECVFROM:7001,bind={net.pair.peer_ip}", "SYSTEM:cat"]) as server:
        server.wait_for_log("socat")
        text = net.host.run("sh", "-c", f"echo hello | socat -t2 - UDP4:{net.pair.peer_ip}:7001")
        assert text == "hello\n"


def says(argv: list[str]) -> list[str]:
    """A shell that runs argv with a line on its input, again and again."""
    return ["sh", "-c", f"while sleep 0.1; do echo to many | {' '.join(argv)} || exit 1; done"]


def test_socat_tells_a_group(joyride: Net) -> None:
    net = joyride
    peer, us = net.pair.peer_ip, net.pair.host_ip
    member = ["socat", "-u", f"UDP4-RECV:7003,ip-add-membership={GROUP}:{peer},reuseaddr", "STDOUT"]
    teller = ["socat", "-u", "-", f"UDP4-DATAGRAM:{GROUP}:7003,bind={us},ip-multicast-if={us}"]
    with net.peer.running(member) as heard, net.host.running(says(teller)):
        heard.wait_for_log("to many")
    assert net.running_service.counters()["udp_tx"] >= 1


def test_python_in_a_group(joyride: Net) -> None:
    """Bound to no address, with `udp_wildcard` and `multicast` the service's."""
    net = joyride
    with net.host.running([PYTHON, DGRAM, "group", GROUP, "7200"]) as member:
        member.wait_for_log("joined")
        with net.peer.running([PYTHON, DGRAM, "tell", GROUP, "7200", "to many", net.pair.peer_ip]):
            member.wait_for_log("to many")
    assert net.running_service.counters()["udp_rx"] >= 1


@pytest.fixture(params=["joyride", "kernel"])
def traced(request: pytest.FixtureRequest) -> Net:
    """The pair, whose peer passes packets on, on each stack."""
    net: Net = request.getfixturevalue(request.param)
    net.pair.peer.sysctl("net.ipv4.ip_forward", 1)
    net.pair.peer.sysctl(f"net.ipv4.conf.{net.pair.peer_if}.send_redirects", 0)
    net.pair.peer.sysctl("net.ipv4.conf.all.send_redirects", 0)
    net.pair.peer.ip("route", "add", "10.99.0.0/24", "via", "10.77.0.77")
    net.pair.host.ip("route", "add", "10.99.0.0/24", "via", net.pair.peer_ip)
    return net


@pytest.mark.parametrize("config", [service.veth_config()], indirect=True, ids=["shared"])
def test_a_trace_is_told_of_each_hop(traced: Net, config: service.Config) -> None:
    assert not config.tables
    peer = traced.pair.peer_ip
    lines = traced.host.run(PYTHON, DGRAM, "trace", "10.99.0.9", "33434").splitlines()
    assert lines[0] == f"1 b'probe' 10.99.0.9 (113, 2, 11, 0) {peer}"
    assert lines[1] == f"2 b'probe' 10.99.0.9 (113, 2, 3, 1) {peer}"


class Tagged:
    """A peer in a VLAN, without the kernel's help: this kernel has no VLAN devices."""

    def __init__(self, net: Net) -> None:
        self.sender = frames.Sender(net.pair)
        self.us, self.them = net.pair.peer_ip, net.pair.host_ip
        self.sender.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sender.sock.settimeout(3)

    def send(self, kind: int, payload: bytes, vlan: int = VLAN) -> None:
        """A frame with a tag."""
        self.sender.frame(0x8100, struct.pack("!HH", vlan, kind) + payload)

    def next(self, kind: int, start: bytes = b"") -> bytes:
        """What follows the header of the next frame of the kind that the service sends in the VLAN."""
        while True:
            data, control, _, _ = self.sender.sock.recvmsg(4000, 256)
            tags = [struct.unpack("IIIHHHH", c[2][:20])[5] for c in control if c[1] == PACKET_AUXDATA]
            if data[6:12] != self.sender.dst_mac:
                continue
            if data[12:14] == b"\x81\x00":
                tag, data = struct.unpack("!H", data[14:16])[0], data[:12] + data[16:]
            else:
                tag = tags[0] if tags else 0
            if struct.unpack("!H", data[12:14])[0] == kind and data[14:].startswith(start):
                assert tag == VLAN
                return data[14:]

    def arp(self) -> bytes:
        """Ask for the service, as the service will not be asked by anybody else; its answer."""
        me, them = socket.inet_aton(self.us), socket.inet_aton(self.them)
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + self.sender.src_mac + me + bytes(6) + them
        for _ in range(20):  # a port that has just come up may miss the first
            self.send(frames.ETH_P_ARP, body)
            with contextlib.suppress(TimeoutError):
                return self.next(frames.ETH_P_ARP, b"\x00\x01\x08\x00\x06\x04\x00\x02")
        raise AssertionError("the service does not answer")


VLAN_PORTS = [own_port(vlan=VLAN, kind=kind) for kind in ("af_packet", "af_xdp")]


@pytest.mark.parametrize("config", VLAN_PORTS, indirect=True, ids=["af_packet", "af_xdp"])
def test_a_vlan(joyride: Net) -> None:
    net, peer = joyride, Tagged(joyride)
    assert peer.arp()[8:14] == peer.sender.dst_mac
    with net.host.running([PYTHON, DGRAM, "echo", net.pair.host_ip, "7100"]) as server:
        server.wait_for_log("listening")
        datagram = frames.Udp(9, 7100, b"tagged").build(peer.us, peer.them)
        peer.send(frames.ETH_P_IP, frames.Ipv4(peer.us, peer.them, 17, datagram).build())
        answer = peer.next(frames.ETH_P_IP)
        assert answer[28:34] == b"tagged"
    before = net.running_service.counters()
    echo = struct.pack("!BBHHH", 8, 0, frames.checksum(struct.pack("!BBHHH", 8, 0, 0, 1, 1)), 1, 1)
    packet = frames.Ipv4(peer.us, peer.them, 1, echo).build()
    peer.sender.frame(frames.ETH_P_IP, packet)
    peer.send(frames.ETH_P_IP, packet, VLAN + 1)
    counters = net.running_service.counters
    wait_until(lambda: counters()["ether_vlan"] >= before["ether_vlan"] + 2, 20, "both frames to be dropped")
    assert net.running_service.counters()["icmp_echo"] == before["icmp_echo"]
    peer.sender.close()


@pytest.mark.parametrize("config", [own_port(PROBES)], indirect=True, ids=["free"])
def test_an_address_is_probed_for_before_it_is_used(joyride: Net) -> None:
    counters = joyride.running_service.counters
    wait_until(lambda: counters()["arp_tx_request"] >= 5, 20, "three probes and two announcements")
    assert " 0% packet loss" in joyride.peer.run("ping", "-c", "1", "-W", "5", joyride.pair.host_ip)


@pytest.mark.parametrize("config", [own_port(PROBES, address="10.77.0.2/24")], indirect=True, ids=["taken"])
def test_an_address_that_the_peer_has_is_not_used(joyride: Net) -> None:
    counters = joyride.running_service.counters
    wait_until(lambda: counters()["arp_duplicate"] == 1, 20, "the peer to object")
    assert counters()["arp_conflict"] == 0


@pytest.mark.parametrize("config", [own_port()], indirect=True, ids=["own"])
def test_a_neighbour_that_is_configured_is_not_asked_for(
    pair: netns.Pair, folder: Path, config: service.Config
) -> None:
    config.ports[0]["neighbours"] = [f"{pair.peer_ip} {pair.peer.mac(pair.peer_if).hex(':')}"]
    pair.peer.ip("link", "set", pair.peer_if, "arp", "off")
    pair.peer.ip("neigh", "replace", pair.host_ip, "lladdr", pair.host.mac(pair.host_if).hex(":"), "dev", pair.peer_if)
    with service.running(Machine(pair.host, KERNEL, folder), config) as svc:
        assert " 0% packet loss" in Machine(pair.peer, KERNEL, folder).run("ping", "-c", "2", "-i", "0.2", pair.host_ip)
        assert svc.counters()["arp_tx_request"] <= 1  # its announcement
