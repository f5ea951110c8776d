"""People's rights over what is kept of them: forgetting in all its forms, and taking it away.

What platforms tell of their messages is part of it: a message deleted there is forgotten here.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bot.aio.batches import Batches
from bot.aio.rate_limit import WINDOW, Allowance
from bot.core.identity import Identities
from bot.core.learning import Learner
from bot.core.retries import retry_until_journal_is_back
from bot.events import Edit, Edited, MessageEvent
from bot.logs import describe
from bot.model import Erasure, Memory, Person, Source, StoredMessage
from bot.ports import Journal, MemoryStore
from bot.privacy.eraser import Erasing, Outcome
from bot.text.keywords import Words, terms

log = logging.getLogger(__name__)

#: Deletions, or edits, that are followed together: what comes in a flood, and holds nobody else up.
TOGETHER = 25

#: What the first answer after pausing begins with.
PAUSED_LINE = "(Memory is paused: I use nothing that I remember about you, and learn nothing. /memories resumes it.)"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What a person told within a stretch of time.

    Attributes:
        whole: Memories that were learned, or edited, in it alone.
        parts: Sources within it of memories that other messages have taught as well.
    """

    start: datetime
    end: datetime
    whole: tuple[Memory, ...]
    parts: tuple[str, ...]

    @classmethod
    def of(cls, memories: Iterable[Memory], start: datetime, end: datetime) -> "TimeRange":
        """Sort a person's memories by whether they are from `start` to before `end`."""

        def inside(at: datetime) -> bool:
            return start <= at < end

        def within(memory: Memory) -> bool:
            if memory.edited_at is not None and inside(memory.edited_at):
                return True
            times = [source.at for source in memory.sources] or [memory.learned_at]
            return all(inside(at) for at in times)

        whole, parts = [], []
        for memory in memories:
            if within(memory):
                whole.append(memory)
            else:
                parts += [source.event_id for source in memory.sources if inside(source.at)]
        return cls(start, end, tuple(whole), tuple(dict.fromkeys(parts)))


