"""Streams of the Slack on loopback: append-only messages, as strict as documented.

https://docs.slack.dev/reference/methods/chat.startStream, `.appendStream` and `.stopStream`. What the documents don't
say was seen by others: the mode (`chunks` or `markdown_text`) may not change, and Slack ends a stream after about five
minutes (slackapi/python-slack-sdk#1859).
"""

import json
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.slack_blocks import Json, blocks_problem, tables_problem

#: Characters of a chunk, and of all text of a stream.
CHUNK_TEXT = 12_000
STREAM_TEXT = 12_000
#: Seconds after which Slack ends a stream.
LIFETIME = 300.0
_CHUNKS = {"markdown_text", "task_update", "plan_update", "blocks"}


@dataclass
class _Stream:
    """An open stream; `stopped`: by a person, who pressed its button."""

    mode: str
    since: float
    blocks: list[Json] = field(default_factory=list)
    text: str = ""
    stopped: bool = False


class Streams:
    """The methods of streams.

    Attributes:
        clock: In seconds, for the lifetime of streams.
        streams_refused: What every start is refused with, where the workspace has no streams.
    """

    channels: dict[str, Json]
    messages: dict[str, list[Json]]
    status: dict[tuple[str, str], str]

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self.streams_refused = ""
        self._streams: dict[tuple[str, str], _Stream] = {}

    @abstractmethod
    def team(self, user: str) -> str:
        """The workspace by which a person's payloads call them."""

    @abstractmethod
    def post_stream(self, channel: str, thread: str, text: str, blocks: list[Json]) -> Json:
        """Store a stream's message."""

    @abstractmethod
    def refusal(self, args: Json) -> str:
        """What posting in a channel is refused with."""

    @abstractmethod
    async def posted(self, channel: str, event: Json) -> None:
        """Called for each message of the bot's that comes or changes."""

    @property
    def open_streams(self) -> list[str]:
        """The ts of each message that is streaming."""
        return [ts for channel, ts in self._streams if self.is_streaming(channel, ts)]

    def is_streaming(self, channel: str, ts: str) -> bool:
        """Whether a message is streaming, which keeps it from being edited."""
        stream = self._streams.get((channel, ts))
        return stream is not None and not stream.stopped and self.clock() - stream.since < LIFETIME

    def press_stop(self, channel: str, ts: str) -> None:
        """Stop a stream as a person does."""
        self._streams[channel, ts].stopped = True

    async def _chat_startStream(self, args: Json) -> Json:
        channel, thread = str(args["channel"]), str(args.get("thread_ts") or "")
        if channel not in self.channels:
            return _error("channel_not_found")
        if self.streams_refused:
            return _error(self.streams_refused)
        if problem := self.refusal(args):
            return _error(problem)
        if not any(message["ts"] == thread for message in self.messages.get(channel, [])):
            return _error("invalid_thread_ts")
        if not self.channels[channel].get("is_im"):
            if not args.get("recipient_team_id"):
                return _error("missing_recipient_team_id")
            if not args.get("recipient_user_id"):
                return _error("missing_recipient_user_id")
            if args["recipient_team_id"] != self.team(args["recipient_user_id"]):
                return _error("team_not_found")
        stream = _Stream("chunks" if args.get("chunks") else "markdown_text", self.clock())
        if problem := _append(stream, args):
            return _error(problem)
        message = self.post_stream(channel, thread, stream.text, _blocks(stream))
        self._streams[channel, message["ts"]] = stream
        self.status.pop((channel, thread), None)
        await self.posted(channel, dict(message))
        return {"channel": channel, "ts": message["ts"]}

    async def _chat_appendStream(self, args: Json) -> Json:
        found = self._open(args)
        if isinstance(found, str):
            return _error(found)
        stream, message = found
        if problem := _append(stream, args) or ("" if _given(args) else "no_text"):
            return _error(problem)
        message |= {"text": stream.text, "blocks": _blocks(stream)}
        return {"channel": args["channel"], "ts": args["ts"]}

    async def _chat_stopStream(self, args: Json) -> Json:
        found = self._open(args)
        if isinstance(found, str):
            return _error("message_not_in_streaming_state" if found == "stopped_by_user" else found)
        stream, message = found
        if problem := _append(stream, args) or blocks_problem(_list(args.get("blocks"))):
            return _error(problem)
        before = dict(message)
        message |= {"text": stream.text, "blocks": [*_blocks(stream), *_list(args.get("blocks"))]}
        message |= {"metadata": _object(args["metadata"])} if args.get("metadata") else {}
        del self._streams[str(args["channel"]), str(args["ts"])]
        changed = {"type": "message", "subtype": "message_changed", "hidden": True, "ts": args["ts"]}
        told = {"message": dict(message), "previous_message": before}
        await self.posted(str(args["channel"]), {**changed, **told})
        return {"channel": args["channel"], "ts": args["ts"], "message": message}

    def _open(self, args: Json) -> tuple[_Stream, Json] | str:
        where = str(args["channel"]), str(args["ts"])
        message = next((each for each in self.messages.get(where[0], []) if each["ts"] == where[1]), None)
        stream = self._streams.get(where)
        if message is None:
            return "message_not_found"
        if stream is not None and stream.stopped:
            return "stopped_by_user"
        return (
            (stream, message) if stream is not None and self.is_streaming(*where) else "message_not_in_streaming_state"
        )


def _given(args: Json) -> bool:
    return bool(args.get("chunks") or args.get("markdown_text"))


def _append(stream: _Stream, args: Json) -> str:
    """Append what was sent, or say what is wrong with it."""
    if args.get("chunks") and args.get("markdown_text"):
        return "cannot_provide_both_markdown_text_and_chunks"
    if _given(args) and stream.mode != ("chunks" if args.get("chunks") else "markdown_text"):
        return "streaming_mode_mismatch"
    chunks = _list(args.get("chunks"))
    if args.get("markdown_text"):
        chunks = [{"type": "markdown_text", "text": args["markdown_text"]}]
    text, blocks = stream.text, [*stream.blocks]
    for chunk in chunks:
        if chunk.get("type") not in _CHUNKS:
            return "invalid_chunks"
        if chunk["type"] == "markdown_text":
            if not chunk.get("text"):
                return "invalid_chunks"
            if len(chunk["text"]) > CHUNK_TEXT:
                return "msg_too_long"
            text += chunk["text"]
        elif chunk["type"] == "blocks":
            blocks += chunk["blocks"]
    if len(text) > STREAM_TEXT:
        return "msg_too_long"
    if problem := blocks_problem(blocks) or tables_problem(text):
        return problem
    stream.text, stream.blocks = text, blocks
    return ""


def _blocks(stream: _Stream) -> list[Json]:
    return [*stream.blocks, *([{"type": "markdown", "text": stream.text}] if stream.text else [])]


def _list(value: Any) -> list[Json]:
    found: list[Json] = json.loads(value) if isinstance(value, str) else value or []
    return found


def _object(value: Any) -> Json:
    found: Json = json.loads(value) if isinstance(value, str) else value
    return found


def _error(error: str) -> Json:
    return {"ok": False, "error": error}
