# SPDX-License-Identifier: BSD-3-Clause
"""Erlang/OTP's suites of its TCP and UDP modules, on both of its backends, with the distribution's virtual machine."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Parse, Suite, merge

BUILD = """
mkdir -p jr && cd jr
cp ../lib/kernel/test/gen_tcp_*.erl ../lib/kernel/test/gen_udp_SUITE.erl ../lib/kernel/test/inet_sockopt_SUITE.erl .
cp ../lib/kernel/test/sendfile_SUITE.erl ../lib/kernel/test/socket_* ../lib/kernel/test/kernel_test_* .
cp -r ../lib/kernel/test/*_SUITE_data ../lib/common_test/test_server/ts* .
sed -i 's,include_lib("kernel/src/,include(",' *.erl
for f in gen_*.erl inet_*.erl sendfile_*.erl socket_*.erl kernel_test_*.erl ts_install_cth.erl ts_lib.erl; do
    erlc +debug_info -I ../lib/kernel/include -I ../lib/kernel/src $f
done
"""
# The suite, a group of it or "", and the seconds it may take.
PARTS = [
    ("gen_tcp_api_SUITE", "inet_backend_inet", 400),
    ("gen_tcp_api_SUITE", "inet_backend_socket", 400),
    ("gen_udp_SUITE", "inet_backend_inet", 400),
    ("gen_udp_SUITE", "inet_backend_socket", 400),
]  # fmt: skip
CASE = re.compile(r'<testcase (?:group="([^"]*)" )?name="([^"]+)"[^>]*?(?:/>|>(.*?)</testcase>)', re.DOTALL)


def surefire(prefix: str) -> Parse:
    """Results in JUnit's XML, one test after the other."""

    def parse(text: str, _code: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for group, name, body in CASE.findall(text):
            word = "failed" if "<failure" in body or "<error" in body else "skipped" if "<skipped" in body else "ok"
            merge(found, f"{prefix}: {group.partition('.')[2]}.{name}".replace(": .", ": "), word)
        return found

    return parse


def jobs(_tree: Path) -> list[Job]:
    """A job for each group of each suite."""
    found = []
    for suite, group, seconds in PARTS:
        name = f"{suite} {group}".strip()
        which = f"-suite {suite} " + (f"-group {group}" if group else "")
        command = (
            "cd jr && mkdir /tmp/logs && ct_run -noshell -sname ct -no_auto_compile -dir . -logdir /tmp/logs "
            f"{which} -ct_hooks cth_surefire '[{{path,\"/tmp/report.xml\"}}]' 2>&1; cat /tmp/report.xml"
        )
        found.append(Job(name, command, seconds, surefire(name)))
    return found


Suite("erlang", jobs, source="erlang", build_deps=False, build=BUILD, copy=True, env={"HOME": "/tmp"},
      packages=("erlang-base", "erlang-common-test", "erlang-dev", "erlang-crypto", "erlang-runtime-tools",
                "erlang-os-mon", "erlang-snmp", "erlang-tools"))  # fmt: skip
