"""From what a person types to the records that a transfer or an export begins with."""

from __future__ import annotations

from collections.abc import Sequence

from redun.errors import RedunError
from redun.sync.store import RecordStore

#: Matches that an error about an ambiguous id names.
MAX_SHOWN = 5


def find_roots(
    store: RecordStore, references: Sequence[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """
    (kind, id) of the records that references mean, and the references that mean none.

    Parameters
    ----------
    references : ids, prefixes of ids, or `-` for the newest execution.

    Raises `RedunError` for a prefix of several ids.
    """
    roots: dict[tuple[str, str], None] = {}
    unknown: list[str] = []
    for reference in references:
        found = store.resolve(reference)
        whole = [root for root in found if root[1] == reference]
        if not found:
            unknown.append(reference)
        elif len(found) > 1 and not whole:
            shown = ", ".join(f"{kind} {record_id}" for kind, record_id in found[:MAX_SHOWN])
            more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
            raise RedunError(
                f"`{reference}` is the beginning of several ids",
                hints=(f"it may mean {shown}{more}",),
            )
        else:
            roots.update(dict.fromkeys(whole or found))
    return list(roots), unknown
