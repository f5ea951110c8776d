"""What Discord refuses for good: tried once in another form, then said in one sentence and ended; never an outage."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.discord.answer import CURSOR, CUT_OFF
from bot.events import MessageEvent
from bot.ports import PlatformRefused
from tests.adapters.core import StubCore, saying
from tests.adapters.discord.support import QUICK, running, shown
from tests.fakes.discord import Channel, FakeDiscord, until

QUICK_TYPING = replace(QUICK, typing=0.3)


def tried(fake: FakeDiscord, channel: Channel, method: str = "POST") -> int:
    """How often the bot has tried to write there."""
    path = f"/channels/{channel.id}/messages"
    return sum(used == method and path in where for used, where, _ in fake.requests)


def refusals(core: StubCore) -> list[str]:
    """The codes of what was refused for good."""
    assert all(isinstance(failure, PlatformRefused) for failure in core.failures)
    return [str(failure) for failure in core.failures]


@pytest.mark.parametrize(
    ("code", "sentence", "tries"),
    [
        (200000, "This server's AutoMod blocked my answer.", 1),
        (200001, "This server's AutoMod blocked my answer.", 1),
        (20009, "Discord's filter for explicit content blocked my answer.", 1),
        (50006, "There was nothing in my answer that Discord could show.", 1),
        (240000, "Discord blocked my answer because of a link in it.", 2),
        (50035, PlatformRefused.sentence, 2),
        (999999, PlatformRefused.sentence, 2),
    ],
)
async def test_an_answer_refused_for_its_words_ends_in_one_sentence(
    fake: FakeDiscord, code: int, sentence: str, tries: int
) -> None:
    """The person hears what blocked it where that is known; Discord is asked once, and once in another form."""
    fake.filters["answer is"] = (400, code)
    core = StubCore(saying("The answer is forty-two."))
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        assert await fake.answer_to(message) == sentence
        assert tried(fake, fake.dm_with("Ana")) == tries + 1
        assert refusals(core) == [str(code)]


async def test_harmful_links_are_left_out(fake: FakeDiscord) -> None:
    """Where Discord's filter blocks a link the rest of the answer is shown, and says that a link was removed."""
    fake.filters["https://evil.example"] = (400, 240000)
    core = StubCore(saying("See [this](https://evil.example/a?b=c) or <https://evil.example>, or ask me."))
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        assert await fake.answer_to(message) == "See this (link removed) or (link removed), or ask me."
        assert core.failures == []


@pytest.mark.parametrize("grows", [True, False], ids=["growing", "at once"])
async def test_an_answer_blocked_midway_shows_that_it_was_cut_off(fake: FakeDiscord, grows: bool) -> None:
    """What was shown stays without its cursor, ends with an ellipsis, and one sentence says what blocked the rest."""
    fake.filters["forbidden"] = (400, 200000)
    first = "word " * 420
    core = StubCore(saying(*([first] if grows else []), f"{first}\n\nforbidden"))
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        await fake.answer_to(message, contains="AutoMod", settle=0.5)
        parts = shown(fake, fake.dm_with("Ana"))
        assert not any(CURSOR in part for part in parts)
        assert any(part.endswith(CUT_OFF) for part in parts)
        assert parts[-1] == "This server's AutoMod blocked my answer."
        assert refusals(core) == ["200000"]


async def test_half_a_word_that_is_blocked_stops_no_answer(fake: FakeDiscord) -> None:
    """A filter may trip over a step of a growing answer and take the whole one: it is shown."""
    fake.filters["I can ass ▌"] = (400, 200000)
    core = StubCore(saying("I can ass", "I can assist you."))
    async with running(fake, core):
        assert await fake.answer_to(await fake.dm("Ana", "hi"), contains="assist") == "I can assist you."
        assert core.failures == []


