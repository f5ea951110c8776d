"""Messages on Discord in every form: whoever addresses the bot is answered, or told what can't be read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.common.unread import HELLO, NOTHING
from adapters.discord import paste as discord_paste
from adapters.discord.events import WITHHELD
from bot.model import Audience
from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.fakes.discord import FakeDiscord, until
from tests.makers import names

STICKER = {"id": "749054660769218631", "name": "Wave", "format_type": 3}
LAID_OUT = {
    "type": 17,
    "id": 1,
    "accent_color": None,
    "spoiler": False,
    "components": [{"type": 10, "id": 2, "content": "Laid out"}],
}
POLL = {
    "question": {"text": "Where do we eat?"},
    "answers": [
        {"answer_id": 1, "poll_media": {"text": "Pizza"}},
        {"answer_id": 2, "poll_media": {"text": "Sushi"}},
    ],
    "expiry": "2100-01-01T00:00:00+00:00",
    "allow_multiselect": False,
    "layout_type": 1,
    "results": {"answer_counts": [], "is_finalized": False},
}
EMBED = {"type": "rich", "title": "Trip", "description": "Leaves at nine", "author": {"name": "Ben"}, "fields": []}


class World:
    """A server with channels and roles, and the bot in it, with a role of its own."""

    def __init__(self, fake: FakeDiscord, core: StubCore) -> None:
        self.fake = fake
        self.core = core
        self.guild = fake.add_guild("Home")
        self.crew = fake.add_role(self.guild, "Crew")
        self.own = fake.add_role(self.guild, "Memo", managed=True, tags={"bot_id": fake.bot.id})
        self.general = fake.add_channel(self.guild, "general")
        self.staff = fake.add_channel(self.guild, "staff", private=True)
        self.staff.open_to = (self.crew,)
        self.trip = fake.add_channel(self.guild, "trip", parent=self.general)
        self.gift = fake.add_channel(self.guild, "gift", parent=self.general, private=True)
        self.pay = fake.add_channel(self.guild, "pay", parent=self.staff)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeDiscord() as fake:
        built = World(fake, StubCore())
        async with running(fake, built.core):
            yield built


@pytest.mark.parametrize(
    ("fields", "notice", "attachments", "text"),
    [
        ({"sticker_items": [STICKER]}, "", ('sticker "Wave"',), ""),
        ({"poll": POLL}, "", (), "Poll: Where do we eat?\n- Pizza\n- Sushi"),
        ({"activity": {"type": 3, "party_id": "1"}}, NOTHING, (), ""),
        ({"flags": 1 << 13, "attachments": ("voice-message.ogg",)}, "voice", ("voice-message.ogg",), ""),
        ({"components": [{"type": 1, "id": 1, "components": []}]}, NOTHING, (), ""),
    ],
    ids=["sticker", "poll", "activity", "voice", "components"],
)
async def test_a_message_without_text_is_answered(
    world: World, fields: dict[str, Any], notice: str, attachments: tuple[str, ...], text: str
) -> None:
    """What can be named or read goes to the core; of the rest one sentence says that it can't be read."""
    message = await world.fake.dm("Ana", "", **fields)
    await world.fake.answer_to(message)
    (event,) = world.core.events
    assert (event.text, names(event)) == (text, attachments)
    assert event.notice == notice or (notice and notice in event.notice)


async def test_a_sticker_in_reply_to_the_bot_is_answered(world: World) -> None:
    """Stickers aren't withheld for lack of the intent: a reply that is one is answered as such."""
    first = await world.fake.say(world.general, "Ana", "hello")
    await world.fake.answer_to(first)
    answer = world.fake.answers(first)[0]["id"]
    options: dict[str, Any] = {"mention": False, "reply_to": answer, "ping": False, "sticker_items": [STICKER]}
    await world.fake.answer_to(await world.fake.say(world.general, "Ana", "", **options))
    assert names(world.core.events[1]) == ('sticker "Wave"',)
    assert world.core.events[1].notice == ""


