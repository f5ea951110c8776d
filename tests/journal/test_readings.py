"""An answer that was given with others' words in view: its text is nowhere, its turn goes with any of them."""

from datetime import timedelta

import pytest

from bot.journal.journal import SqlJournal
from bot.model import Nearby, Person
from tests.journal.conftest import Clock, Database
from tests.journal.makers import in_channel
from tests.makers import ANN, BOB, MONDAY

SECRET = "zebrafinch"
READ = ("discord:1", "discord:2")


async def asked(journal: SqlJournal, number: int = 10) -> str:
    """Ann asked something in a channel, and was answered with what others say there in view."""
    event = in_channel("What did they say?", number)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    said = f"They said {SECRET}."
    ids = (f"discord:{number}0",)
    await journal.inbox.answered(event, ANN.key, conversation, said, ids, learn=True, read=READ)
    return conversation


async def test_the_turn_is_the_question_alone(journal: SqlJournal, database: Database) -> None:
    """Neither turn, nor what waits to be learned, nor any byte on disk has the answer."""
    conversation = await asked(journal)
    assert [(turn.author, turn.text) for turn in await journal.turns.recent(conversation)] == [
        ("user", "What did they say?")
    ]
    (waiting,) = await journal.outbox.claim(ANN.key, "public:discord:G1")
    assert (waiting.text, waiting.answer) == ("What did they say?", "")
    assert SECRET.encode() not in database.everything()


async def test_deleting_what_was_read_drops_the_turn(journal: SqlJournal) -> None:
    """Whoever's message it was: the answer may have repeated it."""
    conversation = await asked(journal)
    assert not await journal.changes.any_stored(["discord:3"])
    assert await journal.changes.any_stored(["discord:2"])
    await journal.changes.forget(["discord:2"])
    assert await journal.turns.recent(conversation) == []
    assert not await journal.changes.any_stored(["discord:1"])


async def test_ids_go_with_their_turn(journal: SqlJournal, clock: Clock) -> None:
    """By age, and when the person has everything forgotten."""
    await asked(journal, 10)
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert not await journal.changes.any_stored(READ)
    await asked(journal, 11)
    clock.now += timedelta(hours=25).total_seconds()
    await journal.prune()
    assert not await journal.changes.any_stored(READ)


def near(number: int, person: Person | None = ANN, minute: int = 0) -> Nearby:
    """A message of the channel: somebody's, or the bot's own."""
    key = person.key if person else ""
    return Nearby(f"discord:{number}", "Ann" if key else "", key, "hi", MONDAY + timedelta(minutes=minute))


async def test_it_is_known_which_texts_are_kept(journal: SqlJournal) -> None:
    """A question, and an answer that was given without others' words; of the other kind, the question alone."""
    await asked(journal, 10)
    event = in_channel("And now?", 11)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    await journal.inbox.answered(event, ANN.key, conversation, "Fine.", ("discord:110",), learn=False)
    around = [near(number, None if number >= 100 else ANN, minute=60) for number in (10, 100, 11, 110, 12)]
    unused = await journal.turns.unused(in_channel("?", 20), around)
    assert unused == {"discord:10", "discord:11", "discord:110"}


@pytest.mark.parametrize("how", ["everything", "words", "time", "deleted"])
async def test_what_was_forgotten_is_not_read_again(journal: SqlJournal, clock: Clock, how: str) -> None:
    """The person's own words and the bot's, from before; what others say, and what is said since, is."""
    await asked(journal, 10)
    clock.now += 3600
    match how:
        case "everything":
            await journal.texts.forget_person(ANN.key, [ANN.key])
        case "words":
            await journal.texts.forget_events(ANN.key, ["discord:10"])
        case "time":
            await journal.texts.forget_since(ANN.key, [ANN.key], MONDAY, MONDAY + timedelta(minutes=30))
        case "deleted":
            await journal.changes.forget(["discord:10"])
    before = [near(1, ANN, 5), near(2, BOB, 5), near(100, None, 5), near(3, None, 6)]
    # The answer that was being given then is posted later, and its question is from before.
    after = [near(4, ANN, 70), near(5, None, 70), near(6, BOB, 70)]
    unused = await journal.turns.unused(in_channel("?", 20, person=BOB), [*before, *after])
    own = {"discord:1"} if how != "deleted" else set()
    assert unused == {"discord:100", "discord:3"} | own
