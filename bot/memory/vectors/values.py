"""What the stores of memories hand over and are handed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float32]

#: What the arrays say of a memory. Times are seconds since 1970; the last five but one are keyed hashes, 0 for none.
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
    """A memory as it lies in a store: its number there, its id, what has replaced it, and its encoded payload."""

    number: int
    memory_id: str
    superseded_by: str | None
    payload: bytes


@dataclass(slots=True)
class Row:
    """A memory as mem0 reads it; `score` is None where nothing was searched for."""

    id: str
    score: float | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """Which memories are read.

    Attributes:
        user_id: Whose.
        audiences, runs: The values allowed for `audience` and `run_id`; None for all.
        superseded: False for those in force; None for those that were replaced as well.
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
    """Memories of one person in the order of their insertion: what `ROW` says of them, and their scores.

    `cosine` with the query's vector is -1 to 1; `bm25` for its words is 0 where none occurs. Both are 0 where not asked
    for.
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
    """All live memories of a person that may be recalled, as parallel arrays in the order of their insertion.

    Attributes:
        rows: Numbers to `fetch` by; ascending, of dtype int64.
        semantic: Cosine with the query's vector, float32, -1 to 1.
        keyword: BM25 for the query's words, float32, 0 where none occurs.
        created_at, seen_at: When it was first and last said, seconds since 1970, float64.
        signature: Equal for texts that say the same but for case, punctuation and word endings; int64.
        audience: Equal for memories of one scope, 0 where it isn't known; int64.
        conversation: Equal for memories of one conversation, 0 where it isn't known; int64.
        length: Keywords in the text, int32.
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
