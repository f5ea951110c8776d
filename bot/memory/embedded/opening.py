"""Opens embedded mem0, with the store, the embedder and the extractor that the settings name."""

import logging
import sqlite3
from typing import TYPE_CHECKING

from bot.config import Settings, SettingsError
from bot.memory import mem0_env
from bot.memory.embedded.memory import Commit, EmbeddedMemory, RequireOpen
from bot.memory.recall.embedder import Embedder, make_embedder
from bot.ports import Spending
from bot.settings_check import WORDLLAMA

if TYPE_CHECKING:
    from bot.memory.vectors.base import VectorStore

log = logging.getLogger(__name__)


def open_embedded(
    settings: Settings, commit: Commit, spending: Spending, require_open: RequireOpen | None = None
) -> EmbeddedMemory:
    """Build the memory over DATABASE_URL, or the file in BOT_DATA_DIR.

    Blocks for seconds (imports, the embedder's model): call it in a thread. Raises SettingsError if the store or the
    embedder can't be used.
    """
    mem0_env.prepare(settings.bot_data_dir if settings.database_url is None else None)
    embedder = make_embedder(settings.bot_embedder, settings)
    slow: list[object] = [] if settings.bot_embedder == WORDLLAMA else [embedder]
    store = _open_store(settings, embedder)
    if settings.database_url is not None:
        slow.append(store)
    llm = None
    if settings.anthropic_api_key is not None:
        from bot.chat.client import client
        from bot.memory.embedded.extractor import TIMEOUT, Extractor

        llm = Extractor(client(settings, TIMEOUT), settings.bot_memory_model, spending)
    tokens = settings.bot_memory_tokens
    return EmbeddedMemory(store, embedder, llm, tokens=tokens, commit=commit, require_open=require_open, slow=slow)


class _Progress:
    """Logs the progress of re-embedding in steps of ten per cent."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 10
        if tenth != self._shown:
            self._shown = tenth
            log.info("re-embedded %d of %d memories", done, total)


def _open_store(settings: Settings, embedder: Embedder) -> "VectorStore":
    from bot.memory.vectors.meta import EmbedderChanged

    try:
        if settings.database_url is not None:
            from bot.memory.vectors.postgres.store import PostgresStore

            return PostgresStore(settings.database_url.get_secret_value(), embedder.dims, embedder.name)
        from bot.memory.vectors.sqlite.store import SqliteStore
        from bot.storage.sqlite import database_path

        path = database_path(settings)
        try:
            return SqliteStore(path, embedder.dims, embedder.name)
        except EmbedderChanged as exc:
            from bot.memory.vectors.sqlite.reembed import reembed

            log.info("BOT_EMBEDDER has changed: %s", exc)
            reembed(path, embedder, _Progress())
            return SqliteStore(path, embedder.dims, embedder.name)
    except EmbedderChanged as exc:
        raise SettingsError(f"BOT_EMBEDDER: {exc}") from exc
    except (sqlite3.Error, OSError) as exc:
        raise SettingsError(f"BOT_DATA_DIR: no database can be used there ({type(exc).__name__})") from exc
