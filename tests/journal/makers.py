"""Events of every kind of place, and one exchange in one call."""

from dataclasses import replace

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import links
from bot.journal.journal import SqlJournal
from bot.journal.tables import tombstones
from bot.model import Audience, Person, Place
from tests.makers import ANN, DM, MONDAY, message

CHANNEL = Place("discord", "G1", "C9", None, Audience.PUBLIC, "#general")
OTHER_CHANNEL = Place("discord", "G1", "C8", None, Audience.PUBLIC, "#random")
CLOSED_CHANNEL = replace(CHANNEL, audience=Audience.MEMBERS)


def in_channel(
    text: str, number: int, *, place: Place = CHANNEL, reply_to: str | None = None, person: Person = ANN
) -> MessageEvent:
    """A message in a channel outside threads, in a reply chain where `reply_to` says so."""
    return replace(message(text, number=number, person=person, place=place), id=f"discord:{number}", reply_to=reply_to)


async def told(
    journal: SqlJournal,
    text: str,
    number: int,
    *,
    answer: str = "I see.",
    person: Person = ANN,
    place: Place = DM,
    learn: bool = True,
) -> str:
    """Say something and have it answered; return the conversation."""
    event = message(text, number=number, person=person, place=place)
    return await heard(journal, event, answer, learn=learn)


async def heard(journal: SqlJournal, event: MessageEvent, answer: str = "I see.", *, learn: bool = True) -> str:
    """Admit and answer an event; the answer's message is called `<event>/answer`. Return the conversation."""
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    user_id = await journal.accounts.user_id(event.person.key)
    await journal.inbox.answered(event, user_id, conversation, answer, [f"{event.id}/answer"], learn=learn)
    return conversation


async def link(journal: SqlJournal, person_key: str, user_id: str) -> None:
    """Let an account share the memories of a mem0 user id."""
    await journal._runner.write(links.link, person_key, user_id, MONDAY.timestamp())


async def unlink(journal: SqlJournal, person_key: str) -> bool:
    """Let an account have its own memories again; False if it wasn't linked."""
    return await journal._runner.write(links.unlink, person_key)


async def buried(journal: SqlJournal, exchange_id: int) -> bool:
    """Whether a tombstone stands for an exchange: what is being learned of it is void."""
    found = sa.select(tombstones.c.exchange_id).where(tombstones.c.exchange_id == exchange_id)
    return await journal._runner.read(lambda conn: conn.execute(found).first() is not None)
