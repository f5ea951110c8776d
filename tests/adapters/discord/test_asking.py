"""*Ask about this*: the form at once, the answer to the asker alone, within Discord's time, and whatever goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.discord.asking import GONE, NAME, STOPPED, TOO_LATE, UNREADABLE
from adapters.discord.ephemeral import CUT
from bot.events import MessageEvent
from bot.model import Audience
from bot.ports import PlatformRefused, ReplyHandle
from tests.adapters.core import StubCore, saying
from tests.adapters.discord.support import QUICK, adapter_for, running
from tests.fakes.discord import Channel, FakeDiscord, Interaction, until
from tests.fakes.discord_model import EPHEMERAL, MODAL

ANSWER = "He says that the ferry leaves at nine."


@dataclass
class World:
    """A server in whose channel Ben has written, where Ana asks."""

    fake: FakeDiscord
    general: Channel
    core: StubCore

    def said(self, text: str = "The ferry leaves at nine.", author: str = "Ben", **fields: Any) -> dict[str, Any]:
        """A message that isn't for the bot: no event tells of it."""
        message = self.fake.message(self.general, self.fake.user(author), text) | fields
        self.general.messages[message["id"]] = message
        return message

    async def chosen(self, message: dict[str, Any], channel: Channel | None = None) -> Interaction:
        """Ana chooses a message."""
        return await self.fake.choose_message("Ana", message, channel or self.general, NAME)

    async def opened(self, chosen: Interaction) -> dict[str, Any]:
        """The form that is there."""
        form: dict[str, Any] = await until(lambda: chosen.form, "no form")
        return form

    async def asked(self, question: str = "When?", channel: Channel | None = None, **fields: Any) -> Interaction:
        """Ana chooses a message of Ben's, and asks about it."""
        return await self.fake.fill_in("Ana", question, await self.chosen(self.said(**fields), channel))

    def held_up(self) -> asyncio.Event:
        """Let answers begin once the event is set."""
        go_on = asyncio.Event()

        async def slow(event: MessageEvent) -> AsyncIterator[str]:
            await go_on.wait()
            yield ANSWER

        self.core.speech = slow
        return go_on


@pytest.fixture
def world(fake: FakeDiscord) -> World:
    """A Discord without the message-content intent."""
    return World(fake, fake.add_channel(fake.add_guild(), "general"), StubCore(saying(ANSWER)))


async def test_a_message_that_somebody_chooses_is_asked_about(world: World) -> None:
    """The form asks for a question that may be left out; the answer is shown to its asker alone, and pings nobody.

    The message is with the question as somebody else's words, though the bot may not read it otherwise.
    """
    async with running(world.fake, world.core):
        opened = await world.chosen(world.said())
        form = await until(lambda: opened.form, "no form")
        assert opened.callbacks[0]["type"] == MODAL
        assert form["title"] == NAME
        assert form["components"][0]["component"]["required"] is False
        asked = await world.fake.fill_in("Ana", "When?", opened)
        await until(lambda: asked.parts == [ANSWER], "no answer")
    assert asked.ephemeral
    assert asked.shown is not None
    assert asked.shown["allowed_mentions"] == {"parse": []}
    (event,) = world.core.events
    assert (event.text, event.confidential, event.id) == ("When?", True, f"discord:{asked.id}")
    assert event.person.user == world.fake.user("Ana").id
    (text,) = event.forwarded
    assert text.startswith("Ben, 20")
    assert text.endswith(" UTC:\nThe ferry leaves at nine.")
    assert event.recallable is None
    assert event.place.audience is Audience.PUBLIC
    assert [
        message for message in world.general.messages.values() if message["author"]["id"] == world.fake.bot.id
    ] == []
    assert world.fake.typing == []


async def test_without_a_question(world: World) -> None:
    """A form that is sent empty is a question all the same."""
    async with running(world.fake, world.core):
        asked = await world.asked("")
        await until(lambda: asked.parts == [ANSWER], "no answer")
    (event,) = world.core.events
    assert event.text == ""
    assert not event.blank


