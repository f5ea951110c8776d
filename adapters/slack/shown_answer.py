"""Finds the messages that hold the answer to an event, by the event's id in their metadata."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
from adapters.slack.errors import SLACK_ERRORS, code, is_transient
from bot.model import Place

log = logging.getLogger(__name__)

#: The type of the metadata that identifies an answer.
ANSWER = "memory_bot_answer"


@dataclass(slots=True)
class Stream:
    """An open stream: what was appended so far, and until when it may stay open."""

    sent: str
    until: float


@dataclass(slots=True)
class ShownMessage:
    """A message with a part of an answer. `done`: it completes the answer.

    `fixed`: it can't be edited. `gone`: it no longer exists. `stream`: it is appended to. `edited`: it doesn't show the
    sign of a stream.
    """

    ts: str
    text: str
    done: bool
    fixed: bool = False
    gone: bool = False
    stream: Stream | None = None
    edited: bool = True


def stream_block(event_id: str, part: int) -> str:
    """The id of the block with which a stream begins."""
    return f"{ANSWER}:{part}:{event_id}"


def _marks(message: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Whose answer a message is part of, and which, and whether its stream's sign says so, in place of metadata."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    for block in message.get("blocks") or ():
        name, _, rest = str(block.get("block_id") or "").partition(":")
        part, _, event_id = rest.partition(":")
        if name == ANSWER and part.isdecimal():
            return payload or {"event": event_id, "part": int(part)}, True
    return payload, False


async def find_answer(api: SlackApi, place: Place, event_id: str, after: str, text: str = "") -> list[ShownMessage]:
    """The messages after `after` that answer an event, in the order of their parts, with copies of parts last.

    Among copies the newest counts: an older one could be neither edited nor deleted.

    `text` is the text of such a message, in case Slack returns no metadata. If Slack refuses for good to show the
    messages, there are none. Raises SLACK_ERRORS if it fails temporarily.
    """
    try:
        messages = await api.after(place.channel, place.thread, after, metadata=True)
    except SLACK_ERRORS as exc:
        if is_transient(exc):
            raise
        log.warning("%s: can't tell whether the answer is there: %s", event_id, code(exc))
        return []
    parts: dict[int, list[ShownMessage]] = {}
    for message in messages:
        payload, streamed = _marks(message)
        raw = str(message.get("text") or "")
        ours = message.get("user") == api.bot_user
        if not ours or (payload.get("event") != event_id and (payload or not text or raw != text)):
            continue
        part = payload.get("part")
        number = part if isinstance(part, int) else len(parts)
        done = payload.get("done") is True
        shown = ShownMessage(str(message["ts"]), slack_text.plain(raw, "", {}), done, edited=not streamed)
        parts.setdefault(number, []).append(shown)
    answer: list[ShownMessage] = []
    copies: list[ShownMessage] = []
    for index, number in enumerate(sorted(parts)):
        first, *others = sorted(parts[number], key=lambda shown: (shown.done, shown.ts), reverse=True)
        # After a missing part, the last message doesn't complete the answer.
        first.done = first.done and index == number
        answer.append(first)
        copies += others
    for copy in copies:
        copy.done = False
    return answer + copies


def whole(shown: Sequence[ShownMessage]) -> list[ShownMessage] | None:
    """The messages of an answer up to the one that completes it; None if none does."""
    for count, part in enumerate(shown, 1):
        if part.done:
            return list(shown[:count])
    return None
