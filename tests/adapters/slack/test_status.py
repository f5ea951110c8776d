"""Slack: the status line of a thread is there while an answer is made, and never after."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.ports import ReplyHandle
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

ANN = "U0ANN"
GENERAL = "C0GENERAL"


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that listens."""
    core = ScriptedCore()
    core.working = True
    async with running(SlackAdapter(settings(slack), core)) as core.adapter:  # type: ignore[attr-defined]
        yield core


async def _snapshots(text: str) -> AsyncIterator[str]:
    await asyncio.sleep(0.3)
    yield text


async def _again(slack: FakeSlack, core: ScriptedCore) -> ReplyHandle:
    """The way back to a message that has been answered with a word that the answer follows."""
    core.reply = lambda event: "The answer will follow."
    ts = await slack.mention(GENERAL, ANN, "hi")
    await slack.wait(lambda: core.sent)
    assert slack.status == {}
    adapter: SlackAdapter = core.adapter  # type: ignore[attr-defined]
    assert ts == core.events[0].place.thread
    return adapter.reply_handle(core.events[0])


async def test_gone_after_a_late_edit(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that comes late, by an edit, leaves no status line behind."""
    reply = await _again(slack, core)
    async with reply.working():
        await slack.wait(lambda: slack.status)
        await reply.stream(_snapshots("Here it is."))
    assert slack.counts["chat.update"] == 1
    assert slack.status == {}


async def test_gone_after_a_status_that_was_slow(slack: FakeSlack, core: ScriptedCore) -> None:
    """A status line that Slack shows only after the answer doesn't stay."""
    slack.fail("assistant.threads.setStatus", Fault(delay=0.7))
    ts = await slack.mention(GENERAL, ANN, "hi")
    await slack.answer(GENERAL, ts)
    await slack.wait(lambda: core.sent)
    await slack.wait(lambda: slack.counts["assistant.threads.setStatus"] == 2)
    await slack.wait(lambda: not slack.status)


@pytest.mark.slow
@pytest.mark.parametrize("error", ["restricted_action", "internal_error"])
async def test_gone_after_a_refusal(slack: FakeSlack, core: ScriptedCore, error: str) -> None:
    """An answer that is refused, for good or in passing, leaves no status line behind."""
    slack.fail("chat.postMessage", *[Fault(error=error)] * 4)
    slack.fail("conversations.replies", *[Fault(error=error)] * 4)
    await slack.mention(GENERAL, ANN, "hi")
    await slack.wait(lambda: slack.status)
    await slack.wait(lambda: core.failures)
    assert slack.status == {}


@pytest.mark.parametrize("way", ["nothing is shown", "it breaks off", "it is cancelled"])
async def test_gone_without_a_post(slack: FakeSlack, core: ScriptedCore, way: str) -> None:
    """However the work ends without a post, no status line stays."""
    reply = await _again(slack, core)

    async def work() -> None:
        async with reply.working():
            await slack.wait(lambda: slack.status)
            if way == "it breaks off":
                raise LookupError
            if way == "it is cancelled":
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    if way == "it is cancelled":
        await slack.wait(lambda: slack.status)
        await asyncio.sleep(0.1)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert slack.status == {}


async def test_gone_where_the_answer_is_found(slack: FakeSlack, core: ScriptedCore) -> None:
    """The status line of a process that died right after its answer is taken away where the answer is found."""
    reply = await _again(slack, core)
    place = core.events[0].place
    slack.status[place.channel, str(place.thread)] = "is thinking…"
    assert await reply.found() is not None
    assert slack.status == {}


async def test_no_call_where_a_post_follows(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that is posted costs one call for the status line: Slack takes it away by itself."""
    core.pieces, core.pause = ["so", "so far"], 0.8
    ts = await slack.mention(GENERAL, ANN, "hi")
    await slack.answer(GENERAL, ts, until=lambda text: text == "You said: hi")
    await slack.wait(lambda: core.sent)
    assert slack.counts["assistant.threads.setStatus"] == 1
    assert slack.status == {}
