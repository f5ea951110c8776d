"""What stands below an answer on Discord: where there is no room for it, where it is refused, in a private answer."""

from typing import Any

import pytest

from adapters.discord.adapter import DiscordAdapter
from bot.ports import PlatformRefused
from bot.views import Button, Foot, Item, View
from tests.adapters.core import StubCore, saying
from tests.adapters.discord.support import running
from tests.fakes.discord import FakeDiscord, until
from tests.fakes.discord_model import COMPONENTS_V2

FOOT = Foot("Memory updated", (Button("Show", "learned:1"),))


async def asked(fake: FakeDiscord, core: StubCore) -> dict[str, Any]:
    """The answer to a direct message."""
    message = await fake.dm("Ann", "hi")
    await until(lambda: core.sent, "the answer")
    return fake.answers(message)[-1]


async def add(adapter: DiscordAdapter, core: StubCore, foot: Foot = FOOT) -> None:
    """Add it as another process does."""
    await adapter.reply_handle(core.events[0]).below(core.sent[0], foot)


def labels(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons."""
    return [item["label"] for row in message["components"] for item in row["components"]]


async def test_no_room_for_the_line(fake: FakeDiscord) -> None:
    """Below an answer that fills its message, the button stands alone."""
    text = "x" * 1990
    core = StubCore(saying(text))
    async with running(fake, core) as adapter:
        message = await asked(fake, core)
        await add(adapter, core)
        assert (message["content"], labels(message)) == (text, ["Show"])
        assert await adapter.reply_handle(core.events[0]).found() == (text, core.sent[0])


async def test_a_line_alone(fake: FakeDiscord) -> None:
    """Without buttons it is added once as well, and is no part of the answer; nothing in it formats or pings."""
    core = StubCore()
    foot = Foot("I remember *you*, @everyone")
    async with running(fake, core) as adapter:
        message = await asked(fake, core)
        for _ in range(2):
            await add(adapter, core, foot)
        assert message["content"] == "You said: hi\n-# I remember \\*you\\*, \\@everyone"
        assert not message["components"]
        assert await adapter.reply_handle(core.events[0]).found() == ("You said: hi", core.sent[0])


async def test_small_print_of_the_answer_is_its_own(fake: FakeDiscord) -> None:
    """A line of small print that ends the answer itself stays a part of it."""
    core = StubCore(saying("Yes.\n-# As of today"))
    async with running(fake, core) as adapter:
        await asked(fake, core)
        await add(adapter, core)
        assert await adapter.reply_handle(core.events[0]).found() == ("Yes.\n\\-# As of today", core.sent[0])


async def test_it_is_not_quoted(fake: FakeDiscord) -> None:
    """Somebody who replies to the answer replies to its text alone."""
    core = StubCore()
    async with running(fake, core) as adapter:
        message = await asked(fake, core)
        await add(adapter, core)
        await fake.dm("Ann", "and again", reply_to=message["id"])
        await until(lambda: len(core.sent) > 1, "the second answer")
        near = await adapter.reply_handle(core.events[1]).around(10)
    assert core.events[1].quoted == "You said: hi"
    assert all("Memory updated" not in message.text for message in near)


@pytest.mark.parametrize("refusal", [(400, 30046), (400, 50083), (403, 50001), (429, 0)])
async def test_refused(fake: FakeDiscord, refusal: tuple[int, int]) -> None:
    """What Discord refuses is said to the core, and the answer stays as it was: no message is sent in its place."""
    core = StubCore()
    async with running(fake, core) as adapter:
        message = await asked(fake, core)
        before = len(fake.answers(core.events[0].id.removeprefix("discord:")))
        fake.refuses["edit"] = refusal
        with pytest.raises(PlatformRefused):
            await add(adapter, core)
        assert (message["content"], message["components"]) == ("You said: hi", [])
        assert len(fake.answers(core.events[0].id.removeprefix("discord:"))) == before


async def test_a_view_in_a_direct_message(fake: FakeDiscord) -> None:
    """It is a message of its own and no part of the answer; its buttons work in place."""
    core = StubCore(view=lambda event: View("Pressed"))
    async with running(fake, core) as adapter:
        await asked(fake, core)
        reply = adapter.reply_handle(core.events[0])
        await reply.show(View("Forget this?", (Item(1, "Likes tea"),), buttons=(Button("Forget", "forget:7"),)))
        channel = fake.dm_with("Ann")
        shown = channel.messages[max(channel.messages, key=int)]
        assert shown["flags"] & COMPONENTS_V2
        (row,) = [part for part in shown["components"] if part["type"] == 1]
        data = {"custom_id": row["components"][0]["custom_id"], "component_type": 2}
        pressed = await fake.interact(3, "Ann", channel, data, message=shown)
        assert await pressed.answer() == "Pressed"
        assert pressed.callbacks[0]["type"] == 6
        assert await reply.found() == ("You said: hi", core.sent[0])
    assert [event.action for event in core.presses] == ["forget:7"]


async def test_below_a_private_answer(fake: FakeDiscord) -> None:
    """What answers *Ask about this* takes it too; the answer keeps its text."""
    core = StubCore(foot=FOOT)
    general = fake.add_channel(fake.add_guild(), "general")
    said = fake.message(general, fake.user("Ben"), "The ferry leaves at nine.")
    general.messages[said["id"]] = said
    async with running(fake, core):
        asking = await fake.fill_in("Ann", "When?", await fake.choose_message("Ann", said, general, "Ask about this"))
        await until(lambda: core.sent, "the answer")
    assert asking.ephemeral
    assert asking.content == "You said: When?\n-# Memory updated"
    assert list(asking.buttons) == ["Show"]
