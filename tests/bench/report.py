# SPDX-License-Identifier: BSD-3-Clause
"""Medians, ratios, tables, JSON and plots of a benchmark run."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

STACKS = ("joyride", "kernel")
COLOURS = {"joyride": "#2a6fbb", "kernel": "#b5651d"}


@dataclass
class Sample:
    """One number from one repetition."""

    kind: str
    point: str
    metric: str
    unit: str
    more_is_better: bool
    stack: str
    repetition: int
    value: float


@dataclass
class Line:
    """One comparison: medians over the repetitions."""

    kind: str
    point: str
    metric: str
    unit: str
    more_is_better: bool
    joyride: float | None
    kernel: float | None
    spread: float  # (max - min) / median of the noisier stack

    @property
    def ratio(self) -> float | None:
        """How many times better Joyride is; below 1 it is worse."""
        if not self.joyride or not self.kernel:
            return None
        return self.joyride / self.kernel if self.more_is_better else self.kernel / self.joyride


def summarise(samples: list[Sample]) -> list[Line]:
    """Medians in the order of measurement."""
    values: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    firsts: dict[tuple[str, str, str], Sample] = {}
    for s in samples:
        key = (s.kind, s.point, s.metric)
        firsts.setdefault(key, s)
        values[key][s.stack].append(s.value)
    lines = []
    for key, s in firsts.items():
        medians = {stack: statistics.median(v) for stack, v in values[key].items()}
        spreads = [(max(v) - min(v)) / m if (m := statistics.median(v)) else 0.0 for v in values[key].values()]
        lines.append(Line(*key, s.unit, s.more_is_better, medians.get("joyride"), medians.get("kernel"), max(spreads)))
    return lines


def show(lines: list[Line], console: Console, repetitions: int) -> None:
    """Print the comparison."""
    table = Table(title=f"medians of {repetitions}; ratio: how many times better Joyride is", title_justify="left")
    for column in ("benchmark", "point", "metric", "Joyride", "kernel", "unit", "ratio", "spread"):
        table.add_column(column, justify="right" if column in ("Joyride", "kernel", "ratio", "spread") else "left")
    last = ""
    for line in lines:
        table.add_row(line.kind if line.kind != last else "", line.point, line.metric, _number(line.joyride),
                      _number(line.kernel), line.unit, _number(line.ratio), f"{line.spread:.0%}")  # fmt: skip
        last = line.kind
    console.print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"


def write_json(path: Path, samples: list[Sample], lines: list[Line], settings: dict[str, Any]) -> None:
    """Everything measured, with what it was measured on."""
    document = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": {"kernel": platform.release(), "cpus": os.cpu_count(), "cpu": _cpu_model()},
        "settings": settings,
        "summary": [{**asdict(line), "ratio": line.ratio} for line in lines],
        "samples": [asdict(s) for s in samples],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def plot(path: Path, lines: list[Line]) -> None:
    """One panel for each kind and metric of what is wanted at a glance: rates and latencies."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    panels: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        panels[line.kind, line.metric].append(line)
    columns = 3
    rows = (len(panels) + columns - 1) // columns
    figure, axes = pyplot.subplots(rows, columns, figsize=(15, 3.2 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, ((kind, metric), group) in zip(axes.flat, panels.items(), strict=False):
        for i, stack in enumerate(STACKS):
            heights = [getattr(line, stack) or 0 for line in group]
            axis.bar([x + (i - 0.5) * 0.4 for x in range(len(group))], heights, 0.38, label=stack, color=COLOURS[stack])
        axis.set_xticks(range(len(group)), [line.point for line in group], fontsize=8)
        better = "more is better" if group[0].more_is_better else "less is better"
        axis.set_title(f"{kind}: {metric} ({group[0].unit}, {better})", fontsize=9)
        axis.grid(axis="y", alpha=0.3)
    axes.flat[0].legend()
    figure.savefig(path)
    figure.savefig(path.with_suffix(".png"), dpi=110)
