"""Slack, as Ann uses it: the adapter contract's verbs over the fake Slack."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.slack.adapter import SlackAdapter
from tests.adapters.core import StubCore
from tests.adapters.harness import Below, Opened, Shown, contract_core
from tests.adapters.slack.core import running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Json, would_ping
from tests.fakes.slack_api import Fault

ANN, GENERAL = "U0ANN", "C0GENERAL"


@dataclass
class SlackHarness:
    """A workspace with a public channel, and Ann's direct message with the bot."""

    slack: FakeSlack
    core: StubCore = field(default_factory=contract_core)
    name: str = "slack"
    limit: int = 4000
    loud: str = f"<!channel> <!here|x> <@{ANN}> @channel <!subteam^S1>"

    def __post_init__(self) -> None:
        self.slack.add_user(ANN, "Ann")

    def running(self, core: StubCore | None = None) -> AbstractAsyncContextManager[SlackAdapter]:
        """An adapter that talks to the fake."""
        return running(SlackAdapter(settings(self.slack), core or self.core))

    async def direct(self, text: str) -> str:
        return _named(self._dm, await self.slack.dm(ANN, text))

    async def mention(self, text: str) -> str:
        return _named(GENERAL, await self.slack.mention(GENERAL, ANN, text))

    async def talk(self, text: str) -> str:
        return _named(GENERAL, await self.slack.say(GENERAL, ANN, text))

    async def reply(self, message: str, text: str) -> str:
        channel, thread = _where(message)
        return _named(channel, await self.slack.say(channel, ANN, text, thread))

    async def repeat(self, message: str) -> None:
        about = self._message(message)
        channel = about.pop("channel")
        kind = self.slack.channel_type(channel)
        await self.slack.event({**about, "channel": channel, "channel_type": kind, "event_ts": about["ts"]})

    async def edit(self, message: str, text: str, *, heard: bool = True) -> None:
        channel, ts = _where(message)
        await self.slack.edit(channel, ts, heard=heard, text=f"<@{BOT}> {text}" if channel == GENERAL else text)

    async def delete(self, message: str, *, heard: bool = True) -> None:
        await self.slack.delete(*_where(message), heard=heard)

    def leave_out(self, message: str) -> None:
        _, ts = _where(message)
        self.slack.unlisted.add(ts)

    async def earlier(self, text: str) -> tuple[str, str, datetime]:
        seen = await self.unheard(text)
        return f"slack:{TEAM}:{self._dm}:", seen, datetime.now(UTC)

    async def unheard(self, text: str) -> str:
        return _named(self._dm, self.slack.unheard(self._dm, ANN, text))

    async def missed(self, text: str) -> str:
        message = await self.unheard(text)
        await self.slack.drop_sockets()
        return message

    def limit_deletions(self) -> None:
        self.slack.fail("chat.delete", Fault(status=429, retry_after=1), Fault(status=503))

    def refuse(self) -> None:
        self.slack.closed[GENERAL] = "restricted_action"

    def answers(self, message: str) -> dict[str, str]:
        channel, ts = _where(message)
        about = self._message(message)
        thread = about.get("thread_ts") or (None if channel == self._dm else ts)
        shown = self.slack.answers(channel, thread)
        return {_named(channel, message["ts"]): str(message["text"]) for message in shown if message["ts"] > ts}

    def below(self, message: str) -> Below:
        lines, labels, messages = [], [], []
        for key in self.answers(message):
            blocks = self._message(key)["blocks"]
            small = [part["text"] for block in blocks if block["type"] == "context" for part in block["elements"]]
            keys = [key["text"]["text"] for block in blocks if block["type"] == "actions" for key in block["elements"]]
            lines += small
            labels += keys
            messages += [key] if small or keys else []
        return Below(lines, labels, messages)

    async def press_below(self, message: str, label: str) -> Shown:
        return await self._press_below(ANN, message, label)

    async def press_anothers(self, message: str, label: str) -> Shown:
        return await self._press_below("U0BOB", message, label)

    async def _press_below(self, user: str, message: str, label: str) -> Shown:
        *_, last = self.answers(message)
        count = len([shown for shown in self.slack.ephemerals if shown["user"] == user])
        await self.slack.press_on(user, self._message(last), label)
        shown = await self.slack.whispered(user, count + 1)
        return Shown(str(shown["text"]), private=True, handle=shown)

    def limit_edits(self) -> None:
        self.slack.fail("chat.update", Fault(status=429, retry_after=1))

    def pings(self) -> list[str]:
        shown = self.slack.answers(self._dm)
        assert shown
        return [str(ping) for message in shown for ping in would_ping(message)]

    async def command(self, name: str, argument: str) -> Shown:
        return _shown(await self.slack.command(ANN, name, argument, GENERAL))

    async def press(self, shown: Shown, label: str) -> Shown:
        return _shown(await self.slack.press(ANN, shown.handle, label, GENERAL), shown)

    async def open_form(self, shown: Shown, label: str) -> Opened:
        modal = await self.slack.open_form(ANN, shown.handle, label, GENERAL)
        return Opened(str(modal.view["blocks"][0]["element"]["initial_value"]), (shown, modal))

    async def submit(self, opened: Opened, text: str) -> Shown:
        shown, modal = opened.handle
        return _shown(await self.slack.submit(ANN, modal, text), shown)

    @property
    def _dm(self) -> str:
        return self.slack.dm_channel(ANN)

    def _message(self, message: str) -> Json:
        channel, ts = _where(message)
        return next({**message, "channel": channel} for message in self.slack.messages[channel] if message["ts"] == ts)


def _named(channel: str, ts: str) -> str:
    return f"slack:{TEAM}:{channel}:{ts}"


def _where(message: str) -> tuple[str, str]:
    _, _, channel, ts = message.split(":")
    return channel, ts


def _shown(answer: Json, before: Shown | None = None) -> Shown:
    """What a response URL was sent; what takes the place of another view is as private as that one."""
    in_place = answer.get("replace_original") is True
    private = before.private if before and in_place else answer.get("response_type") == "ephemeral"
    return Shown(str(answer["text"]), private, answer)
