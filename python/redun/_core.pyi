"""The core of redun: digests, bencode, walks over nested values, the state machine of the scheduler.

A *digest* is 160 bits as 40 lower-case hexadecimal characters: the first 20 bytes of BLAKE3
(scheme `blake3`) or of SHA-512 (scheme `redun1`). Functions that hash use the scheme that is active
when they are called.

*Plain scalars* are exactly `None`, `bool`, `int`, `float`, `str` and `bytes`. *Containers* are exactly
`list`, `tuple`, `set` and `dict`. Instances of subclasses and of everything else are *leaves*, unless
the caller opens them. No function recurses: nesting has no limit.
"""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, final

from typing_extensions import Buffer

__all__ = [
    "SCHEMES",
    "CoreError",
    "CycleError",
    "Hash",
    "Machine",
    "SchemeError",
    "SyncPlanner",
    "bdecode",
    "bencode",
    "get_scheme",
    "hash_arguments",
    "hash_bytes",
    "hash_file",
    "hash_files",
    "hash_struct",
    "hash_structs",
    "hash_tag_bytes",
    "hash_values",
    "json_strings",
    "list_tree",
    "nested_leaves",
    "nested_map",
    "quick_hashes",
    "set_scheme",
]

SCHEMES: tuple[str, ...]
"""The names of all hash schemes, the default first."""

class CoreError(Exception):
    """Base of the errors that only the core can raise."""

class SchemeError(CoreError, ValueError):
    """The name of a hash scheme that does not exist."""

class CycleError(CoreError, ValueError):
    """A container that contains itself has no hash and no leaves."""

def get_scheme() -> str:
    """The name of the hash scheme of this thread: the one it chose, else the latest that any thread chose."""

def set_scheme(name: str) -> str:
    """Make a hash scheme the active one and return the name of the one before.

    Raises `SchemeError` for a name not in `SCHEMES`.
    """

@final
class Hash:
    """An incremental hash, safe to share between threads."""

    def __new__(cls, scheme: str | None = None) -> Hash:
        """A hash of nothing yet, under `scheme` or else the active one.

        Raises `SchemeError` for a name not in `SCHEMES`.
        """

    def update(self, data: Buffer) -> None:
        """Add bytes.

        `bytes` are read in place, from 64 KiB on while other threads run; anything else is copied
        first. Raises `TypeError` if `data` is not bytes-like.
        """

    def hexdigest(self, length: int = 40) -> str:
        """The first `length` hexadecimal characters of the hash of the bytes added so far.

        The whole hash has 64 (`blake3`) or 128 (`redun1`) characters; asking for more returns those.
        """

def hash_bytes(data: Buffer) -> str:
    """The digest of `data`. Raises `TypeError` if it is not bytes-like."""

def hash_tag_bytes(tag: str, data: Buffer) -> str:
    """The digest of `bencode([tag])` followed directly by `data`."""

def hash_struct(struct: Any) -> str:
    """The digest of `bencode(struct)`. Raises what `bencode` raises."""

def hash_structs(structs: Iterable[Any]) -> list[str]:
    """`hash_struct` of each, in order."""

def bencode(obj: Any) -> bytes:
    """The bencoding of `obj`.

    | object | encoding |
    | --- | --- |
    | `int`, not `bool` | `i<decimal>e`, of any size |
    | `str`, `bytes` | `<length in bytes>:<bytes>`, text as UTF-8 |
    | `Mapping` with `str` or `bytes` keys | `d`, keys and values sorted by key, `e` |
    | any other `Iterable` | `l`, the items, `e` |

    Raises `TypeError` for anything else at any depth, for keys of another type and for keys that
    cannot be sorted; `UnicodeEncodeError` for lone surrogates; `CycleError` for a container that
    contains itself.
    """

def bdecode(data: Buffer) -> Any:
    """The one object that bencoded `data` starts with; what follows it is ignored.

    Byte strings become `str` if they are UTF-8, else `bytes`; a lone `e` is `None`. Raises `ValueError`
    if the data ends early or a number is none, `TypeError` for a byte that starts no item,
    `AssertionError` for a dictionary key that is not a string.
    """

