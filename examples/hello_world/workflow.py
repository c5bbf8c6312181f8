"""Two tasks and a third that composes them: the smallest workflow worth the name."""

from redun import task

redun_namespace = "redun.examples.hello_world"


@task()
def get_planet() -> str:
    """Choose whom to greet."""
    return "World"


@task()
def greet(greeting: str, planet: str) -> str:
    """Put the greeting together."""
    return f"{greeting}, {planet}!"


@task()
def main(greeting: str = "Hello") -> str:
    """Greet a planet; nothing runs here, the calls become one lazy expression."""
    return greet(greeting, get_planet())
