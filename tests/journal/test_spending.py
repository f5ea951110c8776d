"""What is spent: the loop over a real journal and the real SDK, against the loopback Messages API's own bill."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from bot.chat.claude import MAX_TOKENS, ClaudeChat
from bot.config import Settings
from bot.core.identity import Identities
from bot.core.learning import Learner
from bot.core.spending import LimitedSpending
from bot.journal.journal import SqlJournal
from bot.loop import MemoryBot
from bot.model import Person
from bot.ports import LearningFailed, LimitReached
from bot.prices import Prices
from bot.usage import Limits, Payer, Purpose, Spent, Usage
from tests.fakes.claude import OVERLOADED, FakeClaude, Reply, Request
from tests.journal.conftest import Clock, Open
from tests.journal.makers import told
from tests.makers import ANN, BOB, MONDAY, message
from tests.stubs import StubMemory, StubReplyHandle

DAY = MONDAY.date()
MODEL = "claude-sonnet-5-5"


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude(record=False) as server:
        yield server


@pytest.fixture
async def chat(claude: FakeClaude) -> AsyncIterator[ClaudeChat]:
    made = ClaudeChat(
        Settings(
            anthropic_api_key=SecretStr("key"),
            anthropic_base_url=claude.url,
            _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
        )
    )
    yield made
    await made.close()


class Worker:
    """One process: the loop over a journal."""

    def __init__(self, journal: SqlJournal, chat: ClaudeChat, clock: Clock, limits: Limits | None = None) -> None:
        self.journal = journal
        self.spending = LimitedSpending(journal.ledger, Prices(), limits or Limits(), clock=clock)
        memory = StubMemory()
        self.bot = MemoryBot(
            *(journal.inbox, journal.turns, journal.pauses, Identities(journal.accounts), memory, chat),
            Learner(journal.outbox, memory, quiet=3600, latest=3600),
            self.spending,
            journal.notices,
            later=False,
        )

    async def ask(self, number: int, person: Person = ANN) -> str:
        """Ask something; return what is shown at last, or whispered, or nothing."""
        reply = StubReplyHandle()
        await self.bot.on_message(message(f"Question {number}", number=number, person=person), reply)
        return next(iter([*reply.shown[-1:], *reply.whispers]), "")


async def test_the_table_is_the_services_bill(claude: FakeClaude, chat: ClaudeChat, open_: Open, clock: Clock) -> None:
    """A thousand answers by two workers, a third of them with faults: what is counted is what was billed.

    Of a stream that broke off the answer counts at its longest; what was refused counts nothing.
    """
    chance = random.Random(11)

    def answer(_: Request) -> Reply:
        fault = chance.random()
        text = "x" * chance.randrange(1, 400)
        if fault < 0.1:
            return Reply(text, cut_after=chance.randrange(2))
        if fault < 0.2:
            return Reply(text, error_after=chance.randrange(2))
        return OVERLOADED if fault < 0.23 else Reply(text)

    claude.handler = answer
    workers = [Worker(await open_(), chat, clock) for _ in range(2)]
    people = [Person("slack", "T1", f"U{number}") for number in range(20)]
    asking = [
        workers[number % 2].ask(number + 1, people[number % 20] if number % 20 < 19 else BOB) for number in range(1000)
    ]
    await asyncio.gather(*asking)
    for worker in workers:
        await worker.spending.close()
    (row,) = await workers[0].journal.ledger.report(DAY, "model")
    assert (row.key, row.unpriced) == (MODEL, 0)
    assert claude.untold > 100
    assert row.requests == claude.billed
    assert row.usage == Usage(
        input=claude.tokens["input"],
        cached=claude.tokens["cache_read"],
        written=claude.tokens["cache_creation"],
        output=claude.tokens["output"] - claude.untold_output + claude.untold * MAX_TOKENS,
    )
    assert row.nanodollars == Prices().cost(MODEL, row.usage)
    assert await workers[1].journal.ledger.spent_today() == Spent(row.usage.tokens, row.nanodollars)
    assert sum(line.requests for line in await workers[0].journal.ledger.report(DAY, "person")) == row.requests


async def test_a_budget_that_runs_out_in_a_burst_returns_at_midnight(
    claude: FakeClaude, chat: ClaudeChat, open_: Open, clock: Clock
) -> None:
    """A hundred people write at once: no more is spent than was allowed and is in flight; each is told once.

    Once the day is over they are answered again.
    """
    claude.handler = lambda _: Reply("x" * 4000, delay=0.01)
    cost = Prices().cost(MODEL, Usage(input=400, output=1001)) or 0
    limits = Limits(nanodollars=10 * cost)
    workers = [Worker(await open_(), chat, clock, limits) for _ in range(2)]
    people = [Person("slack", "T1", f"U{number}") for number in range(100)]
    said = await asyncio.gather(*(workers[number % 2].ask(number + 1, people[number]) for number in range(100)))
    answered = [text for text in said if text.startswith("xxx")]
    assert 5 <= len(answered) <= 15
    assert [text for text in said if text not in answered] == [LimitReached.sentence] * (100 - len(answered))
    assert len(answered) == claude.calls
    spent = await workers[0].journal.ledger.spent_today()
    most = Prices().cost(MODEL, Usage(written=4000, output=MAX_TOKENS)) or 0  # one request's
    assert limits.nanodollars is not None
    assert limits.nanodollars <= spent.nanodollars < limits.nanodollars + most
    assert await workers[1].ask(200, people[99]) == ""  # was told already, by whichever worker
    clock.now += timedelta(hours=1).total_seconds()
    assert await workers[0].ask(201, people[99]) == LimitReached.sentence
    clock.now += timedelta(hours=15).total_seconds()
    assert (await workers[0].ask(202, people[99])).startswith("xxx")
    assert (await workers[1].ask(203, people[98])).startswith("xxx")
    for worker in workers:
        await worker.spending.close()


async def test_a_person_who_has_spent_theirs_stops_nobody_else(
    claude: FakeClaude, chat: ClaudeChat, open_: Open, clock: Clock
) -> None:
    """The bound per person is each one's own, and what was not answered is neither kept nor learned."""
    worker = Worker(await open_(), chat, clock, Limits(person_tokens=100))
    assert (await worker.ask(1)).startswith("You said")
    await worker.spending.close()
    assert await worker.ask(2) == LimitReached.sentence
    assert (await worker.ask(3, BOB)).startswith("You said")
    assert (await worker.journal.backlog())[:2] == (0, 2)
    await worker.spending.close()


