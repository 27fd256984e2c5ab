# SPDX-License-Identifier: BSD-3-Clause
"""The named counters: spec/counters/<part>.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from jrgen import schema
from jrgen.source import Problems, SpecDir, Where


@dataclass(frozen=True)
class Counter:
    """One counter of the service."""

    name: str
    help: str
    part: str
    where: Where

    @property
    def c_name(self) -> str:
        """Its name in enum jr_counter."""
        return f"JR_C_{self.name.upper()}"


def load(spec: SpecDir) -> list[Counter]:
    """Every counter, by file and then in the order written. Raises SpecError."""
    problems = Problems()
    counters: list[Counter] = []
    for doc in spec.load_all("counters"):
        if not schema.check(doc, "counters", problems):
            continue
        for i, item in enumerate(doc.data["counters"]):
            where = doc.where("counters", i, "name")
            counters.append(Counter(item["name"], item["help"], doc.path.stem, where))
    first: dict[str, Counter] = {}
    for counter in counters:
        if counter.name in first:
            other = first[counter.name].where
            problems.add(counter.where, f"counter '{counter.name}' is already in {other.file.name}:{other.line}")
        first.setdefault(counter.name, counter)
    problems.stop_if_any()
    return counters
