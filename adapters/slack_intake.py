"""From Slack's payloads to the core, and from the core's views back: one method a kind of payload."""

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime

from adapters import slack_text
from adapters.slack_directory import Directory
from adapters.slack_events import Body, Draft, team_of
from adapters.slack_respond import SlackRespond, Wire
from bot.events import Audience, CommandEvent, MessageEvent, Person, Place, PressEvent
from bot.ports import Core

#: Commands given in words that are remembered, since Slack sends a mention twice.
SEEN = 1_000


class Intake:
    """Hands what arrives to the core. `url` is the workspace's own, for links."""

    def __init__(self, core: Core, wire: Wire, directory: Directory, url: str) -> None:
        self._core = core
        self._wire = wire
        self._directory = directory
        self._url = url.rstrip("/")
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def message(self, found: Draft) -> None:
        """Answer a message that is for the bot."""
        if not await self._is_for_us(found):
            return
        (audience, place_name), names = await asyncio.gather(
            self._where(found.channel, found.kind, found.external),
            self._directory.names([found.person.user, *self._others(found)]),
        )
        text = slack_text.plain(found.raw, self._wire.bot_user, names)
        thread = found.thread if found.direct else found.thread or found.ts
        place = Place("slack", found.team, found.channel, thread, audience, place_name)
        if (given := self._command_in(found, text)) is not None:
            if self._first_time(found.id):
                own = Place("slack", found.team, found.channel, found.thread, audience, place_name)
                event = CommandEvent(found.person, own, *given, at=found.at)
                view = await self._core.on_command(event)
                await self._wire.show(None, own, found.person, view, replace=False)
            return
        event_ = MessageEvent(
            id=found.id,
            person=found.person,
            place=place,
            text=text,
            name=names[found.person.user],
            at=found.at,
            attachments=found.files,
            link=self._link(found),
        )
        await self._core.on_message(event_, SlackRespond(self._wire, place, found.person, found.id, found.ts))

    async def _is_for_us(self, found: Draft) -> bool:
        if found.direct:
            return True
        if found.mentioned:
            self._directory.join(found.channel, found.thread or found.ts)
            return True
        if found.thread is None or found.others:
            return False
        return await self._directory.joined(found.channel, found.thread)

    def _others(self, found: Draft) -> list[str]:
        return [user for user in slack_text.mentioned(found.raw) if user != self._wire.bot_user]

    def _command_in(self, found: Draft, text: str) -> tuple[str, str] | None:
        """A command given in words: with a mention or a slash, or, in a direct message, as the only word."""
        given = slack_text.command(text)
        if given is None:
            return None
        name, argument, slash = given
        return (name, argument) if found.mentioned or slash or (found.direct and not argument) else None

    def _first_time(self, message: str) -> bool:
        if message in self._seen:
            return False
        self._seen[message] = None
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        return True

    async def _where(self, channel: str, kind: str, external: bool = False) -> tuple[Audience, str]:
        if kind == "im" or channel.startswith("D"):
            return Audience.PRIVATE, "DM"
        known = await self._directory.channel(channel)
        return audience_of(kind, external, known.audience), known.name

    def _link(self, found: Draft) -> str:
        if not self._url:
            return ""
        link = f"{self._url}/archives/{found.channel}/p{found.ts.replace('.', '')}"
        if found.thread and found.thread != found.ts:
            link += f"?thread_ts={found.thread}&cid={found.channel}"
        return link

    async def command(self, body: Body) -> None:
        """Answer a slash command, to who gave it."""
        team, channel = team_of(body), str(body["channel_id"])
        audience, name = await self._where(channel, "")
        place = Place("slack", team, channel, body.get("thread_ts") or None, audience, name)
        person = Person("slack", team, str(body["user_id"]))
        event = CommandEvent(
            person,
            place,
            str(body["command"]).lstrip("/"),
            slack_text.plain(body.get("text") or "", self._wire.bot_user, {}),
            at=datetime.now(UTC),
        )
        view = await self._core.on_command(event)
        await self._wire.show(body.get("response_url"), place, person, view, replace=False)

    async def press(self, body: Body) -> None:
        """Act on a button, for who clicked it."""
        user = body["user"]
        container = body.get("container") or {}
        channel = str(container.get("channel_id") or (body.get("channel") or {}).get("id") or "")
        thread = container.get("thread_ts") or (body.get("message") or {}).get("thread_ts")
        audience, name = await self._where(channel, "")
        team = team_of(body)
        place = Place("slack", team, channel, thread or None, audience, name)
        # Who clicked decides, never what the button says.
        person = Person("slack", str(user.get("team_id") or team), str(user["id"]))
        action = str(body["actions"][0].get("value") or "")
        view = await self._core.on_press(PressEvent(person, place, action, at=datetime.now(UTC)))
        await self._wire.show(body.get("response_url"), place, person, view, replace=True)


def audience_of(kind: str, external: bool, known: Audience) -> Audience:
    """The audience of a place, by what the event says of it and what Slack says of the channel; the narrower wins."""
    if kind == "im":
        return Audience.PRIVATE
    if external or kind in ("mpim", "group"):
        return Audience.MEMBERS
    return known
