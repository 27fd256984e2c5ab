# SPDX-License-Identifier: BSD-3-Clause
"""The container images: a service in one container, programs on it in others, a peer on the kernel outside.

The engine is in the network namespace of the pair's host: "the host's network" of its containers is the veth's end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from conftest import OUT
from docker.models.containers import Container
from harness import netns
from harness.process import wait_until

from ci.packages import base, engine, repo
from ci.packages.image import IMAGES, import_base
from ci.packages.version import REPO, project_version

HOST, PEER = "10.77.0.1", "10.77.0.2"
CAPABILITIES = [
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "IPC_LOCK", "KILL", "NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW",
    "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE",
]  # fmt: skip
CONFIG = '[[port]]\nname = "jr0"\nkind = "af_packet"\ninterface = "jr0"\n[service]\nhugepages_mb = 0\n'
FETCH = "import urllib.request as u; print(u.urlopen('http://{}/', timeout=20).read().decode())"
TALK = """
import socket, sys
s = socket.create_connection(("10.77.0.2", 7000), 60)
s.sendall(b"hello"); print(s.recv(100).decode())
print("joyride" if "memfd:j" in open("/proc/self/maps").read() else "kernel")
"""


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs find the engine."""
    return tmp_path_factory.mktemp("engine") / "docker.sock"


@pytest.fixture(scope="module")
def client(pair: netns.Pair, socket: Path) -> Iterator[docker.DockerClient]:
    """An engine on the pair's host that has the images."""
    with engine.own(OUT / "docker", netns=pair.host.name, link=socket) as made:
        have = {tag for image in made.images.list() for tag in image.tags}
        for name in IMAGES:
            if f"joyride/{name}:{project_version()}" not in have:
                packed = next((OUT / "images").glob(f"joyride-{name}_*.tar.xz"))
                with subprocess.Popen(["xz", "-dc", packed], stdout=subprocess.PIPE) as xz:
                    assert xz.stdout is not None
                    made.images.load(xz.stdout)
        yield made


