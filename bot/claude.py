"""The chat model: Claude, through Anthropic's SDK. Imported by the composition root alone, as the SDK takes seconds."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NoReturn

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from bot.claude_api import Thinking, client, is_too_long
from bot.config import Settings
from bot.events import Prompt
from bot.ports import ChatError, ChatMisconfigured, ChatOverloaded, ChatRefused, ChatTooLong
from bot.printable import printable

log = logging.getLogger(__name__)

#: Tokens. Some 1,500 words: far more than a chat's answer, and it bounds what one message can cost.
MAX_TOKENS = 2048
#: Where the model can't be kept from thinking, that counts toward the limit too.
MAX_TOKENS_THINKING = 8192
#: Seconds. Between two chunks of a stream the service sends pings, so that silence is a broken connection.
TIMEOUT = httpx2.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)

CUT = "… (cut at my length limit)"

_OVERLOADED = {"overloaded_error", "rate_limit_error"}
_MISCONFIGURED = {"authentication_error", "permission_error", "not_found_error", "billing_error"}


class ClaudeChat:
    """Answers as a stream (`bot.ports.Chat`)."""

    def __init__(self, settings: Settings, timeout: httpx2.Timeout = TIMEOUT) -> None:
        self._client = client(settings, timeout)
        self._model = settings.bot_model
        self._thinking = Thinking(settings.bot_model)

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Yield the answer's text in pieces; raise ChatError, or the kind of it that says what happened."""
        try:
            async with await self._stream(prompt) as events, aclosing(_pieces(events)) as pieces:
                async for piece in pieces:
                    yield piece
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as exc:  # ValueError: malformed events
            _translate(exc)

    async def check(self) -> None:
        """Ask for the model's description: raises ChatError where key, model or address are wrong. Costs nothing."""
        try:
            await self._client.models.retrieve(self._model)
        except (anthropic.AnthropicError, httpx2.HTTPError) as exc:
            _translate(exc)

    async def close(self) -> None:
        """Release the connections."""
        await self._client.close()

    async def _stream(self, prompt: Prompt) -> anthropic.AsyncStream[RawMessageStreamEvent]:
        request: dict[str, Any] = {
            "model": self._model,
            # The service refuses blank texts; a blank turn says nothing anyway.
            "messages": [
                {"role": role, "content": clean} for role, text in prompt.messages if (clean := printable(text)).strip()
            ],
        }
        if prompt.system:
            request["system"] = printable(prompt.system)
        while True:
            quick = "thinking" in self._thinking.params
            request["max_tokens"] = MAX_TOKENS if quick else MAX_TOKENS_THINKING
            try:
                # The raw events: the SDK's accumulating `messages.stream` costs half as much again.
                stream: anthropic.AsyncStream[RawMessageStreamEvent] = await self._client.messages.create(
                    **request, **self._thinking.params, stream=True
                )
            except anthropic.BadRequestError as exc:
                if not self._thinking.refused(exc.status_code, exc.message):
                    raise
                log.warning("%s takes no such thinking parameters: asked without", self._model)
            else:
                return stream


async def _pieces(events: anthropic.AsyncStream[RawMessageStreamEvent]) -> AsyncGenerator[str, None]:
    whole = False
    async for event in events:
        if event.type == "content_block_delta":
            if event.delta.type == "text_delta":
                yield event.delta.text
        elif event.type == "message_delta":
            if event.delta.stop_reason == "refusal":
                raise ChatRefused("refused")
            if event.delta.stop_reason == "model_context_window_exceeded":
                raise ChatTooLong("the context window is full")
            if event.delta.stop_reason == "max_tokens":
                yield CUT
        elif event.type == "message_stop":
            whole = True
    if not whole:
        raise ChatError("the stream ended before the answer did")


def _translate(exc: Exception) -> NoReturn:
    """Raise what an error of the SDK means for the person, without its own message: that may quote the request."""
    if not isinstance(exc, anthropic.APIStatusError):
        raise ChatError(type(exc).__name__) from exc
    # An error in midstream comes with the stream's status, 200: its type is what counts.
    kind: str | None = exc.type
    status = exc.status_code
    if kind in _OVERLOADED or status in (429, 529):
        raise ChatOverloaded(f"status {status}") from exc
    if is_too_long(exc):
        raise ChatTooLong(f"status {status}") from exc
    if kind in _MISCONFIGURED or status in (400, 401, 402, 403, 404):
        raise ChatMisconfigured(f"status {status}") from exc
    raise ChatError(f"status {status}") from exc
