"""Slack: an answer is whole, shown once and within Slack's limits, whatever Slack does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.ports import ClaimLost
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

pytestmark = pytest.mark.slow

ANN = "U0ANN"
GENERAL = "C0GENERAL"


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that listens."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)):
        yield core


async def _told(slack: FakeSlack, core: ScriptedCore, text: str = "hi") -> list[str]:
    """The texts of the answer to a direct message, once the core has its ids."""
    before = len(core.sent) + len(core.failures)
    await slack.dm(ANN, text)
    await slack.wait(lambda: len(core.sent) + len(core.failures) > before)
    return [message["text"] for message in slack.answers(slack.dm_channel(ANN))]


async def test_short_answer_is_one_call(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that is soon complete is posted once and never edited."""
    core.pieces = ["You", "You said"]
    assert await _told(slack, core) == ["You said: hi"]
    assert (slack.counts["chat.postMessage"], slack.counts["chat.update"]) == (1, 0)
    channel = slack.dm_channel(ANN)
    assert core.sent == [(f"slack:T0FAKE001:{channel}:{slack.answers(channel)[0]['ts']}",)]


async def test_long_answer_grows(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that takes its time is seen growing in one message, with few edits, and ends whole."""
    core.pieces = ["word " * count for count in range(1, 40)]
    core.pause = 0.1
    core.gate = asyncio.Event()
    await slack.dm(ANN, "hi")
    channel = slack.dm_channel(ANN)
    await slack.answer(channel, until=lambda text: 5 < text.count("word") < 40)
    core.gate.set()
    assert await slack.answer(channel, until=lambda text: text == "You said: hi")
    assert len(slack.answers(channel)) == 1
    assert slack.counts["chat.update"] <= 4


async def test_split(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer beyond one block's limit comes as several messages, whole, with code blocks closed."""
    paragraphs = [f"Paragraph {n}. " + "words " * 150 for n in range(40)]
    core.reply = lambda event: "\n\n".join(paragraphs) + "\n\n```python\n" + "print('<&>')\n" * 1_000 + "```"
    texts = await _told(slack, core)
    assert len(texts) > 3
    assert len(core.sent[0]) == len(texts)
    assert all(text.count("```") % 2 == 0 for text in texts)
    together = "\n".join(texts)
    assert all(f"Paragraph {n}." in together for n in range(40))
    assert together.count("print(") == 1_000


async def test_only_brackets(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that escaping makes four times as long is still within the limit."""
    core.reply = lambda event: "<" * 11_000
    texts = await _told(slack, core)
    assert sum(text.count("&lt;") for text in texts) == 11_000


async def test_shrinking_answer(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where a later text replaces a longer one, no message of the longer one stays."""
    core.pieces = ["words " * 4_000] * 12
    core.pause = 0.15
    assert await _told(slack, core) == ["You said: hi"]
    assert slack.counts["chat.delete"] >= 1


async def test_blocks_refused(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where Slack has no markdown block, the answer is mrkdwn, and still can't ping."""
    slack.markdown_blocks = False
    core.reply = lambda event: "**bold** [x](https://e.x) <!here> &lt;!channel&gt; `<@U0BEN>`"
    (text,) = await _told(slack, core)
    assert "*bold*" in text
    assert "<https://e.x|x>" in text
    assert not any(sign in text for sign in ("<!", "<@", "**"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, retry_after=1),
        Fault(status=500),
        Fault(status=503, after=True),
        Fault(drop=True),
        Fault(drop=True, after=True),
        Fault(error="internal_error"),
    ],
    ids=["429", "500", "503 though done", "cut", "cut though done", "internal"],
)
async def test_shown_once(slack: FakeSlack, core: ScriptedCore, fault: Fault) -> None:
    """A post that fails in passing, or that succeeds unheard, is shown exactly once."""
    slack.fail("chat.postMessage", fault)
    assert await _told(slack, core) == ["You said: hi"]
    assert core.failures == []


async def test_refused(slack: FakeSlack, core: ScriptedCore) -> None:
    """A post that Slack refuses for good is an error for the core, and the next message is answered."""
    slack.fail("chat.postMessage", Fault(error="not_in_channel"))
    assert await _told(slack, core) == []
    assert len(core.failures) == 1
    assert await _told(slack, core, "again") == ["You said: again"]


@pytest.mark.parametrize("fault", [Fault(status=429), Fault(status=500), Fault(drop=True, after=True)])
async def test_last_edit_is_sure(slack: FakeSlack, core: ScriptedCore, fault: Fault) -> None:
    """Edits that fail while an answer grows don't keep it from ending whole."""
    core.pieces = ["so", "so far", "so far so", "so far so good"]
    core.pause = 0.6
    slack.fail("chat.update", fault, fault)
    assert await _told(slack, core) == ["You said: hi"]


async def test_status(slack: FakeSlack, core: ScriptedCore) -> None:
    """A thread shows that the bot is working, and a refusal of that changes nothing."""
    core.working = True
    core.gate = asyncio.Event()
    ts = await slack.mention(GENERAL, ANN, "hi")
    await slack.wait(lambda: slack.counts["assistant.threads.setStatus"])
    core.gate.set()
    await slack.answer(GENERAL, ts)
    slack.fail("assistant.threads.setStatus", Fault(error="missing_scope"))
    core.gate.clear()
    ts = await slack.mention(GENERAL, ANN, "and")
    await slack.wait(lambda: slack.counts["assistant.threads.setStatus"] == 2)
    core.gate.set()
    assert await slack.answer(GENERAL, ts) == "You said: and"
    ts = await slack.mention(GENERAL, ANN, "more")
    assert await slack.answer(GENERAL, ts) == "You said: more"
    assert slack.counts["assistant.threads.setStatus"] == 2


async def test_taken_over(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that another process has taken over is edited no more, and its end is not shown."""
    core.pieces = ["So far"]
    core.gate = asyncio.Event()
    await slack.dm(ANN, "hi")
    channel = slack.dm_channel(ANN)
    assert await slack.answer(channel) == "So far"
    core.taken.add(core.events[0].id)
    core.gate.set()
    await slack.wait(lambda: core.failures)
    assert isinstance(core.failures[0], ClaimLost)
    assert [message["text"] for message in slack.answers(channel)] == ["So far"]
    assert slack.counts["chat.update"] == 0
