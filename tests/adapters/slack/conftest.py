"""What most of Slack's tests share; a file whose Slack is another one says so with a fixture of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.slack import FakeSlack


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack."""
    async with FakeSlack() as slack:
        yield slack
