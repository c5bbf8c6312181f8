"""Version requirements such as `>=0.4,<1`."""

from __future__ import annotations

import operator
import re
from itertools import zip_longest

_PART = re.compile(r"(==|>=|<=|>|<|)(\d+(?:\.\d+)*)")
_COMPARE = {
    "": operator.eq,
    "==": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def check_version(version: str, version_spec: str) -> bool:
    """Whether a version meets a requirement.

    Parameters
    ----------
    version
        Dotted integers, such as `0.46.0`. Missing trailing parts count as zero: `0.46` is `0.46.0`.
    version_spec
        Parts joined by commas, all of which must hold; a part is an operator (`==`, `>=`, `<=`,
        `>`, `<`, or none, which means `==`) followed by dotted integers.

    Raises
    ------
    ValueError
        If a part is not of this form.
    """
    return all(_holds(version, part.strip()) for part in version_spec.split(","))


def _holds(version: str, part: str) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"Invalid version '{part}'")
    pairs = zip_longest(_numbers(version), _numbers(match[2]), fillvalue=0)
    ours, theirs = zip(*pairs, strict=True)
    return bool(_COMPARE[match[1]](ours, theirs))


def _numbers(version: str) -> list[int]:
    try:
        return [int(number) for number in version.split(".")]
    except ValueError:
        raise ValueError(f"Invalid version '{version}'") from None
