"""Messages that were edited or deleted on their platform: the journal's part in one place."""

from collections.abc import Callable, Sequence

from bot.events import Edit, Edited, MessageEvent
from bot.journal import deletions, edits, withdrawn
from bot.journal.runner import Runner


class SqlMessageChanges:
    """`bot.ports.MessageChanges`."""

    def __init__(self, runner: Runner, worker: str, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._worker = worker
        self._clock = clock

    async def compare(self, event: MessageEvent) -> Edit:
        """What an edit on the platform means here."""
        return await self._runner.read(edits.compare, event)

    async def keep_ahead(self, event: MessageEvent) -> bool:
        """Store an edited text for a message that is still to come; False if nothing is stored."""
        return await self._runner.write(withdrawn.keep_ahead, event, self._clock())

    async def edit(self, wanted: Sequence[Edited]) -> None:
        """Apply edits, each of another message, to stored texts; what is to be learned is held until released."""
        await self._runner.erase(edits.edit, wanted, self._clock(), self._worker)

    async def any_stored(self, message_ids: Sequence[str]) -> bool:
        """Whether anything may be stored here of any of these messages."""
        return await self._runner.read(deletions.any_stored, message_ids)

    async def withdraw(self, message_ids: Sequence[str]) -> bool:
        """Record that messages which were never seen are deleted; False if one of them was seen meanwhile."""
        await self._runner.write(withdrawn.withdraw, message_ids, self._clock())
        return not await self.any_stored(message_ids)

    async def forget(self, message_ids: Sequence[str]) -> int:
        """Erase what is stored of messages deleted on the platform, whoever wrote them; return the rows deleted.

        For one of the bot's own messages, that answer's turn goes.
        """
        return await self._runner.erase(deletions.forget, message_ids, self._clock(), self._worker)
