"""Slack: tables are its own or aligned text, while they grow too, and nothing that it would refuse is sent."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from markdown_it import MarkdownIt

from adapters.slack.adapter import SlackAdapter
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault, Json

pytestmark = pytest.mark.slow

ANN, GENERAL = "U0ANN", "C0GENERAL"
TABLE = "| City | Name | People |\n|:--|:--|--:|\n| Tokyo | 東京 | 14 |\n| Porto | Porto | 0.2 |\n"
NATIVE = "| City | Name | People |\n| --- | --- | --: |\n| Tokyo | 東京 | 14 |\n| Porto | Porto | 0.2 |"
ALIGNED = "```\nCity  │ Name  │ People\n──────┼───────┼───────\nTokyo │ 東京  │     14\nPorto │ Porto │    0.2\n```"
ANSWER = f"Two **cities** that you know of are these.\n\n{TABLE}\nThat is all that I know of them."
STREAMS = ("chat.startStream", "chat.appendStream", "chat.stopStream")


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that has edited a message before, so that it knows that edits work."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)) as adapter:
        adapter._api.edits_work = True
        yield core


async def _shown(slack: FakeSlack, core: ScriptedCore, answer: str, *, step: int = 0, place: str = "dm") -> list[Json]:
    """The messages that show an answer, which grows by `step` characters where that is given."""
    core.reply = lambda event: answer
    if step:
        core.pieces, core.pause = [answer[:end] for end in range(step, len(answer), step)], 0.06
    thread = None
    if place == "dm":
        await slack.dm(ANN, "hi")
    else:
        thread = await slack.mention(GENERAL, ANN, "hi")
    await slack.wait(lambda: core.sent or core.failures)
    assert core.failures == []
    return slack.answers(slack.dm_channel(ANN) if place == "dm" else GENERAL, thread)


def _markdown(message: Json) -> str:
    (block,) = message["blocks"]
    assert block["type"] == "markdown"
    return str(block["text"])


def _bars(markdown: str) -> list[str]:
    """The paragraphs of a text that show bars, as a table does that is none."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    cells = {number + 1 for number, token in enumerate(tokens) if token.type in ("th_open", "td_open")}
    return [
        token.content
        for number, token in enumerate(tokens)
        if token.type == "inline" and number not in cells and "|" in token.content
    ]


async def test_as_slacks_table(slack: FakeSlack, core: ScriptedCore) -> None:
    """A table is sent as one, which Slack shows as its own."""
    (message,) = await _shown(slack, core, ANSWER)
    assert NATIVE in _markdown(message)


async def test_the_second_is_aligned(slack: FakeSlack, core: ScriptedCore) -> None:
    """Slack takes one table in a message; others are aligned text, by the width of their letters."""
    (message,) = await _shown(slack, core, f"{ANSWER}\n\n{TABLE}")
    assert _markdown(message).count(NATIVE) == 1
    assert _markdown(message).endswith(ALIGNED)
    assert slack.counts["chat.postMessage"] == 1


@pytest.mark.parametrize(
    "table",
    [
        "| n |\n|---|\n" + "".join(f"| {n} |\n" for n in range(120)),
        f"|{'a|' * 21}\n|{'-|' * 21}\n|{'b|' * 21}\n",
        f"- A list\n\n  {TABLE.replace(chr(10), chr(10) + '  ')}",
    ],
    ids=["rows", "columns", "in a list"],
)
async def test_what_slack_would_refuse(slack: FakeSlack, core: ScriptedCore, table: str) -> None:
    """A table that Slack's can't be is shown otherwise, at the first attempt, whole."""
    (message,) = await _shown(slack, core, table)
    assert not _bars(_markdown(message))
    assert "| --- |" not in _markdown(message)
    assert slack.counts["chat.postMessage"] == 1


async def test_grows_by_whole_rows(slack: FakeSlack, core: ScriptedCore) -> None:
    """While an answer grows by edits, its table has whole rows alone, and no bars are shown before it is one."""
    (message,) = await _shown(slack, core, ANSWER, step=3)
    shown = [_markdown(args) for method, args in slack.calls if method in ("chat.postMessage", "chat.update")]
    assert len(shown) > 3
    rows = NATIVE.split("\n")
    for text in shown:
        assert _bars(text) == []
        assert all(line in rows for line in text.split("\n") if line.startswith("|"))
    assert NATIVE in _markdown(message)


async def test_streamed(slack: FakeSlack, core: ScriptedCore) -> None:
    """In a stream, whose texts stay, a table is aligned once it is whole; in the end it is Slack's own."""
    core.gate = asyncio.Event()
    asking = asyncio.create_task(_shown(slack, core, ANSWER, step=6, place="thread"))
    await slack.wait(lambda: slack.counts["chat.appendStream"])
    texts: list[str] = []
    while not texts or ALIGNED not in texts[-1]:
        texts.append(next(m["text"] for m in slack.messages[GENERAL] if m["ts"] in slack.open_streams))
        await asyncio.sleep(0.02)
    assert not any("|" in text for text in texts)
    core.gate.set()
    (message,) = await asking
    assert NATIVE in _markdown(message)
    assert slack.counts["chat.startStream"] == 1


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", *STREAMS[:2]])
@pytest.mark.parametrize("error", ["invalid_blocks", "invalid_attachments", "msg_blocks_too_long"])
async def test_refused(
    slack: FakeSlack, core: ScriptedCore, caplog: pytest.LogCaptureFixture, method: str, error: str
) -> None:
    """What Slack refuses of a message's form is sent as text, in the same place, and the log says so once."""
    caplog.set_level(logging.INFO, "adapters.slack")
    if method in STREAMS:
        slack.fail(method, Fault(error=error))
        slack.fail("chat.update", Fault(error=error))
    else:
        slack.fail(method, Fault(error=error))
    place = "thread" if method in STREAMS else "dm"
    (message,) = await _shown(slack, core, ANSWER, step=6, place=place)
    assert message["blocks"] == []
    assert ALIGNED in message["text"]
    assert message["metadata"]["event_payload"]["done"] is True
    assert [record.message for record in caplog.records if "plainer form" in record.message] == [
        f"{core.events[0].id}: Slack refuses the message ({error}); sent in a plainer form"
    ]
