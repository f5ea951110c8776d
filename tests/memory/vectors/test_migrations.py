"""The memory store's tables: made, adopted and kept by migrations, on SQLite and on PostgreSQL."""

import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import bot.memory.vectors
from bot.config import SettingsError
from bot.memory.vectors.meta import HEAD
from bot.memory.vectors.postgres.store import PostgresStore
from bot.memory.vectors.sqlite.store import SqliteStore
from tests.memory.vectors.contract import (
    by_words,
    payload,
)

MIGRATIONS = Path(bot.memory.vectors.__file__).parent / "migrations"
DIMS, MODEL = 4, "by hand"

Open = Callable[[], Any]
Run = Callable[[str], None]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Open, Run]:
    """Ways to open a store in one place, and to run SQL there."""
    if request.param == "sqlite":
        path = tmp_path / "bot.db"

        def run(sql: str) -> None:
            with contextlib.closing(sqlite3.connect(path)) as conn, conn:
                conn.execute(sql)

        return lambda: SqliteStore(path, DIMS, MODEL), run
    url: str = request.getfixturevalue("postgres_url")

    def run_there(sql: str) -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(sql.encode())

    return lambda: PostgresStore(url, DIMS, MODEL), run_there


def test_the_newest_revision_is_the_one_checked_at_start() -> None:
    """HEAD, which spares a start the import of alembic, names the last migration."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_store_from_before_its_revisions_keeps_everything(place: tuple[Open, Run]) -> None:
    """What a version wrote that knew no revisions is adopted, by several that start at once, and written on."""
    open_, run = place
    with contextlib.closing(open_()) as store:
        store.insert([[1, 0, 0, 0]], [payload("Likes tea")], ["m1"])
    run("DROP TABLE memory_version")
    with ThreadPoolExecutor(4) as threads:
        stores = [future.result() for future in [threads.submit(open_) for _ in range(4)]]
    for number, store in enumerate(stores, 2):
        assert [row.id for row in store.list({"user_id": "ann"})[0]][-1] == "m1"
        store.insert([[0, 1, 0, 0]], [payload(f"Likes {number}")], [f"m{number}"])
        store.close()
    with contextlib.closing(open_()) as store:
        assert len(store.list({"user_id": "ann"})[0]) == 5


def test_memories_of_a_newer_version_are_left_alone(place: tuple[Open, Run]) -> None:
    """Tables of an unknown revision end the start with one line that names the variable."""
    open_, run = place
    open_().close()
    run("UPDATE memory_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match=r"^(BOT_DATA_DIR|DATABASE_URL): .*9999"):
        open_()


def test_memories_of_every_script_are_indexed_anew(place: tuple[Open, Run], request: pytest.FixtureRequest) -> None:
    """What an earlier version indexed by other keywords is found by today's, and forgotten with them."""
    open_, run = place
    texts = {"m1": "고양이를 키운다", "m2": "Lives in São Paulo"}
    with contextlib.closing(open_()) as store:
        for number, (name, text) in enumerate(texts.items()):
            store.insert([[1, number, 0, 0]], [payload(text)], [name])
    postgres = "postgres" in request.node.callspec.params.values()
    run("UPDATE memories SET terms = '{}', signature = 0" if postgres else "DELETE FROM memory_postings")
    run("UPDATE memory_version SET version_num = '0001'")
    with contextlib.closing(open_()) as store:
        for words, name in (("고양이", "m1"), ("sao paulo", "m2")):
            assert [row.id for row in by_words(store, words, dims=4)] == [name]
            assert [row.id for row in store.find("ann", words)] == [name]
        store.forget("ann", ["m1"])
        assert not by_words(store, "고양이", dims=4)


def test_people_from_before_the_cache_are_found_and_kept_fresh(postgres_url: str) -> None:
    """On PostgreSQL, memories of an earlier version are found as they are, and as they then become."""
    with contextlib.closing(PostgresStore(postgres_url, DIMS, MODEL)) as store:
        for number, user in enumerate(("ann", "ann", "bob")):
            store.insert([[1, number, 0, 0]], [payload(f"Likes {number}", user)], [f"m{number}"])
    with psycopg.connect(postgres_url) as conn:
        conn.execute("DROP TRIGGER memory_written ON memories")
        conn.execute("DROP FUNCTION memory_written")
        conn.execute("DROP TABLE memory_people")
        conn.execute("UPDATE memory_version SET version_num = '0002'")
    with contextlib.closing(PostgresStore(postgres_url, DIMS, MODEL)) as store:
        assert [len(by_words(store, "likes", user, dims=4)) for user in ("ann", "bob")] == [2, 1]
        with psycopg.connect(postgres_url) as conn:
            conn.execute("DELETE FROM memories WHERE memory_id = 'm1'")
        assert [len(by_words(store, "likes", user, dims=4)) for user in ("ann", "bob")] == [1, 1]
        store.forget_user("ann")
        with psycopg.connect(postgres_url) as conn:
            assert conn.execute("SELECT count(*) FROM memory_people").fetchone() == (1,)
