# SPDX-License-Identifier: BSD-3-Clause
"""Ports without programs: what the service answers by itself, what stays the kernel's, what is left when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import accounting, frames, hugepages, netns, service
from harness.machine import KERNEL, Machine
from harness.netns import Namespace
from harness.process import wait_until

ECHO_REQUEST, ECHO_REPLY = 8, 0


def ping(ns: Namespace, address: str, size: int = 56, timeout: float = 2) -> bool:
    """Whether an ICMP echo request with `size` bytes of data is answered with the same data."""
    number = os.urandom(4)
    body = number + b"\x00" * size
    head = struct.pack("!BBH", ECHO_REQUEST, 0, frames.checksum(struct.pack("!BBH", ECHO_REQUEST, 0, 0) + body))
    with ns.open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(timeout)
        sock.sendto(head + body, (address, 0))
        with contextlib.suppress(TimeoutError):
            while True:
                packet = sock.recv(65535)
                if packet[20] == ECHO_REPLY and packet[24:] == body:
                    return True
    return False


def programs_on(ns: Namespace, device: str) -> set[str]:
    """Which of our BPF programs are attached to a device."""
    seen = ns.run("ip", "-d", "link", "show", "dev", device).stdout + ns.run("bpftool", "net", "show").stdout
    return {name for name in ("jr_steer_xdp", "jr_steer_tc") if name in seen}


@contextlib.contextmanager
def serving(pair: netns.Pair, folder: Path, config: service.Config) -> Iterator[service.Service]:
    """The service on the host of the pair; it must end cleanly unless the test killed it."""
    with service.running(Machine(pair.host, KERNEL, folder), config) as svc:
        kinds = {port["kind"] for port in config.ports}
        wanted = {"af_xdp": "jr_steer_xdp", "af_packet": "jr_steer_tc"}
        assert programs_on(pair.host, pair.host_if) == {wanted[kind] for kind in kinds & wanted.keys()}
        yield svc
        if svc.expected_alive:
            assert svc.process.stop() == 0, svc.process.tail()
            assert programs_on(pair.host, pair.host_if) == set()


@pytest.fixture(params=["af_packet", "af_xdp"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of port that work on a veth."""
    monkeypatch.setattr(service, "PORT_KIND", request.param)


@pytest.mark.usefixtures("kind")
def test_an_exclusive_port_answers_for_its_address(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.exclusive_config()) as svc:
        before = svc.counters()
        assert ping(pair.peer, pair.host_ip)
        svc.rise(before, "icmp_echo")
        with pytest.raises(ConnectionRefusedError):
            pair.peer.connect(pair.host_ip, 81)


@pytest.mark.usefixtures("kind")
def test_fragments_are_put_together(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.exclusive_config()) as svc:
        assert ping(pair.peer, pair.host_ip, 4000)
        assert svc.counters()["ip_reassembled"] == 1


@pytest.mark.usefixtures("kind")
def test_the_kernel_keeps_what_is_its_own_on_a_shared_port(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.veth_config()) as svc:
        assert ping(pair.peer, pair.host_ip)
        assert ping(pair.peer, pair.host_ip, 4000)
        with pair.host.listen(pair.host_ip, 5000) as listener, pair.peer.connect(pair.host_ip, 5000) as near:
            far, _ = listener.accept()
            with far:
                far.sendall(b"kernel")
                assert near.recv(6) == b"kernel"
        with pytest.raises(ConnectionRefusedError):
            pair.peer.connect(pair.host_ip, 5001)
        assert svc.counters()["ip_rx"] == 0, "the service heard packets that are not its own"


@pytest.mark.usefixtures("kind")
def test_the_link_is_followed(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.veth_config()) as svc:
        assert svc.state()["ports"][0]["up"]
        pair.link(up=False)
        wait_until(lambda: not svc.state()["ports"][0]["up"], 5, "the port to go down")
        pair.link(up=True)
        wait_until(lambda: svc.state()["ports"][0]["up"], 5, "the port to come up")
        pair.host.ip("link", "set", pair.host_if, "mtu", "1400")
        wait_until(lambda: svc.state()["ports"][0]["mtu"] == 1400, 5, "the port to have the new MTU")


