"""Tasks as values: passed to tasks, returned by tasks, with some arguments already given."""

from redun import Task, task
from redun.functools import compose, map_

redun_namespace = "redun.examples.higher_order"


@task()
def add(a: int, b: int) -> int:
    return a + b


@task()
def multiply(a: int, b: int) -> int:
    return a * b


OPERATIONS = {"add": add, "multiply": multiply}


@task()
def choose(name: str) -> Task:
    """A task may return a task: the caller calls what it gets."""
    return OPERATIONS[name]


@task()
def fold(operation: Task[[int, int], int], numbers: list[int]) -> int:
    """Combine all numbers with a task of two arguments."""
    result = numbers[0]
    for number in numbers[1:]:
        result = operation(result, number)
    return result


@task()
def main(name: str = "multiply", numbers: list[int] = [1, 2, 3, 4]) -> dict:
    double = multiply.partial(2)
    return {
        "folded": fold(choose(name), numbers),
        "doubled": map_(double, numbers),
        "composed": map_(compose(add.partial(1), double), numbers),  # 1 + 2 * number
        "called": choose(name)(20, 3),
    }
