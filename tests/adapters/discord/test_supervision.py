"""The connection to Discord: trouble is waited out, a wrong token is not, and a stop loses nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.discord.adapter import DiscordAdapter
from bot.config import Settings, SettingsError
from bot.events import MessageEvent
from tests.adapters.core import StubCore
from tests.adapters.discord.support import adapter_for, running
from tests.fakes.discord import FakeDiscord, until

pytestmark = pytest.mark.slow


async def answers(fake: FakeDiscord) -> None:
    """Check that the bot is there again."""
    await until(lambda: fake.gateway.live, "no session", 15)
    assert await fake.answer_to(await fake.dm("Ana", "hi")) == "You said: hi"


async def test_a_refused_gateway_is_tried_again(fake: FakeDiscord) -> None:
    """The bot starts while the gateway refuses connections, and connects once it doesn't."""
    fake.gateway.refused = 1
    async with running(fake, StubCore()):
        await answers(fake)
    assert fake.gateway.connections == 2


async def test_rest_down_at_the_start_is_waited_out(fake: FakeDiscord) -> None:
    """Login fails for a while; then the bot is there."""
    fake.unreachable = True
    adapter = adapter_for(fake, StubCore())
    run = asyncio.create_task(adapter.run())
    assert not (await asyncio.wait({run}, timeout=0.3))[0]
    fake.unreachable = False
    await answers(fake)
    await adapter.stop()
    await run


@pytest.mark.parametrize(
    "frame",
    ['{"op": 0, "t": "MESSAGE_CREATE", "s": 5, "d": {}}', '{"op": 0, "t": "MESS', "[]", '{"op":0,"t":"READY","s":1}'],
    ids=["no fields", "cut", "no object", "no data"],
)
async def test_a_malformed_frame_costs_a_reconnect(fake: FakeDiscord, frame: str) -> None:
    """A frame that can't be read ends the session, not the bot."""
    async with running(fake, StubCore()):
        await fake.gateway.send_raw(frame)
        await until(lambda: fake.gateway.identifies == 2, "no new session")
        await answers(fake)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\xff garbage \x00\x00\xff\xff",
        '{"op": 99, "d": {"what": "is this"}}',
        '{"op": 0, "t": "SOMETHING_NEW", "s": 7, "d": {"text": "' + "x" * 2**24 + '"}}',
        '{"op": 0, "t": "GUILD_CREATE", "s": 8, "d": {"id": "no number"}}',
        '{"op": 10, "d": {}}',
        '{"op": 7}',
        "[" * 100_000,
    ],
    ids=["binary", "unknown op", "huge", "odd guild", "odd hello", "reconnect", "deep"],
)
async def test_an_odd_frame_costs_no_more_than_a_reconnect(fake: FakeDiscord, frame: str | bytes) -> None:
    """Whatever the gateway sends, what is said afterwards is answered."""
    async with running(fake, StubCore()):
        await fake.gateway.send_raw(frame)
        await asyncio.sleep(0.5)
        await answers(fake)


@pytest.mark.parametrize("code", [4004, 4014])
async def test_what_had_worked_is_tried_again(fake: FakeDiscord, code: int) -> None:
    """A token or intents that are refused for a while, after they had worked, end nothing."""
    async with running(fake, StubCore()):
        fake.gateway.close_code = code
        await fake.gateway.drop(resumable=False)
        await until(lambda: fake.gateway.connections >= 6, "further tries", 20)
        fake.gateway.close_code = 0
        await answers(fake)


async def test_an_answer_outlives_a_reconnect(fake: FakeDiscord) -> None:
    """What is being answered when the connection breaks is answered all the same, once."""
    go_on = asyncio.Event()

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        await go_on.wait()
        yield "Here I am."

    core = StubCore(slow)
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        await until(lambda: core.events, "the message")
        await fake.gateway.send_raw("{")
        await until(lambda: fake.gateway.identifies == 2, "no new session")
        go_on.set()
        assert await fake.answer_to(message) == "Here I am."
        assert len(fake.answers(message)) == 1


async def test_a_dropped_socket_is_resumed(fake: FakeDiscord) -> None:
    """What was said while the socket was down is answered, without a new session."""
    async with running(fake, StubCore()):
        await fake.gateway.drop()
        message = await fake.dm("Ana", "are you there?")
        assert await fake.answer_to(message) == "You said: are you there?"
    assert (fake.gateway.identifies, fake.gateway.resumes) == (1, 1)


