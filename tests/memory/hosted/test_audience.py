"""Promise 4 on hosted mem0: the real store and journal against `tests.core.test_audience`, links included."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.app import PLATFORMS
from bot.core.platforms import parse_person
from bot.events import MessageEvent
from tests.core.test_audience import PEOPLE, PLACES, Fact, step
from tests.fakes.mem0 import FakeMem0
from tests.memory.hosted.world import NOW, Process, process
from tests.parts import make_privacy

pytestmark = pytest.mark.slow


class Model:
    """Facts by number, and who each account is, as a number that linked accounts share."""

    def __init__(self) -> None:
        self.facts: dict[int, Fact] = {}
        self.person = {account: number for number, account in enumerate(PEOPLE)}

    def same(self, one: str, two: str) -> bool:
        """Whether two accounts are one person's."""
        return self.person[one] == self.person[two]

    def recalled(self, account: str, here: int) -> set[str]:
        """The facts that the rule allows."""
        found = set()
        for number, fact in self.facts.items():
            fact.owner = account if self.same(fact.told_by, account) else fact.told_by
            if fact.recalled(account, PLACES[here]):
                found.add(f"fact {number}")
        return found


class Both:
    """The bot and its model, told the same."""

    def __init__(self, bot: Process) -> None:
        self._bot = bot
        self._privacy = make_privacy(bot.journal, bot.memory)
        self.model = Model()

    async def found(self, account: str, here: int) -> set[str]:
        """What the bot recalls there."""
        user = await self._bot.journal.accounts.user_id(account)
        memories = await self._bot.memory.recall(user, PLACES[here].recallable, "fact", (), NOW)
        return {memory.text.split(": ")[-1] for memory in memories}

    async def apply(self, change: tuple[Any, ...], number: int) -> None:
        """One step. A number is a place among the facts that there are; without any, of one that is gone."""
        kind, one, two = change
        facts, bot = self.model.facts, self._bot
        if isinstance(one, int):
            one = sorted(facts)[one % len(facts)] if facts else 99
        if kind == "learn":
            event = MessageEvent(f"e{number}", parse_person(one, PLATFORMS), PLACES[two], f"fact {number}", "Ann", NOW)
            await bot.memory.learn([await bot.hear(event)])
            facts[number] = Fact(one, one, PLACES[two])
        elif kind == "share" and one in facts:
            user, memory_id = await self._at(facts[one].told_by, one)
            assert await bot.memory.share(user, memory_id, shared=two)
            facts[one].open = two
        elif kind == "edit" and one in facts:  # by anybody: only the owner's counts, and it changes no audience
            _, memory_id = await self._at(facts[one].told_by, one)
            edited = await bot.memory.edit(await bot.journal.accounts.user_id(two), memory_id, f"fact {one}", NOW)
            assert (edited is not None) == self.model.same(facts[one].told_by, two)
        elif kind == "forget" and one in facts:
            _, memory_id = await self._at(facts[one].told_by, one)
            count = await bot.memory.forget(await bot.journal.accounts.user_id(two), [memory_id])
            assert count == self.model.same(facts[one].told_by, two)
            if count:
                del facts[one]
        elif kind == "delete":
            await self._privacy.changes.on_deleted([f"e{one}"])
            facts.pop(one, None)
        elif kind == "everything":
            assert (
                await self._privacy.rights.forget_everything(await bot.journal.accounts.user_id(one))
            ).memories is not None
            for gone in [each for each, fact in facts.items() if self.model.same(fact.told_by, one)]:
                del facts[gone]
            for account in [person for person in PEOPLE if self.model.same(person, one)]:
                self._part(account)
        elif kind == "link":
            await self._link(one, two, f"digest {number}")
        elif kind == "part" and (unlinked := await bot.journal.accounts.unlink(two)) is not None:
            assert await self._privacy.eraser.joined(unlinked) is not None
            self._part(two)

    async def _link(self, one: str, two: str, digest: str) -> None:
        if self.model.same(one, two):
            return
        await self._bot.journal.codes.offer(two, digest)
        joined = await self._bot.journal.codes.redeem(one, digest)
        assert joined is not None
        assert await self._privacy.eraser.joined(joined) is not None
        moved = self.model.person[one]
        for account in [person for person in PEOPLE if self.model.person[person] == moved]:
            self.model.person[account] = self.model.person[two]

    def _part(self, account: str) -> None:
        self.model.person[account] = max(self.model.person.values()) + 1

    async def _at(self, account: str, number: int) -> tuple[str, str]:
        """Whose a fact is, and its memory's id."""
        user = await self._bot.journal.accounts.user_id(account)
        memories = await self._bot.memory.list(user)
        (found,) = [memory.id for memory in memories if memory.text.split(": ")[-1] == f"fact {number}"]
        return user, found


# Without shrinking, which would take minutes: a history of twenty steps is read as it is.
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(step, min_size=5, max_size=20))
def test_recall_is_the_models(steps: list[tuple[Any, ...]]) -> None:
    """For every account and place, after any history, what is recalled is exactly what the rule allows."""

    async def run(folder: Path) -> None:
        async with FakeMem0() as mem0, process(folder, mem0.url, tokens=10_000, patience=1e9) as bot:
            both = Both(bot)
            for number, change in enumerate(steps):
                await both.apply(change, number)
                for account in PEOPLE:
                    assert await both.found(account, 1) == both.model.recalled(account, 1)
            for account in PEOPLE:
                for here in range(len(PLACES)):
                    assert await both.found(account, here) == both.model.recalled(account, here), (account, here)
            assert len(mem0.rows) == len(both.model.facts)

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
