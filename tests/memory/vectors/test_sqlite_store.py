"""The SQLite store does what every store of ours does, in one file that several stores and the journal can share."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.memory.vectors.meta import EmbedderChanged
from bot.memory.vectors.sqlite.store import SqliteStore
from bot.storage.sqlite import connect, write_lock
from tests.memory.vectors.contract import (
    DIMS,
    START,
    StoreContract,
    by_words,
    count,
    fill,
    payload,
    texts,
    vector,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder that isn't there yet."""
    return tmp_path / "data" / "bot.db"


class TestSqliteStore(StoreContract):
    """The contract, on SQLite."""

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Any]:
        """An empty store."""
        store = SqliteStore(path, DIMS, "model")
        yield store
        store.close()


class TestWithoutCache(StoreContract):
    """The contract for people with more memories than the cache holds: their vectors are read for each search."""

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Any]:
        """An empty store whose cache holds nobody."""
        store = SqliteStore(path, DIMS, "model", cache_bytes=0)
        yield store
        store.close()


def test_memories_outlive_the_process(path: Path) -> None:
    """A store opened again has every memory, keyword and source."""
    store = SqliteStore(path, DIMS, "model")
    fill(store, ["likes tea", "likes coffee"])
    store.close()
    store = SqliteStore(path, DIMS, "model")
    assert texts(store.search("coffee", vector(1), 1, {"user_id": "ann"})) == ["likes coffee"]
    store.close()


def test_only_the_owner_can_read_the_files(path: Path) -> None:
    """The folder that the store makes and all its files are closed to other users."""
    store = SqliteStore(path, DIMS, "model")
    fill(store, ["likes tea"])
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["bot.db", "bot.db-shm", "bot.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()


def test_another_embedders_store_is_refused(path: Path) -> None:
    """Vectors of two embedders never meet; an empty store takes the new one."""
    SqliteStore(path, DIMS, "model").close()
    store = SqliteStore(path, DIMS * 2, "other")
    store.insert([vector(1) + vector(2)], [payload("likes tea")], ["one"])
    store.close()
    with pytest.raises(EmbedderChanged, match="other"):
        SqliteStore(path, DIMS, "model")
    with pytest.raises(EmbedderChanged):
        SqliteStore(path, DIMS, "other")
    store = SqliteStore(path, DIMS * 2, "other")
    assert count(store, "ann") == 1
    store.close()


@pytest.mark.parametrize("dims", [3, 16, 256, 384, 1024, 1536, 3072])
def test_any_number_of_dimensions(path: Path, dims: int) -> None:
    """Vectors of every usual length come back exactly."""
    random = np.random.default_rng(dims)
    vectors = random.normal(size=(30, dims))
    store = SqliteStore(path, dims, "model")
    for number, each in enumerate(vectors):
        store.insert([each.tolist()], [payload(f"note {number}")], [str(number)])
    found = store.search("", vectors[17].tolist(), 2, {"user_id": "ann"})
    assert found[0].id == "17"
    assert found[0].score == pytest.approx(1, abs=1e-6)
    assert store.search("", vectors[29].tolist(), 1, {"user_id": "ann"})[0].id == "29"
    store.close()


def test_a_term_in_very_many_memories_is_found_in_all(path: Path) -> None:
    """A keyword's postings may grow past one row, and shrink again."""
    store = SqliteStore(path, DIMS, "model")
    ids = [str(number) for number in range(1000)]
    store.insert([vector(1)] * 1000, [payload(f"tea {number}") for number in range(1000)], ids)
    assert len(by_words(store, "tea")) == 1000
    assert store.forget("ann", ids[100:700]) == 600
    assert len(by_words(store, "tea")) == 400
    assert by_words(store, "tea 99")[0].id == "99"
    store.close()


def test_the_journals_tables_may_share_the_file(path: Path) -> None:
    """Another connection to the file writes its own tables, and takes turns by the same lock."""
    store = SqliteStore(path, DIMS, "model")
    conn = connect(path)
    with write_lock(path.parent / "." / path.name):
        conn.execute("CREATE TABLE turns (text TEXT)")
        conn.execute("INSERT INTO turns VALUES ('hello')")
    fill(store, ["likes tea"])
    store.forget_user("ann")
    assert conn.execute("SELECT text FROM turns").fetchall() == [("hello",)]
    assert write_lock(path) is write_lock(path.parent / ".." / path.parent.name / path.name)
    conn.close()
    store.close()


def test_times_without_a_zone_are_utc(path: Path) -> None:
    """mem0's times with and without a zone are the same moment; none at all is now."""
    store = SqliteStore(path, DIMS, "model")
    naive, zulu = START.replace(tzinfo=None).isoformat(), START.strftime("%Y-%m-%dT%H:%M:%SZ")
    for number, created in enumerate((naive, zulu, None)):
        store.insert([vector(number)], [payload(f"note {number}", created_at=created)], [str(number)])
    first, second, third = store.candidates("ann", None, "", vector(0)).created_at
    assert first == second == START.timestamp() < third
    store.close()
