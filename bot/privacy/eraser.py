"""Erasing what is kept of people, until it is done.

What is to be erased is written down before it is tried, so that neither a crash nor a memory store that is down leaves
anything behind: `run` tries again what failed. All that is in flight is void from that moment on.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

from bot.core.identity import Identities
from bot.core.learning import Learner
from bot.logs import describe
from bot.model import Erasure, Joined
from bot.ports import Journal, MemoryStore

log = logging.getLogger(__name__)

#: Seconds between two looks at what is still to be erased.
EVERY = 20.0
#: Seconds from an erasure to the look whether all of it has left the disk: two at once are in each other's way.
SOON = 3.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What went: memories (None where that failed, and is tried again) and entries of conversations."""

    memories: int | None
    entries: int


class Erasing:
    """Does what is owed (`bot.events.Erasure`), again and again where it fails."""

    def __init__(
        self, journal: Journal, memory: MemoryStore, identities: Identities, learner: Learner | None = None
    ) -> None:
        """`learner` is None where nothing is learned."""
        self._journal = journal
        self._memory = memory
        self._identities = identities
        self._learner = learner
        self._erased = asyncio.Event()
        identities.follow(self.joined)

    @property
    def identities(self) -> Identities:
        """Whose memories are whose."""
        return self._identities

    async def forget_everything(self, user_id: str) -> Outcome:
        """Erase all that is kept about a person, on every linked account.

        Raises JournalUnavailable where not even the wish could be written down.
        """
        keys = await self._identities.everybody(user_id)
        # One for each account: parted by this, none of them may use what is still to be erased.
        everything = [Erasure("everything", {"users": [key]}, key) for key in keys]
        raw = Erasure("raw", {"user": user_id, "accounts": keys}, user_id)
        raw, *owed = await self._journal.owe([raw, *everything])
        entries = await self.attempt(raw)
        if entries is None:
            return Outcome(None, 0)
        counts = [await self.attempt(each) for each in owed]
        return Outcome(None if None in counts else sum(filter(None, counts)), entries)

    async def run(self, every: float = EVERY) -> None:
        """Try again what failed, erase what has become due, and see that it left the disk, every so many seconds.

        Soon after each erasure, too. For ever.
        """
        while True:
            await self.tick()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._erased.wait(), every)
                self._erased.clear()
                await asyncio.sleep(min(SOON, every))

    async def tick(self) -> None:
        """Look once. Never raises."""
        try:
            await self._memory.scrub()
        except Exception as exc:  # noqa: BLE001 - what is out of reach is tried again
            log.warning("what was erased may still be on the disk: %s", describe(exc))
        try:
            owed = await self._journal.owed()
        except Exception as exc:  # noqa: BLE001 - a journal that is out of reach is looked at again
            log.warning("what is to be erased can't be looked at: %s", describe(exc))
            return
        for each in owed:
            await self.attempt(each)
        if owed:
            await self._wake()

    async def attempt(self, owed: Erasure) -> int | None:
        """Do one thing that is owed; how many memories (or entries) it touched, None where it is to be tried again."""
        try:
            count = await self._perform(owed)
            if owed.id:
                await self._journal.settle(owed.id)
            self._erased.set()
        except Exception as exc:  # noqa: BLE001 - the boundary of one erasure: it is logged, kept and tried again
            log.warning("an erasure (%s) is put off: %s", owed.kind, describe(exc))
            await self._put_off(owed)
            return None
        return count

    async def _put_off(self, owed: Erasure) -> None:
        try:
            if owed.id:
                await self._journal.put_off(owed.id)
            else:
                await self._journal.owe([owed])
        except Exception as exc:  # noqa: BLE001 - what is written down is due again by itself
            log.error("an erasure (%s) could not be put off: %s", owed.kind, describe(exc))

    async def _perform(self, owed: Erasure) -> int:
        what = owed.what
        match owed.kind:
            case "raw":
                return await self._journal.forget_raw(what["user"], what["accounts"])
            case "everything":
                return sum([await self._memory.forget_all(user) for user in what["users"]])
            case "memories":
                # Under each of the accounts that were linked then: they may have been parted since.
                users = what["users"] if "users" in what else [what["user"]]
                return sum([await self._memory.forget(user, what["ids"]) for user in users])
            case "sources":
                count = await self._memory.forget_sources(what["events"], what["user"])
                if owed.id:
                    await self._journal.release(what["events"])
                return count
            case "move":
                return await self._memory.move(what["from"], what["to"], what["accounts"])
            case "workspace":
                return await self._forget_workspace(what["platform"], what["workspace"])
            case "account":
                return await self._forget_account(what["account"])
        raise ValueError("no such erasure")

    async def _forget_workspace(self, platform: str, workspace: str) -> int:
        people = await self._journal.learners()
        former = await self._journal.spelled(platform, workspace)
        # What the journal forgets in between are the former keys themselves: here first, to be found again after a
        # failure; and afterwards, when nothing that is in flight can be learned any more.
        count = await self._memory.forget_workspace(platform, workspace, people, former) if former else 0
        entries = await self._journal.forget_workspace(platform, workspace)
        count += await self._memory.forget_workspace(platform, workspace, people, former)
        log.info("%s: erased what belonged to a workspace alone: %d entries, %d memories", platform, entries, count)
        return count

    async def _forget_account(self, account: str) -> int:
        """Part the account from those it is linked with, then forget everything of it."""
        if (parted := await self._journal.part(account)) is not None:
            await self.attempt(parted.moving)
        outcome = await self.forget_everything(account)
        log.info("erased what belonged to one account that removed the bot")
        return outcome.memories or 0

    async def joined(self, joined: Joined) -> int | None:
        """Let memories follow accounts that were linked or parted; how many, None where that is tried again."""
        count = await self.attempt(joined.moving)
        await self._wake()
        return count

    async def _wake(self) -> None:
        if self._learner is not None:
            await self._learner.resume()
