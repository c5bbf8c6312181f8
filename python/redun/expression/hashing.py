"""Hashes of expressions: whole graphs at once, without recursion, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redun.expression.node import Node, children, is_hashed, topological_order
from redun.hashing import get_scheme, hash_bytes, hash_structs
from redun.utils import pickle_dumps
from redun.value import get_type_registry

__all__ = ["hash_expressions"]

_no_options_hash: dict[str, str] = {}  # scheme -> hash of {}


def hash_expressions(exprs: Sequence[Any]) -> None:
    """Compute the hashes of expressions and of everything below them.

    Each gets `_hash`; calls of tasks and operations also get `_args_hash` (of the arguments as they
    are written, before evaluation), `_plain`, and, if no expression is among their arguments,
    `_arg_hashes` (hashes of the positional and of the keyword arguments).

    Parameters
    ----------
    exprs : expressions; those already hashed under the active scheme cost nothing.

    Expressions of the same height are hashed in one call to the core. Raises `ValueError` if an
    expression contains itself, and whatever hashing an argument raises.
    """
    scheme = get_scheme()
    lowest: list[Node] = []
    others: list[Node] = []
    inner: list[Node] = []
    for expr in exprs:
        if expr._hash is None or expr._hash_scheme != scheme:
            found = children(expr)
            if found:
                others.append(expr)
                inner += found
            else:
                lowest.append(expr)
    if lowest:
        _hash_level(lowest, scheme)
    if not others:
        return
    below = {id(node): node for node in inner if not is_hashed(node, scheme)}
    if not any(map(children, below.values())):  # most often calls of calls, and no deeper
        _hash_level(list(below.values()), scheme)
        _hash_level(others, scheme)
        return
    levels: dict[int, list[Node]] = {}
    for expr, height in topological_order(others, scheme):
        levels.setdefault(height, []).append(expr)
    for height in sorted(levels):
        _hash_level(levels[height], scheme)


def _hash_level(exprs: list[Node], scheme: str) -> None:
    hashed = get_type_registry().hash_args([expr._arguments() for expr in exprs])
    options = _options_hashes(exprs, scheme)
    preimages = [
        expr._preimage(arguments, options) for expr, arguments in zip(exprs, hashed, strict=True)
    ]
    for expr, digest in zip(exprs, hash_structs(preimages), strict=True):
        expr._hash_scheme = scheme
        expr._hash = digest


def _options_hashes(exprs: list[Node], scheme: str) -> dict[int, str]:
    """Return the hashes of the options of expressions by the identity of the options dict.

    The calls of one task object share their options, so each dict is hashed once.
    """
    distinct: dict[int, dict[str, Any]] = {}
    for expr in exprs:
        options = expr._hashed_options()
        if options:
            distinct[id(options)] = options
    hashes = {0: _empty_options_hash(scheme)}
    if distinct:
        digests = hash_options(list(distinct.values()), scheme)
        hashes.update(zip(distinct, digests, strict=True))
    return hashes


def hash_options(options: list[dict[str, Any]], scheme: str) -> list[str]:
    """Return the hashes of call-time options, as they enter the hash of a call.

    Under `redun1` that is the digest of their pickle. Otherwise it is their value hash, which does
    not depend on which strings are one object, nor on the order of sets.
    """
    if scheme == "redun1":
        return [hash_bytes(pickle_dumps(option)) for option in options]
    return [digest for digest, _ in get_type_registry().hash_many(options)]


def _empty_options_hash(scheme: str) -> str:
    digest = _no_options_hash.get(scheme)
    if digest is None:
        digest = _no_options_hash[scheme] = hash_options([{}], scheme)[0]
    return digest
