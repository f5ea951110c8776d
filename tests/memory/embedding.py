"""Helpers of the tests of embedded memory: a whole memory on a folder, and exchanges."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.config import Settings
from bot.memory.embedded.memory import EmbeddedMemory
from bot.memory.embedded.opening import open_embedded
from bot.model import PRIVATE_SCOPE, Exchange
from bot.ports import Spending, Superseded
from tests.fakes.claude import FakeClaude
from tests.stubs import StubSpending

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PUBLIC = "public:discord:7"


def exchange(number: int, text: str, *, scope: str = PRIVATE_SCOPE, user: str = "discord:1", **more: Any) -> Exchange:
    values: dict[str, Any] = {
        "event_id": f"discord:{number}",
        "name": "Ann",
        "answer": "I see.",
        "at": MONDAY + timedelta(minutes=number),
        "link": f"https://example.test/{number}",
        "place": "DM" if scope == PRIVATE_SCOPE else "#general",
        "conversation": f"discord::{scope}:",
        **more,
    }
    return Exchange(id=number, user_id=user, scope=scope, text=text, **values)


class Waiting:
    """Stands for the journal: the exchanges marked as learned, each once."""

    def __init__(self) -> None:
        self.learned: list[int] = []
        self.forgotten: set[int] = set()

    def commit(self, connection: Any, exchanges: Sequence[Exchange]) -> None:
        ids = [exchange.id for exchange in exchanges]
        if set(ids) & {*self.learned, *self.forgotten}:
            raise Superseded("gone")
        self.learned += ids


def settings(folder: Path, claude: FakeClaude | None, **more: Any) -> Settings:
    return Settings(
        anthropic_api_key=SecretStr("key") if claude else None,
        anthropic_base_url=claude.url if claude else None,
        bot_data_dir=folder,
        _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
        **more,
    )


@asynccontextmanager
async def opened(
    folder: Path, claude: FakeClaude | None, waiting: Waiting | None = None, spending: Spending | None = None
) -> AsyncIterator[EmbeddedMemory]:
    memory = open_embedded(settings(folder, claude), (waiting or Waiting()).commit, spending or StubSpending())
    try:
        yield memory
    finally:
        await memory.close()


async def recalled(
    memory: EmbeddedMemory, query: str, *, scopes: frozenset[str] | None = None, user: str = "discord:1"
) -> list[str]:
    found = await memory.recall(user, scopes, query, [], MONDAY + timedelta(days=1))
    return [memory.text for memory in found]


def holding(folder: Path, words: bytes) -> list[Path]:
    """The files below a folder that hold these bytes."""
    return [path for path in folder.rglob("*") if path.is_file() and words in path.read_bytes()]