@pytest.mark.parametrize("kind", ["dm", "group"])
async def test_in_direct_messages_and_groups(world: World, kind: str) -> None:
    """It works where only the person has installed the app: there too, the place is what it is."""
    channel = world.fake.dm_with("Ana") if kind == "dm" else world.fake.group_with("Ana", "Ben")
    async with running(world.fake, world.core):
        asked = await world.asked(channel=channel)
        await until(lambda: asked.parts == [ANSWER], "no answer")
    expected = Audience.PRIVATE if kind == "dm" else Audience.MEMBERS
    assert world.core.events[0].place.audience is expected


@pytest.mark.parametrize(
    ("fields", "shows"),
    [
        ({"text": "", "attachments": ("map.png",)}, "(A file: map.png)"),
        ({"text": "", "embeds": [{"type": "rich", "title": "Build failed"}]}, "Build failed"),
        ({"text": "", "components": [{"type": 10, "id": 1, "content": "A panel"}], "flags": 1 << 15}, "A panel"),
        ({"text": "Ask <@{ben}>"}, "Ask @Ben"),
        ({"author": "Ana", "text": "mine"}, "Ana (who asks), 20"),
    ],
)
async def test_what_is_in_a_message(world: World, fields: dict[str, Any], shows: str) -> None:
    """Files by their names, embeds, components; names instead of ids; and whether the asker wrote it."""
    if "attachments" in fields:
        files = [world.fake.file(name, b"?", "image/png") for name in fields["attachments"]]
        fields = fields | {"attachments": files}
    if "{ben}" in str(fields.get("text")):
        content = fields["text"].format(ben=world.fake.user("Ben").id)
        fields = {"text": content, "mentions": world.fake.mentions(content)}
    async with running(world.fake, world.core):
        await until(lambda: world.fake.gateway.live, "no session")
        asked = await world.asked(**fields)
        await until(lambda: asked.parts == [ANSWER], "no answer")
    assert shows in world.core.events[0].forwarded[0]


async def test_a_message_with_nothing_to_read(world: World) -> None:
    """No form is opened for what can't be read at all."""
    async with running(world.fake, world.core):
        opened = await world.chosen(world.said(""))
        assert await opened.answer() == UNREADABLE
    assert opened.ephemeral
    assert opened.form is None
    assert world.core.events == []


async def test_the_form_waits_for_nobody(world: World) -> None:
    """Form and deferral come at once while Claude, and the journal, take long."""
    go_on = world.held_up()
    async with running(world.fake, world.core):
        first = await world.asked("one")
        await until(lambda: world.core.events, "no question")
        opened = await world.chosen(world.said())
        await world.opened(opened)
        second = await world.fake.fill_in("Ana", "two", opened)
        await until(lambda: second.callbacks, "not deferred")
        for asked in (first, second):
            assert asked.callbacks == [{"type": 5, "data": {"flags": EPHEMERAL}}]
            assert asked.shown is None
        go_on.set()
        await until(lambda: first.parts == second.parts == [ANSWER], "no answers")


async def test_a_long_answer_is_in_several_parts(world: World) -> None:
    """An answer grows in the response, then in further messages, each for the asker alone; none is above the limit."""
    words = [f"word{number}" for number in range(900)]
    world.core.speech = saying(" ".join(words[:200]), " ".join(words[:500]), " ".join(words), pause=0.3)
    async with running(world.fake, world.core):
        asked = await world.asked()
        grown = await until(lambda: asked.content.endswith("▌") and asked.content, "not growing")
        assert "word0" in grown
        await until(lambda: "word899" in asked.parts[-1], "no whole answer")
    assert " ".join(asked.parts).split() == words
    assert len(asked.parts) > 3
    assert all(len(part) <= 2000 for part in asked.parts)
    assert {message["flags"] for message in asked.followups} == {EPHEMERAL}
    assert all(message["allowed_mentions"] == {"parse": []} for message in asked.followups)


