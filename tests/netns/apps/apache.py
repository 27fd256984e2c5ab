# SPDX-License-Identifier: BSD-3-Clause
"""Apache: the prefork and event modules, TLS, CGI (a socket's owner forks and executes), a proxy, graceful restart.

See apache2(8), https://httpd.apache.org/docs/2.4/stopping.html.
"""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import programs
from harness.process import Process

from .base import MIB, App, Scene, must, settle

APP = App("apache2", packages=["apache2", "apache2-utils", "curl"], needs=["apache2", "ab", "curl"])

CONF = """\
ServerRoot {folder}
ServerName apps.test
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
User www-data
Group www-data
Listen 8080
Listen 8443
{modules}
StartServers 2
MaxRequestWorkers 64
KeepAlive On
EnableSendfile {sendfile}
DocumentRoot {folder}
<Directory {folder}>
    Require all granted
</Directory>
<Directory {folder}/cgi>
    Options +ExecCGI
    SetHandler cgi-script
</Directory>
RedirectMatch 302 ^/says$ /{says}
ProxyPass /through/ http://{backend}:8081/
<VirtualHost *:8443>
    SSLEngine on
    SSLCertificateFile {cert}
    SSLCertificateKeyFile {key}
</VirtualHost>
"""
MODULES = ("authz_core", "ssl", "alias", "proxy", "proxy_http", "socache_shmcb")
CGI = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "$REQUEST_METHOD $QUERY_STRING"
sha256sum | cut -c 1-64
"""


def configure(scene: Scene, mpm: str, says: str = "one", *, sendfile: bool = True) -> Path:
    """Write the configuration for one of the multi-processing modules."""
    cert, key = scene.certificate()
    key.chmod(0o644)
    wanted = [f"mpm_{mpm}", "cgi" if mpm == "prefork" else "cgid", *MODULES]
    modules = [f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in wanted]
    modules += [] if mpm == "prefork" else [f"ScriptSock {scene.path('cgisock')}"]
    return scene.write("apache.conf", CONF.format(
        folder=scene.folder, modules="\n".join(modules), cert=cert, key=key, says=says,
        sendfile="On" if sendfile else "Off", backend=scene.peer_address))  # fmt: skip


@contextlib.contextmanager
def running(scene: Scene, mpm: str, **options: Any) -> Iterator[Process]:
    """apache2 with that configuration."""
    conf = configure(scene, mpm, **options)
    with scene.serving(["apache2", "-D", "FOREGROUND", "-f", conf], 8080) as process:
        yield process


def serve(scene: Scene, mpm: str) -> dict[str, Any]:
    """Files, TLS, CGI, a proxy, then 400 requests of 8 clients."""
    path, digest = scene.file(8 * MIB)
    scene.write("cgi/sum", CGI, 0o755)
    base = f"http://{scene.address}:8080"
    facts: dict[str, Any] = {}
    with running(scene, mpm), programs.nginx(scene.peer, scene.folder, port=8081):
        for name, url in (("plain", f"{base}/file"), ("tls", f"https://{scene.address}:8443/file"),
                          ("through", f"{base}/through/file")):  # fmt: skip
            got = programs.curl(scene.client, url, "--cacert", str(scene.certificate()[0]))
            facts[name] = [got.code, programs.sha256(got.path) == digest]
        got = programs.curl(scene.client, f"{base}/cgi/sum?a=b", "--data-binary", f"@{path}")
        facts["cgi"] = [got.code, got.path.read_text().split() == ["POST", "a=b", digest]]
        said = scene.ask("ab", "-q", "-k", "-n", "400", "-c", "8", f"{base}/cert.pem")
        facts["ab"] = re.findall(r"(?:Complete|Failed) requests: +(\d+)", said)
    return facts


@APP.workload("prefork: files, TLS, CGI, a proxy, ab", ways=("serves",), at_least=12)
def prefork(scene: Scene) -> dict[str, Any]:
    return serve(scene, "prefork")


@APP.workload("event: files, TLS, CGI, a proxy, ab", ways=("serves",), at_least=12)
def event(scene: Scene) -> dict[str, Any]:
    return serve(scene, "event")


@APP.workload("ab asks the peer's apache2", ways=("asks", "local"), at_least=20)
def bench(scene: Scene) -> dict[str, Any]:
    with running(scene, "event"):
        url = f"http://{scene.address}:8080/cert.pem"
        said = [scene.ask("ab", "-q", *more, "-n", "300", "-c", "10", url) for more in ([], ["-k"])]
    return {"requests": [re.findall(r"(?:Complete|Failed) requests: +(\d+)", text) for text in said]}


def restart(scene: Scene, mpm: str) -> dict[str, Any]:
    """Graceful restarts while requests come in."""
    ask = ["curl", "-sS", "-o", "/dev/null", "-w", "%{redirect_url}", f"http://{scene.address}:8080/says"]
    with running(scene, mpm, says="one") as process:
        answers = [scene.ask(*ask)]
        for says in ("two", "three"):
            configure(scene, mpm, says)
            process.kill(signal.SIGUSR1)
            must(settle(lambda want=says: scene.ask(*ask).endswith(want)), f"no answer from {says}")  # type: ignore[misc]
            answers.append(scene.ask(*ask))
        process.kill(signal.SIGWINCH)  # graceful stop
        code = process.wait(20)
    return {"answers": [a.rpartition("/")[2] for a in answers], "exit": code}


@APP.workload("prefork: graceful restart and stop", ways=("serves",), at_least=4)
def prefork_restarts(scene: Scene) -> dict[str, Any]:
    return restart(scene, "prefork")


@APP.workload("event: graceful restart and stop", ways=("serves",), at_least=4)
def event_restarts(scene: Scene) -> dict[str, Any]:
    return restart(scene, "event")
