# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 on ports of the service's own, where it is the host, and on shared ones, where programs notice nothing."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Net
from harness import netns, programs, service
from harness.machine import KERNEL, Machine
from harness.process import wait_until
from harness.programs import PYTHON

OURS = "fd77::9"


def ping6(net: netns.Namespace, address: str, *options: str) -> bool:
    """Whether ping(8) gets its one answer."""
    return net.run("ping", "-6", "-c1", "-W2", *options, address, check=False).returncode == 0


@pytest.fixture
def alone(pair: netns.Pair, folder: Path) -> Iterator[tuple[netns.Pair, service.Service]]:
    """The service alone on the host's end, with an IPv6 address that only it has."""
    pair.host.ip("address", "flush", "dev", pair.host_if)
    config = service.exclusive_config()
    config.ports[0]["addresses"].append(f"{OURS}/64")
    with service.running(Machine(pair.host, KERNEL, folder), config) as svc:
        yield pair, svc
        assert svc.process.stop() == 0, svc.process.tail()


def test_it_answers_for_its_address(alone: tuple[netns.Pair, service.Service]) -> None:
    pair, svc = alone
    wait_until(lambda: ping6(pair.peer, OURS), 5, "an answer after duplicate detection")
    assert ping6(pair.peer, OURS, "-s", "4000")
    counters = svc.counters()
    assert counters["icmp6_echo"] >= 2
    assert counters["ip6_frag_tx"] == 1
    assert counters["nd6_tx_na"] >= 1
    neighbours = pair.peer.json("neigh", "show", "dev", pair.peer_if, "to", OURS)
    assert neighbours[0]["lladdr"] == pair.host.json("link", "show", pair.host_if)[0]["address"]
    with pytest.raises(ConnectionRefusedError):
        pair.peer.connect(OURS, 81)


def test_its_link_local_address_answers_too(alone: tuple[netns.Pair, service.Service]) -> None:
    pair, _ = alone
    mac = bytearray(pair.host.mac(pair.host_if))
    mac[0] ^= 2
    address = f"fe80::{mac[0]:x}{mac[1]:02x}:{mac[2]:x}ff:fe{mac[3]:02x}:{mac[4]:x}{mac[5]:02x}%{pair.peer_if}"
    wait_until(lambda: ping6(pair.peer, address), 5, "an answer from the link-local address")


def test_an_address_that_the_peer_has_is_not_taken(pair: netns.Pair, folder: Path) -> None:
    pair.host.ip("address", "flush", "dev", pair.host_if)
    config = service.exclusive_config()
    config.ports[0]["addresses"].append(f"{pair.peer_ip6}/64")
    with service.running(Machine(pair.host, KERNEL, folder), config) as svc:
        wait_until(lambda: svc.counters()["nd6_duplicate"] == 1, 5, "the duplicate is seen")
        assert svc.process.stop() == 0


def advertise(pair: netns.Pair, prefix: str) -> None:
    """Send a router advertisement with one prefix from the peer's link-local address."""
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 1800, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option
    with pair.peer.open_socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        index = pair.peer.json("link", "show", pair.peer_if)[0]["ifindex"]
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.sendto(body, ("ff02::1", 0, 0, index))


def test_a_router_gives_it_an_address(pair: netns.Pair, folder: Path) -> None:
    pair.host.ip("address", "flush", "dev", pair.host_if)
    config = service.exclusive_config()
    config.tables["sysctl"] = {"net.inet6.ip6.accept_rtadv": 1}
    mac = bytearray(pair.host.mac(pair.host_if))
    mac[0] ^= 2
    ours = socket.inet_ntop(
        socket.AF_INET6, socket.inet_pton(socket.AF_INET6, pair.peer_ip6)[:8] + mac[:3] + b"\xff\xfe" + mac[3:]
    )
    with service.running(Machine(pair.host, KERNEL, folder), config) as svc:
        wait_until(lambda: svc.counters()["nd6_tx_rs"] > 0, 5, "the host asks for routers")
        advertise(pair, "fd77::")
        wait_until(lambda: ping6(pair.peer, ours), 10, "an answer from the address of the prefix")
        assert svc.process.stop() == 0, svc.process.tail()


# ---- Programs ----


def assert_carried(net: Net) -> None:
    """On Joyride the packets must have been the service's, or the test proved nothing."""
    if net.service:
        assert net.service.counters()["ip6_tx"] > 0


CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
print(s.getsockname()[:2], s.getpeername()[:2], s.family == socket.AF_INET6)
s.sendall(b"x" * 300000); s.shutdown(1)
print(len(b"".join(iter(lambda: s.recv(65536), b""))))
"""

SERVER = """
import socket, sys
l = socket.socket(socket.AF_INET6)
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(sys.argv[2]))
l.bind(("::", int(sys.argv[1]))); l.listen()
print(l.getsockname()[:2], flush=True)
for _ in range(int(sys.argv[3])):
    c, a = l.accept()
    print(a[0], c.getsockname()[0], flush=True)
    while data := c.recv(65536):
        c.sendall(data)
    c.close()