@pytest.mark.parametrize("refusal", [(400, 30046), (429, 30046), (403, 50005), (400, 999999)])
@pytest.mark.parametrize("long", [True, False])
async def test_what_cant_be_edited_is_sent_anew(fake: FakeDiscord, refusal: tuple[int, int], long: bool) -> None:
    """Where an edit is refused (too many of an old message, say) the whole answer stands in new messages, once."""
    fake.refuses["edit"] = refusal
    whole = "\n\n".join(f"word{number} " * 80 for number in range(8)) if long else "First and last."
    core = StubCore(saying("First", whole))
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        if long:
            fake.refuses.clear()
            await until(lambda: fake.answers(message), "the first words")
            fake.refuses["edit"] = refusal
            asyncio.get_running_loop().call_later(0.6, fake.refuses.clear)
        await until(lambda: core.sent, "the answer")
        parts = shown(fake, fake.dm_with("Ana"))
        assert "".join("".join(parts).split()) == "".join(whole.split())
        assert core.sent == [tuple(f"discord:{answer['id']}" for answer in fake.answers(message))]
        assert core.failures == []


async def test_a_limit_of_many_minutes_ends_an_answer(fake: FakeDiscord) -> None:
    """A channel that takes no message for an hour isn't waited for: the exchange ends, and the person hears it."""
    general = fake.add_channel(fake.add_guild(), "general")
    fake.refuses["reply"] = (429, 20016)
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        await fake.say(general, "Ana", "hi")
        await until(lambda: shown(fake, fake.dm_with("Ana")), "the word to Ana")
        assert refusals(core) == ["429"]
        assert shown(fake, general) == []


async def test_an_answer_reopens_an_archived_thread(fake: FakeDiscord) -> None:
    """A thread that is archived while an answer grows takes no edits: the answer's end comes as a new message."""
    thread = fake.add_channel(guild := fake.add_guild(), "thread", parent=fake.add_channel(guild, "general"))
    core = StubCore(saying("First", "First and last."))
    async with running(fake, core):
        message = await fake.say(thread, "Ana", "hi")
        await fake.first_answer(message)
        fake.archived.add(thread.id)
        assert await fake.answer_to(message, contains="last") == "First and last."
        assert shown(fake, thread) == ["First and last."]


async def test_a_locked_thread_ends_an_answer(fake: FakeDiscord) -> None:
    """Nothing can be shown in a locked thread: the exchange ends at once, and the person hears it directly."""
    thread = fake.add_channel(guild := fake.add_guild(), "thread", parent=fake.add_channel(guild, "general"))
    fake.locked.add(thread.id)
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        message = await fake.say(thread, "Ana", "hi")
        await until(lambda: shown(fake, fake.dm_with("Ana")), "the word to Ana")
        assert shown(fake, thread) == []
        (notice,) = shown(fake, fake.dm_with("Ana"))
        assert f"https://discord.com/channels/{guild.id}/{thread.id}/{message}" in notice
        assert "answer." not in notice
        assert refusals(core) == ["160005"]


async def test_who_asks_where_the_bot_may_not_write_hears_it_once(fake: FakeDiscord) -> None:
    """A missing permission ends the exchange after one try; the asker is told by a direct message, once an hour."""
    general = fake.add_channel(fake.add_guild(), "general")
    fake.forbidden.add(general.id)
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        await fake.say(general, "Ana", "hi")
        await until(lambda: shown(fake, fake.dm_with("Ana")), "the word to Ana")
        await fake.say(general, "Ana", "hi again")
        await until(lambda: len(core.failures) == 2, "the second refusal")
        await fake.say(general, "Ben", "hello")
        await until(lambda: shown(fake, fake.dm_with("Ben")), "the word to Ben")
        assert len(shown(fake, fake.dm_with("Ana"))) == 1
        assert refusals(core) == ["50013"] * 3
        assert core.sent == []