async def test_an_answer_is_never_longer_than_discord_takes(world: World) -> None:
    """Where only a person has installed the app, five further messages are all: the rest is cut, and that is said."""
    world.core.speech = saying("```py\n" + "x = 1\n" * 4000 + "```")
    async with running(world.fake, world.core):
        asked = await world.asked()
        await until(lambda: asked.parts[-1].endswith(CUT), "not cut")
    assert len(asked.parts) == 6
    assert all(len(part) <= 2000 and part.count("```") == 2 for part in asked.parts)


async def test_a_text_that_becomes_shorter(world: World) -> None:
    """What a failure's sentence takes the place of is gone."""
    world.core.speech = saying("word " * 900, "Sorry, no.", pause=0.5)
    async with running(world.fake, world.core):
        asked = await world.asked()
        await until(lambda: len(asked.parts) == 3, "not growing")
        await until(lambda: asked.parts == ["Sorry, no."], "no end")


@pytest.mark.parametrize("failures", [[429], [429, 429], [503], [429, 503, 429]])
async def test_limits_and_outages_are_waited_out(world: World, failures: list[int]) -> None:
    """A rate limit, and a Discord that fails for a moment, cost time and no answer."""
    world.fake.webhook_failures = failures
    async with running(world.fake, world.core):
        asked = await world.asked()
        await until(lambda: asked.parts == [ANSWER], "no answer")
    assert world.fake.webhook_failures == []


async def test_an_answer_outlives_a_reconnect(world: World) -> None:
    """What is being answered when the session breaks is answered through the next one."""
    go_on = world.held_up()
    async with running(world.fake, world.core):
        asked = await world.asked()
        await until(lambda: world.core.events, "no question")
        await world.fake.gateway.send_raw("{")
        await until(lambda: world.fake.gateway.identifies == 2, "no new session")
        go_on.set()
        await until(lambda: asked.parts == [ANSWER], "no answer")


@pytest.mark.parametrize("shown", [False, True])
async def test_before_the_time_is_over_it_says_so(world: World, shown: bool) -> None:
    """An answer that takes too long ends with a sentence while Discord still takes one; what is there stays."""

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        if shown:
            yield "He says"
        await asyncio.Event().wait()
        yield ANSWER

    world.core.speech = slow
    async with running(world.fake, world.core, replace(QUICK, interaction=0.8)):
        asked = await world.asked()
        await until(lambda: asked.parts[-1] == TOO_LATE, "no word of it")
    assert asked.parts == (["He says …", TOO_LATE] if shown else [TOO_LATE])


