"""Person -> mem0 user id. Deterministic, so that memories outlive the loss of the journal; links are the exception.

Earlier versions gave one person on Slack a key for each workspace that a payload named: `slack:T1:U7`, `slack:T2:U7`.
Slack's user ids are the same in all of them, so these are one person's former keys. Once that person writes, what is
stored under a former key is joined to their own, as linked accounts are: the journal's part in one transaction, which
also records that the memories are to be moved. `look` finds the former keys.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from bot.erasures import Joined
from bot.logs import describe
from bot.model import Account, Person, Place, one_person
from bot.ports import Accounts

log = logging.getLogger(__name__)

#: The platform whose people had several keys in earlier versions.
SLACK = "slack"
#: Seconds that a message waits at most, right after startup, for the first look at the keys in use.
FIRST_LOOK = 5.0
#: Seconds between looks, since an earlier version may still be running while this one starts; and after a failure.
LOOK_EVERY = 3600.0
LOOK_AGAIN = 20.0


class Owners(Protocol):
    """The memory store, as far as it knows whose memories it holds."""

    async def people(self, platform: str) -> Sequence[str]:
        """A platform's mem0 user ids that have memories."""
        ...


class Identities:
    """Maps an account to the mem0 user id that holds its memories.

    `memory` is where former keys are looked up; None if nobody has any.
    """

    def __init__(self, accounts: Accounts, memory: Owners | None = None) -> None:
        self._accounts = accounts
        self._memory = memory
        self._follow: Callable[[Joined], Awaitable[object]] | None = None
        self._keys: dict[str, set[str]] = {}
        self._looked = asyncio.Event()
        self._joining = asyncio.Lock()

    def follow(self, joined: Callable[[Joined], Awaitable[object]]) -> None:
        """Set the callback that moves the memories of joined accounts."""
        self._follow = joined

    async def user_id(self, person: Person) -> str:
        """The account's own key, unless it is linked to another account's memories. Raises as `account`."""
        await self._unite(person)
        return await self._accounts.user_id(_key(person))

    async def account(self, person: Person, place: Place | None = None) -> Account:
        """The same, whether memory is paused or being erased, and what holds for them in a place, in one read.

        Raises ValueError for an account without a user: such an id could name everybody.
        """
        await self._unite(person)
        return await self._accounts.account(_key(person), place)

    async def everybody(self, user_id: str) -> list[str]:
        """The keys of all accounts that share a mem0 user's memories, the user's own first."""
        return [user_id, *await self._accounts.linked_to(user_id)]

    async def others(self, person: Person, user_id: str) -> list[str]:
        """A person's other accounts that share the mem0 user's memories, by one key each."""
        found = [person.key]
        for key in await self.everybody(user_id):
            if not any(one_person(key, known) for known in found):
                found.append(key)
        return found[1:]

    async def named(self, person: Person) -> list[str]:
        """All mem0 user ids of a person whom an operator names by any of their keys; that key's id first."""
        key = _key(person)
        keys = [key]
        if person.platform == SLACK:
            keys += sorted(other for other in await self._all_keys() if other != key and one_person(other, key))
        return list(dict.fromkeys([await self._accounts.user_id(key) for key in keys]))

    async def run(self) -> None:
        """Look for former keys now and every hour, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as exc:  # noqa: BLE001 - an unreachable journal or memory is tried again
                log.warning("former account keys could not be looked up: %s", describe(exc))
                self._looked.set()  # don't wait for a store that fails
                await asyncio.sleep(LOOK_AGAIN)
            else:
                await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Find the keys in use."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for key in await self._all_keys():
            found[_user(key)].add(key)
        self._keys = dict(found)
        self._looked.set()

    async def _all_keys(self) -> set[str]:
        keys = set(await self._accounts.people(SLACK))
        return keys | set(await self._memory.people(SLACK)) if self._memory is not None else keys

    async def _unite(self, person: Person) -> None:
        """Join what is stored under a person's former keys to their own."""
        if self._memory is None or person.platform != SLACK:
            return
        if not self._looked.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._looked.wait(), FIRST_LOOK)
        if not self._keys.get(person.user, set()) - {person.key}:
            return
        async with self._joining:
            for former in sorted(self._keys.get(person.user, set()) - {person.key}):
                joined = await self._accounts.unite(former, person.key)
                if joined is not None:
                    log.info("joined two Slack keys of one person")
                    if self._follow is not None:
                        await self._follow(joined)
                self._keys[person.user].discard(former)


def _user(key: str) -> str:
    return key.rpartition(":")[2]


def _key(person: Person) -> str:
    if not person.user.strip():
        raise ValueError("a person needs a user id")
    return person.key
