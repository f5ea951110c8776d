"""Who wants no line below answers, and where the answer to an event is shown."""

from dataclasses import replace

import sqlalchemy as sa

from bot.journal.journal import SqlJournal
from bot.journal.tables import unnoticed
from bot.model import Audience, Person, Place, ShownAnswer
from tests.journal.makers import CHANNEL, heard, in_channel, link, told
from tests.makers import ANN, BOB, DM, MONDAY, message

DISCORD = Person("discord", "", "7")


async def since(journal: SqlJournal, user_id: str) -> object:
    """What a person's export says of it."""
    return (await journal.texts.export(user_id, [user_id]))["settings"]["no_line_below_answers_since"]


async def test_switched_off_and_on(journal: SqlJournal) -> None:
    """For one person alone; twice is as once, and their export says since when."""
    assert await journal.preferences.noticed(ANN.key)
    for _ in range(2):
        await journal.preferences.set_noticed(ANN.key, False)
    assert not await journal.preferences.noticed(ANN.key)
    assert await journal.preferences.noticed(BOB.key)
    assert str(await since(journal, ANN.key)).startswith("2026-11-16")
    await journal.preferences.set_noticed(ANN.key, True)
    assert await since(journal, ANN.key) is None


async def test_it_goes_with_the_person(journal: SqlJournal) -> None:
    """Linking accounts takes it along, parting them leaves both with it; it names people, and is forgotten."""
    await journal.preferences.set_noticed(ANN.key, False)
    assert ANN.key in await journal.accounts.people("slack")
    await journal.accounts.unite(ANN.key, DISCORD.key)
    assert await journal.preferences.noticed(ANN.key)
    assert not await journal.preferences.noticed(DISCORD.key)
    await journal.accounts.unlink(ANN.key)
    assert not await journal.preferences.noticed(ANN.key)
    assert not await journal.preferences.noticed(DISCORD.key)
    await journal.texts.forget_person(DISCORD.key, [DISCORD.key])
    assert await journal.preferences.noticed(DISCORD.key)
    await journal.texts.forget_workspace("slack", "T1")
    assert await journal._runner.read(lambda conn: conn.execute(sa.select(unnoticed)).all()) == []


async def test_shared_memories_outlive_a_workspace(journal: SqlJournal) -> None:
    """What an account elsewhere shares stays with it."""
    await link(journal, DISCORD.key, ANN.key)
    await journal.preferences.set_noticed(ANN.key, False)
    await journal.texts.forget_workspace("slack", "T1")
    assert not await journal.preferences.noticed(ANN.key)


async def test_where_an_answer_is_shown(journal: SqlJournal) -> None:
    """Its place, with who reads there, and its messages in order, for as long as messages are known as seen."""
    await told(journal, "hello", 1)
    event = in_channel("hi", 20, place=replace(CHANNEL, external=True, audience=Audience.MEMBERS, thread="9"))
    await journal.inbox.admit(event)
    ids = ["discord:99", "discord:100", "discord:101"]
    await journal.inbox.answered(event, ANN.key, event.id, "Yes.", ids, learn=True)
    shown = await journal.answers.shown(event.id)
    assert shown == ShownAnswer(replace(event.place, name=""), tuple(ids))
    direct = message("hello", number=1)
    assert await journal.answers.shown(direct.id) == ShownAnswer(replace(DM, name=""), (f"{direct.id}/answer",))
    assert await journal.answers.shown("slack:T1:D1:77") is None


async def test_an_unanswered_message_shows_nowhere(journal: SqlJournal) -> None:
    """A message of a person's isn't its own answer."""
    event = message("hello", number=5)
    await journal.inbox.admit(event)
    assert await journal.answers.shown(event.id) is None


async def test_terminals_and_threads(journal: SqlJournal) -> None:
    """Each kind of place comes back as it was."""
    for number, place in enumerate((DM, CHANNEL, Place("slack", "T1", "C1", "1.5", Audience.PUBLIC, "#x")), 30):
        event = replace(message("hi", number=number, place=place), at=MONDAY)
        await heard(journal, event)
        shown = await journal.answers.shown(event.id)
        assert shown is not None
        assert shown.place == replace(place, name="")
