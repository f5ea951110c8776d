"""Slack: what people delete or edit, and workspaces that remove the app, reach the core."""

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that listens."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)):
        yield core


async def _all_heard(slack: FakeSlack) -> None:
    """Wait until what happened so far is taken in."""
    await slack.acknowledged()


async def test_deleted(slack: FakeSlack, core: ScriptedCore) -> None:
    """A message that is deleted is named as it was when it came: in a direct message, a channel and a thread."""
    channel = slack.dm_channel(ANN)
    one = await slack.dm(ANN, "one")
    root = await slack.mention(GENERAL, ANN, "two")
    below = await slack.say(GENERAL, ANN, "three", root)
    await slack.wait(lambda: len(core.sent) == 3)
    await slack.delete(channel, one)
    await slack.delete(GENERAL, below)
    await _all_heard(slack)
    assert core.deleted == [f"slack:{TEAM}:{channel}:{one}", f"slack:{TEAM}:{GENERAL}:{below}"]
    assert set(core.deleted) < {event.id for event in core.events}


async def test_deleted_with_replies(slack: FakeSlack, core: ScriptedCore) -> None:
    """A message with replies, which Slack turns into a tombstone, counts as deleted and not as edited."""
    root = await slack.mention(GENERAL, ANN, "hi")
    await slack.answer(GENERAL, root)
    await slack.delete(GENERAL, root)
    await _all_heard(slack)
    assert core.deleted == [f"slack:{TEAM}:{GENERAL}:{root}"]
    assert core.edited == []


async def test_answer_deleted(slack: FakeSlack, core: ScriptedCore) -> None:
    """That one of the bot's own messages was deleted is told too."""
    await slack.dm(ANN, "hi")
    await slack.wait(lambda: core.sent)
    channel = slack.dm_channel(ANN)
    await slack.delete(channel, slack.answers(channel)[0]["ts"])
    await _all_heard(slack)
    assert core.deleted == list(core.sent[0])


async def test_edited(slack: FakeSlack, core: ScriptedCore) -> None:
    """An edited message is told with its new text, and as the same message in the same place by the same person."""
    ts = await slack.dm(ANN, "I like tea")
    root = await slack.mention(GENERAL, ANN, "hello")
    below = await slack.say(GENERAL, ANN, "and coffee", root)
    await slack.wait(lambda: len(core.sent) == 3)
    await slack.edit(slack.dm_channel(ANN), ts, text="I like cocoa")
    await slack.edit(GENERAL, root, text=f"<@{BOT}> good evening")
    await slack.edit(GENERAL, below, text="and &lt;milk&gt;")
    await _all_heard(slack)
    assert [event.text for event in core.edited] == ["I like cocoa", "good evening", "and <milk>"]
    for before, after in zip(core.events, core.edited, strict=True):
        assert (before.id, before.person, before.place) == (after.id, after.person, after.place)
    assert len(core.events) == 3


async def test_mention_edited_away(slack: FakeSlack, core: ScriptedCore) -> None:
    """An edit that takes the mention away is still one of a message that was the bot's."""
    root = await slack.mention(GENERAL, ANN, "hello")
    await slack.answer(GENERAL, root)
    await slack.edit(GENERAL, root, text="never mind")
    await _all_heard(slack)
    assert [event.text for event in core.edited] == ["never mind"]


async def test_no_edits(slack: FakeSlack, core: ScriptedCore) -> None:
    """Unfurls, the bot's own edits and talk that never was the bot's are no edits."""
    core.pieces, core.pause = ["so", "so far", "so far so"], 0.7
    ts = await slack.dm(ANN, "see https://x.y")
    await slack.wait(lambda: core.sent)
    assert slack.counts["chat.update"]
    await slack.edit(slack.dm_channel(ANN), ts, attachments=[{"title": "X"}])
    lunch = await slack.say(GENERAL, ANN, "lunch?")
    await slack.edit(GENERAL, lunch, text="dinner?")
    await slack.event({"type": "message", "subtype": "message_changed", "channel": GENERAL, "ts": slack.next_ts()})
    await slack.event({"type": "message", "subtype": "message_deleted", "channel": GENERAL, "ts": slack.next_ts()})
    await _all_heard(slack)
    assert (core.edited, core.deleted) == ([], [])


@pytest.mark.parametrize(
    ("event", "removed"),
    [
        ({"type": "app_uninstalled"}, [TEAM]),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANN"], "bot": [BOT]}}, [TEAM]),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANN"]}}, []),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANN"], "bot": []}}, []),
    ],
)
async def test_removed(slack: FakeSlack, core: ScriptedCore, event: dict[str, object], removed: list[str]) -> None:
    """A workspace that removes the app is told of; a token of some person's that is revoked is not the bot's."""
    await slack.event(event)
    await _all_heard(slack)
    assert core.removed == [("slack", team) for team in removed]


async def test_returned(slack: FakeSlack, core: ScriptedCore) -> None:
    """A start with a token that works says that the bot is in that workspace."""
    assert core.returned == [("slack", TEAM)]
