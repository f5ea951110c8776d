"""What one process tells another of the events that it answers."""

from dataclasses import replace

import pytest

from bot.events import Edited, Signal
from bot.journal.journal import SqlJournal
from tests.journal.conftest import Open
from tests.makers import ANN, BOB, message

EVENT = message("badgers?")


@pytest.fixture
async def there(open_: Open) -> SqlJournal:
    """The journal as another process has it, which answers ANN's message."""
    there = await open_()
    assert await there.inbox.admit(EVENT)
    return there


async def test_an_edit_is_told_once(there: SqlJournal, open_: Open) -> None:
    """To the process that answers, with the new text; to nobody else."""
    here = await open_()
    edited = replace(EVENT, text="otters?")
    await here.changes.edit([Edited(edited, ANN.key, learn=True)])
    assert await here.signals.take() == []
    assert await there.signals.take() == [(EVENT.id, Signal.EDITED, "otters?")]
    assert await there.signals.take() == []


async def test_a_deletion_is_told(there: SqlJournal, open_: Open) -> None:
    """Though the event itself is gone by then; and the commit of its answer says that it is."""
    here = await open_()
    await here.changes.forget([EVENT.id])
    assert await there.inbox.answered(EVENT, ANN.key, "", "Sett.", ["1"], learn=True) is False
    assert await there.signals.take() == [(EVENT.id, Signal.DELETED, "")]


async def test_a_stop_is_told(there: SqlJournal, open_: Open) -> None:
    """Where that person is being answered by another process, and nowhere else."""
    here = await open_()
    conversation = await here.inbox.admit(message("stop", number=2))
    assert conversation is not None
    assert not await here.signals.stop(BOB.key, conversation)
    assert not await here.signals.stop(ANN.key, "elsewhere")
    assert not await there.signals.stop(BOB.key, conversation)
    assert not await here.signals.stop_one(EVENT.id, BOB.key)
    assert await there.signals.take() == []
    assert await here.signals.stop(ANN.key, conversation)
    assert await here.signals.stop_one(EVENT.id, ANN.key)
    assert await there.signals.take() == [(EVENT.id, Signal.STOP, "badgers?")]
    assert await here.signals.take() == []


async def test_ones_own_changes_are_told_to_nobody(there: SqlJournal) -> None:
    """Who answers knows of them."""
    await there.changes.edit([Edited(replace(EVENT, text="otters?"), ANN.key, learn=True)])
    await there.changes.forget([EVENT.id])
    assert await there.signals.take() == []


async def test_what_is_answered_is_not_stopped(there: SqlJournal, open_: Open) -> None:
    """There is nothing to stop any more."""
    here = await open_()
    await there.inbox.answered(EVENT, ANN.key, "", "Sett.", ["1"], learn=True)
    assert not await here.signals.stop_one(EVENT.id, ANN.key)


async def test_nothing_waits_for_a_process_that_has_ended(there: SqlJournal, open_: Open) -> None:
    """It goes with its claims."""
    here = await open_()
    assert await here.signals.stop_one(EVENT.id, ANN.key)
    await there.close()
    rows = await here._runner.read(lambda conn: conn.exec_driver_sql("SELECT * FROM signals").all())
    assert rows == []
