"""Reads one person's memories from PostgreSQL, as arrays."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import capabilities

from bot.memory.vectors.matrix import CacheState, Matrix, Read, Revision, RowArray
from bot.memory.vectors.meta import Meta
from bot.memory.vectors.postgres import rows as store
from bot.memory.vectors.postgres.rows import table_of
from bot.memory.vectors.scoring import Mask, Places
from bot.memory.vectors.values import ROW, Floats, Vector
from bot.storage.postgres_pool import Connection

# One statement, so that it sees one state of the tables: it returns which, and all changes since the cached state.
_READ = """
SELECT people.version, people.edits, people.revectored, found.*
FROM memory_people AS people LEFT JOIN LATERAL (
    SELECT seq, created_at, seen_at, cardinality(terms), audience, run, conversation, signature,
        superseded_by IS NOT NULL, array_send(terms),
        CASE WHEN %(vectors)s AND (seq > %(last)s OR people.revectored <> %(revectored)s)
        THEN vector_send(vector_{number}) END
    FROM {table}
    WHERE person = people.person AND seq > CASE
        WHEN people.edits = %(edits)s AND people.revectored = %(revectored)s THEN %(last)s ELSE -1 END
    ORDER BY seq
) AS found ON true
WHERE people.person = %(person)s
"""
# The formats of array_send and vector_send: a header, then numbers, an array's with their lengths.
_ARRAY_HEAD, _ELEMENT = 20, np.dtype([("length", ">i4"), ("value", ">i4")])
_VECTOR_HEAD = 4
#: Rows that the driver fetches at a time, if it can.
_CHUNK = 500 if capabilities.has_stream_chunked() else 1


@dataclass(frozen=True, slots=True)
class PostgresReader:
    """`bot.memory.vectors.matrix.Reader` on a connection."""

    conn: Connection
    meta: Meta
    key: UUID

    def read(self, known: CacheState | None, room: int) -> Read | None:
        """See the protocol, as for each method."""
        former = known.revision if known is not None else Revision(-1, -1, -1)
        asked = {"person": self.key, "last": -1 if known is None else known.last, "vectors": room > 0}
        asked |= {"edits": former.edits, "revectored": former.revectored}
        sql = _READ.format(number=self.meta.number, table=table_of(self.key))
        now = None
        rows: list[Any] = []
        terms, vectors = bytearray(), bytearray()
        # Streamed, or the driver would hold a second copy of all vectors.
        found = self.conn.cursor().stream(sql, asked, binary=True, size=_CHUNK)
        for version, edits, revectored, *row, held, vector in found:
            now = Revision(version, edits, revectored)
            if row[0] is None:
                continue  # nothing has changed; breaking out would make the driver cancel the statement
            rows.append(tuple(row))
            terms += held[_ARRAY_HEAD:]
            if vector is not None and len(vectors) <= room:
                vectors += vector[_VECTOR_HEAD:]
        if now is None:
            return None
        return Read(
            now,
            (now.edits, now.revectored) != (former.edits, former.revectored),
            np.array(rows, dtype=ROW),
            np.frombuffer(terms, dtype=_ELEMENT)["value"].astype(np.int32),
            self._vectors(vectors) if 0 < room >= len(vectors) else None,
        )

    def _vectors(self, sent: bytearray) -> Vector:
        vectors = np.frombuffer(sent, dtype=np.float32).reshape(-1, self.meta.dims)
        return vectors.byteswap(inplace=True) if sys.byteorder == "little" else vectors

    def cosines(self, rows: RowArray, vector: Vector) -> Floats:
        found = self.conn.cursor(binary=True).execute(
            f"SELECT seq, (-(vector_{self.meta.number} <#> %s::vector))::real FROM {table_of(self.key)}"
            " WHERE person = %s ORDER BY seq",
            (store.literal(vector), self.key),
        )
        scores = np.array(found.fetchall(), dtype=[("id", "i8"), ("cosine", "f4")])
        # Rows erased since these were read score 0; those added since are ignored.
        cosines = np.zeros(len(rows), dtype=np.float32)
        there = np.isin(rows["id"], scores["id"], assume_unique=True)
        cosines[there] = scores["cosine"][np.searchsorted(scores["id"], rows["id"][there])]
        return cosines

    def held(self, matrix: Matrix, among: Mask, terms: Counter[str]) -> Iterator[tuple[Places, Floats, float]]:
        places = np.repeat(np.arange(len(matrix.rows), dtype=np.int32), matrix.rows["length"])
        for term, weight in store.term_keys(self.key, terms).items():
            held, counts = np.unique(places[matrix.terms == term], return_counts=True)
            counted = among[held]
            if counted.any():
                yield held[counted], counts[counted].astype(np.float32), weight
