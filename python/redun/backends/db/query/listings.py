"""Listings a page at a time: executions, namespaces, tasks and files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from redun.backends.db.query.conditions import id_prefix
from redun.backends.db.query.tables import EXECUTION, FILE, JOB, TASK
from redun.backends.db.query.views import full_name

NAMESPACE_ORDERS = ("namespace", "count", "time")

#: From so many executions on, sorting them all takes longer than looking for the newest.
MANY_EXECUTIONS = 5000


@dataclass(frozen=True)
class ExecutionFilter:
    """
    Which executions to list. None filters nothing.

    Parameters
    ----------
    id_prefix : how the id starts.
    namespace : how the namespace of the root task starts; "" for none at all.
    find : text within that namespace or the command line, in any case.
    """

    id_prefix: str | None = None
    namespace: str | None = None
    find: str | None = None


def execution_page(
    session: Session, wanted: ExecutionFilter, skip: int, count: int
) -> list[tuple[str, str]]:
    """
    Ids of executions and namespaces of their root tasks ("" for none), newest start first.

    Parameters
    ----------
    skip, count : how many to leave out, and how many to list at most.
    """
    number = session.execute(sa.select(sa.func.count()).select_from(EXECUTION)).scalar_one()
    conditions = _execution_conditions(session, wanted)
    ids: list[str] = []
    if number > MANY_EXECUTIONS:
        ids = list(session.scalars(_newest_roots(conditions).offset(skip).limit(count)))
    if len(ids) < count:
        # Few enough to be sorted; or their end has been reached, where those without a root job are.
        query = sa.select(EXECUTION.c.id).select_from(EXECUTION)
        query = query.outerjoin(JOB, JOB.c.id == EXECUTION.c.job_id).where(*conditions)
        query = query.order_by(JOB.c.start_time.desc().nulls_last(), EXECUTION.c.id)
        ids = list(session.scalars(query.offset(skip).limit(count)))
    names = dict(map(tuple, session.execute(_NAMESPACES.where(EXECUTION.c.id.in_(ids)))))
    return [(execution_id, names.get(execution_id) or "") for execution_id in ids]


def _execution_conditions(
    session: Session, wanted: ExecutionFilter
) -> list[sa.ColumnElement[bool]]:
    """What must hold of an execution and its root job."""
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.id_prefix:
        dialect = session.get_bind().dialect.name
        conditions.append(id_prefix(EXECUTION.c.id, wanted.id_prefix, dialect))
    if wanted.namespace is not None:
        starts = TASK.c.namespace.startswith(wanted.namespace, autoescape=True)
        starts = starts if wanted.namespace else TASK.c.namespace == ""
        conditions.append(JOB.c.task_hash.in_(sa.select(TASK.c.hash).where(starts)))
    if wanted.find:
        found = TASK.c.namespace.icontains(wanted.find, autoescape=True)
        in_args = EXECUTION.c.args.icontains(wanted.find, autoescape=True)
        in_task = JOB.c.task_hash.in_(sa.select(TASK.c.hash).where(found))
        conditions.append(sa.or_(in_args, in_task))
    return conditions


def _newest_roots(conditions: list[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """
    The executions along the index on the start of jobs, which ends as soon as a page is full.

    A subquery rather than a join: SQLite would begin a join with the executions and sort them all.
    """
    of_job = sa.select(EXECUTION.c.id).where(EXECUTION.c.job_id == JOB.c.id, *conditions)
    of_job = of_job.correlate(JOB)
    query = sa.select(of_job.limit(1).scalar_subquery()).select_from(JOB)
    return query.where(of_job.exists()).order_by(JOB.c.start_time.desc(), JOB.c.id)


_NAMESPACES = (
    sa.select(EXECUTION.c.id, TASK.c.namespace)
    .select_from(EXECUTION)
    .join(JOB, JOB.c.id == EXECUTION.c.job_id)
    .join(TASK, TASK.c.hash == JOB.c.task_hash)
)


def namespace_page(
    session: Session, order: str, skip: int, count: int
) -> list[tuple[str, int, dt.datetime | None]]:
    """
    Namespaces of root tasks, each with its number of executions and the latest start.

    Parameters
    ----------
    order : one of `NAMESPACE_ORDERS`: by name, most executions first, or latest first.
    skip, count : how many to leave out, and how many to list at most.
    """
    # Root jobs are those without a parent. They are counted by task first, of which there are few.
    by_task = (
        sa.select(
            JOB.c.task_hash,
            sa.func.count().label("number"),
            sa.func.max(JOB.c.start_time).label("latest"),
        )
        .where(JOB.c.parent_id.is_(None))
        .group_by(JOB.c.task_hash)
        .subquery()
    )
    namespace = sa.func.coalesce(TASK.c.namespace, "").label("namespace")
    number = sa.func.sum(by_task.c.number).label("total")
    latest = sa.func.max(by_task.c.latest, type_=JOB.c.start_time.type).label("latest")
    query = (
        sa.select(namespace, number, latest)
        .select_from(by_task)
        .outerjoin(TASK, TASK.c.hash == by_task.c.task_hash)
        .group_by(namespace)
    )
    orders: dict[str, Any] = {
        "namespace": (namespace,),
        "count": (number.desc(), namespace),
        "time": (latest.desc().nulls_last(), namespace),
    }
    rows = session.execute(query.order_by(*orders[order]).offset(skip).limit(count))
    return [(name, int(total), time) for name, total, time in rows]


def task_page(
    session: Session, find: str | None, namespace: str | None, skip: int, count: int
) -> tuple[int, list[tuple[str, int]]]:
    """
    How many tasks there are, and full names with the number of versions of some, by name.

    Parameters
    ----------
    find : text within the full name, in any case.
    namespace : how the namespace starts.
    skip, count : how many to leave out, and how many to list at most.
    """
    space = sa.func.coalesce(TASK.c.namespace, "")
    query = sa.select(space.label("namespace"), TASK.c.name, sa.func.count().label("versions"))
    if find:
        fullname = sa.case((space == "", TASK.c.name), else_=space + "." + TASK.c.name)
        query = query.where(fullname.icontains(find, autoescape=True))
    if namespace:
        query = query.where(space.startswith(namespace, autoescape=True))
    groups = query.group_by(space, TASK.c.name)
    total = session.execute(sa.select(sa.func.count()).select_from(groups.subquery())).scalar_one()
    page = groups.order_by(space, TASK.c.name).offset(skip).limit(count)
    return total, [(full_name(*row[:2]), row[2]) for row in session.execute(page)]


def task_versions(
    session: Session, fullname: str, skip: int, count: int
) -> list[tuple[str, int, tuple[str, dt.datetime] | None]]:
    """
    Hash, number of jobs, and id and start of the latest job of each version; latest used first.

    Parameters
    ----------
    fullname : the full name of the task.
    skip, count : how many to leave out, and how many to list at most.
    """
    namespace, _dot, name = fullname.rpartition(".")
    jobs = sa.func.count(JOB.c.id)
    latest = sa.func.max(JOB.c.start_time)
    query = (
        sa.select(TASK.c.hash, jobs, latest)
        .select_from(TASK)
        .outerjoin(JOB, JOB.c.task_hash == TASK.c.hash)
        .where(TASK.c.name == name, sa.func.coalesce(TASK.c.namespace, "") == namespace)
        .group_by(TASK.c.hash)
        .order_by(latest.desc().nulls_last(), TASK.c.hash)
        .offset(skip)
        .limit(count)
    )
    found = []
    for task_hash, number, start in session.execute(query).all():
        job_id = None
        if start is not None:
            # By the index on the time: the latest start of a task is nearly unique.
            newest = sa.select(JOB.c.id).where(JOB.c.start_time == start)
            job_id = session.scalars(newest.where(JOB.c.task_hash == task_hash).limit(1)).first()
        found.append((task_hash, number, (job_id, start) if job_id else None))
    return found


def file_page(session: Session, prefix: str | None, skip: int, count: int) -> list[tuple[str, str]]:
    """
    Paths and hashes of files, by path.

    Parameters
    ----------
    prefix : how the path starts, literally.
    skip, count : how many to leave out, and how many to list at most.
    """
    query = sa.select(FILE.c.path, FILE.c.value_hash)
    if prefix:
        query = query.where(_starts_with(FILE.c.path, prefix, session.get_bind().dialect.name))
    page = query.order_by(FILE.c.path, FILE.c.value_hash).offset(skip).limit(count)
    return [(row[0], row[1]) for row in session.execute(page)]


def _starts_with(column: Any, prefix: str, dialect: str) -> sa.ColumnElement[bool]:
    """A test that SQLite answers from the index, other than LIKE."""
    if dialect != "sqlite":
        found: sa.ColumnElement[bool] = column.startswith(prefix, autoescape=True)
        return found
    # The largest character there is ends the range of texts that start so.
    return sa.and_(column >= prefix, column < prefix + chr(0x10FFFF))


def change_stamp(session: Session) -> tuple[Any, ...]:
    """Something that differs once jobs have started or ended; read from indexes alone."""
    started = sa.select(sa.func.max(JOB.c.start_time)).scalar_subquery()
    ended = sa.select(sa.func.max(JOB.c.end_time)).scalar_subquery()
    return tuple(session.execute(sa.select(started, ended)).one())
