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
from tests.harness import ANN, ANN_ELSEWHERE, ANN_ON_DISCORD, DISCORD_DM, DM, GENERAL, BotHarness, opened
from tests.makers import BOB

CANARY = "zebrafinch"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """One process on an empty folder."""
    async with opened(tmp_path / "data") as found:
        yield found


async def code_for(harness: BotHarness, person: Person = ANN) -> str:
    """The code that `/link` shows to a person."""
    view = await harness.run("link", person=person)
    found = re.fullmatch(r"Your code is ([0-9A-Z]{4}-[0-9A-Z]{4})", view.title)
    assert found is None or view.code == found[1]
    assert found is not None
    return found[1]


async def entered(harness: BotHarness, code: str, person: Person) -> View:
    """What comes of entering a code, and of pressing Join where that is asked."""
    view = await harness.run("link", code, person=person)
    return await harness.press(view, "Join", person) if view.title.startswith("Join this account") else view


async def joined(harness: BotHarness, first: Person = ANN, second: Person = ANN_ON_DISCORD) -> View:
    """Link the second account to the first."""
    return await entered(harness, await code_for(harness, first), second)


async def both_told(harness: BotHarness) -> None:
    """Each account has told something."""
    await harness.tell("I like tea.")
    await harness.tell("I live in Porto.", ANN_ON_DISCORD, DISCORD_DM)


async def test_linked_accounts_have_one_set_of_memories(harness: BotHarness) -> None:
    """What either account told, before and after, is recalled on both; pages and links of the list are the same."""
    await both_told(harness)
    assert (await joined(harness)).title.startswith("Linked")
    await harness.tell("I play chess.", ANN_ON_DISCORD, DISCORD_DM)
    everything = ["I like tea.", "I live in Porto.", "I play chess."]
    assert await harness.known() == everything
    assert await harness.known(ANN_ON_DISCORD) == everything
    assert await harness.recalled("Where do I live?", ANN, DM) == everything
    assert await harness.recalled("What do I like?", ANN_ON_DISCORD, DISCORD_DM) == everything


async def test_unlinked_accounts_keep_what_was_learned_there(harness: BotHarness) -> None:
    """Parted, each has what its own account told, before the link and while it lasted."""
    await both_told(harness)
    await joined(harness)
    await harness.tell("I play chess.", ANN_ON_DISCORD, DISCORD_DM)
    await harness.tell("I play go.")
    assert (await harness.run("unlink", person=ANN_ON_DISCORD)).title.startswith("Unlinked")
    assert await harness.known() == ["I like tea.", "I play go."]
    assert await harness.known(ANN_ON_DISCORD) == ["I live in Porto.", "I play chess."]
    assert await harness.run("unlink", person=ANN_ON_DISCORD) == ALONE


async def test_the_account_that_showed_the_code_can_unlink_too(harness: BotHarness) -> None:
    """Where the first of three accounts leaves, the two others stay together, each with what they told."""
    await both_told(harness)
    await harness.tell("I ski.", ANN_ELSEWHERE, DISCORD_DM)
    await joined(harness)
    await joined(harness, ANN_ON_DISCORD, ANN_ELSEWHERE)
    assert len(await harness.known()) == 3
    await harness.run("unlink", person=ANN)
    assert await harness.known() == ["I like tea."]
    assert await harness.known(ANN_ON_DISCORD) == ["I live in Porto.", "I ski."]
    assert await harness.known(ANN_ELSEWHERE) == ["I live in Porto.", "I ski."]


