"""What people may do with their memories on PostgreSQL: the contract of `sqlite_rights`."""

import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import numpy as np

from bot.memory.vectors import sources
from bot.memory.vectors.postgres import erasure
from bot.memory.vectors.postgres import rows as postgres_rows
from bot.memory.vectors.postgres.rows import STORED, table_of
from bot.memory.vectors.postgres.schema import PARTS, part_of, person_key, table
from bot.memory.vectors.sources import Sources
from bot.memory.vectors.sqlite.reading import Row, owner
from bot.memory.vectors.sqlite.rights import BATCH
from bot.memory.vectors.sqlite.rows import Record, decode, unit
from bot.memory.vectors.sqlite.schema import Meta
from bot.storage.postgres_pool import Connection

_OWNERS = """
WITH RECURSIVE people AS (
    (SELECT person FROM {table} ORDER BY person LIMIT 1)
    UNION ALL
    SELECT (SELECT person FROM {table} WHERE person > people.person ORDER BY person LIMIT 1)
    FROM people WHERE people.person IS NOT NULL
)
SELECT (SELECT payload FROM {table} WHERE person = people.person ORDER BY seq LIMIT 1)
FROM people WHERE people.person IS NOT NULL
"""

Judge = Callable[[dict[str, Any]], Sources | None]


