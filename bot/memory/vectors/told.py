"""Facts kept word for word because their owner asks for it; what is learned from the same message adds to them."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from bot.memory.vectors.lesson import text_hash
from bot.memory.vectors.memories import Memories
from bot.memory.vectors.payloads import Payload, decode, sources_of, text_of
from bot.memory.vectors.sources import stored, with_more
from bot.memory.vectors.values import Record, Stored, Vector
from bot.model import Source, Told
from bot.text.keywords import content_terms

#: Words that one of two texts may have more if it says the same as the other.
MORE = 2
#: The cosine from which two texts with the same numbers say the same, whatever their words.
ALIKE = 0.9
#: What extractors call the person, and the words of the wish itself.
_FILLERS = frozenset(content_terms("user user's remember remembered note asked wants number"))


def write(
    conn: Any, person: Memories, told: Told, vectors: Sequence[Vector], still_asked: Callable[[Any], None]
) -> list[bool]:
    """Keep facts inside the caller's transaction; return for each whether this has kept it.

    Raises what `still_asked` raises.
    """
    still_asked(conn)
    kept = []
    for text, vector in zip(told.texts, vectors, strict=True):
        known = person.same(text, told.scope) or restated(person, told.scope, (told.source,), text, vector)
        if known is None:
            person.add([_record(told, text, vector)])
            kept.append(True)
            continue
        payload = decode(known.payload)
        # By an earlier attempt at the same answer, if so.
        kept.append(bool(payload.get("told")) and _taught_by(payload, told.source))
        if (more := with_more(payload, (told.source,))) is not None:
            person.replace(known.number, more)
    return kept


def restated(
    person: Memories, scope: str, sources: Sequence[Source], text: str, vector: Vector | None
) -> Stored | None:
    """The memory kept word for word from one of these sources that a text only says again; None if there is none."""
    for known in person.taught_by([source.event_id for source in sources]):
        payload = decode(known.payload)
        if known.superseded_by is not None or not payload.get("told") or payload.get("run_id") != scope:
            continue
        there = text_of(payload)
        if _says_the_same(text, there):
            return known
        if vector is not None and _numbers(text) == _numbers(there) and _cosine(vector, person, known) >= ALIKE:
            return known
    return None


def _says_the_same(text: str, other: str) -> bool:
    """Whether one of two texts has all words of the other, and hardly any more."""
    ours, theirs = (frozenset(content_terms(each)) - _FILLERS for each in (text, other))
    return bool(ours and theirs) and (ours <= theirs or theirs <= ours) and len(ours ^ theirs) <= MORE


def _cosine(vector: Vector, person: Memories, known: Stored) -> float:
    return float(vector @ person.vector(known.number))


def _numbers(text: str) -> frozenset[str]:
    return frozenset(term for term in content_terms(text) if any(letter.isdigit() for letter in term))


def _taught_by(payload: Payload, source: Source) -> bool:
    return any(each["event_id"] == source.event_id for each in sources_of(payload))


def _record(told: Told, text: str, vector: Vector) -> Record:
    at = told.source.at.astimezone(UTC).isoformat()
    payload = {
        "data": text,
        "hash": text_hash(text),
        "user_id": told.user_id,
        "run_id": told.scope,
        "audience": told.scope,
        "place": told.source.place,
        "conversation": told.conversation,
        "created_at": at,
        "updated_at": at,
        "told": True,
        "sources": [stored(told.source)],
    }
    return Record(str(uuid.uuid4()), vector, payload)
