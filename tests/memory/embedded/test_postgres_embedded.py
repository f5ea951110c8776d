"""Embedded memory and the journal together on one PostgreSQL database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.journal.journal import SqlJournal
from bot.journal.learned import mark_learned
from bot.journal.opening import open_journal
from bot.memory.embedded.memory import EmbeddedMemory
from bot.memory.embedded.opening import open_embedded
from tests.makers import MONDAY, message
from tests.memory.embedding import settings
from tests.stubs import StubSpending


@asynccontextmanager
async def process(folder: Path, url: str) -> AsyncIterator[tuple[SqlJournal, EmbeddedMemory]]:
    """What one process of the bot has open; no key, so that memories are what was said."""
    configured = settings(folder, None, database_url=url)
    journal = await open_journal(configured)
    memory = open_embedded(configured, mark_learned, StubSpending())
    try:
        yield journal, memory
    finally:
        await memory.close()
        await journal.close()


async def test_what_was_told_is_recalled_by_another_process_and_learned_once(tmp_path: Path, postgres_url: str) -> None:
    """Told to one process, recalled by the next; the mark in the journal and the memory are one transaction."""
    event = message("I prefer all temperatures in Celsius.")
    user = event.person.key
    async with process(tmp_path, postgres_url) as (journal, memory):
        conversation = await journal.inbox.admit(event)
        assert conversation is not None
        await journal.inbox.answered(event, user, conversation, "Noted.", ["discord:2"], learn=True)
        waiting = await journal.outbox.claim(user, event.place.scope)
        assert await memory.learn(waiting) == 1
        assert await journal.outbox.claim(user, event.place.scope) == []
    async with process(tmp_path, postgres_url) as (_, memory):
        assert await memory.learn(waiting) == 0
        (found,) = await memory.recall(user, None, "Which temperature scale do I like?", [], MONDAY)
        assert found.text == "I prefer all temperatures in Celsius."
        assert [source.event_id for source in found.sources] == [event.id]
        assert await memory.forget_all(user) == 1
        assert await memory.list(user) == []


@pytest.mark.parametrize("words", ["temperature", "TEMPERATURES celsius"])
async def test_listing_searches_words(tmp_path: Path, postgres_url: str, words: str) -> None:
    """The commands' word search works on PostgreSQL as it does on SQLite."""
    event = message("I prefer all temperatures in Celsius.")
    user = event.person.key
    async with process(tmp_path, postgres_url) as (journal, memory):
        conversation = await journal.inbox.admit(event)
        assert conversation is not None
        await journal.inbox.answered(event, user, conversation, "Noted.", ["discord:2"], learn=True)
        await memory.learn(await journal.outbox.claim(user, event.place.scope))
        assert len(await memory.list(user, words)) == 1
        assert await memory.list(user, "tea") == []
