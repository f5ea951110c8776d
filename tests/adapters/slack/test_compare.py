"""What was deleted and edited on Slack while the bot was away is told as if it were now; and nothing else is."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.compare import KnownMessages
from bot.journal.history import RECENT_LIMIT
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


def _heard(core: ScriptedCore, channel: str, *stamps: str, thread: str = "", at: datetime | None = None) -> None:
    """Let the journal know these messages of a place, the last of them as the newest."""
    at = at or datetime.now(UTC)
    key = f"slack:{TEAM}:{channel}:{thread}"
    core.seen.append((key, _id(channel, stamps[-1]), at))
    core.recent += [(key, _id(channel, ts), at) for ts in stamps]


def _id(channel: str, ts: str) -> str:
    return f"slack:{TEAM}:{channel}:{ts}"


def _said(slack: FakeSlack, core: ScriptedCore, channel: str, *, count: int = 3, thread: str = "") -> list[str]:
    """So many messages that the journal knows."""
    stamps = [slack.unheard(channel, ANN, f"text {number}", thread or None) for number in range(count)]
    _heard(core, channel, *stamps, thread=thread)
    return stamps


async def test_deleted(slack: FakeSlack) -> None:
    """In direct messages, channels and threads; with replies and without; an answer of the bot's own, too."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    direct = _said(slack, core, dm)
    answer = slack.unheard(dm, BOT, "an answer", bot_id="B0FAKEBOT")
    _heard(core, dm, answer)
    root = slack.unheard(GENERAL, ANN, f"<@{BOT}> hi")
    below = [slack.unheard(GENERAL, ANN, text, root) for text in ("one", "two")]
    _heard(core, GENERAL, root, *below, thread=root)
    lonely = slack.unheard(GENERAL, ANN, f"<@{BOT}> lonely")
    _heard(core, GENERAL, lonely, thread=lonely)
    for channel, ts in ((dm, direct[0]), (dm, answer), (GENERAL, root), (GENERAL, below[1]), (GENERAL, lonely)):
        await slack.delete(channel, ts, heard=False)
    gone = {_id(dm, direct[0]), _id(dm, answer), *(_id(GENERAL, ts) for ts in (root, below[1], lonely))}
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: set(core.deleted) >= gone)
    assert sorted(core.deleted) == sorted(gone)
    assert (core.edited, core.events) == ([], [])


async def test_edited(slack: FakeSlack) -> None:
    """With its new text, as the message it was; an unfurl is no edit, nor is what was told before."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    now = datetime.now(UTC)
    tea, milk, link, early = (slack.unheard(dm, ANN, text) for text in ("tea", "milk", "https://x.y", "early"))
    root = slack.unheard(GENERAL, ANN, f"<@{BOT}> tea")
    below = slack.unheard(GENERAL, BEN, "and milk", root)
    answer = slack.unheard(dm, BOT, "so", bot_id="B0FAKEBOT")
    _heard(core, dm, tea, milk, link, early, answer, at=now)
    _heard(core, GENERAL, root, below, thread=root, at=now)
    await slack.edit(dm, milk, heard=False, text="cream")
    await slack.edit(GENERAL, root, heard=False, text="never mind")
    await slack.edit(GENERAL, below, heard=False, text="and &lt;cream&gt;")
    await slack.edit(dm, link, heard=False, attachments=[{"title": "X"}])
    await slack.edit(dm, early, heard=False, text="told before")
    before = {"user": ANN, "ts": f"{(now - timedelta(hours=2)).timestamp():.6f}"}
    await slack.edit(dm, early, heard=False, edited=before)
    await slack.edit(dm, answer, heard=False, text="so far")
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: len(core.edited) == 3)
    assert {event.id: event.text for event in core.edited} == {
        _id(dm, milk): "cream",
        _id(GENERAL, root): "never mind",
        _id(GENERAL, below): "and <cream>",
    }
    assert {(event.place.channel, event.place.thread) for event in core.edited} == {(dm, None), (GENERAL, root)}
    assert (core.deleted, core.events) == ([], [])


@pytest.mark.parametrize(
    "error", ["missing_scope", "not_in_channel", "channel_not_found", "second page", "ratelimited"]
)
async def test_no_deletion(slack: FakeSlack, error: str) -> None:
    """A history that is closed, or read in part, says nothing of what is missing in it."""
    core = ScriptedCore()
    general = _said(slack, core, GENERAL, count=250)
    await slack.delete(GENERAL, general[0], heard=False)
    if error == "second page":
        slack.fail("conversations.history", Fault(), *[Fault(error="not_in_channel")] * 20)
    else:
        slack.fail("conversations.history", *[Fault(error=error)] * 20)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: slack.counts["conversations.history"] >= 2 - (error != "second page"))
        await slack.dm(ANN, "still there?")
        await slack.answer(slack.dm_channel(ANN))
    assert core.deleted == []


async def test_asked_for_alone(slack: FakeSlack) -> None:
    """What is missing counts as deleted only where Slack, asked for it alone, doesn't show it either."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    direct = _said(slack, core, dm)
    await slack.delete(dm, direct[1], heard=False)
    slack.fail("conversations.history", Fault(), Fault(error="missing_scope"))
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: slack.counts["conversations.history"] >= 2)
        await slack.dm(ANN, "still there?")
        await slack.answer(dm)
        assert core.deleted == []
        slack.fail("conversations.history", Fault(), Fault(error="internal_error"))
        await slack.drop_sockets()
        await slack.wait(lambda: core.deleted == [_id(dm, direct[1])])