async def test_a_forwarded_message_is_somebody_elses_words(world: World) -> None:
    """A forwarded text is read apart from the person's own, with what was attached to it named."""
    file = world.fake.file("plan.pdf", b"%PDF", "application/pdf")
    await world.fake.answer_to(await world.fake.forward("Ana", "We leave at <t:1764237600:t>", attachments=[file]))
    (event,) = world.core.events
    assert (event.text, event.notice) == ("", "")
    assert event.forwarded == ("We leave at 2025-11-27 10:00 UTC\n(A file: plan.pdf)",)


@pytest.mark.parametrize(
    ("snapshot", "forwarded"),
    [
        ({"embeds": [EMBED]}, ("Ben\nTrip\nLeaves at nine",)),
        ({"sticker_items": [STICKER]}, ('(A sticker: "Wave")',)),
        ({"components": [LAID_OUT]}, ("Laid out",)),
        ({}, ()),
    ],
    ids=["embed", "sticker", "components", "nothing"],
)
async def test_a_forwarded_message_without_text(
    world: World, snapshot: dict[str, Any], forwarded: tuple[str, ...]
) -> None:
    """Of a forwarded message without text, what it shows is read; where it shows nothing, that is told."""
    await world.fake.answer_to(await world.fake.forward("Ana", "", **snapshot))
    (event,) = world.core.events
    assert event.forwarded == forwarded
    assert bool(event.notice) is not bool(forwarded)


async def test_an_embed_alone_is_not_the_persons_words(world: World) -> None:
    """What an embed says was written by whoever made the page: it is read as forwarded."""
    await world.fake.answer_to(await world.fake.dm("Ana", "", embeds=[EMBED]))
    assert world.core.events[0].forwarded == ("Ben\nTrip\nLeaves at nine",)
    assert world.core.events[0].text == ""


async def test_a_mention_of_the_bots_own_role_is_told_how_to_be_heard(world: World) -> None:
    """Whoever picks the bot's role from the list means the bot, but Discord doesn't show it what they wrote."""
    text = f"<@&{world.own}> what's up?"
    message = await world.fake.say(world.general, "Ana", text, mention=False, mention_roles=[world.own])
    await world.fake.answer_to(message)
    assert world.core.events[0].notice == WITHHELD


async def test_a_mention_added_by_an_edit_is_answered_once(world: World) -> None:
    """A message that only its edit addresses to the bot is answered; further edits are edits."""
    message = await world.fake.say(world.general, "Ana", "what's the capital of Peru?", mention=False)
    await world.fake.edit(world.general, message, f"<@{world.fake.bot.id}> what's the capital of Peru?")
    assert await world.fake.answer_to(message) == "You said: what's the capital of Peru?"
    await world.fake.edit(world.general, message, f"<@{world.fake.bot.id}> what's the capital of Chile?")
    await until(lambda: world.core.edited, "the second edit")
    assert [event.text for event in world.core.edited] == ["what's the capital of Chile?"]
    assert len(world.fake.answers(message)) == 1


async def test_a_mention_added_to_an_old_message_is_no_question_of_now(world: World) -> None:
    """An edit of a message of last week is an edit, and nothing to answer."""
    message = await world.fake.say(world.general, "Ana", "hello", mention=False, hours_ago=7 * 24)
    await world.fake.edit(world.general, message, f"<@{world.fake.bot.id}> hello")
    await until(lambda: world.core.edited, "the edit")
    assert world.core.events == []


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<t:1764237600>", "2025-11-27 10:00 UTC"),
        ("<t:1764237600:F> or <t:0:R>", "2025-11-27 10:00 UTC or 1970-01-01 00:00 UTC"),
        ("<t:999999999999999:d>", "<t:999999999999999:d>"),
        ("</memories:123> </forget all:9>", "/memories /forget all"),
        ("<a:dance:123><:wave:45>", ":dance::wave:"),
        (
            "<id:customize> <id:browse> <id:guide> <id:linked-roles:12>",
            "Channels & Roles Browse Channels Server Guide Linked Roles",
        ),
        ("<sound:1:2>", "(a sound)"),
        ("<https://example.org> a <b> c", "<https://example.org> a <b> c"),
    ],
)
async def test_tokens_are_read_as_people_see_them(world: World, raw: str, read: str) -> None:
    """Dates, commands, emoji and the rest are read as what they stand for."""
    await world.fake.answer_to(await world.fake.dm("Ana", raw))
    assert world.core.events[0].text == read


