"""The values that memory stores take and return."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float32]

#: A memory in the arrays. Times are seconds since 1970; `audience` to `signature` are keyed hashes, 0 for none.
ROW = np.dtype(
    [
        ("id", "i8"),
        ("created_at", "f8"),
        ("seen_at", "f8"),
        ("length", "i4"),
        ("audience", "i8"),
        ("run", "i8"),
        ("conversation", "i8"),
        ("signature", "i8"),
        ("superseded", "?"),
    ]
)


@dataclass(frozen=True, slots=True)
class Record:
    """A memory to be stored; its vector has length 1."""

    memory_id: str
    vector: Vector
    payload: Mapping[str, Any]


class Stored(NamedTuple):
    """A stored memory: its number in the store, its id, what supersedes it, and its encoded payload."""

    number: int
    memory_id: str
    superseded_by: str | None
    payload: bytes


@dataclass(slots=True)
class Row:
    """A memory as mem0 reads it; `score` is None if it wasn't searched for."""

    id: str
    score: float | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """Selects memories.

    Attributes:
        user_id: Whose.
        audiences, runs: The values allowed for `audience` and `run_id`; None for all.
        superseded: False for memories in force; None includes superseded ones.
    """

    user_id: str
    audiences: frozenset[str] | None = None
    runs: frozenset[str] | None = None
    superseded: bool | None = None

    @classmethod
    def of(cls, filters: Mapping[str, Any] | None, *, superseded: bool | None) -> "Query":
        """mem0's filters, as its `add` writes them: one `user_id`, with a `run_id` and an `audience` or without.

        Raises ValueError for anything else: a filter that is ignored would show one person's or one channel's memories
        in another.
        """
        given = dict(filters or {})
        user_id, run, audience = (given.pop(name, None) for name in ("user_id", "run_id", "audience"))
        if not isinstance(user_id, str) or user_id in ("", "*"):
            raise ValueError("filters must hold one user_id: a memory is never looked for among everybody's")
        if given or not all(value is None or isinstance(value, str) for value in (run, audience)):
            raise ValueError("filters hold a user_id, a run_id and an audience, each one string, and nothing else")
        audiences, runs = (None if value is None else frozenset({value}) for value in (audience, run))
        return cls(user_id, audiences, runs, superseded)


@dataclass(frozen=True, slots=True)
class Scored:
    """One person's memories in insertion order, as `ROW`, with their scores.

    `cosine` with the query's vector is -1 to 1; `bm25` is 0 if none of the query's words occurs. Both are 0 if not
    asked for.
    """

    rows: npt.NDArray[Any]
    cosine: Floats
    bm25: Floats

    @classmethod
    def none(cls) -> "Scored":
        """No memories."""
        return cls(np.empty(0, dtype=ROW), np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Candidates:
    """All of a person's memories that may be recalled, as parallel arrays in insertion order.

    Attributes:
        rows: Numbers to `fetch` by; ascending, int64.
        semantic: Cosine with the query's vector, -1 to 1; float32.
        keyword: BM25 for the query's words, 0 if none occurs; float32.
        created_at, seen_at: When it was first and last said, in seconds since 1970; float64.
        signature: Equal for texts that differ only in case, punctuation and word endings; int64.
        audience: Equal for memories of one scope, 0 if unknown; int64.
        conversation: Equal for memories of one conversation, 0 if unknown; int64.
        length: The number of keywords in the text; int32.
    """

    rows: npt.NDArray[np.int64]
    semantic: Floats
    keyword: Floats
    created_at: npt.NDArray[np.float64]
    seen_at: npt.NDArray[np.float64]
    signature: npt.NDArray[np.int64]
    audience: npt.NDArray[np.int64]
    conversation: npt.NDArray[np.int64]
    length: npt.NDArray[np.int32]

    def only(self, which: npt.NDArray[np.bool_]) -> "Candidates":
        """Those of them that `which` marks."""
        return Candidates(*(getattr(self, each.name)[which] for each in fields(self)))
