"""What people may do with their memories on SQLite: change, share, move, and forget by where they came from."""

import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from bot.memory.vectors import person_cache, sources
from bot.memory.vectors.sources import Sources
from bot.memory.vectors.sqlite import reading, rows
from bot.memory.vectors.sqlite.rows import Layout, Person, Record, Vector
from bot.memory.vectors.sqlite.schema import SEQ_BITS

#: Memories looked at together, where everybody's are.
BATCH = 1000

_EVERYBODY = "SELECT memories.id, payload FROM memories JOIN memory_texts ON memory_texts.id = text"


class SqliteRights:
    """Methods of `SqliteStore`."""

    _layout: Layout
    _cache: person_cache.Cache
    _reading: Callable[[], AbstractContextManager[sqlite3.Connection]]
    _writing: Callable[..., AbstractContextManager[sqlite3.Connection]]

    def amend(
        self,
        user_id: str,
        memory_id: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        vector: Sequence[float] | None = None,
    ) -> reading.Row | None:
        """Change a memory of that person, and its vector where one is given; None where it is gone or another's."""
        with self._writing(erases=True) as conn:
            found = reading.located(conn, memory_id)
            if found is None or rows.decode(found[1]).get("user_id") != user_id:
                return None
            person = self._known(conn, user_id)
            rows.replace(conn, self._layout, person, found[0], change(rows.decode(found[1])))
            if vector is not None:
                rows.revector(conn, self._layout, person, found[0], rows.unit(vector, self._layout.blocks.dims))
            rows.finish(conn, self._layout, person, next_seq=person.next_seq, change=0, edited=True)
            changed = conn.execute(f"{reading.SELECT} WHERE memories.id = ?", (found[0],)).fetchone()
        return reading.row(changed)

    def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget that events taught anything, to that person or to anybody; return how many memories were touched."""
        with self._reading() as conn:
            if not self._taught_by(conn, event_ids, user_id):
                return 0
        with self._writing(erases=True) as conn:
            wanted = self._taught_by(conn, event_ids, user_id)
            return self._reduce(conn, wanted, lambda payload: sources.without(payload, event_ids), revive=True)

    def _taught_by(self, conn: sqlite3.Connection, event_ids: Sequence[str], user_id: str | None) -> list[int]:
        first, last = 0, (1 << 63) - 1
        if user_id is not None:
            person = rows.find_person(conn, self._layout, user_id)
            if person is None:
                return []
            first, last = person.rows
        found: set[int] = set()
        for event_id in event_ids:
            event = self._layout.meta.digest("event", event_id)
            found |= {
                row
                for (row,) in conn.execute(
                    "SELECT memory FROM memory_sources WHERE event = ? AND memory BETWEEN ? AND ?", (event, first, last)
                )
            }
        return sorted(found)

    def owners(self) -> list[str]:
        """Everybody who has memories, by one memory of each."""
        one = (
            "SELECT payload FROM memories JOIN memory_texts ON memory_texts.id = text WHERE memories.id BETWEEN ? AND ?"
        )
        owners = []
        with self._reading() as conn:
            for (number,) in conn.execute("SELECT id FROM memory_people WHERE count > 0").fetchall():
                span = number << SEQ_BITS, (number + 1 << SEQ_BITS) - 1
                if found := conn.execute(f"{one} LIMIT 1", span).fetchone():
                    owners.append(reading.owner(rows.decode(found[0])))
        return owners

    def sweep(self, judge: Callable[[dict[str, Any]], Sources | None]) -> int:
        """Look at everybody's memories; keep the sources that `judge` leaves ([]: erase, None: let be); return how many
        memories were touched."""
        touched, after = 0, -1
        while True:
            with self._reading() as conn:
                batch = conn.execute(f"{_EVERYBODY} WHERE memories.id > ? ORDER BY memories.id LIMIT ?", (after, BATCH))
                found = batch.fetchall()
            if not found:
                return touched
            after = found[-1][0]
            wanted = [row for row, stored in found if judge(rows.decode(stored)) is not None]
            if wanted:
                with self._writing(erases=True) as conn:
                    touched += self._reduce(conn, wanted, judge)

    def _reduce(
        self,
        conn: sqlite3.Connection,
        wanted: Iterable[int],
        judge: Callable[[dict[str, Any]], Sources | None],
        *,
        revive: bool = False,
    ) -> int:
        """Leave memories the sources that `judge` says; with `revive`, what an erased one had replaced is in force."""
        touched = 0
        by_person: dict[int, list[int]] = {}
        for row in wanted:
            by_person.setdefault(row >> SEQ_BITS, []).append(row)
        for numbers in by_person.values():
            gone: dict[int, str] = {}
            person = None
            for row in numbers:
                found = conn.execute(f"{reading.SELECT} WHERE memories.id = ?", (row,)).fetchone()
                payload = rows.decode(found[3]) if found else {}
                left = judge(payload) if found else None
                if left is None:
                    continue
                person = person or self._known(conn, reading.owner(payload))
                touched += 1
                if left:
                    rows.replace(conn, self._layout, person, row, sources.with_sources(payload, left))
                else:
                    gone[row] = found[1]
            if person is None:
                continue
            erased = rows.erase(conn, self._layout, person, gone)
            if revive:
                self._revive(conn, person, gone.values())
            rows.finish(conn, self._layout, person, next_seq=person.next_seq, change=-erased, edited=True)
            self._cache.drop(person.id)
        return touched

    @staticmethod
    def _revive(conn: sqlite3.Connection, person: Person, memory_ids: Iterable[str]) -> None:
        """What these had replaced is in force again."""
        conn.executemany(
            "UPDATE memories SET superseded_by = NULL WHERE superseded_by = ? AND id BETWEEN ? AND ?",
            [(memory_id, *person.rows) for memory_id in memory_ids],
        )

    def move(self, user_id: str, to: str, accounts: Collection[str] | None, home: str) -> int:
        """Give a person's memories to another: all, or what these accounts taught; return how many.

        `home` is the account that sources without one are of.
        """
        if user_id == to:
            return 0
        with self._writing(erases=True) as conn:
            former = rows.find_person(conn, self._layout, user_id)
            if former is None:
                return 0
            target = rows.ensure_person(conn, self._layout, to)
            records: list[Record] = []
            moved: dict[str, str] = {}
            replaced: dict[str, str | None] = {}
            gone: dict[int, str] = {}
            for row, memory_id, by, stored in self._all(conn, former):
                payload = rows.decode(stored)
                parts = sources.parted(payload, accounts, home)
                if parts is None:
                    continue
                going, staying = parts
                new_id = str(uuid.uuid4()) if staying else memory_id
                changed = sources.with_sources(payload, going) if going else payload
                records.append(Record(new_id, self._vector(conn, row), {**changed, "user_id": to}))
                moved[memory_id], replaced[new_id] = new_id, by
                if staying:
                    rows.replace(conn, self._layout, former, row, sources.with_sources(payload, staying))
                else:
                    gone[row] = memory_id
            if not records:
                return 0
            erased = rows.erase(conn, self._layout, former, gone)
            if accounts is not None:
                self._revive(conn, former, gone.values())
            rows.finish(conn, self._layout, former, next_seq=former.next_seq, change=-erased, edited=True)
            rows.add(conn, self._layout, target, target.next_seq, records)
            # What has replaced a memory counts where both are: parted from it, the memory is in force.
            conn.executemany(
                "UPDATE memories SET superseded_by = ? WHERE memory_id = ?",
                [(moved.get(by, by if accounts is None else None), new_id) for new_id, by in replaced.items() if by],
            )
            end = target.next_seq + len(records)
            rows.finish(conn, self._layout, target, next_seq=end, change=len(records), edited=True)
            self._cache.drop(former.id)
            self._cache.drop(target.id)
            return len(records)

    @staticmethod
    def _all(conn: sqlite3.Connection, person: Person) -> list[Any]:
        return conn.execute(f"{reading.SELECT} WHERE memories.id BETWEEN ? AND ?", person.rows).fetchall()

    def _vector(self, conn: sqlite3.Connection, row: int) -> Vector:
        blocks = self._layout.blocks
        block, offset = blocks.place(row >> SEQ_BITS, row & (1 << SEQ_BITS) - 1)
        with conn.blobopen(blocks.table, "vectors", block, readonly=True) as blob:
            blob.seek(offset)
            return np.frombuffer(blob.read(blocks.dims * 4), dtype="<f4").astype(np.float32)

    def _known(self, conn: sqlite3.Connection, user_id: str) -> Person:
        person = rows.find_person(conn, self._layout, user_id)
        if person is None:
            raise sqlite3.DatabaseError("a memory without its person: the file is damaged")
        return person
