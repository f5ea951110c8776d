"""Opening: migrations, permissions, and settings that can't work."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import bot.journal
from bot.config import Settings, SettingsError
from bot.journal import open_journal
from bot.journal import revision as migrate
from bot.journal.journal import SqlJournal
from bot.journal.tables import metadata
from bot.storage.engine import parse_url, sqlite_engine
from bot.storage.sqlite import database_path
from tests.journal.conftest import Database, Open
from tests.journal.makers import told
from tests.makers import ANN

MIGRATIONS = Path(bot.journal.__file__).parent / "migrations"


def test_the_newest_revision_is_the_one_checked_at_start() -> None:
    """HEAD, which spares a start the import of alembic, names the last migration."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


async def test_migrations_make_the_tables_of_the_code(journal: SqlJournal, database: Database) -> None:
    """A database migrated from nothing differs in no table, column or index from what the code reads and writes."""
    await journal.backlog()
    url = database.url
    engine = sqlite_engine(database_path(database.settings)) if url is None else sa.create_engine(parse_url(url))
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"include_object": of_the_journal, "compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def of_the_journal(_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Whether a database object is the journal's to compare: its version table and other stores' tables aren't."""
    return kind != "table" or name in metadata.tables


async def test_a_second_start_keeps_everything(open_: Open) -> None:
    """Opening again what is there changes nothing."""
    first = await open_()
    await told(first, "hello", 1)
    await first.close()
    assert (await (await open_()).backlog()).waiting == 1


#: What undoes the migrations after 0002.
LATER = (
    "DROP TABLE introductions",
    "DROP INDEX inbox_by_person",
    "DROP INDEX messages_joined",
    "ALTER TABLE inbox DROP COLUMN joined_to",
    "ALTER TABLE inbox DROP COLUMN included",
    "ALTER TABLE messages DROP COLUMN joined_to",
    "ALTER TABLE turns DROP COLUMN number",
    "DROP TABLE off_record",
    "ALTER TABLE messages DROP COLUMN off_record",
    "DROP TABLE usage",
    "DROP TABLE reservations",
    "DROP TABLE spent",
    "DROP TABLE signals",
    "DROP TABLE notices",
    "DROP TABLE readings",
    "DROP TABLE pauses",
    "DROP TABLE adds",
    "DROP TABLE forgettings",
    "DROP TABLE unnoticed",
    "DROP INDEX messages_by_event",
    "ALTER TABLE codes DROP COLUMN name",
    "ALTER TABLE inbox DROP COLUMN ahead",
    "ALTER TABLE inbox DROP COLUMN unkept",
    "ALTER TABLE exchanges DROP COLUMN utc_offset",
)


async def test_data_of_the_version_before_is_kept(database: Database, open_: Open) -> None:
    """A journal of revision 0002 is brought up in place: a memory that was paused there stays so, and is resumed."""
    first = await open_()
    await told(first, "hello", 1)
    await first.pauses.set(ANN.key, True)
    await first.close()
    conn = database.connect()
    for later in LATER:
        conn.execute(later)
    conn.execute("UPDATE journal_version SET version_num = '0002'")
    conn.commit()
    conn.close()
    journal = await open_()
    assert (await journal.backlog()).waiting == 1
    assert (await journal.accounts.account(ANN.key)).paused
    await journal.pauses.set(ANN.key, False)
    assert len((await journal.texts.export(ANN.key, [ANN.key]))["settings"]["memory_was_paused"]) == 1


@pytest.mark.slow
async def test_a_migration_behind_a_backup_holds_nobody_up(postgres_only: Database) -> None:
    """While somebody reads a table for long, the version before goes on at work, and the new one starts after them."""
    await (await open_journal(postgres_only.settings)).close()
    with postgres_only.connect() as backup, postgres_only.connect() as before:
        for later in LATER:
            before.execute(later)
        before.execute("UPDATE journal_version SET version_num = '0002'")
        before.commit()
        backup.execute("SELECT 1 FROM inbox")
        opening = asyncio.create_task(open_journal(postgres_only.settings))
        for _ in range(30):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(before.execute, "SET statement_timeout = '2s'")
            await asyncio.to_thread(before.execute, "SELECT 1 FROM inbox")
            before.commit()
        assert not opening.done()
        backup.commit()
        journal = await opening
    assert (await journal.backlog()).unanswered == 0
    await journal.close()


async def test_data_of_a_newer_version_is_left_alone(database: Database, open_: Open) -> None:
    """A database with an unknown revision ends the start with one line that names the variable."""
    await (await open_()).close()
    conn = database.connect()
    conn.execute("UPDATE journal_version SET version_num = '9999'")
    conn.commit()
    conn.close()
    with pytest.raises(SettingsError, match=r"^(DATABASE_URL|BOT_DATA_DIR): .*9999") as caught:
        await open_()
    assert "\n" not in str(caught.value)


async def test_only_the_owner_reads_the_folder(sqlite_only: Database) -> None:
    """The data folder is 0700 and each file in it 0600, while the journal is in use."""
    journal = await open_journal(sqlite_only.settings)
    await told(journal, "hello", 1)
    assert stat.S_IMODE(sqlite_only.folder.stat().st_mode) == 0o700
    files = list(sqlite_only.folder.iterdir())
    assert len(files) >= 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await journal.close()
    assert [file.name for file in sqlite_only.folder.iterdir()] == ["bot.db"]


