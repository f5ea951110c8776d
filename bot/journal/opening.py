"""Opening the journal: which database, migrated, with this process registered as a worker."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from bot.config import Settings, SettingsError
from bot.journal import sqlite
from bot.journal.journal import SqlJournal
from bot.journal.leases import Heartbeat, LockedFile, WorkerLease
from bot.journal.revision import HEAD, migrate, revision
from bot.journal.runner import Runner
from bot.ports import JournalUnavailable
from bot.storage.engine import parse_url, postgres_engine, sqlite_engine
from bot.storage.sqlite import database_path, write_lock


async def open_journal(settings: Settings, clock: Callable[[], float] = time.time) -> SqlJournal:
    """The journal in DATABASE_URL or BOT_DATA_DIR. Raises SettingsError, naming the variable, if it can't be opened."""
    worker = secrets.token_hex(8)
    if settings.database_url is None:
        return await _on_sqlite(settings, worker, clock)
    return await _on_postgres(settings, settings.database_url.get_secret_value(), worker, clock)


async def _on_sqlite(settings: Settings, worker: str, clock: Callable[[], float]) -> SqlJournal:
    path = database_path(settings)
    try:
        await asyncio.to_thread(_migrate_file, path)
        runner = sqlite.SqliteRunner(path)
        lease = LockedFile(runner, path.parent, worker)
        return await _signed_on(settings, runner, lease, clock)
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, JournalUnavailable) as exc:
        cause = exc.__cause__ or exc
        why = getattr(cause, "sqlite_errorname", None) or getattr(cause, "strerror", None) or type(cause).__name__
        raise SettingsError(f"BOT_DATA_DIR: no database can be written there ({why})") from exc


async def _on_postgres(settings: Settings, url: str, worker: str, clock: Callable[[], float]) -> SqlJournal:
    from bot.journal import postgres  # imports the driver

    engine = await asyncio.to_thread(postgres_engine, parse_url(url))
    runner = postgres.PostgresRunner(engine)
    try:
        if await runner.read(revision) != HEAD:
            await runner.write(migrate)
        return await _signed_on(settings, runner, Heartbeat(runner, worker), clock)
    except JournalUnavailable as exc:
        await runner.close()
        raise SettingsError(f"DATABASE_URL: the database can't be used ({exc})") from exc
    except SettingsError:
        await runner.close()
        raise


async def _signed_on(settings: Settings, runner: Runner, lease: WorkerLease, clock: Callable[[], float]) -> SqlJournal:
    await lease.renew()
    # What catch-up may still read must be known as seen.
    seen = max(settings.bot_seen_days * 24, settings.bot_catch_up_hours) * 3600
    ttl = settings.bot_turns_ttl_hours * 3600
    return SqlJournal(
        runner,
        lease=lease,
        turns=settings.bot_turns,
        turns_ttl=ttl,
        seen_ttl=seen,
        usage_ttl=settings.bot_usage_days * 24 * 3600,
        clock=clock,
    )


def _migrate_file(path: Path) -> None:
    engine = sqlite_engine(path)
    try:
        with write_lock(path), engine.connect() as conn:
            if revision(conn) == HEAD:
                return
            conn.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(conn)
            conn.commit()
    finally:
        engine.dispose()
