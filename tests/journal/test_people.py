"""Links, and the intents behind buttons."""

import asyncio
from datetime import timedelta

from bot.journal.journal import SqlJournal
from tests.journal.conftest import Open
from tests.journal.makers import link, unlink
from tests.makers import ANN, BOB, MONDAY


async def test_an_account_is_its_own_user_until_linked(journal: SqlJournal) -> None:
    """A linked account shares the other's memories until it is unlinked; linking anew replaces the link."""
    assert await journal.accounts.user_id("discord:7") == "discord:7"
    await link(journal, "discord:7", BOB.key)
    await link(journal, "discord:7", ANN.key)
    assert await journal.accounts.user_id("discord:7") == ANN.key
    assert await journal.accounts.linked_to(ANN.key) == ["discord:7"]
    assert await journal.accounts.linked_to(BOB.key) == []
    assert await unlink(journal, "discord:7")
    assert not await unlink(journal, "discord:7")
    assert await journal.accounts.user_id("discord:7") == "discord:7"


async def test_a_link_outlives_the_process_and_counts_in_all(open_: Open) -> None:
    """A link made in one process counts at once in another, and after a restart."""
    first, second = await open_(), await open_()
    await link(first, "discord:7", ANN.key)
    assert await second.accounts.user_id("discord:7") == ANN.key
    await first.close()
    assert await (await open_()).accounts.user_id("discord:7") == ANN.key


async def test_a_button_acts_once_for_its_owner(journal: SqlJournal) -> None:
    """A token gives its action and ids to the person it was made for, once; a stranger's click takes nothing away."""
    token = await journal.intents.keep(ANN.key, "these", ["m1", "m2"], MONDAY)
    assert await journal.intents.take(token, BOB.key, MONDAY) is None
    assert await journal.intents.take("guessed", ANN.key, MONDAY) is None
    clicks = [journal.intents.take(token, ANN.key, MONDAY + timedelta(minutes=15)) for _ in range(5)]
    taken = [found for found in await asyncio.gather(*clicks) if found is not None]
    assert taken == [("these", ["m1", "m2"])]


async def test_a_stale_button_does_nothing(journal: SqlJournal) -> None:
    """A click after more than 15 minutes has no effect."""
    token = await journal.intents.keep(ANN.key, "everything", [], MONDAY)
    assert await journal.intents.take(token, ANN.key, MONDAY + timedelta(minutes=15, seconds=1)) is None


async def test_tokens_are_all_different_and_short(journal: SqlJournal) -> None:
    """A token fits into a button's 90 characters and never repeats."""
    tokens = {await journal.intents.keep(ANN.key, "these", [], MONDAY) for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) <= 40 for token in tokens)