@pytest.fixture(scope="module")
def service(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The service in its container."""
    config = tmp_path_factory.mktemp("config") / "netsvc.toml"
    config.write_text(CONFIG)
    return start_service(client, config)


def start_service(client: docker.DockerClient, config: Path) -> Container:
    began = client.containers.run(
        f"joyride/netsvc:{project_version()}",
        name="netsvc",
        detach=True,
        network_mode="host",
        pid_mode="host",
        cap_drop=["ALL"],
        cap_add=CAPABILITIES,
        security_opt=["seccomp=unconfined"],
        volumes={
            "joyride-run": {"bind": "/run/joyride", "mode": "rw"},
            str(config): {"bind": "/etc/joyride/netsvc.toml", "mode": "ro"},
        },
    )
    wait_until(lambda: answers(began), 90, "the service in its container")
    return began


def answers(service: Container) -> bool:
    service.reload()
    assert service.status == "running", service.logs().decode()
    return bool(service.exec_run(["joyride", "stat"]).exit_code == 0)


def start(client: docker.DockerClient, image: str, command: list[str] | None = None, **more: Any) -> Container:
    """A container with the default's capabilities and seccomp filter that shares the service's folder."""
    return client.containers.run(
        f"joyride/{image}:{project_version()}",
        command,
        detach=True,
        network_mode="host",
        volumes={"joyride-run": {"bind": "/run/joyride", "mode": "rw"}},
        **more,
    )


def run(client: docker.DockerClient, image: str, *command: str) -> str:
    """Run a command in a container of its own and return what it printed."""
    container = start(client, image, list(command))
    code = container.wait(timeout=300)["StatusCode"]
    said = container.logs().decode()
    container.remove()
    assert code == 0, f"{command} ended with {code}: {said}"
    return str(said)


def fetch(pair: netns.Pair) -> str:
    """What the peer, on the kernel, gets from the host's web server."""
    return pair.peer.run(sys.executable, "-c", FETCH.format(HOST), timeout=300).stdout


def listeners(service: Container) -> list[str]:
    done = service.exec_run(["joyride", "ss", "-l", "-n"])
    assert done.exit_code == 0, done.output
    return [line for line in done.output.decode().splitlines() if "LISTEN" in line.upper()]


@pytest.mark.parametrize("name", list(IMAGES))
def test_labels(client: docker.DockerClient, name: str) -> None:
    found = client.images.get(f"joyride/{name}:{project_version()}")
    assert found.labels["org.opencontainers.image.version"] == project_version()
    assert found.labels["org.opencontainers.image.title"] == f"joyride/{name}"
    print(f"{name}: {found.attrs['Size'] / 1e6:.0f} MB, {len(found.attrs['RootFS']['Layers'])} layers")


@pytest.mark.usefixtures("service")
def test_the_system_is_a_debian(client: docker.DockerClient) -> None:
    script = """
set -e
apt-get check -q; apt-config dump >/dev/null; dpkg --audit; dpkg --verify
perl -e 'print "perl ", getpwuid(0) . "", "\n"'
python3 -c 'import ssl, sqlite3, ctypes; print("python", ssl.OPENSSL_VERSION.split()[0])'
readlink /proc/self/exe
ldd /bin/ls | grep libc.so.6
grep -c /run/joyride/netsvc.sock /lib/x86_64-linux-gnu/libc.so.6
/opt/stock/ld.so /bin/echo stock
/usr/libexec/joyride/system-libc status
"""
    said = run(client, "debian-system", "bash", "-c", script)
    for line in ("perl root", "python OpenSSL", "/usr/bin/readlink", "stock", "joyride"):
        assert line in said.splitlines(), said


@pytest.mark.usefixtures("service", "echo")
def test_programs_talk_through_the_service(client: docker.DockerClient) -> None:
    assert run(client, "debian-system", "python3", "-c", TALK).split() == ["hello", "joyride"]


@pytest.mark.usefixtures("service", "echo")
def test_apt_in_a_clean_container(client: docker.DockerClient, debs: list[Path], tmp_path: Path) -> None:
    """Nothing of ours is in it: apt installs the libc from a signed repository; its programs reach the service."""
    with repo.Signer() as signer:
        place = repo.make_apt(tmp_path / "apt", debs, signer)
    (place / "joyride.sources").write_text(repo.sources_for("/repo"))
    script = """
set -e
ls /opt | grep . && exit 1
cp /repo/joyride.sources /etc/apt/sources.list.d/
get="apt-get -y -q -o Dir::Etc::SourceList=/dev/null"
{ $get update && $get install --no-install-recommends joyride-libc; } >/apt.log 2>&1 || cat /apt.log
/opt/joyride/ld.so /usr/bin/python3 -c "$0"
python3 -c "$0"
"""
    name = import_base(client, base.make_tar(OUT / "base"))
    volumes = {"joyride-run": {"bind": "/run/joyride", "mode": "rw"}, str(place): {"bind": "/repo", "mode": "ro"}}
    clean = client.containers.run(name, ["sh", "-c", script, TALK], detach=True, network_mode="host", volumes=volumes)
    try:
        code = clean.wait(timeout=300)["StatusCode"]
        assert (code, clean.logs().decode().split()) == (0, ["hello", "joyride", "hello", "kernel"]), clean.logs()
    finally:
        clean.remove(force=True)


@pytest.mark.usefixtures("service", "echo")
def test_one_program_back_on_the_stock_libc(client: docker.DockerClient) -> None:
    stock = ["/opt/stock/ld.so", "/usr/bin/python3", "-c", TALK]
    assert run(client, "debian-system", *stock).split() == ["hello", "kernel"]
    off = run(client, "debian-system", "sh", "-c", 'JOYRIDE=off exec python3 -c "$0"', TALK)
    assert off.split() == ["hello", "kernel"]


def test_nginx(client: docker.DockerClient, service: Container, pair: netns.Pair) -> None:
    web = start(client, "app-example")
    try:
        wait_until(lambda: any(":80" in line for line in listeners(service)), 90, "nginx listens on the service")
        assert "nginx on Joyride" in fetch(pair)
    finally:
        web.remove(force=True)


@pytest.mark.usefixtures("service")
def test_ssh(client: docker.DockerClient) -> None:
    """sshd with its separated privileges, and ssh, both on it, on the host's own address."""
    script = """
set -e
mkdir -p /run/sshd /root/.ssh && ssh-keygen -q -A && ssh-keygen -q -N '' -f /root/.ssh/id_ed25519 -t ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
/usr/sbin/sshd -p 2222 -E /sshd.log
trap 'cat /sshd.log' EXIT
for n in $(seq 300); do ssh-keyscan -p 2222 10.77.0.1 2>/dev/null | grep -q ed25519 && break || sleep 0.1; done
ssh -o StrictHostKeyChecking=no -p 2222 10.77.0.1 'echo over ssh; head -c 300000 /dev/zero'
"""
    said = run(client, "app-example", "bash", "-c", script)
    assert "over ssh" in said


def test_a_killed_service(client: docker.DockerClient, pair: netns.Pair, service: Container) -> None:
    """Programs that run, and programs started afterwards, go on with the kernel."""
    web = start(client, "app-example")
    try:
        wait_until(lambda: any(":80" in line for line in listeners(service)), 90, "nginx listens on the service")
        service.kill("SIGKILL")
        service.wait(timeout=300)
        wait_until(lambda: "nginx on Joyride" in _try_fetch(pair), 90, "nginx answers on the kernel")
    finally:
        web.remove(force=True)
    assert run(client, "debian-system", "/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    again = start(client, "app-example")
    try:
        wait_until(lambda: "nginx on Joyride" in _try_fetch(pair), 90, "nginx started without a service")
    finally:
        again.remove(force=True)


def test_compose(client: docker.DockerClient, pair: netns.Pair, socket: Path, tmp_path: Path) -> None:
    """packaging/image/compose.yaml as it is, with the name of the interface put into the configuration."""
    for old in client.containers.list(all=True):
        old.remove(force=True)
    project = tmp_path / "joyride-test"
    shutil.copytree(REPO / "packaging/image", project)
    (project / "netsvc/netsvc.toml").write_text(CONFIG)

    def compose(*words: str) -> str:
        done = subprocess.run(
            ["docker-compose", "--no-ansi", *words],
            cwd=project,
            env={**os.environ, "DOCKER_HOST": f"unix://{socket}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    compose("config", "--quiet")
    compose("up", "--detach")
    try:
        service, web = (client.containers.get(compose("ps", "-q", name).strip()) for name in ("netsvc", "web"))
        wait_until(lambda: answers(service), 90, "the service answers")
        web.restart(timeout=5)  # depends_on does not wait for a service to answer
        wait_until(lambda: any(":80" in line for line in listeners(service)), 90, "nginx listens on the service")
        assert "nginx on Joyride" in fetch(pair)
        assert service.attrs["HostConfig"]["CapDrop"] == ["ALL"]
        assert not web.attrs["HostConfig"]["CapAdd"]
    finally:
        compose("down", "--volumes", "--timeout", "5")
    assert client.containers.list(all=True) == []


def _try_fetch(pair: netns.Pair) -> str:
    return pair.peer.run(sys.executable, "-c", FETCH.format(HOST), timeout=300, check=False).stdout
