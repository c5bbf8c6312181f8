"""Scripts over staged objects: real pipelines, whose files are copied by what the shell lines say."""

import gzip
import os
import sys
from pathlib import Path

import pytest

from redun import Dir, File, Scheduler, script, task
from redun.scripting import ScriptError

redun_namespace = "test_scripts_s3"

# What `aws s3 cp` does, done by the program under test: it need not be installed.
AWS = """#!/bin/sh
test "$1 $2 $3" = "s3 cp --no-progress" || exit 64
shift 3
case "$1" in --recursive) shift; set -- --recursive -- "$@";; *) set -- -- "$@";; esac
exec redun fs cp "$@"
"""

pytestmark = pytest.mark.usefixtures("workdir", "tools")


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that staging lines call."""
    directory = tmp_path_factory.mktemp("bin")
    (directory / "aws").write_text(AWS)
    (directory / "aws").chmod(0o755)
    programs = [str(directory), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(programs))


@task()
def count_words(texts: Dir, stop_words: File, out: str):
    return script(
        """
        cat texts/*.txt | tr ' ' '\\n' | grep -vxFf 'stop words' | sort | uniq -c |
            awk '{print $2 "\\t" $1}' | gzip -n > counts.gz
        mkdir letters
        zcat counts.gz | awk '{print > ("letters/" substr($1, 1, 1))}'
        echo "$(zcat counts.gz | wc -l) words"
        """,
        inputs={"texts": texts.stage("texts"), "rest": [stop_words.stage("stop words")]},
        outputs={
            "counts": File(f"{out}/counts.gz").stage("counts.gz"),
            "letters": Dir(f"{out}/letters").stage("letters"),
            "said": File("-"),
        },
        tempdir=True,
    )


def test_pipeline_over_objects(scheduler: Scheduler, s3) -> None:
    File(s3.url("in/a.txt")).write("pear fig apple the fig\n")
    File(s3.url("in/sub/ignored.txt")).write("fig")
    File(s3.url("in/it's b.txt")).write("pear fig\n")
    File(s3.url("stop words.txt")).write("the\n")

    def run() -> dict:
        stop_words = File(s3.url("stop words.txt"))
        result = scheduler.run(count_words(Dir(s3.url("in")), stop_words, s3.url("out")))
        assert isinstance(result, dict)
        return result

    result = run()
    assert result["said"] == b"3 words\n"
    assert result["counts"].path == s3.url("out/counts.gz")
    assert gzip.decompress(result["counts"].read("rb")) == b"apple\t1\nfig\t3\npear\t2\n"
    letters = {result["letters"].rel_path(file.path): file.read() for file in result["letters"]}
    assert letters == {"a": "apple\t1\n", "f": "fig\t3\n", "p": "pear\t2\n"}

    s3.requests.clear()
    assert run()["said"] == b"3 words\n"
    assert {method for method, _, _ in s3.requests} <= {"GET", "HEAD"}
    File(s3.url("in/a.txt")).write("kiwi\n")
    assert gzip.decompress(run()["counts"].read("rb")) == b"fig\t1\nkiwi\t1\npear\t1\n"


@pytest.mark.parametrize("name", ["it's $(touch owned) * größe", "-rf"])
def test_hostile_names(scheduler: Scheduler, s3, name: str) -> None:
    File(s3.url(f"in/{name}")).write("content")
    expr = script(
        "tr a-z A-Z < \"$PWD\"/./-n\\ ame > 'out put'",
        inputs=File(s3.url(f"in/{name}")).stage("-n ame"),
        outputs=File(s3.url(f"out/{name}")).stage("out put"),
    )
    assert scheduler.run(expr).read() == "CONTENT"
    assert not Path("owned").exists()


def test_missing_object(scheduler: Scheduler, s3) -> None:
    with pytest.raises(ScriptError) as caught:
        scheduler.run(script("true", inputs=File(s3.url("nope")).stage("copy")))
    assert caught.value.returncode == 1
    assert "nope" in str(caught.value.message)
    assert not Path("copy").exists()


def test_failing_script_copies_nothing_back(scheduler: Scheduler, s3) -> None:
    expr = script("echo half > made; exit 3", outputs=File(s3.url("made")).stage("made"))
    with pytest.raises(ScriptError) as caught:
        scheduler.run(expr)
    assert caught.value.returncode == 3
    assert not File(s3.url("made")).exists()
