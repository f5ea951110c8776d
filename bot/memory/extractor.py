"""mem0's LLM for extraction: Claude, with a cached prompt, a JSON schema, and no answer taken for what it isn't.

mem0 keeps each fact's text alone, and takes an answer that it can't read for "no facts". So sources and supersessions
are put into the current lesson here, and what goes back to mem0 is always JSON that it can read.
"""

import asyncio
import contextvars
import json
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2

from bot.claude_api import Thinking, is_too_long
from bot.events import Source
from bot.memory import mem0_env
from bot.memory.extraction_prompt import NUMBERED, SCHEMA, numbered
from bot.memory.lesson import Fact, Lesson, current, source_of, text_hash
from bot.ports import LearningFailed
from bot.printable import printable

mem0_env.prepare()

from mem0.configs.llms.base import BaseLlmConfig  # noqa: E402 - mem0 decides on import what it writes and sends
from mem0.llms.base import LLMBase  # noqa: E402

log = logging.getLogger(__name__)

#: Seconds. An extraction comes whole, after all of it is written.
TIMEOUT = httpx2.Timeout(connect=5.0, read=120.0, write=10.0, pool=10.0)
#: Tokens of an answer: some hundred facts. A single exchange may need more, and can't be made smaller.
MAX_TOKENS = 8192
MAX_TOKENS_ALONE = 16384


@dataclass
class Meter:
    """What extractions have cost: calls, tokens by kind, and how many answers were refused or not usable."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    refused: int = 0
    unusable: int = 0

    def count(self, usage: anthropic.types.Usage) -> None:
        """Add one answer's usage."""
        self.calls += 1
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        self.cache_read += usage.cache_read_input_tokens or 0
        self.cache_creation += usage.cache_creation_input_tokens or 0


class Extractor(LLMBase):  # type: ignore[misc] # mem0 has no types
    """mem0's `llm`, for calls within a lesson on a `LearningLoop`."""

    def __init__(self, client: anthropic.AsyncAnthropic, model: str) -> None:
        super().__init__(BaseLlmConfig(model=model))
        self.meter = Meter()
        self._client = client
        self._model = model
        self._thinking = Thinking(model)

    def generate_response(
        self, messages: list[dict[str, str]], tools: object = None, tool_choice: str = "auto", **_: object
    ) -> Future[str]:
        """Begin an extraction for the current lesson; its answer is mem0's JSON, its exception a LearningFailed.

        A future in place of text: the learning loop waits for it, so that no thread is held while Claude writes.
        """
        lesson = current.get()
        if lesson is None:
            raise LearningFailed("an extraction outside a lesson")
        # In a context without the lesson: what the client opens now stays open, and keeps its context as long.
        outside = contextvars.Context()
        return outside.run(
            asyncio.run_coroutine_threadsafe, self._extract(messages, lesson), asyncio.get_running_loop()
        )

    async def close(self) -> None:
        """Release the connections."""
        await self._client.close()

    async def _extract(self, messages: list[dict[str, str]], lesson: Lesson) -> str:
        system, user = (message["content"] for message in messages)
        alone = len(lesson.exchanges) == 1
        answer = await self._ask(
            {
                "model": self._model,
                "max_tokens": MAX_TOKENS_ALONE if alone else MAX_TOKENS,
                # Byte-identical every time, so that it is billed from the cache.
                "system": [
                    {"type": "text", "text": system},
                    {"type": "text", "text": NUMBERED, "cache_control": {"type": "ephemeral"}},
                ],
                "messages": [{"role": "user", "content": numbered(user, lesson.exchanges)}],
            }
        )
        self.meter.count(answer.usage)
        if answer.stop_reason == "refusal":
            self.meter.refused += 1
            log.warning("an extraction was refused (%d exchanges)", len(lesson.exchanges))
            # Of several, all but one may be harmless.
            raise LearningFailed("refused", smaller=not alone, final=alone)
        if answer.stop_reason in ("max_tokens", "model_context_window_exceeded"):
            self.meter.unusable += 1
            raise LearningFailed(f"cut: {answer.stop_reason}", smaller=True)
        text = "".join(block.text for block in answer.content if block.type == "text")
        try:
            facts = list(_facts(text, lesson))
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            self.meter.unusable += 1
            raise LearningFailed(f"malformed: {type(exc).__name__}", smaller=True) from None
        return _for_mem0(facts, lesson)

    async def _ask(self, request: dict[str, Any]) -> anthropic.types.Message:
        while True:
            params = {**self._thinking.params}
            schema = {"format": {"type": "json_schema", "schema": SCHEMA}}
            params["output_config"] = {**params.get("output_config", {}), **schema}
            try:
                message: anthropic.types.Message = await self._client.messages.create(**request, **params)
            except anthropic.APIStatusError as exc:
                if self._thinking.refused(exc.status_code, exc.message):
                    continue
                raise LearningFailed(f"status {exc.status_code}", smaller=is_too_long(exc)) from exc
            except (anthropic.AnthropicError, httpx2.HTTPError) as exc:
                raise LearningFailed(type(exc).__name__) from exc
            except ValueError as exc:  # a body that breaks off in its middle; the message would quote it
                raise LearningFailed(f"malformed: {type(exc).__name__}", smaller=True) from None
            return message


def _facts(answer: str, lesson: Lesson) -> Iterable[tuple[Fact, str]]:
    """Each fact of an answer, and whom it is attributed to; raises where the answer has another form."""
    found = json.loads(answer)["memory"]
    if not isinstance(found, list):
        raise TypeError("no list")
    for each in found:
        text = printable(each["text"]).strip()
        if text:
            sources = _sources(each.get("source"), lesson)
            yield Fact(text, sources, _superseded(each.get("supersedes"), lesson)), str(each.get("attributed_to", ""))


def _sources(number: object, lesson: Lesson) -> tuple[Source, ...]:
    """The exchange of that number; all of them where there is none, as one of them it was."""
    exchanges: Sequence[Any] = lesson.exchanges
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(exchanges):
        exchanges = [exchanges[number - 1]]
    return tuple(map(source_of, exchanges))


def _superseded(ids: object, lesson: Lesson) -> tuple[str, ...]:
    """mem0's numbers as memory ids; numbers that it didn't show are dropped."""
    shown = {str(number): memory_id for number, memory_id in enumerate(lesson.existing)}
    return tuple(shown[str(each)] for each in ids if str(each) in shown) if isinstance(ids, list) else ()


def _for_mem0(facts: Sequence[tuple[Fact, str]], lesson: Lesson) -> str:
    """Put the facts into the lesson and return them in mem0's form. A text that comes twice is one fact."""
    rows: list[dict[str, str]] = []
    for fact, speaker in facts:
        key = text_hash(fact.text)
        if known := lesson.facts.get(key):
            fact.sources = tuple(dict.fromkeys((*known.sources, *fact.sources)))
            fact.supersedes = tuple(dict.fromkeys((*known.supersedes, *fact.supersedes)))
        else:
            rows.append({"id": str(len(rows)), "text": fact.text, "attributed_to": speaker})
        lesson.facts[key] = fact
    # mem0 cuts <think>…</think> out of an answer before it reads it: a fact that holds such words must not.
    return json.dumps({"memory": rows}).replace("<", "\\u003c")
