"""What requests took: reserved before they are sent, settled, bounded by the day, reported, and taken off people."""

import asyncio
from datetime import timedelta

from bot.journal.journal import SqlJournal
from bot.ports import Threshold, Verdict
from bot.usage import Limits, Metered, Payer, Purpose, Spent, Usage
from tests.journal.conftest import Clock, Database, Open
from tests.makers import ANN, BOB, MONDAY

DAY = MONDAY.date()
NONE = Limits()
MAX_USAGE = Usage(input=0, written=900, output=100)
TOOK = Usage(input=100, cached=200, output=20)


def metered(user: str = ANN.key, *, max_usage: Usage = MAX_USAGE, nanodollars: int | None = 1000) -> Metered:
    return Metered(Payer(user, user, "slack:T1"), Purpose.ANSWER, "claude", max_usage, nanodollars)


async def test_what_is_settled_is_counted_and_what_is_reserved_is_not(journal: SqlJournal) -> None:
    """A request in flight is in no report; once it has ended, what it took is, and nothing of what it might have."""
    assert await journal.ledger.reserve("r1", metered(), NONE) is Verdict.ADMITTED
    assert await journal.ledger.report(DAY, "model") == []
    await journal.ledger.settle("r1", TOOK, 42, NONE)
    (row,) = await journal.ledger.report(DAY, "model")
    assert (row.key, row.requests, row.unpriced, row.usage, row.nanodollars) == ("claude", 1, 0, TOOK, 42)
    assert await journal.ledger.spent_today() == await journal.ledger.spent_today(ANN.key) == Spent(320, 42)


async def test_a_request_is_settled_once(journal: SqlJournal) -> None:
    """A second settlement, as after a lost response of the database, counts nothing."""
    await journal.ledger.reserve("r1", metered(), NONE)
    await journal.ledger.settle("r1", TOOK, 42, NONE)
    await journal.ledger.settle("r1", TOOK, 42, NONE)
    assert (await journal.ledger.report(DAY, "day"))[0].requests == 1


async def test_a_request_that_was_refused_before_it_was_billed_is_none(journal: SqlJournal) -> None:
    """What took nothing is in no report, and its reservation is free again."""
    limits = Limits(tokens=1000)
    await journal.ledger.reserve("r1", metered(), limits)
    await journal.ledger.settle("r1", Usage(), 0, limits)
    assert await journal.ledger.report(DAY, "day") == []
    assert await journal.ledger.reserve("r2", metered(), limits) is Verdict.ADMITTED


async def test_a_model_without_a_price_counts_tokens_and_no_dollars(journal: SqlJournal) -> None:
    """The report tells how many requests its dollars leave out."""
    await journal.ledger.reserve("r1", metered(nanodollars=None), NONE)
    await journal.ledger.settle("r1", TOOK, None, NONE)
    (row,) = await journal.ledger.report(DAY, "day")
    assert (row.unpriced, row.nanodollars, row.usage) == (1, 0, TOOK)


async def test_reports_are_broken_down(journal: SqlJournal) -> None:
    """By day, workspace, model, person and purpose, in order of the key."""
    for number, user in enumerate((BOB.key, ANN.key, ANN.key)):
        await journal.ledger.reserve(f"r{number}", metered(user), NONE)
        await journal.ledger.settle(f"r{number}", TOOK, 10, NONE)
    rows = await journal.ledger.report(DAY, "person")
    assert [(row.key, row.requests, row.nanodollars) for row in rows] == [(ANN.key, 2, 20), (BOB.key, 1, 10)]
    for by, key in (("day", "2026-11-16"), ("workspace", "slack:T1"), ("model", "claude"), ("purpose", "answer")):
        assert [(row.key, row.requests) for row in await journal.ledger.report(DAY, by)] == [(key, 3)]


