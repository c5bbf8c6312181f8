"""A database as a value: a handle to SQLite whose state is followed from step to step."""

import sqlite3

from redun import Handle, task

redun_namespace = "redun.examples.sqlite_handle"


class Database(Handle):
    """A SQLite database. Calls such as `db.execute(...)` go to `instance`."""

    def __init__(self, name: str, path: str) -> None:
        self.instance = sqlite3.connect(path, check_same_thread=False)


@task()
def insert(db: Database, sales: list[tuple[str, int]]) -> Database:
    """Fill the table `sale`. Whatever was there before, the state afterwards is the same."""
    with db.instance:
        db.execute("DROP TABLE IF EXISTS sale")
        db.execute("CREATE TABLE sale (item TEXT, price INTEGER)")
        db.executemany("INSERT INTO sale VALUES (?, ?)", sales)
    return db


@task()
def discount(db: Database, percent: int) -> Database:
    """Fill the table `reduced` from the table `sale`."""
    with db.instance:
        db.execute("DROP TABLE IF EXISTS reduced")
        db.execute("CREATE TABLE reduced (item TEXT, price INTEGER)")
        db.execute("INSERT INTO reduced SELECT item, price * (100 - ?) / 100 FROM sale", (percent,))
    return db


@task()
def total(db: Database) -> int:
    return db.execute("SELECT sum(price) FROM reduced").fetchone()[0]


@task()
def main(path: str = "shop.db", percent: int = 10) -> int:
    """Each step takes the database as the one before left it, and hands it on."""
    db = Database("shop", path)
    db = insert(db, [("tea", 300), ("cake", 500), ("coffee", 200)])
    db = discount(db, percent)
    return total(db)
