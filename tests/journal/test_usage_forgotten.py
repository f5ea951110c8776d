"""What is counted of people who leave in the middle of a request: it names nobody afterwards."""

from collections.abc import Awaitable, Callable

import pytest

from bot.journal.journal import SqlJournal
from bot.usage import Limits, Metered, Payer, Purpose, Usage
from tests.journal.makers import told
from tests.makers import ANN, GENERAL, MONDAY, message

DAY = MONDAY.date()
MAX_USAGE = Usage(output=100)
TOOK = Usage(output=10)
NONE = Limits()


def metered(purpose: Purpose, event_id: str) -> Metered:
    return Metered(Payer.at(ANN.key, ANN.key, GENERAL.scope, event_id), purpose, "claude", MAX_USAGE, 100)


async def forget_person(journal: SqlJournal) -> None:
    await journal.texts.forget_person(ANN.key, [ANN.key])


async def forget_workspace(journal: SqlJournal) -> None:
    await journal.texts.forget_workspace("slack", "T1")


@pytest.mark.parametrize("forget", [forget_person, forget_workspace])
@pytest.mark.parametrize("purpose", Purpose)
async def test_a_request_that_begins_after_its_message_was_forgotten(
    journal: SqlJournal, purpose: Purpose, forget: Callable[[SqlJournal], Awaitable[None]]
) -> None:
    """The second request of an answer that broke off, or of a lesson, names its person as little as the first."""
    event = message("My bird is a zebrafinch.", place=GENERAL)
    if purpose is Purpose.ANSWER:
        await journal.inbox.admit(event)
    else:
        await told(journal, event.text, 1, place=GENERAL)
    await journal.ledger.reserve("r1", metered(purpose, event.id), NONE)
    (named,) = await _settled(journal, "r1")
    assert named == ANN.key
    await forget(journal)
    await journal.ledger.reserve("r2", metered(purpose, event.id), NONE)
    assert await _settled(journal, "r2") == [""]
    assert [row.key for row in await journal.ledger.report(DAY, "workspace")] == [""]


async def _settled(journal: SqlJournal, request_id: str) -> list[str]:
    await journal.ledger.settle(request_id, TOOK, 10, NONE)
    return [row.key for row in await journal.ledger.report(DAY, "person")]
