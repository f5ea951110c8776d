"""The cache of people's memories never shows anything but what the database holds now, whoever has written it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from bot.memory.vectors import sources
from bot.memory.vectors.person_cache import CACHE_BYTES
from bot.memory.vectors.postgres.store import PostgresStore
from bot.memory.vectors.sqlite.store import SqliteStore
from bot.model import SHARED_SCOPE
from tests.memory.vectors.contract import DIMS, START, change, fill, payload, texts, vector

#: Opens one more store on the same data, with a cache of so many bytes.
Open = Callable[..., Any]
ANN = {"user_id": "ann"}
#: Too small for the vectors of twelve memories, large enough for the rest of them.
NARROW = 3500


@pytest.fixture(params=["sqlite", "postgres"])
def open_(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Stores on one file or one database, as several processes have them open."""
    with ExitStack() as stack:

        def opened(cache_bytes: int = CACHE_BYTES) -> Any:
            if request.param == "sqlite":
                store: Any = SqliteStore(tmp_path / "bot.db", DIMS, "model", cache_bytes=cache_bytes)
            else:
                url = request.getfixturevalue("postgres_url")
                store = PostgresStore(url, DIMS, "model", cache_bytes=cache_bytes)
            return stack.enter_context(closing(store))

        yield opened


def found(store: Any, number: int, user: str = "ann", scope: str | None = None, words: str = "note") -> list[Any]:
    """What a recall finds, with all that it goes by: id, text, cosine, BM25 and when it was said."""
    candidates = store.candidates(user, None if scope is None else frozenset({scope}), words, vector(number))
    rows = store.fetch(candidates.rows)
    assert len(rows) == len(candidates.rows)
    columns = (candidates.semantic.round(5), candidates.keyword.round(4), candidates.seen_at, candidates.length)
    return [(row.id, row.payload["data"], *map(float, values)) for row, *values in zip(rows, *columns, strict=True)]


def test_another_stores_writes_are_seen_at_once(open_: Open) -> None:
    """What another process adds, changes or erases shows in the next search, however warm the cache is."""
    one, other = open_(), open_()
    ids = fill(one, ["likes tea", "likes coffee"])
    assert len(other.search("", vector(0), 5, ANN)) == 2
    one.insert([vector(2)], [payload("likes water")], ["water"])
    assert texts(other.search("", vector(2), 1, ANN)) == ["likes water"]
    one.forget("ann", [ids[0]])
    assert set(texts(other.search("", vector(0), 5, ANN))) == {"likes coffee", "likes water"}
    change(one, "water", vector=vector(7))
    assert other.search("", vector(7), 1, ANN)[0].score == pytest.approx(1, abs=1e-5)
    one.forget_user("ann")
    assert other.search("", vector(0), 5, ANN) == []
    fill(one, ["a new start"])
    assert texts(other.search("", vector(0), 5, ANN)) == ["a new start"]


def test_another_store_narrows_an_audience(open_: Open) -> None:
    """A memory that another process has made private again is found in no channel, from the next search on."""
    one, other = open_(), open_()
    (memory_id,) = fill(one, ["likes tea"])
    for shared in (True, False, True, False):
        assert one.amend("ann", memory_id, partial(sources.shared, wide=shared)) is not None
        assert [row[1] for row in found(other, 0, scope=SHARED_SCOPE)] == (["likes tea"] if shared else [])


def test_what_another_store_moves_is_found_where_it_is_now(open_: Open) -> None:
    """Memories that another process gives to another person are nobody else's from the next search on."""
    one, other = open_(), open_()
    fill(one, ["likes tea", "likes coffee"])
    fill(one, ["likes water"], "bob")
    for giver, taker in (("ann", "bob"), ("bob", "ann")):
        assert [len(found(other, 0, user)) for user in (giver, taker)] != [0, 0]
        one.move(giver, taker, None, giver)
        assert [len(found(other, 0, user)) for user in (giver, taker)] == [0, 3]


def test_what_was_erased_here_leaves_the_memory_of_the_process(open_: Open) -> None:
    """An erasure empties the cache of that person in the process that erases, and a search in any other."""
    one, other = open_(), open_()
    (memory_id,) = fill(one, ["likes tea"])
    for erase in (partial(one.forget, "ann", [memory_id]), partial(one.forget_user, "ann")):
        fill(one, ["likes water"], "bob")
        for store in (one, other):
            found(store, 0)
            found(store, 0, "bob")
        erase()
        assert len(one._cache._entries) == 1
        assert [row[1] for row in found(other, 0)] == []
    assert len(other._cache._entries) == 1


