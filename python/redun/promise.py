"""Promises: results that come later, with callbacks run synchronously by whoever settles them.

Not thread-safe: a promise belongs to one thread. Chains and joins of any length settle without recursion.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

_PENDING = 0
_FULFILLED = 1
_REJECTED = 2

# Callbacks that settle other promises by hand nest on the stack up to this depth; below it, their
# callbacks wait until the stack has unwound, but still run before the outermost call returns.
_MAX_NESTING = 20


class _Settling(threading.local):
    depth = 0

    def __init__(self) -> None:
        self.deferred: deque[Promise] = deque()


_settling = _Settling()


class Promise(Generic[T]):
    """A value that is pending, fulfilled with a result, or rejected with an error.

    Parameters
    ----------
    func
        Called at once as `func(resolve, reject)`; an exception it raises rejects the promise.
    """

    __slots__ = ("__weakref__", "_links", "_state", "_value")

    _state: int
    _value: Any
    # Links to notify: None, one link, or a list of them in order of registration.
    _links: Any

    def __init__(self, func: Callable | None = None) -> None:
        self._state = _PENDING
        self._links = None
        if func is not None:
            try:
                func(self.do_resolve, self.do_reject)
            except Exception as error:
                self.do_reject(error)

    def __repr__(self) -> str:
        if self._state == _PENDING:
            return "Promise(pending)"
        word = "value" if self._state == _FULFILLED else "error"
        return f"Promise({word}={self._value!r})"

    @property
    def is_pending(self) -> bool:
        """Whether the promise is not settled yet."""
        return self._state == _PENDING

    @property
    def is_fulfilled(self) -> bool | None:
        """Whether the promise has a result; None while pending."""
        return None if self._state == _PENDING else self._state == _FULFILLED

    @property
    def is_rejected(self) -> bool | None:
        """Whether the promise has an error; None while pending."""
        return None if self._state == _PENDING else self._state == _REJECTED

    @property
    def value(self) -> T:
        """The result, or the error of a rejected promise.

        Raises
        ------
        ValueError
            The promise is pending.
        """
        if self._state == _PENDING:
            raise ValueError("Promise is still pending.")
        return self._value

    @property
    def error(self) -> Exception:
        """The error.

        Raises
        ------
        ValueError
            The promise is not rejected.
        """
        if self._state != _REJECTED:
            raise ValueError("Promise is not rejected.")
        return self._value

    def do_resolve(self, result: T) -> T:
        """Fulfil the promise, run its callbacks and return `result`; ignored once settled."""
        if self._state == _PENDING and self._settle(_FULFILLED, result):
            _notify(self)
        return result

    def do_reject(self, error: Exception) -> Exception:
        """Reject the promise, run its callbacks and return `error`; ignored once settled."""
        if self._state == _PENDING and self._settle(_REJECTED, error):
            _notify(self)
        return error

    def then(
        self,
        resolver: Callable[[T], Any] | None = None,
        rejector: Callable[[Exception], Any] | None = None,
    ) -> Promise:
        """A promise of what `resolver(result)` or `rejector(error)` returns.

        Without the callback that applies, the outcome passes through. A returned promise is
        followed. An `Exception` raised by a callback rejects the new promise.
        """
        child: Promise = Promise()
        self._link(_Then(child, resolver, rejector))
        return child

    def tell(self, resolver: Callable[[T], Any], rejector: Callable[[Exception], Any]) -> None:
        """Call one of the two once settled. They must not raise: no promise stands for the outcome."""
        if self._state == _FULFILLED:
            resolver(self._value)
        elif self._state == _REJECTED:
            rejector(self._value)
        else:
            self._link(_Tell(resolver, rejector))

    def catch(self, rejector: Callable[[Exception], S]) -> Promise[S]:
        """`then(None, rejector)`."""
        return self.then(None, rejector)

    @classmethod
    def all(cls, subpromises: Sequence[Promise[T]]) -> Promise[list[T]]:
        """A promise of all results in order; rejected as soon as one of them is."""
        joined: Promise[list[T]] = Promise()
        if not subpromises:
            joined.do_resolve([])
            return joined
        gather = _Gather(joined, subpromises)
        for subpromise in subpromises:
            subpromise._link(gather)
        return joined

    def _settle(self, state: int, value: Any) -> bool:
        """Take an outcome; return whether links wait for it. Does nothing but store it."""
        self._state = state
        self._value = value
        return self._links is not None

    def _link(self, link: _Link) -> None:
        """Have `link` told of the outcome: at once if settled, else later."""
        if self._state != _PENDING:
            follower = link.settled(self)
            if follower is not None:
                _notify(follower)
        elif self._links is None:
            self._links = link
        elif type(self._links) is list:
            self._links.append(link)
        else:
            self._links = [self._links, link]


class _Link:
    """What one promise does for another when it settles."""

    __slots__ = ()

    def settled(self, source: Promise) -> Promise | None:
        """Act on the outcome; return a promise that thereby settled and has links to notify."""
        raise NotImplementedError


class _Then(_Link):
    """Settles `child` with the outcome of a callback, or with that of the source itself."""

    __slots__ = ("child", "rejector", "resolver")

    def __init__(
        self, child: Promise, resolver: Callable | None, rejector: Callable | None
    ) -> None:
        self.child = child
        self.resolver = resolver
        self.rejector = rejector

    def settled(self, source: Promise) -> Promise | None:
        child = self.child
        if child._state != _PENDING:
            return None
        state = source._state
        callback = self.resolver if state == _FULFILLED else self.rejector
        if callback is None:
            return child if child._settle(state, source._value) else None
        try:
            result = callback(source._value)
        except Exception as error:
            state, result = _REJECTED, error
        else:
            state = _FULFILLED
            if isinstance(result, Promise):
                if result._state == _PENDING:
                    result._link(_Then(child, None, None))
                    return None
                state, result = result._state, result._value
        if child._state != _PENDING:
            return None
        return child if child._settle(state, result) else None


class _Tell(_Link):
    """Calls back, and leaves it at that."""

    __slots__ = ("rejector", "resolver")

    def __init__(self, resolver: Callable, rejector: Callable) -> None:
        self.resolver = resolver
        self.rejector = rejector

    def settled(self, source: Promise) -> Promise | None:
        callback = self.resolver if source._state == _FULFILLED else self.rejector
        callback(source._value)
        return None


class _Gather(_Link):
    """Fulfils `joined` with all results, or rejects it with the first error."""

    __slots__ = ("joined", "missing", "subpromises")

    def __init__(self, joined: Promise, subpromises: Sequence[Promise]) -> None:
        self.joined = joined
        self.subpromises = list(subpromises)
        self.missing = len(self.subpromises)

    def settled(self, source: Promise) -> Promise | None:
        joined = self.joined
        if joined._state != _PENDING:
            return None
        if source._state == _REJECTED:
            return joined if joined._settle(_REJECTED, source._value) else None
        self.missing -= 1
        if self.missing:
            return None
        results = [subpromise._value for subpromise in self.subpromises]
        return joined if joined._settle(_FULFILLED, results) else None


class _Wait(_Link):
    """Fulfils `joined` with the promises themselves once all have settled."""

    __slots__ = ("joined", "missing", "subpromises")

    def __init__(self, joined: Promise, subpromises: Sequence[Promise]) -> None:
        self.joined = joined
        self.subpromises = list(subpromises)
        self.missing = len(self.subpromises)

    def settled(self, source: Promise) -> Promise | None:
        self.missing -= 1
        if self.missing or self.joined._state != _PENDING:
            return None
        return self.joined if self.joined._settle(_FULFILLED, self.subpromises) else None


def _notify(promise: Promise) -> None:
    """Run the links of a settled promise and of all that settle in turn, without recursion."""
    settling = _settling
    if settling.depth >= _MAX_NESTING:
        settling.deferred.append(promise)
        return
    settling.depth += 1
    try:
        link = promise._links
        if type(link) is _Tell:  # from which nothing follows
            promise._links = None
            link.settled(promise)
        else:
            _drain(promise)
        if settling.depth == 1:
            while settling.deferred:
                _drain(settling.deferred.popleft())
    finally:
        settling.depth -= 1
        if not settling.depth:
            # Only an exception that is not an `Exception` leaves anything behind.
            settling.deferred.clear()


def _drain(promise: Promise) -> None:
    # Depth first: what follows from a link runs before the next link, as nested calls would.
    stack = [(promise, _take_links(promise))]
    while stack:
        source, links = stack[-1]
        for link in links:
            follower = link.settled(source)
            if follower is not None:
                stack.append((follower, _take_links(follower)))
                break
        else:
            stack.pop()


def _take_links(promise: Promise) -> Iterator[_Link]:
    links = promise._links
    promise._links = None
    return iter(links if type(links) is list else (links,))


def wait_promises(subpromises: list[Promise[T]]) -> Promise[list[Promise[T]]]:
    """A promise of the same list, fulfilled when every one of them has settled either way."""
    joined: Promise[list[Promise[T]]] = Promise()
    if not subpromises:
        joined.do_resolve([])
        return joined
    wait = _Wait(joined, subpromises)
    for subpromise in subpromises:
        subpromise._link(wait)
    return joined
