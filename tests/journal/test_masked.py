"""Secrets in messages: kept until they are answered, and in nothing that is kept afterwards."""

from dataclasses import replace

import sqlalchemy as sa

from bot.events import Edit, Edited
from bot.journal.journal import SqlJournal
from bot.journal.tables import exchanges, turns
from bot.text.secrets import MASK
from tests.journal.conftest import Database, Open
from tests.journal.makers import heard, told
from tests.makers import ANN, BOB, message

PASSWORD = "qzkswordfishx"
SAID = f"my password is {PASSWORD}, and I like tea"


async def kept(journal: SqlJournal) -> list[str]:
    """All texts of turns and exchanges."""
    await journal.outbox.waiting()
    learning = await journal.outbox.claim(ANN.key, "private")
    texts = [text for exchange in learning for text in (exchange.text, exchange.answer)]
    for text in (turns.c.text, exchanges.c.text, exchanges.c.answer):
        texts += await journal._runner.read(scalars, text)
    return texts


def scalars(conn: sa.Connection, column: sa.ColumnElement[str]) -> list[str]:
    """All values of a column."""
    return list(conn.scalars(sa.select(column)))


async def test_a_secret_is_in_nothing_that_is_kept(journal: SqlJournal, database: Database) -> None:
    """Neither as a turn nor to be learned, nor where the answer repeats it, nor on a page that is free again."""
    event = message(SAID)
    conversation = await journal.inbox.admit(event)
    assert PASSWORD.encode() in database.everything(), "until it is answered"
    assert conversation is not None
    answer = f"{PASSWORD.capitalize()} or {PASSWORD}? Change it!"
    await journal.inbox.answered(event, ANN.key, conversation, answer, ["a"], learn=True)
    assert PASSWORD.encode() not in database.everything()
    recent = [turn.text for turn in await journal.turns.recent(conversation)]
    assert recent == [
        f"my password is {MASK}, and I like tea",
        f"{PASSWORD.capitalize()} or {MASK}? Change it!",
    ]
    assert not any(PASSWORD in text for text in await kept(journal))


async def test_a_secret_quoted_or_refused_leaves_the_disk_too(journal: SqlJournal, database: Database) -> None:
    """With an answer of which nothing is kept, and where the message that it replies to holds it."""
    quoting = replace(message("is that a good one?", number=1), quoted=SAID)
    await heard(journal, quoting)
    refused = message(SAID, number=2)
    conversation = await journal.inbox.admit(refused)
    assert conversation is not None
    await journal.inbox.answered(refused, ANN.key, conversation, "", [], learn=False, keep=False)
    assert PASSWORD.encode() not in database.everything()


async def test_an_edit_is_masked(journal: SqlJournal, database: Database) -> None:
    """A new text with a secret in it; the platform's report that nothing has changed is understood all the same."""
    await told(journal, SAID, 1)
    same, changed = message(SAID, number=1), message(f"my password was {PASSWORD}", number=1)
    assert await journal.changes.compare(same) is Edit.SAME
    assert await journal.changes.compare(changed) is Edit.CHANGED
    await journal.changes.edit([Edited(changed, ANN.key, learn=True)])
    assert await journal.changes.compare(changed) is Edit.SAME
    assert PASSWORD.encode() not in database.everything()
    assert f"my password was {MASK}" in await kept(journal)


async def test_an_edit_while_it_is_answered_is_masked(journal: SqlJournal, database: Database) -> None:
    """The answer is given to the former text, which held no secret."""
    before = message("my password is too short", number=1)
    conversation = await journal.inbox.admit(before)
    assert conversation is not None
    await journal.changes.edit([Edited(message(SAID, number=1), ANN.key, learn=True)])
    await journal.inbox.answered(before, ANN.key, conversation, "Hm.", [], learn=True)
    assert not any(PASSWORD in text for text in await kept(journal))
    await told(journal, SAID, 2, person=BOB)
    assert PASSWORD.encode() not in database.everything()


async def test_what_an_earlier_version_kept_is_masked_before_it_is_learned(open_: Open) -> None:
    """Exchanges that wait since before the update."""
    journal = await open_()
    await told(journal, "I like tea", 1)
    before = sa.update(exchanges).values(text=SAID, answer=f"Your password is {PASSWORD}.")
    await journal._runner.write(lambda conn: conn.execute(before).rowcount)
    (exchange,) = await journal.outbox.claim(ANN.key, "private")
    assert (exchange.text, exchange.answer) == (f"my password is {MASK}, and I like tea", f"Your password is {MASK}")
