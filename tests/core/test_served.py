"""Whom the bot serves, and where: the allow-lists, and what becomes of the rest."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import PLATFORMS
from bot.config import Settings, SettingsError
from bot.core.learning import Learner
from bot.core.served import ELSEWHERE, TELL_WITHIN, Doorkeeper, Served
from bot.events import MessageEvent
from bot.model import Audience, Person, Place
from bot.ports import JournalUnavailable
from tests.harness import Clock, opened
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, SECRET, message
from tests.parts import make_bot, make_privacy
from tests.stub_journal import StubJournal
from tests.stubs import StubChat, StubMemory, StubReplyHandle

GUILD = Place("discord", "11", "21", None, Audience.PUBLIC, "#guild")
OTHER_GUILD = Place("discord", "12", "22", "22", Audience.MEMBERS, "thread")
DISCORD_DM = Place("discord", "", "23", None, Audience.PRIVATE, "DM")
CAT = Person("discord", "", "7")
TERMINAL = Place("terminal", "", "ann", None, Audience.PRIVATE, "terminal")


def served(**lists: str) -> Served:
    """The lists of these settings."""
    return Served.of(Settings.model_validate(lists), PLATFORMS)


class StubNotices:
    """Each notice once; `failure` is raised while it is set."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float]] = []
        self.asked = 0
        self.failure: Exception | None = None

    async def first(self, kind: str, key: str, seconds: float) -> bool:
        self.asked += 1
        if self.failure:
            raise self.failure
        notice = (kind, key, seconds)
        self.told.append(notice)
        return self.told.count(notice) == 1


class World:
    """A bot on stubs that serves some."""

    def __init__(self, served: Served) -> None:
        self.journal = StubJournal()
        self.memory = StubMemory()
        self.chat = StubChat()
        self.notices = StubNotices()
        self.now = MONDAY + timedelta(minutes=10)
        learner = Learner(self.journal.outbox, self.memory)
        privacy = make_privacy(self.journal, self.memory, None, learner)
        self.bot = make_bot(
            *(self.journal, self.memory, self.chat, learner, privacy.identities),
            door=Doorkeeper(served, self.notices, clock=lambda: self.now),
            clock=lambda: self.now,
        )

    async def hear(self, event: MessageEvent) -> StubReplyHandle:
        """As on Discord: what is heard is handed over at once."""
        reply = StubReplyHandle()
        await self.bot.on_message(event, reply)
        return reply

    async def hear_once_admitted(self, event: MessageEvent) -> StubReplyHandle:
        """As on Slack: admitted, acknowledged, then answered."""
        reply = StubReplyHandle()
        if await self.bot.admit(event):
            await self.bot.on_message(event, reply, admitted=True)
        return reply

    @property
    def untouched(self) -> bool:
        """Whether nothing was written down or asked."""
        return not (self.journal.inbox.seen or self.journal.outbox.kept or self.chat.prompts)


Hear = Callable[[World, MessageEvent], Awaitable[StubReplyHandle]]


@pytest.mark.parametrize(
    ("lists", "person", "place", "covered"),
    [
        ({}, ANN, GENERAL, True),
        ({"slack_channels": "", "discord_guilds": "", "bot_people": ""}, ANN, GENERAL, True),
        ({"slack_channels": "C1"}, ANN, GENERAL, True),
        ({"slack_channels": "C1, C3\nG4"}, ANN, SECRET, False),
        ({"slack_channels": "C2"}, ANN, DM, True),
        ({"slack_channels": "C2"}, CAT, GUILD, True),
        ({"discord_guilds": "11 12"}, CAT, OTHER_GUILD, True),
        ({"discord_guilds": "11"}, CAT, OTHER_GUILD, False),
        ({"discord_guilds": "11"}, CAT, DISCORD_DM, True),
        ({"discord_guilds": "11"}, CAT, replace(GUILD, workspace=""), False),
        ({"bot_people": "discord:7,slack:T1:UANN"}, ANN, GENERAL, True),
        ({"bot_people": "discord:7,slack:T1:UANN"}, CAT, DISCORD_DM, True),
        ({"bot_people": "discord:7 slack:T1:UANN"}, BOB, DM, False),
        ({"bot_people": "slack:T2:UANN"}, ANN, DM, False),
        ({"bot_people": "slack:T1:UANN", "slack_channels": "C2"}, ANN, GENERAL, False),
        ({"bot_people": "discord:7", "slack_channels": "C1", "discord_guilds": "11"}, CAT, TERMINAL, True),
    ],
)
def test_lists_restrict_places_and_people(
    lists: Mapping[str, str], person: Person, place: Place, covered: bool
) -> None:
    """The platform's list has to cover the place, and the list of people its author; none restricts the terminal."""
    assert served(**lists).covers(message("hi", person=person, place=place)) is covered


