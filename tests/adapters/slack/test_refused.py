"""Slack: what it refuses for good is tried in one more form, then said once where that can be said, and ended."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.errors import REFUSALS, Refusal
from bot.ports import PlatformRefused
from bot.views import Item, View
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault
from tests.fakes.traffic import TRAFFIC

pytestmark = pytest.mark.slow

ANN = "U0ANN"
GENERAL = "C0GENERAL"
FOR_GOOD = sorted(name for name, kind in REFUSALS.items() if kind is not Refusal.TRANSIENT)
TRANSIENT = sorted(name for name, kind in REFUSALS.items() if kind is Refusal.TRANSIENT)


class Telling(ScriptedCore):
    """A core that tells the person once where an answer is refused for good, as the real one does."""

    async def on_message(self, event, reply, *, admitted=False):  # type: ignore[no-untyped-def]
        """Answer once."""
        before = len(self.failures)
        await super().on_message(event, reply, admitted=admitted)
        for error in self.failures[before:]:
            if isinstance(error, PlatformRefused):
                try:
                    await reply.whisper(error.sentence)
                except PlatformRefused as exc:
                    self.failures.append(exc)
        self.ended.set()

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[Telling]:
    """A core behind an adapter that listens."""
    core = Telling()
    async with running(SlackAdapter(settings(slack), core)):
        yield core


@pytest.mark.parametrize("error", [*FOR_GOOD, "an_error_of_next_year"])
async def test_refused_for_good(slack: FakeSlack, core: Telling, error: str) -> None:
    """A refusal that no later try mends is one for the core after one more try at most, and is said once."""
    slack.closed[GENERAL] = error
    with TRAFFIC.paused():  # not each code is documented for each method
        await slack.mention(GENERAL, ANN, "hi")
        await core.ended.wait()
    assert [type(failure) for failure in core.failures] == [PlatformRefused]
    assert slack.counts["chat.postMessage"] - len(slack.answers(slack.dm_channel(ANN))) <= 2
    assert slack.answers(GENERAL) == []
    (said,) = slack.answers(slack.dm_channel(ANN))
    assert said["text"].startswith(f"<#{GENERAL}>: I have an answer for you, but ")
    assert "You said" not in said["text"]


@pytest.mark.parametrize("error", TRANSIENT)
async def test_refused_in_passing(slack: FakeSlack, core: Telling, error: str) -> None:
    """A refusal that a later try may mend is followed by that try."""
    slack.fail("chat.postMessage", Fault(error=error))
    await slack.dm(ANN, "hi")
    assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"
    assert core.failures == []


@pytest.mark.parametrize("status", [403, 404, 408, 502])
async def test_page_of_a_proxy(slack: FakeSlack, core: Telling, status: int) -> None:
    """What isn't Slack's own word refuses nothing for good: the answer is posted by a later try."""
    slack.fail("chat.postMessage", *[Fault(status=status, page=True)] * 3)
    await slack.dm(ANN, "hi")
    assert await slack.answer(slack.dm_channel(ANN)) == "You said: hi"
    assert core.failures == []


async def test_said_ephemerally(slack: FakeSlack, core: Telling) -> None:
    """Where only the answer is refused, the person alone is told in the channel: no empty thread would show it."""
    slack.fail("chat.postMessage", Fault(error="restricted_action"))
    await slack.mention(GENERAL, ANN, "hi")
    said = await slack.whispered(ANN)
    assert (said["channel"], said.get("thread_ts")) == (GENERAL, None)
    assert said["text"] == "I have an answer for you, but this workspace doesn't let me post here."
    assert slack.counts["chat.postMessage"] == 1


async def test_said_ephemerally_in_a_thread(slack: FakeSlack, core: Telling) -> None:
    """In a thread that goes on, the person alone is told there."""
    slack.fail("chat.postMessage", Fault(error="restricted_action"))
    root = slack.unheard(GENERAL, "U0BEN", "a thread")
    await slack.mention(GENERAL, ANN, "hi", root)
    said = await slack.whispered(ANN)
    assert (said["channel"], said["thread_ts"]) == (GENERAL, root)


async def test_nowhere_to_say_it(slack: FakeSlack, core: Telling) -> None:
    """Where nothing may be said anywhere, it ends with that, without retries."""
    slack.closed[GENERAL] = "is_archived"
    slack.fail("conversations.open", Fault(error="user_disabled"))
    await slack.mention(GENERAL, ANN, "hi")
    await core.ended.wait()
    assert [getattr(error, "code", "") for error in core.failures] == ["is_archived", "user_disabled"]
    assert slack.counts["chat.postMessage"] == 1


async def test_refused_while_it_grows(slack: FakeSlack, core: Telling) -> None:
    """Once a post is refused for good, the rest of the answer isn't waited for, nor posted."""
    slack.closed[GENERAL] = "restricted_action"
    core.pieces, core.pause = ["so far"] * 100, 0.1
    await slack.mention(GENERAL, ANN, "hi")
    async with asyncio.timeout(5):
        await core.ended.wait()
    posted = [args for method, args in slack.calls if method == "chat.postMessage" and args["channel"] == GENERAL]
    assert len(posted) == 1


