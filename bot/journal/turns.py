"""Recent turns of a conversation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import off_record, thoughts, withdrawn
from bot.journal.columns import conversation_key, when
from bot.journal.runner import Runner
from bot.journal.tables import messages, turns
from bot.model import Nearby, Place, Replied, Turn

_COLUMNS = (turns.c.author, turns.c.name, turns.c.text, turns.c.at, turns.c.person_key)
_REPLIED = (
    sa.select(*_COLUMNS, turns.c.event_id)
    .where(turns.c.event_id.in_(sa.bindparam("events", expanding=True)), turns.c.kept_at >= sa.bindparam("since"))
    .order_by(turns.c.id)
)
_RECENT = (
    sa.select(*_COLUMNS, turns.c.number)
    .where(turns.c.conversation == sa.bindparam("conversation"), turns.c.kept_at >= sa.bindparam("since"))
    .order_by(turns.c.id.desc())
    .limit(sa.bindparam("limit"))
)


class SqlTurns:
    """`bot.ports.Turns`."""

    def __init__(self, runner: Runner, clock: Callable[[], float], *, limit: int, ttl: float) -> None:
        """At most `limit` turns of a conversation are shown (0: none), each for `ttl` seconds."""
        self._runner = runner
        self._clock = clock
        self._limit = limit
        self._ttl = ttl

    async def recent(self, conversation: str) -> list[Turn]:
        """The conversation's recent turns, oldest first, within the configured number and age."""
        if not self._limit:
            return []
        return await self._runner.read(recent, conversation, self._clock() - self._ttl, self._limit)

    async def replied(self, event: MessageEvent) -> Replied | None:
        """The exchange that an event replies to, or whose thread it is in; None if it is unknown or too long ago.

        Without turns if they were forgotten.
        """
        if not (self._limit and event.reply_to):
            return None
        return await self._runner.read(replied, event.reply_to, event.place, self._clock() - self._ttl)

    async def unused(self, event: MessageEvent, nearby: Sequence[Nearby]) -> set[str]:
        """The ids of messages around an event that aren't read with it (`bot.ports.Turns`)."""
        return await self._runner.read(unused, event, nearby, self._clock() - self._ttl if self._limit else math.inf)

    async def drop(self, conversation: str) -> int:
        """Delete the turns of a conversation; return how many there were."""
        return await self._runner.write(drop, conversation)


def recent(conn: sa.Connection, conversation: str, since: float, limit: int) -> list[Turn]:
    """The last turns kept since then, `limit` at most, oldest first, beginning with a person's.

    When they are more than that, half of them leave at once, at a place counted from the conversation's beginning:
    what goes before the next message then begins as what went before this one, and is in the model's prompt cache.
    """
    rows = conn.execute(_RECENT, {"conversation": conversation, "since": since, "limit": limit}).all()
    block = max(1, limit // 4 * 2)  # whole exchanges
    left = -(-(rows[0].number - limit) // block) * block if rows else 0
    found = [_turn(row[:-1]) for row in reversed(rows) if row.number > left]
    # An odd number cuts an exchange in two: an answer without its question is of no use.
    return found[1:] if found and found[0].author == "assistant" else found


def replied(conn: sa.Connection, message_id: str, place: Place, since: float) -> Replied | None:
    """The exchange that a message of a place, or the one above its thread, belongs to; None if it is too long ago.

    If it isn't, and none of its turns is kept, they were forgotten: the exchange is empty.

    A platform lets nobody reply across channels. But if a place has been opened to more people, what was said before
    stays behind.
    """
    seen = sa.select(messages.c.event_id, messages.c.place, messages.c.at).where(messages.c.message_id == message_id)
    found = conn.execute(seen).first()
    if found is None or found.at < since:
        return None
    where, _, audience = found.place.rpartition("#")
    same_audience = audience == conversation_key(place).rpartition("#")[2]
    if not same_audience or not where.startswith(f"{place.platform}:{place.workspace}:"):
        return None
    to_answer = found.event_id != message_id
    rows = conn.execute(_REPLIED, {"events": [*thoughts.answered_with(conn, [found.event_id])], "since": since}).all()
    answered = next((_turn(row[:-1]) for row in rows if row.author == "assistant"), None)
    asked = [_turn(row[:-1]) for row in rows if row.author == "user" and (to_answer or row.event_id == message_id)]
    question = replace(asked[0], text="\n\n".join(turn.text for turn in asked)) if asked else None
    return Replied(question, answered, to_answer=to_answer)


def unused(conn: sa.Connection, event: MessageEvent, nearby: Sequence[Nearby], since: float) -> set[str]:
    """The ids of messages around an event that aren't read with it.

    Their texts are among the turns kept since then; or were said off the record, and are shown no longer than those; or
    their author has had something forgotten after they were written. Of the bot's own, those also from before anybody
    around, or the person who asks, has, or anything that was said in this place is gone: they may repeat it.
    """
    ids = [message.id for message in nearby]
    place = conversation_key(event.place)
    people = {event.person.key, *(message.person_key for message in nearby if message.person_key)}
    forgotten = withdrawn.last_forgotten(conn, [place, *people])
    latest = max(forgotten.values(), default=0.0)
    asked = _asked_at(conn, ids)

    def is_gone(message: Nearby) -> bool:
        at = min(message.at.timestamp(), asked.get(message.id, math.inf))
        return at <= (forgotten.get(message.person_key, 0.0) if message.person_key else latest)

    gone = {message.id for message in nearby if is_gone(message)}
    return kept(conn, ids, since) | gone | off_record.marked_among(conn, ids)


def _asked_at(conn: sa.Connection, message_ids: Sequence[str]) -> dict[str, float]:
    """For those of the messages that are answers of the bot's: when their questions were admitted."""
    question = messages.alias("question")
    found = (
        sa.select(messages.c.message_id, question.c.at)
        .join(question, question.c.message_id == messages.c.event_id)
        .where(messages.c.message_id.in_(list(message_ids)), messages.c.message_id != messages.c.event_id)
    )
    return {message_id: at for message_id, at in conn.execute(found)}  # noqa: C416 - rows, not pairs


def kept(conn: sa.Connection, message_ids: Sequence[str], since: float) -> set[str]:
    """Those of these messages, people's and the bot's, whose texts are among the turns kept since then."""
    theirs = sa.and_(messages.c.message_id == messages.c.event_id, turns.c.author == "user")
    ours = sa.and_(messages.c.message_id != messages.c.event_id, turns.c.author == "assistant")
    found = (
        sa.select(messages.c.message_id)
        .join(turns, turns.c.event_id == messages.c.event_id)
        .where(messages.c.message_id.in_(list(message_ids)), turns.c.kept_at >= since, sa.or_(theirs, ours))
    )
    return set(conn.scalars(found))


def _turn(row: Sequence[Any]) -> Turn:
    author, name, text, at, person_key = row
    return Turn(author, name, text, when(at), person_key if author == "user" else "")


def drop(conn: sa.Connection, conversation: str) -> int:
    """Delete the turns of a conversation; return how many there were."""
    return conn.execute(sa.delete(turns).where(turns.c.conversation == conversation)).rowcount
