"""Events: recorded before anything else, open until answered, claimed by one worker at a time."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import answers, messages, off_record, thoughts, withdrawn
from bot.journal.answers import Answered
from bot.journal.claims import CLAIMED, Claims
from bot.journal.columns import conversation_key, due, from_json, to_json
from bot.journal.runner import Runner
from bot.journal.tables import inbox
from bot.ports import ClaimLost
from bot.text import secrets

#: Seconds that an event is postponed at most, well above the core's longest pause.
MAX_PAUSE = 300.0

_OPEN = sa.insert(inbox)


class Unanswered(NamedTuple):
    """An event whose worker died or postponed it. `attempts` is how often it was resumed, this time included."""

    event: MessageEvent
    conversation: str
    attempts: int


class SqlInbox:
    """`bot.ports.Inbox`."""

    def __init__(self, runner: Runner, claims: Claims, clock: Callable[[], float], *, keep_turns: bool) -> None:
        """Without `keep_turns` no answer leaves any turns."""
        self._runner = runner
        self._claims = claims
        self._clock = clock
        self._keep_turns = keep_turns
        self._joined: dict[str, str] = {}

    async def admit(self, event: MessageEvent) -> str | None:
        """Record an event and claim it; return its conversation's key, None if it was seen before."""
        return await self._claims.admit(event.id, self._admit(event))

    async def _admit(self, event: MessageEvent) -> str | None:
        admitted = await self._runner.write(admit, event, self._claims.worker, self._clock())
        if admitted is None:
            return None
        if admitted.joined_to is not None:
            self._joined[event.id] = admitted.joined_to
        return admitted.conversation

    def joined(self, event_id: str) -> str | None:
        """The open event that one just admitted here has joined; None if it is to be answered by itself."""
        return self._joined.get(event_id)

    async def release(self, event_id: str) -> bool:
        """Whether an event that had joined another is to be answered by itself after all, by this process.

        False if it was answered with the other, will be, or is gone: nothing is left to be done here.
        """
        released = False
        try:
            released = await self._runner.write(thoughts.release, event_id, self._claims.worker)
        finally:
            # Even if that couldn't be told: `unanswered` then finds it.
            self._joined.pop(event_id, None)
            if not released:
                self._claims.end(event_id)
        return released

    async def confirm(self, event_id: str) -> None:
        """Return if an event is still this process's to answer; raise ClaimLost if it isn't any more."""
        await self._claims.confirm(event_id)

    async def reread(self, event: MessageEvent, *, joining: bool = True) -> MessageEvent | None:
        """The event with its current text, and with what has joined it, right before it is answered.

        Without `joining`, nothing joins it now. None if this process no longer holds it.
        """
        payloads = await self._runner.write(reread, event.id, self._claims.worker, joining=joining)
        if payloads is None:
            self._claims.end(event.id)
            return None
        payload, *joined = payloads
        current = event if payload == to_json(event) else replace(event, text=from_json(payload).text)
        return replace(current, joined=_thought(joined)) if joined or event.joined else current

    async def abandon_claim(self, event_id: str) -> None:
        """An attempt at a lost event has ended: if the event comes back to this process, it starts afresh."""
        self._claims.end(event_id)

    async def dismiss(self, event_id: str, *, together: bool = False) -> bool:
        """End an event that gets no answer; False if it isn't this process's to end.

        With `together`, what its answer would have been to as well ends with it.
        """
        self._joined.pop(event_id, None)
        if self._claims.is_lost(event_id):
            self._claims.end(event_id)
            return False
        ended = await self._runner.write(finish, event_id, self._claims.worker, together=together)
        self._claims.end(event_id)
        return ended

    async def postpone(self, event_id: str, seconds: float) -> None:
        """Give an event back: `unanswered` offers it, here or in another process, after so many seconds."""
        if self._claims.is_lost(event_id):
            self._claims.end(event_id)
            return
        try:
            await self._runner.write(postpone, event_id, self._claims.worker, self._clock() + seconds)
        finally:
            # Even if that couldn't be written: `unanswered` then finds it again, still claimed by this process.
            self._claims.end(event_id)

    async def unanswered(self, platforms: Collection[str] | None = None, limit: int = 100) -> list[Unanswered]:
        """Claim events that no living process is answering: left by a dead one, or postponed and due. Oldest first.

        Only those of these platforms (None: of all).
        """
        in_hand = [*self._claims.in_hand]
        found = await self._runner.write(unanswered, self._claims.worker, in_hand, self._clock(), limit, platforms)
        # Anything admitted meanwhile is in hand too: on PostgreSQL the query may run after its commit.
        now_in_hand = self._claims.in_hand
        found = [left for left in found if left.event.id not in now_in_hand]
        self._claims.hold(left.event.id for left in found)
        return found

    async def answered(
        self,
        event: MessageEvent,
        user_id: str,
        conversation: str,
        answer: str,
        message_ids: Sequence[str],
        *,
        learn: bool,
        keep: bool = True,
        read: Sequence[str] = (),
        introduced: bool = False,
        quotes: bool = False,
        off_record: bool = False,
    ) -> bool:
        """Commit both turns, the answer's message ids and (with `learn`) the exchange to learn, in one transaction.

        False, with no text kept, if the event was gone: deleted, forgotten with everything else, or taken over by
        another process. Without `keep` no text is kept either. With `read`, the answer's own text isn't kept;
        if it `quotes`, nothing is learned from it.
        """
        if self._claims.is_lost(event.id):
            raise ClaimLost(event.id)
        ids, worker = tuple(message_ids), self._claims.worker
        parts = event, user_id, conversation, answer, ids, learn, self._keep_turns, worker, keep, tuple(read)
        done = Answered(*parts, introduced=introduced, quotes=quotes, off_record=off_record)
        # A secret leaves the disk with the event, and isn't left in a free page or in the write-ahead log.
        said = [text for each in event.thought for text in (each.text, each.quoted, *each.forwarded)]
        commit = self._runner.erase if any(map(secrets.holds, said)) else self._runner.write
        was_open = bool(await commit(answers.commit, done, self._clock()))
        self._claims.end(event.id)
        for each in event.joined if was_open else ():
            self._claims.end(each.id)
        return was_open


