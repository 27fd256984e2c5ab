# SPDX-License-Identifier: BSD-3-Clause
"""Redis: commands, its own benchmark, publish and subscribe, saving in a forked child, replication, a Lua script."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from typing import Any

from harness.machine import Machine
from harness.process import Process

from .base import App, Scene, must, settle

APP = App("redis", packages=["redis-server", "redis-tools"],
          needs=["redis-server", "redis-cli", "redis-benchmark"])  # fmt: skip


@contextlib.contextmanager
def running(scene: Scene, machine: Machine, name: str, port: int = 6379, *more: object) -> Iterator[Process]:
    """A redis-server with a folder of its own."""
    folder = scene.path(name)
    folder.mkdir(exist_ok=True)
    options = ["--port", port, "--bind", "*", "-::*", "--protected-mode", "no", "--dir", folder, "--save", "", *more]
    with machine.running(["redis-server", *options]) as process:
        process.wait_for_log("Ready to accept connections")
        yield process


def cli(scene: Scene, *command: str, port: int = 6379) -> str:
    """redis-cli from the client's side."""
    return scene.ask("redis-cli", "-h", scene.address, "-p", str(port), *command).strip()


@APP.workload("commands, pipelines, a script, big values", ways=("serves", "asks", "local"))
def commands(scene: Scene) -> dict[str, Any]:
    big, _ = scene.file(1 << 20)
    with running(scene, scene.server, "data"):
        lines = "".join(f"SET key:{i} {i * i}\r\nINCR n\r\n" for i in range(2000))
        feed = scene.write("feed", lines)
        must(cli(scene, "PING") == "PONG", "no PONG")
        piped = scene.ask("sh", "-c", f"exec redis-cli -h {scene.address} --pipe < {feed}").splitlines()[-1]
        stored = scene.ask("sh", "-c", f"exec redis-cli -h {scene.address} -x SET big < {big}").strip()
        same = scene.ask("sh", "-c", f"redis-cli -h {scene.address} --raw GET big | head -c {1 << 20} | cmp - {big}")
        return {
            "pipe": piped, "n": cli(scene, "GET", "n"), "key:999": cli(scene, "GET", "key:999"), "big": stored,
            "big is the same": same == "", "size": cli(scene, "DBSIZE"),
            "lua": cli(scene, "EVAL", "return redis.call('STRLEN', KEYS[1])", "1", "big"),
            "wrong": cli(scene, "INCR", "big"),
        }  # fmt: skip


@APP.workload("redis-benchmark, 50 clients", ways=("serves", "asks"), at_least=50)
def benchmark(scene: Scene) -> dict[str, Any]:
    with running(scene, scene.server, "data"):
        out = scene.ask("redis-benchmark", "-h", scene.address, "-t", "set,get,lpush,lrange_100", "-n", "2000",
                        "-c", "50", "-d", "100", "-P", "4", "--csv")  # fmt: skip
        tests = [row["test"] for row in csv.DictReader(out.splitlines())]
        return {"tests": tests, "size": cli(scene, "LLEN", "mylist")}


@APP.workload("publish and subscribe", ways=("serves", "asks", "local"), at_least=3)
def publish(scene: Scene) -> dict[str, Any]:
    with running(scene, scene.server, "data"):
        argv = ["redis-cli", "-h", scene.address, "SUBSCRIBE", "news"]
        with scene.client.running(argv) as one, scene.client.running(argv) as two:
            must(settle(lambda: "2" in cli(scene, "PUBSUB", "NUMSUB", "news").split()), "not both subscribed")
            told = [cli(scene, "PUBLISH", "news", f"item {i}") for i in range(5)]
            for reader in (one, two):
                reader.wait_for_log("item 4")
        return {"receivers": told, "same": one.text() == two.text(), "lines": len(one.text().splitlines())}


@APP.workload("saves in a forked child while clients write", ways=("serves",), at_least=10)
def saves(scene: Scene) -> dict[str, Any]:
    with running(scene, scene.server, "data", 6379, "--appendonly", "yes"):
        scene.ask("redis-benchmark", "-h", scene.address, "-t", "set", "-n", "5000", "-r", "100000", "-d", "500", "-q")
        keys = cli(scene, "DBSIZE")
        answers = [cli(scene, "BGSAVE"), cli(scene, "PING")]
        scene.ask("redis-benchmark", "-h", scene.address, "-t", "get", "-n", "2000", "-q")
        saved = settle(lambda: "rdb_bgsave_in_progress:0" in cli(scene, "INFO", "persistence"))
        answers.append(cli(scene, "BGREWRITEAOF"))
        rewritten = settle(lambda: "aof_rewrite_in_progress:0" in cli(scene, "INFO", "persistence"))
        status = [line for line in cli(scene, "INFO", "persistence").split() if "status" in line]
    with running(scene, scene.server, "data", 6379, "--appendonly", "yes"):
        again = cli(scene, "DBSIZE")
    return {"answers": answers, "saved": saved, "rewritten": rewritten, "status": status, "kept": again == keys}


@APP.workload("replication between host and peer", ways=("serves", "asks"), at_least=2)
def replicates(scene: Scene) -> dict[str, Any]:
    with running(scene, scene.server, "master"), running(scene, scene.client, "replica", 6380):
        scene.ask("redis-benchmark", "-h", scene.address, "-t", "set", "-n", "2000", "-r", "100000", "-d", "1000", "-q")
        ask = ["redis-cli", "-p", "6380"]
        said = scene.ask(*ask, "REPLICAOF", scene.address, "6379").strip()
        must(settle(lambda: "master_link_status:up" in scene.ask(*ask, "INFO", "replication")), "link is not up")
        cli(scene, "SET", "after", "the full synchronisation")
        reached = cli(scene, "WAIT", "1", "5000")
        sizes = {cli(scene, "DBSIZE"), scene.ask(*ask, "DBSIZE").strip()}
        return {"said": said, "reached": reached, "same size": len(sizes) == 1,
                "value": scene.ask(*ask, "GET", "after").strip()}  # fmt: skip
