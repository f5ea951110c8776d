"""What an answer is given with: whose it is, what was said before, memories, what stands around, and files."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from bot.core import prompt
from bot.core.files import FileReader
from bot.core.identity import Identities
from bot.core.nearby import chosen
from bot.core.thoughts import merged
from bot.events import MessageEvent, Recalled
from bot.files.values import File
from bot.logs import describe
from bot.model import Account, Audience, Held, Memory, Nearby, Reach, Replied, Turn
from bot.ports import MemoryStore, MemoryUnavailable, Notify, ReplyHandle, Spending, Turns
from bot.text import secrets

log = logging.getLogger(__name__)

#: How many of the conversation's last turns go into the recall query as context.
CONTEXT = 3
#: Seconds that reading what stands around a question may take.
AROUND_BUDGET = 2.0
#: Characters of the messages around a question that are read because the answer needs more of them.
MORE = 30_000


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one answer is given with.

    `event` is the question, without what may no longer be used with it; `held` is how many memories there are to choose
    from, None if that isn't known.
    """

    event: MessageEvent
    account: Account
    turns: Sequence[Turn]
    replied: Replied | None
    memories: Sequence[Memory]
    nearby: tuple[Nearby, ...]
    files: tuple[File, ...]
    reach: Reach = Reach.READ
    held: Held | None = None


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
        remember: bool = True,
    ) -> None:
        """`around` is how many messages around a question in a shared place are read with it.

        Without `remember`, memory is switched off.
        """
        self._identities = identities
        self._turns = turns
        self._memory = memory
        self._files = files
        self._spending = spending
        self._limit = around
        self._notify = notify
        self._remember = remember

    @asynccontextmanager
    async def gathered(self, event: MessageEvent, conversation: str, reply: ReplyHandle) -> AsyncIterator[Gathered]:
        """All of it, with the files in memory until the block ends.

        Raises LimitReached if it is known that nothing more may be spent for this person.
        """
        async with self._files.room(merged(event)):
            account, turns, replied, quoted = await asyncio.gather(
                self._identities.account(event.person, event.place),
                self._turns.recent(conversation),
                self._turns.replied(event),
                asyncio.gather(*(self._quoted(each, event) for each in event.joined)),
            )
            self._spending.check(account.user_id)
            event = replace(event, joined=tuple(each for each, _ in quoted))
            event = merged(event, () if event.opened else [text for _, text in quoted])
            event = replace(event, kept_off_record=account.off_record)
            if event.opened:  # what was said before stays behind
                turns, replied, event = [], None, replace(event, quoted="", quoted_files=())
            if replied is not None:  # what the journal knows of it, or has forgotten, goes before what is still shown
                event = replace(event, quoted="")
            (memories, reach, held), nearby, files = await asyncio.gather(
                self._recall(account, event, turns),
                self._around(event, reply),
                self._files.open(event, reply),
            )
            async with self._files.with_nearby(files, event, nearby, reply) as opened:
                yield Gathered(event, account, turns, replied, memories, nearby, opened, reach, held)

    async def _quoted(self, event: MessageEvent, first: MessageEvent) -> tuple[MessageEvent, str]:
        """A message that has joined another, and its text with what it replies to, unless that is quoted or said too.

        It quotes nothing if the journal knows what that is.
        """
        if event.reply_to in [each.id for each in first.thought]:
            return replace(event, quoted=""), event.text
        replied = await self._turns.replied(event)
        event = event if replied is None else replace(event, quoted="")
        return event, event.text if event.reply_to == first.reply_to else prompt.quoting(event, replied)

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

    async def _recall(
        self, account: Account, event: MessageEvent, turns: Sequence[Turn]
    ) -> tuple[Sequence[Memory], Reach, Held | None]:
        """The memories for an answer, or why there are none, and how many there are to choose from."""
        if (unread := self._unread(account, event)) is not None:
            return [], unread, None
        # Hosted mem0 records what is searched for.
        query = secrets.mask(event.text if event.confidential else prompt.message_text(event))
        context = [turn.text for turn in turns[-CONTEXT:]]
        try:
            memories, held = await asyncio.gather(
                self._memory.recall(account.user_id, event.recallable, query, context, event.at),
                self._count(account.user_id, event),
            )
        except (MemoryUnavailable, TimeoutError) as exc:
            log.warning("%s: answered without memories: %s", event.id, type(exc).__name__)
            return [], Reach.UNREACHABLE, None
        if self._notify:
            self._notify(Recalled(event.id, len(memories)))
        return memories, Reach.READ, held

    def _unread(self, account: Account, event: MessageEvent) -> Reach | None:
        """Why memories aren't looked for; None if they are."""
        if not self._remember:
            return Reach.OFF
        if account.erasing:
            return Reach.ERASING
        if account.paused:
            return Reach.PAUSED
        return Reach.UNASKED if event.bare else None

    async def _count(self, user_id: str, event: MessageEvent) -> Held | None:
        with suppress(MemoryUnavailable, TimeoutError):
            return await self._memory.count(user_id, event.recallable)
        return None
