"""A repo that answers questions and keeps nothing: for runs that are to leave no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.backends.base import Records, RedunBackend

__all__ = ["Unrecorded"]


class Unrecorded:
    """
    Stands before a backend; whatever would be recorded is dropped.

    Parameters
    ----------
    backend : the open repo that is asked.
    """

    def __init__(self, backend: RedunBackend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def record(self, records: Records) -> None:
        """Drops rows."""
        records.clear()

    def flush(self) -> None:
        """There is nothing to wait for."""

    def record_value(self, value: Any, data: bytes | None = None) -> str:
        """Hashes a value."""
        value_hash: str = self._backend.type_registry.get_hash(value)
        return value_hash

    def record_tags(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Drops tags."""
        return []

    update_tags = delete_tags = record_tags

    def _drop(self, *args: Any, **kwargs: Any) -> None:
        """Drops what would be recorded."""

    set_eval_cache = advance_handle = rollback_handle = _drop
    record_execution = record_updated_time = record_job_start = record_job_end = _drop
    record_call_node_context = record_call_node = _drop
