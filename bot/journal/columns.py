"""Conversions between the journal's values and its columns."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from bot import zones
from bot.events import MessageEvent
from bot.model import Attachment, Audience, Person, Place
from bot.text import secrets
from bot.text.clean import clean


def storable(text: str) -> str:
    """The text as both databases can hold it: null characters dropped, lone surrogates replaced."""
    return clean(text, "\N{REPLACEMENT CHARACTER}")


def kept(text: str) -> str:
    """The text as it is kept once it is answered: without the secrets that are in it."""
    return secrets.mask(storable(text))


def when(seconds: float, utc_offset: int = 0) -> datetime:
    """Seconds since 1970 as a time in UTC, or so many seconds ahead of it."""
    return datetime.fromtimestamp(seconds, timezone(timedelta(seconds=utc_offset)) if utc_offset else UTC)


def utc_offset(at: datetime) -> int:
    """How many seconds that time's clock is ahead of UTC."""
    return int((at.utcoffset() or timedelta()).total_seconds())


def due(next_try: sa.ColumnElement[float], now: float, max_pause: float) -> sa.ColumnElement[bool]:
    """Whether a time has come. One that is further off than the longest pause was set before the clock was set back."""
    return sa.or_(next_try <= now, next_try > now + max_pause)


def conversation_key(place: Place) -> str:
    """The key of a place that is one conversation: a DM or a thread.

    The audience is part of it: if a place is opened to more people, what was said before stays behind.
    """
    return f"{place.key}#{place.audience}" + ("+external" if place.external else "")


def to_json(event: MessageEvent) -> str:
    """The event as one line of ASCII JSON."""
    person, place = event.person, event.place
    return json.dumps(
        {
            "id": event.id,
            "person": [person.platform, person.workspace, person.user],
            "place": [place.platform, place.workspace, place.channel, place.thread, place.audience, place.name],
            "text": event.text,
            "name": event.name,
            "at": event.at.isoformat(),
            "attachments": [file.name for file in event.attachments],
            "link": event.link,
            "reply_to": event.reply_to,
            "quoted": event.quoted,
            "forwarded": event.forwarded,
            "notice": event.notice,
            # Apart from the place and from the names, so that earlier versions can read the event.
            **({"external": True} if place.external else {}),
            **({"bare": True} if event.bare else {}),
            **({"files": [_reference(file) for file in event.attachments]} if event.attachments else {}),
            **({"quoted_files": [_reference(file) for file in event.quoted_files]} if event.quoted_files else {}),
            **({"zone": zone} if (zone := zones.name_of(event.at.tzinfo)) else {}),
        },
        separators=(",", ":"),
    )


def from_json(payload: str) -> MessageEvent:
    """The event of `to_json`, equal in every field that is stored."""
    data = json.loads(payload)
    platform, workspace, channel, thread, audience, name = data["place"]
    at, zone = datetime.fromisoformat(data["at"]), zones.named(data.get("zone", ""))
    return MessageEvent(
        id=data["id"],
        person=Person(*data["person"]),
        place=Place(platform, workspace, channel, thread, Audience(audience), name, bool(data.get("external"))),
        text=data["text"],
        name=data["name"],
        at=at if zone is None else at.astimezone(zone),
        attachments=tuple(_attachments(data)),
        link=data["link"],
        reply_to=data["reply_to"],
        # An event that an earlier version recorded has none of these.
        quoted=data.get("quoted", ""),
        forwarded=tuple(data.get("forwarded", ())),
        notice=data.get("notice", ""),
        bare=bool(data.get("bare")),
        quoted_files=tuple(Attachment(*reference) for reference in data.get("quoted_files", ())),
    )


def _reference(file: Attachment) -> list[str | int]:
    """What is stored of a reference to a file: not where it can be fetched for now."""
    return [file.id, file.name, file.type, file.size, file.message]


def _attachments(data: dict[str, Any]) -> Iterator[Attachment]:
    if "files" in data:
        yield from (Attachment(*reference) for reference in data["files"])
    else:  # an earlier version recorded names alone
        yield from (Attachment("", name) for name in data["attachments"])
