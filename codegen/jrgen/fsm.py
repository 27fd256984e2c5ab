# SPDX-License-Identifier: BSD-3-Clause
"""The TCP state table: spec/tcp_fsm.yaml (RFC 9293 section 3.3.2, FreeBSD's tcp_fsm.h)."""

from __future__ import annotations

from dataclasses import dataclass

from jrgen import schema
from jrgen.source import Problems, SpecDir, Where

# RFC 9293 section 3.1, control bits.
TH_FLAGS = {"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20}


@dataclass(frozen=True)
class State:
    """A TCP state and the flags every segment sent in it carries."""

    name: str
    doc: str
    outflags: tuple[str, ...]
    where: Where

    @property
    def c_name(self) -> str:
        """Its name in C, FreeBSD's."""
        return f"TCPS_{self.name}"

    @property
    def outflags_value(self) -> int:
        """The flags as the byte of the TCP header."""
        return sum(TH_FLAGS[flag] for flag in self.outflags)

    @property
    def outflags_text(self) -> str:
        """The flags by name, for comments and tables."""
        return " | ".join(f"TH_{flag}" for flag in self.outflags) or "0"


@dataclass(frozen=True)
class Move:
    """A change of state that may happen, and what brings it about."""

    source: State
    target: State
    on: str


@dataclass(frozen=True)
class Fsm:
    """The whole table, states in the order of their numbers."""

    states: tuple[State, ...]
    moves: tuple[Move, ...]

    def targets(self, state: State) -> list[State]:
        """Where a state may go, in the order of the numbers."""
        wanted = {m.target.name for m in self.moves if m.source == state}
        return [s for s in self.states if s.name in wanted]


def _check_reachable(fsm: Fsm, problems: Problems) -> None:
    seen = {fsm.states[0].name}
    todo = [fsm.states[0]]
    while todo:
        for state in fsm.targets(todo.pop()):
            if state.name not in seen:
                seen.add(state.name)
                todo.append(state)
    for state in fsm.states:
        if state.name not in seen:
            problems.add(state.where, f"no move leads from {fsm.states[0].name} to state {state.name}")


def load(spec: SpecDir) -> Fsm:
    """The state table. Raises SpecError."""
    problems = Problems()
    doc = spec.load("tcp_fsm.yaml")
    schema.check(doc, "tcp_fsm", problems)
    problems.stop_if_any()

    states: dict[str, State] = {}
    for i, item in enumerate(doc.data["states"]):
        state = State(item["name"], item["doc"], tuple(item["outflags"]), doc.where("states", i, "name"))
        if state.name in states:
            problems.add(state.where, f"state {state.name} is given twice")
        states.setdefault(state.name, state)

    moves: list[Move] = []
    pairs: set[tuple[str, str]] = set()
    for i, item in enumerate(doc.data["moves"]):
        unknown = [end for end in ("from", "to") if item[end] not in states]
        for end in unknown:
            problems.add(doc.where("moves", i, end), f"unknown state {item[end]}")
        if unknown:
            continue
        pair = (item["from"], item["to"])
        if pair in pairs:
            problems.add(doc.where("moves", i), f"move {pair[0]} to {pair[1]} is given twice")
        pairs.add(pair)
        moves.append(Move(states[pair[0]], states[pair[1]], item["on"]))
    problems.stop_if_any()

    fsm = Fsm(tuple(states.values()), tuple(moves))
    _check_reachable(fsm, problems)
    problems.stop_if_any()
    return fsm
