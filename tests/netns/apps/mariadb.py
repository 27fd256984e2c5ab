# SPDX-License-Identifier: BSD-3-Clause
"""MariaDB: a thread per connection, TLS, mysqlslap, a killed query, replication of one server by another."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.machine import BUILD, KERNEL, Machine
from harness.process import Process

from .base import App, Scene, must, run_to_end, settle

APP = App("mariadb", packages=["mariadb-server", "mariadb-client"],
          needs=["mariadbd", "mariadb", "mariadb-install-db", "mariadb-slap"])  # fmt: skip


def initialise(scene: Scene, machine: Machine, name: str) -> Path:
    """A new data folder, made on the stock libc."""
    data = scene.path(name)
    plain = Machine(machine.ns, KERNEL, scene.folder)
    template = BUILD / "apps/mariadb"
    if template.exists():
        shutil.copytree(template, data)
        return data
    plain.run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
              "--user=root", "--skip-test-db", "--innodb-log-file-size=4M", timeout=80)  # fmt: skip
    template.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(data, template)
    return data


@contextlib.contextmanager
def running(scene: Scene, machine: Machine, name: str = "data", port: int = 3306, *more: str) -> Iterator[Process]:
    """A server with a new data folder."""
    cert, key = scene.certificate()
    data = initialise(scene, machine, name)
    setup = scene.write("init.sql", "create user 'a'@'%';\ngrant all on *.* to 'a'@'%';\ncreate database t;\n")
    argv = ["mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={data}/sock", f"--port={port}",
            "--bind-address=*", f"--ssl-cert={cert}", f"--ssl-key={key}", f"--init-file={setup}",
            "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve",
            "--innodb-log-file-size=4M", f"--pid-file={data}/pid", *more]  # fmt: skip
    with machine.running(argv) as process:
        process.wait_for_log("ready for connections", 30)
        yield process


def sql(scene: Scene, text: str, *more: str) -> str:
    """What the client prints."""
    return scene.ask(
        "mariadb", "--no-defaults", "-h", scene.address, "-u", "a", "-N", "-B", *more, "t", "-e", text
    ).strip()


@APP.workload("queries, TLS, big rows, a killed query, mysqlslap", ways=("serves", "asks", "local"), at_least=15)
def queries(scene: Scene) -> dict[str, Any]:
    cert = scene.certificate()[0]
    where = ["--no-defaults", "-h", scene.address, "-u", "a"]
    with running(scene, scene.server) as process:
        sql(scene, "create table n select seq i, md5(seq) m from seq_1_to_20000")
        facts: dict[str, Any] = {
            "rows": sql(scene, "select count(*), md5(group_concat(m order by i limit 1000)) from n")
        }
        facts["tls"] = sql(scene, "show status like 'ssl_version'", f"--ssl-ca={cert}", "--ssl-verify-server-cert")
        facts["big"] = len(sql(scene, "select repeat('x', 4000000)"))
        facts["error"] = scene.try_ask("mariadb", *where, "-e", "select * from t.none")[0]
        with scene.client.running(["mariadb", *where, "-e", "select sleep(60)"]) as sleeper:
            find = "select id from information_schema.processlist where info = 'select sleep(60)'"
            must(settle(lambda: sql(scene, find) != ""), "the query does not run")
            sql(scene, f"kill {sql(scene, find)}")
            facts["killed"] = sleeper.wait(10)
        said = scene.ask("mariadb-slap", *where, "--protocol=tcp", "--auto-generate-sql", "--concurrency=10",
                         "--number-of-queries=500", timeout=60)  # fmt: skip
        facts["slap"] = re.findall(r"Number of clients.*|Average number of queries.*", said)
        process.stop(20)
        facts["exit"] = process.popen.returncode
    return facts


@APP.workload("replication between host and peer", ways=("serves", "asks"), at_least=2)
def replicates(scene: Scene) -> dict[str, Any]:
    with (
        running(scene, scene.server, "one", 3306, "--server-id=1", "--log-bin"),
        running(scene, scene.client, "two", 3307, "--server-id=2"),
    ):
        plain = Machine(scene.client.ns, scene.client.stack, scene.folder)

        sql(scene, "reset master")

        def there(text: str) -> str:
            argv = ["mariadb", "--no-defaults", "-S", scene.path("two/sock"), "-u", "root", "-N", "-B", "-e", text]
            return run_to_end(plain, argv)[1].strip()

        there(f"change master to master_host='{scene.address}', master_user='a', master_use_gtid=no; "
              "set global slave_exec_mode='IDEMPOTENT'; start slave")  # fmt: skip
        sql(scene, "create table n select seq i from seq_1_to_5000")
        reached = settle(lambda: there("select count(*), sum(i) from t.n") == "5000\t12502500", 20)
        status = re.findall(r"Yes", there("show slave status"))
    return {"reached": reached, "threads": len(status)}
