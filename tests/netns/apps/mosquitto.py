# SPDX-License-Identifier: BSD-3-Clause
"""Mosquitto: one thread with epoll, many clients that stay; TLS, kept and last messages."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

from harness.process import Process

from .base import App, Scene, must, settle

APP = App("mosquitto", packages=["mosquitto", "mosquitto-clients"],
          needs=["mosquitto", "mosquitto_pub", "mosquitto_sub"])  # fmt: skip

CONF = """\
allow_anonymous true
user root
listener 1883
listener 8883
certfile {cert}
keyfile {key}
"""


@contextlib.contextmanager
def running(scene: Scene) -> Iterator[Process]:
    """A broker, plain and by TLS."""
    cert, key = scene.certificate()
    conf = scene.write("mosquitto.conf", CONF.format(cert=cert, key=key))
    with scene.serving(["mosquitto", "-c", conf], 1883) as process:
        yield process


@APP.workload(
    "10 subscribers, three qualities, TLS, kept and last words", ways=("serves", "asks", "local"), at_least=14
)
def broker(scene: Scene) -> dict[str, Any]:
    cert = str(scene.certificate()[0])
    tls = ["-p", "8883", "--cafile", cert]
    listen = ["stdbuf", "-oL", "mosquitto_sub", "-h", scene.address, "-d"]
    with running(scene), contextlib.ExitStack() as inside:
        readers = []
        for number in range(10):
            argv = [*listen, "-F", "got %t %p", "-q", str(number % 3), "-t", "news/#", *(tls if number % 2 else [])]
            readers.append(inside.enter_context(scene.client.running(argv)))
        for reader in readers:
            reader.wait_for_log("Subscribed")
        feed = scene.write("feed", "".join(f"line {i}\n" for i in range(200)))
        codes = []
        for quality in "012":
            said = f"mosquitto_pub -h {scene.address} -q {quality} -t news/{quality} -l < {feed}"
            codes.append(scene.try_ask("sh", "-c", said))
        will = [*listen, "-t", "none", "--will-topic", "news/last", "--will-payload", "gone"]
        with scene.client.running(will) as mortal:
            mortal.wait_for_log("Subscribed")
            mortal.kill(signal.SIGKILL)
            must(settle(lambda: all("got news/last gone" in r.text() for r in readers)), "no last words")
        codes.append(scene.try_ask("mosquitto_pub", "-h", scene.address, *tls, "-r", "-t", "kept", "-m", "value"))
        kept = scene.try_ask("mosquitto_sub", "-h", scene.address, "-t", "kept", "-C", "1", "-W", "5")
        heard = [sorted(line for line in r.text().splitlines() if line.startswith("got ")) for r in readers]
    return {"codes": codes, "kept": kept, "lines": [len(h) for h in heard], "same": all(h == heard[0] for h in heard)}
