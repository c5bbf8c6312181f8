"""The workflow that is measured: ``n`` tasks that do nothing, and one that takes all their results."""

from redun import task

redun_namespace = "redun.benches"


@task()
def noop(number: int) -> int:
    """Do nothing: what is left is the cost of the job."""
    return number


@task()
def count(numbers: list[int]) -> int:
    """Take all results, so that none of them can be left out."""
    return len(numbers)


@task()
def main(n: int) -> int:
    """Fan out to ``n`` jobs and wait for them."""
    return count([noop(number) for number in range(n)])
