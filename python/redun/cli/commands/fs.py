"""`redun fs`: the file systems there are, and copying between any two of them."""

from __future__ import annotations

import errno

import click

from redun.cli.app import RedunCommand, RedunGroup
from redun.cli.context import AppContext, find_app, pass_app
from redun.cli.ui import OutputClosed

STANDARD_STREAM = "-"


@click.group("fs", cls=RedunGroup, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the file systems, or copy files from any of them to any other."""
    if ctx.invoked_subcommand is not None:
        return
    from redun.file import list_filesystems

    ui = find_app(ctx).ui
    ui.line("Supported filesystems:")
    for name in sorted(filesystem.name for filesystem in list_filesystems()):
        ui.line(f"  {name}")


class CopyCommand(RedunCommand):
    """Its words are paths, of which scripts are made: nothing may be abbreviated."""

    allow_abbreviations = False


@command.command("cp", cls=CopyCommand, short_help="Copy a file or a directory.")
@click.argument("src")
@click.argument("dest")
@click.option("-r", "--recursive", is_flag=True, help="Copy all files of a directory.")
@pass_app
def copy(app: AppContext, src: str, dest: str, recursive: bool) -> None:
    """Copy the file SRC to DEST.

    Both are paths or URLs, or `-` for standard input and output. Write `--` before a path that
    begins with a dash.
    """
    from redun.bootstrap.errors import RedunClientError
    from redun.cli.meter import show_meter
    from redun.file.copying import copy_file

    src_path = None if src == STANDARD_STREAM else src
    dest_path = None if dest == STANDARD_STREAM else dest
    if recursive and (src_path is None or dest_path is None):
        raise RedunClientError(
            "--recursive copies directories, not standard input or output",
            hints=["leave out `--recursive`, or name a directory"],
        )
    try:
        with show_meter("copying") as meter:
            copy_file(src_path, dest_path, recursive=recursive, progress=meter.update)
    except BrokenPipeError as error:
        if dest_path is not None:
            raise
        raise OutputClosed from error
    except OSError as error:
        raise _explained(error, src, dest) from error


def _explained(error: OSError, src: str, dest: str) -> Exception:
    """The error to show: what is wrong with a directory tells what to do."""
    from redun.bootstrap.errors import RedunClientError

    if error.errno == errno.EISDIR:
        return RedunClientError(
            f"cannot copy `{src}` to `{dest}`: one of them is a directory",
            hints=["`redun fs cp --recursive SRC DEST` copies the files of a directory"],
        )
    if error.errno == errno.ENOTDIR:
        return RedunClientError(
            f"cannot copy `{src}` to `{dest}`: not a directory",
            hints=["only a directory can be copied with `--recursive` or hold the destination"],
        )
    return error