async def test_a_burst_waits_for_what_is_in_flight(journal: SqlJournal) -> None:
    """What is reserved counts: of a burst only so many go out as fit, and the rest waits rather than being refused."""
    limits = Limits(nanodollars=2500)
    verdicts = await asyncio.gather(*(journal.ledger.reserve(f"r{number}", metered(), limits) for number in range(10)))
    assert verdicts == [Verdict.ADMITTED] * 3 + [Verdict.WAIT] * 7
    await asyncio.gather(*(journal.ledger.settle(f"r{number}", TOOK, 100, limits) for number in range(3)))
    assert await journal.ledger.reserve("r10", metered(), limits) is Verdict.ADMITTED


async def test_past_the_limit_nothing_is_sent_until_the_next_day(journal: SqlJournal, clock: Clock) -> None:
    """Everybody is refused where the day's limit is spent, and let through again after midnight UTC."""
    limits = Limits(nanodollars=1000)
    await journal.ledger.reserve("r1", metered(), limits)
    assert await journal.ledger.settle("r1", TOOK, 1000, limits) == (
        Threshold.DAY_NEARLY_SPENT,
        Threshold.DAY_SPENT,
    )
    assert await journal.ledger.reserve("r2", metered(BOB.key), limits) is Verdict.DAY_SPENT
    clock.now += timedelta(hours=15).total_seconds()
    assert await journal.ledger.reserve("r3", metered(BOB.key), limits) is Verdict.ADMITTED


async def test_a_persons_limit_is_their_own(journal: SqlJournal) -> None:
    """One person's spending closes nothing to another; tokens bound as dollars do."""
    limits = Limits(person_tokens=300)
    await journal.ledger.reserve("r1", metered(), limits)
    assert await journal.ledger.settle("r1", TOOK, None, limits) == (
        Threshold.PERSON_NEARLY_SPENT,
        Threshold.PERSON_SPENT,
    )
    assert await journal.ledger.reserve("r2", metered(), limits) is Verdict.PERSON_SPENT
    assert await journal.ledger.reserve("r3", metered(BOB.key), limits) is Verdict.ADMITTED


async def test_each_threshold_is_passed_once(journal: SqlJournal) -> None:
    """80 % is reported by the request that passes it, and by no other."""
    limits = Limits(tokens=1000)
    passed = []
    for number in range(4):
        await journal.ledger.reserve(f"r{number}", metered(max_usage=TOOK), limits)
        passed.append(await journal.ledger.settle(f"r{number}", TOOK, 1, limits))
    assert passed == [(), (), (Threshold.DAY_NEARLY_SPENT,), (Threshold.DAY_SPENT,)]


async def test_a_request_that_ends_after_midnight_counts_for_the_day_it_was_sent(
    journal: SqlJournal, clock: Clock
) -> None:
    """Reserved and settled on the same day, or the new day would begin with somebody else's debt."""
    await journal.ledger.reserve("r1", metered(), NONE)
    clock.now += timedelta(hours=15).total_seconds()
    await journal.ledger.settle("r1", TOOK, 42, NONE)
    assert [row.key for row in await journal.ledger.report(DAY, "day")] == ["2026-11-16"]
    assert await journal.ledger.spent_today() == Spent()


async def test_workers_share_one_limit(open_: Open) -> None:
    """Two processes on one database can't spend it twice."""
    limits = Limits(nanodollars=2500)
    one, two = await open_(), await open_()
    verdicts = await asyncio.gather(
        *(one.ledger.reserve(f"a{number}", metered(), limits) for number in range(5)),
        *(two.ledger.reserve(f"b{number}", metered(), limits) for number in range(5)),
    )
    assert sorted(verdict.name for verdict in verdicts) == ["ADMITTED"] * 3 + ["WAIT"] * 7


async def test_what_a_stopped_worker_had_in_flight_counts_in_full(open_: Open) -> None:
    """Nobody can tell what it took: the most that it can have is counted, once."""
    one, two = await open_(), await open_()
    await one.ledger.reserve("r1", metered(), NONE)
    await one.close()
    (row,) = await two.ledger.report(DAY, "person")
    assert (row.key, row.usage, row.nanodollars) == (ANN.key, MAX_USAGE, 1000)
    assert await two.ledger.spent_today() == Spent(1000, 1000)


