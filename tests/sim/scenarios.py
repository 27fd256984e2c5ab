# SPDX-License-Identifier: BSD-3-Clause
"""What is simulated, one function per question; each returns the rows of a table and may draw.

The analytic references: RFC 5681's window sqrt(3/2p) segments under a loss rate of p, RFC 9438's 1.054 (RTT/p)^0.75.
"""

from __future__ import annotations

from collections.abc import Callable

from sim.plot import Line, draw
from sim.runner import Result, Simulator

ALGORITHMS = ["newreno", "cubic", "dctcp", "cdg"]
Table = tuple[str, list[str], list[list[str]]]
Scenario = Callable[[Simulator], Table]


def percent(x: float) -> str:
    """A share as text."""
    return f"{100 * x:.1f} %"


def reno_window(p: float, _rtt: float) -> float:
    """Segments, for a loss rate and a round trip in seconds."""
    return float((1.5 / p) ** 0.5)


def cubic_window(p: float, rtt: float) -> float:
    """Segments; never less than Reno's, whom CUBIC is friendly to."""
    return float(max(1.054 * (rtt / p) ** 0.75, reno_window(p, rtt)))


def single_flows(
    sim: Simulator, algorithms: list[str], name: str, link: dict[str, object], title: str
) -> dict[str, Result]:
    """Each algorithm alone on a link for a minute; draws their windows."""
    base: dict[str, object] = {"time": "60s", "warmup": "10s", **link}
    results = sim.many([base | {"trace": f"{name}-{cc}", "cc": cc} for cc in algorithms])
    lines = [Line(cc, [(s.t, s.cwnd) for s in sim.samples(f"{name}-{cc}")]) for cc in algorithms]
    draw(sim.out / f"{name}.svg", title, "s", "window, segments", lines)
    return dict(zip(algorithms, results, strict=True))


def alone(sim: Simulator) -> Table:
    """Each algorithm alone on 100 Mbit/s, 40 ms, with a queue of one round trip."""
    link: dict[str, object] = {"rate": "100M", "delay": "20ms", "queue": "500k", "buf": "4M", "sample": "50ms"}
    title = "One flow, 100 Mbit/s, 40 ms"
    rows = []
    for cc, r in single_flows(sim, ALGORITHMS, "alone", link, f"{title}, queue of one round trip").items():
        f = r.flows[0]
        rows.append([cc, percent(r.link["utilisation"]), f"{f.rtt_ms:.1f}", f"{f.cwnd:.0f}", str(f.rexmits)])
    return title, ["cc", "utilisation", "RTT ms", "cwnd", "resent"], rows


def long_fat(sim: Simulator) -> Table:
    """10 Gbit/s, 100 ms, queue of half a round trip, packets of 9000 bytes."""
    link: dict[str, object] = {"rate": "10G", "delay": "50ms", "queue": "62M", "buf": "512M", "mtu": 9000,
                               "sample": "100ms"}  # fmt: skip
    title = "One flow, 10 Gbit/s, 100 ms"
    rows = []
    for cc, r in single_flows(
        sim, ["newreno", "cubic", "cdg"], "long-fat", link, f"{title}, packets of 9000 bytes"
    ).items():
        f = r.flows[0]
        rows.append([cc, percent(r.link["utilisation"]), f"{f.goodput / 1e9:.2f}", f"{f.rtt_ms:.1f}", str(f.rexmits)])
    return title, ["cc", "utilisation", "Gbit/s", "RTT ms", "resent"], rows


def fairness(sim: Simulator) -> Table:
    """2 to 16 flows of one algorithm, started one after another."""
    counts = [2, 4, 8, 16]
    runs: list[dict[str, object]] = [
        {"cc": cc, "flows": n, "stagger": "370ms", "rate": "100M", "delay": "15ms", "queue": "375k", "buf": "2M",
         "time": "120s", "warmup": "30s", "sample": "100ms"}
        for cc in ALGORITHMS for n in counts
    ]  # fmt: skip
    results = iter(sim.many(runs))
    rows = [[cc, *(f"{next(results).link['jain']:.3f}" for _ in counts)] for cc in ALGORITHMS]
    return "Jain's index of equal flows, 100 Mbit/s, 30 ms", ["cc", *(f"{n} flows" for n in counts)], rows


