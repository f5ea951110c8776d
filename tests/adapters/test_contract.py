"""Each adapter passes the contract, against its fake server."""

from collections.abc import AsyncIterator

import pytest

from tests.adapters.contract import AdapterContract, PlatformContract
from tests.adapters.contract_catch_up import CatchUpContract
from tests.adapters.discord.harness import DiscordHarness
from tests.adapters.harness import Harness, PlatformHarness
from tests.adapters.slack.harness import SlackHarness
from tests.adapters.terminal.harness import TerminalHarness
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack

PLATFORMS = ("discord", "slack")


async def harnesses(name: str) -> AsyncIterator[PlatformHarness]:
    """The harness of a platform, over its fake server."""
    if name == "discord":
        async with FakeDiscord() as discord:
            yield DiscordHarness(discord)
    else:
        async with FakeSlack() as slack:
            yield SlackHarness(slack)


class TestAdapters(AdapterContract):
    """What every adapter does."""

    @pytest.fixture(params=[*PLATFORMS, "terminal"])
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
        """Each adapter's harness in turn."""
        if request.param == "terminal":
            yield TerminalHarness()
            return
        async for harness in harnesses(request.param):
            yield harness


class TestPlatforms(PlatformContract, CatchUpContract):
    """What an adapter of a service does besides."""

    @pytest.fixture(params=PLATFORMS)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[PlatformHarness]:
        """Each platform's harness in turn."""
        async for harness in harnesses(request.param):
            yield harness