async def test_archived_while_it_grows(slack: FakeSlack, core: Telling) -> None:
    """A channel that is archived amid an answer ends it; the person is told by direct message."""
    core.pieces, core.gate = ["So far"], asyncio.Event()
    ts = await slack.mention(GENERAL, ANN, "hi")
    assert await slack.answer(GENERAL, ts) == "So far"
    slack.channels[GENERAL]["is_archived"] = True
    core.gate.set()
    await core.ended.wait()
    (said,) = slack.answers(slack.dm_channel(ANN))
    assert "archived" in said["text"]


@pytest.mark.parametrize("error", ["not_in_channel", "user_not_in_channel", "restricted_action", "is_archived"])
async def test_view_by_direct_message(slack: FakeSlack, core: Telling, error: str) -> None:
    """An answer to a command that can't be shown where it was given is shown in the person's direct messages."""
    slack.closed[GENERAL] = error
    channel = slack.dm_channel(ANN)
    with TRAFFIC.paused():  # not each code is documented for each method
        await slack.mention(GENERAL, ANN, "memories")
        await slack.wait(lambda: slack.answers(channel))
    (said,) = slack.answers(channel)
    assert said["text"].startswith(f"<#{GENERAL}>: What I remember about you")
    assert "Likes tea" in str(said["blocks"])
    assert slack.ephemerals == []


@pytest.mark.parametrize("way", ["response URL", "words"])
async def test_view_without_blocks(slack: FakeSlack, core: Telling, way: str) -> None:
    """A view whose blocks Slack refuses is shown as text, whole."""
    slack.blocks_refused = "invalid_blocks"
    core.listing = View("What I remember", tuple(Item(n, f"Fact {n}. " + "x" * 900) for n in range(10)))
    if way == "words":
        await slack.mention(GENERAL, ANN, "memories")
    else:
        asking = asyncio.create_task(slack.command(ANN, "memories", "", GENERAL))
    await slack.wait(lambda: sum(len(message["text"]) for message in slack.ephemerals) > 9_000)
    if way != "words":
        asking.cancel()
    together = "\n".join(message["text"] for message in slack.ephemerals)
    assert [together.count(f"Fact {n}.") for n in range(10)] == [1] * 10
    assert all(len(message["text"]) <= 4_000 for message in slack.ephemerals)


async def test_used_up_response_url(slack: FakeSlack, core: Telling) -> None:
    """An answer for which a response URL is used up is shown ephemerally."""
    shown = await slack.command(ANN, "memories", "", GENERAL)
    slack.responses["r-used"] = [shown] * 5
    payload = {"command": "/memories", "text": "", "user_id": ANN, "team_id": "T0FAKE001", "channel_id": GENERAL}
    await slack.deliver("slash_commands", payload | {"response_url": f"{slack.url}/response/r-used"})
    assert "Likes tea" in (await slack.whispered(ANN))["text"]


async def test_view_where_a_limit_lasts(slack: FakeSlack, core: Telling) -> None:
    """Where Slack takes no ephemeral message for minutes, the person is shown it by direct message at once."""
    slack.fail("chat.postEphemeral", Fault(status=429, retry_after=600))
    async with asyncio.timeout(10):
        await slack.mention(GENERAL, ANN, "/memories")
        await slack.wait(lambda: slack.answers(slack.dm_channel(ANN)))


async def test_view_in_an_outage(slack: FakeSlack, core: Telling) -> None:
    """A view that Slack fails to show in passing is shown a moment later."""
    slack.fail("chat.postEphemeral", Fault(status=503))
    await slack.mention(GENERAL, ANN, "memories")
    assert "Likes tea" in (await slack.whispered(ANN))["text"]
