"""What one message, or the talk of others, makes the bot ask of Slack: little, and not in the way of acknowledging."""

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.cache import CONCURRENCY
from adapters.slack.intake import NAMED, NAMED_A_MINUTE
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

pytestmark = pytest.mark.slow

ANN, BEN = "U0ANN", "U0BEN"
GENERAL = "C0GENERAL"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack with two people."""
    async with FakeSlack(patience=60) as slack:
        slack.add_user(ANN, "Ann")
        slack.add_user(BEN, "Ben")
        yield slack


async def test_a_message_that_names_thousands(slack: FakeSlack) -> None:
    """Of 3,300 people, channels and groups in one message, the first are asked about, few at once; it is answered."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)):
        people = " ".join(f"<@U{number:05}>" for number in range(1100))
        channels = " ".join(f"<#C{number:05}>" for number in range(1100))
        groups = " ".join(f"<!subteam^S{number:05}>" for number in range(1100))
        await slack.mention(GENERAL, ANN, f"{people} {channels} {groups}")
        await slack.wait(lambda: core.events)
        await slack.acknowledged()
    assert {delivery.get("retry_attempt") for delivery in slack.deliveries} == {0}
    assert slack.counts["users.info"] <= NAMED + 1
    assert slack.counts["conversations.info"] <= NAMED + 1
    assert slack.counts["usergroups.list"] == 1
    assert slack.most_at_once["users.info"] <= CONCURRENCY
    assert core.events[0].text.endswith("#channel @group" + " @group" * 1099)


async def test_messages_that_name_others_again_and_again(slack: FakeSlack) -> None:
    """However many messages one person sends, Slack is asked for so many names a minute on their behalf."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)):
        for number in range(10):
            people = " ".join(f"<@U{number}{other:04}>" for other in range(NAMED))
            await slack.mention(GENERAL, ANN, people)
        await slack.mention(GENERAL, BEN, f"<@{ANN}> and <@U0NEW>")
        await slack.wait(lambda: len(core.events) == 11)
    assert NAMED_A_MINUTE // 2 < slack.counts["users.info"] <= NAMED_A_MINUTE + 3
    assert "@Ann and @u0new" in [event.text for event in core.events]


async def test_talk_in_strangers_threads_under_a_rate_limit(slack: FakeSlack) -> None:
    """All of it is acknowledged at its first delivery, while Slack is asked about a few threads at a time."""
    core = ScriptedCore()
    roots = [slack.unheard(GENERAL, ANN, f"lunch {number}?") for number in range(120)]
    async with running(SlackAdapter(settings(slack), core)):
        slack.fail("conversations.replies", *[Fault(status=429, retry_after=2)] * 200)
        for root in roots:
            await slack.say(GENERAL, BEN, "yes", root)
        await slack.dm(ANN, "and I?")
        assert await slack.answer(slack.dm_channel(ANN)) == "You said: and I?"
        await slack.acknowledged()
        assert {delivery.get("retry_attempt") for delivery in slack.deliveries} == {0}
        assert slack.most_at_once["conversations.replies"] <= CONCURRENCY
    assert [event.text for event in core.events] == ["and I?"]


async def test_a_follow_up_outlasts_a_rate_limit(slack: FakeSlack) -> None:
    """In a thread that only Slack knows to be the bot's, a follow-up is answered once Slack says so."""
    async with running(SlackAdapter(settings(slack), ScriptedCore())):
        ts = await slack.mention(GENERAL, ANN, "hi")
        await slack.answer(GENERAL, ts)
    core = ScriptedCore()
    slack.fail("conversations.replies", *[Fault(status=503)] * 2)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.say(GENERAL, ANN, "still there?", ts)
        assert await slack.answer(GENERAL, ts, lambda text: "still" in text) == "You said: still there?"
        await slack.acknowledged()
    assert len(core.events) == 1


async def test_what_waits_ends_with_the_process(slack: FakeSlack) -> None:
    """A stop doesn't wait for Slack's word on threads."""
    root = slack.unheard(GENERAL, ANN, "lunch?")
    async with running(SlackAdapter(settings(slack), ScriptedCore())):
        slack.fail("conversations.replies", Fault(delay=30))
        await slack.say(GENERAL, BEN, "yes", root)
        await slack.acknowledged()
        await slack.wait(lambda: slack.counts["conversations.replies"])
