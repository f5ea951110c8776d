"""A lesson's transaction on PostgreSQL: new facts, their sources, what they replace, and that it is learned."""

from collections.abc import Sequence
from uuid import UUID

from bot.memory.vectors.lesson import Fact, Lesson, text_hash
from bot.memory.vectors.postgres import rows
from bot.memory.vectors.postgres.schema import person_key
from bot.memory.vectors.sqlite import lessons
from bot.memory.vectors.sqlite.rows import Record, decode
from bot.memory.vectors.sqlite.schema import Meta
from bot.model import Source
from bot.ports import MemoryUnavailable
from bot.storage.postgres_pool import Connection


def write(conn: Connection, meta: Meta, lesson: Lesson, records: Sequence[Record]) -> int:
    """Store a lesson inside the caller's transaction; return how many memories are new. See `lessons.write`."""
    person = person_key(meta, lesson.user_id)
    rows.lock(conn, person)
    lesson.commit(conn)
    facts = dict(lesson.facts)
    by_hash: dict[str, Record] = {}
    for record in records:
        text = rows.text_of(record.payload)
        by_hash[text_hash(text)] = record
        facts.setdefault(text_hash(text), Fact(text, lessons._all_sources(lesson)))

    added = 0
    learned: list[tuple[Fact, str]] = []
    for key, fact in facts.items():
        known = _same(conn, meta, person, lesson.scope, fact.text)
        if known is not None:
            seq, memory_id = known
            _add_sources(conn, meta, person, seq, fact.sources)
        elif key in by_hash:
            memory_id = by_hash[key].memory_id
            rows.add(conn, meta, person, lessons._record(lesson, fact, by_hash[key]))
            added += 1
        else:
            raise MemoryUnavailable("a fact came without a vector")
        learned.append((fact, memory_id))
    for fact, memory_id in learned:
        conn.execute(
            f"UPDATE {rows.table_of(person)} SET superseded_by = %s"
            " WHERE person = %s AND memory_id = ANY(%s) AND memory_id <> %s AND run = %s"
            " AND superseded_by IS NULL",
            (memory_id, person, list(fact.supersedes), memory_id, meta.digest("run", lesson.scope)),
        )
    return added


def _same(conn: Connection, meta: Meta, person: UUID, scope: str, text: str) -> tuple[int, str] | None:
    """The row and id of the live memory of that person and scope that says the same."""
    found = conn.execute(
        f"SELECT seq, memory_id FROM {rows.table_of(person)}"
        " WHERE person = %s AND signature = %s AND run = %s AND superseded_by IS NULL ORDER BY seq LIMIT 1",
        (person, rows.signature(person, text), meta.digest("run", scope)),
    ).fetchone()
    return (found[0], found[1]) if found else None


def _add_sources(conn: Connection, meta: Meta, person: UUID, seq: int, sources: Sequence[Source]) -> None:
    """Write the sources on a memory that repeats."""
    found = conn.execute(
        f"SELECT payload FROM {rows.table_of(person)} WHERE person = %s AND seq = %s", (person, seq)
    ).fetchone()
    payload = decode(bytes(found[0])) if found else {}
    listed = list(payload.get("sources") or ())
    known = {source["event_id"] for source in listed}
    new = [lessons._stored(source) for source in sources if source.event_id not in known]
    if new:
        payload["sources"] = listed + new
        rows.replace(conn, meta, person, seq, payload)
