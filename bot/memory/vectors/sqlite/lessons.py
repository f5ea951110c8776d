"""A lesson's transaction: new facts, their sources, what they replace, and the mark that all this is learned."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace as changed
from datetime import UTC
from typing import Any

from bot.memory.vectors.lesson import Fact, Lesson, source_of, text_hash
from bot.memory.vectors.sqlite import rows
from bot.memory.vectors.sqlite.rows import Layout, Person, Record
from bot.memory.vectors.sqlite.schema import signature_key
from bot.model import Source
from bot.ports import MemoryUnavailable
from bot.text import keywords


def write(conn: sqlite3.Connection, layout: Layout, lesson: Lesson, records: Sequence[Record]) -> int:
    """Store a lesson inside the caller's transaction; return how many memories are new.

    A fact that the person already has in this scope, word endings and punctuation aside, adds its sources to that
    memory. Raises lesson.Superseded (from `lesson.commit`), and MemoryUnavailable where a fact has neither a record nor
    a memory that it repeats: mem0 drops facts that it can't embed, and they must not count as learned.
    """
    lesson.commit(conn)
    person = rows.ensure_person(conn, layout, lesson.user_id)
    facts = dict(lesson.facts)
    by_hash: dict[str, Record] = {}
    for record in records:
        key = text_hash(str(record.payload.get("data", "")))
        by_hash[key] = record
        facts.setdefault(key, Fact(str(record.payload.get("data", "")), _all_sources(lesson)))

    seq, edited = person.next_seq, False
    learned: list[tuple[Fact, str]] = []
    for key, fact in facts.items():
        known = _same(conn, layout, person, lesson.scope, fact.text)
        if known is not None:
            row, memory_id = known
            edited |= _add_sources(conn, layout, person, row, fact.sources)
        elif key in by_hash:
            memory_id = by_hash[key].memory_id
            rows.add(conn, layout, person, seq, [_record(lesson, fact, by_hash[key])])
            seq += 1
        else:
            raise MemoryUnavailable("a fact came without a vector")
        learned.append((fact, memory_id))
    for fact, memory_id in learned:
        edited |= _supersede(conn, layout, person, lesson.scope, fact.supersedes, memory_id)
    added = seq - person.next_seq
    if added or edited:
        rows.finish(conn, layout, person, next_seq=seq, change=added, edited=edited)
    return added


def _all_sources(lesson: Lesson) -> tuple[Source, ...]:
    return tuple(map(source_of, lesson.exchanges))


def _record(lesson: Lesson, fact: Fact, record: Record) -> Record:
    """The record with what mem0 doesn't carry: sources, audience, conversation, and when it was said."""
    payload = dict(record.payload)
    payload["audience"] = payload["run_id"] = lesson.scope  # mem0 takes no white space in the second
    payload["sources"] = [_stored(source) for source in fact.sources]
    if fact.sources:
        first = min(fact.sources, key=lambda source: source.at)
        payload["created_at"] = payload["updated_at"] = first.at.astimezone(UTC).isoformat()
        conversations = {each.event_id: each.conversation for each in lesson.exchanges}
        if conversations.get(first.event_id):
            payload["conversation"] = conversations[first.event_id]
    return changed(record, payload=payload)


def _stored(source: Source) -> dict[str, Any]:
    at = source.at.astimezone(UTC).isoformat()
    stored = {"event_id": source.event_id, "at": at, "place": source.place, "link": source.link}
    return {**stored, "account": source.account} if source.account else stored


def _same(conn: sqlite3.Connection, layout: Layout, person: Person, scope: str, text: str) -> tuple[int, str] | None:
    """The row and id of the live memory of that person that says the same and was learned in that scope.

    By `run`, which stays when its owner opens the memory to a wider audience.
    """
    signature = signature_key(person.salt, keywords.signature(text))
    found: tuple[int, str] | None = conn.execute(
        "SELECT id, memory_id FROM memories"
        " WHERE id BETWEEN ? AND ? AND signature = ? AND run = ? AND superseded_by IS NULL LIMIT 1",
        (*person.rows, signature, layout.meta.digest("run", scope)),
    ).fetchone()
    return found


def _add_sources(conn: sqlite3.Connection, layout: Layout, person: Person, row: int, sources: Sequence[Source]) -> bool:
    """Write the sources on a memory that repeats; whether any was new."""
    ((stored,),) = conn.execute(
        "SELECT payload FROM memories JOIN memory_texts ON memory_texts.id = text WHERE memories.id = ?", (row,)
    )
    payload = rows.decode(stored)
    listed = rows.sources_of(payload)
    known = {source["event_id"] for source in listed}
    new = [_stored(source) for source in sources if source.event_id not in known]
    if not new:
        return False
    payload["sources"] = [*listed, *new]
    rows.replace(conn, layout, person, row, payload)
    return True


def _supersede(
    conn: sqlite3.Connection, layout: Layout, person: Person, scope: str, former: Sequence[str], by: str
) -> bool:
    """Mark memories of that person and scope as replaced by another; whether any was."""
    marked = 0
    for memory_id in former:
        if memory_id == by:
            continue
        marked += conn.execute(
            "UPDATE memories SET superseded_by = ?"
            " WHERE memory_id = ? AND id BETWEEN ? AND ? AND run = ? AND superseded_by IS NULL",
            (by, memory_id, *person.rows, layout.meta.digest("run", scope)),
        ).rowcount
    return marked > 0
