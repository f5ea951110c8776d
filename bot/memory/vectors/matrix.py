"""One person's memories as arrays, from whichever database, and how they are scored for a query."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bot.memory.vectors.meta import Meta
from bot.memory.vectors.scoring import Mask, Places, bm25, member
from bot.memory.vectors.values import Floats, Query, Scored, Vector
from bot.text import keywords

RowArray = npt.NDArray[Any]
Terms = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Revision:
    """Identifies the state of a person's memories.

    `version` changes with every write, `edits` with one that changes or erases stored memories, `revectored` with one
    that changes their vectors; `salt` if the person was erased and came back.
    """

    version: int
    edits: int
    revectored: int
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class CacheState:
    """What is cached of a person's memories: those of a revision, with `last` as their highest number."""

    revision: Revision
    last: int


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a person's memories beyond what is cached: all of them if `whole`, else what was appended.

    `vectors` are those of the last rows; the others' haven't changed. None if there are too many.
    """

    revision: Revision
    whole: bool
    rows: RowArray
    terms: Terms
    vectors: Vector | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """A person's memories at one moment: `rows` of dtype ROW in insertion order, and their unit `vectors`.

    `vectors` is None if they don't fit into the cache: they are then read for each search. `terms` are the keys of all
    rows' keywords, row by row, as many as each row's `length`; empty if the database has an index by keyword.
    """

    rows: RowArray
    terms: Terms
    vectors: Vector | None


class Reader(Protocol):
    """Reads one person's memories."""

    @property
    def key(self) -> Hashable:
        """The person's key."""
        ...

    def read(self, known: CacheState | None, room: int) -> Read | None:
        """What has changed, with at most `room` bytes of vectors; None if nothing is stored about the person."""
        ...

    def cosines(self, rows: RowArray, vector: Vector) -> Floats:
        """The cosine of each row's vector with a unit vector."""
        ...

    def held(self, matrix: Matrix, among: Mask, terms: Counter[str]) -> Iterable[tuple[Places, Floats, float]]:
        """For each term that occurs: the positions (not empty) of rows in `among` with it, its counts, its weight."""
        ...


def scored(meta: Meta, reader: Reader, matrix: Matrix | None, query: Query, vector: Vector | None, text: str) -> Scored:
    """The memories that a query selects, scored exactly for a unit vector and by BM25 for the words of a text.

    BM25's statistics are those of the selected memories.
    """
    if matrix is None:
        return Scored.none()
    rows = matrix.rows
    among = _among(meta, rows, query)
    if not among.any():
        return Scored.none()
    keyword = np.zeros(len(rows), dtype=np.float32)
    if terms := keywords.terms(text):
        lengths, total = rows["length"], int(np.count_nonzero(among))
        average = max(float(lengths[among].mean()), 1.0)
        keyword = bm25(lengths, total, average, reader.held(matrix, among, terms))
    if vector is None:
        return Scored(rows[among], np.zeros(len(rows), dtype=np.float32)[among], keyword[among])
    cosines = reader.cosines(rows, vector) if matrix.vectors is None else matrix.vectors @ vector
    return Scored(rows[among], np.asarray(cosines, dtype=np.float32)[among], keyword[among])


def _among(meta: Meta, rows: RowArray, query: Query) -> Mask:
    """Which rows the query selects."""
    mask = np.ones(len(rows), dtype=np.bool_)
    for column, values in (("audience", query.audiences), ("run", query.runs)):
        if values is not None:
            mask &= member(rows[column], (meta.digest(column, value) for value in values))
    if query.superseded is not None:
        mask &= rows["superseded"] == query.superseded
    return mask
