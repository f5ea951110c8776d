"""What the bot has learned, read from its store once it has ended."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from bot.config import Settings
from bot.journal import mark_learned
from bot.memory.embedded.opening import open_embedded
from bot.model import Memory
from bot.storage.sqlite import database_path
from tests.fakes.mem0 import FakeMem0
from tests.faults.talk import tag_of
from tests.faults.world import World
from tests.stubs import StubSpending


def stored(folder: Path, database_url: str | None = None) -> Settings:
    """Settings that lead to the data of a `BotProcess` in that folder, or of the database."""
    return Settings(_env_file=None, bot_data_dir=folder / "data", database_url=database_url)  # type: ignore[call-arg,arg-type]


async def memories(settings: Settings, user_ids: Iterable[str]) -> list[Memory]:
    """All memories of these people."""
    store = await asyncio.to_thread(open_embedded, settings, mark_learned, StubSpending())
    try:
        return [memory for user_id in sorted(set(user_ids)) for memory in await store.list(user_id)]
    finally:
        await store.close()


def left(settings: Settings) -> dict[str, int]:
    """How many rows of the journal wait to be answered (`inbox`) and to be learned (`exchanges`)."""
    with contextlib.closing(_connect(settings)) as connection:
        counts = {table: f"SELECT count(*) FROM {table}" for table in ("inbox", "exchanges")}
        return {table: connection.execute(query).fetchone()[0] for table, query in counts.items()}


def _connect(settings: Settings) -> Any:
    if settings.database_url is not None:
        return psycopg.connect(settings.database_url.get_secret_value(), autocommit=True)
    return sqlite3.connect(f"file:{database_path(settings)}?mode=ro", uri=True)


async def learned_once(world: World, settings: Settings) -> list[str]:
    """What is wrong with what was learned, empty where each question of the world is one fact with one source."""
    found: dict[str, int] = {}
    wrong = []
    for memory in await memories(settings, world.asked.values()):
        tag = tag_of(memory.text)
        found[tag] = found.get(tag, 0) + 1
        if len(memory.sources) != 1:
            wrong.append(f"{tag}: {len(memory.sources)} sources")
    wrong += [f"{tag}: learned {found.get(tag, 0)} times" for tag in world.asked if found.get(tag, 0) != 1]
    return wrong


def miscounted(world: World, settings: Settings) -> list[str]:
    """What is wrong with what requests are said to have taken, once every process has ended.

    It is what the service has billed, or more: of a request whose process was killed nobody can tell what it took.
    """
    claude = world.claude
    tokens = claude.tokens
    billed = {
        "requests": claude.billed,
        "prompt": tokens["input"] + tokens["cache_read"] + tokens["cache_creation"],
        "output": tokens["output"],
    }
    sums = "coalesce(sum(requests), 0), coalesce(sum(input + cached + written), 0), coalesce(sum(output), 0)"
    with contextlib.closing(_connect(settings)) as connection:
        counted = dict(zip(billed, connection.execute(f"SELECT {sums} FROM usage").fetchone(), strict=True))
        open_ = connection.execute("SELECT count(*) FROM reservations").fetchone()[0]
    wrong = [
        f"{what}: {counted[what]} counted, {billed[what]} billed" for what in billed if counted[what] < billed[what]
    ]
    return [*wrong, f"{open_} requests still open"] if open_ else wrong


def learned_once_there(world: World, mem0: FakeMem0) -> list[str]:
    """The same of hosted mem0: each question is one memory, made of the whole answer or none."""
    found = Counter(tag_of(row["memory"]) for row in mem0.rows)
    wrong = [f"{tag}: learned {found[tag]} times" for tag in world.asked if found[tag] != 1]
    for event in mem0.events.values():
        said, *answered = (str(message["content"]) for message in event["body"]["messages"])
        given = [" ".join(text.split()) for text in answered]
        # An answer that was given with others' words in view is not learned from at all.
        whole = " ".join(given) in world.model.answers(tag_of(said))
        if not whole and (any(given) or tag_of(said) not in world.shared):
            wrong.append(f"{tag_of(said)}: learned from a part")
    return wrong
