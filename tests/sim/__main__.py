# SPDX-License-Identifier: BSD-3-Clause
"""`python -m sim PROGRAM OUT [SCENARIO...]`: runs scenarios (all by default), prints their tables, draws their plots.

PROGRAM is jr_sim of the build; OUT a folder for traces, plots and table.md.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from sim.runner import Simulator
from sim.scenarios import ALL, Table


def text(table: Table) -> str:
    """A table in Markdown."""
    title, heads, rows = table
    lines = [f"### {title}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def main(argv: list[str]) -> int:
    """Returns the exit status."""
    if len(argv) < 2:
        print(__doc__)
        return 2
    out = Path(argv[1])
    out.mkdir(parents=True, exist_ok=True)
    sim = Simulator(Path(argv[0]), out, int(os.environ.get("JOYRIDE_JOBS", os.cpu_count() or 2)))
    known = {s.__name__: s for s in ALL}
    if unknown := set(argv[2:]) - set(known):
        print(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return 2
    tables = []
    for name, scenario in known.items():
        if argv[2:] and name not in argv[2:]:
            continue
        start = time.monotonic()
        tables.append(text(scenario(sim)))
        print(tables[-1], f"({name}: {time.monotonic() - start:.1f} s)\n", sep="\n", flush=True)
    (out / "table.md").write_text("\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
