"""One person's memories as arrays, whatever database they are read from, and scored for a query."""

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

Rows = npt.NDArray[Any]
Terms = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Revision:
    """What tells a person's memories at one moment from those at any other.

    `version` is another after every write, `edits` after one that changed or erased stored memories, `revectored`
    after one that changed their vectors; `salt` where the person was erased and came back.
    """

    version: int
    edits: int
    revectored: int
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class Known:
    """What of a person's memories is there already: those of a revision, of which `last` is the highest number."""

    revision: Revision
    last: int


@dataclass(frozen=True, slots=True)
class Read:
    """What has been read of a person's memories beyond what was known: `whole` for all of them, else what was appended.

    `vectors` are those of the last so many rows, the others' being as they were; None where they are too many.
    """

    revision: Revision
    whole: bool
    rows: Rows
    terms: Terms
    vectors: Vector | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """A person's memories at one moment: `rows` of dtype ROW in insertion order, and their unit `vectors` beside them.

    `vectors` is None where they are more than the cache may hold: they are then read for each search. `terms` are the
    keys of all rows' keywords, one row's after the other's, as many as its `length`; none where the database has them
    by keyword.
    """

    rows: Rows
    terms: Terms
    vectors: Vector | None


class Reader(Protocol):
    """Reads one person's memories."""

    @property
    def key(self) -> Hashable:
        """Whose they are."""
        ...

    def read(self, known: Known | None, room: int) -> Read | None:
        """What has changed, with at most `room` bytes of vectors; None where nothing is stored about the person."""
        ...

    def cosines(self, rows: Rows, vector: Vector) -> Floats:
        """The cosine of each row's vector with a unit vector."""
        ...

    def held(self, matrix: Matrix, among: Mask, terms: Counter[str]) -> Iterable[tuple[Places, Floats, float]]:
        """Each term that occurs: the places of the rows in `among`, not empty, that hold it, how often, its weight."""
        ...


def scored(meta: Meta, reader: Reader, matrix: Matrix | None, query: Query, vector: Vector | None, text: str) -> Scored:
    """The memories that a query is about, scored exactly for a unit vector and by BM25 for the words of a text.

    The statistics of BM25 are those of the memories that the query is about.
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


def _among(meta: Meta, rows: Rows, query: Query) -> Mask:
    """Which rows the query is about."""
    mask = np.ones(len(rows), dtype=np.bool_)
    for column, values in (("audience", query.audiences), ("run", query.runs)):
        if values is not None:
            mask &= member(rows[column], (meta.digest(column, value) for value in values))
    if query.superseded is not None:
        mask &= rows["superseded"] == query.superseded
    return mask
