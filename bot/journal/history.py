"""What was seen of a platform so far, for catching up after a gap."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from bot.journal.columns import when
from bot.journal.runner import Runner
from bot.journal.tables import messages

#: Messages that `recently_seen` returns at most, the newest before the others.
RECENT_LIMIT = 50_000


class SqlHistory:
    """`bot.ports.History`. By `write`, since it scans all messages on record: SQLite's reads hold the event loop."""

    def __init__(self, runner: Runner, clock: Callable[[], float], *, seen_ttl: float) -> None:
        self._runner = runner
        self._clock = clock
        self._seen_ttl = seen_ttl

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each place spoken in before: (its `Place.key`, the newest seen message's id, when it came)."""
        found = await self._runner.write(last_seen, platform)
        return [(place.rpartition("#")[0], message_id, when(at)) for place, message_id, at in found]

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """Messages and answers of the last `hours` before a platform's newest: (`Place.key`, id, when), in order."""
        found = await self._runner.write(recently_seen, platform, hours * 3600, self._clock() - self._seen_ttl)
        return [(place.rpartition("#")[0], message_id, when(at)) for place, message_id, at in found]


def by_person(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a record is of somebody's message, not of the bot's own."""
    return table.c.message_id == table.c.event_id


def last_seen(conn: sa.Connection, platform: str) -> list[tuple[str, str, float]]:
    """Each known place of a platform, its newest message of a person there, and when that came (seconds since 1970)."""
    newest = (
        sa.select(messages.c.place, sa.func.max(messages.c.at).label("at"))
        .where(messages.c.place.startswith(f"{platform}:", autoescape=True), by_person(messages))
        .group_by(messages.c.place)
        .subquery()
    )
    found = (
        sa.select(messages.c.place, sa.func.max(messages.c.message_id), newest.c.at)
        .join(newest, sa.and_(newest.c.place == messages.c.place, newest.c.at == messages.c.at))
        .where(by_person(messages))
        .group_by(messages.c.place, newest.c.at)
    )
    return [(place, message_id, at) for place, message_id, at in conn.execute(found)]


def recently_seen(conn: sa.Connection, platform: str, span: float, seen_since: float) -> list[tuple[str, str, float]]:
    """Each message, and each answer of the bot's, of a platform's last `span` seconds: place, id, when; oldest first.

    They are counted back from the newest: the last moment at which the platform was certainly connected.
    """
    there = messages.c.place.startswith(f"{platform}:", autoescape=True)
    newest: float | None = conn.execute(sa.select(sa.func.max(messages.c.at)).where(there)).scalar()
    if newest is None:
        return []
    recent = (
        sa.select(messages.c.place, messages.c.message_id, messages.c.at)
        .where(there, messages.c.at >= max(newest - span, seen_since))
        .order_by(messages.c.at.desc())
        .limit(RECENT_LIMIT)
    )
    return [(place, message_id, at) for place, message_id, at in reversed(conn.execute(recent).all())]
