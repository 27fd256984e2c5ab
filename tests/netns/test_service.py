# SPDX-License-Identifier: BSD-3-Clause
"""The service as a process: what it costs when idle, what it tells, how it takes a bad wire, two of them joined."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import SCRIPT, Net, require_joyride
from harness import accounting, machine, netns, programs, service
from harness.machine import KERNEL, REPO, Machine
from harness.programs import PYTHON


def test_an_idle_service_costs_nothing(joyride: Net) -> None:
    """Principle 6: under 1 % of a core, also with idle connections open."""
    svc = joyride.running_service
    with (
        joyride.pair.peer.listen(joyride.pair.peer_ip, 7000) as server,
        joyride.host.running([PYTHON, SCRIPT, "idle", joyride.pair.peer_ip, "7000", "20"]) as client,
    ):
        socks = [server.accept()[0] for _ in range(20)]
        client.wait_for_log("holding 20")
        assert (share := accounting.least_share([svc.process.pid, client.pid], 4)) < 0.01, f"{share:.1%} of a core"
        for sock in socks:
            sock.close()


def test_the_service_tells_its_sockets(joyride: Net) -> None:
    with joyride.host.running([PYTHON, SCRIPT, "echo", joyride.pair.host_ip, "7000"]) as server:
        server.wait_for_log("listening")
        with joyride.pair.peer.connect(joyride.pair.host_ip, 7000) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            listed = str(joyride.running_service.sockets())
            assert "7000" in listed
            assert joyride.pair.peer_ip in listed


def joyride_sysctl(svc: service.Service, *argv: str, user: str = "root") -> subprocess.CompletedProcess[str]:
    """`joyride sysctl` as a user would call it."""
    command = [
        "setpriv",
        f"--reuid={user}",
        "--clear-groups",
        PYTHON,
        "-m",
        "joyride",
        "--run-dir",
        str(svc.run_dir),
        "sysctl",
    ]
    env = {"PYTHONPATH": str(REPO / "tools"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*command, *argv], capture_output=True, text=True, check=False, env=env)


def test_knobs_are_read_and_set_while_it_runs(joyride: Net) -> None:
    """A knob is changed by name; bad names and values, and users who may not, are refused with a reason."""
    svc = joyride.running_service
    every = joyride_sysctl(svc)
    assert every.returncode == 0, every.stderr
    assert "net.inet.tcp.sack.enable: 1" in every.stdout
    assert joyride_sysctl(svc, "net.inet.ip.ttl=77", "net.inet.ip.ttl").stdout.splitlines() == [
        "net.inet.ip.ttl: 64 -> 77",
        "net.inet.ip.ttl: 77",
    ]
    assert "net.inet.ip.ttl: 77" in joyride_sysctl(svc, "-c").stdout.splitlines()
    for argument, said in {
        "net.inet.ip.ttl=0": "0 is not between 1 and 255",
        "net.inet.ip.tt=1": "unknown sysctl",
        "net.inet.ip.portrange.first=1": "configuration file",
    }.items():
        done = joyride_sysctl(svc, argument)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    denied = joyride_sysctl(svc, "net.inet.ip.ttl=3", user="nobody")
    assert (denied.returncode, "only root may set it" in denied.stderr) == (1, True), denied.stderr
    assert joyride_sysctl(svc, "-n", "net.inet.ip.ttl", user="nobody").stdout == "77\n"


def test_a_bad_configuration_is_refused_with_its_line(joyride: Net) -> None:
    path = joyride.folder / "bad.toml"
    path.write_text('run_dir = "/nonexistent"\n[[port]]\nname = "a"\nkind = "af_packte"\ninterface = "jr0"\n')
    done = subprocess.run([service.BINARY, "-c", path, "--check-config"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "bad.toml:4" in done.stdout + done.stderr
    assert "af_packet" in done.stdout + done.stderr, "a near name should be proposed"


@pytest.fixture
def config(request: pytest.FixtureRequest) -> service.Config:
    """Tests marked by `fault` get a port with that fault layer."""
    fault = getattr(request, "param", None)
    return service.veth_config(**({"fault": fault} if fault else {}))


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"seed": 1, "rx": {"drop": 0.01}, "tx": {"drop": 0.01}}, id="loss 1%"),
        pytest.param({"seed": 2, "rx": {"duplicate": 0.02}, "tx": {"duplicate": 0.02}}, id="duplicates"),
        pytest.param({"seed": 3, "rx": {"reorder": 0.02, "reorder_us": 500}}, id="reordering"),
        pytest.param({"seed": 4, "rx": {"corrupt": 0.005}, "tx": {"corrupt": 0.005}}, id="corruption"),
        pytest.param({"seed": 5, "rx": {"delay_us": 2000, "jitter_us": 500}}, id="delay"),
    ],
    indirect=True,
)
def test_transfers_are_intact_over_a_bad_wire(joyride: Net) -> None:
    digest = programs.make_file(joyride.folder / "file", 4 << 20)
    with programs.nginx(joyride.peer, joyride.folder, accept_from=(joyride.peer, joyride.pair.peer_ip)):
        got = programs.curl(joyride.host, f"http://{joyride.pair.peer_ip}:8080/file", timeout=120)
    assert programs.sha256(got.path) == digest
    with programs.nginx(joyride.host, joyride.folder, accept_from=(joyride.peer, joyride.pair.host_ip)):
        got = programs.curl(joyride.peer, f"http://{joyride.pair.host_ip}:8080/file", timeout=120)
    assert programs.sha256(got.path) == digest


@pytest.mark.slow
def test_transfers_are_intact_when_the_peer_loses_packets(net: Net) -> None:
    digest = programs.make_file(net.folder / "file", 4 << 20)
    with programs.nginx(net.peer, net.folder, accept_from=(net.peer, net.pair.peer_ip)):
        net.pair.drop_share(0.01)
        got = programs.curl(net.host, f"http://{net.pair.peer_ip}:8080/file", timeout=120)
    assert programs.sha256(got.path) == digest


def test_two_services_over_memif() -> None:
    """Joyride on both ends, no kernel device between them."""
    require_joyride()
    with machine.work_folder(machine.BUILD / "test-logs/memif") as folder, netns.two_hosts() as (left_ns, right_ns):
        left, right = Machine(left_ns, KERNEL, folder), Machine(right_ns, KERNEL, folder)
        path = folder / "memif.sock"
        digest = programs.make_file(folder / "file", 32 << 20)
        with (
            service.running(left, service.memif_config(path, "server", "10.78.0.1/24")) as one,
            service.running(right, service.memif_config(path, "client", "10.78.0.2/24")) as two,
        ):
            host, peer = left.on(one.stack()), right.on(two.stack())
            with programs.nginx(peer, folder, addresses=("10.78.0.2",)):
                got = programs.curl(host, "http://10.78.0.2:8080/file", "--retry", "5", "--retry-connrefused")
            assert programs.sha256(got.path) == digest
            with programs.redis(host, bind="10.78.0.1"):
                rates = programs.redis_benchmark(peer, "10.78.0.1", requests=5000)
            assert min(rates.values()) > 100
            one.wait_for_sockets(0)
            two.wait_for_sockets(0)


def joyride_command(net: Net, *args: str) -> subprocess.CompletedProcess[str]:
    """The joyride command, run on the host."""
    argv = ["env", f"PYTHONPATH={REPO / 'tools'}", f"JOYRIDE_SOCKET={net.running_service.control}",
            f"JOYRIDE_LIBC={machine.LIBC_PREFIX}", sys.executable, "-m", "joyride", *args]  # fmt: skip
    return net.pair.host.run(*argv, check=False)


def test_the_doctor_finds_a_healthy_host_healthy(joyride: Net) -> None:
    done = joyride_command(joyride, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


@pytest.mark.parametrize("how", [[], ["--namespace"]], ids=["loader", "namespace"])
def test_the_command_runs_programs_and_lists_their_sockets(joyride: Net, how: list[str]) -> None:
    with joyride.pair.peer.listen(joyride.pair.peer_ip, 7000) as server:
        argv = ["env", f"PYTHONPATH={REPO / 'tools'}", f"JOYRIDE_LIBC={machine.LIBC_PREFIX}", sys.executable, "-m",
                "joyride", "run", *how, "--socket", str(joyride.running_service.control), PYTHON, str(SCRIPT), "sink",
                joyride.pair.peer_ip, "7000"]  # fmt: skip
        with joyride.kernel_host.running(argv) as client:
            client.wait_for_log("connected")
            sock, _ = server.accept()
            listed = joyride_command(joyride, "ss", "-tn").stdout
            assert f"{joyride.pair.peer_ip}:7000" in listed
            counters = joyride_command(joyride, "stat", "sock_").stdout
            assert "sock_made" in counters
            sock.close()
            client.wait_for_log("eof")
