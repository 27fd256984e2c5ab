# SPDX-License-Identifier: BSD-3-Clause
"""socat, ncat and ffmpeg: pipes into sockets, datagram streams, a relay that forks, groups (the kernel's)."""

from __future__ import annotations

import re
from typing import Any

from harness import programs
from harness.process import Process

from .base import MIB, App, Scene, must, settle

SOCAT = App("socat", packages=["socat", "openssl"], needs=["socat", "openssl"])
NCAT = App("ncat", packages=["ncat", "netcat-openbsd"], needs=["ncat", "nc.openbsd"])
FFMPEG = App("ffmpeg", packages=["ffmpeg"], needs=["ffmpeg"])


@SOCAT.workload("files through TCP, TLS, a forking relay", ways=("serves", "asks", "local"), at_least=3)
def files(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(8 * MIB)
    cert, key = scene.certificate()
    facts: dict[str, Any] = {}
    for name, listen, connect in (
        ("tcp", "TCP-LISTEN:7000,reuseaddr", f"TCP:{scene.address}:7000"),
        ("tls", f"OPENSSL-LISTEN:7001,reuseaddr,cert={cert},key={key},verify=0",
         f"OPENSSL:{scene.address}:7001,cafile={cert},openssl-commonname=apps.test"),
    ):  # fmt: skip
        out = scene.path(name)
        with scene.server.running(["socat", "-d", "-d", "-u", listen, f"CREATE:{out}"]) as server:
            server.wait_for_log("listening on")
            code, _ = scene.try_ask("socat", "-u", f"OPEN:{path}", connect)
            facts[name] = [code, server.wait(20), programs.sha256(out) == digest]
    with scene.serving(["socat", "TCP-LISTEN:7002,reuseaddr,fork", "EXEC:sha256sum"], 7002):
        said = [scene.ask("sh", "-c", f"socat -t 20 - TCP:{scene.address}:7002 < {path}").split()[0] for _ in range(5)]
        facts["forked"] = said == [digest] * 5
    return facts


@SOCAT.workload("datagrams there and back", ways=("serves", "asks"), carries="udp", at_least=20)
def datagrams(scene: Scene) -> dict[str, Any]:
    argv = ["socat", "-d", "-d", f"UDP-LISTEN:7000,bind={scene.address},fork,reuseaddr", "EXEC:cat"]
    with scene.server.running(argv) as server:
        server.wait_for_log("listening on")
        ask = f"for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done | socat -t 1 - UDP:{scene.address}:7000"
        answers = [scene.ask("sh", "-c", ask) for _ in range(3)]
    return {"answers": answers}


@NCAT.workload("chat through a broker, files each way", ways=("serves", "asks"), at_least=3)
def chat(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(4 * MIB)
    with (
        scene.serving(["ncat", "-l", "--broker", "-k", "7000"], 7000),
        scene.client.running(["ncat", "--recv-only", scene.address, "7000"]) as reader,
    ):

        def heard() -> bool:
            scene.ask("sh", "-c", f"echo hello | ncat --send-only {scene.address} 7000")
            return "hello" in reader.text()

        broker = settle(heard)
    facts: dict[str, Any] = {"broker": broker}
    # One direction each: with -l it ends when the other end has finished, whatever it still has to send.
    for name, gives, takes in (("there", f"-N {scene.address} 7001 < {path}", "-d -l 7001"),
                               ("back", f"-N -l 7001 < {path}", f"-d {scene.address} 7001")):  # fmt: skip
        out = scene.path(name)
        listens = f"nc.openbsd {takes} > {out}" if name == "there" else f"nc.openbsd {gives}"
        asks = f"nc.openbsd {gives}" if name == "there" else f"nc.openbsd {takes} > {out}"
        with scene.server.running(["sh", "-c", listens]) as server:
            again = f"for i in $(seq 100); do {asks} && exit 0; sleep 0.05; done; exit 1"
            facts[name] = [scene.try_ask("sh", "-c", again)[0], server.wait(10), programs.sha256(out) == digest]
    return facts


def stream(scene: Scene, url_out: str, url_in: str) -> list[Any]:
    """Ten seconds' pictures, sent as fast as a stream is, counted at the other end."""
    frames = scene.path("frames")
    take = ["ffmpeg", "-v", "error", "-nostdin", "-i", url_in, "-map", "0:v", "-c", "copy", "-frames:v", "60", "-f",
            "framemd5", "-y", frames]  # fmt: skip
    give = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-t", "6",
            "-c:v", "mpeg2video", "-g", "10", "-bitexact", "-f", "mpegts", url_out]  # fmt: skip
    with scene.server.running(take) as taker, scene.client.running(give):
        code = taker.wait(30)
        count = len(re.findall(r"^0,", frames.read_text(), re.MULTILINE))
        return [code, count >= 50, wrong_lines(taker)]


def wrong_lines(process: Process) -> bool:
    """Whether packets were lost."""
    return "corrupt" in process.text()


@FFMPEG.workload("MPEG over UDP", ways=("serves",), carries="udp", at_least=50)
@FFMPEG.workload("MPEG over UDP, from a socket bound to no address", ways=("asks",), carries="nothing")
def ffmpeg_udp(scene: Scene) -> dict[str, Any]:
    where = f"udp://{scene.address}:7000"
    return {"stream": stream(scene, f"{where}?pkt_size=1316", f"{where}?localaddr={scene.address}&timeout=9000000")}


@FFMPEG.workload("MPEG over TCP", ways=("serves", "asks"))
def ffmpeg_tcp(scene: Scene) -> dict[str, Any]:
    frames = scene.path("frames")
    take = ["ffmpeg", "-v", "error", "-nostdin", "-i", "tcp://0.0.0.0:7000?listen=1", "-map", "0:v", "-c", "copy",
            "-f", "framemd5", "-y", frames]  # fmt: skip
    make = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-t", "10",
            "-c:v", "mpeg2video", "-g", "10", "-threads", "1", "-bitexact", "-f", "mpegts"]  # fmt: skip
    with scene.server.running(take) as taker:
        give = [*make, f"tcp://{scene.address}:7000"]
        codes: list[int] = []

        def sent() -> bool:
            codes.append(scene.try_ask(*give)[0])
            return codes[-1] == 0

        must(settle(sent), "the stream was not taken")
        code = taker.wait(20)
    return {"code": code, "frames": len(re.findall(r"^0,", frames.read_text(), re.MULTILINE))}
