"""Erases what is kept about people, and retries until it is done.

Erasures are recorded before they are tried, so that neither a crash nor a failing memory store leaves anything behind.
From then on, everything in flight is void.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.core.learning import Learner
from bot.erasures import (
    Erasure,
    ForgetAccount,
    ForgetAll,
    ForgetMemories,
    ForgetSources,
    ForgetTexts,
    ForgetWorkspace,
    Joined,
    MoveMemories,
)
from bot.logs import describe
from bot.ports import Accounts, ErasureQueue, MemoryStore, Taught, Texts

log = logging.getLogger(__name__)

#: Seconds between polls of the queue.
EVERY = 20.0
#: Seconds from an erasure to the check that all of it has left the disk: concurrent erasures get in each other's way.
SOON = 3.0
#: Seconds until the retry of an erasure that wasn't recorded before the attempt.
FIRST_RETRY = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was erased: memories (None if that failed and is retried) and entries of conversations."""

    memories: int | None
    entries: int


class Eraser:
    """Carries out queued erasures."""

    def __init__(
        self,
        queue: ErasureQueue,
        texts: Texts,
        taught: Taught,
        accounts: Accounts,
        memory: MemoryStore,
        learner: Learner | None = None,
    ) -> None:
        """`learner` is None if nothing is learned."""
        self._queue = queue
        self._texts = texts
        self._taught = taught
        self._accounts = accounts
        self._memory = memory
        self._learner = learner
        self._erased = asyncio.Event()

    async def run(self, every: float = EVERY) -> None:
        """Carry out erasures that are due, and scrub them from the disk, until cancelled.

        Every `every` seconds, and soon after each erasure.
        """
        while True:
            await self.tick()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._erased.wait(), every)
                self._erased.clear()
                await asyncio.sleep(min(SOON, every))

    async def tick(self) -> None:
        """Poll once. Never raises."""
        try:
            await self._memory.scrub()
        except Exception as exc:  # noqa: BLE001 - an unreachable store is retried
            log.warning("erased data may still be on disk, retrying: %s", describe(exc))
        try:
            due = await self._queue.due()
        except Exception as exc:  # noqa: BLE001 - an unreachable journal is polled again
            log.warning("the queue of erasures could not be read, retrying: %s", describe(exc))
            return
        for erasure in due:
            await self.attempt(erasure)
        if due:
            await self.wake_learner()

    async def attempt_all(self, erasures: Sequence[Erasure], entries: int) -> Outcome:
        """Carry out erasures, memories first, and restart lessons that they made void."""
        counts = [await self.attempt(erasure) for erasure in erasures]
        await self.wake_learner()
        return Outcome(None if None in counts else counts[0], entries)

    async def attempt(self, erasure: Erasure) -> int | None:
        """Carry out one erasure; return how many memories (or entries) went, None if it failed and is retried."""
        try:
            count = await self._perform(erasure)
            if erasure.id:
                await self._queue.done(erasure.id)
            self._erased.set()
        except Exception as exc:  # noqa: BLE001 - the boundary of one erasure: logged, kept and retried
            await self.retry_later(erasure, exc)
            return None
        return count

    async def retry_later(self, erasure: Erasure, failure: Exception) -> None:
        """Log that an erasure failed, and have it retried. Never raises."""
        try:
            if erasure.id:
                pause = await self._queue.retry_later(erasure.id)
            else:
                pause = FIRST_RETRY
                await self._queue.add([erasure], pause)
        except Exception as exc:  # noqa: BLE001 - a recorded erasure becomes due again by itself
            log.error("could not be erased (%s), nor a retry scheduled: %s", erasure.kind, describe(exc))
        else:
            log.warning("could not be erased (%s), retrying in %.0f s: %s", erasure.kind, pause, describe(failure))

    async def wake_learner(self) -> None:
        """Have the learner look for what waits, if there is a learner."""
        if self._learner is not None:
            await self._learner.resume()

    async def _perform(self, erasure: Erasure) -> int:
        match erasure.what:
            case ForgetTexts(user_id, accounts):
                return await self._texts.forget_person(user_id, accounts)
            case ForgetAll(users):
                return sum([await self._memory.forget_all(user) for user in users])
            case ForgetMemories(users, ids):
                return sum([await self._memory.forget(user, ids) for user in users])
            case ForgetSources(events, user_id):
                count = await self._memory.forget_sources(events, user_id)
                if erasure.id:
                    await self._taught.release(events)
                return count
            case MoveMemories(former, to, accounts):
                return await self._memory.move(former, to, accounts)
            case ForgetWorkspace(platform, workspace):
                return await self._forget_workspace(platform, workspace)
            case ForgetAccount(account):
                return await self._forget_account(account)

    async def _forget_workspace(self, platform: str, workspace: str) -> int:
        people = await self._taught.everyone()
        former = await self._accounts.former_keys(platform, workspace)
        # The journal's step forgets the former keys themselves. So forget under them before it, so that a retry can
        # find them again, and after it, when nothing in flight can be learned any more.
        count = await self._memory.forget_workspace(platform, workspace, people, former) if former else 0
        entries = await self._texts.forget_workspace(platform, workspace)
        count += await self._memory.forget_workspace(platform, workspace, people, former)
        log.info("%s: erased what belonged to one workspace alone: %d entries, %d memories", platform, entries, count)
        return count

    async def _forget_account(self, account: str) -> int:
        """Unlink the account, then forget everything about it."""
        if (unlinked := await self._accounts.unlink(account)) is not None:
            await self.attempt(unlinked.moving)
        outcome = await self.forget_everything(account)
        log.info("erased what belonged to one account that removed the bot")
        return outcome.memories or 0

    async def forget_everything(self, user_id: str) -> Outcome:
        """Erase everything that is kept about a person, on every linked account.

        Raises JournalUnavailable if not even the request could be recorded.
        """
        keys = (user_id, *await self._accounts.linked_to(user_id))
        # One per account: this unlinks them, and none of them may use what is still to be erased.
        memories = [Erasure(ForgetAll((key,)), key) for key in keys]
        texts, *memories = await self._queue.add([Erasure(ForgetTexts(user_id, keys), user_id), *memories])
        entries = await self.attempt(texts)
        if entries is None:
            return Outcome(None, 0)
        counts = [await self.attempt(erasure) for erasure in memories]
        return Outcome(None if None in counts else sum(filter(None, counts)), entries)

    async def joined(self, joined: Joined) -> int | None:
        """Move memories after accounts were linked or unlinked; return how many, None if it failed and is retried."""
        count = await self.attempt(joined.moving)
        await self.wake_learner()
        return count
