"""Slack: commands and buttons are answered to one person alone, and do what that person may."""

from collections.abc import AsyncIterator

import pytest

from adapters.slack import views as slack_views
from adapters.slack.adapter import SlackAdapter
from bot.model import Person
from bot.views import Button, Item, View
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault, would_ping

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that listens."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)):
        yield core


async def test_command(slack: FakeSlack, core: ScriptedCore) -> None:
    """A slash command is acknowledged and answered to the caller alone."""
    answer = await slack.command(ANN, "memories", "tea &amp; milk", GENERAL)
    (event,) = core.commands
    assert (event.name, event.argument, event.person) == ("memories", "tea & milk", Person("slack", TEAM, ANN))
    assert event.place.channel == GENERAL
    assert answer["response_type"] == "ephemeral"
    assert "Likes tea" in answer["text"]
    assert [block["type"] for block in answer["blocks"]] == [
        "header",
        "section",
        "context",
        "section",
        "context",
        "actions",
    ]
    assert "<https://fake.slack.com/archives/C1/p1|" in answer["blocks"][2]["elements"][0]["text"]
    assert slack.messages.get(GENERAL) is None
    await slack.acknowledged()


async def test_forget_without_words(slack: FakeSlack, core: ScriptedCore) -> None:
    """`/forget` alone has no argument."""
    await slack.command(ANN, "forget")
    assert (core.commands[0].name, core.commands[0].argument) == ("forget", "")


async def test_button(slack: FakeSlack, core: ScriptedCore) -> None:
    """A press takes the view's place, and whoever clicked is who the core is told of."""
    answer = await slack.command(ANN, "forget", "tea")
    taken = await slack.press(ANN, answer, "Forget")
    assert (taken["replace_original"], taken["text"]) == (True, "Pressed forget:7")
    await slack.press(BEN, answer, "Cancel")
    assert [(press.person.user, press.action) for press in core.presses] == [(ANN, "forget:7"), (BEN, "cancel:7")]


@pytest.mark.parametrize("words", ['memories "tea"', "/memories tea", "MEMORIES  “tea”", "Memories 'tea'"])
async def test_in_a_thread(slack: FakeSlack, core: ScriptedCore, words: str) -> None:
    """Where slash commands don't reach, the same words after a mention do, once though the mention comes twice."""
    root = await slack.say(GENERAL, ANN, "lunch?")
    await slack.mention(GENERAL, ANN, words, root)
    shown = await slack.whispered(ANN)
    assert (shown["channel"], shown["thread_ts"]) == (GENERAL, root)
    assert "Likes tea" in shown["text"]
    await slack.acknowledged()
    await slack.dm(BEN, "last")
    await slack.answer(slack.dm_channel(BEN))
    assert [(event.name, event.argument) for event in core.commands] == [("memories", "tea")]
    assert [event.text for event in core.events] == ["last"]
    taken = await slack.press(ANN, shown, "Forget")
    assert taken["text"] == "Pressed forget:7"
    assert core.presses[0].place.thread == root


async def test_in_a_dm(slack: FakeSlack, core: ScriptedCore) -> None:
    """In a direct message the words work with a mention, a slash, or alone; a sentence that begins with one is talk."""
    await slack.dm(ANN, f"<@{BOT}> forget 'the milk'")
    await slack.whispered(ANN)
    await slack.dm(ANN, "/forget 3")
    await slack.whispered(ANN, 2)
    await slack.dm(ANN, "memories")
    assert "thread_ts" not in await slack.whispered(ANN, 3)
    assert [(event.name, event.argument) for event in core.commands] == [
        ("forget", "the milk"),
        ("forget", "3"),
        ("memories", ""),
    ]
    await slack.dm(ANN, "Forget it, thanks")
    await slack.answer(slack.dm_channel(ANN))
    assert [event.text for event in core.events] == ["Forget it, thanks"]


@pytest.mark.parametrize("said", ["forget about that, what's the capital of Peru?", "memories of my youth return"])
async def test_a_sentence_is_talk(slack: FakeSlack, core: ScriptedCore, said: str) -> None:
    """A sentence that begins with a command's word is answered like any other, also after a mention."""
    ts = await slack.mention(GENERAL, ANN, said)
    assert await slack.answer(GENERAL, ts) == f"You said: {said}"
    assert core.commands == []


