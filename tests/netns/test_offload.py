# SPDX-License-Identifier: BSD-3-Clause
"""An af_packet port under segments and checksums that the peer or the host leaves to hardware nobody has, frames of any
size, and an interface that changes or goes away while data flows."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SCRIPT, Net
from harness import frames, netns, programs, service
from harness.machine import KERNEL, Machine
from harness.process import wait_until
from harness.programs import PYTHON

MIB = 1 << 20
SOL_UDP, UDP_SEGMENT = 17, 103


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[netns.Pair]:
    """The veth with the MTU that the test is parametrised with."""
    with netns.veth_pair(mtu=getattr(request, "param", 1500)) as made:
        yield made


@pytest.fixture
def config() -> service.Config:
    return service.veth_config(kind="af_packet")


def both_ways(net: Net, digest: str) -> None:
    """A file to the peer and one from it, compared."""
    with programs.nginx(net.host, net.folder, accept_from=(net.peer, net.pair.host_ip)):
        got = programs.curl(net.peer, f"http://{net.pair.host_ip}:8080/file")
        assert (got.code, programs.sha256(got.path)) == (200, digest)
        programs.curl(net.peer, f"http://{net.pair.host_ip}:8080/put/up", "-T", str(net.folder / "file"))
        assert programs.sha256(net.folder / "put/up") == digest


def rx_frames(ns: netns.Namespace, device: str) -> int:
    """Frames that a device received, by its own count."""
    found: int = ns.json("link", "show", device)[0]["stats64"]["rx"]["packets"]
    return found


@pytest.mark.parametrize("peer_on", [False, True], ids=["peer-off", "peer-on"])
@pytest.mark.parametrize("host_on", [False, True], ids=["host-off", "host-on"])
def test_bulk_both_ways_is_the_same_whoever_offloads(joyride: Net, host_on: bool, peer_on: bool) -> None:
    net = joyride
    netns.set_offload(net.pair.host, net.pair.host_if, on=host_on)
    netns.set_offload(net.pair.peer, net.pair.peer_if, on=peer_on)
    digest = programs.make_file(net.folder / "file", 32 * MIB)
    both_ways(net, digest)
    counters = net.running_service.counters()
    assert counters["tcp_bad_cksum"] == 0
    assert counters["dev_rx_too_long"] == 0
    got = rx_frames(net.pair.peer, net.pair.peer_if)
    if not host_on:
        assert got > 32 * MIB // 1500, f"{got} frames: some were longer than the MTU"
    if host_on and peer_on:
        assert counters["tcp_tx"] < 32 * MIB // 1448, f"{counters['tcp_tx']} packets: the service cut segments itself"


@pytest.mark.parametrize("pair", [9000, 65535], indirect=True)
@pytest.mark.parametrize("on", [False, True], ids=["offload-off", "offload-on"])
def test_jumbo_frames(joyride: Net, on: bool) -> None:
    for ns, device in ((joyride.pair.host, joyride.pair.host_if), (joyride.pair.peer, joyride.pair.peer_if)):
        netns.set_offload(ns, device, on=on)
    both_ways(joyride, programs.make_file(joyride.folder / "file", 32 * MIB))


def exchange(net: Net, sizes: list[int], segment: int = 0) -> None:
    """Datagrams from the peer's kernel to an echo on the host, which come back the same."""
    with (
        net.host.running([PYTHON, SCRIPT, "udp-echo", net.pair.host_ip, "7000"]) as server,
        net.pair.peer.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        server.wait_for_log("listening")
        sock.settimeout(5)
        sock.connect((net.pair.host_ip, 7000))
        for size in sizes:
            body = hashlib.shake_128(str(size).encode()).digest(size)
            if segment:
                sock.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
            sock.send(body)
            if segment:
                sock.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
            step = segment or size
            for at in range(0, size, step):
                assert sock.recv(65535) == body[at : at + step]


@pytest.mark.parametrize("on", [False, True], ids=["offload-off", "offload-on"])
def test_fragmented_datagrams_arrive(joyride: Net, on: bool) -> None:
    netns.set_offload(joyride.pair.peer, joyride.pair.peer_if, on=on)
    exchange(joyride, [1, 1472, 1473, 4000, 20000])
    assert joyride.running_service.counters()["ip_reassembled"] >= 3


def test_a_train_of_datagrams_arrives_as_datagrams(joyride: Net) -> None:
    """UDP segmentation offload at the peer: one frame on a veth, which no program may see as one datagram."""
    netns.set_offload(joyride.pair.peer, joyride.pair.peer_if, on=True)
    exchange(joyride, [12000, 12001, 500], segment=1000)


@contextlib.contextmanager
def stream(net: Net) -> Iterator[dict[str, int]]:
    """The peer reads an endless stream of the host's; yields what it has so far."""
    got = {"bytes": 0}

    def read() -> None:
        with contextlib.suppress(OSError):
            while chunk := sock.recv(1 << 16):
                got["bytes"] += len(chunk)

    with (
        net.pair.peer.listen(net.pair.peer_ip, 7000) as listener,
        net.host.running([PYTHON, SCRIPT, "source", net.pair.peer_ip, "7000"]) as source,
    ):
        sock, _ = listener.accept()
        reader = threading.Thread(target=read)
        reader.start()
        try:
            wait_until(lambda: got["bytes"] > MIB, 10, "the stream to flow")
            yield got
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            reader.join()
            sock.close()
            source.wait_for_log("error")


def test_a_stream_survives_the_link(joyride: Net) -> None:
    with stream(joyride) as got:
        for end in ("host", "peer"):
            ns = joyride.pair.host if end == "host" else joyride.pair.peer
            device = joyride.pair.host_if if end == "host" else joyride.pair.peer_if
            ns.ip("link", "set", device, "down")
            wait_until(lambda: not joyride.running_service.state()["ports"][0]["up"], 5, "the port to go down")
            ns.ip("link", "set", device, "up")
            wait_until(lambda: joyride.running_service.state()["ports"][0]["up"], 5, "the port to come up")
            before = got["bytes"]
            wait_until(lambda b=before: got["bytes"] > b + MIB, 20, "the stream to flow again")  # type: ignore[misc]


def test_a_stream_follows_the_mtu(joyride: Net) -> None:
    pair = joyride.pair
    with stream(joyride) as got:
        for mtu in (1000, 4000, 1500):
            pair.peer.ip("link", "set", pair.peer_if, "mtu", str(max(mtu, 1500)))
            pair.host.ip("link", "set", pair.host_if, "mtu", str(mtu))
            wait_until(lambda m=mtu: joyride.running_service.state()["ports"][0]["mtu"] == m, 5, f"MTU {mtu}")  # type: ignore[misc]
            before = got["bytes"]
            wait_until(lambda b=before: got["bytes"] > b + MIB, 20, "the stream to flow on")  # type: ignore[misc]


def test_an_interface_that_is_deleted_is_reported(pair: netns.Pair, folder: Path, config: service.Config) -> None:
    with service.running(Machine(pair.host, KERNEL, folder), config) as svc:
        pair.host.ip("link", "delete", pair.host_if)
        svc.process.wait_for_log(f"interface {pair.host_if} is gone", 5)
        assert svc.process.running
        assert not svc.state()["ports"][0]["up"]
        assert svc.process.stop() == 0


def test_a_priority_tag_is_no_vlan(pair: netns.Pair, folder: Path) -> None:
    with service.running(Machine(pair.host, KERNEL, folder), service.exclusive_config(kind="af_packet")) as svc:
        before = svc.counters()
        sender = frames.Sender(pair)
        body = frames.Ipv4(pair.peer_ip, pair.host_ip, 253, b"nobody's").build()
        sender.frame(0x8100, struct.pack("!HH", 5, frames.ETH_P_IP) + body)
        sender.frame(0x8100, struct.pack("!HH", 7 << 13, frames.ETH_P_IP) + body)
        sender.close()
        assert svc.rise(before, "ip_no_proto")["ip_no_proto"] == 1
        assert svc.counters()["ether_vlan"] == before["ether_vlan"] + 1