async def test_limited(slack: FakeSlack) -> None:
    """On a free plan old messages are hidden, which is no deletion."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    direct = _said(slack, core, dm)
    slack.hidden_before = direct[1]
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: slack.counts["conversations.history"])
        await slack.dm(ANN, "still there?")
        await slack.answer(dm)
    assert core.deleted == []


async def test_only_what_was_read(slack: FakeSlack) -> None:
    """In a busy place the reading ends somewhere: what lies behind is let be, though it is gone."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    first = slack.unheard(dm, ANN, "first")
    for number in range(1100):
        slack.unheard(dm, BOT, str(number))
    last = [slack.unheard(dm, ANN, text) for text in ("last but one", "last")]
    _heard(core, dm, first, *last)
    await slack.delete(dm, first, heard=False)
    await slack.delete(dm, last[0], heard=False)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: core.deleted)
        await slack.dm(ANN, "still there?")
        await slack.answer(dm)
    assert core.deleted == [_id(dm, last[0])]


async def test_after_each_gap(slack: FakeSlack) -> None:
    """What is deleted and edited while no connection stands is found once one does."""
    core = ScriptedCore()
    dm = slack.dm_channel(ANN)
    async with running(SlackAdapter(settings(slack), core)):
        one, two, three = [await slack.dm(ANN, text) for text in ("one", "two", "three")]
        await slack.wait(lambda: len(core.sent) == 3)
        await slack.edit(dm, two, text="zwei")
        await slack.edit(dm, three, text="trois")
        await slack.wait(lambda: len(core.edited) == 2)
        _heard(core, dm, one, two, three)
        await slack.delete(dm, two, heard=False)
        await slack.edit(dm, three, heard=False, text="drei")
        await slack.drop_sockets()
        await slack.wait(lambda: core.deleted and len(core.edited) == 3)
        assert core.deleted == [_id(dm, two)]
        assert [event.text for event in core.edited] == ["zwei", "trois", "drei"]
        assert len(core.events) == 3


def test_a_busy_place() -> None:
    """As many messages of one place as the journal tells of hold the event loop for a moment only."""
    at = datetime.now(UTC)
    stamps = [f"{1_700_000_000 + number}.000100" for number in range(RECENT_LIMIT)]
    begun = time.process_time()
    found = KnownMessages.by_place((f"slack:{TEAM}:{GENERAL}:", _id(GENERAL, ts), at) for ts in stamps)
    assert found == {(TEAM, GENERAL, None): KnownMessages(frozenset(stamps), at.timestamp())}
    assert time.process_time() - begun < 5