class Rights(Erasing):
    """Forgets, and lets what is kept follow the platforms. Methods named after an event of a platform never raise."""

    def __init__(
        self,
        journal: Journal,
        memory: MemoryStore,
        identities: Identities,
        learner: Learner | None = None,
        *,
        grace: float = 72 * 3600.0,
        edits_per_minute: int = 0,
    ) -> None:
        """`learner` is None where nothing is learned; `grace` is how long a removed workspace's is kept, in seconds.

        Past a person's `edits_per_minute` (0: no limit) new texts are learned a minute later.
        """
        super().__init__(journal, memory, identities, learner)
        self._grace = grace
        self._allowance = Allowance(edits_per_minute)
        self._deletions: Batches[tuple[str, ...]] = Batches(self._deleted_all, TOGETHER)
        self._edits: Batches[MessageEvent] = Batches(self._edited_all, TOGETHER)

    # What a person asks for. These raise JournalUnavailable where not even the wish could be written down.

    async def mentions(self, user_id: str, words: str, *, nearly: bool = False) -> list[StoredMessage]:
        """What a person has said (or was answered) with all these words, as far as it is kept as it was said.

        With `nearly`, words that say nothing about a subject ("that", "I") may be missing.
        """
        sought, telling = Words(words), terms(words).keys()
        if sought.empty or (nearly and not telling):
            return []
        kept = await self._journal.said(user_id, await self._identities.everybody(user_id))

        def match(text: str) -> bool:
            return telling <= terms(text).keys() if nearly else sought.match(text)

        # Beside the loop: these may be many long messages, and their words are not indexed.
        return await asyncio.to_thread(lambda: [each for each in kept if match(each.text)])

    async def forget_memories(
        self, user_id: str, memories: Sequence[Memory], said: Sequence[str] = (), waiting: Sequence[str] = ()
    ) -> Outcome:
        """Erase memories, what was said in the messages that taught them, and answers that repeat them: what is kept as
        context would tell it.

        `said` are further messages to be forgotten; of those in `waiting`, what they may have taught meanwhile too.
        """
        ids = [memory.id for memory in memories]
        events = [source.event_id for memory in memories for source in memory.sources]
        keys = await self._identities.everybody(user_id)
        wanted = [Erasure("memories", {"users": keys, "ids": ids}, user_id)]
        if waiting:
            wanted.append(Erasure("sources", {"events": list(waiting), "user": user_id}, user_id))
        owed = await self._journal.owe(wanted)
        texts = [memory.text for memory in memories]
        entries = await self._journal.forget_events(user_id, [*events, *said, *waiting], texts)
        return await self._outcome(owed, entries)

    async def forget_stretch(self, user_id: str, stretch: TimeRange) -> Outcome:
        """Erase what a person told within a stretch of time, and what was learned from that alone."""
        outcome = await self._forget_stretch(user_id, stretch)
        if outcome.memories is None:
            return outcome
        # What was learned between the listing of the memories and the erasing of what waited to be.
        late = TimeRange.of(await self._memory.list(user_id), stretch.start, stretch.end)
        if not (late.whole or late.parts):
            return outcome
        more = await self._forget_stretch(user_id, late)
        memories = None if more.memories is None else outcome.memories + more.memories
        return Outcome(memories, outcome.entries + more.entries)

    async def _forget_stretch(self, user_id: str, stretch: TimeRange) -> Outcome:
        ids = [memory.id for memory in stretch.whole]
        keys = await self._identities.everybody(user_id)
        wanted = [Erasure("memories", {"users": keys, "ids": ids}, user_id)]
        if stretch.parts:
            wanted.append(Erasure("sources", {"events": list(stretch.parts), "user": user_id}, user_id))
        owed = await self._journal.owe(wanted)
        entries = await self._journal.forget_since(user_id, keys, stretch.start, stretch.end)
        events = [source.event_id for memory in stretch.whole for source in memory.sources]
        texts = [memory.text for memory in stretch.whole]
        entries += await self._journal.forget_events(user_id, [*events, *stretch.parts], texts)
        return await self._outcome(owed, entries)

    async def _outcome(self, owed: Sequence[Erasure], entries: int) -> Outcome:
        """Do what is owed, memories first; lessons that were void by it are begun anew."""
        counts = [await self.attempt(each) for each in owed]
        await self._wake()
        return Outcome(None if None in counts else counts[0], entries)

    async def export(self, user_id: str, now: datetime | None = None) -> dict[str, Any]:
        """Everything that is kept about a person, ready for JSON."""
        keys = await self._identities.everybody(user_id)
        return {
            "account": user_id,
            "exported_at": (now or datetime.now(UTC)).isoformat(),
            "memories": [_exported(memory) for memory in await self._memory.list(user_id)],
            **await self._journal.export(user_id, keys),
        }

    # What platforms tell

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        """Messages were deleted (the bot's own too): forget what they alone taught, and the turns that quote them."""
        try:
            await self._deletions.add(tuple(event_ids))
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, and nobody is there to be told
            log.error("%d deleted messages are not forgotten yet: %s", len(event_ids), describe(exc))

    async def _deleted_all(self, told: list[tuple[str, ...]]) -> None:
        ids = list(dict.fromkeys(each for several in told for each in several))
        for start in range(0, len(ids), TOGETHER):
            some = ids[start : start + TOGETHER]
            await retry_until_journal_is_back(partial(self._deleted, some))

    async def _deleted(self, ids: list[str]) -> None:
        whom = await self._journal.taught(ids)
        owed = await self._of_those_taught(whom)
        if others := [each for each in ids if each not in whom]:
            owed.append(Erasure("sources", {"events": others, "user": None}))
        if await self._journal.known(ids) or not await self._journal.withdraw(ids):
            owed = await self._journal.owe(owed)
            await self._journal.forget_messages(ids)
            # A lesson that ended between these two has noted whom it taught; any other is void by now.
            owed += await self._journal.owe(await self._of_those_taught(await self._journal.taught(others)))
        for each in owed:
            await self.attempt(each)

    async def _of_those_taught(self, whom: Mapping[str, str]) -> list[Erasure]:
        return [
            Erasure("sources", {"events": [each], "user": account}, await self._journal.user_id(account))
            for each, account in whom.items()
        ]

    async def on_edited(self, event: MessageEvent) -> None:
        """A message was edited: where its text changed, forget what it alone taught, and learn it anew."""
        try:
            await self._edits.add(event)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, and nobody is there to be told
            log.error("%s: its edit is not taken in: %s", event.id, describe(exc))

    async def _edited_all(self, events: list[MessageEvent]) -> None:
        # Of a message that was edited more than once the last text counts.
        await retry_until_journal_is_back(partial(self._edited, {event.id: event for event in events}.values()))

    async def _edited(self, events: Collection[MessageEvent]) -> None:
        open_: list[Edited] = []
        changed: list[Edited] = []
        for event in events:
            edit = await self._compared(event)
            if edit in (Edit.OPEN, Edit.CHANGED):
                (open_ if edit is Edit.OPEN else changed).append(await self._followed(event))
        by_user: dict[tuple[str, bool], list[str]] = {}
        for each in changed:
            soon = self._allowance.take(each.event.person.key, datetime.now(UTC))
            by_user.setdefault((each.user_id, soon), []).append(each.event.id)
        owed = [Erasure("sources", {"events": ids, "user": user}, user) for (user, _), ids in by_user.items()]
        owed = await self._journal.owe(owed) if owed else []
        if open_ or changed:
            await self._journal.edited([*open_, *changed])
        if open_:
            # Answered between that look and this: then the new text is what is to be learned.
            await self._journal.release([each.event.id for each in open_])
        for erasure, (_, soon) in zip(owed, by_user, strict=True):
            await (self.attempt(erasure) if soon else self._learned_later(erasure))
        if owed:
            await self._wake()

    async def _learned_later(self, owed: Erasure) -> None:
        """Forget what edited messages had taught now, and have their new texts learned after a minute."""
        try:
            await self._memory.forget_sources(owed.what["events"], owed.what["user"])
            await self._journal.owe([Erasure(owed.kind, owed.what)], WINDOW)
            await self._journal.settle(owed.id)
        except Exception as exc:  # noqa: BLE001 - the boundary of one erasure, as in `attempt`
            log.warning("an erasure (%s) is put off: %s", owed.kind, describe(exc))
            await self._put_off(owed)

    async def _compared(self, event: MessageEvent) -> Edit:
        """What an edit is to us; UNKNOWN and SAME where there is nothing to be done."""
        edit = await self._journal.compare(event)
        if edit is not Edit.UNKNOWN or await self._journal.keep_ahead(event):
            return edit
        edit = await self._journal.compare(event)  # it may have come in at this very moment
        if edit is not Edit.UNKNOWN:
            return edit
        # Nothing may be left of it here, while it has taught something long ago.
        user_id = await self._identities.user_id(event.person)
        return Edit.CHANGED if await self._memory.forget_sources([event.id], user_id) else Edit.UNKNOWN

    async def _followed(self, event: MessageEvent) -> Edited:
        account = await self._identities.account(event.person)
        return Edited(event, account.user_id, self._learner is not None and not account.paused)

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was removed: what belongs to that workspace (or person) alone is erased after the grace."""
        wanted = _removal(platform, workspace, person)
        if wanted is None:
            return
        try:
            # Platforms tell it more than once (Discord at each start): the grace counts from the first time.
            if await retry_until_journal_is_back(lambda: self._journal.owe_once(wanted, self._grace)):
                log.info("%s: removed; what belonged there alone is erased in %.1f hours", platform, self._grace / 3600)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, and nobody is there to be told
            log.error("%s: a removal could not be written down: %s", platform, describe(exc))

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was added again: nothing of it is erased any more."""
        wanted = _removal(platform, workspace, person)
        if wanted is None:
            return
        try:
            if await retry_until_journal_is_back(lambda: self._journal.excuse(wanted)):
                log.info("%s: added again; nothing is erased", platform)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, and nobody is there to be told
            log.error("%s: a return could not be written down: %s", platform, describe(exc))


def _removal(platform: str, workspace: str, person: Person | None) -> Erasure | None:
    if person is not None:
        return Erasure("account", {"account": person.key})
    if not workspace:
        log.warning("%s: a removal that names no workspace", platform)
        return None
    return Erasure("workspace", {"platform": platform, "workspace": workspace})


def _exported(memory: Memory) -> dict[str, Any]:
    return {
        "id": memory.id,
        "text": memory.text,
        "learned_at": memory.learned_at.isoformat(),
        "edited_at": memory.edited_at.isoformat() if memory.edited_at else None,
        "audience": memory.scope,
        "superseded_by": memory.superseded_by,
        "sources": [_source(source) for source in memory.sources],
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "event": source.event_id,
        "at": source.at.isoformat(),
        "place": source.place,
        "link": source.link,
        "account": source.account,
    }