@pytest.mark.parametrize("cache_bytes", [CACHE_BYTES, 10_000, NARROW, 0])
def test_warm_caches_stay_exact_as_memories_come_and_go(open_: Open, cache_bytes: int) -> None:
    """After many writes of every kind by two processes, both find what one finds that has just started."""
    warm = open_(cache_bytes), open_(cache_bytes)
    random = np.random.default_rng(5)
    live: list[str] = []
    for step in range(120):
        writer = warm[int(random.integers(2))]
        picked = live[int(random.integers(len(live)))] if live else ""
        match int(random.integers(12)) if live else 0:
            case 0 | 1 | 2 | 3 | 4:
                event = {"event_id": f"discord:{step}", "at": START.isoformat()}
                writer.insert([vector(step)], [payload(f"note {step}", sources=[event])], [f"id{step}"])
                live.append(f"id{step}")
            case 5:
                live.remove(picked)
                assert writer.forget("ann", [picked]) == 1
            case 6:
                live.remove(picked)
                assert writer.forget_sources([f"discord:{picked[2:]}"], "ann") == 1
            case 7:
                change(writer, picked, vector=vector(1000 + step))
            case 8:
                change(writer, picked, payload(f"another note {step}, longer than before"))
            case 9:
                change(writer, picked, payload(f"note {step} told to all", audience="public"))
            case 10:
                writer.move("ann", "bob", None, "ann")
                found(warm[0], step, "bob")
                writer.move("bob", "ann", None, "bob")
            case _ if step % 5 == 0:
                writer.forget_user("ann")
                live.clear()
        if step % 3 == 0:
            cold = open_()
            for scope in (None, "public"):
                expected = found(cold, -step % 7919, scope=scope)
                assert [found(store, -step % 7919, scope=scope) for store in warm] == [expected] * 2
            cold.close()
    assert max(store._cache._total for store in warm) <= cache_bytes


def test_the_cache_is_bounded(open_: Open) -> None:
    """The cache never holds more than its limit, and forgets the least recent people first."""
    store = open_(20_000)
    for person in range(30):
        fill(store, [f"note {number}" for number in range(10)], f"p{person}")
        assert len(store.search("", vector(0), 20, {"user_id": f"p{person}"})) == 10
        assert store._cache._total <= 20_000
    assert 0 < len(store._cache._entries) < 30


def test_a_person_whose_vectors_no_longer_fit_and_then_do_again(open_: Open) -> None:
    """Past the limit vectors are read for each search, below it they are kept, and no search tells the difference."""
    store, other = open_(NARROW), open_()
    few = fill(store, ["note 0"])
    assert found(store, 3) == found(other, 3)
    many = fill(store, [f"note {number}" for number in range(12)], audience="public")
    assert found(store, 3) == found(other, 3)
    assert [entry.vectors is None for entry in store._cache._entries.values()] == [True]
    fill(other, ["note 12"], audience="members")
    assert found(store, 3) == found(other, 3)
    other.forget("ann", many)
    assert [row[0] for row in found(store, 3)] == [*few, "ann-members-0"]
    assert [entry.vectors is None for entry in store._cache._entries.values()] == [False]


def test_threads_of_two_stores_never_find_what_is_gone(open_: Open) -> None:
    """While two processes add and erase a person's memories, what is done before a search shows in it."""
    stores = open_(), open_()

    def live(number: int) -> None:
        writer, reader = stores[number % 2], stores[(number + 1) % 2]
        for step in range(8):
            memory_id = f"{number}-{step}"
            writer.insert([vector(number)], [payload(f"note {memory_id}")], [memory_id])
            ours = {row.id: row.score for row in reader.search("", vector(number), 200, ANN)}
            assert ours[memory_id] == pytest.approx(1, abs=1e-5)
            writer.forget("ann", [memory_id])
            assert memory_id not in {row.id for row in reader.search("note", vector(number), 200, ANN)}

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(live, range(6)))
    assert [found(store, 0) for store in stores] == [[], []]


def test_writes_that_know_nothing_of_the_cache_are_seen_on_postgresql(postgres_url: str) -> None:
    """A process of an earlier version, or an operator's SQL, changes what the next search finds."""
    with closing(PostgresStore(postgres_url, DIMS, "model")) as store, psycopg.connect(postgres_url) as conn:
        fill(store, ["likes tea", "likes coffee", "likes water"])
        assert len(found(store, 0)) == 3
        public = store._meta.digest("audience", "public")
        for sql, params, left in (
            ("UPDATE memories SET audience = %s WHERE memory_id = 'ann-private-0'", (public,), 2),
            ("UPDATE memories SET superseded_by = 'x' WHERE memory_id = 'ann-private-1'", (), 1),
            ("DELETE FROM memories WHERE memory_id = 'ann-private-2'", (), 0),
        ):
            conn.execute(sql.encode(), params)
            assert len(found(store, 0, scope="private")) == left + 1
            conn.rollback()
            assert len(found(store, 0, scope="private")) == 3 - (2 - left)
            conn.execute(sql.encode(), params)
            conn.commit()
            assert len(found(store, 0, scope="private")) == left