"""


def test_a_program_connects(net: Net) -> None:
    with net.peer.running([PYTHON, "-c", SERVER, "7000", "1", "1"]) as server:
        wait_until(lambda: "::" in server.text(), 5, "the listener")
        out = net.host.run(PYTHON, "-c", CLIENT, net.pair.peer_ip6, "7000").splitlines()
    assert out[0].endswith("True")
    assert net.pair.peer_ip6 in out[0]
    assert net.pair.host_ip6 in out[0]
    assert out[1] == "300000"
    assert_carried(net)


def test_a_wildcard_takes_both_families(net: Net) -> None:
    with net.host.running([PYTHON, "-c", SERVER, "7001", "0", "3"]) as server:
        wait_until(lambda: "::" in server.text(), 10, "the listener")
        for where in (net.pair.host_ip, net.pair.host_ip6):
            with net.pair.peer.connect(where, 7001) as s:
                s.sendall(b"hello")
                s.shutdown(socket.SHUT_WR)
                assert s.recv(100) == b"hello"
        with net.pair.host.connect("::1", 7001) as s:  # by the kernel
            s.sendall(b"hello")
            s.shutdown(socket.SHUT_WR)
            assert s.recv(100) == b"hello"
        wait_until(lambda: server.text().count("\n") == 4, 5, "three connections")
        seen = server.text().splitlines()
    assert seen[1] == f"::ffff:{net.pair.peer_ip} ::ffff:{net.pair.host_ip}"
    assert seen[2] == f"{net.pair.peer_ip6} {net.pair.host_ip6}"
    assert seen[3] == "::1 ::1"
    assert_carried(net)


def test_v6only_leaves_ipv4_to_others(net: Net) -> None:
    with net.host.running([PYTHON, "-c", SERVER, "7002", "1", "1"]) as server:
        wait_until(lambda: "::" in server.text(), 10, "the listener")
        with pytest.raises(ConnectionRefusedError):  # said by the kernel, which owns the port in that family
            net.pair.peer.connect(net.pair.host_ip, 7002)
        with net.pair.host.listen(net.pair.host_ip, 7002), net.pair.peer.connect(net.pair.host_ip, 7002):
            pass
        with net.pair.peer.connect(net.pair.host_ip6, 7002) as s:
            s.shutdown(socket.SHUT_WR)
    assert_carried(net)


def test_redis_listens_on_the_wildcard(net: Net) -> None:
    with programs.redis(net.host, bind="::", accept_from=(net.peer, net.pair.host_ip6)):
        rates = programs.redis_benchmark(net.peer, net.pair.host_ip6, requests=5000)
    assert min(rates.values()) > 100
    assert_carried(net)


def test_names_come_from_a_server_over_ipv6(net: Net) -> None:
    net.pair.host.set_resolver(net.pair.peer_ip6)
    with programs.dnsmasq(net.peer, net.pair.peer_ip6, {"name.test": "192.0.2.7"}):
        out = net.host.run(PYTHON, "-c", "import socket; print(socket.gethostbyname('name.test'))")
        assert out.strip() == "192.0.2.7"
    assert_carried(net)


DATAGRAMS = """
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
s.bind((sys.argv[1], 7003)); s.settimeout(10)
print("bound", flush=True)
for _ in range(3):
    data, anc, flags, a = s.recvmsg(65536, 512)
    got = {kind: value for level, kind, value in anc if level == socket.IPPROTO_IPV6}
    info = socket.inet_ntop(socket.AF_INET6, got[socket.IPV6_PKTINFO][:16])
    print(len(data), info, *struct.unpack("i", got[socket.IPV6_HOPLIMIT]),
          *struct.unpack("i", got[socket.IPV6_TCLASS]), a[0], flush=True)
    s.sendto(data, a)
"""


def test_datagrams_with_ancillary_data(net: Net) -> None:
    with net.host.running([PYTHON, "-c", DATAGRAMS, net.pair.host_ip6]) as server:
        wait_until(lambda: "bound" in server.text(), 10, "the socket")
        with net.pair.peer.open_socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x28)
            s.connect((net.pair.host_ip6, 7003))
            for size in (10, 1400, 9000):  # the last in fragments, both ways
                s.send(b"d" * size)
                assert s.recv(65536) == b"d" * size
        lines = server.text().splitlines()
    assert lines[1] == f"10 {net.pair.host_ip6} 9 40 {net.pair.peer_ip6}"
    assert lines[2] == f"1400 {net.pair.host_ip6} 9 40 {net.pair.peer_ip6}"
    assert_carried(net)
    if net.service:
        assert net.service.counters()["ip_reassembled"] == 1
        assert net.service.counters()["ip6_frag_tx"] == 1
