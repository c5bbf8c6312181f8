"""The page of a report: HTML with its style and charts in it, so that one file can be mailed or kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from redun.lookback.trees import JobFacts
from redun.report.charts import (
    call_graph,
    colours_of,
    concurrency_chart,
    format_seconds,
    timeline,
)
from redun.report.data import MAX_BARS, MAX_FILES, FileUse, ReportData, seconds_of
from redun.tags import format_tag_key_value
from redun.version import version

STATUSES = ("DONE", "CACHED", "FAILED", "RUNNING")
MAX_CRITICAL = 100
MAX_SOURCE = 20_000

STYLE = """
:root{--bg:#fff;--fg:#1a1a1a;--soft:#666;--line:#ddd;--box:#f6f7f9;--link:#0072b2}
@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e6e6;--soft:#9aa0a6;--line:#333a42;
--box:#1f242a;--link:#6cb6ff}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:1080px;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;
border-bottom:1px solid var(--line);padding-bottom:.2rem}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:var(--box);padding:.8rem;
overflow:auto;border-radius:5px;margin:.4rem 0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;
border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
.soft,.axis{color:var(--soft);fill:var(--soft);font-size:12px}
.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}.card{background:var(--box);
border-radius:6px;padding:.5rem .9rem;min-width:7rem}.card b{display:block;font-size:1.3rem}
svg{width:100%;height:auto;display:block}.wide{overflow-x:auto}.wide svg{width:auto;max-width:none}
svg text{font:12px system-ui,sans-serif;fill:var(--fg)}svg text.axis{fill:var(--soft)}
.rule{stroke:var(--line)}.node{fill:var(--box);stroke:var(--line)}.edge{fill:none;
stroke:var(--soft)}.tip{fill:var(--soft)}.critical{stroke:var(--fg);stroke-width:1}
.legend .key{margin-right:1rem;font-size:13px}.key i{display:inline-block;width:.8em;height:.8em;
margin-right:.35em;border-radius:2px}
.DONE{color:#008a5e}.FAILED{color:#d22}.CACHED{color:#3a8fd6}.RUNNING{color:#b8860b}
summary{cursor:pointer;padding:.2rem 0}nav a{margin-right:1rem;color:var(--link)}
@media print{details{display:block}nav{display:none}}
"""

SECTIONS = (
    ("timeline", "Timeline"),
    ("graph", "Call graph"),
    ("tasks", "Tasks"),
    ("slow", "Slowest jobs"),
    ("critical", "Critical path"),
    ("files", "Files"),
    ("errors", "Errors"),
    ("code", "Code"),
)


def report_page(data: ReportData) -> Iterator[str]:
    """The page in pieces, to be written one after the other."""
    view = data.execution
    command = " ".join(view.args[1:])
    title = f"{escape(command)} · Exec {escape(view.id[:8])}"
    yield "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
    yield "<meta name='viewport' content='width=device-width,initial-scale=1'>"
    # Whatever stands in names and values, nothing is loaded and no script runs.
    yield (
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield f"<title>{title}</title><style>{STYLE}</style></head><body>\n"
    yield from _head(data, command)
    links = "".join(f"<a href='#{key}'>{name}</a>" for key, name in SECTIONS)
    yield f"<nav>{links}</nav>\n"
    bodies = (
        _timeline(data), _graph(data), _tasks(data), _jobs_table(data.slowest),
        _critical(data), _files(data), _errors(data), _code(data),
    )  # fmt: skip
    for (key, name), body in zip(SECTIONS, bodies, strict=True):
        yield f"<section id='{key}'><h2>{name}</h2>\n"
        yield from body
        yield "</section>\n"
    yield f"<p class='soft'>redun {escape(version)}</p></body></html>\n"


def _head(data: ReportData, command: str) -> Iterator[str]:
    view = data.execution
    started = data.start.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    yield f"<h1>{escape(command) or 'Execution'}</h1>"
    yield f"<p class='soft'>Exec {escape(view.id)} · started {started}</p>"
    totals: Counter[str] = Counter()
    for summary in data.tasks:
        totals.update(summary.statuses)
    span = format_seconds((data.end - data.start).total_seconds())
    cards = [("Status", f"<span class='{view.status}'>{view.status}</span>"), ("Duration", span)]
    cards += [("Jobs", f"{data.jobs:,}")]
    cards += [
        (status.title(), f"<span class='{status}'>{totals[status]:,}</span>")
        for status in STATUSES
        if totals[status]
    ]
    boxes = "".join(f"<div class='card'>{name}<b>{shown}</b></div>" for name, shown in cards)
    yield f"<div class='cards'>{boxes}</div>"
    if view.tags:
        tags = sorted(format_tag_key_value(key, value) for key, value in view.tags)
        yield f"<p class='soft'>{escape(', '.join(tags))}</p>\n"


def _timeline(data: ReportData) -> Iterator[str]:
    running, bars = concurrency_chart(data), timeline(data)
    if not running and not bars:
        yield "<p>No job ran: all results were there.</p>"
        return
    yield running
    yield bars
    note = f"The {MAX_BARS} longest of the jobs that ran. " if len(data.bars) == MAX_BARS else ""
    yield f"<p class='soft'>{note}Outlined: the critical path. Point at a bar for its job.</p>\n"


def _graph(data: ReportData) -> Iterator[str]:
    yield call_graph(data) or "<p>No jobs.</p>"


def _tasks(data: ReportData) -> Iterator[str]:
    colours = colours_of(summary.name for summary in data.tasks)
    rows = []
    for summary in data.tasks:
        key = f"<span class='key'><i style='background:{colours[summary.name]}'></i></span>"
        counts = [f"{summary.statuses[status]:,}" for status in STATUSES]
        mean = summary.seconds / max(1, summary.statuses.total() - summary.statuses["CACHED"])
        times = [format_seconds(value) for value in (summary.seconds, mean, summary.slowest)]
        rows.append([key + escape(summary.name), *counts, *times])
    heads = ["Task", *(status.title() for status in STATUSES), "Total time", "Mean", "Longest"]
    yield from _table(heads, rows, numbers=range(1, len(heads)))
    yield "<p class='soft'>Times of jobs that ran; a job's time holds that of the jobs below it.</p>"


def _jobs_table(jobs: Sequence[JobFacts]) -> Iterator[str]:
    if not jobs:
        yield "<p>No job ran.</p>"
        return
    rows = [
        [
            escape(job.task_name),
            f"<code>{escape(job.id)}</code>",
            f"<span class='{job.status}'>{job.status}</span>",
            format_seconds(seconds_of(job)),
        ]
        for job in jobs
    ]
    yield from _table(["Task", "Job", "Status", "Time"], rows, numbers=[3])


def _critical(data: ReportData) -> Iterator[str]:
    yield "<p class='soft'>What the end waited for: only if one of these is faster, all is.</p>"
    yield from _jobs_table(data.critical[:MAX_CRITICAL])
    if len(data.critical) > MAX_CRITICAL:
        yield f"<p class='soft'>and {len(data.critical) - MAX_CRITICAL:,} more</p>"


def _files(data: ReportData) -> Iterator[str]:
    for name, files in (("In", data.files_in), ("Out", data.files_out)):
        yield f"<h3>{name}</h3>"
        yield from _file_table(files)


def _file_table(files: Sequence[FileUse]) -> Iterator[str]:
    if not files:
        yield "<p>None.</p>"
        return
    rows = [
        [
            f"<code>{escape(file.path)}</code>",
            f"<code>{file.value_hash[:8]}</code>",
            escape(", ".join(file.tasks)),
        ]
        for file in files
    ]
    yield from _table(["Path", "Hash", "Tasks"], rows)
    if len(files) == MAX_FILES:
        yield f"<p class='soft'>The first {MAX_FILES} by path.</p>"


def _errors(data: ReportData) -> Iterator[str]:
    if not data.failures:
        yield "<p>None.</p>"
    for failure in data.failures:
        job = failure.job
        above = failure.jobs - 1
        count = f", and {above:,} more {'job' if above == 1 else 'jobs'}" if above else ""
        yield f"<h3 class='FAILED'>{escape(failure.error)}</h3>"
        yield f"<p>{escape(job.task_name)}, Job <code>{escape(job.id)}</code>{count}</p>"
        if failure.lines:
            yield f"<pre>{escape(chr(10).join(failure.lines))}</pre>"


def _code(data: ReportData) -> Iterator[str]:
    for task_hash, (name, source) in data.sources.items():
        shown = source[:MAX_SOURCE] + ("\n…" if len(source) > MAX_SOURCE else "")
        yield (
            f"<details><summary>{escape(name)} <code class='soft'>{task_hash[:8]}</code></summary>"
            f"<pre>{escape(shown)}</pre></details>\n"
        )


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()
) -> Iterator[str]:
    """A table of cells that are HTML already."""
    right = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if index in right else ''}>{cell}</{tag}>"
            for index, cell in enumerate(row)
        )

    yield f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>\n"
    for row in rows:
        yield f"<tr>{cells('td', row)}</tr>\n"
    yield "</tbody></table>\n"
