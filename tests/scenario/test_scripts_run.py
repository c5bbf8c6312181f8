"""Shell scripts as tasks: pipelines, staged files, exit codes, names of files that a shell could misread."""

import gzip
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from redun import Dir, File, Scheduler, catch, script, task
from redun.executors.local import LocalExecutor
from redun.file import IFile
from redun.scripting import ScriptError

redun_namespace = "test_scripts_run"

HOSTILE = (
    "two words.txt",
    "it's.txt",
    'quo"te.txt',
    "$(touch owned).txt",
    "`touch owned`.txt",
    "a;touch owned;.txt",
    "-rf",
    "new\nline.txt",
    "star*.txt",
    "back\\slash.txt",
    "größe.txt",
    "EOF",
)


@task(script=True)
def greet(name):
    return f"""
        echo "hello {name}"
    """


@task(script=True)
def in_python(n):
    return f"""
    #!/usr/bin/env python3
    print(sum(range({n})))
    """


@task(script=True)
def odd_interpreter():
    return "#!/no/such/interpreter\n1"


@task(script=True)
def no_text():
    return 3


def test_script_task_gives_standard_output(scheduler: Scheduler) -> None:
    assert scheduler.run(greet("you")) == b"hello you\n"
    assert scheduler.run(in_python(5)) == b"10\n"


def test_script_task_must_return_text(scheduler: Scheduler) -> None:
    with pytest.raises(
        TypeError, match=r"no_text\(\) must return the command as a string, not int"
    ):
        scheduler.run(no_text())


def test_script_in_process_mode(scheduler: Scheduler) -> None:
    assert scheduler.run(greet.options(executor="process")("you")) == b"hello you\n"


def test_unix_pipeline(scheduler: Scheduler, workdir: Path) -> None:
    words = ["pear", "fig", "apple", "fig", "pear", "fig"]
    File("in/words.txt").write("".join(f"{word}\n" for word in words))

    @task()
    def count(words: File, out: str):
        return script(
            """
            sort words | uniq -c | sort -rn | awk '{print $2 "\\t" $1}' | gzip -n > counts.gz
            """,
            inputs=[words.stage("words")],
            outputs=[File(out).stage("counts.gz"), File("-")],
        )

    (counts, stdout) = scheduler.run(count(File("in/words.txt"), "counts-out.gz"))
    assert isinstance(counts, File)
    with counts.open("rb") as stream:
        assert gzip.decompress(stream.read()) == b"fig\t3\npear\t2\napple\t1\n"
    assert stdout == b""


def test_failing_part_of_a_pipeline_fails_the_script(scheduler: Scheduler) -> None:
    with pytest.raises(ScriptError):
        scheduler.run(script("false | cat"))


def test_error_has_standard_error(scheduler: Scheduler) -> None:
    with pytest.raises(ScriptError, match="Last line: it broke") as caught:
        scheduler.run(script("#!/bin/sh\necho first >&2; echo it broke >&2; exit 3"))
    assert caught.value.message.endswith("first\nit broke\n") or "first" in caught.value.message


def test_failed_script_can_be_caught(scheduler: Scheduler) -> None:
    @task()
    def recover(error):
        return type(error).__name__

    assert scheduler.run(catch(script("exit 1"), ScriptError, recover)) == "ScriptError"


def test_unknown_interpreter(scheduler: Scheduler) -> None:
    with pytest.raises(ScriptError, match="no such program: /no/such/interpreter"):
        scheduler.run(odd_interpreter())


def test_command_as_words(scheduler: Scheduler) -> None:
    assert (
        scheduler.run(script(["printf", "%s|", *HOSTILE]))
        == "".join(f"{name}|" for name in HOSTILE).encode()
    )


def test_text_is_passed_on_as_it_is(scheduler: Scheduler) -> None:
    text = "#!/bin/sh\ncat <<'EOF'\n$HOME `x` \\ \"'\nEOF\ncat <<'EOF1'\nsecond\nEOF1\n"
    assert scheduler.run(script(text)) == b"$HOME `x` \\ \"'\nsecond\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(scheduler: Scheduler, workdir: Path, name: str) -> None:
    os.mkdir("in")
    Path("in", name).write_text("content")
    source = File(os.path.join("in", name))
    expr = script(
        "tr a-z A-Z < input > output",
        inputs=[source.stage("input")],
        outputs={"there": File(name).stage("output"), "here": File("output")},
    )
    result = scheduler.run(expr)
    assert result["there"].path == name
    assert Path(name).read_text() == "CONTENT"
    assert result["here"].read() == "CONTENT"
    back = script("cat copy", inputs=File(name).stage("copy"))
    assert scheduler.run(back) == b"CONTENT"
    assert not Path("owned").exists()


def test_directories_are_staged(scheduler: Scheduler, workdir: Path) -> None:
    File("data/a").write("1")
    File("data/sub/b").write("2")
    expr = script(
        "mkdir made; cat local/a local/sub/b > made/all",
        inputs=[Dir("data").stage("local")],
        outputs=Dir("result").stage("made"),
    )
    result = scheduler.run(expr)
    assert isinstance(result, Dir)
    assert [file.path for file in result] == ["result/all"]
    assert File("result/all").read() == "12"
    assert result.is_valid()