async def test_what_both_told_stays_with_both(harness: BotHarness) -> None:
    """A memory that both accounts taught is there on each side after they part, with that side's messages alone."""
    await joined(harness)
    await harness.tell("I like tea.")
    await harness.tell("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    (memory,) = await harness.memory.list(ANN.key)
    assert len(memory.sources) == 2
    await harness.run("unlink", person=ANN_ON_DISCORD)
    for person in (ANN, ANN_ON_DISCORD):
        (kept,) = await harness.memory.list(person.key)
        assert [source.account for source in kept.sources] == [person.key]


async def test_what_waits_follows_the_link(harness: BotHarness) -> None:
    """What is waiting, being learned or being answered when accounts are linked is learned for both, once."""
    await harness.hear("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    under_way = await harness.journal.outbox.claim(ANN_ON_DISCORD.key, "private")
    await joined(harness)
    await harness.memory.learn(under_way)
    await harness.journal.outbox.learned([exchange.id for exchange in under_way])
    await harness.learn()
    assert await harness.known() == ["I like tea."]
    assert await harness.memory.list(ANN_ON_DISCORD.key) == []


async def test_audiences_hold_across_a_link(harness: BotHarness) -> None:
    """A link opens nothing: a channel recalls what it could before, and no direct message of either account."""
    await both_told(harness)
    await harness.tell("I run the build.", place=GENERAL)
    await joined(harness)
    assert await harness.recalled("tell me all", ANN, GENERAL) == ["I run the build."]


async def test_three_accounts_see_whom_they_are_linked_with(harness: BotHarness) -> None:
    """Each later code, from whichever of the accounts, joins all; the answer and /link name the others, without ids."""
    assert [item.text for item in (await joined(harness)).items] == ["Linked with your Slack account"]
    third = await joined(harness, ANN_ON_DISCORD, ANN_ELSEWHERE)
    assert [item.text for item in third.items] == [
        "Linked with your Slack account",
        "Linked with your Discord account",
    ]
    offered = await harness.run("link")
    assert [item.text for item in offered.items] == ["Linked with your Discord account"] * 2
    assert "/unlink parts this account again" in offered.footer
    assert await joined(harness, ANN_ELSEWHERE, ANN) == WRONG  # they have the same memories already


async def test_a_code_works_once(harness: BotHarness) -> None:
    """Used by the other account, the code joins nobody else."""
    await harness.tell("I like tea.")
    code = await code_for(harness)
    await entered(harness, code.lower().replace("-", " "), ANN_ON_DISCORD)
    assert await entered(harness, code, BOB) == WRONG
    assert await harness.known(BOB) == []
    assert await harness.known(ANN_ON_DISCORD) == ["I like tea."]


async def test_one_of_many_wins_a_code(harness: BotHarness) -> None:
    """Entered by several accounts at the same moment, a code joins one of them."""
    code = await code_for(harness)
    people = [Person("discord", "", str(number)) for number in range(4)]
    views = await asyncio.gather(*(entered(harness, code, person) for person in people))
    assert [view.title.startswith("Linked") for view in views].count(True) == 1
    assert views.count(WRONG) == 3


@pytest.mark.parametrize("case", ["expired", "replaced", "own", "guessed", "odd"])
async def test_what_is_no_valid_code_gives_nothing_away(harness: BotHarness, case: str) -> None:
    """Expired, replaced, one's own, guessed or malformed: the same sentence, and nothing changes."""
    await both_told(harness)
    code = await code_for(harness)
    person = ANN_ON_DISCORD
    if case == "expired":
        harness.clock.now += 601
    elif case == "replaced":
        await code_for(harness)
    elif case == "own":
        person = ANN
    elif case == "guessed":
        code = new_code()
    else:
        code = "'; DROP TABLE codes; --"
    assert await entered(harness, code, person) == WRONG
    assert (await harness.known(), await harness.known(ANN_ON_DISCORD)) == (["I like tea."], ["I live in Porto."])


async def test_guessing_is_slow(harness: BotHarness) -> None:
    """After five wrong codes even the right one waits ten minutes; others are not held up by it."""
    for _ in range(5):
        assert await entered(harness, new_code(), ANN_ON_DISCORD) == WRONG
    code = await code_for(harness)
    assert await entered(harness, code, ANN_ON_DISCORD) == ENOUGH
    assert (await entered(harness, code, BOB)).title.startswith("Linked")
    harness.clock.now += 601
    code = await code_for(harness)
    assert (await entered(harness, code, ANN_ON_DISCORD)).title.startswith("Linked")


async def test_a_code_is_kept_in_no_file(harness: BotHarness) -> None:
    """The database holds a digest: neither a backup nor an operator can join somebody's accounts."""
    code = await code_for(harness)
    assert harness.holding(code) == []
    assert harness.holding(code.replace("-", "")) == []


def test_codes_are_readable_and_differ() -> None:
    """No letter or digit that is taken for another, and never the same twice."""
    assert not set(ALPHABET) & set("01OILU")
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200


@pytest.mark.parametrize("paused", [ANN, ANN_ON_DISCORD])
async def test_pausing_counts_for_both(harness: BotHarness, paused: Person) -> None:
    """Linked to an account whose memory is paused, the other is paused too, and is told so; parted, both still are."""
    await harness.press(await harness.run("memories", person=paused), "Pause memory", paused)
    assert "Memory is paused on all of them" in (await joined(harness)).title
    assert (await harness.journal.accounts.account(ANN.key)).paused
    await harness.run("unlink", person=ANN_ON_DISCORD)
    assert (await harness.journal.accounts.account(ANN.key)).paused
    assert (await harness.journal.accounts.account(ANN_ON_DISCORD.key)).paused


async def test_everything_of_linked_accounts_is_forgotten_together(harness: BotHarness) -> None:
    """Forgetting everything on one account forgets both, parts them, and leaves no word in any file."""
    await harness.tell(f"My bird is a {CANARY}.")
    await harness.tell(f"The {CANARY} is blue.", ANN_ON_DISCORD, DISCORD_DM)
    await joined(harness)
    view = await harness.run("forget", person=ANN_ON_DISCORD)
    assert "all 2 of your linked accounts" in view.title
    done = await harness.press(view, "Forget everything", ANN_ON_DISCORD)
    assert "2 things" in done.title
    assert (await harness.known(), await harness.known(ANN_ON_DISCORD)) == ([], [])
    assert await harness.run("unlink") == ALONE
    assert harness.holding(CANARY) == []


async def test_memories_that_cannot_move_now_follow(tmp_path: Path) -> None:
    """With the memory out of reach accounts are linked all the same, and the memories join them later."""
    async with opened(tmp_path / "data") as harness:
        await both_told(harness)
        code = await code_for(harness)
        await harness.memory.close()
        assert "in a little while" in (await entered(harness, code, ANN_ON_DISCORD)).title
        clock = harness.clock
    async with opened(tmp_path / "data", clock) as harness:
        clock.now += 120
        await harness.eraser.tick()
        assert await harness.known() == ["I like tea.", "I live in Porto."]


async def test_a_linked_account_that_removes_the_bot_goes_alone(harness: BotHarness) -> None:
    """Removed by one account, what that one told goes; the other keeps its own."""
    await both_told(harness)
    await joined(harness)
    await harness.changes.on_removed("slack", "T1", ANN)
    harness.clock.now += 3700
    await harness.eraser.tick()
    assert await harness.known() == []
    assert await harness.known(ANN_ON_DISCORD) == ["I live in Porto."]


async def test_a_removed_workspace_leaves_the_other_platforms_memories(harness: BotHarness) -> None:
    """What a linked person told on Discord outlives the Slack workspace, whoever's mem0 user it is under."""
    await both_told(harness)
    await joined(harness)
    await harness.changes.on_removed("slack", "T1")
    harness.clock.now += 3700
    await harness.eraser.tick()
    assert await harness.known(ANN_ON_DISCORD) == ["I live in Porto."]


async def test_it_is_asked_with_whom_to_join(harness: BotHarness) -> None:
    """Whoever enters a code is told whose account it is and what that means; nothing is joined until they press."""
    await both_told(harness)
    code = await code_for(harness)
    asked = await harness.run("link", code, person=ANN_ON_DISCORD)
    assert asked.title == "Join this account with the Slack account with the id UANN?"
    assert "sees everything that I remember about you" in asked.footer
    assert [button.label for button in asked.buttons] == ["Join", "Cancel"]
    assert await harness.known(ANN_ON_DISCORD) == ["I live in Porto."]
    assert (await harness.press(asked, "Cancel", ANN_ON_DISCORD)) == APART
    assert (await harness.press(asked, "Join", ANN_ON_DISCORD)) == STALE
    assert await harness.known() == ["I like tea."]
    again = await harness.run("link", code, person=ANN_ON_DISCORD)
    assert (await harness.press(again, "Join", BOB)) == STALE
    first = await harness.press(again, "Join", ANN_ON_DISCORD)
    assert first.title.startswith("Linked")
    assert await harness.press(again, "Join", ANN_ON_DISCORD) == first
    assert await harness.known() == ["I like tea.", "I live in Porto."]


async def test_the_name_that_is_shown_is_the_other_persons(harness: BotHarness) -> None:
    """The name goes with the code of the one who showed it, on one line, beside an id that nobody else has."""
    now = datetime.fromtimestamp(harness.clock.now, UTC)
    offered = await harness.commands.run(CommandEvent(ANN, DM, "link", "", now, "Ann\nLee"))
    assert offered.code
    asked = await harness.run("link", offered.code, person=ANN_ON_DISCORD)
    assert asked.title == "Join this account with the Slack account of Ann Lee (id UANN)?"


async def test_forgetting_everything_doesnt_count_codes_anew(harness: BotHarness) -> None:
    """Who has entered too many wrong codes may enter no more after `/forget` either."""
    for _ in range(5):
        assert await harness.run("link", new_code(), person=ANN_ON_DISCORD) == WRONG
    await harness.press(await harness.run("forget", person=ANN_ON_DISCORD), "Forget everything", ANN_ON_DISCORD)
    assert await harness.run("link", await code_for(harness), person=ANN_ON_DISCORD) == ENOUGH
