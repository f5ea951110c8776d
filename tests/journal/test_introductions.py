"""Who has been told that they are remembered, on each database."""

import asyncio
from dataclasses import replace

from bot.journal.introductions import AGAIN
from bot.journal.journal import SqlJournal
from bot.model import Audience, Place
from tests.journal.conftest import Clock, Open
from tests.makers import ANN, BOB, DM, GENERAL, message

T1, T2 = "slack:T1", "slack:T2"
ELSEWHERE = Place("slack", "T2", "C1", "100.1", Audience.PUBLIC)
NOWHERE = Place("discord", "", "7", None, Audience.PRIVATE)


async def tell(journal: SqlJournal, number: int, place: Place = DM) -> bool:
    """Answer a message, and say it with the answer if that is due; return whether it was."""
    event = message("hi", number=number, place=place)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    introduced = await journal.introductions.due(ANN.key, place.workspace_key, event.id)
    answered = event, ANN.key, conversation, "ok", [f"{event.id}/answer"]
    await journal.inbox.answered(*answered, learn=True, introduced=introduced)
    return introduced


async def introduced(journal: SqlJournal, *places: Place) -> list[bool]:
    """Whether Ann was told, as messages in these places find it."""
    return [(await journal.accounts.account(ANN.key, place)).introduced for place in places]


async def test_it_is_told_once_in_each_workspace(open_: Open) -> None:
    """Over all processes; where there is no workspace, anywhere will do."""
    one, two = await open_(), await open_()
    assert await introduced(one, DM, NOWHERE) == [False, False]
    assert (await tell(one, 1), await tell(two, 2)) == (True, False)
    assert await introduced(two, DM, GENERAL, NOWHERE, ELSEWHERE) == [True, True, True, False]
    assert (await tell(two, 3, ELSEWHERE), await tell(one, 4, ELSEWHERE)) == (True, False)
    assert not (await two.accounts.account(BOB.key, DM)).introduced


async def test_of_many_answers_at_once_one_tells_it(open_: Open) -> None:
    """Whichever asks first, in whichever process; the same answer is told so again."""
    journals = [await open_(), await open_()]
    for number in range(6):
        await journals[0].inbox.admit(message("hi", number=number))
    asked = [journals[n % 2].introductions.due(ANN.key, T1, message("hi", number=n).id) for n in range(6)]
    due = await asyncio.gather(*asked)
    assert due.count(True) == 1
    assert await journals[0].introductions.due(ANN.key, T1, message("hi", number=due.index(True)).id)
    assert not (await journals[0].accounts.account(ANN.key, DM)).introduced


async def test_an_answer_that_never_came_leaves_it_to_the_next(journal: SqlJournal) -> None:
    """Its event has ended without; one that is still open, in whatever process, keeps it."""
    first, second = message("hi", number=1), message("hi", number=2)
    for event in (first, second):
        await journal.inbox.admit(event)
    assert await journal.introductions.due(ANN.key, T1, first.id)
    assert not await journal.introductions.due(ANN.key, T1, second.id)
    await journal.inbox.dismiss(first.id)
    assert await journal.introductions.due(ANN.key, T1, second.id)


async def test_it_is_exported_and_forgotten(journal: SqlJournal) -> None:
    """Who has everything forgotten is a stranger again; so is who wrote while it was being forgotten."""
    await tell(journal, 1)
    (told,) = (await journal.texts.export(ANN.key, [ANN.key]))["told_of_memory"]
    assert told["workspace"] == T1
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert await introduced(journal, DM) == [False]
    assert (await journal.texts.export(ANN.key, [ANN.key]))["told_of_memory"] == []
    event = message("hi", number=2)
    await journal.inbox.admit(event)
    assert await journal.introductions.due(ANN.key, T1, event.id)
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert not await journal.introductions.due(ANN.key, T1, event.id)
    await journal.inbox.answered(event, ANN.key, "c", "ok", ["m"], learn=True, introduced=True)
    assert await introduced(journal, DM) == [False]


async def test_it_goes_with_its_workspace(journal: SqlJournal) -> None:
    """A server that removed the bot takes along who was told there, whoever they are, and nothing else."""
    guild = replace(NOWHERE, workspace="G1", audience=Audience.PUBLIC)
    for number, workspace in enumerate((guild.workspace_key, T2)):
        event = message("hi", number=number, place=ELSEWHERE)
        await journal.inbox.admit(event)
        assert await journal.introductions.due(ANN.key, workspace, event.id)
        await journal.inbox.answered(event, ANN.key, "c", "ok", [f"m{number}"], learn=True, introduced=True)
    await journal.texts.forget_workspace("discord", "G1")
    assert await introduced(journal, guild, ELSEWHERE) == [False, True]


async def test_it_is_told_again_after_a_year(journal: SqlJournal, clock: Clock) -> None:
    """Nobody remembers for longer, and what is known of people who have left goes."""
    await tell(journal, 1)
    clock.now += AGAIN - 60
    await journal.prune()
    assert await introduced(journal, DM) == [True]
    clock.now += 120
    await journal.prune()
    assert await introduced(journal, DM) == [False]
