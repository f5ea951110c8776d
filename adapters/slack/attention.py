"""Whom the bot listens to in a thread without being mentioned: one person, until somebody else writes there."""

import asyncio
import logging
from collections.abc import Iterable

from cachetools import LRUCache

from adapters.slack.api import SlackApi
from adapters.slack.errors import SLACK_ERRORS, code, is_transient
from adapters.slack.events import Body, ParsedMessage, parse_message
from bot.aio.backoff import Backoff

log = logging.getLogger(__name__)

#: Most threads remembered.
MAX_THREADS = 10_000
#: Attempts to read a thread, with back-off.
TRIES = 5
BACKOFF = Backoff(first=1.0, longest=30.0)

#: Partner of a thread where somebody else has written since the bot was last mentioned.
_NOBODY = ""


class Attention:
    """Decides which messages of a thread are for the bot without a mention: those of whoever mentioned it last there,
    until somebody else writes.

    `hear` is given every person's messages in the order of delivery.
    """

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        #: By channel and thread, the person whose messages need no mention, and the latest message's ts.
        self._partners: LRUCache[tuple[str, str], str] = LRUCache(MAX_THREADS)
        self._latest: LRUCache[tuple[str, str], str] = LRUCache(MAX_THREADS)

    def forget(self) -> None:
        """Messages may have been missed: read threads again."""
        self._partners.clear()

    def hear(self, found: ParsedMessage) -> bool | None:
        """Whether a message is for the bot without a mention; None if only Slack can tell (`ask_slack`)."""
        key = _key(found)
        partner = self._partners.get(key)
        late = found.ts < self._latest.get(key, "")  # a mention's second copy, or redelivered
        self._latest[key] = max(found.ts, self._latest.get(key, ""))
        if partner is None and not found.mentioned:
            return None
        after = _after(partner, found)
        if not late:
            self._partners[key] = after
        return after == found.person.user and not found.others

    async def ask_slack(self, found: ParsedMessage) -> bool:
        """As `hear`, from the thread's history. False if Slack can't be read for some minutes."""
        partner = await self._read(found)
        after = _after(partner, found)
        key = _key(found)
        if self._latest.get(key, found.ts) == found.ts:  # else it lacks what arrived meanwhile
            self._partners.setdefault(key, after)
        return after == found.person.user and not found.others

    async def _read(self, found: ParsedMessage) -> str:
        """Whose messages needed no mention right before this one."""
        for attempt in range(1, TRIES + 1):
            try:
                history = await self._api.since(found.channel, found.thread, found.thread or found.ts)
            except SLACK_ERRORS as exc:
                if not is_transient(exc) or attempt == TRIES:
                    log.warning("slack: conversations.replies failed; mentions alone count there: %s", code(exc))
                    return _NOBODY
                await asyncio.sleep(BACKOFF.after(attempt))
            else:
                earlier = [message for message in history.messages if str(message["ts"]) < found.ts]
                return _folded(self._parsed(found, earlier)) if history.whole else _NOBODY
        raise AssertionError("unreachable")

    def _parsed(self, found: ParsedMessage, messages: Iterable[Body]) -> Iterable[ParsedMessage]:
        around = {"type": "message", "channel": found.channel}
        for message in messages:
            try:
                parsed = parse_message({"team_id": found.team, "event": {**message, **around}}, self._api.home)
            except (KeyError, TypeError, ValueError, AttributeError) as exc:
                log.warning("slack: unexpected message in a thread, ignored: %s", type(exc).__name__)
                continue
            if parsed is not None:
                yield parsed


def _key(found: ParsedMessage) -> tuple[str, str]:
    return found.channel, found.thread or found.ts


def _after(partner: str | None, found: ParsedMessage) -> str:
    """Whose messages need no mention after this one."""
    if found.mentioned:
        return found.person.user
    return found.person.user if found.person.user == partner else _NOBODY


def _folded(messages: Iterable[ParsedMessage]) -> str:
    partner = _NOBODY
    for message in messages:
        partner = _after(partner, message)
    return partner
