"""Handles: values that stand for something stateful outside, such as a connection.

The state of a handle is named by the chain of calls it went through: a handle that a task returns has
another hash than the one it was given. When a step runs again, the states that came after are rolled
back, so later steps run again too.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from redun.current import get_current_scheduler
from redun.hashing import get_scheme, hash_struct
from redun.namespace import compute_namespace
from redun.value import Value, get_type_registry

__all__ = ["Handle", "HandleInfo", "get_fullname", "get_handle_class"]


def get_fullname(namespace: str | None, name: str) -> str:
    """Return `namespace.name`, or `name` if there is no namespace."""
    return f"{namespace}.{name}" if namespace else name


class HandleInfo:
    """What redun knows of a handle; attribute `__handle__` of every handle.

    Parameters
    ----------
    name, namespace : they make the full name, which all states of one handle share.
    args, kwargs : what the handle is constructed from, beside its name.
    class_name : type name of the class of the handle.
    call_hash : hash of the call or of the handle that led to this state; empty for a fresh one.
    hash : hash of the state; computed by default.
    key : tells apart forks of one state.

    Attributes
    ----------
    fullname : namespace and name.
    is_recorded : whether the repo knows this state.
    fork_parent : the handle this one was forked from, if it was.
    """

    __module__ = "redun.handle"
    __slots__ = (
        "_hash",
        "_hash_scheme",
        "args",
        "call_hash",
        "class_name",
        "fork_parent",
        "fullname",
        "is_recorded",
        "key",
        "kwargs",
        "name",
        "namespace",
    )

    def __init__(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        class_name: str,
        namespace: str | None = None,
        call_hash: str = "",
        hash: str | None = None,
        key: str = "",
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.fullname = get_fullname(namespace, name)
        self.args = args
        self.kwargs = kwargs
        self.class_name = class_name
        self.call_hash = call_hash
        self.key = key
        self.is_recorded = False
        self.fork_parent: Handle | None = None
        self.hash = self.get_hash() if hash is None else hash

    @property
    def hash(self) -> str:
        """Hash of the state, 40 hexadecimal digits."""
        if self._hash_scheme != get_scheme():
            self.update_hash()
        return self._hash

    @hash.setter
    def hash(self, hash: str) -> None:
        self._hash = hash
        self._hash_scheme = get_scheme()

    def get_state(self) -> dict[str, Any]:
        """Return what is stored of a handle."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "args": self.args,
            "kwargs": self.kwargs,
            "class_name": self.class_name,
            "call_hash": self.call_hash,
            "key": self.key,
            "hash": self.hash,
        }

    def get_hash(self) -> str:
        """Compute the hash of the state."""
        if self.call_hash:
            return hash_struct(["Handle", self.fullname, "call_hash", self.key, self.call_hash])
        _, positional, keyword, _ = get_type_registry().hash_args([(self.args, self.kwargs)])[0]
        by_name = dict(zip(self.kwargs, keyword, strict=True))
        return hash_struct(["Handle", self.fullname, "init", self.key, positional, by_name])

    def update_hash(self) -> None:
        """Compute the hash of the state again."""
        self.hash = self.get_hash()

    def clone(self, handle: Handle) -> Handle:
        """Return a copy of a handle, not constructed anew, with a copy of this information."""
        copy = object.__new__(type(handle))
        copy.__dict__.update(handle.__dict__)
        copy.__handle__ = HandleInfo(
            name=self.name,
            args=self.args,
            kwargs=self.kwargs,
            class_name=self.class_name,
            namespace=self.namespace,
            call_hash=self.call_hash,
            hash=self.hash,
            key=self.key,
        )
        return copy

    def fork(self, handle: Handle, key: str) -> Handle:
        """Return the state of a handle within a call it is an argument of."""
        child = self.clone(handle)
        info = child.__handle__
        info.call_hash = self.hash
        info.key = key
        info.fork_parent = handle
        info.update_hash()
        return child

    def apply_call(self, handle: Handle, call_hash: str) -> Handle:
        """Return the state of a handle after a call that returned it."""
        child = self.clone(handle)
        info = child.__handle__
        info.call_hash = call_hash
        info.key = ""
        info.update_hash()
        return child