def hash_file(path: str | PathLike[str]) -> str:
    """The digest of the bytes of the file `path`, other threads running meanwhile.

    Under `blake3` files of 4 MiB and more are hashed in pieces on every core. A file that someone
    writes to meanwhile has the digest of what was read. Raises `OSError` (or the subclass of its
    number) with the file name.
    """

def hash_files(paths: Sequence[str | PathLike[str]]) -> list[str]:
    """`hash_file` of each, in order, several at a time.

    Raises the `OSError` of the first path in order that cannot be read.
    """

def quick_hashes(paths: Sequence[str | PathLike[str]]) -> list[str]:
    """The digest of `["File", "local", path, size, mtime]` of each file, in order, on every core.

    `size` is in bytes, `mtime` the text of `os.stat(path).st_mtime`. A file that is not there, or whose
    directory cannot be searched, has -1 and `"-1"`.
    """

def json_strings(strings: list[str]) -> str:
    """The JSON text of a list of strings, as `json.dumps` gives it but for the spaces."""

def list_tree(path: str | PathLike[str]) -> list[str]:
    """The paths of all files below a directory, in no particular order, links followed.

    Names that begin with a dot are left out, and so is what cannot be read. A link that leads back
    to a directory it was reached through is not followed.
    """

def hash_values(
    values: Iterable[Any], leaf: Callable[[Any], str | bytes | tuple[str, list[Any]]]
) -> list[tuple[str, bool]]:
    """The value hash of each value, and whether the value is plain data.

    Plain data are plain scalars in containers: nothing in them has a hash, a validity or a state of
    its own.

    Under `blake3` a value is hashed over a typed encoding of its content: equal content has an equal
    hash in every process, sets are ordered by their items' digests, dicts keep insertion order.
    `leaf(obj)` is called for each object that is neither a plain scalar, a container nor a `frozenset`,
    and answers with

    - `str`: the hash the object has by itself; at top level that is the value hash;
    - `bytes`: its pickle; at top level the value hash is `hash_tag_bytes("Value", pickle)`;
    - `(type name, children)`: a container such as a dataclass, whose children are hashed in turn.

    Under `redun1` `leaf` is called for each value itself, scalars and containers too, and answers with
    `str` or `bytes`.

    Raises what `leaf` raises, `TypeError` for other answers, and `CycleError`.
    """

def hash_arguments(
    calls: Iterable[tuple[Iterable[Any], dict[str, Any]]],
    leaf: Callable[[Any], str | bytes | tuple[str, list[Any]]],
) -> list[tuple[str, tuple[str, ...], tuple[str, ...], bool]]:
    """For each call `(args, kwargs)`: its arguments' hash, their value hashes, and whether all are plain.

    An answer is `(args_hash, positional, keyword, plain)`: the digest of
    `["TaskArguments", positional, {name: value hash}]`, the value hashes of `args` in order and those
    of `kwargs` in the order of the dict. `leaf` and errors are those of `hash_values`.
    """

def nested_leaves(value: Any, expand: Callable[[Any], list[Any] | None]) -> list[Any]:
    """The leaves of `value` that are not plain scalars, in document order; none means plain data.

    Containers are opened (of a dict: key then value of each item). `expand(obj)` is called for
    everything else that is no plain scalar and returns the list of its children, or `None` for a
    leaf. Raises what `expand` raises, `TypeError` for other answers, and `CycleError`.
    """

def nested_map(
    value: Any,
    mapping: dict[int, Any],
    expand: Callable[[Any], list[Any] | None],
    rebuild: Callable[[Any, list[Any]], Any],
) -> Any:
    """A copy of `value` in which each leaf whose `id()` is a key of `mapping` is replaced.

    Every container is copied; plain scalars and other leaves are the same objects. An object that is
    neither is looked up in `mapping` first, then given to `expand` (as for `nested_leaves`); one that is
    opened becomes `rebuild(obj, new_children)`. Raises what the callables raise, `TypeError` for
    replacements in sets and dict keys that cannot be hashed, and `CycleError`.
    """

