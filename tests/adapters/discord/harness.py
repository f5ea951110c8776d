"""Discord, as Ann uses it: the adapter contract's verbs over the fake Discord."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime

from adapters.discord.adapter import DiscordAdapter
from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.adapters.harness import Below, Opened, Shown, contract_core
from tests.fakes.discord import Channel, FakeDiscord, Interaction, until

#: The option that holds a command's words.
OPTIONS = {"memories": "search", "forget": "what"}


@dataclass
class DiscordHarness:
    """A server with one channel, and Ann's DM with the bot."""

    fake: FakeDiscord
    core: StubCore = field(default_factory=contract_core)
    name: str = "discord"
    limit: int = 2000
    loud: str = "@everyone @here <@1> <@&2>"

    def __post_init__(self) -> None:
        self.general = self.fake.add_channel(self.fake.add_guild(), "general")
        self.channels: dict[str, Channel] = {}

    def running(self, core: StubCore | None = None) -> AbstractAsyncContextManager[DiscordAdapter]:
        """An adapter that talks to the fake."""
        return running(self.fake, core or self.core)

    async def direct(self, text: str) -> str:
        return self._named(await self.fake.dm("Ann", text), self.fake.dm_with("Ann"))

    async def mention(self, text: str) -> str:
        return self._named(await self.fake.say(self.general, "Ann", text), self.general)

    async def talk(self, text: str) -> str:
        return self._named(await self.fake.say(self.general, "Ann", text, mention=False), self.general)

    async def reply(self, message: str, text: str) -> str:
        answer, *_ = self.answers(message)
        to = answer.removeprefix("discord:")
        said = await self.fake.say(self.channels[message], "Ann", text, mention=False, reply_to=to)
        return self._named(said, self.channels[message])

    async def repeat(self, message: str) -> None:
        payload = self.channels[message].messages[message.removeprefix("discord:")]
        await self.fake.gateway.dispatch("MESSAGE_CREATE", payload)

    async def edit(self, message: str, text: str, *, heard: bool = True) -> None:
        assert heard or not self.fake.gateway.sessions
        channel = self.channels[message]
        mention = f"<@{self.fake.bot.id}> " if channel is self.general else ""
        await self.fake.edit(channel, message.removeprefix("discord:"), f"{mention}{text}")

    async def delete(self, message: str, *, heard: bool = True) -> None:
        assert heard or not self.fake.gateway.sessions
        await self.fake.delete(self.channels[message], message.removeprefix("discord:"))

    def leave_out(self, message: str) -> None:
        self.fake.unlisted.add(message.removeprefix("discord:"))

    async def earlier(self, text: str) -> tuple[str, str, datetime]:
        channel = self.fake.dm_with("Ann")
        seen = await self.fake.post(channel, self.fake.user("Ann"), text, hours_ago=1)
        self._named(seen, channel)
        return last_seen(channel, seen)

    async def unheard(self, text: str) -> str:
        assert not self.fake.gateway.sessions
        return await self.direct(text)

    async def missed(self, text: str) -> str:
        await self.fake.gateway.drop(resumable=False)
        return await self.unheard(text)

    def limit_deletions(self) -> None:
        self.fake.rest_failures += [0, 429, 503]  # the history is read first

    def refuse(self) -> None:
        self.fake.filters["You said"] = (400, 200000)

    def answers(self, message: str) -> dict[str, str]:
        shown = self.fake.answers(message.removeprefix("discord:"))
        return {f"discord:{answer['id']}": str(answer["content"]) for answer in shown}

    def below(self, message: str) -> Below:
        lines, labels, messages = [], [], []
        for answer in self.fake.answers(message.removeprefix("discord:")):
            small = [line[3:] for line in str(answer["content"]).split("\n") if line.startswith("-# ")]
            keys = [item["label"] for row in answer.get("components") or () for item in row["components"]]
            lines += [line.replace("\\", "") for line in small]
            labels += keys
            messages += [f"discord:{answer['id']}"] if small or keys else []
        return Below(lines, labels, messages)

    async def press_below(self, message: str, label: str) -> Shown:
        return await self._press_below("Ann", message, label)

    async def press_anothers(self, message: str, label: str) -> Shown:
        return await self._press_below("Bob", message, label)

    async def _press_below(self, user: str, message: str, label: str) -> Shown:
        *_, answer = self.fake.answers(message.removeprefix("discord:"))
        keys = [item for row in answer["components"] for item in row["components"]]
        custom_id = next(key["custom_id"] for key in keys if key["label"] == label)
        data = {"custom_id": custom_id, "component_type": 2}
        return await _shown(await self.fake.interact(3, user, self.channels[message], data, message=answer))

    def limit_edits(self) -> None:
        self.fake.rest_failures.append(429)

    def pings(self) -> list[str]:
        bodies = [body for method, path, body in self.fake.requests if method != "GET" and "/messages" in path]
        assert bodies
        allowed = [body["allowed_mentions"] for body in bodies]
        return [str(mentions) for mentions in allowed if mentions["parse"] or mentions.get("replied_user")]

    async def command(self, name: str, argument: str) -> Shown:
        options = {OPTIONS[name]: argument} if argument else {}
        return await _shown(await self.fake.slash("Ann", name, options, self.general))

    async def press(self, shown: Shown, label: str) -> Shown:
        pressed = await self.fake.press("Ann", shown.handle.buttons[label], shown.handle)
        return await _shown(pressed, shown)

    async def open_form(self, shown: Shown, label: str) -> Opened:
        pressed = await self.fake.press("Ann", shown.handle.buttons[label], shown.handle)
        form = await until(lambda: pressed.form, "no form")
        return Opened(str(form["components"][0]["component"]["value"]), (shown, pressed))

    async def submit(self, opened: Opened, text: str) -> Shown:
        shown, pressed = opened.handle
        return await _shown(await self.fake.submit("Ann", text, shown.handle, pressed), shown)

    def _named(self, message: str, channel: Channel) -> str:
        name = f"discord:{message}"
        self.channels[name] = channel
        return name


async def _shown(interaction: Interaction, before: Shown | None = None) -> Shown:
    """An interaction's answer; what takes the place of another view is as private as that one."""
    text = (await interaction.answer()).replace("\\", "")
    in_place = interaction.callbacks[0]["type"] in (6, 7)
    return Shown(text, before.private if before and in_place else interaction.ephemeral, interaction)
