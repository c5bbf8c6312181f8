from dataclasses import dataclass
import os
import time

from redun import File, apply_tags, catch, task

redun_namespace = "shop"


@dataclass
class Box:
    size: int
    label: str = "x"


class Sneaky:
    def __reduce__(self):
        return (os.getpid, ())


@task()
def price_all(items, rate):
    return [f"{item}@{rate}" for item in items]


@task()
def invoice(line, rate):
    return f"{line}: {rate * 2}"


@task()
def wrap(line, rate):
    return invoice(line, rate)


@task(tags=[("doc", "Prices one item.\nTwice.")])
def main(items=["ink", "pen"], rate=3):
    lines = price_all(items, rate)
    return wrap(lines[1], rate)


@task(tags=[("step", "boom"), ("sizes", [1, 2])])
def boom(x: int):
    raise ValueError(f"no good {x}")


@task()
def recover(error):
    return f"saved from {error!r}"


@task()
def half_fail(n: int = 2):
    return [inc(i) for i in range(n)] + [boom(n)]


@task()
def inc(x):
    return x + 1


@task()
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task()
def read(file, box):
    return [file.read(), box.size]


@task()
def pair():
    return [write("a.txt", "a"), write("b.txt", "b")]


@task()
def copy(first, second, path):
    return write(path, first.read() + second.read())


@task()
def pair_at_once(p, q):
    for path in (p, q):
        File(path).write(path)
    return [File(p), File(q)]


@task(version="2")
def rest(x: int, *more, key="k"):
    return apply_tags((x, more, key), [("color", "red"), ("none", None)], job_tags=[("ok", True)])


@task()
def deep3(x, y):
    return [x, y, x]


@task()
def deep2(x, y):
    return deep3(x, y)


@task()
def sneaky():
    return Sneaky()


@task()
def files(src: File = File("in.txt")):
    both = pair()
    once = pair_at_once("p.txt", "q.txt")
    m = inc(7)
    return [
        copy(both[0], both[1], "c.txt"),
        copy(once[0], once[1], "d.txt"),
        read(src, Box(3)),
        catch(boom(5), ValueError, recover),
        rest(1, 2, 3, key="z"),
        deep2(m, inc(m)),
        sneaky(),
    ]


@task()
def sleeper(n):
    time.sleep(n)
    return n


@task()
def killed():
    return [sleeper(0), sleeper(60)]
