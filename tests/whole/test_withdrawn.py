"""What people withdraw or change before it was taken in: the bot as a child process behind Slack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.claude import FakeClaude, last_text
from tests.fakes.slack import FakeSlack
from tests.whole.process import BotProcess

ANN = "U0ANN"


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude() as server:
        yield server


async def late(slack: FakeSlack, channel: str, ts: str, text: str) -> None:
    """Deliver a message of a direct message's channel after what became of it."""
    event = {"type": "message", "user": ANN, "text": text, "ts": ts, "event_ts": ts}
    await slack.event({**event, "channel": channel, "channel_type": "im"})


async def test_changed_before_it_came(tmp_path: Path, claude: FakeClaude) -> None:
    """A deletion that is delivered before its message leaves no answer; an edit that is, the answer to the new text."""
    async with FakeSlack() as slack:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **slack.environment()}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            channel = slack.dm_channel(ANN)
            deleted, edited = (slack.unheard(channel, ANN, text) for text in ("My pin is 1234.", "I live in Porto."))
            await slack.delete(channel, deleted)
            await slack.edit(channel, edited, text="I live in Lisbon.")
            await slack.acknowledged()
            await late(slack, channel, deleted, "My pin is 1234.")
            await late(slack, channel, edited, "I live in Porto.")
            await slack.acknowledged()
            assert "Lisbon" in await slack.answer(channel)
            await slack.dm(ANN, "That is all.")
            await slack.answer(channel, until=lambda text: "That is all." in text)
    asked = [last_text(request) for request in claude.chats]
    assert not any("1234" in text or "Porto" in text for text in asked), asked
