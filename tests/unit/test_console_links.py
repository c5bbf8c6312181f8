"""Web addresses that are made from tags."""

from __future__ import annotations

import pytest

from redun.console.links import tag_links

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "origin",
    [
        "git@github.com:org/my.repo.git",
        "ssh://git@github.com/org/my.repo.git",
        "https://github.com/org/my.repo.git",
        "https://token@github.com/org/my.repo",
    ],
)
def test_commit_on_github(origin: str) -> None:
    tags = [("git_origin_url", origin), ("git_commit", COMMIT)]
    assert list(tag_links(tags)) == [
        ("Git commit", f"https://github.com/org/my.repo/commit/{COMMIT}")
    ]


@pytest.mark.parametrize(
    "tags",
    [
        [("git_origin_url", "https://evil.example/github.com/org/repo"), ("git_commit", COMMIT)],
        [("git_origin_url", "https://github.com/org/repo"), ("git_commit", "x y")],
        [("git_origin_url", "https://github.com/org/repo")],
        [("git_commit", COMMIT)],
        [("git_origin_url", 3), ("git_commit", ["a"]), ("aws_batch_job", None)],
    ],
)
def test_nothing_else_becomes_an_address(tags: list[tuple[str, object]]) -> None:
    assert list(tag_links(tags)) == []


def test_aws_ids_are_quoted() -> None:
    tags = [("aws_log_stream", "job/default/ab#c"), ("aws_batch_job", "id&x=1")]
    found = dict(tag_links(tags))
    assert found["AWS Batch job"].endswith("#jobs/detail/id%26x%3D1")
    assert found["AWS log stream"].endswith("stream=job%2Fdefault%2Fab%23c")