async def test_a_refused_resume_gives_way_to_a_new_session(fake: FakeDiscord) -> None:
    """The socket drops and the gateway refuses the next connection: the one after that is accepted."""
    async with running(fake, StubCore()):
        fake.gateway.refused = 1
        await fake.gateway.drop()
        await until(lambda: fake.gateway.identifies == 2, "no new session", 15)
        await answers(fake)


async def test_an_invalid_session_is_replaced(fake: FakeDiscord) -> None:
    """A session that can't be resumed gives way to a new one, at the same gateway."""
    async with running(fake, StubCore()):
        await fake.gateway.invalidate()
        await until(lambda: fake.gateway.identifies == 2, "no new session", 15)
        await answers(fake)


async def test_reconnecting_spares_the_last_sessions(fake: FakeDiscord) -> None:
    """Near the day's last IDENTIFY, which would reset the token, the bot waits for new ones."""
    async with running(fake, StubCore()):
        fake.sessions_left = 3
        await fake.gateway.send_raw("{")
        await until(lambda: [path for _, path, _ in fake.requests].count("/api/v10/gateway/bot") == 2, "no look at it")
        assert fake.gateway.identifies == 1
        await answers(fake)


async def test_invalid_sessions_spare_the_last_too(fake: FakeDiscord) -> None:
    """discord.py replaces a session that Discord declares invalid by itself: that too waits where few are left."""
    async with running(fake, StubCore()):
        fake.sessions_left = 3
        asked = [path for _, path, _ in fake.requests].count("/api/v10/gateway/bot")
        await fake.gateway.invalidate()
        await until(
            lambda: [path for _, path, _ in fake.requests].count("/api/v10/gateway/bot") > asked, "no look at it", 15
        )
        assert fake.gateway.identifies == 1
        await answers(fake)


async def test_a_wrong_token_ends_the_start(fake: FakeDiscord) -> None:
    """The error names the variable, and not its value."""
    with pytest.raises(SettingsError, match="DISCORD_TOKEN: ") as caught:
        await asyncio.wait_for(adapter_for(fake, StubCore(), token="wrong-token").run(), 10)
    assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize("code", [4004, 4013, 4014])
async def test_a_gateway_that_refuses_the_bot_ends_the_start(fake: FakeDiscord, code: int) -> None:
    """A token revoked since, or intents that aren't granted, are for the operator to mend."""
    fake.gateway.close_code = code
    with pytest.raises(SettingsError, match="DISCORD_TOKEN: "):
        await asyncio.wait_for(adapter_for(fake, StubCore()).run(), 10)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "naïve"])
def test_what_can_be_no_token_is_refused_unasked(token: str) -> None:
    """A pasted text that no header can hold is named at once."""
    with pytest.raises(SettingsError, match="DISCORD_TOKEN: "):
        DiscordAdapter(Settings.model_validate({"discord_token": token}), StubCore())


async def test_stop_waits_for_the_answer_under_way(fake: FakeDiscord) -> None:
    """A stop takes in nothing new and finishes what it has begun."""
    go_on = asyncio.Event()

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        await go_on.wait()
        yield "Done."

    core = StubCore(slow)
    adapter = adapter_for(fake, core)
    run = asyncio.create_task(adapter.run())
    await asyncio.wait_for(adapter.ready.wait(), 10)
    message = await fake.dm("Ana", "hi")
    await until(lambda: core.events, "the message")
    stop = asyncio.create_task(adapter.stop())
    await asyncio.sleep(0)
    late = await fake.dm("Ben", "too late")
    assert not (await asyncio.wait({stop}, timeout=0.2))[0]
    go_on.set()
    await asyncio.wait_for(asyncio.gather(stop, run), 10)
    assert [answer["content"] for answer in fake.answers(message)] == ["Done."]
    assert fake.answers(late) == []


async def test_stop_ends_a_bot_that_was_never_connected(fake: FakeDiscord) -> None:
    """Stopped while Discord can't be reached, it stops at once."""
    fake.gateway.refused = -1
    adapter = adapter_for(fake, StubCore())
    run = asyncio.create_task(adapter.run())
    await until(lambda: fake.gateway.connections, "no connection asked for")
    await asyncio.wait_for(adapter.stop(), 4)
    await asyncio.wait_for(run, 4)
