"""What an answer is given with: whose it is, what was said before, memories, what stands around, and files."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot.core import prompt
from bot.core.files import FileReader
from bot.core.identity import Identities
from bot.core.nearby import chosen
from bot.events import MessageEvent, Recalled
from bot.files.values import File
from bot.logs import describe
from bot.model import Account, Audience, Memory, Nearby, Replied, Turn
from bot.ports import MemoryStore, MemoryUnavailable, Notify, ReplyHandle, Spending, Turns

log = logging.getLogger(__name__)

#: How many of the conversation's last turns go into the recall query as context.
CONTEXT = 3
#: Seconds that reading what stands around a question may take.
AROUND_BUDGET = 2.0
#: Characters of the messages around a question that are read because the answer needs more of them.
MORE = 30_000


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one answer is given with. `event` is the question, without what may no longer be used with it."""

    event: MessageEvent
    account: Account
    turns: Sequence[Turn]
    replied: Replied | None
    memories: Sequence[Memory]
    nearby: tuple[Nearby, ...]
    files: tuple[File, ...]


class Gatherer:
    """Gathers it, side by side where one doesn't need the other."""

    def __init__(
        self,
        identities: Identities,
        turns: Turns,
        memory: MemoryStore,
        files: FileReader,
        spending: Spending,
        *,
        around: int = 0,
        notify: Notify | None = None,
    ) -> None:
        """`around` is how many messages around a question in a shared place are read with it."""
        self._identities = identities
        self._turns = turns
        self._memory = memory
        self._files = files
        self._spending = spending
        self._limit = around
        self._notify = notify

    @asynccontextmanager
    async def gathered(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> AsyncIterator[Gathered]:
        """All of it, with the files in memory until the block ends.

        Raises LimitReached if it is known that nothing more may be spent for this person.
        """
        async with self._files.room(event):
            account, turns, replied = await asyncio.gather(
                self._identities.account(event.person, event.place),
                self._turns.recent(conversation),
                self._turns.replied(event),
            )
            self._spending.check(account.user_id)
            if event.opened:  # what was said before stays behind
                turns, replied, event = [], None, replace(event, quoted="", quoted_files=())
            if replied is not None:  # what the journal knows of it, or has forgotten, goes before what is still shown
                event = replace(event, quoted="")
            unused = account.paused or account.erasing
            memories, nearby, files = await asyncio.gather(
                _nothing() if unused or event.bare else self._recall(account.user_id, event, turns),
                self._around(event, reply),
                self._files.open(event, reply),
            )
            async with self._files.with_nearby(files, event, nearby, reply) as opened:
                yield Gathered(event, account, turns, replied, memories, nearby, opened)

    def reads_around(self, event: MessageEvent) -> bool:
        """Whether an answer may be given with what others say around the question."""
        return self._limit > 0 and event.place.audience is not Audience.PRIVATE and not event.confidential

    def may_read(self, event: MessageEvent) -> bool:
        """Whether more of what stands around the question may be read while it is answered."""
        return self.reads_around(event) and not event.opened

    async def more(self, event: MessageEvent, reply: ReplyHandle, limit: int) -> tuple[Nearby, ...]:
        """So many messages around a question that `may_read` allows, in much more room. Raises as `around` does."""
        found = await reply.around(limit)
        return chosen(found, await self._turns.unused(event, found), budget=MORE) if found else ()

    async def _around(self, event: MessageEvent, reply: ReplyHandle) -> tuple[Nearby, ...]:
        """What stands around the question on its platform and isn't among the turns; empty if that can't be told."""
        if not self.may_read(event):
            return ()
        try:
            async with asyncio.timeout(AROUND_BUDGET):
                found = await reply.around(self._limit)
                return chosen(found, await self._turns.unused(event, found)) if found else ()
        except Exception as exc:  # noqa: BLE001 - whatever fails: the question itself can be answered
            log.info("%s: answered without what stands around it: %s", event.id, describe(exc))
            return ()

    async def _recall(self, user_id: str, event: MessageEvent, turns: Sequence[Turn]) -> list[Memory]:
        # Hosted mem0 records what is searched for.
        query = event.text if event.confidential else prompt.message_text(event)
        context = [turn.text for turn in turns[-CONTEXT:]]
        try:
            memories = await self._memory.recall(user_id, event.recallable, query, context, event.at)
        except (MemoryUnavailable, TimeoutError) as exc:
            log.warning("%s: answered without memories: %s", event.id, type(exc).__name__)
            return []
        if self._notify:
            self._notify(Recalled(event.id, len(memories)))
        return memories


async def _nothing() -> list[Memory]:
    return []