class Admitted(NamedTuple):
    """A new event's conversation, and the open event that it has joined, if any."""

    conversation: str
    joined_to: str | None


def _thought(payloads: Sequence[str]) -> tuple[MessageEvent, ...]:
    """What has joined an event, in the order in which it was written."""
    return tuple(sorted(map(from_json, payloads), key=lambda event: (event.at, event.id)))


def admit(conn: sa.Connection, event: MessageEvent, worker: str, now: float) -> Admitted | None:
    """Record an event, claimed by `worker` or whoever has claimed what it joins; None if it was seen before."""
    conversation = messages.conversation_of(conn, event)
    if not messages.record(conn, event.id, event.id, conversation, conversation_key(event.place), now):
        withdrawn.release_ahead(conn, event, conversation, now)
        return None
    off_record.note_admitted(conn, event)
    first = thoughts.join(conn, event, conversation)
    if first is not None and first.conversation != conversation:
        conversation = messages.move(conn, event.id, first.conversation)
    conn.execute(
        _OPEN,
        {
            "event_id": event.id,
            "person_key": event.person.key,
            "conversation": conversation,
            "payload": to_json(event),
            "claimed_by": worker if first is None else first.claimed_by,
            "joined_to": None if first is None else first.event_id,
            "at": now,
        },
    )
    if first is not None:
        thoughts.tell(conn, first.event_id, worker)
    return Admitted(conversation, None if first is None else first.event_id)


def reread(conn: sa.Connection, event_id: str, worker: str, *, joining: bool = True) -> list[str] | None:
    """The payload of an event that is about to be answered, then those of what has joined it.

    None if that worker doesn't hold it.
    """
    given = {"event": event_id, "worker": worker}
    # An answer that starts now can't repeat what was forgotten or edited before.
    found: str | None = conn.execute(
        sa.update(inbox).where(CLAIMED).values(unkept=0).returning(inbox.c.payload), given
    ).scalar()
    return None if found is None else [found, *thoughts.include(conn, event_id, joining=joining)]


def finish(conn: sa.Connection, event_id: str, worker: str, *, together: bool = False) -> bool:
    """Delete an event without an answer. False if it isn't that worker's.

    It isn't any more if another worker has taken it over, or its person has had everything forgotten meanwhile.
    """
    ended = bool(conn.execute(sa.delete(inbox).where(CLAIMED), {"event": event_id, "worker": worker}).rowcount)
    if ended and together:
        thoughts.dismiss(conn, event_id)
    return ended


def postpone(conn: sa.Connection, event_id: str, worker: str, until: float) -> None:
    """Give an event back, to be resumed from `until` on; nothing happens if it isn't that worker's."""
    given = {"event": event_id, "worker": worker}
    if conn.execute(sa.update(inbox).where(CLAIMED).values(claimed_by=None, next_try=until), given).rowcount:
        thoughts.claim(conn, [event_id], None)


def unanswered(
    conn: sa.Connection,
    worker: str,
    in_hand: list[str],
    now: float,
    limit: int,
    platforms: Collection[str] | None = None,
) -> list[Unanswered]:
    """Claim up to `limit` events that no living worker answers, oldest first; of these platforms (None: of all).

    `in_hand` are the events that `worker` is answering; others under its name were admitted by a call that failed.
    """
    free = sa.or_(inbox.c.claimed_by.is_(None), sa.and_(inbox.c.claimed_by == worker, inbox.c.event_id.not_in(in_hand)))
    theirs = [inbox.c.person_key.startswith(f"{name}:", autoescape=True) for name in platforms or ()]
    thoughts.succeed(conn)
    chosen = (
        sa.select(inbox.c.event_id)
        .where(
            free,
            inbox.c.ahead == 0,
            inbox.c.joined_to.is_(None),
            due(inbox.c.next_try, now, MAX_PAUSE),
            sa.true() if platforms is None else sa.or_(sa.false(), *theirs),
        )
        .order_by(inbox.c.at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = conn.scalars(chosen).all()
    if not ids:
        return []
    rows = conn.execute(
        sa.update(inbox)
        .where(inbox.c.event_id.in_(ids))
        .values(claimed_by=worker, attempts=inbox.c.attempts + 1)
        .returning(inbox.c.payload, inbox.c.conversation, inbox.c.attempts, inbox.c.at)
    ).all()
    thoughts.claim(conn, ids, worker)
    joined = thoughts.included(conn, ids)

    def event(payload: str) -> MessageEvent:
        first = from_json(payload)
        return replace(first, joined=_thought(joined.get(first.id, ())))

    return [
        Unanswered(event(row.payload), row.conversation, row.attempts) for row in sorted(rows, key=lambda row: row.at)
    ]
