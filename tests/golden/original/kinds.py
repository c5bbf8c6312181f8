"""One workflow with every kind of value. It runs on ours and on releases of the original.

Each task notes that its body ran in the file `ran.txt`.
"""

import dataclasses
import datetime
import decimal
import enum
import os
import pathlib
import uuid
from collections import namedtuple

from redun import Dir, File, Handle, script, task
from redun.file import FileSet
from redun.scheduler import catch, cond
from redun.value import ProxyValue, Value

#: What the oldest program in play knows: features that came later are left out.
NEW = os.environ.get("KINDS_LEVEL") != "old"

if NEW:
    from redun.context import get_context
    from redun.file import ContentFile, IFile
    from redun.scheduler import apply_tags
else:
    ContentFile = IFile = File

    def get_context(name, default):
        return default

    def apply_tags(value, **tags):
        return value


redun_namespace = "kinds"

def ran(name):
    with open("ran.txt", "a") as out:
        out.write(name + "\n")


Point = namedtuple("Point", ["x", "y"])


@dataclasses.dataclass
class Sample:
    name: str
    reads: File
    sizes: list


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Box(Value):
    type_name = "kinds.Box"

    def __init__(self, content):
        self.content = content

    def __getstate__(self):
        return {"content": self.content}

    def __setstate__(self, state):
        self.content = state["content"]


class Celsius:
    def __init__(self, degrees):
        self.degrees = degrees


class CelsiusProxy(ProxyValue):
    type = Celsius
    type_name = "kinds.Celsius"


class Plain:
    def __init__(self, a):
        self.a = a


class Conn(Handle):
    def __init__(self, name, path):
        self.path = path


def double(x):
    return 2 * x


@task()
def echo(value):
    ran("echo")
    return value


@task()
def plain_values():
    ran("plain_values")
    return [
        None, True, 1, -(10**30), 1.5, float("inf"), 2 + 3j, "text", "\u00e9", b"bytes",
        [], (), {}, set(), [1, [2, [3, (4, {"k": {5, 6}})]]], {"a": 1, "b": [2]}, {1, 2, 3},
        range(3), slice(1, 2), bytearray(b"xy"),
    ]


@task()
def rich_values():
    ran("rich_values")
    return {
        "datetime": datetime.datetime(2020, 1, 2, 3, 4, 5),
        "date": datetime.date(2020, 1, 2),
        "delta": datetime.timedelta(days=1),
        "decimal": decimal.Decimal("1.5"),
        "uuid": uuid.UUID(int=7),
        "path": pathlib.PurePosixPath("a/b"),
        "point": Point(1, "y"),
        "color": Color.RED,
        "box": Box([1, "inside"]),
        "celsius": Celsius(20),
        "plain": Plain([1]),
        "func": double,
        "exception": ValueError("kept"),
    }


@task()
def write_file(path, text):
    ran("write_file")
    file = File(path)
    file.write(text)
    return file


@task()
def write_dir(path):
    ran("write_dir")
    for name in ("a", "b"):
        File(os.path.join(path, name)).write(name)
    return Dir(path)


@task()
def file_set(folder):
    ran("file_set")
    return FileSet(folder.path + "/*")


@task()
def content_file(path):
    ran("content_file")
    file = ContentFile(path)
    file.write("content")
    return file


@task()
def immutable(file):
    ran("immutable")
    return IFile(file.path)


@task()
def sample(file):
    ran("sample")
    return Sample("s", file, [1, 2])


@task()
def staging(file):
    ran("staging")
    return file.stage("local.txt")


@task()
def use_handle(conn, n):
    ran("use_handle")
    return conn


@task()
def apply_task(f, x):
    ran("apply_task")
    return f(x)


@task()
def add(a, b=3):
    ran("add")
    return a + b


@task()
def expressions(n):
    ran("expressions")
    first = add(n)
    return [first, (first + 1) * 2, add(first, b=add(1, 2)), {"k": [first]}, cond(first > 2, add(7), add(8))]


@task()
def quiet(x):
    ran("quiet")
    return x


@task()
def fail(x):
    ran("fail")
    raise KeyError(x)


@task()
def recover(error):
    ran("recover")
    return repr(error)


@task()
def in_context(level=get_context("level", 1)):
    ran("in_context")
    return level


@task(**({"tags": [("team", "core")]} if NEW else {}))
def tagged(x):
    ran("tagged")
    return apply_tags(x, tags=[("value", {"a": 1})], job_tags=[("job", 1)], execution_tags=[("ex", [1, 2])])


@task(version="2", check_valid="shallow")
def shallow(n):
    ran("shallow")
    return [add(n, b=20), quiet("s")]


@task(check_valid="shallow")
def shallow_source(n):
    ran("shallow_source")
    return add(n, 30)


@task(version="1")
def kwargs_only(*args, key=1, **others):
    ran("kwargs_only")
    return [args, key, others]


@task(cache=True, namespace="other")
def elsewhere():
    ran("elsewhere")
    return "elsewhere"


@task()
def task_value():
    ran("task_value")
    return [add, add.partial(1), add.options(memory=2)]


@task()
def arrays():
    ran("arrays")
    try:
        import numpy
    except ImportError:
        return None
    return [numpy.arange(5), numpy.float64(1.5), {"a": numpy.ones((2, 2))}]


@task()
def use_values(*values):
    ran("use_values")
    return len(values)


@task(script=True)
def shell(word):
    ran("shell")
    return f"echo {word}"


@task()
def run_script(file):
    ran("run_script")
    return script("cat input.txt", inputs=[file.stage("input.txt")], outputs=File("-"))


@task()
def main():
    ran("main")
    plain, rich = plain_values(), rich_values()
    file = write_file("out/f.txt", "hello")
    folder = write_dir("out/d")
    conn = Conn("conn", "db.txt")
    handles = use_handle(use_handle(conn, 1), 2)
    return {
        "plain": plain,
        "rich": rich,
        "echo": [echo(plain), echo(rich), echo(None), echo({3, 1, 2}), echo(Color.BLUE), echo(double) if NEW else None,
                 echo(Box(1)), echo(Celsius(1)), echo(datetime.datetime(2021, 1, 1)), echo(b"x"),
                 echo([1.5, True]), echo(Point(1, 2)), echo((1, 2)), echo({"a": [file, folder]})],
        "files": [file, folder, file_set(folder), content_file("out/c.txt"), immutable(file), sample(file),
                  staging(file)],
        "handles": handles,
        "tasks": [apply_task(add, 4), apply_task(add.partial(5), 6), task_value()],
        "expressions": expressions(1),
        "caught": catch(fail("x"), KeyError, recover),
        "context": [in_context(), in_context.update_context(level=5)() if NEW else None],
        "tags": tagged(9),
        "shallow": [shallow(1), shallow_source(1)],
        "kwargs": kwargs_only(key=3, z=[1]),
        "elsewhere": elsewhere(),
        "arrays": arrays(),
        "use": use_values(plain, rich, file, echo(3)) if NEW else None,
        "scripts": [shell("hi"), run_script(file)],
    }
