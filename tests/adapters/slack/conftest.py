"""What most of Slack's tests share; a file whose Slack or core differs says so with a fixture of its own."""

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack."""
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def core() -> ScriptedCore:
    """A core that answers each message once."""
    return ScriptedCore()


@pytest.fixture
async def bot(slack: FakeSlack, core: ScriptedCore) -> AsyncIterator[SlackAdapter]:
    """The adapter, listening."""
    async with running(SlackAdapter(settings(slack), core)) as adapter:
        yield adapter
