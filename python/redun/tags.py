"""The text form of tags: `key=value`, values as JSON or bare words."""

from __future__ import annotations

from typing import Any

from redun.utils.text import trim_string

VERSION_KEY = "redun.version"
PROJECT_KEY = "project"
DOC_KEY = "doc"
USER_KEY = "user"
CONTEXT_KEY = "redun.context"
#: What only the engine knows of why a job ran; a JSON object with a `cause`.
REASON_KEY = "redun.reason"


class _AnyValue:
    """Stands for "whatever the value": a tag key given without a value."""

    def __repr__(self) -> str:
        return "ANY_VALUE"


ANY_VALUE = _AnyValue()

_LITERALS = {"true": True, "false": False, "null": None}


def str2literal(value_str: str) -> bool | None:
    """Parse exactly `true`, `false` or `null`.

    Raises
    ------
    ValueError
        Any other text.
    """
    try:
        return _LITERALS[value_str]
    except KeyError:
        raise ValueError("Invalid literal") from None


def parse_tag_value(value_str: str) -> Any:
    """Parse the text of a tag value.

    Empty text is None; text that starts with `[`, `{` or `"` is JSON; then int, float,
    `true`/`false`/`null` are tried in turn; anything else is the text itself.

    Raises
    ------
    ValueError
        The text looks like JSON and is not.
    """
    if not value_str:
        return None
    if value_str[0] in '[{"':
        import json

        try:
            return json.loads(value_str)
        except ValueError as error:
            raise ValueError(f"Invalid tag value: {error}") from error
    for parse in (int, float, str2literal):
        try:
            return parse(value_str)
        except ValueError:
            continue
    return value_str


def parse_tag_key_value(key_value: str, value_required: bool = True) -> tuple[str, Any]:
    """Split `key=value` at the first `=` and parse the value.

    Parameters
    ----------
    value_required
        If false, a text without `=` is a key alone: `(key, ANY_VALUE)`.

    Raises
    ------
    ValueError
        The key is empty, or a value is required and there is none.
    """
    if not key_value:
        raise ValueError("key must be specified.")
    key, equals, value = key_value.partition("=")
    if not equals:
        if value_required:
            raise ValueError(f"key=value pair expected: {key_value!r}")
        return key_value, ANY_VALUE
    if not key:
        raise ValueError(f"key must be specified: {key_value!r}")
    return key, parse_tag_value(value)


def format_tag_value(value: Any) -> str:
    """The text of a tag value: a bare word where that reads back as the same, else sorted JSON.

    Raises
    ------
    TypeError
        The value has no JSON form.
    """
    if isinstance(value, str) and _is_bare(value):
        return value
    import json

    return json.dumps(value, sort_keys=True)


def _is_bare(text: str) -> bool:
    if " " in text or "," in text:
        return False
    try:
        return isinstance(parse_tag_value(text), str) and not text.startswith('"')
    except ValueError:
        return False


def format_tag_key_value(key: str, value: Any, max_length: int = 50) -> str:
    """`key=value`, each side cut to at most `max_length` characters."""
    return f"{trim_string(key, max_length)}={trim_string(format_tag_value(value), max_length)}"
