"""Catching up on Slack when things are in its way: rate limits, a full disk, deletions, an end amid it, many places."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.events import MessageEvent
from bot.ports import JournalUnavailable
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault

pytestmark = pytest.mark.slow

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


def _heard(core: ScriptedCore, channel: str, *stamps: str, thread: str = "", age: timedelta = timedelta()) -> None:
    """Let the journal know these messages of a place, the last of them as the newest."""
    key, at = f"slack:{TEAM}:{channel}:{thread}", datetime.now(UTC) - age
    core.seen.append((key, f"slack:{TEAM}:{channel}:{stamps[-1]}", at))
    core.recent += [(key, f"slack:{TEAM}:{channel}:{ts}", at) for ts in stamps]


@pytest.mark.parametrize("fault", [Fault(status=429, retry_after=0), Fault(status=503), Fault(error="internal_error")])
async def test_trouble_that_passes(slack: FakeSlack, fault: Fault) -> None:
    """A place that Slack won't show now is looked at again, and holds up no other."""
    core = ScriptedCore()
    dm, other = slack.dm_channel(ANN), slack.dm_channel(BEN)
    for channel, user in ((other, BEN), (dm, ANN)):
        core.seen.append((f"slack:{TEAM}:{channel}:", f"x:{slack.unheard(channel, user, 'seen')}", datetime.now(UTC)))
        slack.unheard(channel, user, f"missed by {user}")
    slack.fail("conversations.history", *[fault] * 4)
    async with running(SlackAdapter(settings(slack), core)):
        assert await slack.answer(dm) == f"You said: missed by {ANN}"
        assert await slack.answer(other) == f"You said: missed by {BEN}"


class HalfFull(ScriptedCore):
    """There is no room for one message, the first time."""

    refused = False

    async def admit(self, event: MessageEvent) -> bool:
        """Write it down, if it isn't that one."""
        if event.text == "two" and not self.refused:
            self.refused = True
            raise JournalUnavailable("the disk is full")
        return await super().admit(event)


async def test_room_for_some(slack: FakeSlack) -> None:
    """What is written down is answered, though the next could not be; and that is, a little later."""
    core = HalfFull()
    dm = slack.dm_channel(ANN)
    _heard(core, dm, slack.unheard(dm, ANN, "seen"))
    for text in ("one", "two", "three"):
        slack.unheard(dm, ANN, text)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: len(slack.answers(dm)) == 3)
    assert [event.text for event in core.events] == ["one", "two", "three"]


async def test_ended_amid_catching_up(slack: FakeSlack) -> None:
    """What an earlier process had not come to is found behind what it heard meanwhile, and nothing else is."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    before, one = slack.unheard(dm, ANN, "long answered"), slack.unheard(dm, ANN, "answered")
    slack.unheard(dm, ANN, "not come to")
    late = slack.unheard(dm, ANN, "heard meanwhile")
    core.seen.append((f"slack:{TEAM}:{dm}:", f"x:{before}", datetime.now(UTC)))
    _heard(core, dm, one, late)
    slack.unheard(GENERAL, BEN, f"<@{BOT}> from before it was known")
    root = slack.unheard(GENERAL, ANN, f"<@{BOT}> answered")
    slack.unheard(GENERAL, BEN, "talk in a thread", root)
    missed = slack.unheard(GENERAL, BEN, f"<@{BOT}> not come to either")
    named = slack.unheard(GENERAL, BEN, "lunch?")
    await slack.edit(GENERAL, named, heard=False, text=f"<@{BOT}> lunch?")
    newest = slack.unheard(GENERAL, ANN, f"<@{BOT}> heard meanwhile", root)
    _heard(core, GENERAL, root, newest, thread=root)
    async with running(SlackAdapter(settings(slack), core)):
        assert await slack.answer(dm) == "You said: not come to"
        assert await slack.answer(GENERAL, missed) == "You said: not come to either"
    assert {event.text for event in core.events} == {"not come to", "not come to either"}


async def test_threads_of_others(slack: FakeSlack) -> None:
    """A mention in a thread that somebody else began meanwhile is found, and from there on the thread is the bot's."""
    core = ScriptedCore()
    _heard(core, GENERAL, root := slack.unheard(GENERAL, ANN, f"<@{BOT}> hi"), thread=root)
    others = slack.unheard(GENERAL, ANN, "where do we eat?")
    slack.unheard(GENERAL, BEN, "no idea", others)
    slack.unheard(GENERAL, BEN, f"<@{BOT}> where?", others)
    slack.unheard(GENERAL, BEN, "and when?", others)
    slack.unheard(GENERAL, ANN, "soon, I hope", others)
    without = slack.unheard(GENERAL, ANN, "who drives?")
    slack.unheard(GENERAL, BEN, "not me", without)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: len(slack.answers(GENERAL, others)) == 2)
    assert [event.text for event in core.events] == ["where?", "and when?"]