_Info: TypeAlias = HandleInfo


class Handle(Value):
    """A value that stands for something stateful outside, such as a database connection.

    A subclass defines `__init__(self, name, *args, **kwargs)`, which connects. It runs again with the
    same arguments wherever the handle is needed: the connection itself is never stored. Attributes that
    the handle does not have are looked up on `self.instance`, if that is set.

    Parameters
    ----------
    name : name of the handle.
    namespace : prefix of the full name; by default as for tasks, by the module of the class. Only
        if the `__init__` of the class accepts it.
    """

    __module__ = "redun.handle"
    type_name = "redun.Handle"

    HandleInfo: ClassVar[type[_Info]] = HandleInfo

    __handle__: _Info

    def __new__(
        cls, name: str | None = None, *args: Any, namespace: str | None = None, **kwargs: Any
    ) -> Handle:
        handle = super().__new__(cls)
        if name is not None:  # None while unpickling
            handle.__handle__ = HandleInfo(
                name=name,
                args=args,
                kwargs=kwargs,
                class_name=cls.type_name,
                namespace=compute_namespace(cls, namespace),
            )
        return handle

    def __init__(self, name: str | None = None, *args: Any, **kwargs: Any) -> None:
        pass

    def __repr__(self) -> str:
        info = self.__handle__
        return f"{self.type_name}(fullname={info.fullname}, hash={info.hash[:8]})"

    def __getattr__(self, attr: str) -> Any:
        # Only called for attributes that are not there. Before the handle is set up, there is no
        # `instance` either.
        instance = self.__dict__.get("instance")
        if instance is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{attr}'")
        return getattr(instance, attr)

    def __getstate__(self) -> dict[str, Any]:
        return self.__handle__.get_state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__handle__ = HandleInfo(
            name=state["name"],
            args=state["args"],
            kwargs=state["kwargs"],
            class_name=state["class_name"],
            namespace=state["namespace"],
            call_hash=state["call_hash"],
            hash=state["hash"],
            key=state["key"],
        )
        self.__handle__.is_recorded = True
        self.__init__(state["name"], *state["args"], **state["kwargs"])  # type: ignore[misc]

    def apply_call(self, call_hash: str) -> Handle:
        """Return the state of this handle after a call that returned it."""
        return self.__handle__.apply_call(self, call_hash)

    def fork(self, key: str) -> Handle:
        """Return the state of this handle on one of several parallel paths."""
        return self.__handle__.fork(self, key)

    def is_valid(self) -> bool:
        """Whether the state is current: recorded, and not rolled back since.

        Raises `NoCurrentScheduler` outside a run.
        """
        if self.__handle__.class_name != self.type_name:
            return False
        return get_current_scheduler().backend.is_valid_handle(self)

    def get_hash(self, data: bytes | None = None) -> str:
        """Return the hash of the state."""
        return self.__handle__.hash

    def preprocess(self, preprocess_args: dict[str, Any]) -> Handle:
        """Return the state for a call it is an argument of.

        Parameters
        ----------
        preprocess_args : `call_order` counts the calls with this state in the calling job.
        """
        key = self.__handle__.key or str(preprocess_args["call_order"])
        return self.fork(key)

    def postprocess(self, postprocess_args: dict[str, Any]) -> Handle:
        """Return the state after a call that returned it.

        Parameters
        ----------
        postprocess_args : `pre_call_hash` is the eval hash of the call.
        """
        return self.apply_call(postprocess_args["pre_call_hash"])


def get_handle_class(handle_class_name: str) -> type[Handle]:
    """Return the class of a type name. Raises `redun.value.TypeError` if there is none."""
    return get_type_registry().parse_type_name(handle_class_name)
