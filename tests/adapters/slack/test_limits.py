"""Slack: an answer is shown whole and once, within every limit, where edits, blocks or lengths are refused too."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack import text as slack_text
from adapters.slack import views as slack_views
from adapters.slack.adapter import SlackAdapter
from bot.views import Button, Item, Option, View
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault, Json
from tests.fakes.slack_blocks import blocks_problem, view_problem
from tests.fakes.traffic import TRAFFIC

pytestmark = pytest.mark.slow

ANN = "U0ANN"
GENERAL = "C0GENERAL"
PARAGRAPHS = [f"Paragraph {n}. " + "words & more " * 28 + f"End {n}." for n in range(20)]
ANSWER = "\n\n".join(PARAGRAPHS)


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that listens, whose answer of twenty paragraphs grows one by one."""
    core = ScriptedCore()
    core.pieces = ["\n\n".join(PARAGRAPHS[:count]) for count in range(1, 20)]
    core.pause = 0.13
    core.reply = lambda event: ANSWER
    async with running(SlackAdapter(settings(slack), core)):
        yield core


async def _shown(slack: FakeSlack, core: ScriptedCore) -> list[Json]:
    """The messages that show the answer to a direct message, once the core is done with it."""
    before = len(core.sent) + len(core.failures)
    await slack.dm(ANN, "hi")
    await slack.wait(lambda: len(core.sent) + len(core.failures) > before)
    assert core.failures == []
    return slack.answers(slack.dm_channel(ANN))


def _once(messages: list[Json]) -> None:
    """Each paragraph stands there once, whole and in order."""
    together = "\n".join(slack_text.plain(message["text"], "", {}) for message in messages)
    assert [together.count(f"Paragraph {n}.") for n in range(20)] == [1] * 20
    assert [together.count(f"End {n}.") for n in range(20)] == [1] * 20
    assert together.count("words & more") == 28 * 20
    assert "".join(together.split()) == "".join(ANSWER.split())