def with_url(tmp_path: Path, url: str) -> Settings:
    """Settings with that DATABASE_URL."""
    return Database(tmp_path, url).settings


@pytest.mark.parametrize(
    "url",
    [
        "sesame",
        "://sesame",
        "mysql://bot:sesame@localhost/bot",
        "postgres://bot:sesame@localhost:port/bot",
        "postgres://bot:sesame@127.0.0.1:1/bot",
        "postgresql://bot:sesame@no-such-host.invalid/bot",
        "postgresql://sesame",
    ],
)
async def test_a_wrong_database_url_is_named_and_not_shown(tmp_path: Path, url: str) -> None:
    """A DATABASE_URL that is malformed or leads nowhere ends the start with one line that shows nothing of it."""
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as caught:
        await asyncio.wait_for(open_journal(with_url(tmp_path, url)), 30)
    assert "sesame" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_missing_database_is_said_to_be_missing(tmp_path: Path, postgres_server: str) -> None:
    """Where the server answers but has no such database, the line says that."""
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: the server has no database of that name$"):
        await open_journal(with_url(tmp_path, postgres_server.replace("/postgres?", "/elsewhere?")))


async def test_herokus_url_works(tmp_path: Path, postgres_only: Database) -> None:
    """A URL that begins with `postgres://`, as Heroku hands it out, is understood."""
    url = (postgres_only.url or "").replace("postgresql://", "postgres://")
    journal = await open_journal(with_url(tmp_path, url))
    assert await journal.backlog() == (0, 0, 0)
    await journal.close()


async def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    """A BOT_DATA_DIR where no database can be ends the start with one line that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^BOT_DATA_DIR: no database can be written there"):
        await open_journal(Database(tmp_path / "file", None).settings)
    (tmp_path / "bot.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(SettingsError, match=r"^BOT_DATA_DIR: no database can be written there \(SQLITE_NOTADB\)"):
        await open_journal(Database(tmp_path, None).settings)


#: A row of each of the first revision's tables.
FIRST_TABLES = ("messages", "inbox", "turns", "exchanges", "links", "intents", "epochs")
FIRST_ROWS = """
INSERT INTO messages VALUES ('e1', 'e1', 'c', 'slack:T1:D1:#private', 5.0);
INSERT INTO inbox (event_id, person_key, conversation, payload, at) VALUES ('e2', 'slack:T1:UANN', 'c', '{}', 5.0);
INSERT INTO turns VALUES (1, 'c', 'e1', 'user', 'Ann', 'slack:T1:UANN', 'slack:T1:UANN', 'hello', 5.0, 5.0);
INSERT INTO exchanges (event_id, person_key, user_id, scope, name, text, answer, at, link, place, conversation)
    VALUES ('e1', 'slack:T1:UANN', 'slack:T1:UANN', 'private', 'Ann', 'hello', 'hi', 5.0, '', 'DM', 'c');
INSERT INTO links VALUES ('slack:T1:UBOB', 'slack:T1:UANN', 5.0);
INSERT INTO intents VALUES ('t', 'slack:T1:UANN', 'forget', '[]', 5.0);
INSERT INTO epochs VALUES ('slack:T1:UANN', 3);
"""


def everything(conn: sa.Connection, table: str) -> list[dict[str, object]]:
    """All rows of a table."""
    return [dict(row) for row in conn.execute(sa.text(f"SELECT * FROM {table}")).mappings()]


async def test_data_of_the_first_revision_is_kept(database: Database, open_: Open) -> None:
    """A database of the first revision, with a row in each table, is brought up to date once and keeps every row."""
    engine = (
        sqlite_engine(database_path(database.settings))
        if database.url is None
        else sa.create_engine(parse_url(database.url))
    )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        for statement in filter(str.strip, FIRST_ROWS.split(";\n")):
            conn.exec_driver_sql(statement)
        before = [everything(conn, name) for name in FIRST_TABLES]
        conn.commit()
    journals = await asyncio.gather(*(open_() for _ in range(4)))
    with engine.connect() as conn:
        for name, rows in zip(FIRST_TABLES, before, strict=True):
            now = everything(conn, name)
            assert [{column: row[column] for column in rows[0]} for row in now] == rows
        assert conn.execute(sa.text("SELECT version_num FROM journal_version")).all() == [(migrate.HEAD,)]
    engine.dispose()
    assert {await journal.backlog() for journal in journals} == {(1, 1, 0)}
    assert {await journal.accounts.user_id("slack:T1:UBOB") for journal in journals} == {"slack:T1:UANN"}


def test_sqlite_needs_no_postgresql(tmp_path: Path) -> None:
    """A bot on SQLite imports no driver for PostgreSQL, and after its first start no migrations: that is 20 MB less."""
    script = (
        "import asyncio, sys\n"
        "from bot import config\n"
        "from bot.journal import open_journal\n"
        "async def main(): await (await open_journal(config.load())).close()\n"
        "asyncio.run(main())\n"
        "print([name for name in ('psycopg', 'alembic') if name in sys.modules])\n"
    )
    env = {**os.environ, "BOT_DATA_DIR": str(tmp_path), "DATABASE_URL": ""}
    runs = [
        subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [run.stdout.strip() for run in runs] == ["['alembic']", "[]"]
