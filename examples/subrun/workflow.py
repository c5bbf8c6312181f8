"""A part of a workflow that a scheduler of its own evaluates, within one job of an executor."""

from redun import task
from redun.scheduler import subrun

redun_namespace = "redun.examples.subrun"


@task()
def score(word: str) -> int:
    return sum(ord(letter) - ord("a") + 1 for letter in word)


@task()
def total(scores: list[int]) -> int:
    return sum(scores)


@task()
def score_text(text: str) -> int:
    """Many tiny jobs, each too small to be sent anywhere on its own."""
    return total([score(word) for word in text.lower().split()])


@task()
def main(texts: list[str] = ["the quick brown fox", "jumps over the lazy dog"]) -> list[int]:
    """Send each text with all its jobs to a process of its own."""
    return [subrun(score_text(text), executor="process") for text in texts]
