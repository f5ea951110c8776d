"""Where the answer to an event is shown."""

import sqlalchemy as sa

from bot.journal import thoughts
from bot.journal.runner import Runner
from bot.journal.tables import messages
from bot.model import Audience, Place, PlaceKey, ShownAnswer

_EXTERNAL = "+external"


class SqlShownAnswers:
    """`bot.ports.ShownAnswers`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def shown(self, event_id: str) -> ShownAnswer | None:
        """Where the answer to an event was shown, and in which messages; None if that isn't known any more."""
        return await self._runner.read(shown, event_id)


def shown(conn: sa.Connection, event_id: str) -> ShownAnswer | None:
    """Where the answer to an event was shown, and in which messages, in order."""
    first = thoughts.first_of(conn, event_id)
    ours = sa.and_(messages.c.event_id == first, messages.c.message_id != first)
    rows = conn.execute(sa.select(messages.c.message_id, messages.c.place).where(ours)).all()
    if not rows:
        return None
    # Platforms' ids grow, by length first.
    ids = sorted((row.message_id for row in rows), key=lambda key: (len(key), key))
    return ShownAnswer(_place(rows[0].place), tuple(ids))


def _place(key: str) -> Place:
    """The place of a conversation's key (`columns.conversation_key`), without its name."""
    where, _, readers = key.rpartition("#")
    audience = Audience(readers.removesuffix(_EXTERNAL))
    return Place(*PlaceKey.parse(where), audience, external=readers.endswith(_EXTERNAL))