async def test_many_threads(slack: FakeSlack) -> None:
    """However many threads were spoken in of late, direct messages come first."""
    core = ScriptedCore()
    for _ in range(700):
        root = slack.unheard(GENERAL, ANN, f"<@{BOT}> hi")
        _heard(core, GENERAL, root, thread=root)
    core.recent.clear()
    dm = slack.dm_channel(BEN)
    seen = f"{(datetime.now(UTC) - timedelta(days=7)).timestamp():.6f}"
    _heard(core, dm, seen, age=timedelta(days=7))
    slack.unheard(dm, BEN, "missed")
    async with running(SlackAdapter(settings(slack), core)):
        assert await slack.answer(dm) == "You said: missed"
        assert await slack.mention(GENERAL, ANN, "now")
        await slack.wait(lambda: [event.text for event in core.events] == ["missed", "now"])


async def test_changed_before_its_turn(slack: FakeSlack) -> None:
    """What was read in a history and is deleted or edited before it is written down counts as it is now."""
    core = ScriptedCore()
    core.writing = asyncio.Event()
    dm = slack.dm_channel(ANN)
    _heard(core, dm, slack.unheard(dm, ANN, "seen"))
    _, two, three = (slack.unheard(dm, ANN, text) for text in ("one", "two", "three"))
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: core.copies)
        await slack.delete(dm, two)
        await slack.edit(dm, three, text="drei")
        await slack.wait(lambda: core.deleted and core.edited)
        core.writing.set()
        await slack.wait(lambda: len(slack.answers(dm)) == 2)
    assert [event.text for event in core.events] == ["one", "drei"]


async def test_given_up(slack: FakeSlack) -> None:
    """What Slack has given up on, since it could not be written down for too long, is found in the history."""
    slack.ack_timeout = 0.1
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    async with running(SlackAdapter(settings(slack), core, given_up=3)):
        _heard(core, dm, await slack.dm(ANN, "one"))
        await slack.wait(lambda: core.sent)
        core.admit_failures = 4  # the delivery and all three that follow
        await slack.dm(ANN, "two")
        await slack.wait(lambda: not core.admit_failures)
        _heard(core, dm, await slack.dm(ANN, "three"))
        assert await slack.answer(dm, until=lambda text: "two" in text) == "You said: two"
    assert sorted(event.text for event in core.events) == ["one", "three", "two"]
    assert len(slack.answers(dm)) == 3


async def test_in_order(slack: FakeSlack) -> None:
    """Who writes while the bot catches up is answered behind what was missed in that place, however many wait."""
    core = ScriptedCore()
    for number in range(60):
        dm = slack.dm_channel(f"U{number:03}")
        _heard(core, dm, slack.unheard(dm, f"U{number:03}", "seen"), age=timedelta(minutes=number))
        slack.unheard(dm, f"U{number:03}", f"missed {number}")
    core.recent.clear()
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: len(core.events) >= 20)
        await slack.dm("U059", "now")
        await slack.wait(lambda: len(slack.answers(slack.dm_channel("U059"))) == 2)
        assert len(core.events) < 40
    texts = [event.text for event in core.events]
    assert texts.index("missed 59") < texts.index("now")
