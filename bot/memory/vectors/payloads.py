"""mem0's payload of a memory: how it is stored, and what it contains."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Payload = Mapping[str, Any]


def encode(payload: Payload) -> bytes:
    """A payload in stored form, preserving lone surrogates."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(stored: bytes) -> dict[str, Any]:
    """The payload that `encode` was given."""
    payload: dict[str, Any] = json.loads(stored.decode("utf-8", "surrogatepass"))
    return payload


def storable(payload: Payload) -> dict[str, Any]:
    """A payload without what isn't stored in it: mem0's lemmas, which we don't use, and a mark that the row has."""
    return {key: value for key, value in payload.items() if key not in ("text_lemmatized", "superseded_by")}


def owner(payload: Payload) -> str:
    """The owner's user id. Raises ValueError if the payload has none."""
    user_id = payload.get("user_id")
    if not isinstance(user_id, str) or not user_id:
        raise ValueError("the payload holds no user_id: a memory belongs to a person")
    return user_id


def text_of(payload: Payload) -> str:
    """The memory's text; empty if it has none."""
    text = payload.get("data")
    return text if isinstance(text, str) else ""


def sources_of(payload: Payload) -> list[Payload]:
    """The events that a payload lists as its sources; somebody else's metadata under that name is ignored."""
    listed = payload.get("sources")
    if not isinstance(listed, list):
        return []
    return [source for source in listed if isinstance(source, Mapping) and source.get("event_id")]


def epoch(value: Any) -> float:
    """An ISO time as seconds since 1970, UTC by default; the present if it isn't a time."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        at = datetime.now(UTC)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def times(payload: Payload) -> tuple[float, float]:
    """When a memory was first and last said, in seconds since 1970."""
    created = epoch(payload.get("created_at"))
    return created, max([created, *(epoch(source.get("at")) for source in sources_of(payload))])