@pytest.mark.usefixtures("kind")
def test_idle_ports_cost_nothing(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.exclusive_config()) as svc:
        assert (share := accounting.least_share([svc.process.pid], 3)) < 0.01, f"{share:.1%} of a core"


@pytest.mark.usefixtures("kind")
def test_a_killed_worker_leaves_nothing(pair: netns.Pair, folder: Path) -> None:
    pages = hugepages.count()
    with serving(pair, folder, service.veth_config()) as svc:
        svc.kill_worker()
        assert svc.process.wait(5) in (128 + signal.SIGKILL, -signal.SIGKILL)
        assert programs_on(pair.host, pair.host_if) == set()
        assert [p.name for p in svc.run_dir.iterdir()] == ["netsvc.lock"]
        wait_until(lambda: hugepages.count() == pages, 5, "huge pages to be given back")
        assert ping(pair.peer, pair.host_ip), "the kernel has its interface back"


def test_huge_pages_that_are_gone_are_done_without(pair: netns.Pair, folder: Path) -> None:
    """The kernel tells of free pages, and another program has them by the time that DPDK asks."""
    (folder / "free").write_text("100000\n")
    pretend = f"mount --bind {folder}/free /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
    through = ["unshare", "--mount", "sh", "-ec", f'{pretend}; exec "$@"', "sh"]
    number = Path("/proc/sys/vm/nr_hugepages")
    before = number.read_text()
    number.write_text("0")  # what another left would do
    try:
        with service.running(Machine(pair.host, KERNEL, folder), service.veth_config(), through=through) as svc:
            assert svc.counters()
            said = svc.process.text().splitlines()
            assert len([line for line in said if "huge pages" in line]) == 1, said
            assert any("ordinary pages" in line for line in said), said
            assert not any("EAL: " in line for line in said if "FATAL" not in line), said  # which DPDK prints by itself
            assert svc.process.stop() == 0
    finally:
        number.write_text(before)


@pytest.mark.usefixtures("kind")
def test_a_killed_supervisor_takes_the_worker_along(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.veth_config()) as svc:
        worker = svc.worker_pid
        svc.expected_alive = False
        os.kill(svc.process.pid, signal.SIGKILL)
        wait_until(lambda: _is_gone(worker), 5, "the worker to end")
        assert programs_on(pair.host, pair.host_if) == set()


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_run_dir_has_one_service(pair: netns.Pair, folder: Path) -> None:
    with serving(pair, folder, service.veth_config()) as svc:
        done = subprocess.run([service.BINARY, "-c", svc.config], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another service runs" in done.stderr
        assert svc.state()["ports"]


def test_a_tap_joins_the_service_to_its_own_host(pair: netns.Pair, folder: Path) -> None:
    port = {"name": "t", "kind": "tap", "interface": "jrtap0", "addresses": ["10.79.0.1/24"]}
    with serving(pair, folder, service.Config(ports=[port])):
        pair.host.ip("address", "add", "10.79.0.2/24", "dev", "jrtap0")
        pair.host.ip("link", "set", "jrtap0", "up")
        assert ping(pair.host, "10.79.0.1")
        assert ping(pair.host, "10.79.0.1", 1400)


def test_a_faulty_port_loses_some(pair: netns.Pair, folder: Path) -> None:
    def answers() -> list[bool]:
        config = service.exclusive_config(fault={"seed": 11, "rx": {"drop": 0.5}})
        with serving(pair, folder, config):
            pair.peer.ip("neigh", "replace", pair.host_ip, "lladdr", pair.host.mac(pair.host_if).hex(":"),
                         "dev", pair.peer_if)  # fmt: skip
            time.sleep(0.3)  # router solicitations and the like come first, or not at all
            return [ping(pair.peer, pair.host_ip, timeout=0.5) for _ in range(16)]

    first = answers()
    assert True in first
    assert False in first


def test_wrong_configurations_do_not_start(pair: netns.Pair, folder: Path) -> None:
    path = folder / "bad.toml"
    path.write_text('[[port]]\nname = "x"\nkind = "af_xdp"\ninterface = "none0"\n')
    argv = pair.host.argv([service.BINARY, "-c", path])
    path.write_text(f'[service]\nrun_dir = "{folder}/run"\ntelemetry = false\n' + path.read_text())
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "none0" in done.stderr
