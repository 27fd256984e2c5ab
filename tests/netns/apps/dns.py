# SPDX-License-Identifier: BSD-3-Clause
"""Name servers and dig: short datagrams, answers too long for one (TCP), many at once, names that do not exist.

dig binds its datagram sockets to no address, which leaves them to the kernel where a port is shared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from harness import programs
from harness.process import Process

from .base import App, Scene

DNSMASQ = App("dnsmasq", packages=["dnsmasq-base", "bind9-dnsutils"], needs=["dnsmasq", "dig"])
UNBOUND = App("unbound", packages=["unbound", "bind9-dnsutils"], needs=["unbound", "dig"])

NAMED = App("bind9", packages=["bind9", "bind9-dnsutils"], needs=["named", "dig"])

NAMED_CONF = """\
options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    managed-keys-directory "{folder}";
    listen-on port 53 {{ {address}; }};
    listen-on-v6 port 53 {{ {address6}; }};
    recursion no;
    dnssec-validation no;
    allow-transfer {{ any; }};
    notify no;
}};
controls {{ }};
zone "test" {{ type primary; file "{folder}/zone"; }};
"""
CONF = """\
server:
    interface: {address}
    interface: {address6}
    port: 53
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    username: ""
    chroot: ""
    directory: {folder}
    pidfile: {folder}/unbound.pid
    use-syslog: no
    num-threads: 2
    so-reuseport: yes
    module-config: iterator
    do-daemonize: no
    local-zone: "test." static
{records}
remote-control:
    control-enable: no
"""


@contextlib.contextmanager
def unbound(scene: Scene) -> Iterator[Process]:
    """A server of the zone test: 50 addresses and one name with a long text."""
    records = [f'    local-data: "h{i}.test. A 10.9.8.{i}"' for i in range(50)]
    records += [f'    local-data: "long.test. TXT {chr(97 + i) * 200}"' for i in range(20)]
    conf = scene.write("unbound.conf", CONF.format(
        address=scene.address, address6=scene.address6, folder=scene.folder, records="\n".join(records)))  # fmt: skip
    with scene.serving(["unbound", "-d", "-c", conf], 53) as process:
        yield process


def dig(scene: Scene, *words: str, server: str = "") -> list[str]:
    """The short answer."""
    code, text = scene.try_ask("dig", f"@{server or scene.address}", "+tries=3", "+timeout=3", *words)
    return [*sorted(line for line in text.splitlines() if line and not line.startswith(";")), f"exit {code}"]


def questions(scene: Scene) -> dict[str, Any]:
    """The same of either server."""
    batch = scene.write("batch", "".join(f"h{i % 50}.test A +short\n" for i in range(200)))
    return {
        "one": dig(scene, "+short", "h7.test"), "over IPv6": dig(scene, "+short", "h7.test", server=scene.address6),
        "by TCP": dig(scene, "+short", "+tcp", "h9.test"), "batch": len(dig(scene, "-f", str(batch))),
        "none": [w for w in scene.try_ask("dig", f"@{scene.address}", "nothing.test")[1].split() if w == "NXDOMAIN,"],
        "kept open": len(dig(scene, "+tcp", "+keepopen", "-f", str(batch))),
    }  # fmt: skip


@DNSMASQ.workload("dig asks by UDP, TCP and IPv6", ways=("serves",), carries="udp", at_least=200)
@DNSMASQ.workload("dig asks by UDP (the kernel's), TCP and IPv6", ways=("asks",), at_least=2)
def dnsmasq(scene: Scene) -> dict[str, Any]:
    hosts = [f"--host-record=h{i}.test,10.9.8.{i}" for i in range(50)]
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--user=root",
            "--bind-interfaces", f"--listen-address={scene.address}", f"--listen-address={scene.address6}",
            "--log-facility=-", "--local=/test/", f"--pid-file={scene.path('pid')}", *hosts]  # fmt: skip
    with scene.serving(argv, 53):
        return questions(scene)


@DNSMASQ.workload("getaddrinfo with search list and two families", ways=("asks",), carries="udp", at_least=4)
def resolver(scene: Scene) -> dict[str, Any]:
    scene.pair.host.set_resolver(scene.peer_address)
    records = {"one.test": "10.9.8.7", "two.test": "10.9.8.8"}
    with programs.dnsmasq(scene.peer, scene.peer_address, records):
        found = {name: programs.resolve(scene.host, name) for name in records}
        ahosts = scene.ask("getent", "ahosts", "one.test").split()
        missing = scene.try_ask("getent", "hosts", "none.test")
    return {"found": found, "getent": ahosts, "missing": missing}


@UNBOUND.workload("dig asks by UDP, TCP and IPv6", ways=("serves",), carries="udp", at_least=200)
@UNBOUND.workload("dig asks by UDP (the kernel's), TCP and IPv6", ways=("asks",), at_least=2)
def unbound_answers(scene: Scene) -> dict[str, Any]:
    with unbound(scene):
        facts = questions(scene)
        facts["long, cut"] = dig(scene, "+short", "+ignore", "+bufsize=512", "long.test", "TXT")
        facts["long, by TCP"] = len(dig(scene, "+short", "+bufsize=512", "long.test", "TXT"))
        return facts


@NAMED.workload("dig asks by UDP, TCP, IPv6, for a whole zone", ways=("serves",), carries="udp", at_least=200)
@NAMED.workload("dig asks by UDP (the kernel's), TCP, IPv6, for a whole zone", ways=("asks",), at_least=2)
def named(scene: Scene) -> dict[str, Any]:
    records = ["$TTL 60", "@ SOA ns a 1 60 60 60 60", "@ NS ns", f"ns A {scene.address}"]
    records += [f"h{i} A 10.9.8.{i % 250}" for i in range(2000)]
    records += [f'long TXT "{chr(97 + i) * 200}"' for i in range(20)]
    scene.write("zone", "\n".join(records) + "\n")
    conf = scene.write("named.conf", NAMED_CONF.format(
        folder=scene.folder, address=scene.address, address6=scene.address6))  # fmt: skip
    with scene.serving(["named", "-g", "-c", conf], 53, ready=r" running\n"):
        facts = questions(scene)
        facts["long, cut"] = dig(scene, "+short", "+ignore", "+bufsize=512", "long.test", "TXT")
        whole = dig(scene, "test", "AXFR")
        facts["whole zone"] = [len(whole), [line for line in whole if line.startswith("h1999.")]]
        return facts
