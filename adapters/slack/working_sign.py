"""Shows that an answer is on its way: Slack's status line in a thread, else a reaction to the message."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from adapters.slack.api import SlackApi
from adapters.slack.errors import SLACK_ERRORS, UNSUPPORTED, code, is_transient
from adapters.slack.events import ts_of
from adapters.slack.messages import Messages
from bot.aio.backoff import Backoff

log = logging.getLogger(__name__)

STATUS = "is thinking…"
#: What Slack shows in turn beside the status where there is room.
LOADING = ("Searching memory…", "Thinking…", "Putting it into words…")
#: Slack removes a status after two minutes without a message.
REFRESH = 100.0
REACTION = "eyes"
#: Seconds that an answer's end waits for the sign's removal; after that it continues in the background.
REMOVAL_WAIT = 3.0
#: Attempts at removing a reaction, which together take about an hour.
TRIES = 40
BACKOFF = Backoff(first=1.0, longest=120.0)

_STATUS = "assistant.threads.setStatus"
_ADD, _REMOVE = "reactions.add", "reactions.remove"


class WorkingSign:
    """One message's sign. It never delays or fails an answer; past a rate limit it is left out."""

    def __init__(self, api: SlackApi, messages: Messages) -> None:
        self._api = api
        self._messages = messages
        self._channel = messages.place.channel
        self._thread = messages.place.thread
        self._status = STATUS
        self._ended = asyncio.Event()
        self._changed = asyncio.Event()
        # Reacted: the request was sent, so the reaction may be shown. Reserved: a call to remove it is.
        self._reacted = self._reserved = False

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show it while the block runs."""
        self._ended.clear()
        self._changed.clear()
        self._status = STATUS
        showing = asyncio.create_task(self._show())
        try:
            yield
        finally:
            self._ended.set()
            self._changed.set()
            removing = self._api.removals.spawn(self._remove(showing))
            await asyncio.wait([removing], timeout=REMOVAL_WAIT)

    def say(self, status: str) -> None:
        """Have the status line say what is being done."""
        self._status = status
        self._changed.set()

    def remove_stale(self) -> asyncio.Task[None] | None:
        """Start removing the reaction of a process that died; None if it can't have left one."""
        if self._has_status or self._api.pace.is_refused(_ADD):
            return None
        return self._api.removals.spawn(self._remove_reaction())

    async def clear(self, removing: asyncio.Task[None] | None) -> None:
        """Remove what a process that died has left; `removing` is what `remove_stale` started."""
        if self._has_status:
            await self._set_status("")
        if not self._has_status and removing is None:
            removing = self.remove_stale()
        if removing is not None:
            await asyncio.wait([removing], timeout=REMOVAL_WAIT)

    @property
    def _has_status(self) -> bool:
        return self._thread is not None and not self._api.pace.is_refused(_STATUS)

    async def _show(self) -> None:
        while self._has_status and not self._ended.is_set():
            self._changed.clear()
            await self._set_status(self._status)
            if not self._has_status:
                break
            # An earlier post may have arrived before the status line and so not have removed it.
            self._messages.posted = False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), REFRESH)
            if self._messages.posted:
                return
        if not self._ended.is_set():
            await self._react()

    async def _remove(self, showing: asyncio.Task[None]) -> None:
        """Remove the reaction, or the status line unless a post did (there is none after an edit, refusal or error)."""
        await asyncio.wait([showing])  # never during a request, which Slack might serve after the removal
        if self._has_status and not self._messages.posted:
            await self._set_status("")
        if self._reserved:
            self._reserved = False
            self._api.pace.unreserve(_REMOVE)
        if self._reacted:
            self._reacted = False
            await self._remove_reaction()

    async def _set_status(self, text: str) -> None:
        loading = list(LOADING) if text else None
        try:
            await self._api.edits.assistant_threads_setStatus(
                channel_id=self._channel, thread_ts=str(self._thread), status=text, loading_messages=loading
            )
        except SLACK_ERRORS as exc:
            self._note_refusal(_STATUS, exc)

    async def _react(self) -> None:
        """Add the reaction if it can also be removed in time."""
        pace = self._api.pace
        if pace.is_refused(_ADD) or pace.delay(_ADD) or not pace.reserve(_REMOVE):
            return
        self._reserved = self._reacted = True
        try:
            await self._api.edits.reactions_add(**self._reaction)
        except SLACK_ERRORS as exc:
            self._note_refusal(_ADD, exc)
            self._reacted = is_transient(exc) or code(exc) == "already_reacted"

    async def _remove_reaction(self) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                await self._api.posts.reactions_remove(**self._reaction)
            except SLACK_ERRORS as exc:
                if not is_transient(exc):
                    self._note_refusal(_ADD, exc)
                    return
            else:
                return
            await asyncio.sleep(BACKOFF.jittered(attempt))
        log.warning("%s: the reaction could not be removed", self._messages.event_id)

    @property
    def _reaction(self) -> dict[str, str]:
        return {"channel": self._channel, "timestamp": ts_of(self._messages.event_id), "name": REACTION}

    def _note_refusal(self, method: str, exc: BaseException) -> None:
        if code(exc) in UNSUPPORTED:
            self._api.pace.refuse(method)
        log.debug("%s: no working sign: %s: %s", self._messages.event_id, method, code(exc))
