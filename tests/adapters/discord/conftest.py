"""What most of Discord's tests share; a file whose Discord is another one says so with a fixture of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.discord import FakeDiscord


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    """A Discord."""
    async with FakeDiscord() as server:
        yield server