def coexistence(sim: Simulator) -> Table:
    """Two flows each of two algorithms: what part the first gets; a half is even."""
    pairs = [("cubic", "newreno"), ("cdg", "newreno"), ("cdg", "cubic"), ("dctcp", "newreno")]
    cases = {"10 Mbit/s, 20 ms": ("10M", "10ms", "25k"), "100 Mbit/s, 80 ms": ("100M", "40ms", "1M")}
    runs: list[dict[str, object]] = [
        {"cc": f"{a},{b}", "flows": 4, "stagger": "100ms", "rate": rate, "delay": delay, "queue": queue, "buf": "8M",
         "time": "120s", "warmup": "30s", "sample": "100ms"}
        for a, b in pairs for rate, delay, queue in cases.values()
    ]  # fmt: skip
    results = iter(sim.many(runs))
    rows = [[f"{a} : {b}", *(percent(next(results).share(a)) for _ in cases)] for a, b in pairs]
    return "Share of the first of two algorithms", ["pair", *cases], rows


def rtt_fairness(sim: Simulator) -> Table:
    """A flow of 20 ms beside one of 80 ms: how much more the first gets."""
    runs: list[dict[str, object]] = [
        {"cc": cc, "flows": 2, "extra": "0,30ms", "rate": "50M", "delay": "10ms", "queue": "250k", "buf": "2M",
         "time": "180s", "warmup": "30s", "sample": "100ms"}
        for cc in ALGORITHMS
    ]  # fmt: skip
    rows = [
        [cc, f"{r.flows[0].goodput / max(r.flows[1].goodput, 1):.2f}", percent(r.link["utilisation"])]
        for cc, r in zip(ALGORITHMS, sim.many(runs), strict=True)
    ]
    return "Round trips of 20 and 80 ms, 50 Mbit/s", ["cc", "goodput ratio", "utilisation"], rows


def response(sim: Simulator) -> Table:
    """The window under random loss against theory, 100 ms, no bottleneck."""
    rates = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]
    theory = {"newreno": reno_window, "cubic": cubic_window}
    runs: list[dict[str, object]] = [
        {"cc": cc, "rate": "1G", "delay": "50ms", "queue": 0, "loss": ppm, "buf": "8M", "time": "600s", "warmup": "30s",
         "sample": "1s"}
        for cc in theory for ppm in rates
    ]  # fmt: skip
    results = iter(sim.many(runs))
    rows, lines = [], []
    for cc, window in theory.items():
        measured = [next(results).flows[0].goodput / 8 / 1448 * 0.1 for _ in rates]
        expected = [window(ppm / 1e6, 0.1) for ppm in rates]
        rows += [
            [cc, f"{ppm / 1e4:g} %", f"{m:.1f}", f"{e:.1f}", f"{m / e:.2f}"]
            for ppm, m, e in zip(rates, measured, expected, strict=True)
        ]
        lines.append(Line(cc, [(p / 1e6, m) for p, m in zip(rates, measured, strict=True)], marks=True))
        lines.append(Line(f"{cc}, theory", [(p / 1e6, e) for p, e in zip(rates, expected, strict=True)], thin=True))
    draw(sim.out / "response.svg", "Window under random loss, 100 ms", "loss rate", "segments", lines, logs=True)
    return "Window under random loss, 100 ms", ["cc", "loss", "segments", "theory", "ratio"], rows


def bufferbloat(sim: Simulator) -> Table:
    """Slow start into a queue of eight round trips, with HyStart++ and without."""
    base: dict[str, object] = {"rate": "100M", "delay": "20ms", "queue": "4M", "buf": "16M", "time": "8s"}
    runs = [
        base | {"cc": cc, "hystart": on, "warmup": "200ms", "sample": "10ms", "trace": f"bloat-{cc}-{on}"}
        for cc in ("newreno", "cubic") for on in (0, 1)
    ]  # fmt: skip
    rows, lines = [], []
    for run, r in zip(runs, sim.many(runs), strict=True):
        name = f"{run['cc']}, HyStart++ {'on' if run['hystart'] else 'off'}"
        lines.append(Line(name, [(s.t, s.queue / 1e6) for s in sim.samples(str(run["trace"]))]))
        first = [s for s in sim.samples(str(run["trace"])) if s.t < 2]
        worst = max(s.queue for s in first) * 8 / 100e6 * 1000
        rows.append([name, f"{worst:.0f}", f"{r.link['drops']:.0f}", percent(r.link["utilisation"])])
    draw(sim.out / "bufferbloat.svg", "Slow start into a deep queue", "s", "queue, MB", lines)
    return "Queue of eight round trips (320 ms)", ["", "worst queue in 2 s, ms", "drops in 8 s", "utilisation"], rows


