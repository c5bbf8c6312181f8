"""A task that calls itself: Fibonacci numbers."""

from redun import task

redun_namespace = "redun.examples.recursion"


@task()
def fib(n: int) -> int:
    """Return the `n`th Fibonacci number. Equal calls are one job, so this takes `n + 1` jobs."""
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


@task()
def main(n: int = 500) -> int:
    return fib(n)
