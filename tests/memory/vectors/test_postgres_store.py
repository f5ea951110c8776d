"""The PostgreSQL store: the contract, and what is its own."""

import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psycopg
import pytest

from bot.config import SettingsError
from bot.memory.vectors.meta import EmbedderChanged
from bot.memory.vectors.postgres.store import PostgresStore
from bot.ports import MemoryUnavailable, Superseded
from tests.memory.vectors.contract import (
    DIMS,
    StoreContract,
    change,
    count,
    exchange,
    fact,
    fill,
    make_lesson,
    payload,
    teach,
    texts,
    vector,
)


@pytest.fixture(scope="module")
def shared_store(module_postgres_url: str) -> Iterator[PostgresStore]:
    """One store for the module: making its tables takes a second."""
    store = PostgresStore(module_postgres_url, DIMS, "model")
    yield store
    store.close()


@pytest.fixture
def store(shared_store: PostgresStore, module_postgres_url: str) -> PostgresStore:
    """The module's store, emptied."""
    with psycopg.connect(module_postgres_url) as conn:
        conn.execute("DELETE FROM memories")
        conn.execute("DELETE FROM memory_erasures")
    return shared_store


class TestPostgresStore(StoreContract):
    """Every promise of the contract holds on PostgreSQL."""

    @pytest.fixture
    def store(self, store: PostgresStore) -> PostgresStore:
        """The module's store, emptied."""
        return store


def heap(url: str) -> bytes:
    """Every byte of the files of the store's tables, their indexes and out-of-line values."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
        files = conn.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class"
            " WHERE relkind IN ('r', 't', 'i') AND oid >= 16384"
        )
        return b"".join(bytes(file) for (file,) in files)


@pytest.mark.parametrize("how", ["forget", "forget_source", "forget_user", "update"])
def test_what_is_forgotten_is_in_no_page(store: PostgresStore, module_postgres_url: str, how: str) -> None:
    """After any way of erasing, no page of the database holds the text, the neighbours' texts are all there."""
    # The long one is stored out of line, and can't be compressed.
    secret, long = "xylophoneowner", secrets.token_urlsafe(9000)
    sources = [{"event_id": "discord:1", "at": "2026-05-01T12:00:00+00:00"}]
    for number, text in enumerate((secret, long)):
        store.insert([vector(number)], [payload(text, sources=sources)], [str(number)])
    fill(store, [f"kept neighbour {number}" for number in range(40)])
    assert b"xylophoneowner" in heap(module_postgres_url)
    inside = long[4000:4040].encode()
    assert inside in heap(module_postgres_url)
    if how == "forget":
        assert store.forget("ann", ["0", "1"]) == 2
    elif how == "forget_source":
        assert store.forget_sources(["discord:1"], "ann") == 2
    elif how == "forget_user":
        assert store.forget_user("ann") == 42
    else:
        for memory_id in ("0", "1"):
            change(store, memory_id, payload("replaced"), vector(9))
    pages = heap(module_postgres_url)
    assert b"xylophone" not in pages
    assert inside not in pages
    assert (b"kept neighbour 39" in pages) is (how != "forget_user")


