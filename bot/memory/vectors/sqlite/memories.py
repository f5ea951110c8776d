"""One person's memories in the SQLite file, inside a writing transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bot.memory.vectors.sqlite import rows
from bot.memory.vectors.sqlite.rows import Layout, PersonRow
from bot.memory.vectors.sqlite.schema import SEQ_BITS
from bot.memory.vectors.values import Record, Stored, Vector

#: Selects the fields of `Stored`; a condition follows.
SELECT = (
    "SELECT memories.id, memory_id, superseded_by, payload FROM memories JOIN memory_texts ON memory_texts.id = text"
)
#: Numbers per statement.
BATCH = 500


def numbered(conn: sqlite3.Connection, numbers: Sequence[int]) -> list[Stored]:
    """The memories with these numbers that exist, whoever's."""
    found: list[Stored] = []
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        marks = ",".join("?" * len(batch))
        found += map(Stored._make, conn.execute(f"{SELECT} WHERE memories.id IN ({marks})", batch))
    return found


def taught(conn: sqlite3.Connection, layout: Layout, event_ids: Sequence[str], span: tuple[int, int]) -> list[int]:
    """The numbers, within a span, of the memories that any of these events taught."""
    found: set[int] = set()
    for event_id in event_ids:
        event = layout.meta.digest("event", event_id)
        by_event = "SELECT memory FROM memory_sources WHERE event = ? AND memory BETWEEN ? AND ?"
        found |= {number for (number,) in conn.execute(by_event, (event, *span))}
    return sorted(found)


class SqliteMemories:
    """`bot.memory.vectors.memories.Memories`. Call `finish` at the end."""

    def __init__(self, conn: sqlite3.Connection, layout: Layout, person: PersonRow) -> None:
        self._conn = conn
        self._layout = layout
        self._person = person
        self._next_seq = person.next_seq
        self._change = 0
        self._edited = False
        #: Whether anything, or everything, was erased.
        self.erased = self._gone = False

    def finish(self) -> None:
        """Record the changes in the person's row."""
        if self._gone or not (self._edited or self._next_seq != self._person.next_seq):
            return
        rows.finish(
            self._conn,
            self._layout,
            self._person,
            next_seq=self._next_seq,
            change=self._change,
            edited=self._edited,
        )

    def all(self) -> list[Stored]:
        """See the protocol, as for each method."""
        found = self._conn.execute(f"{SELECT} WHERE memories.id BETWEEN ? AND ?", self._person.rows)
        return [*map(Stored._make, found)]

    def located(self, memory_ids: Sequence[str]) -> list[Stored]:
        first, last = self._person.rows
        found: list[Stored] = []
        for memory_id in memory_ids:
            found += map(Stored._make, self._conn.execute(f"{SELECT} WHERE memory_id = ?", (memory_id,)))
        return [stored for stored in found if first <= stored.number <= last]

    def numbered(self, numbers: Sequence[int]) -> list[Stored]:
        first, last = self._person.rows
        return [stored for stored in numbered(self._conn, numbers) if first <= stored.number <= last]

    def taught_by(self, event_ids: Sequence[str]) -> list[Stored]:
        return numbered(self._conn, taught(self._conn, self._layout, event_ids, self._person.rows))

    def same(self, text: str, scope: str) -> Stored | None:
        found = self._conn.execute(
            f"{SELECT} WHERE memories.id BETWEEN ? AND ? AND signature = ? AND run = ?"
            " AND superseded_by IS NULL LIMIT 1",
            (*self._person.rows, rows.signature(self._person, text), self._layout.meta.digest("run", scope)),
        ).fetchone()
        return Stored._make(found) if found else None

    def vector(self, number: int) -> Vector:
        blocks = self._layout.blocks
        block, offset = blocks.place(number >> SEQ_BITS, number & (1 << SEQ_BITS) - 1)
        with self._conn.blobopen(blocks.table, "vectors", block, readonly=True) as blob:
            blob.seek(offset)
            return np.frombuffer(blob.read(blocks.dims * 4), dtype="<f4").astype(np.float32)

    def add(self, records: Sequence[Record]) -> None:
        if records:
            rows.add(self._conn, self._layout, self._person, self._next_seq, records)
            self._next_seq += len(records)
            self._change += len(records)

    def replace(self, number: int, payload: Mapping[str, Any]) -> None:
        rows.replace(self._conn, self._layout, self._person, number, payload)
        self._edited = True

    def revector(self, number: int, vector: Vector) -> None:
        rows.revector(self._conn, self._layout, self._person, number, vector)
        self._edited = True

    def erase(self, gone: Iterable[Stored]) -> int:
        erased = rows.erase(self._conn, self._layout, self._person, [stored.number for stored in gone])
        if erased:
            self._change -= erased
            self._edited = self.erased = True
        return erased

    def erase_all(self) -> int:
        self._gone = self.erased = True
        return rows.erase_person(self._conn, self._layout, self._person)

    def supersede(self, memory_ids: Sequence[str], by: str, scope: str) -> None:
        for memory_id in memory_ids:
            marked = self._conn.execute(
                "UPDATE memories SET superseded_by = ?"
                " WHERE memory_id = ? AND id BETWEEN ? AND ? AND run = ? AND superseded_by IS NULL",
                (by, memory_id, *self._person.rows, self._layout.meta.digest("run", scope)),
            )
            self._edited |= marked.rowcount > 0

    def superseded(self, by: Mapping[str, str | None]) -> None:
        self._conn.executemany(
            "UPDATE memories SET superseded_by = ? WHERE memory_id = ?",
            [(newer, memory_id) for memory_id, newer in by.items()],
        )
        self._edited |= bool(by)

    def revive(self, replaced_by: Sequence[str]) -> None:
        self._conn.executemany(
            "UPDATE memories SET superseded_by = NULL WHERE superseded_by = ? AND id BETWEEN ? AND ?",
            [(memory_id, *self._person.rows) for memory_id in replaced_by],
        )
        self._edited |= bool(replaced_by)
