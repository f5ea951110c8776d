"""The worker that learns."""

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest

from bot.core.learning import UNEXPECTED, Learner
from bot.events import Learned, Recalled
from bot.model import Exchange
from bot.ports import LearningFailed, MemoryUnavailable
from tests.makers import exchange, until
from tests.stub_journal import StubJournal
from tests.stubs import StubMemory


class Lessons(StubMemory):
    """Records each call; `outcomes` are raised or returned in turn, then 1."""

    def __init__(self, *outcomes: int | Exception) -> None:
        super().__init__()
        self.calls: list[list[str]] = []
        self.outcomes = list(outcomes)
        self.gate = asyncio.Event()
        self.gate.set()
        self.inside = 0
        self.peak = 0

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        self.calls.append([exchange.text for exchange in exchanges])
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        try:
            await self.gate.wait()
        finally:
            self.inside -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def learner(journal: StubJournal, memory: Lessons, heard: list[Recalled | Learned] | None = None) -> Learner:
    return Learner(journal.outbox, memory, (heard if heard is not None else []).append, quiet=0.02, latest=0.2)


async def until_learned(journal: StubJournal) -> None:
    await until(lambda: not journal.outbox.kept)


async def test_what_waits_is_learned_in_one_call() -> None:
    """Exchanges said in one breath are learned together, in order, and their text is dropped."""
    journal, memory, heard = StubJournal(), Lessons(2), list[Recalled | Learned]()
    worker = learner(journal, memory, heard)
    for number, text in enumerate(("one", "two", "three")):
        journal.outbox.kept.append(exchange(number, text))
        worker.noticed("slack:T1:UANN", "private")
    await until_learned(journal)
    await worker.flush()
    assert memory.calls == [["one", "two", "three"]]
    assert heard == [Learned("slack:T1:UANN", 2)]


async def test_a_person_who_never_pauses_is_learned_all_the_same() -> None:
    """Learning begins at the latest a while after the first exchange that waits, quiet or not."""
    journal, memory = StubJournal(), Lessons()
    worker = learner(journal, memory)
    number = 0
    async with asyncio.timeout(5):
        while not memory.calls:
            journal.outbox.kept.append(exchange(number))
            worker.noticed("slack:T1:UANN", "private")
            number += 1
            await asyncio.sleep(0.005)
    await worker.stop(1)


async def test_audiences_are_learned_apart() -> None:
    """What was said in a DM and in a channel never shares an extraction."""
    journal, memory = StubJournal(), Lessons()
    worker = learner(journal, memory)
    journal.outbox.kept += [exchange(1, "secret"), exchange(2, "open", scope="public:slack:T1")]
    worker.noticed("slack:T1:UANN", "private")
    worker.noticed("slack:T1:UANN", "public:slack:T1")
    await until_learned(journal)
    assert sorted(memory.calls) == [["open"], ["secret"]]
    assert memory.peak == 1, "a person's lessons must not overlap"


async def test_another_person_is_not_kept_waiting() -> None:
    """One person's slow extraction holds up nobody else's."""
    journal, memory = StubJournal(), Lessons()
    memory.gate.clear()
    worker = learner(journal, memory)
    for number, user in enumerate(("a", "b", "c")):
        journal.outbox.kept.append(exchange(number, user_id=user))
        worker.noticed(user, "private")
    await until(lambda: memory.peak == 3)
    memory.gate.set()
    await until_learned(journal)


async def test_a_failed_extraction_is_kept_and_tried_again() -> None:
    """A lesson that fails drops nothing: it is counted, and learned at the next try."""
    journal, memory = StubJournal(), Lessons(LearningFailed("cut"), MemoryUnavailable("down"))
    worker = learner(journal, memory)
    journal.outbox.kept.append(exchange(1, "keep me"))
    for attempt in (1, 2):
        worker.noticed("slack:T1:UANN", "private")
        await worker.flush()
        assert [exchange.text for exchange in journal.outbox.kept] == ["keep me"]
        assert len(journal.outbox.failures) == attempt
    await worker.flush()
    assert journal.outbox.kept == []


