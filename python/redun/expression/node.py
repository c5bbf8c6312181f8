"""What traversal, hashing and pickling know of an expression: a node with arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redun.expression.render import SCALARS
from redun.utils.nested import is_leaf, leaves

__all__ = ["Node", "direct_leaves", "topological_order"]

NO_LEAVES: list[Any] = []

# Arguments hash, hashes of the positional and of the keyword values, whether all are plain data.
HashedArguments = tuple[str, tuple[str, ...], tuple[str, ...], bool]


class Node:
    """A lazy expression, as seen by the graph algorithms.

    Expressions implement the underscored methods.
    """

    __slots__ = ("_hash", "_hash_scheme", "_leaves")

    _hash: str | None
    _hash_scheme: str | None
    _leaves: list[Any] | None

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what the node holds, as positional and keyword arguments."""
        raise NotImplementedError

    def _hashed_options(self) -> dict[str, Any] | None:
        """Return the options that enter the hash; None or empty if none do."""
        return None

    def _preimage(self, hashed: HashedArguments, options_hashes: dict[int, str]) -> list[str]:
        """Return the structure whose digest is the hash of the node; memoise hashes of arguments.

        Parameters
        ----------
        hashed : of the arguments.
        options_hashes : by the identity of the options; under 0 the hash of no options.
        """
        raise NotImplementedError

    def _graph_state(self) -> tuple[Any, ...]:
        """Return the pickle state in which child expressions stand as themselves."""
        raise NotImplementedError


def direct_leaves(expr: Node) -> list[Any]:
    """Return the leaves of an expression's arguments that are not plain scalars, in document order.

    These are child expressions, values such as files, and anything else that nested-value recursion
    does not enter. The list is memoised on the expression; do not change it.
    """
    found = expr._leaves
    if found is None:
        found = expr._leaves = _find_leaves(*expr._arguments()) or NO_LEAVES
    return found


def _find_leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    found = []
    for arg in (*args, *kwargs.values()):
        if type(arg) in SCALARS:
            continue
        if not isinstance(arg, Node) and not is_leaf(arg):
            return leaves((args, kwargs))
        found.append(arg)  # most arguments are no containers, which takes no call of the core
    return found


def children(expr: Node) -> list[Node]:
    """Return the expressions directly below an expression, those in its options included."""
    found = expr._leaves
    if found is None:
        found = direct_leaves(expr)
    options = expr._hashed_options()
    if not found and not options:
        return NO_LEAVES
    below = [leaf for leaf in found if isinstance(leaf, Node)]
    if options:
        below += [leaf for leaf in leaves(options) if isinstance(leaf, Node)]
    return below


def topological_order(roots: Iterable[Node], scheme: str | None = None) -> list[tuple[Node, int]]:
    """Return expressions and all that is below them, children before parents, with their heights.

    Parameters
    ----------
    roots : where to begin.
    scheme : if given, expressions whose hash is already known under this hash scheme are left out,
        and so is what is below them.

    The height of an expression without (included) children is 0, otherwise one more than the
    greatest height below it. Raises `ValueError` if an expression contains itself.
    """
    heights: dict[int, int] = {}
    order: list[tuple[Node, int]] = []
    opened: dict[int, list[Node]] = {}
    stack = [root for root in roots if scheme is None or not is_hashed(root, scheme)]
    stack.reverse()
    while stack:
        expr = stack[-1]
        key = id(expr)
        if key in heights:
            stack.pop()
            continue
        below = opened.get(key)
        if below is None:
            below = children(expr)
            if scheme is not None and below:
                below = [child for child in below if not is_hashed(child, scheme)]
            if below:
                opened[key] = below
                pending = [child for child in below if id(child) not in heights]
                # Only the path from a root to here is open and without a height.
                if any(id(child) in opened for child in pending):
                    raise ValueError("An expression must not contain itself.")
                if pending:
                    pending.reverse()
                    stack.extend(pending)
                    continue
        height = 1 + max(heights[id(child)] for child in below) if below else 0
        heights[key] = height
        order.append((expr, height))
        opened.pop(key, None)
        stack.pop()
    return order


def is_hashed(expr: Node, scheme: str) -> bool:
    """Whether the hash of an expression is known under a hash scheme."""
    return expr._hash is not None and expr._hash_scheme == scheme
