"""One person's memories as arrays: read at once, kept in a bounded cache, and scored.

An entry of the cache is good as long as the person's counters in the file say so, so that another process's writes are
seen at once. What was only appended to is read from where the entry ends.
"""

import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.vectors.scoring import ROW, Mask, Places, bm25
from bot.memory.vectors.sqlite import rows as store
from bot.memory.vectors.sqlite.rows import Layout, Person
from bot.memory.vectors.sqlite.schema import SEQ_BITS
from bot.memory.vectors.values import Floats, Vector

Rows = npt.NDArray[Any]

_COLUMNS = "id, created_at, seen_at, length, audience, run, conversation, signature, superseded_by IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Matrix:
    """A person's memories at one moment: `rows` of dtype ROW in insertion order, and their unit `vectors` beside them.

    `vectors` is None where they are more than the cache may hold: they are then read for each search.
    """

    person: Person
    rows: Rows
    vectors: Vector | None


@dataclass(slots=True)
class _Entry:
    """A cached person. The buffers have room to grow; a Matrix sees only what was there when it was made."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    person: Person | None = None
    rows: Rows = field(default_factory=lambda: np.empty(0, dtype=ROW))
    vectors: Vector | None = None
    count: int = 0

    @property
    def size(self) -> int:
        return 2000 + self.rows.nbytes + (self.vectors.nbytes if self.vectors is not None else 0)


class Cache:
    """The matrices of the people last looked up, `limit` bytes in all. Safe in threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._sizes: dict[int, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def matrix(self, conn: sqlite3.Connection, layout: Layout, person: Person) -> Matrix:
        """The person's memories as they are in the connection's read transaction, in which `person` was read."""
        with self._lock:
            entry = self._entries.setdefault(person.id, _Entry())
            self._entries.move_to_end(person.id)
        with entry.lock:
            known = entry.person
            if known != person:
                if known is not None and known.salt == person.salt and known.version > person.version:
                    # Another thread has read a newer state; this transaction's own is read past the cache.
                    return self._fresh(conn, layout, person)
                self._refresh(conn, layout, entry, person)
            matrix = Matrix(
                person, entry.rows[: entry.count], None if entry.vectors is None else entry.vectors[: entry.count]
            )
            size = entry.size
        self._account(person.id, entry, size)
        return matrix

    def drop(self, person_id: int) -> None:
        """Let one person's go: what was erased shall not stay in memory either."""
        with self._lock:
            self._entries.pop(person_id, None)
            self._total -= self._sizes.pop(person_id, 0)

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._entries.clear()
            self._sizes.clear()
            self._total = 0

    def _account(self, key: int, entry: _Entry, size: int) -> None:
        with self._lock:
            if self._entries.get(key) is not entry:
                return
            self._total += size - self._sizes.get(key, 0)
            self._sizes[key] = size
            while self._total > self._limit and self._entries:
                oldest, _ = self._entries.popitem(last=False)
                self._total -= self._sizes.pop(oldest, 0)

    def _fits(self, layout: Layout, count: int) -> bool:
        return count * (layout.blocks.dims * 4 + ROW.itemsize) * 17 // 16 + 2000 <= self._limit

    def _fresh(self, conn: sqlite3.Connection, layout: Layout, person: Person) -> Matrix:
        rows = _read_rows(conn, person, 0)
        vectors = _read_vectors(conn, layout, person, rows) if self._fits(layout, len(rows)) else None
        return Matrix(person, rows, vectors)

    def _refresh(self, conn: sqlite3.Connection, layout: Layout, entry: _Entry, person: Person) -> None:
        known = entry.person
        same = known is not None and known.salt == person.salt and known.revectored == person.revectored
        if not same or known is None or entry.vectors is None:
            fresh = self._fresh(conn, layout, person)
            entry.rows, entry.vectors, entry.count = fresh.rows, fresh.vectors, len(fresh.rows)
        elif known.edits == person.edits:
            new = _read_rows(conn, person, known.next_seq)
            self._append(entry, new, _read_vectors(conn, layout, person, new))
        else:
            # Vectors stay with their rows: only those of rows that are new are read.
            rows = _read_rows(conn, person, 0)
            old, kept = entry.rows[: entry.count], np.count_nonzero(rows["id"] & _SEQ < known.next_seq)
            vectors = np.empty((len(rows), layout.blocks.dims), dtype=np.float32)
            vectors[:kept] = entry.vectors[np.searchsorted(old["id"], rows["id"][:kept])]
            vectors[kept:] = _read_vectors(conn, layout, person, rows[kept:])
            entry.rows, entry.vectors, entry.count = rows, vectors, len(rows)
        entry.person = person
        if not self._fits(layout, entry.count):
            entry.vectors = None

    @staticmethod
    def _append(entry: _Entry, rows: Rows, vectors: Vector) -> None:
        assert entry.vectors is not None
        end = entry.count + len(rows)
        if end > len(entry.rows):
            # Readers keep the former buffers; a sixteenth of room makes appending cheap on the whole.
            grown_rows = np.empty(end + end // 16, dtype=ROW)
            grown_rows[: entry.count] = entry.rows[: entry.count]
            grown_vectors = np.empty((len(grown_rows), vectors.shape[1]), dtype=np.float32)
            grown_vectors[: entry.count] = entry.vectors[: entry.count]
            entry.rows, entry.vectors = grown_rows, grown_vectors
        entry.rows[entry.count : end] = rows
        entry.vectors[entry.count : end] = vectors
        entry.count = end


_SEQ = (1 << SEQ_BITS) - 1


def _read_rows(conn: sqlite3.Connection, person: Person, from_seq: int) -> Rows:
    first, last = person.rows
    found = conn.execute(f"SELECT {_COLUMNS} FROM memories WHERE id BETWEEN ? AND ?", (first + from_seq, last))
    return np.fromiter(found, dtype=ROW)


def _read_vectors(conn: sqlite3.Connection, layout: Layout, person: Person, rows: Rows) -> Vector:
    vectors = np.zeros((len(rows), layout.blocks.dims), dtype=np.float32)
    for start, block in _blocks(conn, layout, person, rows):
        vectors[start : start + len(block)] = block
    return vectors


def _blocks(conn: sqlite3.Connection, layout: Layout, person: Person, rows: Rows) -> Iterable[tuple[int, Vector]]:
    """The vectors of rows in ascending order, a few at a time, with the place of the first among the rows."""
    if not len(rows):
        return
    blocks = layout.blocks
    seqs = rows["id"] & _SEQ
    base = person.id << SEQ_BITS
    span = (base | int(seqs[0]) // blocks.slots, base | int(seqs[-1]) // blocks.slots)
    ends = np.searchsorted(seqs, np.arange(span[0] - base, span[1] - base + 2) * blocks.slots).tolist()
    for block, stored in conn.execute(f"SELECT id, vectors FROM {blocks.table} WHERE id BETWEEN ? AND ?", span):
        start, end = ends[block - span[0]], ends[block - span[0] + 1]
        if start == end:
            continue
        vectors = np.frombuffer(stored, dtype="<f4", offset=blocks.pad, count=blocks.slots * blocks.dims)
        vectors = vectors.reshape(blocks.slots, blocks.dims)
        if end - start < blocks.slots:
            vectors = vectors[seqs[start:end] - (block - base) * blocks.slots]
        yield start, vectors


def semantic(conn: sqlite3.Connection, layout: Layout, matrix: Matrix, vector: Vector) -> Floats:
    """The cosine of every row's vector with a unit vector: exact, float32."""
    if matrix.vectors is not None:
        return np.asarray(matrix.vectors @ vector, dtype=np.float32)
    scores = np.zeros(len(matrix.rows), dtype=np.float32)
    for start, block in _blocks(conn, layout, matrix.person, matrix.rows):
        scores[start : start + len(block)] = block @ vector
    return scores


def keyword(conn: sqlite3.Connection, matrix: Matrix, among: Mask, terms: Counter[str]) -> Floats:
    """BM25 of every row for the query's terms; statistics are those of the rows in `among`, the others score 0."""
    total = int(np.count_nonzero(among))
    if not total or not terms:
        return np.zeros(len(matrix.rows), dtype=np.float32)
    lengths = matrix.rows["length"]
    average = max(float(lengths[among].mean()), 1.0)
    return bm25(lengths, total, average, _held(conn, matrix, among, terms))


def _held(
    conn: sqlite3.Connection, matrix: Matrix, among: Mask, terms: Counter[str]
) -> Iterator[tuple[Places, Floats, float]]:
    """Each term that occurs: the places of the rows in `among` that hold it, how often, and its weight."""
    # From a memory's seq to its place, -1 where it is not in `among`, as are those past the end: cheaper than a binary
    # search for each of a term's postings.
    counted = np.flatnonzero(among).astype(np.int32)
    seqs = (matrix.rows["id"] & _SEQ)[counted]
    first, size = int(seqs[0]), int(seqs[-1] - seqs[0]) + 1
    place_of = np.full(size + 1, -1, dtype=np.int32)
    place_of[seqs - first] = counted
    for term, weight in terms.items():
        postings = store.postings(conn, matrix.person.id, matrix.person.salt, term)
        # What lies before the first wraps around to far past the end.
        places = place_of[np.minimum(postings["seq"] - np.uint32(first), np.uint32(size))]
        held = places >= 0
        if held.any():
            yield places[held], postings["tf"][held].astype(np.float32), weight


def holding(conn: sqlite3.Connection, person: Person, terms: Iterable[str]) -> list[int] | None:
    """The rows whose texts hold all of these terms; None where no term is given, that is, all rows may."""
    found: npt.NDArray[np.uint32] | None = None
    for term in terms:
        seqs = store.postings(conn, person.id, person.salt, term)["seq"]
        found = np.unique(seqs) if found is None else np.intersect1d(found, seqs)
    if found is None:
        return None
    base = person.id << SEQ_BITS
    return [base | int(seq) for seq in found]
