"""Learning when the day's limit is reached: nothing fails, and what waits is told apart from what is learned."""

import asyncio
import logging
from pathlib import Path

import pytest

from bot.ports import LearningFailed, LimitReached
from bot.usage import Payer, Purpose, Usage
from tests.fakes.claude import FakeClaude, Reply, Request, facts
from tests.memory.embedding import Waiting, exchange, opened
from tests.stubs import StubCharge, StubSpending

LIMIT = LimitReached(person=False, seconds=60)


class Allows(StubSpending):
    """Lets so many requests through. Only then is it known that the limit is reached."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self._left = requests

    async def charge(self, payer: Payer, purpose: Purpose, model: str, max_usage: Usage) -> StubCharge:
        if not self._left:
            self.limit = LIMIT
        self._left -= 1
        return await super().charge(payer, purpose, model, max_usage)


async def test_what_cannot_be_paid_for_is_not_begun(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once the limit is known to be reached, a lesson costs nothing, nor does mem0 report trouble."""
    async with FakeClaude() as claude, opened(tmp_path, claude, spending=StubSpending(LIMIT)) as memory:
        with pytest.raises(LearningFailed) as caught:
            await memory.learn([exchange(1, "I live in Porto.")])
        assert caught.value.wait == LIMIT.seconds
        assert claude.calls == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("allowed", [0, 1, 2, 3])
async def test_the_limit_is_reached_within_a_batch_that_is_halved(tmp_path: Path, allowed: int) -> None:
    """What is learned by then stays learned; the rest waits, and none of it counts as failed."""

    def answer(request: Request) -> Reply:
        first = len(claude.requests) == 1
        told = facts({"text": f"fact {len(claude.requests)}", "source": 1})
        return Reply(told, stop_reason="max_tokens" if first else "end_turn")

    waiting = Waiting()
    async with FakeClaude() as claude, opened(tmp_path, claude, waiting, Allows(allowed)) as memory:
        claude.handler = answer
        said = [exchange(number, f"I like number {number}.") for number in range(1, 5)]
        async with asyncio.timeout(20):
            if allowed < 3:
                with pytest.raises(LearningFailed) as caught:
                    await memory.learn(said)
                assert (caught.value.wait, caught.value.ids, caught.value.final) == (LIMIT.seconds, None, False)
            else:
                assert await memory.learn(said) == 2
        assert claude.calls == allowed
        assert len(await memory.list("discord:1")) == max(0, allowed - 1)
        assert waiting.learned == [1, 2, 3, 4][: 2 * max(0, allowed - 1)]