def test_an_erasure_seen_by_a_backup_is_finished_later(
    store: PostgresStore, module_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While an older snapshot keeps the deleted rows the store says so, and scrubs them with the next erasure."""
    fill(store, ["xylophoneowner", "other"])
    with psycopg.connect(module_postgres_url) as backup:
        backup.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        backup.execute("SELECT 1 FROM memory_meta").fetchall()
        with caplog.at_level(logging.WARNING):
            assert store.forget("ann", ["ann-private-0"]) == 1
        assert "older transaction" in caplog.text
        assert store.get("ann-private-0") is None
    assert b"xylophoneowner" in heap(module_postgres_url)
    fill(store, ["x"], "bob")
    store.forget_user("bob")
    assert b"xylophoneowner" not in heap(module_postgres_url)


def test_a_process_that_died_before_the_vacuum_leaves_it_to_the_next(
    store: PostgresStore, module_postgres_url: str
) -> None:
    """Rows deleted by a process that was killed before it could vacuum are scrubbed when the store is next opened."""
    fill(store, ["xylophoneowner"])
    with psycopg.connect(module_postgres_url) as conn:
        (part,) = conn.execute("DELETE FROM memories RETURNING part").fetchone() or (0,)
        conn.execute("INSERT INTO memory_erasures (part) VALUES (%s)", (part,))
    PostgresStore(module_postgres_url, DIMS, "model").close()
    assert b"xylophoneowner" not in heap(module_postgres_url)


def test_two_processes_may_make_the_tables_at_once(postgres_url: str) -> None:
    """Stores opened at the same moment on an empty database all open, and share one set of memories."""
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: PostgresStore(postgres_url, DIMS, "model"), range(4)))
    fill(stores[0], ["likes tea"])
    assert [count(store, "ann") for store in stores] == [1] * 4
    for store in stores:
        store.close()


def test_a_lesson_of_two_processes_is_learned_once(store: PostgresStore, module_postgres_url: str) -> None:
    """Where two processes learn the same exchange at once, one commits and the other stores nothing."""
    with psycopg.connect(module_postgres_url) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS waiting (id bigint)")
        conn.execute("INSERT INTO waiting VALUES (1)")

    def commit(conn: Any) -> None:
        if conn.execute("DELETE FROM waiting WHERE id = 1").rowcount != 1:
            raise Superseded("learned by another process")

    def learn(number: int) -> bool:
        lesson = make_lesson(exchange(1), commit=commit)
        text = fact(lesson, f"likes tea, says process {number}", exchange(1))
        try:
            teach(store, lesson, (str(number), text))
        except Superseded:
            return False
        return lesson.committed

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(learn, range(4))) == [False, False, False, True]
    assert count(store, "ann") == 1


def test_the_same_fact_learned_at_once_is_stored_once(store: PostgresStore) -> None:
    """Two lessons that say the same at the same moment give one memory with both sources."""

    def learn(number: int) -> None:
        lesson = make_lesson(exchange(number))
        teach(store, lesson, (str(number), fact(lesson, "likes tea", exchange(number))))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(learn, range(6)))
    (memory,) = store.list({"user_id": "ann"})[0]
    assert {source["event_id"] for source in memory.payload["sources"]} == {f"discord:{n}" for n in range(6)}


def test_threads_adding_searching_and_forgetting_lose_nothing(store: PostgresStore) -> None:
    """Concurrent writes, searches and erasures of many people raise nothing and lose nothing."""

    def live(number: int) -> int:
        user = f"user{number % 4}"
        for step in range(6):
            memory_id = f"{number}-{step}"
            store.insert([vector(number)], [payload(f"note {memory_id}", user)], [memory_id])
            assert memory_id in {row.id for row in store.search("note", vector(number), 200, {"user_id": user})}
        return store.forget(user, [f"{number}-0", f"{number}-1"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(live, range(12))) == [2] * 12
    assert sum(count(store, f"user{number}") for number in range(4)) == 12 * 4


def test_search_finds_what_a_full_scan_finds(store: PostgresStore) -> None:
    """With many people stored, the ten nearest of one are exactly those that a full comparison finds."""
    random = np.random.default_rng(3)
    vectors = random.normal(size=(600, DIMS))
    ids = [str(number) for number in range(600)]
    store.insert(vectors.tolist(), [payload(f"note {number}", f"user{number % 20}") for number in range(600)], ids)
    query = random.normal(size=DIMS)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    own = [number for number in range(600) if number % 20 == 7]
    nearest = sorted(own, key=lambda number: -float(units[number] @ query))[:10]
    found = store.search("", query.tolist(), 10, {"user_id": "user7"})
    assert [row.id for row in found] == [str(number) for number in nearest]


def test_a_server_that_goes_away_is_told_apart_from_no_memories(postgres_url: str) -> None:
    """Where the connections are cut the next call makes a new one; without a server it raises MemoryUnavailable."""
    store = PostgresStore(postgres_url, DIMS, "model")
    fill(store, ["likes tea"])
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
        conn.execute(cut, (conn.info.backend_pid,))
        for _ in range(2):
            try:
                found = store.list({"user_id": "ann"})
            except MemoryUnavailable:
                continue
        assert texts(found[0]) == ["likes tea"]
        conn.execute("ALTER TABLE memories RENAME TO hidden")
        with pytest.raises(MemoryUnavailable):
            store.get("1")
    store.close()


def test_texts_stay_out_of_errors_and_logs(store: PostgresStore, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is stored nor what is asked for is in a log record or an exception, at any level."""
    caplog.set_level(logging.DEBUG)
    lesson = make_lesson(exchange(1), commit=lambda conn: conn.execute("SELECT %s::int", ("platypus",)))
    with pytest.raises(MemoryUnavailable) as failed:
        teach(store, lesson, ("1", fact(lesson, "keeps a platypus", exchange(1))))
    store.search("platypus", vector(1), 5, {"user_id": "ann"})
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert "platypus" not in caplog.text + str(failed.value)


def test_another_embedders_vectors_are_never_mixed_in(postgres_url: str) -> None:
    """A store with memories refuses another embedder; an empty one takes it."""
    PostgresStore(postgres_url, DIMS, "model").close()
    store = PostgresStore(postgres_url, DIMS * 2, "larger")
    store.insert([vector(1) * 2], [payload("likes tea")], ["one"])
    store.close()
    with pytest.raises(EmbedderChanged):
        PostgresStore(postgres_url, DIMS, "model")


def test_an_unreachable_database_names_the_variable() -> None:
    """A database that can't be reached, and a URL that is none, end in one line without the password."""
    for url in ("postgresql://ann:hunter2@127.0.0.1:1/none", "postgres://ann:hunter2@127.0.0.1:1/none", "hunter2"):
        with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as failed:
            PostgresStore(url, DIMS, "model")
        assert "hunter2" not in str(failed.value)


def test_a_database_without_the_right_to_pgvector_names_the_variable(postgres_url: str) -> None:
    """Where the extension can't be made, the start ends in one line that says so."""
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS plain")
        conn.execute("CREATE ROLE plain LOGIN")
        conn.execute("GRANT ALL ON SCHEMA public TO plain")
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: this user may not CREATE EXTENSION vector$"):
        PostgresStore(postgres_url.replace("//postgres:@", "//plain:@"), DIMS, "model")