@pytest.mark.parametrize(
    ("crew", "read"),
    [
        (False, "#general #channel #trip #channel #channel"),
        (True, "#general #staff #trip #channel #pay"),
    ],
    ids=["others", "crew"],
)
async def test_a_channel_is_named_only_for_who_sees_it(world: World, crew: bool, read: str) -> None:
    """The name of a channel or thread that the writer can't see is not told, by whatever id they ask for it."""
    text = " ".join(f"<#{channel.id}>" for channel in (world.general, world.staff, world.trip, world.gift, world.pay))
    member = {"roles": [world.crew] if crew else [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
    member |= {"deaf": False, "mute": False, "nick": None}
    await world.fake.answer_to(await world.fake.say(world.general, "Ana", text, member=member))
    assert world.core.events[0].text == read


async def test_the_place_itself_is_named(world: World) -> None:
    """Where somebody writes they see the name of, be it a private thread."""
    await world.fake.answer_to(await world.fake.say(world.gift, "Ana", f"what is <#{world.gift.id}> for?"))
    assert world.core.events[0].text == "what is #gift for?"
    assert world.core.events[0].place.audience is Audience.MEMBERS


class TestReplies:
    """A reply tells what it replies to."""

    async def test_own_words_are_quoted(self, world: World) -> None:
        """A reply in a DM brings along the bot's answer, or the person's own message, that it replies to."""
        first = await world.fake.dm("Ana", "the first")
        await world.fake.answer_to(first)
        answer = world.fake.answers(first)[0]["id"]
        for target in (answer, first):
            await world.fake.answer_to(await world.fake.dm("Ana", "that one", reply_to=target))
        quoted = [(event.reply_to, event.quoted) for event in world.core.events[1:]]
        assert quoted == [(f"discord:{answer}", "You said: the first"), (f"discord:{first}", "the first")]

    async def test_others_words_are_not(self, world: World) -> None:
        """What somebody else wrote is not taken along."""
        theirs = await world.fake.say(world.general, "Ben", f"<@{world.fake.bot.id}> my code is 1234")
        await world.fake.answer_to(theirs)
        await world.fake.answer_to(await world.fake.say(world.general, "Ana", "what?", reply_to=theirs))
        assert world.core.events[1].quoted == ""

    async def test_a_thread_names_the_message_it_was_opened_under(self, world: World) -> None:
        """A thread that was opened under a message has its id, which says what the thread is about."""
        await world.fake.answer_to(await world.fake.say(world.trip, "Ana", "hello"))
        assert world.core.events[0].reply_to == f"discord:{world.trip.id}"


class TestPastes:
    """A text of over 2,000 characters, which Discord's client turns into a file."""

    async def test_it_is_the_message(self, world: World) -> None:
        """Where the file is all there is, its text is what was said."""
        text = "wörd " * 1000 + f"<@{world.fake.user('Ben').id}>"
        message = await world.fake.dm("Ana", "", paste=b"\xef\xbb\xbf" + text.encode())
        await world.fake.answer_to(message)
        (event,) = world.core.events
        assert (event.text, event.attachments, event.notice) == ("wörd " * 1000 + "@someone", (), "")

    async def test_with_a_mention_alone(self, world: World) -> None:
        """A mention beside it is no text of its own."""
        await world.fake.answer_to(await world.fake.say(world.general, "Ana", "", paste=b"a long story"))
        assert world.core.events[0].text == "a long story"

    async def test_with_text_it_is_a_file(self, world: World) -> None:
        """Beside a text, or another file, it stays a file, which isn't fetched."""
        await world.fake.answer_to(await world.fake.dm("Ana", "read this", paste=b"a long story"))
        await world.fake.answer_to(await world.fake.dm("Ana", "", paste=b"a long story", attachments=("b.png",)))
        assert [event.text for event in world.core.events] == ["read this", ""]
        assert world.fake.fetched == []

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00w", b""], ids=["bytes", "empty"])
    async def test_what_is_no_text_is_a_file(self, world: World, content: bytes) -> None:
        """A file that is no UTF-8, or empty, is known by its name."""
        await world.fake.answer_to(await world.fake.dm("Ana", "", paste=content))
        assert (world.core.events[0].text, names(world.core.events[0])) == ("", ("message.txt",))

    async def test_too_long(self, world: World) -> None:
        """A text that is too long is told so; what Discord calls too large isn't even fetched."""
        longer = [b"x" * (discord_paste.CHARACTERS + 1), b"x" * (discord_paste.BYTES + 1)]
        for content in longer:
            await world.fake.answer_to(await world.fake.dm("Ana", "", paste=content))
        assert [event.notice for event in world.core.events] == [discord_paste.TOO_LONG] * 2
        assert len(world.fake.fetched) == 1

    @pytest.mark.parametrize(
        ("failures", "text"), [([503], "a story"), ([503, 503], ""), ([302], ""), ([404, 404], "")], ids=str
    )
    async def test_trouble(self, world: World, failures: list[int], text: str) -> None:
        """It is tried again once; a redirect is not followed; where it can't be had, the person is told."""
        world.fake.cdn_failures = failures
        await world.fake.answer_to(await world.fake.dm("Ana", "", paste=b"a story"))
        (event,) = world.core.events
        assert (event.text, event.notice) == (text, "" if text else discord_paste.UNFETCHED)

    async def test_nothing_overtakes_it(self, world: World) -> None:
        """What is said behind it in that channel is handed on behind it; elsewhere nothing waits."""
        world.fake.slow_files = 0.5
        paste = await world.fake.dm("Ana", "", paste=b"a story")
        behind = await world.fake.dm("Ana", "did you get that?")
        beside = await world.fake.dm("Ben", "hello")
        for message in (paste, behind, beside):
            await world.fake.answer_to(message)
        assert [event.text for event in world.core.events] == ["hello", "a story", "did you get that?"]

    async def test_one_that_was_missed(self) -> None:
        """One that was sent while the bot was down is fetched then."""
        async with FakeDiscord() as fake:
            core = StubCore()
            before = await fake.dm("Ana", "hello")
            core.seen = [last_seen(fake.dm_with("Ana"), before)]
            message = await fake.dm("Ana", "", paste=b"a story")
            async with running(fake, core):
                await fake.answer_to(message)
            assert core.events[0].text == "a story"

    async def test_a_later_edit_leaves_it(self, world: World) -> None:
        """Where its text can't be had again, an edit withdraws nothing."""
        message = await world.fake.dm("Ana", "", paste=b"a story")
        await world.fake.answer_to(message)
        world.fake.cdn_failures = [503, 503]
        await world.fake.edit(world.fake.dm_with("Ana"), message, "")
        await world.fake.answer_to(await world.fake.dm("Ana", "still there?"))
        assert (world.core.deleted, world.core.edited) == ([], [])


async def test_a_bare_mention_is_told_how_to_talk(world: World) -> None:
    """A mention and nothing else gets one sentence on how to talk to the bot."""
    await world.fake.answer_to(await world.fake.say(world.general, "Ana", ""))
    assert world.core.events[0].notice == HELLO
