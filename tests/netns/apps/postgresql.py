# SPDX-License-Identifier: BSD-3-Clause
"""PostgreSQL: a process per client, TLS, pgbench, notifications, cancelled queries, replication."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.machine import KERNEL, Machine
from harness.process import Process

from .base import App, Scene, must, run_to_end, settle, tool

BIN = "/usr/lib/postgresql/*/bin/"
BOUNCER = App("pgbouncer", packages=["pgbouncer", "postgresql"],
              needs=["pgbouncer", BIN + "postgres", BIN + "pgbench", "setpriv"])  # fmt: skip
APP = App("postgresql", packages=["postgresql"],
          needs=[BIN + "postgres", BIN + "psql", BIN + "pgbench", BIN + "initdb", "setpriv"])  # fmt: skip
AS = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--")

CONF = """\
listen_addresses = '*'
unix_socket_directories = ''
ssl = on
ssl_cert_file = '{folder}/cert.pem'
ssl_key_file = '{folder}/data/key.pem'
fsync = off
max_connections = 40
log_min_messages = warning
wal_level = replica
"""
HBA = "hostssl all all all trust\nhost all all all trust\nhost replication all all trust\n"


def program(name: str) -> str:
    """One of PostgreSQL's programs."""
    return str(tool(BIN + name))


