"""Count the words of hundreds of files: fan out over the files, reduce in a tree."""

import re
import sysconfig
from collections import Counter
from pathlib import Path

from redun import File, task

redun_namespace = "redun.examples.word_count"

STANDARD_LIBRARY = sysconfig.get_path("stdlib")
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "lib2to3"}
GROUP = 16  # so many counts are added up by one merge


@task(cache=False)  # files come and go: look again on every run
def find_sources(root: str, limit: int) -> list[File]:
    """List the first ``limit`` Python sources below ``root``, in a stable order."""
    paths = sorted(Path(root).rglob("*.py"))
    kept = [path for path in paths if SKIPPED.isdisjoint(path.relative_to(root).parts)]
    if not kept:
        raise ValueError(f"no Python sources below {root}")
    return [File(str(path)) for path in kept[:limit]]


@task()
def count_words(source: File) -> dict[str, int]:
    """Count the words of one file."""
    return dict(Counter(re.findall(r"[a-z]+", source.read(encoding="utf-8").lower())))


@task()
def merge(counts: list[dict[str, int]]) -> dict[str, int]:
    """Add up a few counts."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)


@task()
def count_all(sources: list[File]) -> dict[str, int]:
    """Count every file, then merge the counts group by group until one is left."""
    counts = [count_words(source) for source in sources]
    while len(counts) > 1:
        counts = [merge(counts[i : i + GROUP]) for i in range(0, len(counts), GROUP)]
    return counts[0]


@task()
def most_common(counts: dict[str, int], top: int) -> list[tuple[str, int]]:
    """Choose the ``top`` most frequent words; ties go by the alphabet."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]


@task()
def main(root: str = STANDARD_LIBRARY, limit: int = 500, top: int = 10) -> list[tuple[str, int]]:
    """Find the words that the Python standard library uses most."""
    return most_common(count_all(find_sources(root, limit)), top)
