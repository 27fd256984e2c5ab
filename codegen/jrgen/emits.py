# SPDX-License-Identifier: BSD-3-Clause
"""What jrgen can make: each emit turns specs into (file name, text) pairs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Protocol, TypeVar

from jrgen import abi, calls, counters, fsm, sysctl
from jrgen.render import render
from jrgen.source import SpecDir

Files = list[tuple[str, str]]


def emit_counters(spec: SpecDir) -> Files:
    """jr_counters.h and jr_counters.c: the enum of drop counters, their names and help texts."""
    values = counters.load(spec)
    return [
        ("jr_counters.h", render("jr_counters.h.j2", counters=values)),
        ("jr_counters.c", render("jr_counters.c.j2", counters=values)),
    ]


def emit_sysctl(spec: SpecDir) -> Files:
    """jr_sysctl_fields.h, jr_sysctl_stacks.h and jr_sysctl.c: the knobs as struct members and as a table."""
    stacks = sysctl.load(spec)
    headers = sorted({stack.header for stack in stacks})
    return [
        ("jr_sysctl_fields.h", render("jr_sysctl_fields.h.j2", stacks=stacks)),
        ("jr_sysctl_stacks.h", render("jr_sysctl_stacks.h.j2", stacks=stacks)),
        ("jr_sysctl.c", render("jr_sysctl.c.j2", stacks=stacks, headers=headers)),
    ]


def emit_fsm(spec: SpecDir) -> Files:
    """jr_tcp_fsm.h and jr_tcp_fsm.c: TCP's states, allowed moves and flags sent per state."""
    table = fsm.load(spec)
    return [
        ("jr_tcp_fsm.h", render("jr_tcp_fsm.h.j2", fsm=table)),
        ("jr_tcp_fsm.c", render("jr_tcp_fsm.c.j2", fsm=table)),
    ]


def emit_abi(spec: SpecDir) -> Files:
    """jr_abi.h: the header that libc's client and the service share."""
    return [("jr_abi.h", render("jr_abi.h.j2", abi=abi.load(spec)))]


def emit_dispatch(spec: SpecDir) -> Files:
    """jr_dispatch.h and jr_dispatch.c: the service's table of commands."""
    model = abi.load(spec)
    return [
        ("jr_dispatch.h", render("jr_dispatch.h.j2", abi=model)),
        ("jr_dispatch.c", render("jr_dispatch.c.j2", abi=model)),
    ]


def emit_stubs(spec: SpecDir) -> Files:
    """The libc stubs for sysdeps/joyride: a file per hooked call, jr-stubs.h and the Makefile fragment jr-stubs.mk."""
    model = calls.load(spec)
    files = [
        ("jr-stubs.h", render("jr-stubs.h.j2", clients=calls.clients(model))),
        ("jr-stubs.mk", render("jr-stubs.mk.j2", calls=model)),
    ]
    for call in model:
        if call.stub.kind in {"wrap", "body"}:
            files.append((call.stub.file, render(f"stub_{call.stub.kind}.c.j2", call=call)))
    return files


class _Part(Protocol):
    @property
    def part(self) -> str: ...


T = TypeVar("T", bound=_Part)


def _by_part(items: list[T]) -> list[tuple[str, list[T]]]:
    """The items of each spec file together, in the order of the files."""
    return [(part, list(group)) for part, group in groupby(items, lambda item: item.part)]


def emit_docs(spec: SpecDir) -> Files:
    """The reference tables of the docs: calls, shared header, counters, TCP states."""
    return [
        ("reference/calls.md", render("ref_calls.md.j2", parts=_by_part(calls.load(spec)))),
        ("reference/abi.md", render("ref_abi.md.j2", abi=abi.load(spec))),
        ("reference/counters.md", render("ref_counters.md.j2", parts=_by_part(counters.load(spec)))),
        ("reference/sysctl.md", render("ref_sysctl.md.j2", stacks=sysctl.load(spec))),
        ("reference/tcp-states.md", render("ref_tcp_states.md.j2", fsm=fsm.load(spec))),
    ]


EMITS: dict[str, Callable[[SpecDir], Files]] = {
    "counters": emit_counters,
    "sysctl": emit_sysctl,
    "fsm": emit_fsm,
    "abi": emit_abi,
    "dispatch": emit_dispatch,
    "stubs": emit_stubs,
    "docs": emit_docs,
}
