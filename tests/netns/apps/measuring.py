# SPDX-License-Identifier: BSD-3-Clause
"""Programs that load or measure: iperf 2, nuttcp, sockperf, Open MPI over TCP, aria2, siege."""

from __future__ import annotations

import re
from typing import Any

from harness import programs

from .base import MIB, App, Scene

IPERF = App("iperf", packages=["iperf"], needs=["iperf"])
NUTTCP = App("nuttcp", packages=["nuttcp"], needs=["nuttcp"])
SOCKPERF = App("sockperf", packages=["sockperf"], needs=["sockperf"])
MPI = App("openmpi", packages=["openmpi-bin", "libopenmpi-dev", "gcc"], needs=["mpirun", "mpicc", "gcc"])
ARIA = App("aria2", packages=["aria2", "nginx-light"], needs=["aria2c", "nginx"])
SIEGE = App("siege", packages=["siege", "nginx-light"], needs=["siege", "nginx"])


@IPERF.workload("TCP: one stream, four, both ways", ways=("serves", "asks", "local"), at_least=5)
def iperf(scene: Scene) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    with scene.serving(["iperf", "-s", "-p", "5001"], 5001):
        ask = ["iperf", "-c", scene.address, "-p", "5001", "-y", "C"]
        for name, more in (("one", ["-n", "20M"]), ("four", ["-n", "5M", "-P", "4"]), ("both", ["-t", "1", "-d"])):
            code, said = scene.try_ask(*ask, *more)
            facts[name] = code, "failed" not in said.lower()
    return facts


@IPERF.workload("UDP at 20 Mb/s", ways=("serves",), carries="udp", at_least=1000)
def iperf_udp(scene: Scene) -> dict[str, Any]:
    with scene.server.running(["iperf", "-s", "-u", "-B", scene.address, "-p", "5001"]) as server:
        server.wait_for_log("UDP buffer size")
        code, said = scene.try_ask("iperf", "-c", scene.address, "-u", "-p", "5001", "-b", "20M", "-t", "1")
    return {"code": code, "told": "Server Report" in said, "unanswered": "did not receive ack" in said}


@NUTTCP.workload("sends, receives, by UDP", ways=("serves", "asks"), at_least=4)
def nuttcp(scene: Scene) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    with scene.serving(["nuttcp", "-S", "--nofork"], 5000):
        for name, more in (("sends", ""), ("receives", "-r"), ("datagrams", "-u -Ri20M"), ("four", "-N4")):
            ask = f"for i in $(seq 10); do nuttcp -T1 {more} {scene.address} && exit 0; sleep 0.3; done; exit 1"
            code, said = scene.try_ask("sh", "-c", ask)  # between two clients it does not listen
            facts[name] = code, "%TX" in said
    return facts


@SOCKPERF.workload("ping-pong by TCP and UDP, epoll and recvfrom", ways=("serves", "asks"), carries="some", at_least=4)
def sockperf(scene: Scene) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for number, (name, more) in enumerate((("tcp", ["--tcp"]), ("udp", []))):
        port = str(11111 + number)
        with scene.server.running(["sockperf", "server", "-i", scene.address, "-p", port, *more]) as server:
            server.wait_for_log("Warmup stage")
            for what in ("ping-pong", "throughput"):
                ask = ["sockperf", what, "-i", scene.address, "-p", port, "-t", "1", *more]
                code, said = scene.try_ask(*ask)
                lost = re.findall(r"# dropped messages = (\d+); # duplicated messages = (\d+)", said)
                facts[f"{name}, {what}"] = code, lost, "Summary" in said
    return facts


MPI_CODE = """\
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int rank, size;
    long sum = 0, mine;
    static double big[200000], all[200000];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int round = 0; round < 200; round++) {
        mine = rank + round;
        MPI_Allreduce(&mine, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    }
    for (int i = 0; i < 200000; i++)
        big[i] = rank + i;
    MPI_Allreduce(big, all, 200000, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    MPI_Sendrecv(big, 200000, MPI_DOUBLE, (rank + 1) % size, 0, all, 200000, MPI_DOUBLE, (rank + size - 1) % size, 0,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 0)
        printf("sum %ld, last %.0f\\n", sum, all[199999]);
    MPI_Finalize();
    return 0;
}
"""


@MPI.workload("four processes that talk by TCP only", ways=("local",), timeout=120)
def mpi(scene: Scene) -> dict[str, Any]:
    source = scene.write("talk.c", MPI_CODE)
    program = scene.path("talk")
    scene.peer.run("mpicc", "-o", str(program), str(source))
    run = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "4", "--mca", "btl", "tcp,self", "--mca", "pml",
           "ob1", "--mca", "btl_tcp_if_include", f"{scene.host_address}/24", program]  # fmt: skip
    return {"said": scene.try_ask(*run, env={"OMPI_MCA_plm": "isolated", "TMPDIR": "/tmp"}, timeout=100)}


@ARIA.workload("16 connections for one file, a file continued", ways=("asks",), at_least=10)
def aria(scene: Scene) -> dict[str, Any]:
    path, digest = scene.file(32 * MIB, "www/file")
    out = scene.path("out")
    out.mkdir()
    url = f"http://{scene.address}:8080/file"
    ask = ["aria2c", "-q", "--no-conf", "-d", out, "--file-allocation=none"]
    facts: dict[str, Any] = {}
    with programs.nginx(scene.server, scene.path("www")):
        facts["many"] = scene.try_ask(*ask, "-x", "16", "-s", "16", "-k", "1M", "-o", "a", url)
        (out / "b").write_bytes(path.read_bytes()[:5_000_000])
        facts["continued"] = scene.try_ask(*ask, "-c", "-o", "b", url)
        facts["missing"] = scene.try_ask(*ask, "-o", "c", url + "x")[0]
        facts["refused"] = scene.try_ask(*ask, "-o", "d", f"http://{scene.address}:9/")[0]
    facts["same"] = [programs.sha256(out / name) == digest for name in ("a", "b")]
    return facts


@SIEGE.workload("20 threads, 400 requests, kept and not", ways=("asks",), at_least=100)
def siege(scene: Scene) -> dict[str, Any]:
    scene.file(20_000, "www/file")
    facts: dict[str, Any] = {}
    with programs.nginx(scene.server, scene.path("www")):
        for kind in ("close", "keep-alive"):
            conf = scene.write(f"{kind}.conf", f"connection = {kind}\nlimit = 100\nprotocol = HTTP/1.1\n")
            ask = ["siege", "-R", conf, "-b", "-c", "20", "-r", "20", "-q", "-j", f"http://{scene.address}:8080/file"]
            code, said = scene.try_ask(*ask, env={"HOME": str(scene.folder)})
            found = re.findall(r'"(transactions|failed_transactions)":\s*(\d+)', said)
            facts[kind] = code, sorted(found)
    return facts
