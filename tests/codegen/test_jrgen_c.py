# SPDX-License-Identifier: BSD-3-Clause
"""The generated C compiles without a warning and does what the specs say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from jrgen import abi, calls
from jrgen.source import SpecDir
from jrgen_support import REAL, REPO, SMALL, compile_c, generate

SPECS = pytest.mark.parametrize("spec", [SMALL, REAL], ids=["small", "real"])
CLIENT = REPO / "glibc-patches/client"


@SPECS
@pytest.mark.parametrize("emit", ["counters", "fsm", "abi", "dispatch"])
def test_compiles(spec: Path, emit: str, tmp_path: Path) -> None:
    generate("all", spec, tmp_path)
    for path in sorted(tmp_path.glob({"fsm": "jr_tcp_fsm.[ch]"}.get(emit, f"jr_{emit}.[ch]"))):
        alone = tmp_path / "alone.c"
        alone.write_text(f'#include "{path.name}"\n#include "{path.name}"\nint alone;\n', encoding="utf-8")
        compile_c("-I", tmp_path, "-c", alone if path.suffix == ".h" else path, "-o", tmp_path / "x.o")


@SPECS
def test_header_is_strict_c_without_hidden_padding(spec: Path, tmp_path: Path) -> None:
    generate("abi", spec, tmp_path)
    compile_c("-std=c11", "-Wpedantic", "-Wpadded", "-fsyntax-only", tmp_path / "jr_abi.h")


def run(tmp_path: Path, source: str, *objects: str) -> str:
    (tmp_path / "main.c").write_text(source, encoding="utf-8")
    program = tmp_path / "main"
    compile_c("-I", tmp_path, tmp_path / "main.c", *(tmp_path / o for o in objects), "-o", program)
    return subprocess.run([program], capture_output=True, text=True, check=True, timeout=10).stdout


def test_counters_at_run_time(tmp_path: Path) -> None:
    generate("counters", SMALL, tmp_path)
    out = run(
        tmp_path,
        """#include "jr_counters.h"
        #include <stdio.h>
        int main(void)
        {
            for (int i = 0; i < JR_C__COUNT; i++)
                printf("%s=%s\\n", jr_counter_info[i].name, jr_counter_info[i].help);
            printf("%d\\n", JR_C_TCP_SEQ_OUTSIDE);
        }
        """,
        "jr_counters.c",
    )
    assert out.splitlines() == [
        "eth_short=Frames shorter than their header",
        'eth_type=Frames of a type nobody "knows" \\ wants',
        "tcp_seq_outside=Segments outside the window */ dropped",
        "2",
    ]


def test_states_at_run_time(tmp_path: Path) -> None:
    generate("fsm", SMALL, tmp_path)
    out = run(
        tmp_path,
        """#include "jr_tcp_fsm.h"
        #include <stdio.h>
        int main(void)
        {
            for (int from = -1; from <= TCPS__COUNT; from++)
                for (int to = -1; to <= TCPS__COUNT; to++)
                    if (jr_tcp_fsm_allowed(from, to))
                        printf("%s %s\\n", jr_tcp_state_name(from), jr_tcp_state_name(to));
            for (int s = 0; s < TCPS__COUNT; s++)
                printf("%02x ", jr_tcp_outflags[s]);
            printf("%s%s\\n", jr_tcp_state_name(-1), jr_tcp_state_name(TCPS__COUNT));
        }
        """,
        "jr_tcp_fsm.c",
    )
    assert out.splitlines() == [
        "CLOSED SYN_SENT", "CLOSED LISTEN", "SYN_SENT ESTABLISHED", "ESTABLISHED CLOSED", "14 02 10 00 ??"
    ]  # fmt: skip


def test_dispatch_at_run_time(tmp_path: Path) -> None:
    generate("all", SMALL, tmp_path)
    out = run(
        tmp_path,
        """#include "jr_dispatch.h"
        #include <stdio.h>
        #include <string.h>
        struct jr_cmd_ctx { int calls; };
        int jr_cmd_ping(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_ping_req *req, struct jr_abi_cmd_ping_rep *rep)
        {
            ctx->calls++;
            rep->value += req->value;
            return 7;
        }
        int jr_cmd_stop(struct jr_cmd_ctx *ctx, const struct jr_abi_cmd_stop_req *req, struct jr_abi_cmd_stop_rep *rep)
        {
            (void)req, (void)rep;
            return -ctx->calls;
        }
        int main(void)
        {
            struct jr_cmd_ctx ctx = {0};
            struct jr_abi_cmd_ping_req req = {.value = 41};
            uint64_t rep[JR_CELL_PAYLOAD / 8];
            uint32_t ops[] = {JR_CMD_PING, JR_CMD_PING, JR_CMD_STOP, 0, JR_CMD__COUNT, 0xffffffff};
            uint32_t lens[] = {8, 7, 4, 8, 8, 8};
            for (int i = 0; i < 6; i++) {
                uint32_t len = 99;
                memset(rep, 0xff, sizeof(rep));
                int r = jr_dispatch(&ctx, ops[i], &req, lens[i], rep, &len);
                printf("%d %u %lld\\n", r, len, (long long)rep[0]);
            }
            printf("%s %u %d\\n", jr_ctl_lookup(1)->name, jr_ctl_lookup(1)->rep_size, jr_ctl_lookup(2) == NULL);
        }
        """,
        "jr_dispatch.c",
    )
    assert out.splitlines() == [
        "7 16 41",
        "-22 0 -1",
        f"-1 4 {-(1 << 32)}",
        "-38 0 -1",
        "-38 0 -1",
        "-38 0 -1",
        "hello 4 1",
    ]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('doc: "sleep here"', 'doc: "other words"', True),
        ("{pad: 1}", "{pad: 1} # comment", True),
        ("version: 3", "version: 4", False),
        ("bit: 5", "bit: 6", False),
        ("JR_MAGIC, value: 0xabcd", "JR_MAGIC, value: 0xabce", False),
        ("name: small", "name: little", False),
        ("name: ping", "name: pong", False),
        ("type: u16, at: 4}\n          - {pad: 1}", "type: u8, at: 4}\n          - {pad: 2}", False),
    ],
)
def test_checksum_follows_the_layout_and_nothing_else(old: str, new: str, same: bool, tmp_path: Path) -> None:
    text = (SMALL / "abi.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "abi.yaml").write_text(text.replace(old, new), encoding="utf-8")
    assert (abi.load(SpecDir(tmp_path)).checksum == abi.load(SpecDir(SMALL)).checksum) is same


def test_client_declares_what_stubs_call(tmp_path: Path) -> None:
    """The compiler finds any call that the stubs and the client see differently."""
    if not (CLIENT / "jr-calls.h").is_file():
        pytest.skip("no client headers")
    generate("all", REAL, tmp_path)
    source = tmp_path / "both.c"
    source.write_text('#include "jr-calls.h"\n#include "jr-stubs.h"\nint both;\n', encoding="utf-8")
    compile_c("-w", "-DJR_STANDALONE", "-I", tmp_path, "-I", CLIENT, "-c", source, "-o", tmp_path / "both.o")
    declared = set(re.findall(r"__jr_\w+", (CLIENT / "jr-calls.h").read_text(encoding="utf-8")))
    called = {f"__jr_{c.name}" for c in calls.clients(calls.load(SpecDir(REAL)))}
    assert called <= declared


def test_symbols_are_glibcs() -> None:
    """Every exported symbol of the calls is one of the distribution's libc, with that version."""
    libc = Path("/lib/x86_64-linux-gnu/libc.so.6")
    if not libc.exists():
        pytest.skip("no such libc here")
    table = subprocess.run(["readelf", "-W", "--dyn-syms", libc], capture_output=True, text=True, check=True).stdout
    exported = {name.replace("@@", "@") for name in re.findall(r"\S+@@?GLIBC_\S+", table)}
    model = calls.load(SpecDir(REAL))
    wanted = {s.text for c in model for s in (*c.symbols, *c.reached_by) if s.version}
    assert wanted <= exported
    internal = {s.name for c in model for s in c.symbols if not s.version}
    assert not internal & {name.partition("@")[0] for name in exported}
