"""The extractor by itself: what a request holds, and what the meter counts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import client
from bot.memory.embedded.extractor import TIMEOUT, Extractor
from bot.memory.embedded.learning_loop import LearningLoop
from bot.memory.vectors.lesson import Lesson, current, text_hash
from bot.ports import LearningFailed
from tests.fakes.claude import REFUSAL, FakeClaude, Reply, facts
from tests.memory.embedded.test_extractor_prompt import mem0_prompt
from tests.memory.embedding import exchange, settings
from tests.stubs import StubSpending


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude() as server:
        yield server


@pytest.fixture
async def loop() -> AsyncIterator[LearningLoop]:
    made = LearningLoop()
    yield made
    await made.close()


async def extract(loop: LearningLoop, extractor: Extractor, lesson: Lesson) -> str:
    """An extraction as mem0 asks for it: on the learning loop, by `to_thread`."""

    async def ask() -> str:
        current.set(lesson)
        given = [{"role": "system", "content": "S" * 33_000}, {"role": "user", "content": prompt}]
        call: Callable[[], Any] = partial(extractor.generate_response, given)
        return str(await asyncio.to_thread(call))

    prompt = mem0_prompt(list(lesson.exchanges))
    return await loop.run(ask())


def lesson(*texts: str) -> Lesson:
    said = tuple(exchange(number, text) for number, text in enumerate(texts, 1))
    return Lesson("discord:1", "private", said, lambda connection: None, existing=["id-a", "id-b"])


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"])
async def test_a_request_is_whole_cached_by_schema_and_without_thinking(
    claude: FakeClaude, loop: LearningLoop, model: str
) -> None:
    """One call, not streamed, with a cached system prompt and a schema, in the way each model takes it."""
    extractor = Extractor(client(settings(Path("unused"), claude), TIMEOUT), model, StubSpending())
    await extract(loop, extractor, lesson("I like tea."))
    (request,) = claude.requests
    assert "stream" not in request
    assert request["system"][0] == {"type": "text", "text": "S" * 33_000}
    assert request["system"][1]["cache_control"] == {"type": "ephemeral"}
    assert request["output_config"]["format"]["type"] == "json_schema"
    await loop.run(extractor.close())


async def test_facts_are_left_in_the_lesson(claude: FakeClaude, loop: LearningLoop) -> None:
    """Sources and what is superseded are beside each fact; numbers that were not shown are dropped."""
    claude.handler = lambda request: facts(
        {"text": "User lives in Porto", "source": 2, "supersedes": ["1", "0", "5", 1]},
        {"text": "User lives in Porto", "source": 1},
        {"text": "  ", "source": 1},
    )
    extractor = Extractor(client(settings(Path("unused"), claude), TIMEOUT), "claude-haiku-5-5", StubSpending())
    taught = lesson("one", "two")
    answer = await extract(loop, extractor, taught)
    (fact,) = taught.facts.values()
    assert taught.facts.keys() == {text_hash("User lives in Porto")}
    assert [source.event_id for source in fact.sources] == ["discord:2", "discord:1"]
    assert set(fact.supersedes) == {"id-b", "id-a"}
    assert answer.count("Porto") == 1
    await loop.run(extractor.close())


async def test_the_meter_counts_what_is_billed(claude: FakeClaude, loop: LearningLoop) -> None:
    """Calls and tokens by kind add up to what the service has billed, refused and cut answers included."""
    extractor = Extractor(client(settings(Path("unused"), claude), TIMEOUT), "claude-haiku-5-5", StubSpending())
    await extract(loop, extractor, lesson("I like tea."))
    for answer in (REFUSAL, Reply("{", stop_reason="max_tokens")):
        claude.script.append(answer)
        with pytest.raises(LearningFailed):
            await extract(loop, extractor, lesson("I like cake."))
    meter = extractor.meter
    assert (meter.calls, meter.refused, meter.unusable) == (3, 1, 1)
    assert {name: getattr(meter, name) for name in claude.tokens} == claude.tokens
    assert meter.cache_read > meter.input
    await loop.run(extractor.close())
