# SPDX-License-Identifier: BSD-3-Clause
"""nginx: a master that forks workers, sendfile, TLS, a proxy, reload, and the upgrade of the binary by USR2.

See nginx(8), https://nginx.org/en/docs/control.html.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import programs
from harness.process import Process

from .base import MIB, App, Scene, must, settle, tool

APP = App("nginx", packages=["nginx-light", "curl"], needs=["nginx", "curl"])

CONF = """\
daemon {daemon};
user root;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    default_type application/octet-stream;
    access_log {folder}/access.log;
    sendfile {sendfile};
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    server {{
        listen 8080; listen [::]:8080 ipv6only=on;
        listen 8443 ssl;
        ssl_certificate {cert}; ssl_certificate_key {key};
        location / {{ root {folder}; }}
        location /say {{ return 200 "{says}\\n"; }}
        location /put/ {{ root {folder}; dav_methods PUT; create_full_put_path on; }}
        location /through/ {{
            proxy_pass http://{backend}:8081/; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
    server {{ listen 8081; location / {{ root {folder}; }} }}
}}
"""


def configure(scene: Scene, *, workers: int = 2, sendfile: bool = True, says: str = "one", daemon: bool = False,
              backend: str = "127.0.0.1") -> Path:  # fmt: skip
    """Write nginx.conf."""
    cert, key = scene.certificate()
    return scene.write("nginx.conf", CONF.format(
        folder=scene.folder, workers=workers, sendfile="on" if sendfile else "off", cert=cert, key=key, says=says,
        daemon="on" if daemon else "off", backend=backend))  # fmt: skip


@contextlib.contextmanager
def running(scene: Scene, **options: Any) -> Iterator[Process]:
    """nginx with that configuration."""
    conf = configure(scene, **options)
    with scene.serving(["nginx", "-c", conf, "-p", scene.folder, "-e", scene.path("error.log")], 8080) as process:
        yield process


def fetch(scene: Scene, url: str, *options: str) -> tuple[int, str]:
    """curl it: status and sha256."""
    got = programs.curl(scene.client, url, *options, timeout=30)
    return got.code, programs.sha256(got.path)


@APP.workload("16 MiB by sendfile, writev and TLS", ways=("serves", "local"), at_least=4)
def transfers(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(16 * MIB)
    facts: dict[str, Any] = {}
    for sendfile in (True, False):
        with running(scene, sendfile=sendfile):
            for name, url in (
                ("plain", f"http://{scene.address}:8080/file"),
                ("tls", f"https://{scene.address}:8443/file"),
            ):
                code, got = fetch(scene, url, "--cacert", str(scene.certificate()[0]))
                facts[f"{name}, sendfile {sendfile}"] = [code, got == digest]
    return facts


@APP.workload("uploads, ranges, errors, keep-alive, IPv6", ways=("serves",), at_least=4)
def requests(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(4 * MIB)
    base = f"http://{scene.address}:8080"
    with running(scene):
        put = programs.curl(scene.client, f"{base}/put/up", "-T", str(path))
        part = programs.curl(scene.client, f"{base}/file", "-r", "1000000-1999999")
        missing = programs.curl(scene.client, f"{base}/no-such-file")
        six = programs.curl(scene.client, f"http://[{scene.address6}]:8080/say")
        many = scene.ask("curl", "-sS", "-w", "%{num_connects} ", *[f"{base}/say"] * 20)
    return {
        "put": [put.code, programs.sha256(scene.path("put/up")) == digest],
        "range": [part.code, part.bytes, part.path.read_bytes() == path.read_bytes()[1000000:2000000]],
        "missing": missing.code, "over IPv6": six.path.read_text(), "20 requests, connections made": many,
    }  # fmt: skip


@APP.workload("proxy to a server on the peer", ways=("serves",), at_least=8)
def proxies(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(4 * MIB)
    with programs.nginx(scene.peer, scene.folder, port=8081, accept_from=(scene.peer, scene.peer_address)):
        conf = configure(scene, backend=scene.peer_address)
        conf.write_text(conf.read_text().replace("server { listen 8081;", "server { listen 8082;"))
        argv = ["nginx", "-c", conf, "-p", scene.folder, "-e", scene.path("error.log")]
        with scene.serving(argv, 8080):
            got = [fetch(scene, f"http://{scene.address}:8080/through/file") for _ in range(4)]
    return {"answers": [[code, found == digest] for code, found in got]}


@APP.workload("reload with connections open", ways=("serves",), at_least=4)
def reload(scene: Scene) -> dict[str, Any]:
    url = f"http://{scene.address}:8080/say"
    with running(scene, says="before") as process:
        old = set(process.children())
        before = scene.ask("curl", "-sS", url)
        configure(scene, says="after", workers=3)
        process.kill(signal.SIGHUP)
        after = settle(lambda: scene.ask("curl", "-sS", url) == "after\n")
        gone = settle(lambda: not old & set(process.children()))
        count = len(process.children())
    return {"before": before, "after": after, "old workers gone": gone, "workers": count}


@APP.workload("upgrade of the binary (USR2, QUIT)", ways=("serves",), at_least=4)
def upgrade(scene: Scene) -> dict[str, Any]:
    url = f"http://{scene.address}:8080/say"
    pid_file = scene.path("nginx.pid")
    conf = configure(scene, daemon=True)  # a master in the foreground takes no USR2, nor one called without its path
    scene.server.run(str(tool("nginx")), "-c", conf, "-p", scene.folder, "-e", scene.path("error.log"))
    must(settle(pid_file.exists), "no master came up")
    old = int(pid_file.read_text())
    first = scene.ask("curl", "-sS", "--retry-connrefused", "--retry", "3", url)
    os.kill(old, signal.SIGUSR2)
    must(settle(lambda: Path(f"{pid_file}.oldbin").exists() and pid_file.exists()), "no new master came up")
    new = int(pid_file.read_text())
    both = scene.ask("curl", "-sS", url)
    os.kill(old, signal.SIGQUIT)
    gone = settle(lambda: not alive(old))
    answers = {scene.ask("curl", "-sS", url) for _ in range(10)}
    os.kill(new, signal.SIGTERM)
    ended = settle(lambda: not alive(new))
    return {"first": first, "both": both, "old one gone": gone, "after": sorted(answers), "new one ended": ended}


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