async def test_follow_up_is_no_command(slack: FakeSlack, core: ScriptedCore) -> None:
    """In a thread, a follow-up without a mention is talk, whatever its first word."""
    ts = await slack.mention(GENERAL, ANN, "hello")
    await slack.answer(GENERAL, ts)
    await slack.say(GENERAL, ANN, "forget it", ts)
    await slack.answer(GENERAL, ts, lambda text: "forget" in text)
    assert core.commands == []


async def test_unknown_things_are_acknowledged(slack: FakeSlack, core: ScriptedCore) -> None:
    """Commands, buttons and events that are not the bot's are acknowledged, so that they don't come again."""
    await slack.deliver("slash_commands", {"command": "/other", "user_id": ANN, "team_id": TEAM, "channel_id": "D1"})
    await slack.deliver(
        "interactive",
        {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": ANN},
            "actions": [{"action_id": "else", "type": "button"}],
        },
    )
    await slack.deliver(
        "interactive", {"type": "shortcut", "callback_id": "x", "team": {"id": TEAM}, "user": {"id": ANN}}
    )
    await slack.event({"type": "app_home_opened", "user": ANN, "channel": "D1", "tab": "messages"})
    await slack.acknowledged()
    assert (core.commands, core.presses) == ([], [])


async def test_response_url_gone(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where the response URL fails, the view is shown ephemerally."""
    slack.add_channel("D1", "")
    payload = {"command": "/memories", "text": "", "user_id": ANN, "team_id": TEAM, "channel_id": "D1"}
    await slack.deliver("slash_commands", payload | {"response_url": f"{slack.url}/nowhere"})
    assert "Likes tea" in (await slack.whispered(ANN))["text"]


async def test_ephemeral_refused(slack: FakeSlack, core: ScriptedCore) -> None:
    """A sentence that Slack can't show to one person alone is said in place."""
    core.whisper = "Please <wait>."
    slack.fail("chat.postEphemeral", Fault(error="user_not_in_channel"))
    await slack.dm(ANN, "hi")
    assert await slack.answer(slack.dm_channel(ANN)) == "Please &lt;wait&gt;."
    await slack.dm(ANN, "hi")
    assert (await slack.whispered(ANN))["text"] == "Please &lt;wait&gt;."


def test_view_is_plain() -> None:
    """No memory can ping, link or format, in blocks or in the text beside them."""
    hostile = "<!channel> *bold* <https://evil.example|click> @here"
    view = View(hostile, (Item(1, hostile, hostile, "https://x.y/p?a=1&b=2|evil>"),), hostile, (Button(hostile, "a"),))
    message = {"text": slack_views.text(view), "blocks": slack_views.blocks(view)}
    assert would_ping(message) == []
    marked = [
        part
        for block in slack_views.blocks(view)
        for part in [block.get("text"), *block.get("elements", ())]
        if part and part["type"] == "mrkdwn"
    ]
    (link,) = marked
    assert link["text"].count("<") == 1
    assert link["text"].count("|") == 1


@pytest.mark.parametrize("count", [1, 10, 24, 60, 500])
def test_view_fits(count: int) -> None:
    """However many memories there are, and however long, the view is within Slack's limits."""
    view = View("Title", tuple(Item(n, "x" * 4_000, "note", "https://x.y") for n in range(count)), "foot")
    blocks = slack_views.blocks(view)
    assert len(blocks) <= 50
    assert all(len(block["text"]["text"]) <= 3_000 for block in blocks if block["type"] == "section")
    assert len(slack_views.text(view)) <= 40_000


async def test_code(slack: FakeSlack, core: ScriptedCore) -> None:
    """A code stands in a code span, to be copied as it is, and what stands around it still forms nothing."""
    code = "K7QF-2M9X"
    core.listing = View(
        f"Your code is {code}", (Item(1, "Linked"),), f"Type /link {code} for *this* & <that>.", code=code
    )
    answer = await slack.command(ANN, "link")
    title, footer = answer["blocks"][0]["text"], answer["blocks"][-1]["elements"][0]
    assert (title["type"], title["text"]) == ("mrkdwn", f"Your code is `{code}`")
    assert (footer["type"], footer["text"]) == (
        "mrkdwn",
        f"Type /link `{code}` for \u200b*this\u200b* &amp; &lt;that&gt;.",
    )
    assert f"/link {code}" in answer["text"]
