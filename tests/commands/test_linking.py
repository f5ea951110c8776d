"""`/link` and `/unlink`, on the real journal and the real embedded memory."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.commands import STALE
from bot.commands.linking import ALONE, ALPHABET, APART, ENOUGH, WRONG, new_code
from bot.events import CommandEvent
from bot.model import Person
from bot.views import View
from tests.house import ANN, ANN_ELSEWHERE, ANN_ON_DISCORD, DISCORD_DM, DM, GENERAL, BotHarness, opened
from tests.makers import BOB

CANARY = "zebrafinch"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """One process on an empty folder."""
    async with opened(tmp_path / "data") as found:
        yield found


async def code_for(house: BotHarness, person: Person = ANN) -> str:
    """The code that `/link` shows to a person."""
    view = await house.run("link", person=person)
    found = re.fullmatch(r"Your code is ([0-9A-Z]{4}-[0-9A-Z]{4})", view.title)
    assert found is None or view.code == found[1]
    assert found is not None
    return found[1]


async def entered(house: BotHarness, code: str, person: Person) -> View:
    """What comes of entering a code, and of pressing Join where that is asked."""
    view = await house.run("link", code, person=person)
    return await house.press(view, "Join", person) if view.title.startswith("Join this account") else view


async def joined(house: BotHarness, first: Person = ANN, second: Person = ANN_ON_DISCORD) -> View:
    """Link the second account to the first."""
    return await entered(house, await code_for(house, first), second)


async def both_told(house: BotHarness) -> None:
    """Each account has told something."""
    await house.tell("I like tea.")
    await house.tell("I live in Porto.", ANN_ON_DISCORD, DISCORD_DM)


async def test_linked_accounts_have_one_set_of_memories(house: BotHarness) -> None:
    """What either account told, before and after, is recalled on both; pages and links of the list are the same."""
    await both_told(house)
    assert (await joined(house)).title.startswith("Linked")
    await house.tell("I play chess.", ANN_ON_DISCORD, DISCORD_DM)
    everything = ["I like tea.", "I live in Porto.", "I play chess."]
    assert await house.known() == everything
    assert await house.known(ANN_ON_DISCORD) == everything
    assert await house.recalled("Where do I live?", ANN, DM) == everything
    assert await house.recalled("What do I like?", ANN_ON_DISCORD, DISCORD_DM) == everything


async def test_unlinked_accounts_keep_what_was_learned_there(house: BotHarness) -> None:
    """Parted, each has what its own account told, before the link and while it lasted."""
    await both_told(house)
    await joined(house)
    await house.tell("I play chess.", ANN_ON_DISCORD, DISCORD_DM)
    await house.tell("I play go.")
    assert (await house.run("unlink", person=ANN_ON_DISCORD)).title.startswith("Unlinked")
    assert await house.known() == ["I like tea.", "I play go."]
    assert await house.known(ANN_ON_DISCORD) == ["I live in Porto.", "I play chess."]
    assert await house.run("unlink", person=ANN_ON_DISCORD) == ALONE


async def test_the_account_that_showed_the_code_can_unlink_too(house: BotHarness) -> None:
    """Where the first of three accounts leaves, the two others stay together, each with what they told."""
    await both_told(house)
    await house.tell("I ski.", ANN_ELSEWHERE, DISCORD_DM)
    await joined(house)
    await joined(house, ANN_ON_DISCORD, ANN_ELSEWHERE)
    assert len(await house.known()) == 3
    await house.run("unlink", person=ANN)
    assert await house.known() == ["I like tea."]
    assert await house.known(ANN_ON_DISCORD) == ["I live in Porto.", "I ski."]
    assert await house.known(ANN_ELSEWHERE) == ["I live in Porto.", "I ski."]


async def test_what_both_told_stays_with_both(house: BotHarness) -> None:
    """A memory that both accounts taught is there on each side after they part, with that side's messages alone."""
    await joined(house)
    await house.tell("I like tea.")
    await house.tell("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    (memory,) = await house.memory.list(ANN.key)
    assert len(memory.sources) == 2
    await house.run("unlink", person=ANN_ON_DISCORD)
    for person in (ANN, ANN_ON_DISCORD):
        (kept,) = await house.memory.list(person.key)
        assert [source.account for source in kept.sources] == [person.key]


async def test_what_waits_follows_the_link(house: BotHarness) -> None:
    """What is waiting, being learned or being answered when accounts are linked is learned for both, once."""
    await house.hear("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    under_way = await house.journal.outbox.claim(ANN_ON_DISCORD.key, "private")
    await joined(house)
    await house.memory.learn(under_way)
    await house.journal.outbox.learned([each.id for each in under_way])
    await house.learn()
    assert await house.known() == ["I like tea."]
    assert await house.memory.list(ANN_ON_DISCORD.key) == []


async def test_audiences_hold_across_a_link(house: BotHarness) -> None:
    """A link opens nothing: a channel recalls what it could before, and no direct message of either account."""
    await both_told(house)
    await house.tell("I run the build.", place=GENERAL)
    await joined(house)
    assert await house.recalled("tell me all", ANN, GENERAL) == ["I run the build."]


async def test_three_accounts_see_whom_they_are_linked_with(house: BotHarness) -> None:
    """Each later code, from whichever of the accounts, joins all; the answer and /link name the others, without ids."""
    assert [item.text for item in (await joined(house)).items] == ["Linked with your Slack account"]
    third = await joined(house, ANN_ON_DISCORD, ANN_ELSEWHERE)
    assert [item.text for item in third.items] == [
        "Linked with your Slack account",
        "Linked with your Discord account",
    ]
    offered = await house.run("link")
    assert [item.text for item in offered.items] == ["Linked with your Discord account"] * 2
    assert "/unlink parts this account again" in offered.footer
    assert await joined(house, ANN_ELSEWHERE, ANN) == WRONG  # they have the same memories already


async def test_a_code_works_once(house: BotHarness) -> None:
    """Used by the other account, the code joins nobody else."""
    await house.tell("I like tea.")
    code = await code_for(house)
    await entered(house, code.lower().replace("-", " "), ANN_ON_DISCORD)
    assert await entered(house, code, BOB) == WRONG
    assert await house.known(BOB) == []
    assert await house.known(ANN_ON_DISCORD) == ["I like tea."]


async def test_one_of_many_wins_a_code(house: BotHarness) -> None:
    """Entered by several accounts at the same moment, a code joins one of them."""
    code = await code_for(house)
    people = [Person("discord", "", str(number)) for number in range(4)]
    views = await asyncio.gather(*(entered(house, code, person) for person in people))
    assert [view.title.startswith("Linked") for view in views].count(True) == 1
    assert views.count(WRONG) == 3


@pytest.mark.parametrize("case", ["expired", "replaced", "own", "guessed", "odd"])
async def test_what_is_no_valid_code_gives_nothing_away(house: BotHarness, case: str) -> None:
    """Expired, replaced, one's own, guessed or malformed: the same sentence, and nothing changes."""
    await both_told(house)
    code = await code_for(house)
    person = ANN_ON_DISCORD
    if case == "expired":
        house.clock.now += 601
    elif case == "replaced":
        await code_for(house)
    elif case == "own":
        person = ANN
    elif case == "guessed":
        code = new_code()
    else:
        code = "'; DROP TABLE codes; --"
    assert await entered(house, code, person) == WRONG
    assert (await house.known(), await house.known(ANN_ON_DISCORD)) == (["I like tea."], ["I live in Porto."])


async def test_guessing_is_slow(house: BotHarness) -> None:
    """After five wrong codes even the right one waits ten minutes; others are not held up by it."""
    for _ in range(5):
        assert await entered(house, new_code(), ANN_ON_DISCORD) == WRONG
    code = await code_for(house)
    assert await entered(house, code, ANN_ON_DISCORD) == ENOUGH
    assert (await entered(house, code, BOB)).title.startswith("Linked")
    house.clock.now += 601
    code = await code_for(house)
    assert (await entered(house, code, ANN_ON_DISCORD)).title.startswith("Linked")


async def test_a_code_is_kept_in_no_file(house: BotHarness) -> None:
    """The database holds a digest: neither a backup nor an operator can join somebody's accounts."""
    code = await code_for(house)
    assert house.holding(code) == []
    assert house.holding(code.replace("-", "")) == []


def test_codes_are_readable_and_differ() -> None:
    """No letter or digit that is taken for another, and never the same twice."""
    assert not set(ALPHABET) & set("01OILU")
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200


@pytest.mark.parametrize("paused", [ANN, ANN_ON_DISCORD])
async def test_pausing_counts_for_both(house: BotHarness, paused: Person) -> None:
    """Linked to an account whose memory is paused, the other is paused too, and is told so; parted, both still are."""
    await house.press(await house.run("memories", person=paused), "Pause memory", paused)
    assert "Memory is paused on all of them" in (await joined(house)).title
    assert (await house.journal.accounts.account(ANN.key)).paused
    await house.run("unlink", person=ANN_ON_DISCORD)
    assert (await house.journal.accounts.account(ANN.key)).paused
    assert (await house.journal.accounts.account(ANN_ON_DISCORD.key)).paused


async def test_everything_of_linked_accounts_is_forgotten_together(house: BotHarness) -> None:
    """Forgetting everything on one account forgets both, parts them, and leaves no word in any file."""
    await house.tell(f"My bird is a {CANARY}.")
    await house.tell(f"The {CANARY} is blue.", ANN_ON_DISCORD, DISCORD_DM)
    await joined(house)
    view = await house.run("forget", person=ANN_ON_DISCORD)
    assert "all 2 of your linked accounts" in view.title
    done = await house.press(view, "Forget everything", ANN_ON_DISCORD)
    assert "2 things" in done.title
    assert (await house.known(), await house.known(ANN_ON_DISCORD)) == ([], [])
    assert await house.run("unlink") == ALONE
    assert house.holding(CANARY) == []


async def test_memories_that_cannot_move_now_follow(tmp_path: Path) -> None:
    """With the memory out of reach accounts are linked all the same, and the memories join them later."""
    async with opened(tmp_path / "data") as house:
        await both_told(house)
        code = await code_for(house)
        await house.memory.close()
        assert "in a little while" in (await entered(house, code, ANN_ON_DISCORD)).title
        clock = house.clock
    async with opened(tmp_path / "data", clock) as house:
        clock.now += 120
        await house.eraser.tick()
        assert await house.known() == ["I like tea.", "I live in Porto."]


async def test_a_linked_account_that_removes_the_bot_goes_alone(house: BotHarness) -> None:
    """Removed by one account, what that one told goes; the other keeps its own."""
    await both_told(house)
    await joined(house)
    await house.changes.on_removed("slack", "T1", ANN)
    house.clock.now += 3700
    await house.eraser.tick()
    assert await house.known() == []
    assert await house.known(ANN_ON_DISCORD) == ["I live in Porto."]


async def test_a_removed_workspace_leaves_the_other_platforms_memories(house: BotHarness) -> None:
    """What a linked person told on Discord outlives the Slack workspace, whoever's mem0 user it is under."""
    await both_told(house)
    await joined(house)
    await house.changes.on_removed("slack", "T1")
    house.clock.now += 3700
    await house.eraser.tick()
    assert await house.known(ANN_ON_DISCORD) == ["I live in Porto."]


async def test_it_is_asked_with_whom_to_join(house: BotHarness) -> None:
    """Whoever enters a code is told whose account it is and what that means; nothing is joined until they press."""
    await both_told(house)
    code = await code_for(house)
    asked = await house.run("link", code, person=ANN_ON_DISCORD)
    assert asked.title == "Join this account with the Slack account with the id UANN?"
    assert "sees everything that I remember about you" in asked.footer
    assert [button.label for button in asked.buttons] == ["Join", "Cancel"]
    assert await house.known(ANN_ON_DISCORD) == ["I live in Porto."]
    assert (await house.press(asked, "Cancel", ANN_ON_DISCORD)) == APART
    assert (await house.press(asked, "Join", ANN_ON_DISCORD)) == STALE
    assert await house.known() == ["I like tea."]
    again = await house.run("link", code, person=ANN_ON_DISCORD)
    assert (await house.press(again, "Join", BOB)) == STALE
    first = await house.press(again, "Join", ANN_ON_DISCORD)
    assert first.title.startswith("Linked")
    assert await house.press(again, "Join", ANN_ON_DISCORD) == first
    assert await house.known() == ["I like tea.", "I live in Porto."]


async def test_the_name_that_is_shown_is_the_other_persons(house: BotHarness) -> None:
    """The name goes with the code of the one who showed it, on one line, beside an id that nobody else has."""
    now = datetime.fromtimestamp(house.clock.now, UTC)
    offered = await house.commands.run(CommandEvent(ANN, DM, "link", "", now, "Ann\nLee"))
    assert offered.code
    asked = await house.run("link", offered.code, person=ANN_ON_DISCORD)
    assert asked.title == "Join this account with the Slack account of Ann Lee (id UANN)?"


async def test_forgetting_everything_doesnt_count_codes_anew(house: BotHarness) -> None:
    """Who has entered too many wrong codes may enter no more after `/forget` either."""
    for _ in range(5):
        assert await house.run("link", new_code(), person=ANN_ON_DISCORD) == WRONG
    await house.press(await house.run("forget", person=ANN_ON_DISCORD), "Forget everything", ANN_ON_DISCORD)
    assert await house.run("link", await code_for(house), person=ANN_ON_DISCORD) == ENOUGH
