"""Branches, errors and order: `cond`, `catch`, `catch_all` and `seq`."""

from redun import catch, cond, task
from redun.functools import seq
from redun.scheduler import catch_all

redun_namespace = "redun.examples.control_flow"


@task()
def is_even(n: int) -> bool:
    return n % 2 == 0


@task()
def half(n: int) -> int:
    return n // 2


@task()
def triple_plus_one(n: int) -> int:
    return 3 * n + 1


@task()
def collatz(n: int, path: list[int] = []) -> list[int]:
    """Go from `n` down to 1, and return the way. Only the branch that is taken runs."""
    path = [*path, n]
    if n == 1:
        return path
    return collatz(cond(is_even(n), half(n), triple_plus_one(n)), path)


@task()
def parse(text: str) -> int:
    return int(text)


@task()
def as_zero(error: ValueError) -> int:
    return 0


@task()
def parse_leniently(texts: list[str]) -> list[int]:
    """Parse each text; what is no number counts as 0."""
    return [catch(parse(text), ValueError, as_zero) for text in texts]


@task()
def count_errors(results: list) -> str:
    """Say what came of some calls; an exception takes the place of the result of one that failed."""
    errors = [result for result in results if isinstance(result, Exception)]
    return f"{len(errors)} of {len(results)} are no numbers"


@task()
def check(texts: list[str]) -> str:
    """Parse all texts, also after a failure, and handle the failures together."""
    return catch_all([parse(text) for text in texts], ValueError, count_errors)


@task()
def note(step: str) -> str:
    print(step)
    return step


@task()
def main(n: int = 6, texts: list[str] = ["12", "x", "30"]) -> dict:
    return {
        "collatz": collatz(n),
        "lenient": parse_leniently(texts),
        "checked": check(texts),
        "in order": seq([note("first"), note("second"), note("third")]),
    }
