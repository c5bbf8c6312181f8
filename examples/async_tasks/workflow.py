"""Tasks that wait rather than compute: `async def`, with calls of tasks awaited in their middle."""

import asyncio

from redun import task

redun_namespace = "redun.examples.async_tasks"


@task(cache=True, check_valid="shallow")
async def ask(server: str, question: str) -> str:
    """Stands for a request over the network. Any number of these wait at once, in one thread."""
    await asyncio.sleep(0.2)
    return f"{server}: {question[::-1]}"


@task()
def longest(answers: list[str]) -> str:
    return max(answers, key=len)


@task(cache=True, check_valid="shallow")
async def survey(servers: list[str], question: str) -> list[str]:
    """Ask all servers at once, then ask one of them again, depending on what they said."""
    answers = await asyncio.gather(*[ask(server, question) for server in servers])
    best = await longest(answers)
    return [best, await ask(best.split(":")[0], "why?")]


@task()
def main(count: int = 50) -> list[str]:
    return survey([f"server {number}" for number in range(count)], "who is there?")
