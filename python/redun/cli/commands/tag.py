"""`redun tag`: notes on executions, jobs, calls, tasks and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from redun.bootstrap.errors import RedunClientError, UsageError
from redun.cli.app import RedunCommand, RedunGroup
from redun.cli.context import AppContext, find_app, open_backend, pass_app
from redun.tags import parse_tag_key_value

if TYPE_CHECKING:
    from redun.backends.base import TagEntity
    from redun.backends.db import RedunBackendDb

Pairs = list[tuple[str, Any]]

_KEYS = "redun.tag.keys"
_ADD_HINT = "write for example `redun tag {} ID key=value`"
_REMOVE_HINT = "write for example `redun tag rm ID key=value`, or `redun tag rm ID -- key`"

# As many as fit on a screen; an ambiguous prefix may match a million.
SHOWN_MATCHES = 5


class _KeysCommand(RedunCommand):
    """A command whose words after `--` are keys, not positional words as elsewhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Called by click with the words of this command."""
        if "--" in args:
            end = args.index("--")
            ctx.meta[_KEYS] = args[end + 1 :]
            args = args[:end]
        return super().parse_args(ctx, args)


@click.group("tag", cls=RedunGroup, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Manage tags: key-value notes on executions, jobs, calls, tasks and values.

    An ID is a record id or a prefix of it, `-` for the latest execution, `~N` for the N-th latest, the
    name of a task, or the path of a recorded file.
    """
    if ctx.invoked_subcommand is None:
        find_app(ctx).ui.line(ctx.get_help())


@command.command("list")
@click.argument("words", nargs=-1, metavar="[K[=V]]...")
@click.option("--values", is_flag=True, help="Show tag values.")
@pass_app
def list_tags(app: AppContext, words: tuple[str, ...], values: bool) -> None:
    """List the keys in use, or the values (--values), or the records that have the tags."""
    try:
        wanted = [parse_tag_key_value(word, value_required=False) for word in words]
    except ValueError as error:
        raise UsageError(str(error), hints=["write `key` or `key=value`"]) from error
    with closing(open_backend(app)) as backend:
        if wanted and not values:
            _show_tagged(app, backend, wanted)
            return
        from redun.backends.db.query.tags import count_keys, count_values
        from redun.tags import format_tag_key_value

        app.ui.line("Tags:")
        if values:
            for key, value, counts in count_values(backend.source, wanted):
                app.ui.line(f"  {format_tag_key_value(key, value):30} {_format_counts(counts)}")
        else:
            for key, counts in count_keys(backend.source):
                app.ui.line(f"  {key:10} {_format_counts(counts)}")


def _show_tagged(app: AppContext, backend: RedunBackendDb, wanted: Pairs) -> None:
    from redun.backends.db.query import RecordQuery
    from redun.cli.show import Show

    show = Show(backend)
    for name, ids in RecordQuery(backend.source).filter_tags(wanted).order_by("time").ids():
        for line in show.lines(name, ids):
            app.ui.line(line)


def _format_counts(counts: Iterable[tuple[str, int]]) -> str:
    return "(" + ", ".join(f"{number} {name}" for name, number in counts) + ")"


@command.command("add", short_help="Add tags to records.")
@click.argument("words", nargs=-1, metavar="ID... K=V...")
@pass_app
def add(app: AppContext, words: tuple[str, ...]) -> None:
    """Add tags, beside those that the records have."""
    ids, pairs = _split(words, "add")

    def write(backend: RedunBackendDb, entity: TagEntity, entity_id: str) -> None:
        backend.record_tags(entity, entity_id, pairs, new=True)

    _write(app, "add", ids, pairs, write)


@command.command("update", short_help="Replace tags of records.")
@click.argument("words", nargs=-1, metavar="ID... K=V...")
@pass_app
def update(app: AppContext, words: tuple[str, ...]) -> None:
    """Set tags in place of those with the same keys."""
    ids, pairs = _split(words, "update")

    def write(backend: RedunBackendDb, entity: TagEntity, entity_id: str) -> None:
        backend.record_tags(entity, entity_id, pairs, update=True)

    _write(app, "update", ids, pairs, write)


@command.command("rm", cls=_KeysCommand, short_help="Delete tags of records.")
@click.argument("words", nargs=-1, metavar="ID... {K=V...|-- K...}")
@click.pass_context
def remove(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Delete tags: those that equal a pair, and all with a key that stands behind `--`."""
    keys: list[str] = ctx.meta.get(_KEYS, [])
    ids, pairs = _split(words, "rm", required=not keys)

    def write(backend: RedunBackendDb, _entity: TagEntity, entity_id: str) -> None:
        backend.delete_tags(entity_id, pairs, keys)

    _write(find_app(ctx), "delete", ids, pairs, write, keys)


def _split(words: tuple[str, ...], verb: str, required: bool = True) -> tuple[list[str], Pairs]:
    """The ids, which come first, and the tags."""
    count = next((index for index, word in enumerate(words) if "=" in word), len(words))
    hint = _REMOVE_HINT if verb == "rm" else _ADD_HINT.format(verb)
    if not count:
        raise UsageError("which record is meant? no ID is given", hints=[hint])
    try:
        pairs = [parse_tag_key_value(word) for word in words[count:]]
    except ValueError as error:
        raise UsageError(str(error), hints=[hint]) from error
    if required and not pairs:
        raise UsageError("which tags are meant? no `key=value` is given", hints=[hint])
    return list(words[:count]), pairs


def _write(
    app: AppContext,
    verb: str,
    ids: list[str],
    pairs: Pairs,
    write: Callable[[RedunBackendDb, TagEntity, str], None],
    keys: Iterable[str] = (),
) -> None:
    """Find all records first, so that a wrong id leaves the others as they are."""
    with closing(open_backend(app)) as backend:
        entities = [_find_entity(backend, word) for word in ids]
        shown = [f"{key}={json.dumps(value, sort_keys=True)}" for key, value in pairs]
        for entity, entity_id in entities:
            write(backend, entity, entity_id)
            app.ui.line(" ".join([f"{verb} tag {entity.name}:{entity_id}", *shown, *keys]))


def _find_entity(backend: RedunBackendDb, word: str) -> tuple[TagEntity, str]:
    """The record that a word means: its type and full id."""
    from redun.backends.base import TagEntity
    from redun.backends.db.query.ids import (
        find_entities,
        find_execution,
        find_file_use,
        is_execution_reference,
        may_be_path,
    )

    source = backend.source
    if is_execution_reference(word):
        try:
            execution_id = find_execution(source, word)
        except ValueError as error:
            raise RedunClientError(str(error), hints=["`redun log` lists them"]) from error
        if execution_id is None:
            raise RedunClientError("there is no execution yet", hints=["run a workflow first"])
        return TagEntity.Execution, execution_id
    found = find_entities(source, word, SHOWN_MATCHES + 1)
    if not found and may_be_path(word):
        file = find_file_use(source, word)
        found = [("Value", file.value_hash)] if file else []
    if not found:
        raise RedunClientError(
            f"nothing recorded matches `{word}`", hints=["`redun log --all` lists all records"]
        )
    if len(found) > 1:
        matches = [f"{name} {entity_id}" for name, entity_id in found[:SHOWN_MATCHES]]
        more = ["..."] if len(found) > SHOWN_MATCHES else []
        raise RedunClientError(
            f"`{word}` matches several records", hints=["give one of", *matches, *more]
        )
    ((name, entity_id),) = found
    return TagEntity[name], entity_id
