"""What people may do with their memories in our own stores, the same on SQLite and PostgreSQL."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.memory.vectors import sources as belonging
from bot.memory.vectors.postgres.store import PostgresStore
from bot.memory.vectors.sqlite.store import SqliteStore
from tests.memory.vectors.contract import (
    DIMS,
    START,
    count,
    everything,
    payload,
    texts,
    vector,
)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """An empty store of each kind in turn."""
    if request.param == "sqlite":
        opened: Any = SqliteStore(tmp_path / "bot.db", DIMS, "model")
    else:
        opened = PostgresStore(request.getfixturevalue("postgres_url"), DIMS, "model")
    yield opened
    opened.close()


def put(store: Any, number: int, text: str, *events: str, user: str = "ann", scope: str = "private") -> None:
    """Store a memory taught by events; an event `account/x` was told by that account."""
    sources = [
        {"event_id": event_id, "at": START.isoformat(), "account": event_id.partition("/")[0]} for event_id in events
    ]
    store.insert([vector(number)], [payload(text, user, scope, sources=sources)], [f"m{number}"])


def known(store: Any, user: str) -> list[str]:
    """A person's memories that are in force, in the order of the alphabet."""
    return sorted(texts([row for row in store.list({"user_id": user})[0] if "superseded_by" not in row.payload]))


def supersede(store: Any, former: str, by: str) -> None:
    """Mark a memory as replaced."""
    mark = "?" if isinstance(store, SqliteStore) else "%s"
    with store._writing() as conn:
        conn.execute(f"UPDATE memories SET superseded_by = {mark} WHERE memory_id = {mark}", (by, former))


def test_an_edit_changes_text_words_and_vector(store: Any) -> None:
    """The changed memory is found by its new words and vector alone, and only its owner's change counts."""
    put(store, 1, "likes tea", "ann/1")
    change = partial(belonging.edited, text="plays chess", now=START)
    assert store.amend("bob", "m1", change, vector(9)) is None
    assert store.amend("ann", "gone", change, vector(9)) is None
    row = store.amend("ann", "m1", change, vector(9))
    assert (row.id, row.payload["data"], row.payload["edited_at"]) == ("m1", "plays chess", START.isoformat())
    assert store.find("ann", "tea") == []
    assert texts(store.find("ann", "chess")) == ["plays chess"]
    assert store.search("", vector(9), 1, {"user_id": "ann"})[0].score == pytest.approx(1, abs=1e-5)
    assert [source["event_id"] for source in row.payload["sources"]] == ["ann/1"]


def test_sharing_changes_the_audience_and_back(store: Any) -> None:
    """An opened memory is among the shared ones, a closed one where it was learned; twice is once."""
    put(store, 1, "likes tea", "ann/1", scope="members:slack:T1:C1")
    for wide, audience in ((True, "shared"), (True, "shared"), (False, "members:slack:T1:C1")):
        row = store.amend("ann", "m1", partial(belonging.shared, wide=wide))
        assert row.payload["audience"] == audience
        assert len(store.candidates("ann", frozenset({audience}), "", vector(0)).rows) == 1
    assert "own" not in row.payload


def test_forgetting_sources(store: Any) -> None:
    """A memory goes with its last source, whosever it is, and what it had replaced is in force again."""
    put(store, 1, "lives in Porto", "ann/1")
    put(store, 2, "lives in Lisbon", "ann/2")
    put(store, 3, "likes tea", "ann/2", "ann/3")
    put(store, 4, "likes rum", "bob/2", user="bob")
    supersede(store, "m1", "m2")
    assert store.forget_sources(["ann/2", "bob/2", "unknown"], "ann") == 2
    assert known(store, "ann") == ["likes tea", "lives in Porto"]
    assert known(store, "bob") == ["likes rum"]
    assert store.forget_sources(["ann/3", "bob/2"]) == 2
    assert (known(store, "ann"), known(store, "bob")) == (["lives in Porto"], [])
    assert store.forget_sources(["ann/3"], "nobody") == 0


