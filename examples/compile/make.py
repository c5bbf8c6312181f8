"""Compile two C programs that share a library, redoing only what an edit touches."""

import subprocess

from redun import File, task

redun_namespace = "redun.examples.compile"

PROGRAMS = {
    "prog": [File("prog.c"), File("lib.c")],
    "prog2": [File("prog2.c"), File("lib.c")],
}


@task()
def compile(c_file: File) -> File:
    """Compile one C file into an object file."""
    o_path = c_file.path.replace(".c", ".o")
    subprocess.run(["cc", "-c", c_file.path, "-o", o_path], check=True)
    return File(o_path)


@task()
def link(prog_path: str, o_files: list[File]) -> File:
    """Link object files into one program."""
    subprocess.run(["cc", "-o", prog_path, *(o_file.path for o_file in o_files)], check=True)
    return File(prog_path)


@task()
def make_prog(prog_path: str, c_files: list[File]) -> File:
    """Build one program from its C files."""
    return link(prog_path, [compile(c_file) for c_file in c_files])


@task()
def make(programs: dict[str, list[File]] = PROGRAMS) -> list[File]:
    """Build every program of the project."""
    return [make_prog(prog_path, c_files) for prog_path, c_files in programs.items()]
