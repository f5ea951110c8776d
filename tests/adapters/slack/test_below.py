"""Slack: what stands below an answer, after a stream, over Slack's limits, and where Slack refuses it."""

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.ports import PlatformRefused, ReplyHandle
from bot.views import Button, Foot, Item, View
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault, Json

pytestmark = pytest.mark.slow

ANN, GENERAL = "U0ANN", "C0GENERAL"
FOOT = Foot("Memory updated", (Button("Show", "learned:1"),))
KINDS = ["context", "actions"]


class World:
    """A core behind an adapter, and what stands in the thread of one question."""

    def __init__(self, slack: FakeSlack, core: ScriptedCore, adapter: SlackAdapter) -> None:
        self.slack, self.core, self.adapter = slack, core, adapter

    async def asked(self, direct: bool = False) -> list[Json]:
        """Ask, and return the bot's messages there."""
        self.where: tuple[str, str | None]
        if direct:
            await self.slack.dm(ANN, "hi")
            self.where = self.slack.dm_channel(ANN), None
        else:
            self.where = GENERAL, await self.slack.mention(GENERAL, ANN, "hi")
        await self.slack.wait(lambda: self.core.sent or self.core.failures)
        return self.shown

    @property
    def shown(self) -> list[Json]:
        return self.slack.answers(*self.where)

    @property
    def reply(self) -> ReplyHandle:
        """The reply handle as another process has it."""
        return self.adapter.reply_handle(self.core.events[0])

    async def add(self, foot: Foot = FOOT) -> None:
        await self.reply.below(self.core.sent[0], foot)


def kinds(message: Json) -> list[str]:
    """The types of a message's blocks."""
    return [block["type"] for block in message["blocks"]]


@pytest.fixture
async def world(slack: FakeSlack) -> AsyncIterator[World]:
    """An adapter that listens, and has edited before."""
    core = ScriptedCore()
    adapter = SlackAdapter(settings(slack), core)
    async with running(adapter):
        adapter._api.edits_work = True
        yield World(slack, core, adapter)


async def test_below_a_stream(world: World) -> None:
    """A streamed answer gets it by one more edit; its text and what says whose it is stay."""
    answer = "Here is **what** I know, piece by piece. " * 5
    world.core.pieces, world.core.pause = [answer[:end] for end in range(12, len(answer), 12)], 0.05
    world.core.reply = lambda event: answer
    (message,) = await world.asked()
    assert world.slack.counts["chat.startStream"] == 1
    text, metadata, edits = message["text"], message["metadata"], world.slack.counts["chat.update"]
    await world.add()
    (message,) = world.shown
    assert kinds(message) == ["markdown", *KINDS]
    assert (message["text"], message["metadata"]) == (text, metadata)
    assert world.slack.counts["chat.update"] == edits + 1


@pytest.mark.parametrize("error", ["msg_blocks_too_long", "msg_too_long", "invalid_blocks"])
@pytest.mark.parametrize("direct", [False, True])
async def test_over_the_limits(world: World, error: str, direct: bool) -> None:
    """Where Slack doesn't take it with the answer, it is a message of its own in the same place, once."""
    (before,) = await world.asked(direct)
    world.slack.fail("chat.update", Fault(error))
    await world.add()
    answer, own = world.shown
    assert answer == before
    assert (own["text"], kinds(own)) == ("Memory updated", KINDS)
    await world.add()
    assert len(world.shown) == 2
    assert await world.reply.found() == (answer["text"], world.core.sent[0])


async def test_an_answer_without_blocks(world: World) -> None:
    """Where Slack took the answer as plain text alone, it is left as it is."""
    world.slack.fail("chat.postMessage", Fault("invalid_blocks"))
    (before,) = await world.asked()
    assert before["blocks"] == []
    await world.add()
    answer, own = world.shown
    assert (answer, kinds(own)) == (before, KINDS)


async def test_its_own_message_is_no_context(world: World) -> None:
    """What stands around a question doesn't include it."""
    await world.asked()
    world.slack.fail("chat.update", Fault("msg_too_long"))
    await world.add()
    await world.slack.mention(GENERAL, ANN, "and now?", world.where[1])
    await world.slack.wait(lambda: len(world.core.sent) == 2)
    near = await world.adapter.reply_handle(world.core.events[1]).around(10)
    assert [message.text for message in near if not message.author] == ["You said: hi"]


@pytest.mark.parametrize("error", ["edit_window_closed", "is_inactive", "no_permission"])
async def test_refused(world: World, error: str) -> None:
    """A refusal that is not about what is added leaves the answer alone, and says so to the core."""
    (before,) = await world.asked()
    world.slack.fail("chat.update", Fault(error))
    with pytest.raises(PlatformRefused):
        await world.add()
    assert world.shown == [before]


async def test_deleted_meanwhile(world: World) -> None:
    """If the answer goes between the look and the edit, nothing is added anywhere."""
    await world.asked()
    world.slack.fail("chat.update", Fault("message_not_found"))
    await world.add()
    assert [kinds(message) for message in world.shown] == [["markdown"]]


async def test_limited_for_long(world: World) -> None:
    """A rate limit that is over only after minutes isn't waited for."""
    (before,) = await world.asked()
    world.slack.fail("chat.update", Fault(status=429, retry_after=600))
    with pytest.raises(ConnectionError):
        await world.add()
    assert world.shown == [before]


async def test_a_busy_minute_is_the_answers(world: World) -> None:
    """Once most of a minute's edits are used, the rest is for answers that grow."""
    (before,) = await world.asked()
    pace = world.adapter._api.pace
    for _ in range(25):
        await pace.turn("chat.update")
    assert pace.delay("chat.update") == 0
    assert pace.delay("chat.update", spare=30) > 0
    assert world.shown == [before]


async def test_a_view_in_a_direct_message(world: World) -> None:
    """It is shown as the answer to a command is, and its buttons work."""
    await world.asked(direct=True)
    await world.reply.show(View("Forget this?", (Item(1, "Likes tea"),), buttons=(Button("Forget", "forget:7"),)))
    shown = await world.slack.whispered(ANN)
    assert "Likes tea" in shown["text"]
    answer = await world.slack.press(ANN, shown, "Forget")
    assert answer["text"] == "Pressed forget:7"
    assert answer["replace_original"]
