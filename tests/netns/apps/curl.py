# SPDX-License-Identifier: BSD-3-Clause
"""curl and wget as clients of the peer's nginx: files, parallel transfers, TLS, limits, and what happens on errors."""

from __future__ import annotations

from typing import Any

from harness import programs

from .base import MIB, App, Scene
from .nginx import running

CURL = App("curl", packages=["curl", "nginx-light"], needs=["curl", "nginx"])
WGET = App("wget", packages=["wget", "nginx-light"], needs=["wget", "nginx"])


@CURL.workload("files, TLS, IPv6, parallel transfers", ways=("asks", "local"), at_least=12)
def curl_fetches(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(8 * MIB)
    cert = scene.certificate()[0]
    out = scene.path("out")
    out.mkdir()
    with running(scene):
        base = f"http://{scene.address}:8080"
        single = programs.curl(scene.client, f"{base}/file")
        tls = programs.curl(scene.client, f"https://{scene.address}:8443/file", "--cacert", str(cert))
        six = programs.curl(scene.client, f"http://[{scene.address6}]:8080/file")
        urls = [arg for i in range(10) for arg in ("-o", str(out / f"{i}"), f"{base}/file")]
        code, _ = scene.try_ask("curl", "-sS", "--parallel", "--parallel-immediate", "--no-progress-meter", *urls)
    return {
        "single": [single.code, programs.sha256(single.path) == digest],
        "tls": [tls.code, programs.sha256(tls.path) == digest],
        "six": [six.code, programs.sha256(six.path) == digest],
        "parallel": [code, [programs.sha256(out / f"{i}") == digest for i in range(10)]],
    }


@CURL.workload("refused, silent, unknown, cut off, limited", ways=("asks",))
def curl_fails(scene: Scene) -> dict[str, Any]:
    with scene.path("file").open("wb") as sparse:
        sparse.truncate(256 * MIB)  # more than any buffers between the two hold
    facts: dict[str, Any] = {}
    with running(scene):
        tries = {
            "refused": [f"http://{scene.address}:9/"],
            "silent": ["--connect-timeout", "0.5", "http://10.77.0.99/"],
            "too slow": ["--limit-rate", "100k", "--max-time", "1", f"http://{scene.address}:8080/file"],
            "unknown authority": [f"https://{scene.address}:8443/say"],
            "from a local port": ["--local-port", "30000-30100", f"http://{scene.address}:8080/say"],
            "from an address": ["--interface", scene.host_address, f"http://{scene.address}:8080/say"],
        }
        for name, options in tries.items():
            code, text = scene.try_ask("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *options)
            facts[name] = [code, "refused" in text, "timed out" in text.lower()]
    return facts


@WGET.workload("a tree of files, TLS, continuing a part", ways=("asks",), at_least=3)
def wget_fetches(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(8 * MIB)
    links = "".join(f'<a href="page{i}.html">{i}</a>' for i in range(20))
    scene.write("tree/index.html", links)
    for i in range(20):
        scene.write(f"tree/page{i}.html", f"page {i}\n" * 1000)
    part = scene.path("part")
    part.write_bytes(path.read_bytes()[: 3 * MIB])
    with running(scene):
        base = f"http://{scene.address}:8080"
        tree = scene.try_ask("wget", "-q", "-r", "-np", "-nH", "-P", scene.path("got"), f"{base}/tree/index.html")[0]
        tls = scene.try_ask("wget", "-q", f"--ca-certificate={scene.certificate()[0]}", "-O", scene.path("tls"),
                            f"https://{scene.address}:8443/file")[0]  # fmt: skip
        more = scene.try_ask("wget", "-q", "-c", "-O", part, f"{base}/file")[0]
        refused = scene.try_ask("wget", "-q", "-t", "1", f"http://{scene.address}:9/")[0]
    return {
        "tree": [tree, sorted(p.name for p in scene.path("got").rglob("*.html"))],
        "tls": [tls, programs.sha256(scene.path("tls")) == digest],
        "continued": [more, programs.sha256(part) == digest], "refused": refused,
    }  # fmt: skip
