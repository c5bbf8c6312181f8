"""Random identifiers of executions and jobs."""

import os

__all__ = ["new_id", "new_ids"]


def _format(digits: str) -> str:
    # RFC 9562 version 4: the version and variant bits are fixed, the other 122 are random.
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_ids(count: int) -> list[str]:
    """Return `count` fresh UUIDs (version 4) as text.

    One system call serves the whole batch, which `uuid.uuid4` cannot do.
    """
    digits = os.urandom(16 * count).hex()
    return [_format(digits[start : start + 32]) for start in range(0, 32 * count, 32)]


def new_id() -> str:
    """Return one fresh UUID (version 4) as text."""
    return _format(os.urandom(16).hex())
