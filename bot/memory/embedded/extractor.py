"""mem0's LLM for extraction: Claude, with a cached prompt and a JSON schema, whose answers are validated.

mem0 only keeps each fact's text, and treats an answer that it can't parse as "no facts". So this puts sources and
supersessions into the current lesson, and always returns JSON that mem0 can parse.
"""

import asyncio
import contextvars
import json
import logging
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2

from bot.chat.client import Tally, counting, max_usage, usage_of
from bot.chat.errors import about_content, is_too_long, is_unpaid, name_of
from bot.chat.parameters import Params
from bot.memory import mem0_env
from bot.memory.embedded.extraction_answer import LONGEST_FACT, Reading, Unreadable, read
from bot.memory.embedded.extraction_prompt import NUMBERED, SCHEMA, has_context, numbered
from bot.memory.vectors.lesson import Fact, Lesson, current, source_of, text_hash
from bot.model import Source
from bot.ports import LearningFailed, LimitReached, Spending
from bot.usage import Payer, Purpose

mem0_env.prepare()

from mem0.configs.llms.base import BaseLlmConfig  # noqa: E402 - mem0 decides on import what it writes and sends
from mem0.llms.base import LLMBase  # noqa: E402

log = logging.getLogger(__name__)

#: Seconds. An extraction isn't streamed.
TIMEOUT = httpx2.Timeout(connect=5.0, read=120.0, write=10.0, pool=10.0)
#: Tokens of an answer: some hundred facts. A single exchange may need more, and can't be split.
MAX_TOKENS = 8192
MAX_TOKENS_ALONE = 16384
#: Seconds for an extraction in total, even if the answer trickles in.
LONGEST_TIME = 300.0
#: Facts per lesson: they are stored in one transaction, which others wait for.
FACTS = 100
#: What a malformed answer raises, in the SDK or here.
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)

_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass
class Meter:
    """Counts extractions: calls, tokens by kind, and answers that were refused or unusable."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    refused: int = 0
    unusable: int = 0

    def count(self, usage: object) -> None:
        """Add one answer's usage, which compatible servers may report in part or not at all."""
        self.calls += 1
        self.input += getattr(usage, "input_tokens", 0) or 0
        self.output += getattr(usage, "output_tokens", 0) or 0
        self.cache_read += getattr(usage, "cache_read_input_tokens", 0) or 0
        self.cache_creation += getattr(usage, "cache_creation_input_tokens", 0) or 0


class Extractor(LLMBase):  # type: ignore[misc] # mem0 has no types
    """mem0's `llm`, for calls within a lesson on a `LearningLoop`."""

    def __init__(self, client: anthropic.AsyncAnthropic, model: str, spending: Spending) -> None:
        super().__init__(BaseLlmConfig(model=model))
        self.meter = Meter()
        self._client = client
        self._spending = spending
        self._model = model
        self._params = Params(model, SCHEMA)
        self._keeps_schema = True

    def generate_response(
        self, messages: list[dict[str, str]], tools: object = None, tool_choice: str = "auto", **_: object
    ) -> Future[str]:
        """Start an extraction for the current lesson. Its result is mem0's JSON, its exception a LearningFailed.

        Returns a future instead of text, which the learning loop awaits, so that no thread is blocked meanwhile.
        """
        lesson = current.get()
        if lesson is None:
            raise LearningFailed("an extraction outside a lesson")
        # In a context without the lesson: connections that the client opens now keep their context alive.
        outside = contextvars.Context()
        return outside.run(
            asyncio.run_coroutine_threadsafe, self._extract(messages, lesson), asyncio.get_running_loop()
        )

    def check(self, user_id: str) -> None:
        """Raise LearningFailed if it is known that nothing more can be spent on a person today. Asks nobody."""
        try:
            self._spending.check(user_id)
        except LimitReached as exc:
            raise LearningFailed(str(exc), wait=exc.seconds) from None

    async def close(self) -> None:
        """Release the connections."""
        await self._client.close()

    async def _extract(self, messages: list[dict[str, str]], lesson: Lesson) -> str:
        system, user = (message["content"] for message in messages)
        try:
            return self._read(await self._ask(system, numbered(user, lesson.exchanges), lesson), lesson)
        except _ExtractionRefused as exc:
            if len(lesson.exchanges) > 1 or not has_context(user):  # of several exchanges, only one may be refused
                raise
            # It may object to what is shown besides the exchange: an older memory, or what was said before.
            log.warning("an extraction was refused (%s): asked again with this exchange alone", exc)
            lesson.existing.clear()
            prompt = numbered(user, lesson.exchanges, alone=True)
            return self._read(await self._ask(system, prompt, lesson), lesson)

    def _read(self, answer: anthropic.types.Message, lesson: Lesson) -> str:
        alone = len(lesson.exchanges) == 1
        try:
            self.meter.count(answer.usage)
            reason = answer.stop_reason
            text = "".join(block.text for block in answer.content if block.type == "text")
            if reason in ("refusal", "content_filter"):
                self.meter.refused += 1
                raise _ExtractionRefused("refused", smaller=not alone, final=alone)
            cut = reason in ("max_tokens", "model_context_window_exceeded")
            if cut and not alone:
                raise Unreadable(f"cut: {reason}")
            reading = read(text)
            if not reading.whole and not alone:
                raise Unreadable("the list of facts breaks off")
        except (Unreadable, *MALFORMED) as exc:
            self.meter.unusable += 1
            why = str(exc) if isinstance(exc, Unreadable) else f"malformed: {type(exc).__name__}"
            raise LearningFailed(why, smaller=True) from None
        if reading.whole and not reading.plain and self._keeps_schema:
            self._keeps_schema = False
            log.warning("%s ignores JSON schemas: facts are read from its text as well as can be", self._model)
        return _for_mem0(_kept(reading, lesson), lesson)

    async def _ask(self, system: str, prompt: str, lesson: Lesson) -> anthropic.types.Message:
        alone = len(lesson.exchanges) == 1
        request: dict[str, Any] = {
            "max_tokens": MAX_TOKENS_ALONE if alone else MAX_TOKENS,
            # Byte-identical every time, so that it is served from the cache.
            "system": [
                {"type": "text", "text": system},
                {"type": "text", "text": NUMBERED, "cache_control": {"type": "ephemeral"}},
            ],
            "messages": [{"role": "user", "content": prompt}],
        }
        try:
            return await self._send(request, lesson)
        except LimitReached as exc:
            raise LearningFailed(str(exc), wait=exc.seconds) from None
        except anthropic.APIStatusError as exc:
            raise _failure(exc, alone=alone) from exc
        except TimeoutError:
            raise LearningFailed(f"no answer within {LONGEST_TIME:.0f} seconds", smaller=True) from None
        except (anthropic.AnthropicError, httpx2.HTTPError) as exc:
            raise LearningFailed(type(exc).__name__, outage=True) from exc
        except MALFORMED as exc:  # a truncated body, or one nested too deeply; the message would quote it
            raise LearningFailed(f"malformed: {type(exc).__name__}", smaller=True) from None

    async def _send(self, request: dict[str, Any], lesson: Lesson) -> anthropic.types.Message:
        """Send a request, reserved before and counted after. Raises what the SDK raises, or LimitReached."""
        tally, last = Tally(), lesson.exchanges[-1]
        payer = Payer.at(last.person_key or last.user_id, last.user_id, last.scope, last.event_id)
        bound = max_usage({**request, "tools": SCHEMA})  # the service may show the schema to the model
        async with await self._spending.charge(payer, Purpose.LEARNING, self._model, bound) as charge:
            try:
                async with asyncio.timeout(LONGEST_TIME):
                    with counting(tally):
                        answer: anthropic.types.Message = await self._params.send(request, self._client.messages.create)
            finally:
                # Of what was sent before, and of a body that breaks off, no usage is told.
                charge.usage = bound * tally.billed
            charge.usage = usage_of(bound, getattr(answer, "usage", None)) + bound * (tally.billed - 1)
        return answer


