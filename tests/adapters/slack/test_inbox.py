"""Slack: a message is acknowledged once it is written down, and comes again where it could not be."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack that is quick to send an event again."""
    async with FakeSlack(ack_timeout=0.5) as slack:
        yield slack


async def test_no_room(slack: FakeSlack) -> None:
    """A message that could not be written down isn't acknowledged, comes again, and is answered once."""
    core = ScriptedCore()
    core.admit_failures = 2
    async with running(SlackAdapter(settings(slack), core)):
        ts = await slack.dm(ANN, "hi")
        channel = slack.dm_channel(ANN)
        assert await slack.answer(channel) == "You said: hi"
        await slack.acknowledged()
    assert core.copies == [f"slack:T0FAKE001:{channel}:{ts}"] * 3
    assert len(slack.answers(channel)) == 1


async def test_no_room_over_http(slack: FakeSlack) -> None:
    """Over HTTP, what could not be written down is answered with an error, so that Slack sends it again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    core = ScriptedCore()
    core.admit_failures = 1
    http = {"slack_app_token": None, "slack_signing_secret": slack.signing_secret, "port": port}
    async with running(SlackAdapter(settings(slack, **http), core)):
        slack.events_url = f"http://127.0.0.1:{port}/slack/events"
        await slack.dm(ANN, "hi")
        await slack.wait(lambda: slack.refused)
        assert (slack.acks, core.events) == ([], [])


async def test_slow_answers_about_places() -> None:
    """However slow Slack is to describe a channel, a mention in it is written down and acknowledged in time."""
    async with FakeSlack() as slack:
        core = ScriptedCore()
        slack.fail("conversations.info", Fault(delay=30))
        slack.fail("users.info", Fault(delay=30))
        async with running(SlackAdapter(settings(slack), core)):
            ts = await slack.mention(GENERAL, ANN, "hi")
            assert await slack.answer(GENERAL, ts) == "You said: hi"
            await slack.acknowledged()
        assert {delivery.get("retry_attempt") for delivery in slack.deliveries} == {0}
        assert core.events[0].place.audience == "members"


async def test_a_slow_word_about_a_thread(slack: FakeSlack) -> None:
    """A message in a thread that only Slack can tell to be the bot's is acknowledged at once, and answered then."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), ScriptedCore())):
        ts = await slack.mention(GENERAL, ANN, "hi")
        await slack.answer(GENERAL, ts)
    slack.fail("conversations.replies", Fault(delay=1.5))
    async with running(SlackAdapter(settings(slack), core)):
        await slack.say(GENERAL, ANN, "still there?", ts)
        await slack.acknowledged()
        assert slack.answers(GENERAL, ts)[1:] == []
        assert await slack.answer(GENERAL, ts, lambda text: "still" in text) == "You said: still there?"
    assert {delivery.get("retry_attempt") for delivery in slack.deliveries} == {0}
    assert len(slack.answers(GENERAL, ts)) == 2
    assert [event.text for event in core.events] == ["still there?"]


async def test_a_follow_up_is_written_down_before_its_acknowledgement(slack: FakeSlack) -> None:
    """A follow-up in a thread where the bot was spoken to is written down before it is acknowledged."""
    first, core = ScriptedCore(), ScriptedCore()
    async with running(SlackAdapter(settings(slack), first)):
        ts = await slack.mention(GENERAL, ANN, "hi")
        await slack.answer(GENERAL, ts)
    (event,) = first.events
    core.seen = [(event.place.key, event.id, event.at)]
    async with running(SlackAdapter(settings(slack), core)):
        asked = slack.counts["conversations.replies"]
        core.writing = asyncio.Event()
        await slack.say(GENERAL, ANN, "still there?", ts)
        event_id = slack.deliveries[-1]["payload"]["event_id"]
        await slack.wait(lambda: core.copies)
        assert event_id not in slack.acks
        core.writing.set()
        assert await slack.answer(GENERAL, ts, lambda text: "still" in text) == "You said: still there?"
        assert (
            slack.counts["conversations.replies"] <= asked + 3
        )  # by the catching up, and once or twice for who else writes there


async def test_written_down_before_the_acknowledgement(slack: FakeSlack) -> None:
    """While a message is being written down it is not acknowledged yet; while it is answered it is."""
    core = ScriptedCore()
    writing = asyncio.Event()
    core.writing = writing
    core.gate = asyncio.Event()
    async with running(SlackAdapter(settings(slack), core)):
        await slack.dm(ANN, "hi")
        event_id = slack.deliveries[-1]["payload"]["event_id"]
        await slack.wait(lambda: core.copies)
        assert event_id not in slack.acks
        writing.set()
        await slack.wait(lambda: event_id in slack.acks)
        assert slack.answers(slack.dm_channel(ANN)) == []
        core.gate.set()
        await slack.answer(slack.dm_channel(ANN))