def marking(sim: Simulator) -> Table:
    """1 Gbit/s, 200 us, marks above 50 kB; two flows."""
    cases = [("dctcp", 1), ("dctcp", 3), ("newreno", 1), ("cubic", 1), ("cubic", 3), ("cubic", 0)]
    runs: list[dict[str, object]] = [
        {"cc": cc, "default": cc, "ecn": ecn, "flows": 2, "stagger": "50ms", "rate": "1G", "delay": "100us",
         "queue": "500k", "mark": "50k", "buf": "1M", "time": "5s", "warmup": "1s", "sample": "100us",
         "trace": f"mark-{cc}-{ecn}"}
        for cc, ecn in cases
    ]  # fmt: skip
    how = {0: "no ECN", 1: "ECN", 3: "Accurate ECN"}
    rows, lines = [], []
    for (cc, ecn), r in zip(cases, sim.many(runs), strict=True):
        rows.append(
            [f"{cc}, {how[ecn]}", percent(r.link["utilisation"]), f"{r.link['queue_mean'] / 1000:.0f}",
             f"{r.link['jain']:.3f}", f"{r.link['drops']:.0f}", percent(r.link["marks"] / r.link["pkts"])]
        )  # fmt: skip
        if ecn != 3:
            part = [s for s in sim.samples(f"mark-{cc}-{ecn}") if s.flow == 0 and 2 < s.t < 2.05]
            lines.append(Line(f"{cc}, {how[ecn]}", [((s.t - 2) * 1000, s.queue / 1000) for s in part]))
    draw(sim.out / "marking.svg", "Marks above 50 kB, 1 Gbit/s, 200 us", "ms", "queue, kB", lines)
    return (
        "Marks above 50 kB, 1 Gbit/s, 200 us, two flows",
        ["", "utilisation", "queue kB", "Jain", "drops", "marked"],
        rows,
    )


def bad_links(sim: Simulator) -> Table:
    """50 Mbit/s, 40 ms, with what radio does to packets."""
    kinds: dict[str, dict[str, object]] = {
        "clean": {},
        "0.1 % lost": {"loss": 1000},
        "1 % lost": {"loss": 10000},
        "bursts": {"burst": 300, "burstend": 250000, "burstloss": 600000},
        "1 % late by 3 ms": {"reorder": 10000, "reorderby": "3ms"},
        "1 % twice": {"dup": 10000},
    }
    base: dict[str, object] = {"rate": "50M", "delay": "20ms", "queue": "250k", "buf": "2M", "time": "120s"}
    runs = [base | {"cc": cc, "warmup": "10s", "sample": "1s"} | k for cc in ALGORITHMS for k in kinds.values()]
    results = iter(sim.many(runs))
    rows = [[cc, *(f"{next(results).flows[0].goodput / 1e6:.1f}" for _ in kinds)] for cc in ALGORITHMS]
    return "Goodput in Mbit/s over bad links of 50 Mbit/s, 40 ms", ["cc", *kinds], rows


def pacing(sim: Simulator) -> Table:
    """A queue far smaller than a round trip, with pacing and without."""
    queues = ["5k", "15k", "50k", "150k"]
    runs: list[dict[str, object]] = [
        {"cc": "cubic", "pacing": on, "rate": "200M", "delay": "10ms", "queue": q, "buf": "4M", "time": "60s",
         "warmup": "10s", "sample": "1s"}
        for on in (0, 1) for q in queues
    ]  # fmt: skip
    results = iter(sim.many(runs))
    rows = [
        ["paced" if on else "not paced", *(percent(next(results).link["utilisation"]) for _ in queues)] for on in (0, 1)
    ]
    return "Utilisation of 200 Mbit/s, 20 ms (500 kB in flight) by the queue's size", ["cubic", *queues], rows


ALL: list[Scenario] = [
    alone, long_fat, fairness, coexistence, rtt_fairness, response, bufferbloat, marking, bad_links, pacing,
]  # fmt: skip