async def test_what_a_killed_worker_had_in_flight_counts_in_full(open_: Open, database: Database) -> None:
    """The same where the process could say nothing any more: by whoever notices that it is gone."""
    journal = await open_()
    await journal.ledger.reserve("r1", metered(), NONE)
    with database.connect() as conn:
        conn.execute("DELETE FROM workers")
        conn.commit()
    other = await open_()
    await other.close()
    (row,) = await journal.ledger.report(DAY, "person")
    assert (row.requests, row.usage) == (1, MAX_USAGE)
    await journal.ledger.settle("r1", TOOK, 42, NONE)
    assert (await journal.ledger.report(DAY, "person"))[0].usage == MAX_USAGE


async def test_forgetting_takes_the_person_off_and_leaves_the_sum(journal: SqlJournal, database: Database) -> None:
    """No row names them any more, in flight or counted; what was billed stays, and so does the day's bound."""
    limits = Limits(person_nanodollars=50)
    for name, user in (("r1", ANN.key), ("r2", BOB.key)):
        await journal.ledger.reserve(name, metered(user), limits)
        await journal.ledger.settle(name, TOOK, 60, limits)
    await journal.ledger.reserve("r3", metered(), NONE)
    assert [row["account"] for row in (await journal.texts.export(ANN.key, [ANN.key]))["usage"]] == [ANN.key]
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert (await journal.texts.export(ANN.key, [ANN.key]))["usage"] == []
    await journal.ledger.settle("r3", TOOK, 60, NONE)
    rows = await journal.ledger.report(DAY, "person")
    assert [(row.key, row.requests, row.nanodollars) for row in rows] == [("", 2, 120), (BOB.key, 1, 60)]
    assert await journal.ledger.reserve("r4", metered(), limits) is Verdict.PERSON_SPENT


async def test_a_workspace_that_goes_takes_its_ids_along(journal: SqlJournal) -> None:
    """Neither the workspace nor its people are named any more; another workspace's are."""
    other = Metered(Payer("discord:7", "discord:7", "discord:9"), Purpose.LEARNING, "claude", MAX_USAGE, 1000)
    for name, request in (("r1", metered()), ("r2", other)):
        await journal.ledger.reserve(name, request, NONE)
        await journal.ledger.settle(name, TOOK, 5, NONE)
    await journal.texts.forget_workspace("slack", "T1")
    assert [row.key for row in await journal.ledger.report(DAY, "workspace")] == ["", "discord:9"]
    assert [row.key for row in await journal.ledger.report(DAY, "person")] == ["", "discord:7"]


async def test_old_counts_are_pruned(open_: Open, clock: Clock, database: Database) -> None:
    """Counts go after BOT_USAGE_DAYS, balances once their day is over."""
    journal = await open_(bot_usage_days=2)
    await journal.ledger.reserve("r1", metered(), NONE)
    await journal.ledger.settle("r1", TOOK, 5, NONE)
    clock.now += timedelta(days=1).total_seconds()
    await journal.prune()
    assert await journal.ledger.report(DAY, "day")
    with database.connect() as conn:
        assert conn.execute("SELECT count(*) FROM spent").fetchone() == (0,)
    clock.now += timedelta(days=2).total_seconds()
    await journal.prune()
    assert await journal.ledger.report(DAY, "day") == []


async def test_a_notice_is_due_once_in_a_while(open_: Open, clock: Clock) -> None:
    """In whichever process; each kind and person apart; and again once the time has passed, or the clock went back."""
    one, two = await open_(), await open_()
    assert await one.notices.first("limit", ANN.key, 3600)
    assert not await two.notices.first("limit", ANN.key, 3600)
    assert await two.notices.first("limit", BOB.key, 3600)
    assert await two.notices.first("other", ANN.key, 3600)
    clock.now += 3600
    assert await two.notices.first("limit", ANN.key, 3600)
    clock.now -= 7200
    assert await one.notices.first("limit", ANN.key, 3600)
    clock.now += timedelta(days=2).total_seconds()
    assert await one.prune() >= 3
