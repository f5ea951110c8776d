"""Slack: where there is no status line, a reaction shows that an answer is being made, and is never left behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.pace import REFUSED_FOR, Pace
from bot.events import MessageEvent
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

ANN, GENERAL = "U0ANN", "C0GENERAL"


@pytest.fixture
def core() -> ScriptedCore:
    """A core that shows its work, and answers when told to."""
    core = ScriptedCore()
    core.working = True
    core.gate = asyncio.Event()
    return core


async def _asked(slack: FakeSlack, core: ScriptedCore, text: str = "hi") -> tuple[str, str]:
    """A direct message that is being answered: its channel and ts."""
    before = len(core.events)
    ts = await slack.dm(ANN, text)
    await slack.wait(lambda: len(core.events) > before)
    return slack.dm_channel(ANN), ts


async def _finished(slack: FakeSlack, core: ScriptedCore) -> None:
    assert core.gate is not None
    before = len(core.sent) + len(core.failures)
    core.gate.set()
    await slack.wait(lambda: len(core.sent) + len(core.failures) > before)
    core.gate.clear()


async def test_shown_until_the_last_word(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter) -> None:
    """A direct message carries the reaction before its answer is there, while that grows too, and not after."""
    core.pieces = ["So far"]
    where = await _asked(slack, core)
    await slack.wait(lambda: slack.reactions)
    assert slack.reactions == {where: {"eyes"}}
    await slack.answer(where[0])
    assert slack.reactions == {where: {"eyes"}}
    await _finished(slack, core)
    await slack.wait(lambda: not slack.reactions)
    assert slack.counts["assistant.threads.setStatus"] == 0


async def test_in_a_thread_it_is_the_status(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter) -> None:
    """A thread, of a direct message too, shows the status line with what goes on, and no reaction."""
    root = slack.unheard(slack.dm_channel(ANN), ANN, "earlier")
    await slack.dm(ANN, "hi", root)
    await slack.wait(lambda: slack.status)
    (sent,) = [args for method, args in slack.calls if method == "assistant.threads.setStatus"]
    assert sent["loading_messages"]
    await _finished(slack, core)
    await slack.wait(lambda: not slack.status)
    assert slack.counts["reactions.add"] == 0


async def test_a_thread_without_status(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter) -> None:
    """A workspace that refuses the status line gets the reaction in its threads, and isn't asked again."""
    slack.fail("assistant.threads.setStatus", Fault(error="missing_scope"))
    for count in (1, 2):
        ts = await slack.mention(GENERAL, ANN, "hi")
        await slack.wait(lambda: slack.reactions)
        assert slack.reactions == {(GENERAL, ts): {"eyes"}}
        await _finished(slack, core)
        await slack.wait(lambda: not slack.reactions)
        assert slack.counts["assistant.threads.setStatus"] == 1
        assert slack.counts["reactions.remove"] == count


async def test_scope_missing(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter) -> None:
    """Without `reactions:write` it works as before, and isn't tried again."""
    slack.fail("reactions.add", Fault(error="missing_scope"))
    for _ in range(2):
        await _asked(slack, core)
        await slack.wait(lambda: slack.counts["reactions.add"])
        await _finished(slack, core)
    assert slack.counts["reactions.add"] == 1
    assert slack.counts["reactions.remove"] == 0
    assert len(core.sent) == 2


@pytest.mark.parametrize(
    "fault", [Fault(status=429), Fault(status=500), Fault(drop=True), Fault(drop=True, after=True)]
)
async def test_removed_despite_failures(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter, fault: Fault) -> None:
    """A removal that fails in passing, or is rate-limited, is made up for."""
    await _asked(slack, core)
    await slack.wait(lambda: slack.reactions)
    slack.fail("reactions.remove", fault)
    await _finished(slack, core)
    await slack.wait(lambda: not slack.reactions)


@pytest.mark.parametrize("fault", [Fault(delay=0.6), Fault(drop=True, after=True), Fault(status=503, after=True)])
async def test_added_unheard(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter, fault: Fault) -> None:
    """A reaction that Slack shows late, or without our hearing of it, doesn't stay either."""
    slack.fail("reactions.add", fault)
    await _asked(slack, core)
    await slack.wait(lambda: slack.counts["reactions.add"])
    await _finished(slack, core)
    await slack.wait(lambda: slack.counts["reactions.remove"])
    await slack.wait(lambda: not slack.reactions)


async def test_rate_limited(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter) -> None:
    """Past the rate limit the reaction is left out, and the answer is as quick as ever."""
    slack.fail("reactions.add", Fault(status=429, retry_after=30))
    for _ in range(2):
        await _asked(slack, core)
        await slack.wait(lambda: slack.counts["reactions.add"])
        async with asyncio.timeout(2):
            await _finished(slack, core)
    assert slack.counts["reactions.add"] == 1


async def test_many_at_once(slack: FakeSlack, core: ScriptedCore, bot: SlackAdapter) -> None:
    """No more reactions are added than can be removed within Slack's limit; none is refused or stays."""
    for n in range(30):
        await slack.dm(f"U0P{n}", "hi")
    await slack.wait(lambda: len(core.events) == 30)
    assert core.gate is not None
    core.gate.set()
    await slack.wait(lambda: len(core.sent) == 30)
    await slack.wait(lambda: not slack.reactions)
    assert slack.limits is not None
    assert 10 < slack.counts["reactions.add"] <= 20
    assert not {"reactions.add", "reactions.remove"} & {*slack.limits.refused}


async def _killed(slack: FakeSlack, *, answered: bool) -> MessageEvent:
    """An event whose process died with the reaction shown."""
    core = ScriptedCore()
    core.breaks = not answered
    async with running(SlackAdapter(settings(slack), core)):
        await slack.dm(ANN, "hi")
        await slack.wait(lambda: core.sent or core.failures)
    (event,) = core.events
    slack.reactions[event.place.channel, event.id.rpartition(":")[2]] = {"eyes"}
    return event


async def test_removed_by_the_next_process(slack: FakeSlack) -> None:
    """What a process left behind when it died is removed by the one that resumes, at its answer's end."""
    event = await _killed(slack, answered=False)
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        reply = adapter.reply_handle(event)
        assert await reply.found() is None
        async with reply.working():
            await reply.stream(_snapshots("Here it is."))
        await slack.wait(lambda: not slack.reactions)


async def test_removed_where_the_answer_is_found(slack: FakeSlack) -> None:
    """It is removed as well where the whole answer is there already."""
    event = await _killed(slack, answered=True)
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        assert await adapter.reply_handle(event).found() is not None
        assert slack.reactions == {}


async def test_removed_before_the_bot_stops(slack: FakeSlack, core: ScriptedCore) -> None:
    """A removal that is retried when the bot stops is waited for."""
    async with running(SlackAdapter(settings(slack), core)):
        await _asked(slack, core)
        await slack.wait(lambda: slack.reactions)
        slack.fail("reactions.remove", Fault(status=500), Fault(status=500))
        assert core.gate is not None
        core.gate.set()
    assert slack.reactions == {}


async def _snapshots(text: str) -> AsyncIterator[str]:
    yield text


def test_a_refusal_is_remembered_for_an_hour() -> None:
    """A method that the workspace doesn't offer is tried again after an hour."""
    now = [1000.0]
    pace = Pace(lambda: now[0])
    assert not pace.is_refused("reactions.add")
    pace.refuse("reactions.add")
    assert pace.is_refused("reactions.add")
    now[0] += REFUSED_FOR
    assert not pace.is_refused("reactions.add")
