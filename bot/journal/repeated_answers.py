"""Answers that may repeat what is being forgotten, recognised by the words that they share with it.

Prompts hold memories and recent turns, so what is erased may also be in answers to other messages: to the same person
anywhere, and to anybody in the same conversation.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from bot.journal.outbox import renew
from bot.journal.tables import exchanges, inbox, links, turns
from bot.text import keywords


class Erased(NamedTuple):
    """The texts that are forgotten, and the conversations that they were part of."""

    texts: list[str]
    conversations: list[str]


def erased(
    conn: sa.Connection, said: sa.ColumnElement[bool], waiting: sa.ColumnElement[bool], *, answers: bool = False
) -> Erased:
    """What people said in these turns and exchanges, and with `answers` the replies, read before they go."""
    columns = (exchanges.c.text, exchanges.c.answer, exchanges.c.conversation)
    recent = conn.execute(sa.select(turns.c.text, turns.c.author, turns.c.conversation).where(said)).all()
    unlearned = conn.execute(sa.select(*columns).where(waiting)).all()
    texts = [turn.text for turn in recent if answers or turn.author == "user"]
    texts += [exchange.text for exchange in unlearned]
    texts += [exchange.answer for exchange in unlearned if answers]
    return Erased(texts, sorted({row.conversation for row in (*recent, *unlearned)}))


def owned(column: sa.ColumnElement[str], user_id: str) -> sa.ColumnElement[bool]:
    """Whether an account shares that mem0 user's memories."""
    linked = sa.select(links.c.person_key).where(links.c.user_id == user_id)
    return sa.or_(column == user_id, column.in_(linked))


def forget(conn: sa.Connection, gone: Erased, users: Sequence[str], now: float) -> int:
    """Erase the answers that may repeat what is gone; return how many rows were touched.

    `users` are the mem0 users it belonged to. An answer in progress won't be kept, and a lesson of theirs in
    progress, which may have been shown what is gone, is void and starts over.
    """
    return forget_words(conn, _words(gone.texts), gone.conversations, users, now)


def forget_words(
    conn: sa.Connection, gone: frozenset[str], conversations: Sequence[str], users: Sequence[str], now: float
) -> int:
    """As `forget`, for the words of what is gone."""
    # First: PostgreSQL waits here for an answer that is about to be committed, which is then found below.
    theirs = (owned(inbox.c.person_key, user) for user in users)
    being_answered = sa.or_(inbox.c.conversation.in_(conversations), *theirs)
    conn.execute(sa.update(inbox).where(being_answered).values(unkept=1))

    def repeats(text: str) -> bool:
        return not gone.isdisjoint(keywords.content_terms(text))

    def near(table: sa.Table) -> sa.ColumnElement[bool]:
        return sa.or_(table.c.conversation.in_(conversations), table.c.user_id.in_(users))

    answers = sa.select(turns.c.id, turns.c.text).where(near(turns), turns.c.author == "assistant")
    repeated = [turn_id for turn_id, text in conn.execute(answers).all() if repeats(text)]
    count = conn.execute(sa.delete(turns).where(turns.c.id.in_(repeated))).rowcount if repeated else 0
    # Locked (PostgreSQL): one that is being learned or forgotten right now must not be rewritten.
    waiting = sa.select(exchanges).where(near(exchanges)).order_by(exchanges.c.id).with_for_update()
    for row in conn.execute(waiting).mappings().all():
        # It stays claimed by the process that is learning it: another would start before that one has cleaned up.
        if repeats(row["answer"]):
            renew(conn, row, now, claimed_by=row["claimed_by"], answer="")
            count += 1
        elif row["claimed_by"] is not None and row["user_id"] in users:
            renew(conn, row, now, claimed_by=row["claimed_by"])
            count += 1
    return count


def words(former: str, now: str = "") -> frozenset[str]:
    """The words of a text that its replacement lacks."""
    return _words([former]) - _words([now])


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in keywords.content_terms(text))
