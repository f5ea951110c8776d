"""The journal that the core sees (`bot.ports.Journal`): names each step and leaves how it is run to a Runner."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from bot.events import MessageEvent
from bot.journal import accounts, inbox, outbox, retention, turns, workers
from bot.journal.adds import JournalOfAdds
from bot.journal.columns import when
from bot.journal.inbox import Unanswered
from bot.journal.leases import WorkerLease
from bot.journal.retention import Backlog
from bot.journal.rights import JournalOfRights
from bot.journal.runner import Runner
from bot.journal.turns import Answered
from bot.model import Exchange, Replied, Turn
from bot.ports import ClaimLost, JournalUnavailable

log = logging.getLogger(__name__)

#: Seconds between prunings, and from the start to the first: who is restarted often is pruned too.
PRUNE_EVERY = 3600.0
PRUNE_FIRST = 60.0


class SqlJournal(JournalOfRights, JournalOfAdds):
    """What must outlive a crash, in SQLite or PostgreSQL. Every method raises JournalUnavailable where that fails.

    Args:
        runner: Runs the steps.
        presence: This process among the workers, signed on.
        turns: Turns kept per conversation, and `turns_ttl`, for how many seconds.
        seen_ttl: For how many seconds a message is known as seen: longer than any platform sends one again.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        presence: WorkerLease,
        turns: int = 20,
        turns_ttl: float = 24 * 3600.0,
        seen_ttl: float = 14 * 24 * 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runner = runner
        self._presence = presence
        self._worker = presence.worker
        self._turns = turns
        self._ttl = turns_ttl
        self._seen_ttl = seen_ttl
        self._clock = clock
        self._busy: set[str] = set()
        self._admitting: Counter[str] = Counter()
        #: Events that were taken over while a try of ours at them is still under way.
        self._lost: set[str] = set()
        self._beating: asyncio.Task[None] | None = None
        self._deaths = 0
        #: Whether this process was taken for dead, and hasn't told yet what it has lost.
        self._suspect = False
        self._closed = False
        self._housekeeping = asyncio.create_task(self._keep_house(), name="journal")

    # Messages

    async def admit(self, event: MessageEvent) -> str | None:
        """Write the event down and return its conversation's key; None where it was seen before."""
        # In hand before it is written: `unanswered` must not take it for one that nobody answers. Counted, as the
        # copies of an event may come at once, and any of them be the one that is written.
        self._admitting[event.id] += 1
        deaths = self._deaths
        try:
            conversation = await self._runner.write(inbox.admit, event, self._worker, self._clock())
            if conversation is not None:
                self._busy.add(event.id)
                # Taken for dead meanwhile: whether this one is ours has to be looked at, too.
                self._suspect |= deaths != self._deaths
        finally:
            self._admitting[event.id] -= 1
            if not self._admitting[event.id]:
                del self._admitting[event.id]
        return conversation

    async def recent(self, conversation: str) -> list[Turn]:
        """The conversation's recent turns, oldest first, within the set number and age."""
        if not self._turns:
            return []
        return await self._runner.read(turns.recent, conversation, self._clock() - self._ttl, self._turns)

    async def replied(self, event: MessageEvent) -> Replied | None:
        """The exchange that an event replies to, or whose thread it is in; None where it is unknown or too long ago.

        Without turns where they were forgotten.
        """
        if not (self._turns and event.reply_to):
            return None
        return await self._runner.read(turns.replied, event.reply_to, event.place, self._clock() - self._ttl)

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
    ) -> None:
        """Commit both turns, the answer's ids and (with `learn`) the exchange to be learned, in one transaction.

        Keeps no text without `keep`, where the person has had everything forgotten since the event was admitted, and
        where another process has taken it over.
        """
        if event.id in self._lost:
            raise ClaimLost(event.id)
        ids, turned = tuple(message_ids), self._turns > 0
        done = Answered(event, user_id, conversation, answer, ids, learn, turned, self._worker, keep)
        await self._runner.write(turns.answered, done, self._clock())
        self._ended(event.id)

    async def drop_turns(self, conversation: str) -> int:
        """Drop the turns kept of a conversation; return how many there were."""
        return await self._runner.write(turns.drop, conversation)

    async def dismiss(self, event_id: str) -> bool:
        """End an event that gets no answer (and is not to be taken up again); False where it isn't ours to end."""
        if event_id in self._lost:
            self._ended(event_id)
            return False
        ended = await self._runner.write(inbox.finish, event_id, self._worker)
        self._ended(event_id)
        return ended

    async def postpone(self, event_id: str, seconds: float) -> None:
        """Give an event back: `unanswered` offers it, here or in another process, in so many seconds."""
        if event_id in self._lost:
            self._ended(event_id)
            return
        try:
            await self._runner.write(inbox.postpone, event_id, self._worker, self._clock() + seconds)
        finally:
            # Even where that couldn't be written: a look at the journal then finds it again, still claimed by us.
            self._ended(event_id)

    async def confirm(self, event_id: str) -> None:
        """Return where an event is still this process's to answer; raise ClaimLost where it isn't any more.

        While the heartbeat is young nobody may have taken it over, and nothing is asked.
        """
        if self._suspect or not self._presence.sure:
            await self._beat()
        if event_id in self._lost:
            raise ClaimLost(event_id)

    async def abandon_claim(self, event_id: str) -> None:
        """A try at a lost event has ended: should the event come back to this process, it begins anew."""
        self._ended(event_id)

    def _ended(self, event_id: str) -> None:
        # Not lost either: a heartbeat that looked while this was being written down has taken it for that.
        self._lost.discard(event_id)
        self._busy.discard(event_id)

    async def unanswered(self, platforms: Collection[str] | None = None, most: int = 100) -> list[Unanswered]:
        """Claim events that no living process answers: left by a dead one, or postponed and due. Oldest first.

        Only those of these platforms (None: all).
        """
        in_hand = [*self._in_hand()]
        found = await self._runner.write(inbox.unanswered, self._worker, in_hand, self._clock(), most, platforms)
        # What was taken in since is in hand too: on PostgreSQL the look may come behind its commit.
        now_in_hand = self._in_hand()
        found = [left for left in found if left.event.id not in now_in_hand]
        self._busy.update(pending.event.id for pending in found)
        return found

    def _in_hand(self) -> set[str]:
        return {*self._busy, *self._admitting, *self._lost}

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each place spoken in before: (its `Place.key`, the newest seen message's id, when it came)."""
        # By `write`, since it looks at all messages that are known: SQLite's reads hold the event loop.
        found = await self._runner.write(retention.last_seen, platform)
        return [(place.rpartition("#")[0], message_id, when(at)) for place, message_id, at in found]

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """Messages and answers of the last `hours` before a platform's newest: (`Place.key`, id, when), in order."""
        found = await self._runner.write(
            retention.recently_seen, platform, hours * 3600, self._clock() - self._seen_ttl
        )
        return [(place.rpartition("#")[0], message_id, when(at)) for place, message_id, at in found]

    # Learning

    async def waiting(self) -> list[tuple[str, str]]:
        """Each (user_id, scope) whose exchanges are due to be learned, and that no other process is learning."""
        return await self._runner.read(outbox.waiting, self._worker, self._clock())

    async def exchanges(self, user_id: str, scope: str) -> list[Exchange]:
        """What waits to be learned for a person in a scope, oldest first; [] where another process is learning it.

        It is this process's until `learned` or `learning_failed`.
        """
        return await self._runner.write(outbox.take, user_id, scope, self._worker)

    async def learned(self, ids: Sequence[int]) -> None:
        """Drop exchanges that are learned (their raw text with them). Unknown ids are let pass."""
        await self._runner.write(outbox.learned, ids)

    async def learning_failed(self, ids: Sequence[int], reason: str, *, final: bool) -> None:
        """Count a failed attempt; `final` keeps the exchange for the operator but no longer tries it."""
        await self._runner.write(outbox.failed, ids, self._worker, reason, final, self._clock())

    async def retry_learning(self) -> int:
        """Have what was given up tried again, by whichever process learns; return how many exchanges that is."""
        return await self._runner.write(outbox.retry)

    async def backlog(self) -> Backlog:
        """How much waits, for the operator."""
        return await self._runner.read(retention.backlog)

    # People

    async def user_id(self, person_key: str) -> str:
        """The mem0 user id of an account: its own key unless it is linked."""
        return await self._runner.read(accounts.user_id, person_key)

    async def link(self, person_key: str, user_id: str) -> None:
        """Let an account share the memories of a mem0 user id."""
        await self._runner.write(accounts.link, person_key, user_id, self._clock())

    async def unlink(self, person_key: str) -> bool:
        """Let an account have its own memories again; False where it wasn't linked."""
        return await self._runner.write(accounts.unlink, person_key)

    async def epoch(self, user_id: str) -> int:
        """How often that mem0 user has had everything forgotten: for stores that can't share a transaction."""
        return await self._runner.read(accounts.epoch, user_id)

    async def keep_intent(self, person_key: str, action: str, ids: Sequence[str], now: datetime) -> str:
        """Remember what a button will do (memory ids, never text) and return its token."""
        return await self._runner.write(accounts.keep_intent, person_key, action, ids, now.timestamp())

    async def take_intent(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """Take (action, ids) of a token once, if it is that person's and not stale (15 minutes); else None."""
        return await self._runner.write(accounts.take_intent, token, person_key, now.timestamp())

    # Housekeeping

    async def prune(self) -> int:
        """Drop what is past its time or number; return how many rows went. Runs every hour by itself."""
        now = self._clock()
        return await self._runner.erase(retention.prune, now, now - self._ttl, self._turns, now - self._seen_ttl)

    async def _keep_house(self) -> None:
        due = time.monotonic() + PRUNE_FIRST
        while True:
            await asyncio.sleep(workers.BEAT)
            try:
                await self._beat()
                await self._runner.scrub()
                if time.monotonic() >= due:
                    due = time.monotonic() + PRUNE_EVERY
                    log.info("pruned %d rows", await self.prune())
            except JournalUnavailable as exc:
                log.warning("housekeeping is put off: %s", exc)

    async def _beat(self) -> None:
        """Renew the heartbeat; those who ask meanwhile share it and its failure, which may take seconds to come."""
        if self._beating is not None:
            await asyncio.shield(self._beating)
            if self._presence.sure and not self._suspect:
                return
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat_once(), name="heartbeat")
            self._beating.add_done_callback(self._beaten)
        await asyncio.shield(self._beating)

    def _beaten(self, beat: asyncio.Task[None]) -> None:
        self._beating = None
        if not beat.cancelled():
            beat.exception()  # for those who share it; none of them may be left

    async def _beat_once(self) -> None:
        """Renew it; where this process was taken for dead, tell which of its events others have now."""
        self._suspect |= not await self._presence.beat()
        if self._suspect:
            self._deaths += 1
            in_hand = set(self._busy)
            lost = in_hand - await self._runner.read(inbox.claimed, self._worker)
            # What has ended meanwhile is no longer in hand.
            lost &= self._busy
            self._busy -= lost
            self._lost |= lost
            self._suspect = False
            if lost:
                log.warning("%d events were taken over by other processes meanwhile", len(lost))

    async def close(self) -> None:
        """Finish what is queued, leave open events to other processes, and release the connections."""
        if self._closed:
            return
        self._closed = True
        ending = [task for task in (self._housekeeping, self._beating) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        try:
            await self._presence.close()
        except JournalUnavailable as exc:
            log.warning("this worker's claims end with its heartbeat: %s", exc)
        await self._runner.close()