async def test_nobody_is_told_of_a_channel_that_is_gone(fake: FakeDiscord) -> None:
    """Whoever writes in a channel that is deleted before the answer comes needs no word about it."""
    general = fake.add_channel(fake.add_guild(), "general")

    async def late(event: MessageEvent) -> AsyncIterator[str]:
        del fake.channels[general.id]
        yield "The answer."

    core = StubCore(late)
    async with running(fake, core) as adapter:
        await fake.say(general, "Ana", "hi")
        await until(lambda: len(core.failures) == 2, "both refusals")
        assert refusals(core) == ["10003", "10003"]
        assert shown(fake, fake.dm_with("Ana")) == []
        with pytest.raises(PlatformRefused):  # and Claude isn't asked again after a restart
            await adapter.reply_handle(core.events[0]).found()


async def test_who_cant_be_told_is_logged(fake: FakeDiscord, caplog: pytest.LogCaptureFixture) -> None:
    """Where neither the place nor a direct message takes a word, both codes and the message's id are in the log."""
    general = fake.add_channel(fake.add_guild(), "general")
    fake.forbidden.add(general.id)
    fake.closed.add("Ana")
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        message = await fake.say(general, "Ana", "hi")
        await until(lambda: len(core.failures) == 2, "both refusals")
        assert refusals(core) == ["50013", "50013, directly 50007"]
        lines = [record.getMessage() for record in caplog.records]
        assert f"discord:{message}: a message refused: HTTP 403, code 50013" in lines
        assert f"discord:{message}: a direct message refused: HTTP 403, code 50007" in lines


async def test_a_closed_direct_message_ends_an_answer(fake: FakeDiscord) -> None:
    """Who has blocked the bot gets nothing, by one request."""
    fake.closed.add("Ana")
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        await fake.dm("Ana", "hi")
        await until(lambda: len(core.failures) == 2, "both refusals")
        assert refusals(core) == ["50007", "50007"]
        assert tried(fake, fake.dm_with("Ana")) == 1


async def test_an_answer_deleted_midway_is_not_given_again(fake: FakeDiscord) -> None:
    """A moderator may delete an answer while it grows: it stays deleted, Claude is asked no further, and one sentence
    says so."""
    told: list[str] = []

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        for count in range(100):
            told.append("word " * (count + 1))
            yield told[-1]
            await asyncio.sleep(0.05)

    core = StubCore(slow)
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        await fake.delete(fake.dm_with("Ana"), (await fake.first_answer(message))["id"])
        await until(lambda: core.failures, "the end of the answer")
        assert len(told) < 90
        assert await fake.answer_to(message) == "My answer was deleted before it was finished."
        assert refusals(core) == ["10008"]


async def test_typing_that_is_refused_is_not_asked_for_again(fake: FakeDiscord) -> None:
    """A refused sign of typing counts towards Discord's ban: it is shown no more for that answer, which comes."""
    fake.refuses["typing"] = (403, 50013)
    core = StubCore(saying("First", "First and last.", pause=1.5))
    async with running(fake, core, pace=QUICK_TYPING):
        await fake.answer_to(await fake.dm("Ana", "hi"), contains="last")
        assert sum(path.endswith("/typing") for _, path, _ in fake.requests) == 1


async def test_a_page_in_between_is_an_outage(fake: FakeDiscord) -> None:
    """A 403 that isn't Discord's JSON (a proxy, a block of addresses) passes: the core is told to try later."""
    fake.pages = True
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        await fake.dm("Ana", "hi")
        await until(lambda: core.failures, "the failure")
        assert isinstance(core.failures[0], ConnectionError)


async def test_a_given_up_answer_shows_no_cursor(fake: FakeDiscord) -> None:
    """However an exchange ends, its last sentence leaves no message that seems to grow for ever."""
    core = StubCore(saying("First"))
    async with running(fake, core) as adapter:
        message = await fake.dm("Ana", "hi")
        await until(lambda: core.sent, "the answer")
        channel = fake.dm_with("Ana")
        fake.answers(message)[0]["content"] = f"First half {CURSOR}"
        await adapter.reply_handle(core.events[0]).whisper("Something went wrong.")
        assert shown(fake, channel) == [f"First half {CUT_OFF}", "Something went wrong."]
