"""A person's memories as JSON."""

from typing import Any

from bot.model import Memory, Source


def exported(memory: Memory) -> dict[str, Any]:
    """Everything known about a memory."""
    return {
        "id": memory.id,
        "text": memory.text,
        "learned_at": memory.learned_at.isoformat(),
        "edited_at": memory.edited_at.isoformat() if memory.edited_at else None,
        "audience": memory.scope,
        "superseded_by": memory.superseded_by,
        "sources": [_source(source) for source in memory.sources],
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "event": source.event_id,
        "at": source.at.isoformat(),
        "place": source.place,
        "link": source.link,
        "account": source.account,
    }
