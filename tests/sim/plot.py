# SPDX-License-Identifier: BSD-3-Clause
"""Draws curves with matplotlib; without it, the tables are all there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """A curve: its name and points."""

    name: str
    points: list[tuple[float, float]]
    marks: bool = False
    thin: bool = False


def draw(path: Path, title: str, x: str, y: str, lines: list[Line], logs: bool = False) -> None:
    """Write an SVG; logs: both axes are logarithmic. Does nothing where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    for line in lines:
        xs, ys = zip(*line.points, strict=True) if line.points else ((), ())
        axes.plot(
            xs, ys, label=line.name, marker="o" if line.marks else "", markersize=4,
            linestyle="--" if line.thin else "none" if line.marks else "-", linewidth=1,
        )  # fmt: skip
    if logs:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
