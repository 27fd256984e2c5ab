# SPDX-License-Identifier: BSD-3-Clause
"""OpenJDK: blocking sockets with threads, NIO with a selector, datagram channels, the HTTP client and server."""

from __future__ import annotations

from typing import Any

from .base import App, Scene

APP = App("openjdk", packages=["openjdk-17-jdk-headless"], needs=["/usr/lib/jvm/java-17-*/bin/java"])


def talk(scene: Scene, kind: str) -> dict[str, Any]:
    """scripts/Talk.java at both ends."""
    java = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", str(scene.script("Talk.java"))]
    where = [scene.address, "7000"]
    return scene.exchange([*java, kind, "serve", *where], [*java, kind, "ask", *where], timeout=30)


@APP.workload("blocking sockets, 20 threads", ways=("serves", "asks", "local"), at_least=20)
def blocking(scene: Scene) -> dict[str, Any]:
    return talk(scene, "blocking")


@APP.workload("NIO: a selector, 50 connections", ways=("serves", "asks", "local"), at_least=50)
def nio(scene: Scene) -> dict[str, Any]:
    return talk(scene, "nio")


@APP.workload("HttpServer and HttpClient", ways=("serves", "asks"), at_least=2)
def http(scene: Scene) -> dict[str, Any]:
    return talk(scene, "http")


@APP.workload("DatagramChannel", ways=("serves", "asks"), carries="maybe")
def datagrams(scene: Scene) -> dict[str, Any]:
    return talk(scene, "datagrams")
