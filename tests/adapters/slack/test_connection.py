"""Slack: the connection is kept, wrong tokens end the start, and a stop loses nothing."""

import asyncio
import socket
from contextlib import suppress

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.config import SettingsError
from bot.model import Person
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

ANN = "U0ANN"


@pytest.mark.parametrize(
    ("changed", "method", "error", "line"),
    [
        ({"slack_bot_token": "xoxb-wrong"}, "", "", "SLACK_BOT_TOKEN: Slack refuses it (invalid_auth)"),
        ({"slack_app_token": "xapp-wrong"}, "", "", "SLACK_APP_TOKEN: Slack refuses it (invalid_auth)"),
        ({}, "auth.test", "token_revoked", "SLACK_BOT_TOKEN: Slack refuses it (token_revoked)"),
        ({}, "auth.test", "account_inactive", "SLACK_BOT_TOKEN: Slack refuses it (account_inactive)"),
        ({"slack_app_token": None}, "", "", "SLACK_APP_TOKEN: missing"),
        ({"slack_bot_token": "xoxb-wrong\nline"}, "", "", "SLACK_BOT_TOKEN: not a token"),
        ({"slack_api_base": "{url}/wrong"}, "", "", "SLACK_API_BASE: there is no Slack"),
    ],
)
async def test_wrong_token(changed: dict[str, str], method: str, error: str, line: str) -> None:
    """A token that Slack refuses ends the start with one line that names the variable and not its value."""
    async with FakeSlack() as slack:
        if method:
            slack.fail(method, Fault(error=error))
        changed = {name: value and value.replace("{url}", slack.url) for name, value in changed.items()}
        with pytest.raises(SettingsError) as raised:
            await asyncio.wait_for(SlackAdapter(settings(slack, **changed), ScriptedCore()).run(), 10)
        assert str(raised.value).startswith(line)
        assert "wrong" not in str(raised.value)


async def test_slack_down_at_start() -> None:
    """A start while Slack can't be reached goes on trying, and gets there."""
    async with FakeSlack() as slack:
        slack.fail("auth.test", Fault(status=503), Fault(drop=True))
        slack.fail("apps.connections.open", Fault(error="internal_error"))
        async with running(SlackAdapter(settings(slack), ScriptedCore())):
            await slack.dm(ANN, "hi")
            assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"


