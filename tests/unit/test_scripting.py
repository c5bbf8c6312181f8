"""The texts of scripts, byte for byte: they are part of cache keys."""

import pickle

import pytest

from redun import File, script
from redun.scripting import (
    DEFAULT_SHELL,
    ScriptError,
    exec_script,
    get_command_eof,
    get_wrapped_command,
    prepare_command,
)

WRAPPED = """\
(
# Save command to temp file.
COMMAND_FILE="$(mktemp)"
cat > "$COMMAND_FILE" <<"EOF"
#!/usr/bin/env bash
set -exo pipefail
echo hi
EOF

# Execute temp file.
chmod +x "$COMMAND_FILE"
"$COMMAND_FILE"
RETCODE=$?

# Remove temp file.
rm "$COMMAND_FILE"

exit $RETCODE
)
"""


def test_prepare_command() -> None:
    assert prepare_command("\n    a\n      b\n  ") == f"{DEFAULT_SHELL}\na\n  b"
    assert prepare_command("\n  #!/bin/sh\n  a") == "#!/bin/sh\na"
    assert prepare_command("a", default_shell="#!x") == "#!x\na"


def test_end_of_here_document() -> None:
    assert get_command_eof("a\n EOF\nEOF ") == "EOF"
    assert get_command_eof("a\nEOF\nEOF1") == "EOF2"
    assert get_command_eof("a\nEND", "END") == "END1"


def test_wrapped_command() -> None:
    assert get_wrapped_command(prepare_command("echo hi")) == WRAPPED
    assert '<<"EOF1"\nEOF\nEOF1\n' in get_wrapped_command("EOF")


def test_command_copies_the_last_input_first() -> None:
    expr = script(
        "echo hi",
        inputs=[File("a").stage("b"), File("c").stage("d")],
        outputs={"x": File("o").stage("p"), "y": File("q"), "z": File("-")},
        memory=4,
    )
    command, inputs, outputs = expr.args
    assert expr.task_name == "redun.script"
    assert command == f"cp c d\ncp a b\n{WRAPPED}\n\ncp p o"
    assert [file.path for file in inputs] == ["a", "c"]
    assert (outputs["x"].remote.path, outputs["y"].local.path, outputs["z"].path) == ("o", "q", "-")
    assert expr.kwargs == {"task_options": {"memory": 4}, "temp_path": None}


def test_order_of_nested_inputs() -> None:
    a, b, c, d = (File(name).stage(f"copy-{name}") for name in "abcd")
    expr = script("true", inputs={"k": [a, (b, {"n": c})], "l": d})
    assert expr.args[0].split("\n")[:4] == [f"cp {name} copy-{name}" for name in "dcba"]
    assert expr.args[1]["k"][1][1]["n"].path == "c"
    loop: list = [a]
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        script("true", inputs=loop)
    with pytest.raises(AttributeError, match=r"must be staged.*'text'"):
        script("true", inputs={"k": "text"})


def test_script_error() -> None:
    error = pickle.loads(pickle.dumps(ScriptError(b"a\nb\n")))
    assert (str(error), repr(error), error.message) == (
        "Last line: b",
        "ScriptError('Last line: b')",
        "a\nb\n",
    )
    assert error.returncode is None
    assert error.reason() == "an unknown exit code"
    binary = ScriptError(b"\xff")
    assert (str(binary), repr(binary), binary.message) == ("", "ScriptError('')", b"\xff")


def test_exec_script_without_interpreter_line() -> None:
    assert exec_script("echo plain") == b"plain\n"
    with pytest.raises(ScriptError):
        exec_script("exit 3")


def test_how_a_script_ended() -> None:
    with pytest.raises(ScriptError) as caught:
        exec_script("#!/bin/sh\necho why >&2; exit 5")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.returncode, error.reason(), error.args) == (5, "exit code 5", (b"why\n",))
    with pytest.raises(ScriptError) as caught:
        exec_script("#!/bin/sh\nkill -9 $$")
    assert caught.value.reason() == "signal 9 (SIGKILL)"
    assert ScriptError(b"", -200).reason() == "signal 200"


def test_lines_of_standard_error() -> None:
    lines = "".join(f"{number}\n" for number in range(100)).encode()
    assert ScriptError(lines).stderr_lines(2) == ["... 98 lines before", "98", "99"]
    assert ScriptError(b"a\n").stderr_lines(2) == ["a"]
    assert ScriptError(b"caf\xe9\n").stderr_lines(2) == ["caf\ufffd"]
    assert ScriptError(b"\n").stderr_lines(2) == []
