"""A lesson's transaction: new facts, their sources, what they supersede, and the mark that it is learned."""

from collections.abc import Sequence
from dataclasses import replace as changed
from datetime import UTC
from typing import Any

from bot.memory.vectors.lesson import Fact, Lesson, source_of, text_hash
from bot.memory.vectors.memories import Memories
from bot.memory.vectors.payloads import decode, text_of
from bot.memory.vectors.sources import stored, with_more
from bot.memory.vectors.told import restated
from bot.memory.vectors.values import Record
from bot.ports import MemoryUnavailable


def write(conn: Any, person: Memories, lesson: Lesson, records: Sequence[Record]) -> list[Fact]:
    """Store a lesson inside the caller's transaction; return the facts that are new.

    A fact that the person already has in this scope, apart from word endings and punctuation, adds its sources to that
    memory; so does one that says again what was kept word for word from the same message. Raises Superseded (from
    `lesson.commit`), and MemoryUnavailable if a fact has neither a record nor a memory that it repeats: mem0 drops
    facts that it can't embed, and they must not count as learned.
    """
    lesson.commit(conn)
    facts = dict(lesson.facts)
    by_hash: dict[str, Record] = {}
    for record in records:
        text = text_of(record.payload)
        by_hash[text_hash(text)] = record
        facts.setdefault(text_hash(text), Fact(text, tuple(map(source_of, lesson.exchanges))))

    added: list[Fact] = []
    learned: list[tuple[Fact, str]] = []
    for key, fact in facts.items():
        # By the scope where it was learned, which stays the same if its owner shares the memory.
        known = person.same(fact.text, lesson.scope)
        if known is None:
            vector = by_hash[key].vector if key in by_hash else None
            known = restated(person, lesson.scope, fact.sources, fact.text, vector)
        if known is not None:
            memory_id = known.memory_id
            # An answer that only repeats what was recalled would keep it beyond the message that taught it.
            if not fact.answered and (more := with_more(decode(known.payload), fact.sources)) is not None:
                person.replace(known.number, more)
        elif key in by_hash:
            memory_id = by_hash[key].memory_id
            person.add([_record(lesson, fact, by_hash[key])])
            added.append(fact)
        else:
            raise MemoryUnavailable("a fact came without a vector")
        learned.append((fact, memory_id))
    for fact, memory_id in learned:
        person.supersede([former for former in fact.supersedes if former != memory_id], memory_id, lesson.scope)
    return added


def _record(lesson: Lesson, fact: Fact, record: Record) -> Record:
    """The record with what mem0 doesn't carry: sources, audience, conversation, and when it was said."""
    payload = dict(record.payload)
    payload["audience"] = payload["run_id"] = lesson.scope  # mem0 doesn't accept white space in the latter
    payload["sources"] = [stored(source) for source in fact.sources]
    if fact.sources:
        first = min(fact.sources, key=lambda source: source.at)
        payload["created_at"] = payload["updated_at"] = first.at.astimezone(UTC).isoformat()
        conversations = {exchange.event_id: exchange.conversation for exchange in lesson.exchanges}
        if conversations.get(first.event_id):
            payload["conversation"] = conversations[first.event_id]
    return changed(record, payload=payload)