async def test_stop_while_down() -> None:
    """A stop while Slack can't be reached is obeyed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}/api"
        async with FakeSlack() as slack:
            adapter = SlackAdapter(settings(slack, slack_api_base=base), ScriptedCore())
            run = asyncio.create_task(adapter.run())
            await asyncio.sleep(0)
            await adapter.stop()
            await asyncio.wait_for(run, 10)
            assert not adapter.ready.is_set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble", ["dropped", "renewed", "switched off", "malformed", "huge", "silent", "gone for a while", "refused"]
)
async def test_reconnects(trouble: str) -> None:
    """Whatever happens to the socket, messages sent meanwhile are answered, once."""
    async with FakeSlack(ack_timeout=60) as slack:
        core = ScriptedCore()
        async with running(SlackAdapter(settings(slack), core, heartbeat=0.4)):
            if trouble == "malformed":
                await slack.send_raw(b"\x00\xff garbage")
                for frame in (
                    "{",
                    "[1]",
                    "null",
                    "[" * 100_000,
                    '{"type": "events_api", "envelope_id": "e1"}',
                    '{"envelope_id": 7}',
                ):
                    await slack.send_raw(frame)
                await slack.send_raw(
                    '{"type": "events_api", "envelope_id": "e2", "payload": {"type": "event_callback"}}'
                )
            elif trouble == "huge":
                with suppress(ConnectionError):  # the bot hangs up before its end
                    await slack.send_raw('{"type": "' + "x" * 2**23 + '"}')
                await slack.connected(2)
            elif trouble == "renewed":
                await slack.renew()
                await slack.connected(2)
            elif trouble == "switched off":  # Socket Mode, in the app's settings; and on again
                slack.fail("apps.connections.open", *[Fault(error="not_allowed_token_type")] * 2)
                await slack.renew("link_disabled")
                await slack.drop_sockets()
            else:
                if trouble == "refused":
                    slack.fail("apps.connections.open", *[Fault(error="invalid_auth")] * 3)
                if trouble == "gone for a while":
                    slack.fail("apps.connections.open", Fault(status=500), Fault(drop=True), Fault(error="fatal_error"))
                slack.silent = trouble == "silent"
                if trouble != "silent":
                    await slack.drop_sockets()
            await slack.dm(ANN, "hi")
            if trouble == "silent":
                await slack.connected(2)
                slack.silent = False
            assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"
            await slack.dm(ANN, "again")
            assert await slack.answer(slack.dm_channel(ANN), until=lambda text: "again" in text)
        assert len(slack.answers(slack.dm_channel(ANN))) == 2


class Stumbling(ScriptedCore):
    """Fails where it never should, once."""

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        await super().on_returned(platform, workspace, person)
        if len(self.returned) == 1:
            raise LookupError(platform)


async def test_what_nobody_foresaw() -> None:
    """An error that nobody foresaw ends a try, and not the platform, nor the process with the other platform."""
    async with FakeSlack() as slack, running(SlackAdapter(settings(slack), Stumbling())):
        await slack.dm(ANN, "hi")
        assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"


async def test_redelivered() -> None:
    """An event that comes again has the same id, so that the core knows it."""
    async with FakeSlack() as slack:
        core = ScriptedCore()
        async with running(SlackAdapter(settings(slack), core)):
            await slack.dm(ANN, "hi")
            await slack.answer(slack.dm_channel(ANN))
            (envelope,) = [delivery for delivery in slack.deliveries if delivery["payload"]["event"].get("user") == ANN]
            await slack._send({**envelope, "envelope_id": "again", "retry_attempt": 1, "retry_reason": "timeout"})
            await slack.wait(lambda: len(core.copies) == 2)
        assert len(set(core.copies)) == 1


async def test_acknowledged_before_the_answer() -> None:
    """An event is acknowledged while its answer is still being thought about."""
    async with FakeSlack() as slack:
        core = ScriptedCore()
        core.gate = asyncio.Event()
        async with running(SlackAdapter(settings(slack), core)):
            await slack.dm(ANN, "hi")
            await slack.acknowledged()
            assert slack.answers(slack.dm_channel(ANN)) == []
            core.gate.set()
            assert await slack.answer(slack.dm_channel(ANN))


async def test_stop_waits() -> None:
    """A stop takes in nothing new and lets an answer under way go out."""
    async with FakeSlack(ack_timeout=60) as slack:
        core = ScriptedCore()
        core.gate = asyncio.Event()
        adapter = SlackAdapter(settings(slack), core)
        async with running(adapter):
            await slack.dm(ANN, "hi")
            await slack.wait(lambda: core.events)
            stopping = asyncio.create_task(adapter.stop())
            await slack.wait(lambda: not slack._sockets)
            await slack.dm(ANN, "too late")
            assert not stopping.done()
            core.gate.set()
            await stopping
        assert [message["text"] for message in slack.answers(slack.dm_channel(ANN))] == ["You said: hi"]
        assert len(core.events) == 1


async def test_two_hundred_people() -> None:
    """Two hundred people at once are each answered once."""
    async with FakeSlack() as slack:
        core = ScriptedCore()
        async with running(SlackAdapter(settings(slack), core)):
            people = [f"U{number:05d}" for number in range(200)]
            await asyncio.gather(*(slack.dm(person, f"I am {person}") for person in people))
            for person in people:
                assert await slack.answer(slack.dm_channel(person)) == f"You said: I am {person}"
        assert slack.counts["chat.postMessage"] == 200


async def test_http() -> None:
    """Over HTTP, signed requests are answered and others are refused."""
    async with FakeSlack() as slack:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        core = ScriptedCore()
        http = {"slack_app_token": None, "slack_signing_secret": slack.signing_secret, "port": port}
        async with running(SlackAdapter(settings(slack, **http), core)):
            slack.events_url = f"http://127.0.0.1:{port}/slack/events"
            await slack.dm(ANN, "hi")
            assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"
            assert "Likes tea" in (shown := await slack.command(ANN, "memories"))["text"]
            assert (await slack.press(ANN, shown, "Cancel"))["text"] == "Pressed cancel:7"
            slack.signing_secret = "not the bot's"
            await slack.dm(ANN, "forged")
            await slack.wait(lambda: slack.refused)
        assert [event.text for event in core.events] == ["hi"]
