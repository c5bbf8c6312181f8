"""Charts of a report as plain SVG: they need no script and no network, and print well."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from html import escape

from redun.lookback.trees import JobFacts
from redun.report.data import ReportData, seconds_of

WIDTH = 1000
BINS = 200
CHART_HEIGHT = 160
BAR_HEIGHT = 5
#: Colours that stay apart for most eyes, after Okabe and Ito (2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")

NODE_WIDTH, NODE_HEIGHT = 190, 40
LAYER_GAP, NODE_GAP = 70, 64
MAX_NODES = 60


def format_seconds(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each task, of which those named first get one of their own."""
    last = len(COLOURS) - 1
    return {name: COLOURS[min(index, last)] for index, name in enumerate(names)}


def concurrency_chart(data: ReportData) -> str:
    """How many jobs ran at each moment, stacked by task."""
    span = max((data.end - data.start).total_seconds(), 1e-6)
    totals = {
        name: sum((end - start).total_seconds() for start, end in runs)
        for name, runs in data.running.items()
    }
    order = sorted(totals, key=lambda name: (-totals[name], name))
    shown, rest = order[: len(COLOURS) - 1], order[len(COLOURS) - 1 :]
    series = [(name, _bins(data.running[name], data.start, span)) for name in shown]
    if rest:
        merged = [run for name in rest for run in data.running[name]]
        series.append((f"{len(rest)} other tasks", _bins(merged, data.start, span)))
    top = max(
        (sum(column) for column in zip(*(bins for _, bins in series), strict=True)), default=0
    )
    if top <= 0:
        return ""
    colours = colours_of(name for name, _ in series)
    below = [0.0] * BINS
    parts = []
    for name, bins in series:
        above = [low + value for low, value in zip(below, bins, strict=True)]
        parts.append(_area(below, above, top, colours[name], name))
        below = above
    axis = _time_axis(span, CHART_HEIGHT)
    legend = "".join(
        f'<span class="key"><i style="background:{colours[name]}"></i>{escape(name)}</span>'
        for name, _ in series
    )
    label = f'<text x="4" y="12" class="axis">{top:.3g} at once</text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {CHART_HEIGHT + 20}" role="img" '
        f'aria-label="jobs running over time">{"".join(parts)}{label}{axis}</svg>'
        f'<p class="legend">{legend}</p>'
    )


def _bins(
    runs: list[tuple[dt.datetime, dt.datetime]], start: dt.datetime, span: float
) -> list[float]:
    """How many of the runs were going on, on average, in each of `BINS` equal parts of the time."""
    width = span / BINS
    # Whole bins are counted by differences, so that long runs cost no more than short ones.
    steps = [0.0] * (BINS + 1)
    partial = [0.0] * BINS
    for begin, end in runs:
        first = max((begin - start).total_seconds() / width, 0.0)
        last = min((end - start).total_seconds() / width, float(BINS))
        low, high = min(int(first), BINS - 1), min(int(last), BINS - 1)
        if low == high:
            partial[low] += last - first
            continue
        partial[low] += low + 1 - first
        partial[high] += last - high
        steps[low + 1] += 1
        steps[high] -= 1
    level, found = 0.0, []
    for index in range(BINS):
        level += steps[index]
        found.append(level + partial[index])
    return found


def _area(below: list[float], above: list[float], top: float, colour: str, name: str) -> str:
    step = WIDTH / BINS

    def points(values: list[float]) -> list[str]:
        found = []
        for index, value in enumerate(values):
            y = f"{CHART_HEIGHT * (1 - value / top):.1f}"
            found += [f"{index * step:.1f},{y}", f"{(index + 1) * step:.1f},{y}"]
        return found

    outline = " ".join(points(above) + points(below)[::-1])
    return f'<polygon points="{outline}" fill="{colour}"><title>{escape(name)}</title></polygon>'


def _time_axis(span: float, y: float) -> str:
    marks = []
    for part in range(5):
        anchor = ("start", "middle", "middle", "middle", "end")[part]
        text = format_seconds(span * part / 4)
        x = WIDTH * part / 4
        marks.append(
            f'<text x="{x:.0f}" y="{y + 15:.0f}" class="axis" text-anchor="{anchor}">{text}</text>'
        )
    return f'<line x1="0" x2="{WIDTH}" y1="{y}" y2="{y}" class="rule"/>' + "".join(marks)


def timeline(data: ReportData) -> str:
    """A bar for each of the longest jobs, from its start to its end, in as few rows as they need."""
    span = max((data.end - data.start).total_seconds(), 1e-6)
    colours = colours_of(summary.name for summary in data.tasks)
    critical = {job.id for job in data.critical}
    rows: list[float] = []
    bars = []
    for job in data.bars:
        x = (job.start - data.start).total_seconds() / span * WIDTH
        width = max(seconds_of(job) / span * WIDTH, 0.5)
        row = next((index for index, free in enumerate(rows) if free <= x), len(rows))
        if row == len(rows):
            rows.append(0.0)
        rows[row] = x + width
        bars.append(_bar(job, x, width, row, colours[job.task_name], job.id in critical))
    if not bars:
        return ""
    height = len(rows) * (BAR_HEIGHT + 2) + 4
    return (
        f'<svg viewBox="0 0 {WIDTH} {height + 20}" role="img" aria-label="timeline of the longest '
        f'jobs">{"".join(bars)}{_time_axis(span, height)}</svg>'
    )