async def test_answer_that_outgrows_an_edit(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that grows past what an edit takes is shown whole, and no call is refused."""
    messages = await _shown(slack, core)
    _once(messages)
    assert all(len(args["text"]) <= 4_000 for method, args in slack.calls if method == "chat.update")
    assert slack.counts["chat.update"] > 0
    assert [id_.rpartition(":")[2] for id_ in core.sent[0]] == [message["ts"] for message in messages]


@pytest.mark.parametrize("kind", ["a late edit", "every edit"])
@pytest.mark.parametrize("error", ["cant_update_message", "edit_window_closed", "an_error_of_next_year", "is_inactive"])
async def test_edits_refused(slack: FakeSlack, core: ScriptedCore, error: str, kind: str) -> None:
    """Where a message may not be edited, what it lacks is posted after it, once, and edits are tried once."""
    if kind == "every edit":
        slack.no_edits = error
    else:
        slack.fail("chat.update", Fault(), *[Fault(error=error)] * 2)
    with TRAFFIC.paused():  # not each code is documented
        _once(await _shown(slack, core))
    assert slack.counts["chat.update"] <= 4


async def test_edit_refused_within_a_code_block(slack: FakeSlack, core: ScriptedCore) -> None:
    """What follows a message that can't be edited goes on in the code block that was open there."""
    slack.no_edits = "cant_update_message"
    lines = [f"print({n})" for n in range(30)]
    core.pieces = ["Look:\n\n```python\n" + "\n".join(lines[:count]) for count in range(1, 30)]
    core.reply = lambda event: "Look:\n\n```python\n" + "\n".join(lines) + "\n```\nThat was it."
    first, second = [message["text"] for message in await _shown(slack, core)]
    assert first.startswith("Look:\n\n```python\nprint(0)")
    assert first.endswith("\n```")
    assert second.startswith("```python\nprint(")
    assert second.endswith("```\nThat was it.")
    assert [(first + second).count(f"{line}\n") for line in lines] == [1] * 30


async def test_other_text_than_was_shown(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where what is shown can be neither edited nor continued, the answer is posted and the other text deleted."""
    slack.no_edits = "edit_window_closed"
    core.pieces, core.pause = ["I can't reach Claude right now. The answer follows."], 1.5
    _once(await _shown(slack, core))
    assert slack.counts["chat.delete"] == 1


@pytest.mark.parametrize("fault", [Fault(error="internal_error"), Fault(error="ratelimited"), Fault(drop=True)])
async def test_surplus_message_is_deleted_at_last(slack: FakeSlack, core: ScriptedCore, fault: Fault) -> None:
    """A message that isn't part of the answer any more is deleted, though Slack failed at first to do so."""
    slack.no_edits = "edit_window_closed"
    slack.fail("chat.delete", fault)
    core.pieces, core.pause = ["I can't reach Claude right now. The answer follows."], 1.5
    _once(await _shown(slack, core))


async def test_edited_message_was_deleted(slack: FakeSlack, core: ScriptedCore) -> None:
    """A message that somebody deletes while the answer grows is posted again, whole."""
    core.gate = asyncio.Event()
    channel = slack.dm_channel(ANN)
    await slack.dm(ANN, "hi")
    await slack.wait(lambda: slack.answers(channel))
    slack.messages[channel].remove(slack.answers(channel)[0])
    core.gate.set()
    await slack.wait(lambda: core.sent or core.failures)
    _once(slack.answers(channel))


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
@pytest.mark.parametrize(
    "error",
    ["invalid_blocks", "msg_blocks_too_long", "metadata_too_large", "invalid_arguments", "an_error_of_next_year"],
)
async def test_forms_refused(slack: FakeSlack, core: ScriptedCore, method: str, error: str) -> None:
    """A message that Slack refuses as it is goes in a plainer form."""
    slack.fail(method, Fault(error=error))
    _once(await _shown(slack, core))


async def test_blocks_never_accepted(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where no block is ever accepted the answer is mrkdwn, in messages that Slack doesn't split by itself."""
    slack.blocks_refused = "invalid_blocks"
    core.reply = lambda event: ANSWER + "\n\n[a link](https://e.x/?a=1&b=2) " * 100
    messages = await _shown(slack, core)
    assert all(message.get("metadata") for message in messages)
    assert all(len(message["text"]) <= 4_000 for message in messages)
    together = "".join(message["text"] for message in messages)
    assert together.count("https://e.x/") == 100
    assert [together.count(f"End {n}.") for n in range(20)] == [1] * 20


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_too_long_all_the_same(slack: FakeSlack, core: ScriptedCore, method: str) -> None:
    """Where Slack takes less than it says, the answer goes in shorter messages."""
    slack.fail(method, Fault(error="msg_too_long"), Fault(error="msg_too_long"))
    _once(await _shown(slack, core))


async def test_no_reply_possible(slack: FakeSlack, core: ScriptedCore) -> None:
    """In a channel without threads the answer is posted beside the question."""
    slack.fail("chat.postMessage", Fault(error="restricted_action_non_threadable_channel"))
    core.pieces, core.reply = [], lambda event: "Yes."
    await slack.mention(GENERAL, ANN, "hi")
    assert await slack.answer(GENERAL) == "Yes."


@pytest.mark.parametrize(
    ("text", "shown", "rest"),
    [
        ("one two three", "one two", " three"),
        ("one two", "one two", ""),
        ("one two", "one", " two"),
        ("another", "one", None),
        ("a\n```py\nx\ny\n```\nb", "a\n```py\nx\n```", "```py\ny\n```\nb"),
        ("a\n```py\nx\n```\nb", "a\n```py\nx\n```", "\nb"),
        ("~~~\nx\n```\ny", "~~~\nx\n```\n~~~", "~~~\ny"),
    ],
)
def test_rest(text: str, shown: str, rest: str | None) -> None:
    """What a message lacks of a text is told, code blocks opened again; nothing where it says something else."""
    assert slack_text.rest(text, shown) == rest


@pytest.mark.parametrize(
    "text", ["x" * 20_000, "&" * 20_000, "<" * 9_000, "word " * 4_000, "🦎" * 9_000, "`<` & " * 2_000]
)
def test_parts_fit(text: str) -> None:
    """Whatever escaping makes of a text, its parts fit what a post and an edit take, and are none too short."""
    parts = slack_text.parts(text)
    assert all(len(slack_text.escape(part)) <= 4_000 and len(slack_text.markdown(part)) <= 12_000 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert len(parts) <= len(text) // 450 + 1


@pytest.mark.parametrize("count", [1, 10, 24, 60, 500])
@pytest.mark.parametrize("length", [10, 900, 4_000])
def test_views_fit(count: int, length: int) -> None:
    """However many items and however long, a view is within the limits of a message, and of the App Home."""
    items = tuple(Item(n, "x" * length, "note", "https://x.y") for n in range(count))
    buttons = tuple(Button("b" * 200, f"action:{n}") for n in range(30))
    view = View("Title", items, "f" * 500, buttons, tuple(Option("o" * 200, f"{n}") for n in range(10)))
    assert blocks_problem(slack_views.blocks(view)) == ""
    assert view_problem(slack_views.home(view, view, "{}")) == ""
    assert len(slack_views.text(view)) <= 4_000
    whole = "\n".join(slack_views.texts(view))
    assert whole.count("x") == count * length + whole.count("https://x.y")