class _ExtractionRefused(LearningFailed):
    """The model, or a filter in front of it, objects to the request's content."""


def _failure(exc: anthropic.APIStatusError, *, alone: bool) -> LearningFailed:
    name = name_of(exc)
    if is_unpaid(exc):
        return LearningFailed(f"no credit: {name}", outage=True)
    if about_content(exc):
        return _ExtractionRefused(f"refused: {name}", smaller=not alone, final=alone)
    if is_too_long(exc) and alone:
        return _ExtractionRefused(f"too long: {name}", smaller=True)
    # Only one of the exchanges may be what is refused.
    status = exc.status_code
    return LearningFailed(name, smaller=status in (400, 413, 422), outage=status in (401, 429) or status >= 500)


def _kept(reading: Reading, lesson: Lesson) -> Iterable[tuple[Fact, str]]:
    """Each fact of an answer with the speaker it is attributed to, up to the limit of one lesson."""
    rows = reading.rows
    if len(rows) > FACTS and len(lesson.exchanges) > 1:
        raise LearningFailed(f"{len(rows)} facts", smaller=True)
    if reading.bad or reading.cut or not reading.whole or len(rows) > FACTS:
        log.warning(
            "of an extraction's answer %d facts are kept: %d rows were none, %d facts were cut at %d characters, "
            "%d were more than one lesson teaches%s",
            min(len(rows), FACTS),
            reading.bad,
            reading.cut,
            LONGEST_FACT,
            max(0, len(rows) - FACTS),
            "" if reading.whole else ", and the list breaks off",
        )
    for row in rows[:FACTS]:
        told = _sources(row.source, lesson), _superseded(row.supersedes, lesson)
        yield Fact(row.text, *told, answered=row.speaker == "assistant"), row.speaker


def _sources(number: object, lesson: Lesson) -> tuple[Source, ...]:
    """The exchange with that number; all of them if there is none, since it was one of them."""
    exchanges: Sequence[Any] = lesson.exchanges
    if isinstance(number, str) and _NUMBER.fullmatch(number):
        number = int(number)
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(exchanges):
        exchanges = [exchanges[number - 1]]
    return tuple(map(source_of, exchanges))


def _superseded(ids: object, lesson: Lesson) -> tuple[str, ...]:
    """mem0's numbers as memory ids, without numbers that it didn't show."""
    shown = {str(number): memory_id for number, memory_id in enumerate(lesson.existing)}
    return tuple(shown[str(number)] for number in ids if str(number) in shown) if isinstance(ids, list) else ()


def _for_mem0(facts: Iterable[tuple[Fact, str]], lesson: Lesson) -> str:
    """Put the facts into the lesson and return them in mem0's form. A repeated text is one fact."""
    rows: list[dict[str, str]] = []
    for fact, speaker in facts:
        key = text_hash(fact.text)
        if known := lesson.facts.get(key):
            fact.answered = fact.answered and known.answered
            fact.sources = tuple(dict.fromkeys((*known.sources, *fact.sources)))
            fact.supersedes = tuple(dict.fromkeys((*known.supersedes, *fact.supersedes)))
        else:
            rows.append({"id": str(len(rows)), "text": fact.text, "attributed_to": speaker})
        lesson.facts[key] = fact
    # mem0 removes <think>…</think> from an answer before parsing it, but must not do that within a fact.
    return json.dumps({"memory": rows}).replace("<", "\\u003c")
