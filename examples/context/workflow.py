"""Settings that tasks read where they need them, instead of being passed through every call."""

from redun import get_context, task

redun_namespace = "redun.examples.context"


GREETINGS = {"en": "Hello", "fr": "Bonjour", "de": "Guten Tag"}


@task()
def greet(
    name: str,
    language: str = get_context("greeting.language", "en"),
    mark: str = get_context("greeting.mark", "."),
) -> str:
    return f"{GREETINGS[language]}, {name}{mark}"


@task()
def welcome(names: list[str]) -> list[str]:
    """Knows nothing of languages: the context goes past it."""
    return [greet(name) for name in names]


@task()
def main(names: list[str] = ["Ada", "Grace"]) -> dict:
    return {
        "as configured": welcome(names),
        "in German": welcome.update_context(greeting={"language": "de"})(names),
    }