def _bar(job: JobFacts, x: float, width: float, row: int, colour: str, critical: bool) -> str:
    title = f"{job.task_name}, {format_seconds(seconds_of(job))}, {job.status}, Job {job.id[:8]}"
    kind = ' class="critical"' if critical else ""
    fill = "#c00" if job.status == "FAILED" else colour
    return (
        f'<rect x="{x:.1f}" y="{row * (BAR_HEIGHT + 2) + 2}" width="{width:.1f}" '
        f'height="{BAR_HEIGHT}" fill="{fill}"{kind}><title>{escape(title)}</title></rect>'
    )


def call_graph(data: ReportData) -> str:
    """Which task calls which, how often: one box a task, callers above the called."""
    summaries = {summary.name: summary for summary in data.tasks[:MAX_NODES]}
    layers: dict[int, list[str]] = defaultdict(list)
    for name in summaries:
        layers[data.depths.get(name, 0)].append(name)
    callers: dict[str, list[str]] = defaultdict(list)
    for caller, called in data.edges:
        if caller in summaries and called in summaries and caller != called:
            callers[called].append(caller)
    places: dict[str, tuple[float, float]] = {}
    for level, depth in enumerate(sorted(layers)):
        names = sorted(layers[depth], key=lambda name: (_mean_x(callers[name], places), name))
        for index, name in enumerate(names):
            places[name] = (index * (NODE_WIDTH + NODE_GAP), level * (NODE_HEIGHT + LAYER_GAP))
    if not places:
        return ""
    width = max(x for x, _ in places.values()) + NODE_WIDTH + 60
    height = max(y for _, y in places.values()) + NODE_HEIGHT + 10
    edges = "".join(
        _edge(places, caller, called, count) for (caller, called), count in data.edges.items()
    )
    nodes = "".join(_node(name, summaries[name].statuses.total(), places[name]) for name in places)
    return (
        f'<div class="wide"><svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" role="img" aria-label="which task calls which"><defs><marker id="tip" '
        f'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>{edges}{nodes}</svg></div>'
    )


def _mean_x(callers: list[str], places: dict[str, tuple[float, float]]) -> float:
    known = [places[name][0] for name in callers if name in places]
    return sum(known) / len(known) if known else 0.0


def _node(name: str, jobs: int, place: tuple[float, float]) -> str:
    x, y = place
    shown = name if len(name) <= 26 else "…" + name[-25:]
    count = "1 job" if jobs == 1 else f"{jobs:,} jobs"
    middle = x + NODE_WIDTH / 2
    return (
        f'<g><title>{escape(name)}</title><rect x="{x:.0f}" y="{y:.0f}" width="{NODE_WIDTH}" '
        f'height="{NODE_HEIGHT}" rx="5" class="node"/><text x="{middle:.0f}" y="{y + 17:.0f}" '
        f'text-anchor="middle">{escape(shown)}</text><text x="{middle:.0f}" y="{y + 32:.0f}" '
        f'text-anchor="middle" class="axis">{count}</text></g>'
    )


def _edge(places: dict[str, tuple[float, float]], caller: str, called: str, count: int) -> str:
    if caller not in places or called not in places:
        return ""
    (x1, y1), (x2, y2) = places[caller], places[called]
    title = f"<title>{escape(caller)} calls {escape(called)} {count:,} times</title>"
    if caller == called:  # recursion: a loop at the right side of the box
        x, y = x1 + NODE_WIDTH, y1 + NODE_HEIGHT / 2
        path = f"M{x:.0f} {y - 8:.0f}c40 -14 40 30 0 16"
        label = (x + 34, y + 4)
    else:
        start, end = (x1 + NODE_WIDTH / 2, y1 + NODE_HEIGHT), (x2 + NODE_WIDTH / 2, y2 - 2)
        if y2 <= y1:  # back up, or to the side
            start, end = (x1 + NODE_WIDTH / 2, y1), (x2 + NODE_WIDTH / 2, y2 + NODE_HEIGHT + 2)
        bend = (start[1] + end[1]) / 2
        path = (
            f"M{start[0]:.0f} {start[1]:.0f}C{start[0]:.0f} {bend:.0f} {end[0]:.0f} {bend:.0f} "
            f"{end[0]:.0f} {end[1]:.0f}"
        )
        label = ((start[0] + end[0]) / 2 + 4, bend)
    number = f'<text x="{label[0]:.0f}" y="{label[1]:.0f}" class="axis">{count:,}</text>'
    return f'<g>{title}<path d="{path}" class="edge" marker-end="url(#tip)"/>{number}</g>'
