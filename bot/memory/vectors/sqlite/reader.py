"""Reads one person's memories from the SQLite file, as arrays."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.memory.vectors.matrix import CacheState, Matrix, Read, Revision, RowArray, Terms
from bot.memory.vectors.scoring import Mask, Places
from bot.memory.vectors.sqlite import rows as store
from bot.memory.vectors.sqlite.rows import Layout, PersonRow
from bot.memory.vectors.sqlite.schema import SEQ_BITS
from bot.memory.vectors.values import ROW, Floats, Vector

_COLUMNS = "id, created_at, seen_at, length, audience, run, conversation, signature, superseded_by IS NOT NULL"
_SEQ = (1 << SEQ_BITS) - 1
#: Keywords stay in the file, which has an index of them.
_NO_TERMS: Terms = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class SqliteReader:
    """`bot.memory.vectors.matrix.Reader` in a connection's read transaction, in which `person` was read."""

    conn: sqlite3.Connection
    layout: Layout
    key: bytes
    person: PersonRow

    def read(self, known: CacheState | None, room: int) -> Read:
        """See the protocol, as for each method."""
        person, layout = self.person, self.layout
        now = Revision(person.version, person.edits, person.revectored, person.salt)
        former = known.revision if known is not None else None
        if former == now:
            return Read(now, False, np.empty(0, dtype=ROW), _NO_TERMS, None)
        if former is not None and (former.salt, former.revectored) != (now.salt, now.revectored):
            known = None
        elif former is not None and former.version > now.version:
            known = None  # another thread has read a newer state than this transaction's
        whole = known is None or known.revision.edits != now.edits
        first, last = person.rows
        span = first if whole or known is None else max(first, known.last + 1), last
        rows = np.fromiter(
            self.conn.execute(f"SELECT {_COLUMNS} FROM memories WHERE id BETWEEN ? AND ?", span), dtype=ROW
        )
        new = rows if known is None else rows[rows["id"] > known.last]
        vectors = None
        if len(new) * layout.blocks.dims * 4 <= room:
            vectors = np.zeros((len(new), layout.blocks.dims), dtype=np.float32)
            for start, block in self._blocks(new):
                vectors[start : start + len(block)] = block
        return Read(now, whole, rows, _NO_TERMS, vectors)

    def cosines(self, rows: RowArray, vector: Vector) -> Floats:
        scores = np.zeros(len(rows), dtype=np.float32)
        for start, block in self._blocks(rows):
            scores[start : start + len(block)] = block @ vector
        return scores

    def held(self, matrix: Matrix, among: Mask, terms: Counter[str]) -> Iterator[tuple[Places, Floats, float]]:
        # Maps a memory's seq to its position, -1 if it isn't in `among` or is past the end: cheaper than a binary
        # search for each posting.
        counted = np.flatnonzero(among).astype(np.int32)
        seqs = (matrix.rows["id"] & _SEQ)[counted]
        first, size = int(seqs[0]), int(seqs[-1] - seqs[0]) + 1
        place_of = np.full(size + 1, -1, dtype=np.int32)
        place_of[seqs - first] = counted
        for term, weight in terms.items():
            postings = store.postings(self.conn, self.person.id, self.person.salt, term)
            # What is before the first wraps around to far past the end.
            places = place_of[np.minimum(postings["seq"] - np.uint32(first), np.uint32(size))]
            held = places >= 0
            if held.any():
                yield places[held], postings["tf"][held].astype(np.float32), weight

    def holding(self, terms: Iterable[str]) -> list[int] | None:
        """The rows whose texts have all of these terms; None if no term is given, so that all rows may match."""
        found: npt.NDArray[np.uint32] | None = None
        for term in terms:
            seqs = store.postings(self.conn, self.person.id, self.person.salt, term)["seq"]
            found = np.unique(seqs) if found is None else np.intersect1d(found, seqs)
        if found is None:
            return None
        base = self.person.id << SEQ_BITS
        return [base | int(seq) for seq in found]

    def _blocks(self, rows: RowArray) -> Iterable[tuple[int, Vector]]:
        """The vectors of rows in ascending order, a few at a time, with the position of the first among the rows."""
        if not len(rows):
            return
        blocks = self.layout.blocks
        seqs = rows["id"] & _SEQ
        base = self.person.id << SEQ_BITS
        span = (base | int(seqs[0]) // blocks.slots, base | int(seqs[-1]) // blocks.slots)
        ends = np.searchsorted(seqs, np.arange(span[0] - base, span[1] - base + 2) * blocks.slots).tolist()
        found = self.conn.execute(f"SELECT id, vectors FROM {blocks.table} WHERE id BETWEEN ? AND ?", span)
        for block, stored in found:
            start, end = ends[block - span[0]], ends[block - span[0] + 1]
            if start == end:
                continue
            vectors = np.frombuffer(stored, dtype="<f4", offset=blocks.pad, count=blocks.slots * blocks.dims)
            vectors = vectors.reshape(blocks.slots, blocks.dims)
            if end - start < blocks.slots:
                vectors = vectors[seqs[start:end] - (block - base) * blocks.slots]
            yield start, vectors
