"""Two processes on one PostgreSQL: what reaches one of them about a question is followed by the one that answers it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.fakes.claude import FakeClaude, last_text
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.whole.process import BotProcess
from tests.whole.test_in_progress import DiscordSide, Side, SlackSide, growing, grown, soon, think


@dataclass(frozen=True, slots=True)
class Workers:
    """A platform, and two processes that are on it.

    Attributes:
        turn: Lets what comes from now on reach the other process, where the platform tells one of them alone.
    """

    side: Side
    claude: FakeClaude
    turn: Callable[[], None]
    url: str

    def kept(self, select: str) -> list[tuple[str, ...]]:
        """Rows of the database that both share."""
        with psycopg.connect(self.url) as conn:
            return conn.execute(select.encode()).fetchall()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(params=["slack", "slack dm", "discord"])
async def workers(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> AsyncIterator[Workers]:
    """Slack tells one of the two at a time, over HTTP, as behind a load balancer; Discord tells both."""
    async with AsyncExitStack() as stack:
        claude = await stack.enter_async_context(FakeClaude(think))
        keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "DATABASE_URL": postgres_url}
        ports = [_free_port(), _free_port()]
        urls = [f"http://127.0.0.1:{port}/slack/events" for port in ports]
        if request.param == "discord":
            discord = await stack.enter_async_context(FakeDiscord())
            side: Side = DiscordSide(discord, direct=False)
            environments = [keys | side.env] * 2
        else:
            slack = await stack.enter_async_context(FakeSlack())
            side = SlackSide(slack, direct=request.param.endswith("dm"))
            signed = keys | slack.environment() | {"SLACK_SIGNING_SECRET": slack.signing_secret}
            del signed["SLACK_APP_TOKEN"]
            environments = [signed | {"PORT": str(port)} for port in ports]
        for environment in environments:
            bot = await stack.enter_async_context(BotProcess(tmp_path, environment))
            await bot.said(f"{side.name}: listening")
            await bot.said("memory is ready")

        def turn() -> None:
            if isinstance(side, SlackSide):
                slack.events_url = urls[1]

        if isinstance(side, SlackSide):
            slack.events_url = urls[0]
        yield Workers(side, claude, turn, postgres_url)


async def test_an_edit_restarts_the_answer(workers: Workers) -> None:
    """In place, to the new text alone, which is what is kept."""
    side = workers.side
    asked = await side.ask("Tell me slowly about badgers")
    await growing(side, asked)
    workers.turn()
    await side.edit(asked, "I meant otters")
    await grown(side, asked, lambda text: text == "You said: I meant otters")
    await soon(lambda: workers.claude.open == 0)
    await soon(lambda: len(workers.kept("SELECT text FROM turns")) == 2)
    assert [text for (text,) in workers.kept("SELECT text FROM turns ORDER BY id")] == [
        "I meant otters",
        "You said: I meant otters",
    ]
    assert len(workers.claude.chats) == 2


async def test_a_deletion_withdraws_the_answer(workers: Workers) -> None:
    """What was shown is gone, nothing is kept, and the request ends."""
    side = workers.side
    asked = await side.ask("Tell me slowly about badgers")
    await growing(side, asked)
    workers.turn()
    await side.delete(asked)
    await soon(lambda: side.shown(asked) == [] and workers.claude.open == 0)
    for table in ("inbox", "turns", "exchanges"):
        await soon(lambda table=table: workers.kept(f"SELECT event_id FROM {table}") == [])  # type: ignore[misc]


async def test_a_stop_ends_the_answer(workers: Workers) -> None:
    """What is shown stays, marked, and "stop" is no question of its own."""
    side = workers.side
    asked = await side.ask("Tell me slowly about badgers")
    await growing(side, asked)
    workers.turn()
    await side.stop(asked)
    await grown(side, asked, lambda text: text.endswith("… (stopped)"))
    await soon(lambda: workers.claude.open == 0)
    await soon(lambda: len(workers.kept("SELECT text FROM turns")) == 1)
    await asyncio.sleep(1)
    assert [last_text(request) for request in workers.claude.chats] == ["Tell me slowly about badgers"]
    assert workers.kept("SELECT event_id FROM inbox") == []
