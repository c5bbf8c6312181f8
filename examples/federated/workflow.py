"""Calls a task of another team by the name of an entrypoint: its code is not imported here."""

from redun import task
from redun.federated_tasks import federated_task

redun_namespace = "redun.examples.federated"


@task()
def measure(n: int) -> list[float]:
    return [(7 * i % 10) / 2 for i in range(n)]


@task()
def main(n: int = 10) -> dict:
    return federated_task("summarize", measure(n), digits=2)