def initialise(scene: Scene) -> Path:
    """A new cluster; made by the stock libc, it has nothing to do with sockets."""
    data = scene.path("data")
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    scene.folder.chmod(0o777)
    plain = Machine(scene.server.ns, KERNEL, scene.folder)
    plain.run(*AS, program("initdb"), "-D", data, "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
    _, key = scene.certificate()
    own = data / "key.pem"
    own.write_bytes(key.read_bytes())
    own.chmod(0o600)
    shutil.chown(own, "postgres", "postgres")
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(CONF.format(folder=scene.folder))
    with (data / "pg_hba.conf").open("w") as hba:
        hba.write(HBA)
    return data


@contextlib.contextmanager
def running(scene: Scene) -> Iterator[Process]:
    """A server with a new cluster."""
    argv = [*AS, program("postgres"), "-D", initialise(scene)]
    with scene.server.running(argv) as process:
        process.wait_for_port(scene.client.ns, scene.address, 5432)
        must(settle(lambda: is_ready(scene.server, "127.0.0.1")), "the server does not come up")
        yield process


def is_ready(machine: Machine, address: str, port: int = 5432) -> bool:
    """Whether a server takes queries (the port is open while it still starts)."""
    plain = Machine(machine.ns, KERNEL, machine.folder)
    return run_to_end(plain, [program("pg_isready"), "-q", "-h", address, "-p", port])[0] == 0


def psql(scene: Scene, *commands: str, mode: str = "disable", timeout: float = 60) -> str:
    """What psql prints, unaligned."""
    where = f"host={scene.address} user=postgres dbname=postgres sslmode={mode} sslrootcert={scene.path('cert.pem')}"
    more = [arg for command in commands for arg in ("-c", command)]
    return scene.ask(program("psql"), "-XAtq", where, *more, timeout=timeout).strip()


@APP.workload("queries, TLS, COPY, errors", ways=("serves", "asks", "local"), at_least=4)
def queries(scene: Scene) -> dict[str, Any]:
    with running(scene):
        table = "create table t as select i, md5(i::text) m from generate_series(1, 50000) i"
        psql(scene, table)
        copied = psql(scene, "copy (select * from t order by i) to stdout")
        tls = psql(scene, "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()", mode="verify-full")
        code, said = scene.try_ask(program("psql"), "-X", "-h", scene.address, "-U", "postgres", "-c", "select 1/0")
        feed = scene.write("feed", copied + "\n")
        back = psql(scene, "create table u (i int, m text)", f"\\copy u from '{feed}'",
                    "select count(*), md5(string_agg(m, '' order by i)) from u")  # fmt: skip
    return {"copied": hashlib.sha256(copied.encode()).hexdigest(), "tls": tls, "error": [code, "division" in said],
            "copied back": back}  # fmt: skip


@APP.workload("pgbench, 8 clients", ways=("serves", "asks"), at_least=10)
def bench(scene: Scene) -> dict[str, Any]:
    with running(scene):
        where = ["-h", scene.address, "-U", "postgres", "postgres"]
        scene.ask(program("pgbench"), "-i", "-q", "-s", "1", *where)
        said = scene.ask(program("pgbench"), "-c", "8", "-j", "2", "-t", "50", "-M", "prepared", *where)
        processed = re.findall(r"processed: (\S+)", said)
        failed = re.findall(r"failed transactions: (\d+)", said)
        sums = psql(
            scene, "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)"
        )
        churn = scene.ask(program("pgbench"), "-C", "-S", "-c", "4", "-t", "20", *where)
        return {"processed": processed, "failed": failed, "sums": sums, "a connection each":
                re.findall(r"processed: (\S+)", churn)}  # fmt: skip


@APP.workload("notifications, a cancelled query, parallel workers", ways=("serves", "asks"), at_least=5)
def signals(scene: Scene) -> dict[str, Any]:
    where = [program("psql"), "-XAtq", "-h", scene.address, "-U", "postgres"]
    with running(scene) as process:
        script = "listen news; select pg_sleep(0); \\echo ready\nselect pg_sleep(1);\n"
        path = scene.write("listen.sql", script)
        with scene.client.running([*where, "-f", path]) as reader:
            reader.wait_for_log("ready")
            psql(scene, "notify news, 'one'", "notify news, 'two'")
            heard = reader.wait(10)
        with scene.client.running([*where, "-c", "select pg_sleep(60)"]) as sleeper:
            find = "select pid from pg_stat_activity where query like '%sleep(60)%' and pid <> pg_backend_pid()"
            must(settle(lambda: psql(scene, find) != ""), "the query does not run")
            psql(scene, f"select pg_cancel_backend(({find}))")
            cancelled = sleeper.wait(10)
        psql(scene, "create table t as select generate_series(1, 300000) i", "analyze t")
        force = "set min_parallel_table_scan_size=0; set parallel_setup_cost=0; set parallel_tuple_cost=0;"
        total = psql(scene, force + "select sum(i) from t")
        process.stop(10)
        return {"listener": [heard, re.findall(r'payload "(\w+)"', reader.text())], "cancelled": cancelled,
                "parallel sum": total, "server's exit": process.popen.returncode}  # fmt: skip


@APP.workload("pg_basebackup and streaming replication", ways=("serves",), at_least=3)
def replicates(scene: Scene) -> dict[str, Any]:
    copy = scene.path("copy")
    with running(scene):
        psql(scene, "create table t as select generate_series(1, 10000) i")
        scene.ask(
            *AS, program("pg_basebackup"), "-h", scene.address, "-U", "postgres", "-D", copy, "-R", "-X", "stream"
        )
        shutil.copy(scene.path("data/key.pem"), copy / "key.pem")
        shutil.chown(copy / "key.pem", "postgres", "postgres")
        (copy / "postgresql.auto.conf").open("a").write(f"\nssl_key_file = '{copy}/key.pem'\nport = 5433\n")
        with scene.client.running([*AS, program("postgres"), "-D", copy]) as standby:
            standby.wait_for_port(scene.client.ns, scene.peer_address, 5433)
            must(settle(lambda: is_ready(scene.client, "127.0.0.1", 5433)), "the standby does not come up")
            psql(scene, "insert into t select generate_series(1, 5000)")
            there = ["-h", scene.peer_address, "-p", "5433", "-U", "postgres"]
            ask = [program("psql"), "-XAtq", *there, "-c", "select count(*) from t"]
            reached = settle(lambda: scene.client.run(*ask).strip() == "15000")
            state = psql(scene, "select state from pg_stat_replication")
    return {"reached": reached, "state": state}


BOUNCER_CONF = """\
[databases]
postgres = host={where} port=5432 user=postgres
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 100
client_tls_sslmode = allow
client_tls_cert_file = {folder}/cert.pem
client_tls_key_file = {folder}/pool.pem
ignore_startup_parameters = extra_float_digits
"""


@BOUNCER.workload("20 clients on 4 connections, TLS", ways=("serves", "asks", "local"), at_least=10)
def bouncer(scene: Scene) -> dict[str, Any]:
    with running(scene):
        own = scene.path("pool.pem")
        own.write_bytes(scene.certificate()[1].read_bytes())
        shutil.chown(own, "postgres", "postgres")
        conf = scene.write("pool.ini", BOUNCER_CONF.format(folder=scene.folder, where="127.0.0.1"))
        where = ["-h", scene.address, "-p", "6432", "-U", "postgres", "postgres"]
        with scene.serving([*AS, "pgbouncer", conf], 6432):
            scene.ask(program("pgbench"), "-i", "-q", "-s", "1", *where)
            said = scene.ask(program("pgbench"), "-c", "20", "-j", "2", "-t", "20", *where)
            tls = scene.try_ask(program("psql"), "-XAtq", f"host={scene.address} port=6432 user=postgres "
                                "dbname=postgres sslmode=require", "-c", "select 6 * 7")  # fmt: skip
        return {"processed": re.findall(r"processed: (\S+)|failed transactions: (\d+)", said), "tls": tls}
