"""Answers commands, buttons, menus and forms, visible to one person alone, and shows the App Home."""

import asyncio
import dataclasses
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import aiohttp

from adapters.common.foot import NOT_YOURS
from adapters.slack import text as slack_text
from adapters.slack import views
from adapters.slack.api import SlackApi
from adapters.slack.directory import Directory
from adapters.slack.errors import SLACK_ERRORS, code, is_transient, retry_after
from adapters.slack.events import Body, team_of
from bot.aio.backoff import Backoff
from bot.commands.registry import BY_NAME, HOME
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.model import Audience, Person, Place
from bot.ports import Core
from bot.views import Form, View

log = logging.getLogger(__name__)

#: Attempts to show something to one person alone: showing it twice does no harm.
TRIES = 3
BACKOFF = Backoff(first=1.0)
#: Seconds that Slack may ask to wait before a retry; if it asks for more, try the next way instead.
PATIENCE = 15.0
LATE = View("Slack didn't open the form in time, and nothing was changed. Please press the button again.")
HANDED_OVER = "The file is in our direct messages."
NOT_HANDED_OVER = (
    "The file could not be sent: Slack refused it. Whoever runs me can give it to you (python -m bot export {person})."
)
#: Bytes read of a response URL's answer.
RESPONSE = 10_000

_NOT_OK = re.compile(rb'"ok"\s*:\s*false')


@dataclass(frozen=True, slots=True)
class ViewTarget:
    """Where a view is shown: in the App Home, through a response URL, or in a channel or thread."""

    channel: str
    thread: str | None = None
    url: str | None = None
    home: bool = False

    def serialize(self, action: str = "") -> str:
        """The target and a form's action, as the metadata that Slack keeps with a view."""
        return json.dumps({"action": action, **dataclasses.asdict(self)})

    @classmethod
    def parse(cls, metadata: str) -> tuple["ViewTarget", str]:
        """The target and the action that `serialize` wrote."""
        try:
            kept: dict[str, Any] = json.loads(metadata)
        except ValueError:
            kept = {}
        names = [field.name for field in dataclasses.fields(cls)]
        target = cls(**{"channel": "", **{name: kept[name] for name in names if name in kept}})
        return target, str(kept.get("action") or "")