def test_hostile_names_in_directories(scheduler: Scheduler, workdir: Path) -> None:
    for name in HOSTILE:
        File(os.path.join("data", "sub dir's", name)).write(name)
    before = Dir("data").hash
    for number, name in enumerate(HOSTILE):
        expr = script(
            "cd copy; find . -type f -print0 | sort -z > ../names; cd ..; cp -r copy made",
            inputs={"all": [Dir("data").stage("copy")]},
            outputs=(Dir(f"results/{number}/{name}").stage("made"), File("names")),
            tempdir=False,
        )
        os.makedirs(f"results/{number}")
        result, names = scheduler.run(expr)
        found = {file.path: file.read() for file in result}
        expected = {f"results/{number}/{name}/sub dir's/{other}": other for other in HOSTILE}
        assert found == expected
        assert result.hash == Dir(result.path).hash
        assert sorted(names.read("rb").decode().split("\0")[:-1]) == sorted(
            f"./sub dir's/{other}" for other in HOSTILE
        )
        shutil.rmtree("copy")
        shutil.rmtree("made")
    assert Dir("data").hash == before
    assert not list(Path().rglob("owned"))


def test_change_of_a_file_with_a_hostile_name_is_seen(scheduler: Scheduler, workdir: Path) -> None:
    @task(check_valid="full")
    def total(data: Dir) -> bytes:
        return script("cat copy/*", inputs=[data.stage("copy")])

    File("data/it's -new\nline").write("1")
    assert scheduler.run(total(Dir("data"))) == b"1"
    shutil.rmtree("copy")
    File("data/it's -new\nline").write("22")
    assert scheduler.run(total(Dir("data"))) == b"22"


class Pair(NamedTuple):
    left: object
    right: object


@dataclass
class Inputs:
    files: object
    label: object


def test_nested_inputs_and_outputs(scheduler: Scheduler, workdir: Path) -> None:
    for name in "abcd":
        File(name).write(name)
    staged = [File(name).stage(f"copy-{name}") for name in "abcd"]
    inputs = Inputs(files={"x": Pair(staged[0], [staged[1]])}, label=(staged[2], {staged[3]}))
    outputs = {"pair": Pair(File("o1").stage("made"), (File("o2"), [File("-")])), "n": [None, 1]}
    result = scheduler.run(
        script("cat copy-?; echo 1 > made; echo 2 > o2", inputs=inputs, outputs=outputs)
    )
    assert isinstance(result["pair"], Pair)
    assert result["pair"].left.path == "o1"
    assert result["pair"].right[0].read() == "2\n"
    assert (result["pair"].right[1], result["n"]) == ([b"abcd"], [None, 1])


def test_standard_error_of_a_script_that_succeeds_is_no_output(scheduler: Scheduler) -> None:
    assert scheduler.run(script("echo out; echo err >&2")) == b"out\n"
    assert (
        scheduler.run(script("#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x")) == b"x" * 100_000
    )
    assert scheduler.run(script("#!/bin/sh\nprintf '\\377\\000'")) == b"\xff\x00"


def test_shape_and_class_of_outputs_are_kept(scheduler: Scheduler, workdir: Path) -> None:
    outputs = {"a": (IFile("x"), [File("y").stage("z")]), "b": 3, "c": File("-")}
    result = scheduler.run(script("echo out; echo 1 > x; echo 2 > z", outputs=outputs))
    assert type(result["a"][0]) is IFile
    assert type(result["a"][1][0]) is File
    assert result["a"][1][0].read() == "2\n"
    assert (result["b"], result["c"]) == (3, b"out\n")
    assert scheduler.run(script("echo out", outputs=None)) is None


def test_missing_output_is_named(scheduler: Scheduler, workdir: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"did not write its output.*'gone\.txt'"):
        scheduler.run(script("true", outputs=[File("gone.txt")]))
    with pytest.raises(FileNotFoundError, match="'gone'"):
        scheduler.run(script("true", outputs=Dir("gone")))


def test_finished_script_is_reused_while_its_files_are_there(
    scheduler: Scheduler, workdir: Path
) -> None:
    File("in").write("1")

    @task(cache=False)
    def main():
        return script(
            "echo run >> log; cat copy > out; cat copy",
            inputs=[File("in").stage("copy")],
            outputs=[File("out"), File("-")],
        )

    def runs() -> int:
        return len(Path("log").read_text().split())

    for _ in range(2):
        assert scheduler.run(main())[1] == b"1"
        assert runs() == 1
    File("out").remove()
    scheduler.run(main())
    assert runs() == 2
    File("in").write("22")
    assert scheduler.run(main())[1] == b"22"
    assert runs() == 3


def test_tempdir_is_removed(scheduler: Scheduler, workdir: Path) -> None:
    out = File(str(workdir / "out"))
    where, copy = scheduler.run(
        script("pwd; echo 1 > result", outputs=[File("-"), out.stage("result")], tempdir=True)
    )
    assert where.endswith(b".tempdir\n")
    assert not os.path.exists(where.strip())
    assert copy.read() == "1\n"
    with pytest.raises(FileNotFoundError, match="use an absolute one"):
        scheduler.run(script("echo 1 > result", outputs=File("result"), tempdir=True))


def test_options_go_to_the_task_that_runs_the_command(scheduler: Scheduler) -> None:
    scheduler.add_executor(LocalExecutor("other"))
    assert scheduler.run(script("echo 1", executor="other")) == b"1\n"


def test_what_script_needs_at_once(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match="The command of script"):
        script(greet("x"))
    with pytest.raises(TypeError, match="An input of script"):
        script("true", inputs=[greet("x")])
    with pytest.raises(TypeError, match="An output of script"):
        script("true", outputs=greet("x"))
    with pytest.raises(AttributeError, match="must be staged"):
        script("true", inputs=[File("x")])


def test_many_scripts_at_once(scheduler: Scheduler) -> None:
    @task()
    def main():
        return [script(f"echo {i}") for i in range(40)]

    assert scheduler.run(main()) == [b"%d\n" % i for i in range(40)]
