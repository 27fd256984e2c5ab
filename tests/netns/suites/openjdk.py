# SPDX-License-Identifier: BSD-3-Clause
"""The JDK's tests of java.net and java.nio.channels that are programs of their own."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite

BUILD = f"""
java {Path(__file__).with_name("CompileTests.java")} test classes
find . -mindepth 1 -maxdepth 1 ! -name test ! -name classes -exec rm -rf {{}} +
test -e classes/nio.channels.Selector.OutOfBand/MAIN
"""
PARTS = ("nio.channels.", "net.Socket", "net.ServerSocket", "net.Datagram", "net.Multicast", "net.Inet", "net.Network",
         "net.Plain", "net.ipv6tests", "net.Bind", "net.PortUnreachable", "net.Socks", "net.HttpURLConnection",
         "net.URLConnection")  # fmt: skip
FILES = ("nio.channels.FileChannel", "nio.channels.FileLock", "nio.channels.AsynchronousFileChannel")
KNOWN = {"nio.channels.DatagramChannel.Unref": "Descriptors look like FIFOs to the kernel"}


def jobs(tree: Path) -> list[Job]:
    """A job for each test that compiled."""
    found = []
    for said in sorted(tree.glob("classes/*/MAIN")):
        name = said.parent.name
        main, source = said.read_text().split()
        if not name.startswith(PARTS) or name.startswith(FILES):
            continue
        classes = f'"$tree"/classes/{name}'
        java = f"java -XX:TieredStopAtLevel=1 -Dtest.src=. -Dtest.classes={classes} -cp {classes} {main}"
        found.append(Job(name, f"tree=$PWD; cd {source} && {java}", 90))
    return found


Suite("openjdk", jobs, source="openjdk-17", build_deps=False, packages=("openjdk-17-jdk-headless",), build=BUILD,
      known=KNOWN)  # fmt: skip
