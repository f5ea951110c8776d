"""A bounded cache of people's memories as arrays, the same for every database.

Each use asks the database for changes, so that other processes' writes are seen immediately. If memories were only
appended, only those are read, and vectors are read again only if vectors were changed.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.vectors.matrix import CacheState, Matrix, Read, Reader, RowArray, Terms
from bot.memory.vectors.values import ROW, Vector

#: Bytes of a store's cache: enough for 50,000 memories of one person, or for a thousand people with 50 each.
CACHE_BYTES = 60 << 20


@dataclass(slots=True)
class _Entry:
    """A cached person. The buffers have room to grow; a Matrix sees only what was there when it was created."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    known: CacheState | None = None
    rows: RowArray = field(default_factory=lambda: np.empty(0, dtype=ROW))
    terms: Terms = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    #: None if they don't fit into the cache.
    vectors: Vector | None = None
    count: int = 0

    @property
    def size(self) -> int:
        return 2000 + self.rows.nbytes + self.terms.nbytes + (self.vectors.nbytes if self.vectors is not None else 0)


class Cache:
    """The matrices of the most recently used people, `limit` bytes in total, for vectors of `dims`. Thread-safe."""

    def __init__(self, limit: int, dims: int) -> None:
        self._limit = limit
        self._dims = dims
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def matrix(self, reader: Reader) -> Matrix | None:
        """The person's memories as they are now; None if nothing is stored about that person."""
        with self._lock:
            entry = self._entries.setdefault(reader.key, _Entry())
            self._entries.move_to_end(reader.key)
        with entry.lock:
            if not self._refresh(reader, entry):
                self.drop(reader.key)
                return None
            vectors = None if entry.vectors is None else entry.vectors[: entry.count]
            matrix, size = Matrix(entry.rows[: entry.count], entry.terms, vectors), entry.size
        self._account(reader.key, entry, size)
        return matrix

    def drop(self, key: Hashable) -> None:
        """Drop a person's entry: what was erased must not stay in memory, either."""
        with self._lock:
            self._entries.pop(key, None)
            self._total -= self._sizes.pop(key, 0)

    def clear(self) -> None:
        """Drop all entries."""
        with self._lock:
            self._entries.clear()
            self._sizes.clear()
            self._total = 0

    def _account(self, key: Hashable, entry: _Entry, size: int) -> None:
        with self._lock:
            if self._entries.get(key) is not entry:
                return
            self._total += size - self._sizes.get(key, 0)
            self._sizes[key] = size
            while self._total > self._limit and self._entries:
                oldest, _ = self._entries.popitem(last=False)
                self._total -= self._sizes.pop(oldest, 0)

    def _fits(self, entry: _Entry) -> bool:
        return (entry.count * (self._dims * 4 + ROW.itemsize) + entry.terms.nbytes) * 17 // 16 + 2000 <= self._limit

    def _refresh(self, reader: Reader, entry: _Entry) -> bool:
        large = entry.known is not None and entry.vectors is None
        read = reader.read(entry.known, 0 if large else self._limit * 16 // 17)
        if read is None:
            return False
        vectors = None if large else read.vectors
        if read.whole:
            entry.vectors = _all_vectors(entry, read) if vectors is not None else None
            entry.rows, entry.terms, entry.count = read.rows, read.terms, len(read.rows)
        elif len(read.rows):
            _append(entry, read.rows, read.terms, vectors)
        entry.known = CacheState(read.revision, int(entry.rows["id"][entry.count - 1]) if entry.count else -1)
        fits = self._fits(entry)
        if not fits:
            entry.vectors = None
        elif large:
            entry.known = None
            return self._refresh(reader, entry)
        return True


def _all_vectors(entry: _Entry, read: Read) -> Vector:
    """The vectors of all rows read: those kept from before, then those that were read."""
    assert read.vectors is not None
    stay = read.rows["id"][: len(read.rows) - len(read.vectors)]
    if not len(stay) or entry.vectors is None:
        return read.vectors
    return np.concatenate([entry.vectors[np.searchsorted(entry.rows["id"][: entry.count], stay)], read.vectors])


def _append(entry: _Entry, rows: RowArray, terms: Terms, vectors: Vector | None) -> None:
    end = entry.count + len(rows)
    if end > len(entry.rows):
        # Readers keep the former buffers. A sixteenth of spare room makes appending cheap on average.
        entry.rows = _grown(entry.rows, entry.count, end)
        entry.vectors = _grown(entry.vectors, entry.count, end) if entry.vectors is not None else None
    entry.rows[entry.count : end] = rows
    entry.terms = np.concatenate([entry.terms, terms]) if len(terms) else entry.terms
    if entry.vectors is not None and vectors is not None:
        entry.vectors[entry.count : end] = vectors
    else:
        entry.vectors = None
    entry.count = end


def _grown(buffer: npt.NDArray[Any], count: int, end: int) -> npt.NDArray[Any]:
    grown = np.empty((end + end // 16, *buffer.shape[1:]), dtype=buffer.dtype)
    grown[:count] = buffer[:count]
    return grown
