"""One person's memories on PostgreSQL, inside a writing transaction that holds the person's lock."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from bot.memory.vectors.meta import Meta
from bot.memory.vectors.postgres import erasure, rows
from bot.memory.vectors.postgres.rows import STORED, table_of, to_stored
from bot.memory.vectors.postgres.schema import part_of
from bot.memory.vectors.values import Record, Stored, Vector
from bot.storage.postgres_pool import Connection


class PostgresMemories:
    """`bot.memory.vectors.memories.Memories`. Call `finish` at the end."""

    def __init__(self, conn: Connection, meta: Meta, person: UUID) -> None:
        rows.lock(conn, person)
        self._conn = conn
        self._meta = meta
        self.person = person
        self._table = table_of(person)
        self._stained = False
        #: Whether anything was erased.
        self.erased = False

    def finish(self) -> None:
        """Record that pages hold what was replaced."""
        if self._stained:
            erasure.note(self._conn, part_of(self.person))

    def _where(self, condition: str, *params: Any) -> list[Stored]:
        found = self._conn.execute(
            f"{STORED} {self._table} WHERE person = %s AND {condition} ORDER BY seq", (self.person, *params)
        )
        return [*map(to_stored, found)]

    def all(self) -> list[Stored]:
        """See the protocol, as for each method."""
        return self._where("true")

    def located(self, memory_ids: Sequence[str]) -> list[Stored]:
        return self._where("memory_id = ANY(%s)", [*memory_ids])

    def numbered(self, numbers: Sequence[int]) -> list[Stored]:
        return self._where("seq = ANY(%s)", [*numbers])

    def taught_by(self, event_ids: Sequence[str]) -> list[Stored]:
        return self._where("sources && %s::bigint[]", [self._meta.digest("event", event_id) for event_id in event_ids])

    def same(self, text: str, scope: str) -> Stored | None:
        run = self._meta.digest("run", scope)
        signature = rows.signature(self.person, text)
        found = self._where("signature = %s AND run = %s AND superseded_by IS NULL", signature, run)
        return found[0] if found else None

    def vector(self, number: int) -> Vector:
        found = self._conn.execute(
            f"SELECT vector_{self._meta.number}::text FROM {self._table} WHERE person = %s AND seq = %s",
            (self.person, number),
        ).fetchone()
        assert found is not None
        return np.array(found[0].strip("[]").split(","), dtype=np.float32)

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            rows.add(self._conn, self._meta, self.person, record)

    def replace(self, number: int, payload: Mapping[str, Any]) -> None:
        rows.replace(self._conn, self._meta, self.person, number, payload)
        self._stained = True

    def revector(self, number: int, vector: Vector) -> None:
        rows.revector(self._conn, self._meta, self.person, number, vector)
        self._stained = True

    def erase(self, gone: Iterable[Stored]) -> int:
        erased = rows.erase(self._conn, self.person, "seq = ANY(%s)", [[stored.number for stored in gone]])
        self.erased |= erased > 0
        return erased

    def erase_all(self) -> int:
        self.erased = True
        return rows.erase_person(self._conn, self.person)

    def supersede(self, memory_ids: Sequence[str], by: str, scope: str) -> None:
        self._conn.execute(
            f"UPDATE {self._table} SET superseded_by = %s"
            " WHERE person = %s AND memory_id = ANY(%s) AND run = %s AND superseded_by IS NULL",
            (by, self.person, [*memory_ids], self._meta.digest("run", scope)),
        )

    def superseded(self, by: Mapping[str, str | None]) -> None:
        for memory_id, newer in by.items():
            self._conn.execute(
                f"UPDATE {self._table} SET superseded_by = %s WHERE person = %s AND memory_id = %s",
                (newer, self.person, memory_id),
            )

    def revive(self, replaced_by: Sequence[str]) -> None:
        self._conn.execute(
            f"UPDATE {self._table} SET superseded_by = NULL WHERE person = %s AND superseded_by = ANY(%s)",
            (self.person, [*replaced_by]),
        )