@pytest.mark.parametrize("outage", [True, False])
async def test_an_outage_gives_nothing_up(outage: bool) -> None:
    """However often an exchange was tried while the service was away or unpaid, it is tried again when it is back."""
    journal, memory = StubJournal(), Lessons(LearningFailed("no credit", outage=outage))
    worker = learner(journal, memory)
    journal.outbox.kept.append(dataclasses.replace(exchange(1, "keep me"), attempts=200))
    worker.noticed("slack:T1:UANN", "private")
    await worker.flush()
    assert [final for _, _, final in journal.outbox.failures] == [not outage]
    await worker.stop(1)


async def test_a_final_failure_is_set_aside() -> None:
    """A refused extraction is recorded for the operator and not tried for ever."""
    journal, memory = StubJournal(), Lessons(LearningFailed("refused", final=True))
    worker = learner(journal, memory)
    journal.outbox.kept.append(exchange(1))
    worker.noticed("slack:T1:UANN", "private")
    await worker.flush()
    await worker.flush()
    assert journal.outbox.failures == [([1], "refused", True)]
    assert len(memory.calls) == 1


async def test_an_earlier_process_left_something() -> None:
    """What waits in the journal at the start is learned without another word from the person."""
    journal, memory = StubJournal(), Lessons()
    journal.outbox.kept.append(exchange(1, "before the restart"))
    worker = learner(journal, memory)
    await worker.resume()
    await until_learned(journal)
    assert memory.calls == [["before the restart"]]


async def test_stopping_leaves_what_is_not_done() -> None:
    """After a stop nothing new begins, and what could not finish in time stays in the journal."""
    journal, memory = StubJournal(), Lessons()
    memory.gate.clear()
    worker = learner(journal, memory)
    journal.outbox.kept.append(exchange(1))
    worker.noticed("slack:T1:UANN", "private")
    await until(lambda: bool(memory.calls))
    await worker.stop(0.01)
    worker.noticed("slack:T1:UANN", "private")
    await worker.flush()
    assert len(memory.calls) == 1
    assert len(journal.outbox.kept) == 1


class Poisoned(Lessons):
    """A memory that fails, in a way nobody foresaw, on whatever holds the word "odd"."""

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        self.calls.append([exchange.text for exchange in exchanges])
        if any("odd" in exchange.text for exchange in exchanges):
            raise KeyError("odd")
        return 1


async def test_one_odd_exchange_holds_up_no_other() -> None:
    """What fails for reasons that nobody foresaw is set aside after a few tries, and the others are learned at once."""
    journal, memory = StubJournal(), Poisoned()
    journal.outbox.kept = [exchange(1, "one"), exchange(2, "odd"), exchange(3, "three")]
    worker = learner(journal, memory)
    worker.noticed("slack:T1:UANN", "private")
    await worker.flush()
    assert [exchange.text for exchange in journal.outbox.kept] == ["odd"]
    assert journal.outbox.failures == [([2], "KeyError", False)]
    journal.outbox.kept = [exchange(2, "odd", attempts=UNEXPECTED - 1), exchange(4, "four")]
    await worker.flush()
    worker.noticed("slack:T1:UANN", "private")
    await worker.flush()
    assert journal.outbox.failures[-1] == ([2], "KeyError", True)
    assert journal.outbox.set_aside == {2}
    assert [exchange.text for exchange in journal.outbox.kept] == ["odd"]
    await worker.stop(1)


async def test_only_what_was_tried_often_is_given_up() -> None:
    """Of two that fail together the one that failed often before is given up, though the other is new."""
    journal, memory = StubJournal(), Lessons(LearningFailed("cut", ids=(1, 2)))
    journal.outbox.kept = [exchange(1, "old", attempts=49), exchange(2, "new")]
    worker = learner(journal, memory)
    worker.noticed("slack:T1:UANN", "private")
    await worker.flush()
    assert journal.outbox.failures == [([1], "cut", True), ([2], "cut", False)]
    await worker.stop(1)
