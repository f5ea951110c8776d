"""Links, and the intents behind buttons."""

import asyncio
from datetime import timedelta

from bot.journal.journal import SqlJournal
from tests.journal.conftest import Open
from tests.makers import ANN, BOB, MONDAY


async def test_an_account_is_its_own_user_until_linked(journal: SqlJournal) -> None:
    """A linked account shares the other's memories until it is unlinked; linking anew replaces the link."""
    assert await journal.user_id("discord:7") == "discord:7"
    await journal.link("discord:7", BOB.key)
    await journal.link("discord:7", ANN.key)
    assert await journal.user_id("discord:7") == ANN.key
    assert await journal.accounts(ANN.key) == ["discord:7"]
    assert await journal.accounts(BOB.key) == []
    assert await journal.unlink("discord:7")
    assert not await journal.unlink("discord:7")
    assert await journal.user_id("discord:7") == "discord:7"


async def test_a_link_outlives_the_process_and_counts_in_all(open_: Open) -> None:
    """A link made in one process counts at once in another, and after a restart."""
    first, second = await open_(), await open_()
    await first.link("discord:7", ANN.key)
    assert await second.user_id("discord:7") == ANN.key
    await first.close()
    assert await (await open_()).user_id("discord:7") == ANN.key


async def test_a_button_acts_once_for_its_owner(journal: SqlJournal) -> None:
    """A token gives its action and ids to the person it was made for, once; a stranger's click takes nothing away."""
    token = await journal.keep_intent(ANN.key, "these", ["m1", "m2"], MONDAY)
    assert await journal.take_intent(token, BOB.key, MONDAY) is None
    assert await journal.take_intent("guessed", ANN.key, MONDAY) is None
    clicks = [journal.take_intent(token, ANN.key, MONDAY + timedelta(minutes=15)) for _ in range(5)]
    taken = [found for found in await asyncio.gather(*clicks) if found is not None]
    assert taken == [("these", ["m1", "m2"])]


async def test_a_stale_button_does_nothing(journal: SqlJournal) -> None:
    """A click after more than 15 minutes has no effect."""
    token = await journal.keep_intent(ANN.key, "everything", [], MONDAY)
    assert await journal.take_intent(token, ANN.key, MONDAY + timedelta(minutes=15, seconds=1)) is None


async def test_tokens_are_all_different_and_short(journal: SqlJournal) -> None:
    """A token fits into a button's 90 characters and never repeats."""
    tokens = {await journal.keep_intent(ANN.key, "these", [], MONDAY) for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) <= 40 for token in tokens)
