"""The core, for a platform that tells nobody's time zone: events are dated by the one that the operator has set."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import TypeVar

from bot.events import CommandEvent, MessageEvent, PressEvent, SubmitEvent
from bot.ports import Changes, Core, History, Interactions, Messages, ReplyHandle
from bot.views import Form, View

Event = TypeVar("Event", MessageEvent, CommandEvent, PressEvent, SubmitEvent)


class ZonedCore:
    """`bot.ports.Core` in a time zone."""

    def __init__(self, core: Core, zone: tzinfo) -> None:
        self.messages: Messages = _Messages(core.messages, zone)
        self.interactions: Interactions = _Interactions(core.interactions, zone)
        self.changes: Changes = _Changes(core.changes, zone)
        self.history: History = core.history


class _Messages:
    def __init__(self, messages: Messages, zone: tzinfo) -> None:
        self._messages = messages
        self._zone = zone
        self.confirm = messages.confirm
        self.on_stop = messages.on_stop

    async def admit(self, event: MessageEvent) -> bool:
        return await self._messages.admit(_in(self._zone, event))

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        await self._messages.on_message(_in(self._zone, event), reply, admitted=admitted)


class _Interactions:
    def __init__(self, interactions: Interactions, zone: tzinfo) -> None:
        self._interactions = interactions
        self._zone = zone

    async def on_command(self, event: CommandEvent) -> View:
        return await self._interactions.on_command(_in(self._zone, event))

    async def on_press(self, event: PressEvent) -> View:
        return await self._interactions.on_press(_in(self._zone, event))

    async def open_form(self, event: PressEvent) -> Form | View:
        return await self._interactions.open_form(_in(self._zone, event))

    async def on_submit(self, event: SubmitEvent) -> View:
        return await self._interactions.on_submit(_in(self._zone, event))

    async def suggest(self, event: CommandEvent) -> list[str]:
        return await self._interactions.suggest(_in(self._zone, event))


class _Changes:
    def __init__(self, changes: Changes, zone: tzinfo) -> None:
        self._changes = changes
        self._zone = zone
        self.on_removed = changes.on_removed
        self.on_returned = changes.on_returned

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        await self._changes.on_deleted(event_ids)

    async def on_edited(self, event: MessageEvent) -> None:
        await self._changes.on_edited(_in(self._zone, event))


def _in(zone: tzinfo, event: Event) -> Event:
    return replace(event, at=event.at.astimezone(zone))