class PostgresRights:
    """Methods of `PostgresStore`."""

    _meta: Meta
    _dims: int
    _reading: Callable[[], AbstractContextManager[Connection]]
    _writing: Callable[..., AbstractContextManager[Connection]]
    scrub: Callable[[], None]

    def amend(
        self,
        user_id: str,
        memory_id: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        vector: Sequence[float] | None = None,
    ) -> Row | None:
        """Change a memory of that person, and its vector where one is given; None where it is gone or another's."""
        person = person_key(self._meta, user_id)
        with self._writing(erases=True) as conn:
            postgres_rows.lock(conn, person)
            own = f"{STORED} {table_of(person)} WHERE person = %s AND memory_id = %s"
            found = conn.execute(own, (person, memory_id)).fetchone()
            if found is None:
                return None
            postgres_rows.replace(conn, self._meta, person, found[0], change(decode(bytes(found[3]))))
            if vector is not None:
                postgres_rows.revector(conn, self._meta, person, found[0], unit(vector, self._dims))
            erasure.note(conn, part_of(person))
            changed = conn.execute(own, (person, memory_id)).fetchone()
        return postgres_rows.to_row(changed)

    def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget that events taught anything, to that person or to anybody; return how many memories were touched."""
        events = [self._meta.digest("event", event_id) for event_id in event_ids]
        only = None if user_id is None else person_key(self._meta, user_id)
        table = "memories" if only is None else table_of(only)
        with self._reading() as conn:
            found = conn.execute(
                f"SELECT DISTINCT person FROM {table} WHERE sources && %s::bigint[]"
                + ("" if only is None else " AND person = %s"),
                (events,) if only is None else (events, only),
            ).fetchall()
        touched = 0
        for (person,) in found:
            with self._writing(erases=True) as conn:
                postgres_rows.lock(conn, person)
                rows = conn.execute(
                    f"{STORED} {table_of(person)} WHERE person = %s AND sources && %s::bigint[] ORDER BY seq",
                    (person, events),
                ).fetchall()
                touched += self._reduce(
                    conn, person, rows, lambda payload: sources.without(payload, event_ids), revive=True
                )
        return touched

    def owners(self) -> list[str]:
        """Everybody who has memories, by one memory of each, found by steps through the index of people."""
        owners = []
        with self._reading() as conn:
            for part in range(PARTS):
                found = conn.execute(_OWNERS.format(table=table(part)))
                owners += [owner(decode(bytes(payload))) for (payload,) in found]
        return owners

    def sweep(self, judge: Judge) -> int:
        """Look at everybody's memories; keep the sources that `judge` leaves ([]: erase, None: let be); return how many
        memories were touched."""
        touched, after = 0, -1
        while True:
            with self._reading() as conn:
                found = conn.execute(
                    "SELECT seq, person, payload FROM memories WHERE seq > %s ORDER BY seq LIMIT %s", (after, BATCH)
                ).fetchall()
            if not found:
                break
            after = found[-1][0]
            wanted: dict[UUID, list[int]] = {}
            for seq, person, stored in found:
                if judge(decode(bytes(stored))) is not None:
                    wanted.setdefault(person, []).append(seq)
            for person, seqs in wanted.items():
                with self._writing() as conn:
                    postgres_rows.lock(conn, person)
                    own = f"{STORED} {table_of(person)} WHERE person = %s AND seq = ANY(%s)"
                    rows = conn.execute(own, (person, seqs)).fetchall()
                    touched += self._reduce(conn, person, rows, judge)
        if touched:
            self.scrub()  # once: each part of the table is rewritten whole, however many people of it were touched
        return touched

    def _reduce(
        self, conn: Connection, person: UUID, rows: Sequence[Any], judge: Judge, *, revive: bool = False
    ) -> int:
        touched = 0
        gone: list[str] = []
        for seq, memory_id, _, stored in rows:
            payload = decode(bytes(stored))
            left = judge(payload)
            if left is None:
                continue
            touched += 1
            if left:
                changed = sources.with_sources(payload, left)
                postgres_rows.replace(conn, self._meta, person, seq, changed)
            else:
                gone.append(memory_id)
        postgres_rows.erase(conn, person, "memory_id = ANY(%s)", [gone])
        if touched:
            erasure.note(conn, part_of(person))
        if revive:
            self._revive(conn, person, gone)
        return touched

    @staticmethod
    def _revive(conn: Connection, person: UUID, memory_ids: Sequence[str]) -> None:
        conn.execute(
            f"UPDATE {table_of(person)} SET superseded_by = NULL WHERE person = %s AND superseded_by = ANY(%s)",
            (person, list(memory_ids)),
        )

    def move(self, user_id: str, to: str, accounts: Collection[str] | None, home: str) -> int:
        """Give a person's memories to another, see `SqliteRights.move`."""
        if user_id == to:
            return 0
        former, target = person_key(self._meta, user_id), person_key(self._meta, to)
        with self._writing(erases=True) as conn:
            for person in sorted((former, target)):
                postgres_rows.lock(conn, person)
            found = conn.execute(
                f"SELECT seq, memory_id, superseded_by, payload, vector_{self._meta.number}::text"
                f" FROM {table_of(former)} WHERE person = %s ORDER BY seq",
                (former,),
            ).fetchall()
            records: list[Record] = []
            moved: dict[str, str] = {}
            replaced: dict[str, str | None] = {}
            gone: list[str] = []
            for seq, memory_id, by, stored, vector in found:
                payload = decode(bytes(stored))
                parts = sources.parted(payload, accounts, home)
                if parts is None:
                    continue
                going, staying = parts
                new_id = str(uuid.uuid4()) if staying else memory_id
                changed = sources.with_sources(payload, going) if going else payload
                floats = np.array(vector.strip("[]").split(","), dtype=np.float32)
                records.append(Record(new_id, floats, {**changed, "user_id": to}))
                moved[memory_id], replaced[new_id] = new_id, by
                if staying:
                    postgres_rows.replace(conn, self._meta, former, seq, sources.with_sources(payload, staying))
                else:
                    gone.append(memory_id)
            if not records:
                return 0
            postgres_rows.erase(conn, former, "memory_id = ANY(%s)", [gone])
            erasure.note(conn, part_of(former))
            if accounts is not None:
                self._revive(conn, former, gone)
            for record in records:
                postgres_rows.add(conn, self._meta, target, record)
            for new_id, by in replaced.items():
                if by:
                    conn.execute(
                        f"UPDATE {table_of(target)} SET superseded_by = %s WHERE person = %s AND memory_id = %s",
                        (moved.get(by, by if accounts is None else None), target, new_id),
                    )
            return len(records)
