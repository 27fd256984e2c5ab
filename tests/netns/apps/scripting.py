# SPDX-License-Identifier: BSD-3-Clause
"""Perl, Ruby and PHP: each language's own sockets, at both ends of one small talk; gRPC and ZeroMQ under Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .base import PYTHON, App, Scene

PERL = App("perl", packages=["perl"], needs=["perl"])
RUBY = App("ruby", packages=["ruby"], needs=["ruby"])
PHP = App("php", packages=["php-cli"], needs=["php"])
RPC = App("python-rpc", packages=["python3-grpcio", "python3-zmq"],
          needs=["/usr/lib/python3/dist-packages/grpc", "/usr/lib/python3/dist-packages/zmq"])  # fmt: skip


def talk(scene: Scene, *interpreter: str | Path) -> dict[str, Any]:
    """The language's script at both ends."""
    serve, ask = ([*interpreter, role, where, "7000"] for role, where in (("serve", "0.0.0.0"), ("ask", scene.address)))
    return scene.exchange(serve, ask)


@PERL.workload("a process per connection, select, lines and blocks", ways=("serves", "asks", "local"), at_least=10)
def perl(scene: Scene) -> dict[str, Any]:
    return talk(scene, "perl", scene.script("talk.pl"))


@RUBY.workload("a thread per connection, Net::HTTP, timeouts", ways=("serves", "asks", "local"), at_least=12)
def ruby(scene: Scene) -> dict[str, Any]:
    return talk(scene, "ruby", scene.script("talk.rb"))


@PHP.workload("stream_select, datagrams in its own functions", ways=("serves", "asks", "local"), at_least=11)
def php(scene: Scene) -> dict[str, Any]:
    return talk(scene, "php", scene.script("talk.php"))


@RPC.workload("ZeroMQ: request, publish, pipeline", ways=("serves", "asks", "local"), at_least=3)
def zeromq(scene: Scene) -> dict[str, Any]:
    return talk(scene, PYTHON, scene.script("py_rpc.py"), "zmq")


@RPC.workload("gRPC: calls, streams, 10 channels, SO_ZEROCOPY", ways=("serves", "asks", "local"), at_least=10)
def grpc(scene: Scene) -> dict[str, Any]:
    return talk(scene, PYTHON, scene.script("py_rpc.py"), "grpc")