def test_moving_all_keeps_ids_vectors_and_replacements(store: Any) -> None:
    """All of a person's memories go to another, as they are; moving them again moves nothing."""
    put(store, 1, "likes coffee", "ann/1")
    put(store, 2, "likes tea", "ann/2")
    put(store, 3, "likes rum", "bob/3", user="bob")
    supersede(store, "m1", "m2")
    assert store.move("ann", "bob", None, "ann") == 2
    assert store.move("ann", "bob", None, "ann") == 0
    assert store.move("bob", "bob", None, "bob") == 0
    assert known(store, "bob") == ["likes rum", "likes tea"]
    assert store.get("m1").payload["superseded_by"] == "m2"
    assert count(store, "ann") == 0
    assert store.search("", vector(2), 1, {"user_id": "bob"})[0].score == pytest.approx(1, abs=1e-5)
    assert texts(store.find("bob", "tea")) == ["likes tea"]


def test_parting_divides_by_account(store: Any) -> None:
    """What one account taught goes, what both taught is copied, what nobody else replaced is in force again."""
    put(store, 1, "likes coffee", "ann/1")
    put(store, 2, "likes tea", "dot/2")
    put(store, 3, "lives in Porto", "ann/3", "dot/4")
    supersede(store, "m1", "m2")
    assert store.move("ann", "dot", ["dot"], "ann") == 2
    assert known(store, "ann") == ["likes coffee", "lives in Porto"]
    assert known(store, "dot") == ["likes tea", "lives in Porto"]
    sources = {
        user: [source["event_id"] for row in store.list({"user_id": user})[0] for source in row.payload["sources"]]
        for user in ("ann", "dot")
    }
    assert {user: sorted(found) for user, found in sources.items()} == {
        "ann": ["ann/1", "ann/3"],
        "dot": ["dot/2", "dot/4"],
    }


def test_a_workspace_is_swept(store: Any) -> None:
    """Over more people and memories than one batch, what is a workspace's alone goes, the rest stays."""
    for number in range(30):
        put(store, number, f"public {number}", f"discord/{number}", user=f"u{number}", scope="public:slack:T1")
    put(store, 100, "opened", "slack:T1:D1:1", user="slack:T1:U1")
    put(store, 101, "both", "slack:T1:D1:1", "discord/7", user="slack:T1:U1")
    put(store, 102, "elsewhere", "slack:T11:D1:1", user="slack:T11:U1", scope="public:slack:T11")
    store.amend("slack:T1:U1", "m100", partial(belonging.shared, wide=True))
    assert store.sweep(partial(belonging.outside, platform="slack", workspace="T1")) == 32
    assert len(everything(store)) == 2
    assert known(store, "slack:T1:U1") == ["both"]
    assert known(store, "slack:T11:U1") == ["elsewhere"]


def test_on_postgres_no_page_holds_what_was_changed(postgres_url: str) -> None:
    """After an edit, a move and a deleted message, neither tables nor indexes hold the former texts."""
    store = PostgresStore(postgres_url, DIMS, "model")
    put(store, 1, "keeps a zebrafinch", "ann/1")
    put(store, 2, "feeds the zebrafinch", "dot/2")
    store.amend("ann", "m1", partial(belonging.edited, text="keeps a wren", now=START), vector(9))
    store.move("ann", "dot", ["dot"], "ann")
    store.forget_sources(["dot/2"])
    assert known(store, "ann") == ["keeps a wren"]
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
        pages = conn.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class WHERE relkind IN ('r', 't', 'i')"
        ).fetchall()
    assert not any(b"zebrafinch" in page for (page,) in pages)
    assert any(b"keeps a wren" in page for (page,) in pages)
    store.close()


class Counting(PostgresStore):
    """A store that counts how often it rewrites what held erased rows."""

    scrubs = 0

    def scrub(self) -> None:
        self.scrubs += 1
        super().scrub()


def test_on_postgres_a_sweep_rewrites_once(postgres_url: str) -> None:
    """However many people a workspace had, the parts of the table are rewritten, and locked, once, and hold nothing."""
    store = Counting(postgres_url, DIMS, "model")
    for number in range(30):
        put(store, number, f"zebrafinch {number}", f"e{number}", user=f"u{number}", scope="public:slack:T1")
    before = store.scrubs
    assert store.sweep(partial(belonging.outside, platform="slack", workspace="T1")) == 30
    assert store.scrubs == before + 1
    with psycopg.connect(postgres_url) as conn:
        assert conn.execute("SELECT count(*) FROM memory_erasures").fetchone() == (0,)
    store.close()