async def test_the_first_request_of_a_small_budget_is_let_through(
    claude: FakeClaude, chat: ClaudeChat, open_: Open, clock: Clock
) -> None:
    """A bound below what one request may take at most still lets one through: it is the last, not none."""
    worker = Worker(await open_(), chat, clock, Limits(nanodollars=1))
    assert (await worker.ask(1)).startswith("You said")
    await worker.spending.close()
    assert await worker.ask(2) == LimitReached.sentence
    await worker.spending.close()


async def test_nearing_the_limit_is_one_warning(
    claude: FakeClaude, chat: ClaudeChat, open_: Open, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """At 80 % of the day's limit there is one line for the operator, with figures; and one where it is reached."""
    claude.handler = lambda _: Reply("x" * 4000)
    cost = Prices().cost(MODEL, Usage(input=300, output=1001)) or 0
    worker = Worker(await open_(), chat, clock, Limits(nanodollars=10 * cost))
    for number in range(1, 20):
        await worker.ask(number, Person("slack", "T1", f"U{number}"))
        await worker.spending.close()
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line.partition(":")[0] for line in lines if "limit" in line] == [
        "80 % of the day's limit is spent",
        "the day's limit is spent",
    ]
    assert "$0.1" in lines[-1]
    await worker.spending.close()


async def test_a_charge_waits_for_what_is_in_flight(journal: SqlJournal, clock: Clock) -> None:
    """While another request may use the limit up nothing is refused: it waits, and goes as soon as there is room."""
    spending = LimitedSpending(journal.ledger, Prices(), Limits(tokens=1000), clock=clock)
    payer = Payer(ANN.key, ANN.key, "slack:T1")
    first = await spending.charge(payer, Purpose.ANSWER, MODEL, Usage(output=1000))
    second = asyncio.create_task(spending.charge(payer, Purpose.LEARNING, MODEL, Usage(output=1000)))
    await asyncio.sleep(0.05)
    assert not second.done()
    async with first:
        first.usage = Usage(output=10)
    async with await asyncio.wait_for(second, 5) as charge:
        charge.usage = Usage(output=990)
    await spending.close()
    with pytest.raises(LimitReached) as caught:
        await spending.charge(payer, Purpose.ANSWER, MODEL, Usage(output=1))
    assert not caught.value.person
    assert caught.value.seconds == timedelta(hours=15).total_seconds()


async def test_learning_waits_until_more_may_be_spent(journal: SqlJournal, clock: Clock) -> None:
    """What can't be paid for today isn't a failure: nothing is counted against it, and it is learned the next day."""

    class Spent(StubMemory):
        limited = True

        async def learn(self, exchanges: object, taught: object = None) -> int:
            if self.limited:
                raise LearningFailed("the limit for today is reached", wait=15 * 3600)
            return 1

    memory = Spent()
    learner = Learner(journal.outbox, memory, quiet=0, latest=0)
    await told(journal, "I live in Porto.", 1)
    await learner.resume()
    await learner.flush()
    assert (await journal.backlog()).waiting == 1
    (waiting,) = await journal.outbox.claim(ANN.key, "private")
    assert waiting.attempts == 0
    await journal.outbox.postpone([waiting.id], 15 * 3600)
    assert await journal.outbox.waiting() == []
    memory.limited = False
    clock.now += timedelta(hours=15).total_seconds()
    await learner.resume()
    await learner.flush()
    assert (await journal.backlog()).waiting == 0


async def test_a_text_waits_no_longer_than_turns_are_kept(open_: Open, clock: Clock) -> None:
    """Where more may be spent only after the texts' time, they go unlearned."""
    journal = await open_(bot_turns_ttl_hours=2)
    await told(journal, "I live in Porto.", 1)
    (waiting,) = await journal.outbox.claim(ANN.key, "private")
    assert await journal.outbox.postpone([waiting.id], 15 * 3600) == 0
    clock.now += 3 * 3600
    (waiting,) = await journal.outbox.claim(ANN.key, "private")
    assert await journal.outbox.postpone([waiting.id], 12 * 3600) == 1
    assert (await journal.backlog()).waiting == 0


async def test_what_is_pruned_is_what_waits_for_the_limit(open_: Open, clock: Clock) -> None:
    """The hourly pruning drops such texts too, and none that wait for another reason."""
    journal = await open_(bot_turns_ttl_hours=2)
    await told(journal, "I live in Porto.", 1)
    (waiting,) = await journal.outbox.claim(ANN.key, "private")
    await journal.outbox.postpone([waiting.id], 15 * 3600)
    await told(journal, "I like tea.", 2)
    clock.now += 3 * 3600
    await journal.prune()
    assert (await journal.backlog()).waiting == 1
