"""Messages around a question: its thread or, at a channel's top level, the messages before it."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
from adapters.slack.content import Content
from adapters.slack.directory import Directory
from adapters.slack.errors import SLACK_ERRORS, code
from adapters.slack.events import seconds, ts_of
from adapters.slack.foot import is_foot
from bot.aio.rate_limit import Allowance
from bot.events import MessageEvent
from bot.model import Nearby
from bot.text.clean import clean, one_line

log = logging.getLogger(__name__)

#: Names looked up, beyond those already known, for one question and for one person per minute.
NAMES = 10
NAMES_A_MINUTE = 30

#: Messages that somebody wrote; every other subtype is a notice.
_WRITTEN = (None, "file_share", "thread_broadcast", "me_message", "bot_message")


class Surroundings:
    """Reads them; empty past Slack's rate limit, and where Slack refuses."""

    def __init__(self, api: SlackApi, directory: Directory) -> None:
        self._api = api
        self._directory = directory
        self._naming = Allowance(NAMES_A_MINUTE)

    async def read(self, event: MessageEvent, limit: int) -> list[Nearby]:
        """The messages before a question in its thread, or in its channel; oldest first, `limit` at most."""
        ts, thread = ts_of(event.id), event.place.thread
        try:
            found = await self._api.before(event.place.channel, None if thread == ts else thread, ts, limit)
        except SLACK_ERRORS as exc:
            log.info("%s: what stands around it could not be read: %s", event.id, code(exc))
            return []
        messages = [message for message in found if message.get("subtype") in _WRITTEN and not is_foot(message)]
        names = await self._directory.names(self._named(event, messages))
        return [nearby for message in messages if (nearby := self._read(event, message, names)) is not None]

    def _named(self, event: MessageEvent, messages: Iterable[dict[str, Any]]) -> list[str]:
        """The people whose names are known, and as many others as may be looked up."""
        wanted: dict[str, None] = {}
        for message in messages:
            users = str(message.get("user") or ""), *slack_text.mentioned(str(message.get("text") or ""))
            wanted |= dict.fromkeys(users)
        key, now, left = event.person.key, datetime.now(UTC), NAMES
        named = []
        for user in wanted:
            if not user or user == self._api.bot_user:
                continue
            if not self._directory.at_hand(user):
                if not left or not self._naming.spend(key, now):
                    continue
                left -= 1
            named.append(user)
        return named

    def _read(self, event: MessageEvent, message: dict[str, Any], names: dict[str, str]) -> Nearby | None:
        try:
            content = Content.of(message)
            at = datetime.fromtimestamp(seconds(message["ts"]), UTC)
        except (KeyError, TypeError, ValueError) as exc:
            log.warning("slack: unexpected message in a history, ignored: %s", type(exc).__name__)
            return None
        texts = [slack_text.plain(raw, "", names) for raw in (content.raw, *content.forwarded)]
        texts += [f"(A file: {file.name})" for file in content.files]
        user = str(message.get("user") or "")
        own = user == self._api.bot_user
        return Nearby(
            id=self._api.home.message_id(event.place.channel, str(message["ts"])),
            author="" if own else names.get(user) or _app(message) or user or "an app",
            person_key=self._api.home.person(user).key if user and not own else "",
            text="\n".join(text for text in texts if text.strip()),
            at=at,
            # A question in a thread is about the message that the thread is of.
            files=content.files if message["ts"] == event.place.thread else (),
        )


def _app(message: dict[str, Any]) -> str:
    """The name under which an app wrote a message."""
    name = (message.get("bot_profile") or {}).get("name") or message.get("username") or ""
    return one_line(clean(str(name)))[:80]