@final
class Machine:
    """The state machine of the scheduler: events in, actions out, no input or output of its own.

    Nodes are numbered 0, 1, 2 ... by the host: *jobs* (calls of tasks: cached, recorded, limited) and
    *operations* (anything else that waits for nodes). Events and actions are tuples that start with
    an opcode; `redun.engine.wire` names them, `src/sched/mod.rs` describes them and their rules. All
    methods may be called from any thread.
    """

    def __new__(cls, limits: dict[str, int], trace: bool = False) -> Machine:
        """A machine without nodes.

        `limits` are the capacities of named resources; one that is not named can give 1. With `trace`
        the machine keeps the history that `story` shows. Raises `CoreError` for a capacity that is no
        count.
        """

    def task(self, task_hash: str) -> int:
        """The index of a task, given out 0, 1, 2 ...; the same hash has the same index."""

    def handle(self, events: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Apply events in order and return the actions they ask for, in order.

        Raises `CoreError` for a malformed tuple, which refuses the whole batch, and for an event that
        is not legal, which changes nothing and ends the batch there: the actions that earlier events
        of the batch asked for are returned by the next call.
        """

    def set_limit(self, name: str, capacity: int) -> None:
        """Change the capacity of a resource, from the next batch on."""

    def subtree(self, subtree_id: int) -> list[int]:
        """The task indexes of a set that an action named, ascending. Raises `CoreError` if unknown."""

    def call_hash(self, node: int) -> str | None:
        """The call hash of a job that has ended with a call. Raises `CoreError` for an unknown node."""

    def counts(self) -> list[tuple[int, int, int, int, int, int]]:
        """Jobs of each task: `(task index, pending, running, failed, cached, done)`."""

    def limits_used(self) -> dict[str, int]:
        """How much of each resource is held."""

    def active(self) -> int:
        """The number of nodes, operations included, that the host was asked about and still owes an answer."""

    def stalled(
        self, suspended: list[int] = ..., awaiting: list[tuple[int, int]] = ...
    ) -> list[int]:
        """Collapsed jobs in a cycle of waits, each of which breaks it by failing; empty if any is active.

        Parameters
        ----------
        suspended : nodes that count as not active, because they wait for others in their turn.
        awaiting : pairs of such a node and one that it waits for.
        """

    def validate(self) -> None:
        """Derive every index and counter again. Raises `CoreError` if one differs."""

    def story(self, node: int) -> list[str]:
        """Events and actions of a node, oldest first; empty without `trace`."""

@final
class SyncPlanner:
    """Plans a push or pull: what to ask the two repos, and what to copy in which order.

    `next` gives a step, the host performs it and feeds the answer; `src/sync/mod.rs` describes the
    protocol, `redun.sync.transfer` is its host.
    """

    def __new__(
        cls,
        roots: list[tuple[str, str]] | None = None,
        batch: int = 2000,
        deep: bool = False,
        dry_run: bool = False,
        transaction: int = 2000,
        empty: bool = False,
    ) -> SyncPlanner:
        """A planner for what `roots` (kind, id) own, or for all that the source holds.

        `batch` is the number of ids in a question, `transaction` that of records in a transaction.
        `deep` looks below what the target holds; `dry_run` is for hosts that don't write. Both take
        memory for each record. `empty` says that the target holds no records. Raises `CoreError` for
        an unknown kind or an empty batch.
        """

    def next(self) -> tuple[str, str, str, list[Any]]:
        """The next step: `(verb, side, kind, ids)`, those of `transfer` `(kind, ids, open, again)`.

        Raises `CoreError` if the last one was not answered.
        """

    def feed_ids(self, ids: list[str]) -> None:
        """The answer to `executions`, `tags` and `has`."""

    def feed_edges(self, kinds: list[str] | tuple[str, ...], rows: list[Any]) -> None:
        """Part of the answer to `children`: `(parent, child, ...)`, a child of each kind or None.

        The column of kind `ended` is None unless a job has ended.
        """

    def feed_end(self) -> None:
        """The end of the answer to `children`."""

    def feed_jobs(self, states: list[tuple[str, bool, int]]) -> None:
        """The answer to `open_jobs` and `job_states`: `(job, has ended, child jobs)`."""

    def feed_owners(self, owners: list[tuple[str, str | None, str, str]]) -> None:
        """The answer to `job_owners`: `(job, parent, execution, task)`."""

    def feed_tag_owners(self, owners: list[tuple[str, str, str]]) -> None:
        """The answer to `tag_owners`: `(tag, kind, entity)`; other kinds stand for none."""

    def transferred(self) -> None:
        """The answer to `transfer`."""

    def planned(self) -> dict[str, int]:
        """Records planned so far, by kind."""
