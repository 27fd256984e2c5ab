# SPDX-License-Identifier: BSD-3-Clause
"""What goes between a program and its sockets: SOCKS by a server and by preloaded libraries, a VPN, TURN, Tinyproxy."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from harness import programs

from .base import MIB, App, Scene, must, settle

DANTE = App("dante", packages=["dante-server", "proxychains4", "nginx-light", "curl"],
            needs=["danted", "proxychains4", "nginx", "curl"])  # fmt: skip
OPENVPN = App("openvpn", packages=["openvpn", "nginx-light", "curl"], needs=["openvpn", "nginx", "curl"],
              by_name=not Path("/dev/net/tun").exists())  # fmt: skip
TURN = App("coturn", packages=["coturn"], needs=["turnserver", "turnutils_uclient", "turnutils_peer"])
TINYPROXY = App("tinyproxy", packages=["tinyproxy-bin", "nginx-light", "curl"], needs=["tinyproxy", "nginx", "curl"])

DANTE_CONF = """\
logoutput: stderr
internal: {address} port = 1080
external: {out}
clientmethod: none
socksmethod: none
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 protocol: tcp udp }}
"""
CHAINS_CONF = "strict_chain\nquiet_mode\ntcp_connect_time_out 8000\n[ProxyList]\nsocks5 {address} 1080\n"


@DANTE.workload("a SOCKS server, asked by curl and through proxychains", ways=("serves", "asks"), at_least=4)
def dante(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(4 * MIB, "www/file")
    conf = scene.write("danted.conf", DANTE_CONF.format(address=scene.address, out=scene.address))
    chains = scene.write("chains.conf", CHAINS_CONF.format(address=scene.address))
    url, out = f"http://{scene.address}:8080", scene.path("out")
    facts: dict[str, Any] = {}
    with (
        programs.nginx(scene.server, scene.path("www"), addresses=(scene.address,)),
        scene.serving(["danted", "-f", conf], 1080),
    ):
        get = ["curl", "-sS", "-o", out, f"{url}/file"]
        facts["socks5"] = scene.try_ask(*get, "--socks5", f"{scene.address}:1080")[0], programs.sha256(out) == digest
        facts["socks4"] = scene.try_ask(*get, "--socks4", f"{scene.address}:1080")[0], programs.sha256(out) == digest
        out.unlink()
        chained = ["proxychains4", "-q", "-f", chains]
        facts["chained"] = scene.try_ask(*chained, *get)[0], programs.sha256(out) == digest
        nobody = ["curl", "-sS", f"http://{scene.address}:9/"]
        facts["refused"] = scene.try_ask(*nobody, "--socks5", f"{scene.address}:1080")[0]
        facts["refused, chained"] = scene.try_ask(*chained, *nobody)[0]
    return facts


def tunnel(scene: Scene, proto: str) -> dict[str, Any]:
    """Two ends with a key they share, and a file through the tunnel (whose addresses are the kernel's)."""
    _, digest = scene.file(2 * MIB, "www/file")
    key = scene.path("key")
    scene.peer.run("openvpn", "--genkey", "secret", str(key))
    common = ["--dev", "tun7", "--secret", key, "--cipher", "AES-256-CBC",
              "--verb", "3", "--keepalive", "1", "20"]  # fmt: skip
    server = ["--ifconfig", "10.99.0.1", "10.99.0.2", "--local", scene.address, "--lport", "1194"]
    client = ["--ifconfig", "10.99.0.2", "10.99.0.1", "--remote", scene.address, "--rport", "1194", "--lport", "1195",
              "--local", scene.peer_address if scene.way == "serves" else scene.host_address]  # fmt: skip
    facts: dict[str, Any] = {}
    ends = ("tcp-server", "tcp-client") if proto == "tcp" else ("udp", "udp")
    with (
        scene.server.running(["openvpn", *common, *server, "--proto", ends[0]]) as one,
        scene.client.running(["openvpn", *common, *client, "--proto", ends[1]]) as two,
    ):
        for end in (one, two):
            end.wait_for_log("Initialization Sequence Completed", 30)
        reached = (scene.client, "10.99.0.1")
        with programs.nginx(scene.server, scene.path("www"), addresses=("10.99.0.1",), accept_from=reached):
            out = scene.path("out")
            get = ["curl", "-sS", "--retry", "5", "-o", out, "http://10.99.0.1:8080/file"]
            facts["through"] = scene.try_ask(*get)[0], programs.sha256(out) == digest
    return facts


@OPENVPN.workload("a tunnel by UDP, a file through it", ways=("serves", "asks"), carries="udp", at_least=100,
                  apart=True)  # fmt: skip
def openvpn_udp(scene: Scene) -> dict[str, Any]:
    return tunnel(scene, "udp")


@OPENVPN.workload("a tunnel by TCP, a file through it", ways=("serves", "asks"), apart=True)
def openvpn_tcp(scene: Scene) -> dict[str, Any]:
    return tunnel(scene, "tcp")


@TURN.workload("ten clients relay datagrams, by UDP and by TCP", ways=("serves", "asks"), carries="some", at_least=10)
def turn(scene: Scene) -> dict[str, Any]:
    serve = ["turnserver", "-n", "--no-auth", "-L", scene.address, "-E", scene.address, "--listening-port", "3478",
             "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile", scene.path("pid"),
             "--allow-loopback-peers", "-b", scene.path("db")]  # fmt: skip
    facts: dict[str, Any] = {}
    with (
        scene.client.running(["turnutils_peer", "-L", scene.client_address, "-p", "3480"]),
        scene.serving(serve, 3478),
    ):
        for name, more in (("udp", []), ("tcp", ["-t"])):
            ask = ["turnutils_uclient", *more, "-e", scene.client_address, "-r", "3480", "-n", "20", "-m", "10", "-c",
                   scene.address]  # fmt: skip
            code, said = scene.try_ask(*ask)
            lost = re.findall(r"Total lost packets (\d+)", said)
            facts[name] = code, "tot_recv_msgs=200" in said or said[-200:], lost
    return facts


@TINYPROXY.workload("20 requests at a time, CONNECT, a stop", ways=("serves", "asks"), at_least=20)
def tinyproxy(scene: Scene) -> dict[str, Any]:
    _, digest = scene.file(MIB, "www/file")
    text = f'Port 8888\nListen {scene.address}\nTimeout 20\nMaxClients 50\nPidFile "{scene.path("pid")}"\n'
    conf = scene.write("tinyproxy.conf", text)
    facts: dict[str, Any] = {}
    with contextlib.ExitStack() as inside:
        inside.enter_context(programs.nginx(scene.server, scene.path("www"), addresses=(scene.address,)))
        proxy = inside.enter_context(scene.serving(["tinyproxy", "-d", "-c", conf], 8888))
        base = ["curl", "-sS", "-x", f"http://{scene.address}:8888"]
        out = scene.path("out")
        url = f"http://{scene.address}:8080/file"
        facts["get"] = scene.try_ask(*base, "-o", out, url)[0], programs.sha256(out) == digest
        facts["tunnel"] = scene.try_ask(*base, "-p", "-o", out, url)[0], programs.sha256(out) == digest
        many = scene.try_ask("sh", "-c", f"seq 20 | xargs -P 20 -I N {' '.join(base)} -o {scene.folder}/many.N {url}")
        facts["many"] = many, sum(programs.sha256(p) == digest for p in scene.folder.glob("many.*"))
        facts["refused"] = scene.try_ask(*base, "-o", out, "-w", "%{http_code}", f"http://{scene.address}:9/")
        proxy.kill(15)
        must(settle(lambda: not proxy.running), "tinyproxy did not end")
    return facts
