"""Helpers shared by all layers: pickling, nested values, text, time, tag maps, import paths."""

from redun.utils.caching import CacheArgs, json_cache_key, lru_cache_custom
from redun.utils.clock import format_timedelta, format_timestamp, utcnow
from redun.utils.imports import add_import_path, clear_import_paths, get_import_paths
from redun.utils.multimap import MultiMap
from redun.utils.nested import (
    expand,
    iter_nested_value,
    iter_nested_value_children,
    leaves,
    map_nested_value,
    rebuild,
    substitute,
)
from redun.utils.pickling import (
    PICKLE_PROTOCOL,
    NotPlainError,
    pickle_dump,
    pickle_dumps,
    pickle_loads,
    pickle_loads_plain,
    with_pickle_preview,
)
from redun.utils.preview import (
    PreviewClass,
    PreviewingUnpickler,
    PreviewUnpicklable,
    pickle_preview,
)
from redun.utils.source import get_func_source
from redun.utils.text import (
    NULL,
    assert_never,
    format_table,
    json_dumps,
    merge_dicts,
    str2bool,
    trim_string,
)

__all__ = [
    "NULL",
    "PICKLE_PROTOCOL",
    "CacheArgs",
    "MultiMap",
    "NotPlainError",
    "PreviewClass",
    "PreviewUnpicklable",
    "PreviewingUnpickler",
    "add_import_path",
    "assert_never",
    "clear_import_paths",
    "expand",
    "format_table",
    "format_timedelta",
    "format_timestamp",
    "get_func_source",
    "get_import_paths",
    "iter_nested_value",
    "iter_nested_value_children",
    "json_cache_key",
    "json_dumps",
    "leaves",
    "lru_cache_custom",
    "map_nested_value",
    "merge_dicts",
    "pickle_dump",
    "pickle_dumps",
    "pickle_loads",
    "pickle_loads_plain",
    "pickle_preview",
    "rebuild",
    "str2bool",
    "substitute",
    "trim_string",
    "utcnow",
    "with_pickle_preview",
]
