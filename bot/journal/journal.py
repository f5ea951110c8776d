"""The journal: one object per role (`bot.ports.journal`), over one database, and what keeps it in order."""

import asyncio
import logging
import time
from collections.abc import Callable

from bot.journal import retention, workers
from bot.journal.accounts import SqlAccounts
from bot.journal.adds import SqlAdds
from bot.journal.changes import SqlMessageChanges
from bot.journal.claims import Claims
from bot.journal.codes import SqlCodes
from bot.journal.erasure_queue import SqlErasureQueue
from bot.journal.forgetting import SqlTexts
from bot.journal.history import SqlHistory
from bot.journal.inbox import SqlInbox
from bot.journal.intents import SqlIntents
from bot.journal.introductions import SqlIntroductions
from bot.journal.leases import WorkerLease
from bot.journal.ledger import SqlLedger
from bot.journal.notices import SqlNotices
from bot.journal.off_record import SqlOffRecord
from bot.journal.outbox import SqlOutbox
from bot.journal.pauses import SqlPauses
from bot.journal.preferences import SqlPreferences
from bot.journal.retention import Backlog
from bot.journal.runner import Runner
from bot.journal.shown_answers import SqlShownAnswers
from bot.journal.signals import SqlSignals
from bot.journal.taught import SqlTaught
from bot.journal.turns import SqlTurns
from bot.ports import JournalUnavailable

log = logging.getLogger(__name__)

#: Seconds between prunings, and from the start to the first: a process that is restarted often is pruned too.
PRUNE_EVERY = 3600.0
PRUNE_FIRST = 60.0


class SqlJournal:
    """What must outlive a crash, in SQLite or PostgreSQL. Every method raises JournalUnavailable if that fails.

    Args:
        runner: Runs the functions over the database.
        lease: This process among the workers, acquired.
        turns: Turns kept per conversation, and `turns_ttl`, for how many seconds.
        seen_ttl: For how many seconds a message is known as seen: longer than any platform takes to redeliver one.
        usage_ttl: For how many seconds it is known what requests to models took.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        lease: WorkerLease,
        turns: int = 20,
        turns_ttl: float = 24 * 3600.0,
        seen_ttl: float = 14 * 24 * 3600.0,
        usage_ttl: float = 90 * 24 * 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runner = runner
        self._claims = Claims(runner, lease)
        self._turns_limit = turns
        self._turns_ttl = turns_ttl
        self._seen_ttl = seen_ttl
        self._usage_ttl = usage_ttl
        self._clock = clock
        self.inbox = SqlInbox(runner, self._claims, clock, keep_turns=turns > 0)
        self.turns = SqlTurns(runner, clock, limit=turns, ttl=turns_ttl)
        self.history = SqlHistory(runner, clock, seen_ttl=seen_ttl)
        self.outbox = SqlOutbox(runner, lease.worker, clock, text_ttl=turns_ttl)
        self.taught = SqlTaught(runner)
        self.accounts = SqlAccounts(runner, clock)
        self.pauses = SqlPauses(runner, clock)
        self.intents = SqlIntents(runner)
        self.codes = SqlCodes(runner, clock)
        self.texts = SqlTexts(runner, clock)
        self.changes = SqlMessageChanges(runner, lease.worker, clock)
        self.signals = SqlSignals(runner, lease.worker)
        self.erasures = SqlErasureQueue(runner, clock)
        self.adds = SqlAdds(runner)
        self.ledger = SqlLedger(runner, lease.worker, clock)
        self.notices = SqlNotices(runner, clock)
        self.preferences = SqlPreferences(runner, clock)
        self.answers = SqlShownAnswers(runner)
        self.introductions = SqlIntroductions(runner, clock)
        self.off_record = SqlOffRecord(runner, clock)
        self._closed = False
        self._housekeeping = asyncio.create_task(self._keep_house(), name="journal")

    async def backlog(self) -> Backlog:
        """How much waits, for the operator."""
        return await self._runner.read(retention.backlog)

    async def prune(self) -> int:
        """Delete what is too old or too much; return how many rows went. Runs every hour by itself."""
        now = self._clock()
        return await self._runner.erase(
            retention.prune,
            now,
            turns_since=now - self._turns_ttl,
            turns_limit=self._turns_limit,
            seen_since=now - self._seen_ttl,
            usage_since=now - self._usage_ttl,
        )

    async def _keep_house(self) -> None:
        due = time.monotonic() + PRUNE_FIRST
        while True:
            await asyncio.sleep(workers.BEAT)
            try:
                await self._claims.renew()
                await self._runner.scrub()
                if time.monotonic() >= due:
                    due = time.monotonic() + PRUNE_EVERY
                    log.info("pruned %d rows", await self.prune())
            except JournalUnavailable as exc:
                log.warning("housekeeping failed and will be retried: %s", exc)

    async def close(self) -> None:
        """Finish what is queued, leave open events to other processes, and release the connections."""
        if self._closed:
            return
        self._closed = True
        self._housekeeping.cancel()
        await asyncio.gather(self._housekeeping, return_exceptions=True)
        await self._claims.close()
        await self._runner.close()
