"""An answer that was given with others' words in view: its text is nowhere, its turn goes with any of them."""

from datetime import timedelta

from bot.journal.journal import SqlJournal
from tests.journal.conftest import Clock, Database
from tests.journal.makers import in_channel
from tests.makers import ANN

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


async def test_it_is_known_which_texts_are_kept(journal: SqlJournal) -> None:
    """A question, and an answer that was given without others' words; of the other kind, the question alone."""
    await asked(journal, 10)
    event = in_channel("And now?", 11)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    await journal.inbox.answered(event, ANN.key, conversation, "Fine.", ("discord:110",), learn=False)
    ids = ["discord:10", "discord:100", "discord:11", "discord:110", "discord:12"]
    assert await journal.turns.kept(ids) == {"discord:10", "discord:11", "discord:110"}
