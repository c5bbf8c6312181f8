"""File systems to run workflows and file operations on: real servers, and fakes of the clouds' APIs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Space:
    """Room for files on one file system.

    ``root`` is the URL of an empty directory there, without a slash at the end. ``keys`` says whether the
    file system has keys, any text, instead of directories.
    """

    name: str
    root: str
    keys: bool = False

    def url(self, name: str) -> str:
        return f"{self.root}/{name}"


def local_space(request: pytest.FixtureRequest) -> Space:
    path: Path = request.getfixturevalue("tmp_path")
    return Space("local", str(path / "space"))


def memory_space(request: pytest.FixtureRequest) -> Space:
    return Space("memory", f"memory://{uuid.uuid4().hex}/space")


def s3_space(request: pytest.FixtureRequest) -> Space:
    s3: Any = request.getfixturevalue("s3")
    return Space("s3", s3.url("space"), keys=True)


SPACES = {"local": local_space, "memory": memory_space, "s3": s3_space}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> Space:
    """Each file system that can be written to, in turn."""
    return SPACES[request.param](request)
