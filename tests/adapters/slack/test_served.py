"""Slack's listed channels: what speaks to the bot, and what catch-up leaves alone."""

from datetime import UTC, datetime

import pytest

from adapters.slack.adapter import SlackAdapter
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack

ANN, BEN = "U0ANN", "U0BEN"
GENERAL, SECRET = "C0GENERAL", "G0SECRET0"


def _known(core: ScriptedCore, channel: str, ts: str, thread: str = "") -> None:
    """Let the journal know a message, as the newest of its place."""
    key, event_id = f"slack:{TEAM}:{channel}:{thread}", f"slack:{TEAM}:{channel}:{ts}"
    core.seen.append((key, event_id, datetime.now(UTC)))
    core.recent.append((key, event_id, datetime.now(UTC)))


@pytest.mark.usefixtures("bot")
async def test_what_follows_in_a_thread_addresses_nobody(slack: FakeSlack, core: ScriptedCore) -> None:
    """Mentions and direct messages speak to the bot; in its threads people also talk without it."""
    ts = await slack.mention(GENERAL, ANN, "hello")
    await slack.wait(lambda: core.sent)
    await slack.say(GENERAL, ANN, "me too", ts)
    await slack.wait(lambda: len(core.events) == 2)
    await slack.mention(GENERAL, BEN, "and you?", ts)
    await slack.dm(ANN, "hi")
    await slack.wait(lambda: len(core.events) == 4)
    assert {event.text: event.addressed for event in core.events} == {
        "hello": True,
        "me too": False,
        "and you?": True,
        "hi": True,
    }
    assert not any(event.stranger for event in core.events)


async def test_catch_up_answers_in_listed_channels_and_follows_changes_everywhere(slack: FakeSlack) -> None:
    """What was missed elsewhere is let pass, in threads too; what was deleted there is told. Direct messages go on."""
    core = ScriptedCore()
    channel = slack.dm_channel(ANN)
    for place in (GENERAL, SECRET):
        first = slack.unheard(place, ANN, f"<@{BOT}> one")
        _known(core, place, first, first)
        second = slack.unheard(place, ANN, f"<@{BOT}> two")
        _known(core, place, second, second)
        await slack.delete(place, first, heard=False)
        slack.unheard(place, ANN, f"in a thread of {place}", second)
        slack.unheard(place, BEN, f"<@{BOT}> missed in {place}")
    _known(core, channel, slack.unheard(channel, ANN, "seen"))
    slack.unheard(channel, ANN, "missed directly")
    async with running(SlackAdapter(settings(slack, slack_channels=GENERAL), core)):
        await slack.wait(lambda: len(core.events) == 4 and len(core.deleted) == 2)
    texts = sorted(event.text for event in core.events)
    # The core would know the second as the one that the journal tells of.
    assert texts == [f"in a thread of {GENERAL}", "missed directly", f"missed in {GENERAL}", "two"]
    assert SECRET not in {event.place.channel for event in core.events}
    assert {deleted.split(":")[2] for deleted in core.deleted} == {GENERAL, SECRET}
