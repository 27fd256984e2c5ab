# SPDX-License-Identifier: BSD-3-Clause
"""More web servers: lighttpd before php-fpm, uwsgi (that executes itself anew), squid, varnish, nghttp2, stunnel."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import programs

from .base import MIB, App, Scene, must, settle, tool
from .nginx import configure

LIGHTTPD = App("lighttpd", packages=["lighttpd", "php-fpm", "curl", "apache2-utils"],
               needs=["lighttpd", "/usr/sbin/php-fpm*", "curl", "ab"])  # fmt: skip
UWSGI = App("uwsgi", packages=["uwsgi-core", "uwsgi-plugin-python3", "curl", "apache2-utils"],
            needs=["uwsgi-core", "/usr/lib/uwsgi/plugins/python3_plugin.so", "curl", "ab"])  # fmt: skip
SQUID = App("squid", packages=["squid", "nginx-light", "curl"], needs=["squid", "nginx", "curl"])
VARNISH = App("varnish", packages=["varnish", "gcc", "nginx-light", "curl", "apache2-utils"],
              needs=["varnishd", "gcc", "nginx", "curl", "ab"])  # fmt: skip
NGHTTP2 = App("nghttp2", packages=["nghttp2-server", "nghttp2-client", "curl"], needs=["nghttpd", "h2load", "curl"])
STUNNEL = App("stunnel", packages=["stunnel4", "nginx-light", "curl"], needs=["stunnel", "nginx", "curl"])


def counted(said: str) -> list[str]:
    """What ab says that does not depend on speed."""
    return [line for line in said.splitlines() if line.startswith(("Complete", "Failed", "Non-2xx"))]


def ab(scene: Scene, url: str, *more: str, requests: int = 300) -> list[str]:
    """ab with ten clients."""
    return counted(scene.ask("ab", "-q", "-n", str(requests), "-c", "10", *more, url))


LIGHTTPD_CONF = """\
server.port = 8000
server.document-root = "{folder}"
server.errorlog = "{folder}/lighttpd.log"
server.modules = ("mod_fastcgi", "mod_proxy")
server.max-worker = {workers}
server.upload-dirs = ("{folder}")
fastcgi.server = (".php" => (("host" => "127.0.0.1", "port" => 9000)))
$HTTP["url"] =~ "^/through/" {{
    proxy.server = ("" => (("host" => "{backend}", "port" => 8081)))
    proxy.header = ("map-urlpath" => ("/through/" => "/"))
}}
"""
FPM_CONF = """\
[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:9000
pm = static
pm.max_children = 3
"""
PHP = """<?php
$got = file_get_contents("php://input");
$asked = @file_get_contents("http://{backend}:8081/ping");
echo $_SERVER["REQUEST_METHOD"], " ", hash("sha256", $got), " ", strlen($got), " ", $asked;
"""


@LIGHTTPD.workload("files, PHP by FastCGI, a proxy, ab", ways=("serves",), at_least=20)
def lighttpd(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(4 * MIB)
    scene.folder.chmod(0o755)
    scene.write("say.php", PHP.replace("{backend}", scene.peer_address))
    fpm = scene.write("fpm.conf", FPM_CONF.format(folder=scene.folder))
    conf = scene.write("lighttpd.conf", LIGHTTPD_CONF.format(
        folder=scene.folder, workers=2, backend=scene.peer_address))  # fmt: skip
    base = f"http://{scene.address}:8000"
    with (
        programs.nginx(scene.peer, scene.folder, port=8081, accept_from=(scene.peer, scene.peer_address)),
        scene.server.running([tool("/usr/sbin/php-fpm*"), "-F", "-y", fpm]) as pool,
    ):
        pool.wait_for_port(scene.server.ns, "127.0.0.1", 9000)
        with scene.serving(["lighttpd", "-D", "-f", conf], 8000):
            got = [programs.curl(scene.client, f"{base}/{where}file") for where in ("", "through/")]
            said = scene.ask("curl", "-sS", "--data-binary", f"@{path}", f"{base}/say.php")
            return {"files": [[g.code, programs.sha256(g.path) == digest] for g in got],
                    "php": said == f"POST {digest} {4 * MIB} pong\n", "ab": ab(scene, f"{base}/cert.pem"),
                    "ab php": ab(scene, f"{base}/say.php", requests=100)}  # fmt: skip


@UWSGI.workload("four processes, ab, a reload (SIGHUP)", ways=("serves",), at_least=300)
def uwsgi(scene: Scene) -> dict[str, Any]:
    argv = ["uwsgi-core", "--plugin", "python3", "--http-socket", ":8000", "--master", "--processes", "4",
            "--pythonpath", scene.script(""), "--wsgi", "py_web:wsgi", "--die-on-term", "--lazy-apps"]  # fmt: skip
    base = f"http://{scene.address}:8000"
    with scene.serving(argv, 8000) as process:
        facts: dict[str, Any] = {"ab": ab(scene, f"{base}/hello")}
        process.kill(signal.SIGHUP)
        must(settle(lambda: len(re.findall(r"spawned uWSGI worker 4 ", process.text())) == 2, 20), "no reload")
        facts["again"] = ab(scene, f"{base}/hello")
        facts["echo"] = scene.ask("curl", "-sS", "--data-binary", "words", f"{base}/echo")
        facts["exit"] = process.stop(10)
    return facts


def remove(paths: Iterable[Path]) -> None:
    """Delete files."""
    for path in paths:
        path.unlink()


SQUID_CONF = """\
http_port 3128
http_access allow all
cache_mem 32 MB
cache_effective_user proxy
access_log stdio:{folder}/squid-access.log
cache_log {folder}/cache.log
pid_filename {folder}/squid.pid
coredump_dir {folder}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
max_filedescriptors 1024
dns_nameservers 127.0.0.9
hosts_file none
"""


@SQUID.workload("a proxy: files, its cache, CONNECT, errors", ways=("serves", "asks"), at_least=7)
def squid(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(4 * MIB)
    conf = scene.write("squid.conf", SQUID_CONF.format(folder=scene.folder))
    scene.folder.chmod(0o777)
    origin = scene.client  # the proxy's other side
    where = scene.peer_address if scene.way == "serves" else scene.host_address
    cert = str(scene.certificate()[0])
    web = ["nginx", "-c", configure(scene), "-p", scene.folder, "-e", scene.path("error.log")]
    facts: dict[str, Any] = {}
    name = f"apps{os.getpid()}"  # of its shared memory, which it leaves when it does not end by itself
    with contextlib.ExitStack() as inside:
        inside.callback(lambda: remove(Path("/dev/shm").glob(f"{name}-*")))
        nginx = inside.enter_context(origin.running(web))
        inside.enter_context(scene.serving(["squid", "-N", "-n", name, "-f", conf], 3128))
        nginx.wait_for_port(origin.ns, where, 8080)
        proxy = ["-x", f"http://{scene.address}:3128"]
        for name, url in (("first", f"http://{where}:8080/file"), ("again", f"http://{where}:8080/file"),
                          ("connect", f"https://{where}:8443/file")):  # fmt: skip
            more = ["-k"] if name == "connect" else []
            got = programs.curl(scene.client, url, *proxy, "--cacert", cert, *more)
            facts[name] = [got.code, programs.sha256(got.path) == digest]
        many = [f"http://{where}:8080/say"] * 20
        facts["many"] = scene.ask("curl", "-sS", "-w", "%{num_connects} ", *proxy, *many)
        ask = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *proxy]
        facts["refused"] = scene.ask(*ask, f"http://{where}:9/")
    return facts


@VARNISH.workload("a cache before the peer's nginx, ab", ways=("serves",), at_least=20)
def varnish(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(4 * MIB)
    argv = ["varnishd", "-F", "-j", "none", "-a", ":8000", "-b", f"{scene.peer_address}:8081", "-n", scene.path("var"),
            "-s", "malloc,64m", "-T", "none"]  # fmt: skip
    base = f"http://{scene.address}:8000"
    with (
        programs.nginx(scene.peer, scene.folder, port=8081, accept_from=(scene.peer, scene.peer_address)),
        scene.serving(argv, 8000, timeout=40),
    ):
        got = [programs.curl(scene.client, f"{base}/file") for _ in range(3)]
        facts: dict[str, Any] = {"files": [[g.code, programs.sha256(g.path) == digest] for g in got]}
        facts["ab"] = [ab(scene, f"{base}/cert.pem"), ab(scene, f"{base}/cert.pem", "-k")]
        facts["many"] = scene.ask("curl", "-sS", "-w", "%{num_connects} ", *[f"{base}/ping"] * 20)
    return facts


@NGHTTP2.workload("HTTP/2 by TLS and without: h2load, curl", ways=("serves", "asks", "local"), at_least=20)
def nghttp2(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(4 * MIB)
    cert, key = scene.certificate()
    plain = ["nghttpd", "-n", "2", "-d", scene.folder, "--no-tls", "8080"]
    tls = ["nghttpd", "-n", "2", "-d", scene.folder, "8443", key, cert]
    facts: dict[str, Any] = {}
    with scene.serving(plain, 8080), scene.serving(tls, 8443):
        for name, url in (("plain", f"http://{scene.address}:8080"), ("tls", f"https://{scene.address}:8443")):
            how = "--http2" if name == "tls" else "--http2-prior-knowledge"
            got = programs.curl(scene.client, f"{url}/file", how, "--cacert", str(cert))
            facts[name] = [got.code, programs.sha256(got.path) == digest]
            said = scene.ask("h2load", "-n", "500", "-c", "10", "-m", "10", "-t", "2", f"{url}/cert.pem")
            facts[f"{name}, h2load"] = re.findall(r"requests: .*|status codes: .*", said)
    return facts


STUNNEL_CONF = """\
foreground = yes
pid =
socket = l:SO_REUSEADDR=1
[{name}]
client = {client}
accept = {accept}
connect = {connect}
{more}
"""


@STUNNEL.workload("TLS around plain HTTP, at both ends", ways=("serves", "asks", "local"), at_least=5)
def stunnel(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(8 * MIB)
    cert, key = scene.certificate()
    server = scene.write("server.conf", STUNNEL_CONF.format(
        name="server", client="no", accept="8443", connect="127.0.0.1:8081",
        more=f"cert = {cert}\nkey = {key}"))  # fmt: skip
    client = scene.write("client.conf", STUNNEL_CONF.format(
        name="client", client="yes", accept="127.0.0.1:7001", connect=f"{scene.address}:8443",
        more=f"CAfile = {cert}\nverifyPeer = yes"))  # fmt: skip
    with (
        programs.nginx(scene.server, scene.folder, port=8081),
        scene.serving(["stunnel", server], 8443),
        scene.client.running(["stunnel", client]) as near,
    ):
        near.wait_for_port(scene.client.ns, "127.0.0.1", 7001)
        got = [programs.curl(scene.client, "http://127.0.0.1:7001/file") for _ in range(5)]
        many = scene.ask("curl", "-sS", "--parallel", *["http://127.0.0.1:7001/ping"] * 20)
    return {"files": [[g.code, programs.sha256(g.path) == digest] for g in got], "many": many}