def test_a_stranger_is_not_covered() -> None:
    """Whom the platform's list leaves out isn't served in a direct message either."""
    event = message("hi", person=CAT, place=DISCORD_DM)
    assert served(discord_guilds="11").covers(event)
    assert not served(discord_guilds="11").covers(replace(event, stranger=True))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("discord_guilds", "canary"),
        ("discord_guilds", "11;12"),
        ("discord_guilds", "11, x12"),
        ("discord_guilds", "0"),
        ("discord_guilds", "١٢"),
        ("discord_guilds", ","),
        ("slack_channels", "#canary"),
        ("slack_channels", "D0123"),
        ("slack_channels", "c0123"),
        ("slack_channels", " "),
        ("bot_people", "canary"),
        ("bot_people", "discord:7 slack:UANN"),
        ("bot_people", "terminal:ann"),
        ("bot_people", ", ,"),
    ],
)
def test_a_malformed_list_is_one_line(setting: str, value: str) -> None:
    """It names the variable, and not the value; a list that is set to nothing isn't taken for everybody."""
    with pytest.raises(SettingsError) as raised:
        served(**{setting: value})
    line = str(raised.value)
    assert line.startswith(f"{setting.upper()}: must be ")
    assert "\n" not in line
    assert "canary" not in line


@pytest.mark.parametrize("hear", [World.hear, World.hear_once_admitted])
async def test_what_is_not_served_is_told_once_and_not_written_down(hear: Hear) -> None:
    """One sentence to the person, and another only to another person; nothing in the journal, no request to Claude."""
    world = World(served(slack_channels="C1"))
    replies = [await hear(world, message("hi", number=number, place=SECRET)) for number in range(3)]
    replies.append(await hear(world, message("hi", number=4, place=SECRET, person=BOB)))
    assert [reply.whispers for reply in replies] == [[ELSEWHERE], [], [], [ELSEWHERE]]
    assert not any(reply.shown or reply.busy for reply in replies)
    assert world.untouched
    assert world.notices.told == [("not served", ANN.key, 86400.0), ("not served", BOB.key, 86400.0)]
    answered = await hear(world, message("hi", number=5))
    assert answered.shown == ["ok"]
    assert answered.whispers == []


async def test_what_does_not_speak_to_the_bot_is_let_pass() -> None:
    """What others say in a thread that the bot takes part in gets no sentence."""
    world = World(served(bot_people=BOB.key))
    reply = await world.hear(replace(message("hi", place=GENERAL), addressed=False))
    assert reply.whispers == []
    assert world.untouched
    assert world.notices.asked == 0


async def test_an_old_message_is_not_told() -> None:
    """What catch-up finds each time would be told each day."""
    world = World(served(slack_channels="C1"))
    world.now = MONDAY + timedelta(minutes=2) + TELL_WITHIN
    assert (await world.hear(message("hi", number=1, place=SECRET))).whispers == []
    assert (await world.hear(message("hi", number=3, place=SECRET))).whispers == [ELSEWHERE]


async def test_a_journal_that_fails_tells_nobody() -> None:
    """What isn't served needn't come again."""
    world = World(served(slack_channels="C1"))
    world.notices.failure = JournalUnavailable("no journal")
    assert not await world.bot.admit(message("hi", place=SECRET))


async def test_a_resumed_event_that_is_served_no_more_is_dropped() -> None:
    """Silently: its place was taken off the list, or its person, since it was admitted."""
    for lists, event in (
        ({"slack_channels": "C1"}, message("hi", place=SECRET)),
        ({"bot_people": BOB.key}, message("hi")),
        ({"discord_guilds": "11"}, replace(message("hi", person=CAT, place=DISCORD_DM), stranger=True)),
    ):
        world = World(served(**lists))
        assert await world.journal.inbox.admit(event)
        reply = StubReplyHandle()
        reply.there = ("half an answer", ("m1",))
        await world.bot.resume(event, "c", 1, lambda _, reply=reply: reply)  # type: ignore[misc]
        assert (reply.shown, reply.whispers) == ([], [])
        assert world.journal.inbox.log == [f"dismissed {event.id}"]
        assert world.journal.outbox.kept == []
        assert world.chat.prompts == []


async def test_an_edit_of_what_is_not_served_is_not_learned(tmp_path: Path) -> None:
    """What the message had taught is forgotten: it says so no longer, and what it says now isn't the bot's business."""
    clock = Clock()
    async with opened(tmp_path, clock) as bot:
        told = await bot.tell("I like tea", place=SECRET)
        assert await bot.known()
        bot.bind(make_privacy(bot.journal, bot.memory, None, bot.learner, served=served(slack_channels="C1")))
        await bot.changes.on_edited(replace(told, text="I like canaries"))
        # One that was never admitted waits nowhere for its admission.
        await bot.changes.on_edited(replace(told, id="slack:T1:C2:99", text="I like canaries"))
        await bot.learn()
        assert await bot.known() == []
        assert bot.holding("canaries") == []
