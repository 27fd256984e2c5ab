# SPDX-License-Identifier: BSD-3-Clause
"""Redis's Tcl suite with the distribution's server: clients, publish and subscribe, replication, failover."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite, merge

UNITS = """
    networking introspection introspection-2 pubsub pubsubshard protocol quit auth acl client-eviction limits
    maxmemory multi obuf-limits pause pendingquerybuf querybuf replybufsize shutdown slowlog tls tracking violations
    wait info other scripting type/list type/stream type/stream-cgroups cluster cluster/cli cluster/misc
    cluster/multi-slot-operations cluster/announced-endpoints
"""
INTEGRATION = """
    replication replication-2 replication-3 replication-4 replication-psync replication-buffer psync2 psync2-reg
    psync2-pingoff psync2-master-restart block-repl failover redis-cli redis-benchmark shutdown logging aof rdb
    dismiss-mem
"""
BUILD = """
for p in server cli benchmark check-aof check-rdb; do ln -sf "/usr/bin/redis-$p" "src/redis-$p"; done
ln -sf /usr/bin/redis-server src/redis-sentinel
"""
_LINE = re.compile(r"^\[(ok|err|exception|ignore|skip|timeout)\]: (.*?)(?: in tests/.*| \(\d+ ms\))?$", re.MULTILINE)


def parse(text: str, code: int) -> dict[str, str]:
    """Lines such as "[ok]: PING (3 ms)", without colours and without the numbers of servers, which are drawn."""
    found: dict[str, str] = {}
    for said, test in _LINE.findall(re.sub(r"\x1b\[[0-9;]*m", "", text)):
        word = {"ok": "ok", "ignore": "skipped", "skip": "skipped"}.get(said, "failed")
        merge(found, re.sub(r"(\d+\.)?\d{4,}|(?<=#)\d+", "N", test)[:120], word)
    return {**found, "the whole": "ok" if code == 0 else "failed"}


def jobs(tree: Path) -> list[Job]:
    """A job for each unit."""
    found = []
    for name in (*(f"unit/{u}" for u in UNITS.split()), *(f"integration/{i}" for i in INTEGRATION.split())):
        if not (tree / "tests" / f"{name}.tcl").exists():
            continue

        def named(text: str, code: int, name: str = name) -> dict[str, str]:
            return {f"{name}: {test}": word for test, word in parse(text, code).items()}

        command = f"./runtest --single {name} --clients 1 --timeout 560 --tags '-slow -needs:debug-digest'"
        found.append(Job(name, command, 600, named))
    return found


Suite("redis", jobs, source="redis", build_deps=False, packages=("tcl", "redis-server", "redis-tools", "procps"),
      build=BUILD, copy=True)  # fmt: skip
