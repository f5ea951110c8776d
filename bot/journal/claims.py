"""Which events this process is answering, and which of them another process has taken over."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Iterable

import sqlalchemy as sa

from bot.journal.leases import WorkerLease
from bot.journal.runner import Runner
from bot.journal.tables import inbox
from bot.ports import ClaimLost, JournalUnavailable

log = logging.getLogger(__name__)

#: An event is ended and postponed by the worker that has claimed it alone: one that was suspended may have lost it.
CLAIMED = sa.and_(inbox.c.event_id == sa.bindparam("event"), inbox.c.claimed_by == sa.bindparam("worker"))


class Claims:
    """This process's claims on events, and the lease that they depend on.

    An event is *in hand* from before it is recorded until the attempt at its answer has ended; it is *lost* if another
    process takes it over meanwhile.
    """

    def __init__(self, runner: Runner, lease: WorkerLease) -> None:
        """`lease` is acquired already."""
        self.worker = lease.worker
        self._runner = runner
        self._lease = lease
        self._held: set[str] = set()
        self._admitting: Counter[str] = Counter()
        self._lost: set[str] = set()
        self._renewal: asyncio.Task[None] | None = None
        #: How often the lease has expired, and whether it has since claims were last compared with the database.
        self._expiries = 0
        self._suspect = False

    @property
    def in_hand(self) -> set[str]:
        """The events that are not to be offered to this process again."""
        return {*self._held, *self._admitting, *self._lost}

    async def admit(self, event_id: str, recorded: Awaitable[str | None]) -> str | None:
        """Wait for an event to be recorded; it stays in hand if that returns a conversation.

        In hand before it is recorded, so that `unanswered` doesn't take it for one that nobody answers. Counted, since
        copies of an event may arrive at once, and any of them may be the one that is recorded.
        """
        self._admitting[event_id] += 1
        expiries = self._expiries
        try:
            conversation = await recorded
            if conversation is not None:
                self._held.add(event_id)
                # The lease expired meanwhile: whether this one is ours has to be checked, too.
                self._suspect |= expiries != self._expiries
        finally:
            self._admitting[event_id] -= 1
            if not self._admitting[event_id]:
                del self._admitting[event_id]
        return conversation

    def hold(self, event_ids: Iterable[str]) -> None:
        """These events were claimed in the database."""
        self._held.update(event_ids)

    def is_lost(self, event_id: str) -> bool:
        """Whether another process has taken the event over."""
        return event_id in self._lost

    def end(self, event_id: str) -> None:
        """The attempt at an event has ended: if the event comes back to this process, it starts afresh."""
        # Not lost either: a renewal that compared claims while the end was being written has counted it as lost.
        self._lost.discard(event_id)
        self._held.discard(event_id)

    async def confirm(self, event_id: str) -> None:
        """Raise ClaimLost if an event isn't this process's any more.

        While the heartbeat is recent nobody can have taken it over, and nothing is asked of the database.
        """
        if self._suspect or not self._lease.valid:
            await self.renew()
        if event_id in self._lost:
            raise ClaimLost(event_id)

    async def renew(self) -> None:
        """Renew the lease. Those who call meanwhile share the renewal and its failure, which may take seconds."""
        if self._renewal is not None:
            await asyncio.shield(self._renewal)
            if self._lease.valid and not self._suspect:
                return
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(), name="heartbeat")
            self._renewal.add_done_callback(self._renewed)
        await asyncio.shield(self._renewal)

    def _renewed(self, renewal: asyncio.Task[None]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # for those who share it; none of them may be left

    async def _renew(self) -> None:
        """Renew the lease; if it had expired, find out which claims other processes have now."""
        self._suspect |= not await self._lease.renew()
        if self._suspect:
            self._expiries += 1
            held = set(self._held)
            lost = held - await self._runner.read(claimed, self.worker)
            # What has ended meanwhile is no longer in hand.
            lost &= self._held
            self._held -= lost
            self._lost |= lost
            self._suspect = False
            if lost:
                log.warning("%d claims taken over by another process", len(lost))

    async def close(self) -> None:
        """Give up the lease: other processes may claim at once what this one had in hand."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        try:
            await self._lease.close()
        except JournalUnavailable as exc:
            log.warning("the lease could not be released, claims are free once it expires: %s", exc)


def claimed(conn: sa.Connection, worker: str) -> set[str]:
    """The events that a worker has claimed."""
    return set(conn.scalars(sa.select(inbox.c.event_id).where(inbox.c.claimed_by == worker)))
