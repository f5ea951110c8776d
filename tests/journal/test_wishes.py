"""Words that a button will look for: kept for a quarter of an hour, exported, and erased with what they name."""

from datetime import timedelta

from bot.journal.journal import SqlJournal
from bot.ports import REVIEW
from tests.journal.conftest import Clock, Database
from tests.makers import ANN, BOB, MONDAY

WORDS = "quince marmalade"


async def kept(journal: SqlJournal) -> str:
    """The token of Ann's wish."""
    return await journal.intents.keep(ANN.key, REVIEW, [WORDS], MONDAY)


async def exported(journal: SqlJournal) -> object:
    """The wishes that Ann's export holds."""
    return (await journal.texts.export(ANN.key, [ANN.key]))["wishes_to_forget"]


async def test_looked_at_again_and_by_nobody_else(journal: SqlJournal) -> None:
    """Its button may be pressed again within a quarter of an hour, by its person alone; it is in their export."""
    token = await kept(journal)
    for _ in range(2):
        assert await journal.intents.look(token, ANN.key, MONDAY) == (REVIEW, [WORDS])
    assert await journal.intents.look(token, BOB.key, MONDAY) is None
    assert await journal.intents.look(token, ANN.key, MONDAY + timedelta(minutes=16)) is None
    assert await exported(journal) == [WORDS]


async def test_erased_with_anything_that_is_forgotten(journal: SqlJournal) -> None:
    """Whatever a person has forgotten, the words that they looked for go too; others' stay, and so do other buttons."""
    button = await journal.intents.keep(ANN.key, "words", ["memory m1"], MONDAY)
    await journal.intents.keep(BOB.key, REVIEW, ["tea"], MONDAY)
    for number in range(3):
        token = await kept(journal)
        if number == 0:
            await journal.texts.forget_events(ANN.key, ["e1"])
        elif number == 1:
            await journal.texts.forget_since(ANN.key, [ANN.key], MONDAY, MONDAY)
        else:
            assert await journal.intents.take(button, ANN.key, MONDAY) is not None
            await journal.texts.forget_person(ANN.key, [ANN.key])
        assert await journal.intents.look(token, ANN.key, MONDAY) is None
    assert (await journal.texts.export(BOB.key, [BOB.key]))["wishes_to_forget"] == ["tea"]


async def test_gone_from_the_file(database: Database, journal: SqlJournal, clock: Clock) -> None:
    """Neither forgetting nor growing old leaves the words on a page of the data folder."""
    folder = database.settings.bot_data_dir
    for number in range(2):
        for _ in range(50):
            await kept(journal)
        if number:
            clock.now += 3600
            await journal.prune()
        else:
            await journal.texts.forget_events(ANN.key, [])
        if database.url is None:
            held = [file.name for file in folder.iterdir() if WORDS.encode() in file.read_bytes()]
            assert held == []
        assert await exported(journal) == []
