"""Reading memories from SQLite: what a reader is given, and the statements that fetch it."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.vectors import person_cache
from bot.memory.vectors.filters import Query
from bot.memory.vectors.person_cache import Floats, Mask, Matrix
from bot.memory.vectors.sqlite import rows


@dataclass(slots=True)
class Row:
    """A memory as mem0 reads it; `score` is None where nothing was searched for."""

    id: str
    score: float | None
    payload: dict[str, Any]


#: Named here, for `list` is a method below.
Rows = list[Row]
Listing = list[list[Row]]
Names = list[str]
Numbers = list[int]
Stored = list[tuple[int, bytes]]


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


#: Everything that `row` takes; a condition follows.
SELECT = (
    "SELECT memories.id, memory_id, superseded_by, payload FROM memories JOIN memory_texts ON memory_texts.id = text"
)


def row(found: tuple[int, str, str | None, bytes]) -> Row:
    """A row of SELECT as readers know it."""
    _, memory_id, superseded_by, stored = found
    payload = rows.decode(stored)
    if superseded_by is not None:
        payload["superseded_by"] = superseded_by
    return Row(memory_id, None, payload)


def fetch(conn: sqlite3.Connection, wanted: Sequence[int]) -> dict[int, Row]:
    """The memories with these row numbers, by number."""
    found: dict[int, Row] = {}
    for start in range(0, len(wanted), 500):
        batch = wanted[start : start + 500]
        marks = ",".join("?" * len(batch))
        for stored in conn.execute(f"{SELECT} WHERE memories.id IN ({marks})", batch):
            found[stored[0]] = row(stored)
    return found


def numbers(conn: sqlite3.Connection, memory_id: str) -> list[int]:
    """The row number of that id, or none."""
    return [row for (row,) in conn.execute("SELECT id FROM memories WHERE memory_id = ?", (memory_id,))]


def located(conn: sqlite3.Connection, memory_id: str) -> tuple[int, bytes] | None:
    """The row number and stored payload of that id."""
    found: tuple[int, bytes] | None = conn.execute(
        "SELECT memories.id, payload FROM memories JOIN memory_texts ON memory_texts.id = text WHERE memory_id = ?",
        (str(memory_id),),
    ).fetchone()
    return found


def storable(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without what is derived: mem0's lemmas (keywords are made here), and a mark that the row itself has."""
    return {key: value for key, value in payload.items() if key not in ("text_lemmatized", "superseded_by")}


def owner(payload: Mapping[str, Any]) -> str:
    """Whose memory it is. Raises ValueError where the payload doesn't say."""
    user_id = payload.get("user_id")
    if not isinstance(user_id, str) or not user_id:
        raise ValueError("the payload holds no user_id: a memory belongs to a person")
    return user_id


def top(
    conn: sqlite3.Connection,
    matrix: Matrix,
    scores: npt.NDArray[Any],
    among: Mask,
    limit: int,
    wanted: Query,
    *,
    later_first: bool = False,
) -> Rows:
    """The best rows that satisfy the whole filter, with their payloads."""
    most = limit if wanted.rest is None else len(scores)
    places = person_cache.best(scores, among, most, later_first=later_first)
    found: Rows = []
    for start in range(0, len(places), 500):
        batch = places[start : start + 500]
        ids = matrix.rows["id"][batch].tolist()
        stored = fetch(conn, ids)
        for place, number in zip(batch, ids, strict=True):
            memory = stored.get(number)
            if memory is None or (wanted.rest is not None and not wanted.rest(memory.payload)):
                continue
            memory.score = float(scores[place])
            found.append(memory)
            if len(found) == limit:
                return found
    return found
