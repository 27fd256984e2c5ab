# SPDX-License-Identifier: BSD-3-Clause
"""A Docker engine: the one that runs, or one of our own that leaves nothing behind.

Ours has no bridge and changes neither iptables nor ip_forward, its mounts are in a mount namespace of its own, and its
containers are on its host's network or on none. Its images stay in its folder, as a cache.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ci.packages.run import PackagingError, need, say

if TYPE_CHECKING:
    import docker

START_SECONDS = 60


def _client(url: str | None) -> docker.DockerClient:
    import docker

    return docker.DockerClient(base_url=url, timeout=600) if url else docker.from_env(timeout=600)


def running() -> docker.DockerClient | None:
    """The engine that the environment names, if it answers."""
    from docker.errors import DockerException

    try:
        found = _client(None)
        found.ping()
    except DockerException:
        return None
    return found


@contextlib.contextmanager
def own(folder: Path, *, netns: str | None = None, link: Path | None = None) -> Iterator[docker.DockerClient]:
    """Start an engine with its images in `folder`, in a network namespace of ip-netns(8)'s if one is named.

    `link` becomes a symbolic link to its socket, for other clients than ours.

    When it is left, its containers are removed, it has ended, and its namespaces are gone. Raises PackagingError.
    """
    need("dockerd", "unshare", packages="docker.io util-linux")
    folder.mkdir(parents=True, exist_ok=True)
    holder = tempfile.TemporaryDirectory(prefix="jr-docker", ignore_cleanup_errors=True)  # a socket's path is short
    short = Path(holder.name)
    socket, log = short / "s", folder.with_suffix(".log")
    argv = ["unshare", "--mount", "--propagation", "private", "--kill-child", "--fork", "dockerd"]
    argv += ["--data-root", str(folder), "--exec-root", str(short / "x"), "--pidfile", str(short / "p")]
    argv += [
        "--host",
        f"unix://{socket}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]
    if netns:
        argv = ["nsenter", f"--net=/run/netns/{netns}", "--", *argv]  # ip-netns(8) would hide the cgroups
    env = {**os.environ, "PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}"}
    with (
        holder,
        log.open("wb") as out,
        subprocess.Popen(argv, stdout=out, stderr=out, env=env, start_new_session=True) as daemon,
    ):
        try:
            client = _wait(daemon, socket, log)
            if link:
                link.symlink_to(socket)
            try:
                yield client
            finally:
                for container in client.containers.list(all=True):
                    container.remove(force=True, v=True)
                client.close()
        finally:
            _stop(daemon, short / "p")


def _wait(daemon: subprocess.Popen[bytes], socket: Path, log: Path) -> docker.DockerClient:
    from docker.errors import DockerException

    end = time.monotonic() + START_SECONDS
    while daemon.poll() is None and time.monotonic() < end:
        if socket.exists():
            with contextlib.suppress(DockerException):
                client = _client(f"unix://{socket}")
                client.ping()
                return client
        time.sleep(0.1)
    tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-12:])
    raise PackagingError(f"dockerd did not start:\n  {tail}")


def _stop(daemon: subprocess.Popen[bytes], pidfile: Path) -> None:
    """Ask dockerd to end, as it ends its containerd then; kill what does not."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
    try:
        daemon.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


@contextlib.contextmanager
def any_engine(folder: Path) -> Iterator[docker.DockerClient]:
    """The engine that runs, else one of our own."""
    found = running()
    if found:
        say("using the Docker engine that runs")
        yield found
        found.close()
        return
    say(f"starting a Docker engine of our own, with its images in {folder}")
    with own(folder) as client:
        yield client
