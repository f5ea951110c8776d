"""What people may do with what is kept about them: find, forget and export it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.core.identity import Identities
from bot.erasures import Erasure, ForgetMemories, ForgetSources
from bot.model import Memory, StoredMessage
from bot.ports import ErasureQueue, MemoryStore, Texts
from bot.privacy.eraser import Eraser, Outcome
from bot.privacy.export import exported
from bot.privacy.time_range import TimeRange
from bot.text.keywords import Words, terms


class Rights:
    """Finds, forgets and exports. Methods raise JournalUnavailable if not even the request could be recorded."""

    def __init__(
        self, texts: Texts, queue: ErasureQueue, memory: MemoryStore, identities: Identities, eraser: Eraser
    ) -> None:
        self._texts = texts
        self._queue = queue
        self._memory = memory
        self._identities = identities
        self._eraser = eraser

    async def find_stored_messages(self, user_id: str, words: str, *, nearly: bool = False) -> list[StoredMessage]:
        """A person's messages that are stored verbatim and contain all these words, or whose answers do.

        With `nearly`, stop words ("that", "I") may be missing.
        """
        sought, content_words = Words(words), terms(words).keys()
        if sought.empty or (nearly and not content_words):
            return []
        stored = await self._texts.stored_messages(user_id, await self._identities.everybody(user_id))

        def match(text: str) -> bool:
            return content_words <= terms(text).keys() if nearly else sought.match(text)

        # In a thread: there may be many long messages, and their words aren't indexed.
        return await asyncio.to_thread(lambda: [message for message in stored if match(message.text)])

    async def forget_memories(
        self, user_id: str, memories: Sequence[Memory], said: Sequence[str] = (), waiting: Sequence[str] = ()
    ) -> Outcome:
        """Erase memories, the messages that taught them, and answers that repeat them, which would tell them again.

        `said` are further messages to forget; so are those in `waiting`, with what they may have taught meanwhile.
        """
        sources = [source.event_id for memory in memories for source in memory.sources]
        recorded = await self._record(user_id, memories, waiting)
        texts = [memory.text for memory in memories]
        entries = await self._texts.forget_events(user_id, [*sources, *said, *waiting], texts)
        return await self._eraser.attempt_all(recorded, entries)

    async def forget_time_range(self, user_id: str, time_range: TimeRange) -> Outcome:
        """Erase what a person said within a range of time, and what was learned only from that."""
        outcome = await self._forget_time_range(user_id, time_range)
        if outcome.memories is None:
            return outcome
        # What was learned after the memories were listed, but before the exchanges that waited were erased.
        late = TimeRange.of(await self._memory.list(user_id), time_range.start, time_range.end)
        if not (late.whole or late.parts):
            return outcome
        more = await self._forget_time_range(user_id, late)
        memories = None if more.memories is None else outcome.memories + more.memories
        return Outcome(memories, outcome.entries + more.entries)

    async def _forget_time_range(self, user_id: str, time_range: TimeRange) -> Outcome:
        recorded = await self._record(user_id, time_range.whole, time_range.parts)
        keys = await self._identities.everybody(user_id)
        entries = await self._texts.forget_since(user_id, keys, time_range.start, time_range.end)
        sources = [source.event_id for memory in time_range.whole for source in memory.sources]
        texts = [memory.text for memory in time_range.whole]
        entries += await self._texts.forget_events(user_id, [*sources, *time_range.parts], texts)
        return await self._eraser.attempt_all(recorded, entries)

    async def _record(self, user_id: str, memories: Sequence[Memory], events: Sequence[str]) -> list[Erasure]:
        """Record the erasure of memories, and of what these events taught."""
        keys = tuple(await self._identities.everybody(user_id))
        wanted = [Erasure(ForgetMemories(keys, tuple(memory.id for memory in memories)), user_id)]
        if events:
            wanted.append(Erasure(ForgetSources(tuple(events), user_id), user_id))
        return await self._queue.add(wanted)

    async def forget_everything(self, user_id: str) -> Outcome:
        """Erase everything that is kept about a person, on every linked account."""
        return await self._eraser.forget_everything(user_id)

    async def export(self, user_id: str, now: datetime | None = None) -> dict[str, Any]:
        """Everything that is kept about a person, ready for JSON."""
        keys = await self._identities.everybody(user_id)
        return {
            "account": user_id,
            "exported_at": (now or datetime.now(UTC)).isoformat(),
            "memories": [exported(memory) for memory in await self._memory.list(user_id)],
            **await self._texts.export(user_id, keys),
        }
