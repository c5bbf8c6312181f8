"""Extract, transform, load: files are staged for a Unix program and back, the result goes into a database."""

import csv
import shlex
import sqlite3
from pathlib import Path

from redun import File, script, task
from redun.file import FileSet

redun_namespace = "redun.examples.etl_staging"


@task()
def extract(source: File, target: str) -> File:
    """Keep the orders of at least one piece."""
    header, *lines = source.readlines()
    kept = [line for line in lines if line.split(",")[2] != "0"]
    result = File(target)
    result.write("".join([header, *kept]))
    return result


@task()
def transform(orders: File, target: str) -> File:
    """Add up the turnover of each item, in awk.

    The input is copied to where the script wants it, and its output to `target`. Both could as well be on
    S3, whose files awk can't read.
    """
    name = Path(target).stem
    program = 'NR > 1 { sum[$2] += $3 * $4 } END { for (item in sum) print item "," sum[item] }'
    return script(
        f"awk -F, {shlex.quote(program)} {name}.in | sort > {name}.out",
        inputs=[orders.stage(f"{name}.in")],
        outputs=File(target).stage(f"{name}.out"),
    )


@task()
def load(totals: list[File], database: str) -> File:
    """Write all totals into one table of a new SQLite database."""
    result = File(database)
    result.remove()
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("CREATE TABLE turnover (region TEXT, item TEXT, amount INTEGER)")
        for file in totals:
            region = Path(file.path).stem.removesuffix("-totals")
            with file.open() as lines:
                rows = [(region, item, int(amount)) for item, amount in csv.reader(lines)]
            connection.executemany("INSERT INTO turnover VALUES (?, ?, ?)", rows)
    connection.close()
    return File(database)


@task()
def transform_all(sources: list[File], out: str) -> list[File]:
    regions = [Path(source.path).stem for source in sources]
    return [
        transform(extract(source, f"{out}/{region}-orders.csv"), f"{out}/{region}-totals.csv")
        for source, region in zip(sources, regions, strict=True)
    ]


@task()
def main(orders: FileSet = FileSet("orders/*.csv"), out: str = "out") -> File:
    sources = sorted(orders, key=lambda source: source.path)
    return load(transform_all(sources, out), f"{out}/turnover.db")
