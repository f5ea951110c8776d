"""The reply handle of an interaction: an answer that only its caller sees, and that grows by edits.

Requests go through whichever client is logged in, so that an answer survives a reconnect of the gateway.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import discord
from discord.http import Route

from adapters.common.growing_answer import GrowingAnswer
from adapters.discord import files
from adapters.discord.answer import CURSOR, cut_off, growing
from adapters.discord.foot import with_foot
from adapters.discord.lengths import shorten, split
from adapters.discord.markdown import Growing
from adapters.discord.messages import DISCORD_ERRORS, Online, Pace
from adapters.discord.refusals import (
    OVER,
    UNKNOWN_MESSAGE,
    AnswerForm,
    DiscordRefused,
    is_transient,
    reason,
)
from adapters.discord.text import LIMIT, without_links
from adapters.discord.views import layout
from bot.aio.backoff import Backoff
from bot.model import Attachment, Nearby
from bot.ports import PlatformRefused
from bot.text.clean import clean
from bot.views import Foot, View

log = logging.getLogger(__name__)

#: Most messages of one answer: where only a user has installed the app, Discord allows five follow-ups.
MAX_PARTS = 6
CUT = "\n… (cut: Discord shows no more of it here)"
#: Seconds for one request, its rate limit included; attempts at it.
REQUEST_SECONDS = 60.0
_TRIES = 5
_ROOM = LIMIT - len(CURSOR) - 1
_EPHEMERAL = 64
_ORIGINAL = "@original"


class EphemeralReply:
    """Answers one interaction, deferred as ephemeral (`bot.ports.ReplyHandle`). The answer can't be found again.

    `stream` and `whisper` raise ConnectionError if Discord is unreachable or fails, and PlatformRefused if it refuses
    for good, also because the interaction has expired or its caller has dismissed the answer.
    """

    def __init__(self, online: Online, interaction: discord.Interaction, pace: Pace) -> None:
        self._online = online
        self._id = interaction.id
        self._hook: dict[str, Any] = {"webhook_id": interaction.application_id, "webhook_token": interaction.token}
        self._pace = pace
        self._markdown = Growing()
        self._ids: list[str] = []
        self._shown: list[str] = []
        self._linkless = False
        self._growing = GrowingAnswer(self._grow, self._finish, first=pace.first)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Discord itself shows that the bot is thinking until there is text."""
        yield

    @property
    def begun(self) -> bool:
        """Whether something of an answer is shown."""
        return bool(self._shown)

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows."""
        await self._growing.show(snapshots)
        return ()

    async def found(self) -> None:
        """Nothing: what only one person was shown can't be looked up."""
        return

    async def around(self, limit: int) -> list[Nearby]:
        """Nothing: the question is only about the chosen message."""
        return []

    async def withdraw(self) -> None:
        """Nothing: it answers a form, which can't be deleted."""

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        """Add a line and buttons to the last message, which only its caller sees."""
        if not self._ids:
            return
        wanted = with_foot(self._shown[-1], (), foot, 0)
        if wanted is None:
            return
        text, buttons = wanted
        body = {"content": text, "allowed_mentions": {"parse": []}}
        try:
            await self._call(
                "PATCH", self._ids[-1], body | ({"components": buttons.to_components()} if buttons else {})
            )
        except DiscordRefused as exc:
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def show(self, view: View) -> None:
        """Show a view in a further message, to the caller alone."""
        components: list[dict[str, Any]] = layout(view).to_components()  # type: ignore[no-untyped-call]
        flags = _EPHEMERAL | discord.MessageFlags(components_v2=True).value
        try:
            await self._call(
                "POST", None, {"components": components, "flags": flags, "allowed_mentions": {"parse": []}}
            )
        except DiscordRefused as exc:
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def open(self, file: Attachment, limit: int) -> bytes:
        """Fetch a file of the chosen message, from where Discord said with it that it is."""
        return await files.fetch(self._online, None, file, limit)

    async def whisper(self, text: str) -> None:
        """Say a sentence below what is shown of an answer."""
        text = shorten(clean(text), LIMIT)
        try:
            if self._shown:
                await self._put(len(self._shown) - 1, cut_off(self._shown[-1]))
            await self._put(len(self._shown), text)
        except DiscordRefused as exc:
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def _grow(self, text: str) -> float | None:
        try:
            await self._show(text, whole=False)
        except ConnectionError as exc:  # only the end matters
            log.warning("discord: interaction %d: an edit failed: %s", self._id, str(exc))
        except DiscordRefused:  # a cut word may be refused where the whole isn't
            return None
        return self._pace.every

    async def _finish(self, text: str) -> None:
        try:
            await self._show(text, whole=True)
        except DiscordRefused as exc:
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def _show(self, text: str, *, whole: bool) -> None:
        """Update the messages to the text, without its links if Discord refuses one of them."""
        while True:
            try:
                await self._update(self._parts(text, whole=whole))
                return
            except DiscordRefused as exc:
                if exc.other is not AnswerForm.LINKLESS or self._linkless:
                    raise
                self._linkless = True

    def _parts(self, text: str, *, whole: bool) -> list[str]:
        text = self._markdown.markdown(text)
        parts = split(without_links(text) if self._linkless else text, _ROOM)
        if len(parts) > MAX_PARTS:
            parts = parts[:MAX_PARTS]
            parts[-1] = split(parts[-1], LIMIT - len(CUT))[0] + CUT
        elif parts and not whole:
            parts[-1] = growing(parts[-1])
        return parts

    async def _update(self, parts: list[str]) -> None:
        for index, part in enumerate(parts):
            if index >= len(self._shown) or self._shown[index] != part:
                await self._put(index, part)
        while parts and len(self._shown) > len(parts):  # a later text may be shorter
            await self._call("DELETE", self._ids[-1])
            self._shown.pop()
            self._ids.pop()

    async def _put(self, index: int, text: str) -> None:
        """Show a message's text: the first in place of the deferred response, the others as follow-ups."""
        body = {"content": text, "allowed_mentions": {"parse": []}}
        if index < len(self._shown):
            await self._call("PATCH", self._ids[index], body)
            self._shown[index] = text
            return
        if index == 0:
            await self._call("PATCH", _ORIGINAL, body)
            self._ids.append(_ORIGINAL)
        else:
            sent = await self._call("POST", None, body | {"flags": _EPHEMERAL})
            self._ids.append(str(sent["id"]))
        self._shown.append(text)

    def _route(self, method: str, message: str | None) -> Route:
        path = "/webhooks/{webhook_id}/{webhook_token}"
        if message == _ORIGINAL:  # as a parameter it would be quoted
            return Route(method, f"{path}/messages/{_ORIGINAL}", **self._hook)
        return Route(method, path + ("/messages/{message_id}" if message else ""), **self._hook, message_id=message)

    async def _call(self, method: str, message: str | None, body: dict[str, Any] | None = None) -> Any:
        """Make a request, across reconnects if need be. Raises DiscordRefused if another form may be accepted."""
        for attempt in range(1, _TRIES + 1):
            client = await self._online()
            route = self._route(method, message)
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    return await (client.http.request(route, json=body) if body else client.http.request(route))
            except DISCORD_ERRORS as exc:
                code = getattr(exc, "code", 0)
                if code in OVER or code == UNKNOWN_MESSAGE:
                    raise PlatformRefused(str(code)) from exc
                if isinstance(exc, discord.HTTPException) and not is_transient(exc):
                    raise DiscordRefused(exc, editing=True) from exc
                if attempt == _TRIES:
                    raise ConnectionError(f"Discord: {reason(exc)}") from exc
                log.warning("discord: interaction %d: a response failed, retrying: %s", self._id, reason(exc))
            await asyncio.sleep(Backoff(self._pace.retry).after(attempt))
        raise AssertionError("unreachable")
