"""Tasks for everyday steps: copy files, fill in a template, look at a value in the debugger."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from redun.file import Dir, File
from redun.functools import apply_func
from redun.task import task

__all__ = ["copy_dir", "copy_file", "copy_files", "debug_task", "render_template"]

T = TypeVar("T")

redun_namespace = "redun"


@task(version="1", cache=False)
def debug_task(value: T) -> T:
    """Stop in the debugger to look at `value`; returns it."""
    import pdb

    pdb.set_trace()
    return value


@task(version="1", config_args=["skip_if_exists"])
def copy_file(src_file: File, dest_path: str, skip_if_exists: bool = False) -> File:
    """Copy a file; returns the copy.

    Parameters
    ----------
    src_file : the file.
    dest_path : where to; a path that ends with `/` is a directory, the copy keeps its name there.
    skip_if_exists : leave an existing file as it is.
    """
    if dest_path.endswith("/"):
        dest_path += src_file.basename()
    return src_file.copy_to(src_file.classes.File(dest_path), skip_if_exists=skip_if_exists)


@task(version="1", config_args=["skip_if_exists", "copy_options"])
def copy_files(
    src_files: list[File],
    dest_paths: list[str],
    skip_if_exists: bool = False,
    copy_options: dict[str, Any] = {},
) -> list[File]:
    """Copy files in parallel, each to the path in its place; returns the copies.

    Parameters
    ----------
    src_files : the files.
    dest_paths : where to, to the end of the shorter list; see `copy_file`.
    skip_if_exists : leave existing files as they are.
    copy_options : options of the task that copies one file.
    """
    copy = copy_file.options(**copy_options)
    return [
        copy(src_file, dest_path, skip_if_exists=skip_if_exists)
        for src_file, dest_path in zip(src_files, dest_paths, strict=False)
    ]


@task(version="1", config_args=["skip_if_exists", "copy_options"])
def copy_dir(
    src_dir: Dir, dest_path: str, skip_if_exists: bool = False, copy_options: dict[str, Any] = {}
) -> Dir:
    """Copy all files below a directory in parallel; returns the new directory.

    Parameters
    ----------
    src_dir : the directory.
    dest_path : where to.
    skip_if_exists : leave existing files as they are.
    copy_options : options of the task that copies one file.
    """
    dest_path = dest_path.rstrip("/") or "/"
    src_files = list(src_dir)
    dest_paths = [
        os.path.join(dest_path, file.path[len(src_dir.path) :].lstrip("/")) for file in src_files
    ]
    copied = copy_files(src_files, dest_paths, skip_if_exists, copy_options)
    return apply_func(_directory_of, src_dir, dest_path, copied)


def _directory_of(src_dir: Dir, dest_path: str, copied: list[File]) -> Dir:
    """Return the directory of the copies, hashed once all of them are there."""
    return src_dir.classes.Dir(dest_path)


@task(version="1")
def render_template(
    out_path: str, template: File, context: dict[str, Any], template_dir: str | None = None
) -> File:
    """Fill in a Jinja2 template; returns the file written.

    Parameters
    ----------
    out_path : where to write.
    template : the template.
    context : the variables of the template.
    template_dir : where templates named in the template are; by default where the template is.

    Raises `ImportError` if jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("jinja2 must be installed to use render_template()") from error

    loader = jinja2.FileSystemLoader(template_dir or template.dirname() or ".")
    environment = jinja2.Environment(loader=loader)
    out = File(out_path)
    out.write(environment.from_string(template.read()).render(context))
    return out
