"""Slack: what was written while the bot was away is answered once it is back."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from adapters.slack.adapter import SlackAdapter
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


def _seen(core: ScriptedCore, channel: str, ts: str, thread: str = "") -> None:
    """Let a message be the newest that was seen in a place."""
    core.seen.append((f"slack:{TEAM}:{channel}:{thread}", f"slack:{TEAM}:{channel}:{ts}", datetime.now(UTC)))


def _old(slack: FakeSlack, channel: str, text: str, age: timedelta) -> str:
    """A message of some time ago."""
    ts = f"{(datetime.now(UTC) - age).timestamp():.6f}"
    slack.messages.setdefault(channel, []).append({"type": "message", "user": ANN, "text": text, "ts": ts})
    return ts


async def test_dm(slack: FakeSlack) -> None:
    """Direct messages sent while the bot was down are answered, oldest first, and those before them are not."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    _seen(core, channel, slack.unheard(channel, ANN, "seen"))
    for text in ("one", "two", "three"):
        slack.unheard(channel, ANN, text)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: len(slack.answers(channel)) == 3)
    said = [message["text"] for message in slack.answers(channel)]
    assert said == ["You said: one", "You said: two", "You said: three"]
    assert [event.place.audience for event in core.events] == ["private"] * 3


async def test_channel(slack: FakeSlack) -> None:
    """In known channels, mentions and what was written in the bot's threads are answered; other talk is let pass."""
    core = ScriptedCore()
    root = slack.unheard(GENERAL, ANN, f"<@{BOT}> seen")
    _seen(core, GENERAL, root, root)
    slack.unheard(GENERAL, ANN, "in the thread", root)
    slack.unheard(GENERAL, ANN, f"<@{BEN}> to Ben", root)
    slack.unheard(GENERAL, BEN, "lunch?")
    slack.unheard(GENERAL, BOT, "my own", root, bot_id="B0FAKEBOT")
    slack.unheard(GENERAL, ANN, f"<@{BOT}> memories", root)
    new = slack.unheard(GENERAL, BEN, f"<@{BOT}> a new thread")
    slack.unheard(GENERAL, BEN, "goes on", new)
    async with running(SlackAdapter(settings(slack), core)):
        assert await slack.answer(GENERAL, root, lambda text: "said" in text) == "You said: in the thread"
        assert await slack.answer(GENERAL, new, lambda text: "new" in text) == "You said: a new thread"
        assert await slack.answer(GENERAL, new, lambda text: "goes" in text) == "You said: goes on"
    assert sorted(event.text for event in core.events) == ["a new thread", "goes on", "in the thread"]
    assert {event.place.thread for event in core.events} == {root, new}
    assert core.commands == []


async def test_dm_thread(slack: FakeSlack) -> None:
    """A direct message that was answered in a thread meanwhile is still one of the top level, and so is its answer."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    _seen(core, channel, slack.unheard(channel, ANN, "seen"))
    root = slack.unheard(channel, ANN, "one")
    slack.unheard(channel, ANN, "below", root)
    async with running(SlackAdapter(settings(slack), core)):
        assert await slack.answer(channel) == "You said: one"
        assert await slack.answer(channel, root) == "You said: below"
    assert {event.text: event.place.thread for event in core.events} == {"one": None, "below": root}


@pytest.mark.parametrize(("hours", "answered"), [(24, ["today"]), (100, ["long ago", "today"]), (0, [])])
async def test_age(slack: FakeSlack, hours: float, answered: list[str]) -> None:
    """What is older than the setting says is let pass, and 0 lets everything pass."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    _seen(core, channel, _old(slack, channel, "seen", timedelta(hours=60)))
    _old(slack, channel, "long ago", timedelta(hours=50))
    _old(slack, channel, "today", timedelta(hours=20))
    async with running(SlackAdapter(settings(slack, bot_catch_up_hours=hours), core)):
        await slack.dm(ANN, "now")
        await slack.answer(channel, until=lambda text: "now" in text)
        await slack.wait(lambda: len(core.sent) == len(answered) + 1)
    assert sorted(event.text for event in core.events) == sorted([*answered, "now"])


async def test_after_a_gap(slack: FakeSlack) -> None:
    """What was written while the connection was lost is answered; a renewal by Slack needs no looking."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    async with running(SlackAdapter(settings(slack), core)):
        _seen(core, channel, await slack.dm(ANN, "one"))
        await slack.answer(channel)
        await slack.renew()
        await slack.connected(2)
        await slack.dm(ANN, "two")
        await slack.answer(channel, until=lambda text: "two" in text)
        assert slack.counts["conversations.history"] == 0
        slack.unheard(channel, ANN, "three")
        await slack.drop_sockets()
        assert await slack.answer(channel, until=lambda text: "three" in text) == "You said: three"
    assert [event.text for event in core.events] == ["one", "two", "three"]
    assert len(slack.answers(channel)) == 3


async def test_many_pages(slack: FakeSlack) -> None:
    """More messages than fit one page are all found."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    _seen(core, channel, slack.unheard(channel, ANN, "seen"))
    for number in range(450):
        slack.unheard(channel, ANN, str(number))
    core.whisper = "-"
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: len(core.events) == 450)
    assert [event.text for event in core.events] == [str(number) for number in range(450)]


async def test_places_that_are_gone(slack: FakeSlack) -> None:
    """A place that is gone, or that the app may not read, is passed over, and the others are caught up with."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    ts = slack.unheard(channel, ANN, "seen")
    slack.unheard(channel, ANN, "missed")
    _seen(core, channel, ts)
    _seen(core, "C0GONE", ts, ts)
    _seen(core, GENERAL, ts, ts)
    slack.fail("conversations.history", Fault(error="missing_scope"))
    async with running(SlackAdapter(settings(slack), core)):
        assert await slack.answer(channel) == "You said: missed"


async def test_http(slack: FakeSlack) -> None:
    """Over HTTP the bot catches up when it starts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    _seen(core, channel, slack.unheard(channel, ANN, "seen"))
    slack.unheard(channel, ANN, "missed")
    http = {"slack_app_token": None, "slack_signing_secret": slack.signing_secret, "port": port}
    async with running(SlackAdapter(settings(slack, **http), core)):
        assert await slack.answer(channel) == "You said: missed"
