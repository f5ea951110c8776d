"""The chat model: Claude, through Anthropic's SDK, which takes seconds to import: only `bot.app` imports this."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from bot.chat import tools, web
from bot.chat.client import Tally, client, counting, usage_of
from bot.chat.errors import error_text, is_unpaid, kind_of, name_of, translate
from bot.chat.parameters import Params
from bot.chat.request import build, toolless
from bot.chat.thoughts import Thoughts
from bot.config import Settings, SettingsError
from bot.model import Asked, Prompt, Web
from bot.ports import CUT, ChatError, ChatRefused, ChatTooLong, MaxUsage
from bot.settings_check import is_unknown_model
from bot.usage import Usage

log = logging.getLogger(__name__)

#: Tokens. Some 1,500 words: far more than a chat answer needs, and a bound on what one message can cost.
MAX_TOKENS = 2048
#: For models that can't be kept from thinking: thoughts count toward the limit.
MAX_TOKENS_THINKING = 8192
#: Characters read of one stream, thoughts included: several times what those tokens amount to.
LONGEST_STREAM = 200_000
#: Seconds. The service sends pings between a stream's chunks, so silence means a broken connection.
TIMEOUT = httpx2.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)
#: Seconds for the check at startup, which answers wait for.
CHECK_TIMEOUT = 5.0
#: Seconds to wait for the end of a stream after its message has ended.
DRAIN_TIMEOUT = 1.0

#: What the SDK raises, and what a compatible server's malformed events raise in it or here.
_FAULTS = (
    *(anthropic.AnthropicError, httpx2.HTTPError, OSError),
    *(ValueError, TypeError, AttributeError, LookupError, RecursionError),
)


class ClaudeChat:
    """Answers as a stream (`bot.ports.Chat`)."""

    def __init__(self, settings: Settings, timeout: httpx2.Timeout = TIMEOUT) -> None:
        self._client = client(settings, timeout)
        self._settings = settings
        self._model = settings.bot_model
        self._params = Params(settings.bot_model)
        #: Requests whose usage has been asked for, which are sent next.
        self._prepared: WeakKeyDictionary[Prompt, tuple[dict[str, Any], Usage]] = WeakKeyDictionary()
        #: Whether the model starts with thoughts that lack an opening tag. Claude doesn't.
        self._unopened = False
        #: Whether it has put thoughts into its text, which count toward its tokens.
        self._aloud = False

    async def max_usage(self, prompt: Prompt) -> MaxUsage:
        """The most that one request can take: no token is shorter than a byte, and the answer's length is bounded."""
        self._prepared[prompt] = self._prepare(prompt)
        return MaxUsage(self._model, self._prepared[prompt][1])

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage | Asked | Web, None]:
        """Yield the answer's text in pieces, its usage as it becomes known, and calls of tools; see `bot.ports.Chat`.

        Raises ChatError, or the subclass that says what happened.
        """
        request, max_usage = self._prepared.pop(prompt) if prompt in self._prepared else self._prepare(prompt)
        tally, told = Tally(), False
        try:
            async with (
                await self._send(request, prompt, tally) as events,
                aclosing(self._spoken(events, max_usage)) as pieces,
            ):
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        told = True
                        # What the SDK has sent before may be billed too: a response that broke off before it began.
                        yield piece + max_usage * (tally.billed - 1)
                    else:
                        yield piece
        except _FAULTS as exc:
            if not told:
                yield max_usage * tally.billed
            translate(exc, self._model)

    async def check(self) -> None:
        """Look the models up, which costs nothing.

        Raises SettingsError if the key or a model is plainly wrong. An unreachable service (logged), or one without
        a list of models, doesn't keep the bot from starting.
        """
        models = {"BOT_MODEL": self._model}
        if self._settings.bot_memory and self._settings.mem0_api_key is None:
            models["BOT_MEMORY_MODEL"] = self._settings.bot_memory_model
        asked = self._client.with_options(timeout=CHECK_TIMEOUT, max_retries=1)
        found = await asyncio.gather(
            *(asked.models.retrieve(model) for model in models.values()), return_exceptions=True
        )
        for (variable, model), outcome in zip(models.items(), found, strict=True):
            if isinstance(outcome, httpx2.InvalidURL):
                raise SettingsError("ANTHROPIC_BASE_URL: is no address") from None
            if isinstance(outcome, anthropic.APIStatusError):
                self._judge(outcome, variable, model)
            elif isinstance(outcome, _FAULTS):
                log.warning("Claude could not be reached to check the settings: %s", outcome)
                return
            elif isinstance(outcome, BaseException):
                raise outcome

    def _judge(self, exc: anthropic.APIStatusError, variable: str, model: str) -> None:
        status, kind, name = exc.status_code, kind_of(exc), name_of(exc)
        compatible = self._settings.anthropic_base_url is not None
        if is_unpaid(exc):
            log.warning("the account behind ANTHROPIC_API_KEY has no credit left (%s)", name)
        elif status == 401 or kind in ("authentication_error", "permission_error"):
            raise SettingsError(f"ANTHROPIC_API_KEY: refused ({name}); make a new key at console.anthropic.com")
        elif is_unknown_model(status, kind, error_text(exc), model, compatible=compatible):
            raise SettingsError(f"{variable}: the service knows no model of that name ({name})")
        elif status == 404 and (self._settings.anthropic_base_url or "").endswith("/v1"):
            raise SettingsError("ANTHROPIC_BASE_URL: leave out its /v1, which every request begins with anyway")
        elif status not in (404, 405, 501):
            log.warning("Claude could not check %s: %s", variable, name)

    async def close(self) -> None:
        """Release the connections."""
        await self._client.close()

    def _prepare(self, prompt: Prompt) -> tuple[dict[str, Any], Usage]:
        """The request, and the most that it can take."""
        # Sonnet 5.5 can't be kept from thinking about what tools have answered.
        thinks = self._aloud or self._params.thinks or bool(prompt.rounds)
        return build(prompt, MAX_TOKENS_THINKING if thinks else MAX_TOKENS, web=self._settings.bot_web_search)

    async def _send(
        self, request: dict[str, Any], prompt: Prompt, tally: Tally
    ) -> anthropic.AsyncStream[RawMessageStreamEvent]:
        with counting(tally):
            stream: anthropic.AsyncStream[RawMessageStreamEvent] = await self._params.send(
                request, self._client.messages.create, toolless(prompt)
            )
        return stream

    async def _spoken(
        self, events: anthropic.AsyncStream[RawMessageStreamEvent], max_usage: Usage
    ) -> AsyncGenerator[str | Usage | Asked | Web, None]:
        """Yield the pieces without the model's thoughts, and what the turn asks of tools if it wasn't cut."""
        thoughts = Thoughts(unopened=(unopened := self._unopened), watch="claude" not in self._model)
        length, cut, turn = 0, False, tools.Turn()
        async with aclosing(_pieces(events, max_usage, turn)) as pieces:
            async for piece in pieces:
                if piece is None:
                    cut = True
                    continue
                if isinstance(piece, Usage):
                    yield piece
                    continue
                if text := thoughts.feed(piece):
                    yield text
                if thoughts.closed_unopened and not unopened:
                    self._unopened = True
                    # The supposed answer was thoughts. The retry knows where they end.
                    raise ChatError("thoughts without an opening tag")
                length += len(piece)
                if length > LONGEST_STREAM:
                    log.warning("stream cut at %d characters", LONGEST_STREAM)
                    cut = True
                    break
        if text := thoughts.end():
            yield text
        self._aloud = self._aloud or thoughts.any
        if unopened and not thoughts.closed_unopened:
            self._unopened = False
        if cut:
            yield CUT
        if (looked := web.used(turn.blocks)) is not None:
            yield looked
        if not cut and (asked := turn.asked()) is not None:
            yield asked


