"""What people do in the Slack on loopback: write, edit, delete, click, fill in."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.fakes.slack_api import BOT, as_told
from tests.fakes.slack_blocks import Json
from tests.fakes.slack_surfaces import Surfaces
from tests.makers import alone

APP = "A0FAKEAPP"

T = TypeVar("T")


@dataclass(frozen=True)
class Modal:
    """A form that the bot opened for a person, and where its result shows."""

    view: Json
    shown: list[Json]


class People(Surfaces):
    """Every method that waits gives up after the server's patience."""

    def __init__(self) -> None:
        super().__init__()
        self.responses: dict[str, list[Json]] = {}

    @abstractmethod
    async def event(self, event: Json, **body: Any) -> str:
        """Deliver one event; return its event id."""

    @abstractmethod
    async def deliver(self, kind: str, payload: Json) -> None:
        """Deliver a payload."""

    @abstractmethod
    async def wait(self, look: Callable[[], T | None]) -> T:
        """Wait until `look` returns something that is true, and return that."""

    async def dm(self, user: str, text: str, thread_ts: str | None = None, **extra: Any) -> str:
        """Write to the bot directly; return the message's ts."""
        return await self.say(self.dm_channel(user), user, text, thread_ts, **extra)

    async def mention(self, channel: str, user: str, text: str, thread_ts: str | None = None, **extra: Any) -> str:
        """Write `<@bot> text`, delivered twice as Slack does it: as `app_mention` and as `message`."""
        return await self.say(channel, user, f"<@{BOT}> {text}".strip(), thread_ts, mention=True, **extra)

    async def say(
        self,
        channel: str,
        user: str,
        text: str,
        thread_ts: str | None = None,
        *,
        mention: bool = False,
        body: Mapping[str, Any] | None = None,
        **extra: Any,
    ) -> str:
        """Write in a channel; `extra` goes into the event, `body` into what is around it."""
        around = self._named(user) | dict(body or {})
        message = self.store(channel, {"type": "message", "user": user, "text": text, **extra}, thread_ts)
        event = self._sender(user) | {**message, "channel": channel, "event_ts": message["ts"]}
        if mention:
            await self.event({**event, "type": "app_mention"}, **around)
        await self.event({**event, "channel_type": self.channel_type(channel)}, **around)
        return str(message["ts"])

    def _named(self, user: str) -> Json:
        """How an organisation's deliveries name the workspace in which something happened: by who did it."""
        return {"enterprise_id": self.enterprise, "team_id": self.team(user)} if self.enterprise else {}

    def _sender(self, user: str) -> Json:
        if user not in self.teams:
            return {}
        return dict.fromkeys(("team", "user_team", "source_team"), self.team(user))

    def unheard(self, channel: str, user: str, text: str, thread_ts: str | None = None, **extra: Any) -> str:
        """Write in a channel while Slack delivers nothing to the bot; return the message's ts."""
        message = {"type": "message", "user": user, "text": text, **extra}
        return str(self.store(channel, message, thread_ts)["ts"])

    async def edit(self, channel: str, ts: str, *, heard: bool = True, **changed: Any) -> None:
        """Change a message, its `text` or something else of it, such as the `attachments` of an unfurl.

        Where it isn't `heard`, Slack delivers nothing of it to the bot.
        """
        message = next(m for m in self.messages[channel] if m["ts"] == ts)
        before = dict(message)
        message |= changed
        if "text" in changed:
            message["edited"] = {"user": message["user"], "ts": self.next_ts()}
        if heard:
            await self._changed_event(channel, "message_changed", message=dict(message), previous_message=before)

    async def delete(self, channel: str, ts: str, *, heard: bool = True) -> None:
        """Delete a message; one with replies in its thread becomes a tombstone, as Slack does it.

        Where it isn't `heard`, Slack delivers nothing of it to the bot.
        """
        message = next(m for m in self.messages[channel] if m["ts"] == ts)
        if message.get("reply_count"):
            before = as_told(message)
            gone = {"subtype": "tombstone", "user": "USLACKBOT", "hidden": True, "text": "This message was deleted."}
            message |= gone
            if heard:
                await self._changed_event(channel, "message_changed", message=dict(message), previous_message=before)
        else:
            self.messages[channel].remove(message)
            for root in self.messages[channel]:
                if root["ts"] == message.get("thread_ts"):
                    root["reply_count"] -= 1
            if heard:
                await self._changed_event(channel, "message_deleted", deleted_ts=ts, previous_message=as_told(message))

    async def _changed_event(self, channel: str, subtype: str, **about: Any) -> None:
        now = self.next_ts()
        event = {"type": "message", "subtype": subtype, "hidden": True, "channel": channel, "ts": now, "event_ts": now}
        await self.event({**event, "channel_type": self.channel_type(channel), **about})

    async def command(self, user: str, name: str, text: str = "", channel: str | None = None) -> Json:
        """Give a slash command and return the answer that its response URL was sent."""
        url, answers = self._response_url()
        payload = {
            "command": f"/{name.lstrip('/')}",
            "text": text,
            "user_id": user,
            "user_name": user.lower(),
            "team_id": self.team(user),
            "team_domain": "fake",
            **self._organisation(),
            "channel_id": channel or self.dm_channel(user),
            "channel_name": "directmessage" if channel is None else "channel",
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "trigger_id": self.trigger(),
            "response_url": url,
        }
        await self.deliver("slash_commands", payload)
        return await self.wait(lambda: answers[-1] if answers else None)

    async def press(self, user: str, message: Json, label: str, channel: str | None = None) -> Json:
        """Click a button, or choose from a menu, by its label; return what takes the view's place."""
        _, shown, before = await self._click(user, message, label, channel)
        return await self.wait(lambda: shown[-1] if len(shown) > before else None)

    async def press_on(self, user: str, message: Json, label: str) -> None:
        """Click a button of a message that everybody in its channel sees."""
        elements = [e for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]]
        url, _ = self._response_url()
        where = {
            "type": "message",
            "message_ts": message["ts"],
            "channel_id": message["channel"],
            "is_ephemeral": False,
        }
        where |= {"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}
        payload = self._interaction(user, "block_actions") | {"actions": [self._chosen(elements, label)]}
        about = {
            "channel": {"id": message["channel"], "name": "channel"},
            "message": as_told(message),
            "response_url": url,
        }
        await self.deliver("interactive", payload | about | {"container": where})

    async def open_form(self, user: str, message: Json, label: str, channel: str | None = None) -> Modal:
        """Click a button that opens a form, and return the form."""
        trigger, shown, _ = await self._click(user, message, label, channel)
        return Modal(await self.wait(lambda: self.modals.get(trigger)), shown)

    async def submit(self, user: str, modal: Modal, text: str) -> Json:
        """Fill in a form, and return what takes the place of the view that opened it."""
        before = len(modal.shown)
        block = modal.view["blocks"][0]
        value = {"type": "plain_text_input", "value": text}
        values = {block["block_id"]: {block["element"]["action_id"]: value}}
        payload = {
            **self._interaction(user, "view_submission"),
            "view": {**modal.view, "state": {"values": values}},
            "response_urls": [],
        }
        await self.deliver("interactive", payload)
        return await self.wait(lambda: modal.shown[-1] if len(modal.shown) > before else None)

    async def open_home(self, user: str, tab: str = "home") -> None:
        """Open the bot's App Home."""
        event = {"type": "app_home_opened", "user": user, "channel": self.dm_channel(user), "tab": tab}
        await self.event({**event, "event_ts": self.next_ts()})

    async def home(self, user: str, count: int = 1) -> Json:
        """The `count`-th view that the bot has published in a person's App Home."""
        return await self.wait(lambda: self.homes[user][count - 1] if len(self.homes.get(user, [])) >= count else None)

    async def _click(self, user: str, message: Json, label: str, channel: str | None) -> tuple[str, list[Json], int]:
        elements = [e for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]]
        payload = self._interaction(user, "block_actions") | {"actions": [self._chosen(elements, label)]}
        if message.get("type") == "home":
            shown = self.homes[user]
            payload |= {"container": {"type": "view", "view_id": message["id"]}, "view": message}
        else:
            url, shown = self._response_url()
            channel = channel or message.get("channel") or self.dm_channel(user)
            container = {"type": "message", "channel_id": channel, "is_ephemeral": True, "message_ts": self.next_ts()}
            if message.get("thread_ts"):
                container["thread_ts"] = message["thread_ts"]
            where = {"channel": {"id": channel, "name": "channel"}, "response_url": url}
            payload |= {"container": container, **where}
        before = len(shown)
        await self.deliver("interactive", payload)
        return payload["trigger_id"], shown, before

    def _chosen(self, elements: list[Json], label: str) -> Json:
        about = {"block_id": "b1", "action_ts": self.next_ts()}
        for element in elements:
            if element["type"] == "button" and element["text"]["text"] == label:
                return {**element, **about}
            for option in element.get("options", ()):
                if option["text"]["text"] == label:
                    name = element["action_id"]
                    return {"type": "static_select", "action_id": name, "selected_option": option, **about}
        raise LookupError(label)

    def _interaction(self, user: str, kind: str) -> Json:
        return {
            "type": kind,
            # In an organisation that is the organisation's, or another of its workspaces.
            "user": {
                "id": user,
                "username": user.lower(),
                "name": user.lower(),
                "team_id": self.enterprise or self.team(user),
            },
            "api_app_id": APP,
            "token": "verification",
            "trigger_id": self.trigger(),
            "team": {"id": self.team(user), "domain": "fake", **self._organisation()},
            "enterprise": {"id": self.enterprise, "name": "Fake"} if self.enterprise else None,
            "is_enterprise_install": False,
        }

    def _response_url(self) -> tuple[str, list[Json]]:
        name = f"r{next(self._ids)}"
        answers = self.responses[name] = []
        return f"{self.url}/response/{name}", answers

    async def answer(
        self, channel: str, thread: str | None = None, until: Callable[[str], bool] = bool, after: str = ""
    ) -> str:
        """The text of the bot's first message there (and after that ts) for which `until` holds.

        What it says below a person's first answer is left out.
        """

        def found() -> str | None:
            texts = [alone(m["text"]) for m in self.answers(channel, thread) if m["ts"] > after]
            return next((text for text in texts if until(text)), None)

        return await self.wait(found)

    async def whispered(self, user: str, count: int = 1) -> Json:
        """The `count`-th ephemeral message that this person was shown."""

        def found() -> Json | None:
            messages = [message for message in self.ephemerals if message["user"] == user]
            return messages[count - 1] if len(messages) >= count else None

        return await self.wait(found)
