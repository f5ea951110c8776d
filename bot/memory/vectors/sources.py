"""What becomes of a memory's sources when an account, a workspace or a message goes.

Pure functions over payloads, for all our stores.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.memory.vectors import payloads
from bot.memory.vectors.lesson import text_hash
from bot.memory.vectors.payloads import Payload
from bot.model import PRIVATE_SCOPE, SHARED_SCOPE, Source

Sources = list[dict[str, Any]]


def sources_of(payload: Payload) -> Sources:
    """The events that taught a memory, in stored form."""
    return [dict(source) for source in payloads.sources_of(payload)]


def with_sources(payload: Payload, sources: Sources) -> dict[str, Any]:
    """The memory with only these sources, dated by the first of them."""
    return {**payload, "sources": sources, "created_at": min(str(source["at"]) for source in sources)}


def stored(source: Source) -> dict[str, Any]:
    """A source as payloads hold it."""
    at = source.at.astimezone(UTC).isoformat()
    held = {"event_id": source.event_id, "at": at, "place": source.place, "link": source.link}
    return {**held, "account": source.account} if source.account else held


def with_more(payload: Payload, more: Sequence[Source]) -> dict[str, Any] | None:
    """The memory with these sources as well; None if it has them all."""
    listed = sources_of(payload)
    known = {source["event_id"] for source in listed}
    new = [stored(source) for source in more if source.event_id not in known]
    return {**payload, "sources": [*listed, *new]} if new else None


def edited(payload: Payload, text: str, now: datetime) -> dict[str, Any]:
    """The memory with a text that its owner gave it."""
    at = now.astimezone(UTC).isoformat()
    return {**payload, "data": text, "hash": text_hash(text), "updated_at": at, "edited_at": at}


def shared(payload: Payload, *, wide: bool) -> dict[str, Any]:
    """The memory shared with every channel, or restricted to the audience where it was learned."""
    audience = payload.get("audience")
    if wide:
        return dict(payload) if audience == SHARED_SCOPE else {**payload, "audience": SHARED_SCOPE, "own": audience}
    if audience != SHARED_SCOPE:
        return dict(payload)
    closed = {key: value for key, value in payload.items() if key != "own"}
    return {**closed, "audience": payload.get("own") or payload.get("run_id") or PRIVATE_SCOPE}


def parted(payload: Payload, accounts: Collection[str] | None, home: str) -> tuple[Sources, Sources] | None:
    """The sources that go with these accounts (None: all), and those that stay; None if none goes.

    A source that names no account belongs to `home`, the account that the mem0 user id names.
    """
    sources = [{**source, "account": source.get("account") or home} for source in sources_of(payload)]
    if accounts is None:
        return sources, []
    going = [source for source in sources if source["account"] in accounts]
    staying = [source for source in sources if source["account"] not in accounts]
    return (going, staying) if going else None


def outside(payload: Payload, platform: str, workspace: str, former: Collection[str] = ()) -> Sources | None:
    """The sources left without a workspace's, [] if the memory goes; None if it isn't affected.

    `former` are accounts that belong to the workspace, though their keys don't say so.
    """
    scope = str(payload.get("own") or payload.get("audience") or "")
    if scope == f"public:{platform}:{workspace}" or scope.startswith(f"members:{platform}:{workspace}:"):
        return []
    prefix = f"{platform}:{workspace}:"
    sources = sources_of(payload)
    if not sources:
        owner = str(payload.get("user_id", ""))
        return [] if owner.startswith(prefix) or owner in former else None
    left = [
        source
        for source in sources
        if not str(source.get("account", "")).startswith(prefix)
        and source.get("account") not in former
        and not str(source["event_id"]).startswith(prefix)
    ]
    return None if len(left) == len(sources) else left


def without(payload: Payload, event_ids: Sequence[str]) -> Sources:
    """The sources other than these events."""
    return [source for source in sources_of(payload) if source["event_id"] not in event_ids]
