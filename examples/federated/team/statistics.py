"""The other team's workflow."""

from redun import task

redun_namespace = "team"


@task()
def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


@task()
def spread(numbers: list[float]) -> float:
    return max(numbers) - min(numbers)


@task()
def rounded(values: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


@task()
def summarize(numbers: list[float], digits: int = 3) -> dict[str, float]:
    return rounded({"mean": mean(numbers), "spread": spread(numbers)}, digits)