async def _pieces(
    events: anthropic.AsyncStream[RawMessageStreamEvent], max_usage: Usage, turn: tools.Turn
) -> AsyncGenerator[str | Usage | None, None]:
    """Yield the text as it arrives; None if the service cut it short. Malformed parts are ignored.

    `turn` gets all blocks.

    And the usage: what the prompt took with the longest answer, once that is told, then all of it. What isn't told is
    taken from `max_usage`.

    The message ends with its stop reason or with `message_stop`: compatible servers may omit either.
    """
    started: Any = None
    async for event in events:
        kind, delta = getattr(event, "type", None), getattr(event, "delta", None)
        index = getattr(event, "index", None)
        if kind == "content_block_start":
            turn.start(index, getattr(event, "content_block", None))
            # Claude starts a text block empty; a compatible server may put the first words there.
            if text := _text(getattr(event, "content_block", None), "text"):
                yield text
        elif kind == "content_block_delta":
            turn.grow(index, delta)
            if turn.too_long:
                raise ChatError("the input of its tools has no end")
            # Other types of deltas are thoughts, whatever a compatible server calls them, or input of tools.
            if text := _text(delta, "text_delta"):
                yield text
        elif kind == "message_start":
            started = getattr(getattr(event, "message", None), "usage", None)
            # The output's count at the start is what has been written by then.
            yield replace(usage_of(max_usage, started), output=max_usage.output)
        elif kind == "message_delta":
            yield usage_of(max_usage, started, getattr(event, "usage", None))
            reason = getattr(delta, "stop_reason", None)
            if reason in ("refusal", "content_filter"):
                raise ChatRefused("refused")
            if reason == "model_context_window_exceeded":
                raise ChatTooLong("the context window is full")
            if reason in ("max_tokens", "length"):
                yield None
            turn.paused = reason == "pause_turn"
            if reason and isinstance(reason, str):
                break
        elif kind == "message_stop":
            break
    else:
        raise ChatError("the stream ended before the answer did")
    await _drain(events)


def _text(part: Any, kind: str) -> str:
    """The text of a block or delta of that type; empty if it has none."""
    text = getattr(part, "text", None) if getattr(part, "type", None) == kind else None
    return text if isinstance(text, str) else ""


async def _drain(events: anthropic.AsyncStream[RawMessageStreamEvent]) -> None:
    """Read and ignore what follows the message, so that the connection can be reused."""
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT):
            async for _ in events:
                pass
    except _FAULTS as exc:  # a TimeoutError too
        log.debug("stream continued after the end of its message: %s", type(exc).__name__)
