# SPDX-License-Identifier: BSD-3-Clause
"""Well-known programs, unmodified, in both directions; each also on the kernel as the oracle."""

from __future__ import annotations

import pytest
from conftest import SCRIPT, Net
from harness import programs
from harness.programs import PYTHON

MIB = 1 << 20


def assert_carried(net: Net, *names: str) -> None:
    """On Joyride the transfer must have gone through the service, or the test proved nothing."""
    if net.service:
        counters = net.service.counters()
        for name in names:
            assert counters[name] > 0, f"{name} is 0: the traffic did not go through the service"


@pytest.mark.parametrize("version", [4, 6])
def test_curl_fetches_from_the_peer(net: Net, version: int) -> None:
    digest = programs.make_file(net.folder / "file", 64 * MIB)
    where = net.pair.peer_ip if version == 4 else f"[{net.pair.peer_ip6}]"
    with programs.nginx(net.peer, net.folder, accept_from=(net.peer, net.pair.peer_ip)):
        got = programs.curl(net.host, f"http://{where}:8080/file")
    assert (got.code, programs.sha256(got.path)) == (200, digest)
    assert_carried(net, "tcp_established", "ip_tx" if version == 4 else "ip6_tx")


def test_curl_uploads_to_the_peer(net: Net) -> None:
    digest = programs.make_file(net.folder / "file", 32 * MIB)
    with programs.nginx(net.peer, net.folder, accept_from=(net.peer, net.pair.peer_ip)):
        put = programs.curl(net.host, f"http://{net.pair.peer_ip}:8080/put/up", "-T", str(net.folder / "file"))
    assert put.code in (201, 204)
    assert programs.sha256(net.folder / "put/up") == digest


@pytest.mark.parametrize("sendfile", [True, False], ids=["sendfile", "writev"])
@pytest.mark.parametrize("workers", [1, 2])
def test_nginx_serves_the_peer(net: Net, sendfile: bool, workers: int) -> None:
    digest = programs.make_file(net.folder / "file", 64 * MIB)
    reach = (net.peer, net.pair.host_ip)
    with programs.nginx(net.host, net.folder, sendfile=sendfile, workers=workers, accept_from=reach):
        got = programs.curl(net.peer, f"http://{net.pair.host_ip}:8080/file")
        got6 = programs.curl(net.peer, f"http://[{net.pair.host_ip6}]:8080/ping")
    assert (got.code, programs.sha256(got.path)) == (200, digest)
    assert got6.path.read_text() == "pong\n"
    assert_carried(net, "tcp_established")


def test_nginx_takes_an_upload_from_the_peer(net: Net) -> None:
    digest = programs.make_file(net.folder / "file", 32 * MIB)
    with programs.nginx(net.host, net.folder, accept_from=(net.peer, net.pair.host_ip)):
        put = programs.curl(net.peer, f"http://{net.pair.host_ip}:8080/put/up", "-T", str(net.folder / "file"))
    assert put.code in (201, 204)
    assert programs.sha256(net.folder / "put/up") == digest


@pytest.mark.parametrize(("size", "pipeline"), [(3, 1), (16384, 1), (64, 16)])
def test_redis_under_the_peers_benchmark(net: Net, size: int, pipeline: int) -> None:
    with programs.redis(net.host, accept_from=(net.peer, net.pair.host_ip)):
        rates = programs.redis_benchmark(
            net.peer, net.pair.host_ip, requests=10000, clients=50, data_bytes=size, pipeline=pipeline
        )
    assert set(rates) == {"SET", "GET"}
    assert min(rates.values()) > 100


def test_redis_commands_answer_what_they_must(net: Net) -> None:
    with programs.redis(net.host, accept_from=(net.peer, net.pair.host_ip)):
        ask = ["redis-cli", "-h", net.pair.host_ip]
        assert net.peer.run(*ask, "SET", "key", "value").strip() == "OK"
        assert net.peer.run(*ask, "GET", "key").strip() == "value"
        assert net.peer.run(*ask, "INCRBY", "n", "41").strip() == "41"


def test_asyncio_http_serves_the_peer(net: Net) -> None:
    with programs.http_server(net.host):
        result = programs.http_client(net.peer, net.pair.host_ip, connections=16, requests=800, size=3000)
    assert result["requests"] == 16 * 51


def test_asyncio_http_asks_the_peer(net: Net) -> None:
    with programs.http_server(net.peer):
        result = programs.http_client(net.host, net.pair.peer_ip, connections=16, requests=800, size=3000)
    assert result["requests"] == 16 * 51


def test_getaddrinfo_asks_the_peers_dnsmasq(net: Net) -> None:
    net.pair.host.set_resolver(net.pair.peer_ip)
    with programs.dnsmasq(net.peer, net.pair.peer_ip, {"one.test": "10.9.8.7"}) as server:
        assert programs.resolve(net.host, "one.test") == ["10.9.8.7"]
        assert programs.count_matches(server, r"query\[A\] one\.test") >= 1
    assert_carried(net, "udp_rx")


def test_udp_answers_come_back_whole(net: Net) -> None:
    with net.peer.running([PYTHON, SCRIPT, "udp-echo", net.pair.peer_ip, "7000"]) as server:
        server.wait_for_log("listening")
        assert "same 300" in net.host.run(PYTHON, SCRIPT, "udp-ask", net.pair.peer_ip, "7000", "300")
    with net.host.running([PYTHON, SCRIPT, "udp-echo", net.pair.host_ip, "7001"]) as server:
        server.wait_for_log("listening")
        assert "same 300" in net.peer.run(PYTHON, SCRIPT, "udp-ask", net.pair.host_ip, "7001", "300")


def test_iperf3_both_ways(net: Net) -> None:
    with programs.iperf3_server(net.peer):
        assert programs.iperf3(net.host, net.pair.peer_ip, seconds=1) > 50e6
        assert programs.iperf3(net.host, net.pair.peer_ip, "-R", seconds=1) > 50e6
        assert programs.iperf3(net.host, net.pair.peer_ip, "-P", "4", seconds=1) > 50e6