@pytest.mark.parametrize("how", [(401, 50027), (404, 10015), (404, 10008)])
async def test_an_answer_that_nobody_can_show_any_more(
    world: World, how: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """The token has expired, or the asker has dismissed the answer: one attempt, no words in the log."""
    world.fake.refuses["edit original"] = how
    async with running(world.fake, world.core):
        await world.asked()
        await until(lambda: world.core.failures, "no failure")
        assert isinstance(world.core.failures[0], PlatformRefused)
        await world.fake.answer_to(await world.fake.dm("Ana", "hi"))
    assert "ferry" not in caplog.text


async def test_a_refused_link_is_left_out(world: World) -> None:
    """What Discord blocks for a link is shown without links."""
    world.core.speech = saying("See [this](https://bad.example/x) page.")
    world.fake.filters["bad.example"] = (400, 240000)
    async with running(world.fake, world.core):
        asked = await world.asked()
        await until(lambda: "(link removed)" in asked.content, "no answer")


async def test_a_cut_text_that_is_refused_ends_nothing(world: World) -> None:
    """While an answer grows, a refusal of what is there so far leaves it to its end."""
    world.core.speech = saying("He says forbidden", "He says for", "He says that it leaves.", pause=0.4)
    world.fake.filters["forbidden"] = (400, 200000)
    async with running(world.fake, world.core):
        asked = await world.asked()
        await until(lambda: asked.parts == ["He says that it leaves."], "no answer")


async def test_a_form_that_is_late_finds_nothing(world: World) -> None:
    """The newest form of a person counts, once: nothing is held for one that was replaced, or sent before."""
    async with running(world.fake, world.core):
        first = await world.chosen(world.said("old words"))
        await until(lambda: first.form, "no form")
        second = await world.chosen(world.said("new words"))
        late = await world.fake.fill_in("Ana", "And?", first)
        assert await late.answer() == GONE
        asked = await world.fake.fill_in("Ana", "And?", second)
        await until(lambda: asked.parts == [ANSWER], "no answer")
        again = await world.fake.fill_in("Ana", "And?", second)
        assert await again.answer() == GONE
    assert [event.forwarded[0].rpartition("\n")[2] for event in world.core.events] == ["new words"]


async def test_somebody_elses_form_is_nobodys(world: World) -> None:
    """A form is its opener's: the same key from another account finds nothing."""
    async with running(world.fake, world.core):
        opened = await world.chosen(world.said())
        assert await (await world.fake.fill_in("Eve", "And?", opened)).answer() == GONE
        asked = await world.fake.fill_in("Ana", "When?", opened)
        await until(lambda: asked.parts == [ANSWER], "no answer")
    assert [event.person.user for event in world.core.events] == [world.fake.user("Ana").id]


async def test_a_sentence_that_discord_refuses(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Where not even a sentence can be shown, that is one line in the log, and no traceback."""
    world.fake.refuses["edit original"] = (403, 50013)
    async with running(world.fake, world.core):
        opened = await world.chosen(world.said())
        await world.opened(opened)
        await world.fake.fill_in("Eve", "And?", opened)
        await until(lambda: "PlatformRefused" in caplog.text, "not in the log")
    assert "Traceback" not in caplog.text


async def test_a_form_of_before_a_restart(world: World) -> None:
    """What was chosen is in the process's memory alone: after a restart it has to be chosen again."""
    async with running(world.fake, world.core):
        opened = await world.chosen(world.said())
        await until(lambda: opened.form, "no form")
    async with running(world.fake, world.core):
        assert await (await world.fake.fill_in("Ana", "When?", opened)).answer() == GONE
    assert world.core.events == []


async def test_a_stop_tells_who_waits(world: World) -> None:
    """An answer that can't be finished at a stop is not resumed: its asker is told."""
    world.held_up()
    adapter = adapter_for(world.fake, world.core, pace=replace(QUICK, stop=0.2))
    run = asyncio.create_task(adapter.run())
    await asyncio.wait_for(adapter.ready.wait(), 10)
    asked = await world.asked()
    await until(lambda: world.core.events, "no question")
    await adapter.stop()
    await run
    assert asked.parts == [STOPPED]


async def test_strangers_in_direct_messages_are_told_apart(world: World) -> None:
    """With servers listed, whoever asks in a direct message is looked up as for a message, after the deferral."""
    guild = world.general.guild
    assert guild is not None
    world.fake.join(guild, "Ana")
    async with running(world.fake, world.core, discord_guilds=guild.id):
        for user in ("Ana", "Eve"):
            direct = world.fake.dm_with(user)
            opened = await world.fake.choose_message(
                user, world.fake.message(direct, world.fake.bot, "hi"), direct, NAME
            )
            asked = await world.fake.fill_in(user, "?", opened)
            assert await asked.answer() == ANSWER
    assert [event.stranger for event in world.core.events] == [False, True]


async def test_a_core_that_refuses_says_why(world: World) -> None:
    """A sentence of the core's takes the place of the answer."""

    class Busy(StubCore):
        async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
            await reply.whisper("Please give me a minute.")

    async with running(world.fake, Busy()):
        asked = await world.asked()
        assert await asked.answer() == "Please give me a minute."


async def test_a_form_that_is_never_sent_is_let_go(world: World) -> None:
    """What was chosen is held for as long as a form may stay open, and then no longer."""
    async with running(world.fake, world.core, replace(QUICK, form=0.3)):
        opened = await world.chosen(world.said())
        await world.opened(opened)
        await asyncio.sleep(0.4)
        assert await (await world.fake.fill_in("Ana", "When?", opened)).answer() == GONE
    assert world.core.events == []