class Interactions:
    """Hands commands, presses and forms to the core, and shows the result to the caller."""

    def __init__(self, core: Core, api: SlackApi, directory: Directory) -> None:
        self._core = core
        self._api = api
        self._directory = directory

    async def words(self, event: CommandEvent) -> None:
        """Answer a spoken command."""
        target = ViewTarget(event.place.channel, event.place.thread)
        await self._show(
            await self._core.interactions.on_command(event), target, event.place, event.person, replace=False
        )

    async def command(self, body: Body) -> None:
        """Answer a slash command."""
        target = ViewTarget(str(body["channel_id"]), body.get("thread_ts") or None, body.get("response_url"))
        person = self._api.home.person(str(body["user_id"]))
        place, zone = await self._where(body, target, person)
        name = str(body["command"]).lstrip("/")
        argument = slack_text.plain(body.get("text") or "", self._api.bot_user, {})
        command = BY_NAME.get(name)
        # Shown to whoever enters the code that `/link` issues.
        named = command is not None and command.named
        called = (await self._directory.names([person.user]))[person.user] if named else ""
        view = await self._core.interactions.on_command(
            CommandEvent(person, place, name, argument, datetime.now(zone), called)
        )
        await self._show(view, target, place, person, replace=False)

    async def press(self, body: Body) -> None:
        """Act on a button or a menu choice, for the person who clicked it."""
        target, person = _target(body), self._person(body)
        place, zone = await self._where(body, target, person)
        pressed = body["actions"][0]
        action = str(pressed.get("value") or (pressed.get("selected_option") or {}).get("value") or "")
        event = PressEvent(person, place, action, datetime.now(zone))
        owner = views.owner(str(pressed.get("action_id")))
        if owner is not None:
            # Through its response URL it would take the answer's place, or stand outside the answer's thread.
            beside = dataclasses.replace(target, url=None)
            view = await self._core.interactions.on_press(event) if owner == person.user else View(NOT_YOURS)
            await self._show(view, beside, place, person, replace=False)
            return
        if str(pressed.get("action_id")).startswith(views.OPENS_FORM):
            form = await self._core.interactions.open_form(event)
            if isinstance(form, Form):
                if not await self._open(str(body.get("trigger_id")), form, target):
                    await self._show(LATE, target, place, person, replace=False)
                return
            view = form
        else:
            view = await self._core.interactions.on_press(event)
        await self._show(view, target, place, person, replace=True)

    async def submit(self, body: Body) -> None:
        """Act on a form, for the person who filled it in."""
        target, action = ViewTarget.parse(str(body["view"].get("private_metadata") or ""))
        person = self._person(body)
        place, zone = await self._where(body, target, person)
        text = views.filled_in(body["view"])
        view = await self._core.interactions.on_submit(SubmitEvent(person, place, action, text, datetime.now(zone)))
        await self._show(view, target, place, person, replace=True)

    async def home(self, body: Body) -> None:
        """Show a person's memories in the App Home, when they have opened it."""
        event = body["event"]
        if event.get("tab") != "home":
            return
        target = ViewTarget(str(event.get("channel") or ""), home=True)
        person = self._api.home.person(str(event["user"]))
        place, _ = await self._where(body, target, person)
        await self._publish(await self._list(person, place), target, person)

    async def _list(self, person: Person, place: Place) -> View:
        now = datetime.now(await self._directory.zone(person.user))
        return await self._core.interactions.on_command(CommandEvent(person, place, HOME, "", now))

    async def _where(self, body: Body, target: ViewTarget, person: Person) -> tuple[Place, tzinfo]:
        """The place, and the person's time zone: "today" is theirs. Takes a second at most."""
        kind = "im" if target.home else ""
        return await asyncio.gather(
            self._directory.place(team_of(body, self._api.home), target.channel, target.thread, kind),
            self._directory.zone(person.user),
        )

    def _person(self, body: Body) -> Person:
        """Who clicked or filled in the form, never what the button or the form says."""
        return self._api.home.person(str(body["user"]["id"]))

    async def _open(self, trigger: str, form: Form, target: ViewTarget) -> bool:
        try:
            await self._api.edits.views_open(trigger_id=trigger, view=views.modal(form, target.serialize(form.action)))
        except SLACK_ERRORS as exc:
            log.warning("slack: a form could not be opened: %s", code(exc))
            return False
        return True

    async def _show(self, view: View, target: ViewTarget, place: Place, person: Person, *, replace: bool) -> None:
        """Show a view: in the App Home, through the response URL or, if there is none or it fails, ephemerally.

        If it has changed something, also update the App Home, which Slack keeps as it was last published.
        """
        if view.file is not None:
            view = await self._hand_over(view, person)
        if target.home or not (target.url or target.channel):  # a form without a place is answered in the App Home
            # Show the list beneath a view that leads nowhere.
            ends = not (view.items or view.buttons or view.menu)
            await self._publish(view, target, person, await self._list(person, place) if ends else None)
            return
        await self._show_beside(view, target, place, person, replace=replace)
        if view.changed:
            await self._publish(await self._list(person, place), ViewTarget("", home=True), person)

    async def _show_beside(
        self, view: View, target: ViewTarget, place: Place, person: Person, *, replace: bool
    ) -> None:
        """Show a view to the caller in the first way that Slack accepts; direct messages come last."""
        text, blocks = views.text(view), views.blocks(view)
        if target.url and await self._through_url(target.url, text, blocks, replace=replace):
            return
        if await self._accepted(lambda: self._api.whisper(place, person, text, blocks)):
            return
        texts = views.texts(view)

        async def plainly() -> None:
            for part in texts:
                await self._api.whisper(place, person, part, None)

        if await self._accepted(plainly):
            return
        where = f"<#{place.channel}>: " if place.audience is not Audience.PRIVATE else ""

        async def directly() -> None:
            await self._api.send_directly(person, f"{where}{text}", blocks)

        if not await self._accepted(directly):
            log.error("slack: command answer could not be shown in any way")

    async def _through_url(self, url: str, text: str, blocks: list[views.Block], *, replace: bool) -> bool:
        body = {"response_type": "ephemeral", "replace_original": replace, "text": text, "blocks": blocks}
        try:
            async with self._api.http.post(url, json=body) as response:
                # An expired URL and refused blocks are reported in JSON, some with HTTP 200.
                answer = await response.content.read(RESPONSE)
                if response.status < 300 and not _NOT_OK.search(answer):
                    return True
                log.warning("slack: response URL returned HTTP %d", response.status)
        except (aiohttp.ClientError, TimeoutError) as exc:
            log.warning("slack: response URL failed: %s", type(exc).__name__)
        return False

    @staticmethod
    async def _accepted(show: Callable[[], Awaitable[None]]) -> bool:
        """Whether Slack accepts the calls in `show`; retries transient errors, unless that takes too long."""
        for attempt in range(1, TRIES + 1):
            try:
                await show()
            except SLACK_ERRORS as exc:
                log.warning("slack: command answer could not be shown (attempt %d): %s", attempt, code(exc))
                if not is_transient(exc) or retry_after(exc) > PATIENCE:
                    return False
                if attempt < TRIES:
                    await asyncio.sleep(max(retry_after(exc), BACKOFF.after(attempt)))
            else:
                return True
        return False

    async def _hand_over(self, view: View, person: Person) -> View:
        assert view.file is not None
        try:
            await self._api.hand_over(person, view.file)
            note = HANDED_OVER
        except SLACK_ERRORS as exc:
            log.error("slack: a file could not be sent: %s", code(exc))
            note = NOT_HANDED_OVER.format(person=person.key)
        return dataclasses.replace(view, footer=f"{view.footer}\n{note}".strip(), file=None)

    async def _publish(self, view: View, target: ViewTarget, person: Person, beneath: View | None = None) -> None:
        shown = views.home(view, beneath, target.serialize())

        async def publish() -> None:
            await self._api.reads.views_publish(user_id=person.user, view=shown)

        if not await self._accepted(publish):
            log.error("slack: the App Home could not be shown")


def _target(body: Body) -> ViewTarget:
    container = body.get("container") or {}
    view = body.get("view") or {}
    if container.get("type") == "view" or view.get("type") == "home":
        return dataclasses.replace(ViewTarget.parse(str(view.get("private_metadata") or ""))[0], home=True)
    channel = str(container.get("channel_id") or (body.get("channel") or {}).get("id") or "")
    thread = container.get("thread_ts") or (body.get("message") or {}).get("thread_ts")
    return ViewTarget(channel, thread or None, body.get("response_url"))
