"""Promise 4: nothing reaches a wider audience. The real stores against a model in ten lines, over random histories."""

import asyncio
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.gathering import Gathered
from bot.core.tools import KITS, Toolbox, Workshop
from bot.events import MessageEvent
from bot.memory.recall.recall import RESULTS, search, to_memory
from bot.memory.vectors import sources as belonging
from bot.memory.vectors.postgres.store import PostgresStore
from bot.memory.vectors.sqlite.store import SqliteStore
from bot.model import PRIVATE_SCOPE, SHARED_SCOPE, Account, Audience, Call, Held, Memory, Person, Place
from tests.makers import MONDAY

pytestmark = pytest.mark.slow

Store = SqliteStore | PostgresStore

#: Two people on Slack and one on Discord; on Slack one user id is one person in all workspaces.
PEOPLE = ("slack:T1:U1", "slack:T2:U2", "discord:1")
#: A channel that all three workspaces of the organisation read, T1, T2 and T3, or another organisation.
CONNECT = "C5"
PLACES = tuple(
    Place(platform, workspace, channel, None, audience, external=channel == CONNECT)
    for platform, workspace, channel, audience in (
        ("slack", "T1", "D1", Audience.PRIVATE),
        ("slack", "T1", "C1", Audience.PUBLIC),
        ("slack", "T1", "C2", Audience.PUBLIC),
        ("slack", "T1", "C3", Audience.MEMBERS),
        ("slack", "T1", "C4", Audience.MEMBERS),
        ("slack", "T2", "C1", Audience.PUBLIC),
        ("slack", "T2", "C3", Audience.MEMBERS),
        ("slack", "T1", CONNECT, Audience.MEMBERS),
        ("slack", "T3", "C6", Audience.PUBLIC),
        ("slack", "T3", "D2", Audience.PRIVATE),
        ("discord", "", "D1", Audience.PRIVATE),
        ("discord", "T1", "C1", Audience.PUBLIC),
        ("discord", "T1", "C3", Audience.MEMBERS),
    )
)
DIMS = 8

person = st.sampled_from(PEOPLE)
place = st.sampled_from(range(len(PLACES)))
which = st.integers(0, 3)
step = st.one_of(
    st.tuples(st.just("learn"), person, place),
    st.tuples(st.just("learn"), person, place),
    st.tuples(st.just("share"), which, st.just(True)),
    st.tuples(st.just("share"), which, st.just(False)),
    st.tuples(st.just("edit"), which, person),
    st.tuples(st.just("forget"), which, person),
    st.tuples(st.just("delete"), which, st.just(None)),
    st.tuples(st.just("everything"), person, st.just(None)),
    st.tuples(st.just("link"), person, person),
    st.tuples(st.just("part"), person, person),
    st.tuples(st.just("leave"), place, st.just(None)),
)


class Fact:
    """A fact of the model: who told it where, whose memories it is among, and whether its owner has opened it."""

    def __init__(self, told_by: str, owner: str, place: Place) -> None:
        self.told_by = told_by
        self.owner = owner
        self.place = place
        self.open = False

    def recalled(self, owner: str, here: Place) -> bool:
        """The whole rule: one's own, and only where everyone who can read could have read it."""
        there = self.place
        if self.owner != owner:
            return False
        if here.audience is Audience.PRIVATE or self.open:
            return True
        same = (there.platform, there.workspace) == (here.platform, here.workspace)
        if there.audience is Audience.PUBLIC:
            return same and not here.external
        return there.audience is here.audience is Audience.MEMBERS and same and there.channel == here.channel

    def of(self, left: Place) -> bool:
        """Whether it goes with a workspace: told there, or by one of its own accounts."""
        prefix = f"{left.platform}:{left.workspace}"
        told_there = self.place.audience is not Audience.PRIVATE and self.place.scope.split(":", 1)[1].startswith(
            prefix
        )
        return told_there or self.told_by.startswith(f"{prefix}:")


def vector(seed: int) -> list[float]:
    found: list[float] = np.random.default_rng(seed).normal(size=DIMS).tolist()
    return found


def learn(store: Store, number: int, owner: str, place: Place) -> None:
    source = {"event_id": f"e{number}", "at": f"2026-05-01T12:00:{number:02}+00:00", "account": owner}
    payload: dict[str, Any] = {"data": f"fact {number}", "user_id": owner, "run_id": place.scope}
    payload |= {"audience": place.scope, "created_at": source["at"], "sources": [source]}
    store.insert([vector(number)], [payload], [f"m{number}"])


def apply(store: Store, facts: dict[int, Fact], change: tuple[Any, ...], number: int) -> None:
    """One step, on both. A number is a place among the facts that there are; without any, of one that is gone."""
    kind, one, two = change
    if isinstance(one, int):
        one = sorted(facts)[one % len(facts)] if facts else 99
    if kind == "learn":
        learn(store, number, one, PLACES[two])
        facts[number] = Fact(one, one, PLACES[two])
    elif kind == "share" and one in facts:
        store.amend(facts[one].owner, f"m{one}", lambda old: belonging.shared(old, wide=two))
        facts[one].open = two
    elif kind == "edit":  # by anybody: only the owner's counts, and it changes no audience
        store.amend(two, f"m{one}", lambda old: {**old, "data": f"fact {one}"}, vector(one + 100))
    elif kind == "forget":
        store.forget(two, [f"m{one}"])
        if one in facts and facts[one].owner == two:
            del facts[one]
    elif kind == "delete":
        store.forget_sources([f"e{one}"])
        facts.pop(one, None)
    elif kind == "everything":
        store.forget_user(one)
        for gone in [each for each, fact in facts.items() if fact.owner == one]:
            del facts[gone]
    elif kind == "link":
        store.move(one, two, None, one)
        for fact in facts.values():
            fact.owner = two if fact.owner == one else fact.owner
    elif kind == "part":
        store.move(one, two, [two], one)
        for fact in facts.values():
            if fact.owner == one and fact.told_by == two:
                fact.owner = two
    elif kind == "leave" and (left := PLACES[change[1]]).workspace:
        store.sweep(lambda payload: belonging.outside(payload, left.platform, left.workspace))
        for gone in [each for each, fact in facts.items() if fact.of(left)]:
            del facts[gone]


class Remembered:
    """What `search_memory` and `list_memories` ask of the memory, on a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def embed(self, text: str, action: str) -> list[float]:
        return vector(0)

    async def search(
        self, user_id: str, scopes: frozenset[str] | None, query: str, now: datetime, *_: object
    ) -> list[Memory]:
        embedder: Any = self
        return search(self._store, embedder, 1_000_000, user_id, scopes, query, now)

    async def list(self, user_id: str) -> list[Memory]:
        return [to_memory(row) for row in self._store.list({"user_id": user_id})[0]]


async def told_by_tools(store: Store, owner: str, here: Place) -> set[str]:
    """The memories that Claude is told of when somebody asks it in a place."""
    memory: Any = Remembered(store)
    made: Any = None
    event = MessageEvent("e", Person("slack", "T1", "U1"), here, "what do you know?", "Ann", MONDAY)
    found = Gathered(event, Account(owner), (), None, (), (), ())
    box = Toolbox(Workshop(memory, made), found, made, KITS)
    texts = []
    for name, arguments in (("search_memory", {"query": "fact"}), ("list_memories", {})):
        result = await box.run(Call("c", name, arguments))
        assert not result.failed
        texts.append({f"m{number}" for number in re.findall(r"\] fact (\d+)", result.text)})
    assert texts[0] == texts[1] or len(texts[0]) == RESULTS
    return texts[0] | texts[1]


def is_the_models(store: Store, steps: list[tuple[Any, ...]]) -> None:
    """For every person and place, what can be recalled after a history is exactly what the rule allows."""
    facts: dict[int, Fact] = {}
    for number, change in enumerate(steps):
        apply(store, facts, change, number)
    for owner in PEOPLE:
        for here in PLACES:
            found = store.fetch(store.candidates(owner, here.recallable, "fact", vector(0)).rows)
            allowed = {f"m{each}" for each, fact in facts.items() if fact.recalled(owner, here)}
            assert {row.id for row in found} == allowed, (owner, here)
            whole = len(store.candidates(owner, None, "fact", vector(0)).rows)
            assert store.count(owner, here.recallable) == Held(len(allowed), len(allowed) < whole), (owner, here)
            told = asyncio.run(told_by_tools(store, owner, here))
            assert told == allowed or (told < allowed and len(told) >= RESULTS), (owner, here)


histories = st.lists(step, min_size=5, max_size=25)


@settings(max_examples=100, deadline=None)
@given(histories)
def test_recall_is_the_models_on_sqlite(steps: list[tuple[Any, ...]]) -> None:
    """No history of people, places, links and forgettings makes recall differ from the rule."""
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bot.db", DIMS, "model")
        try:
            is_the_models(store, steps)
        finally:
            store.close()


@pytest.fixture(scope="module")
def postgres_store(module_postgres_url: str) -> Iterator[PostgresStore]:
    """A store that all histories share: making its tables takes a second."""
    store = PostgresStore(module_postgres_url, DIMS, "model")
    yield store
    store.close()


@settings(max_examples=40, deadline=None)
@given(steps=histories)
def test_recall_is_the_models_on_postgres(
    postgres_store: PostgresStore, module_postgres_url: str, steps: list[tuple[Any, ...]]
) -> None:
    """The same on PostgreSQL, whose queries are its own."""
    with psycopg.connect(module_postgres_url) as conn:
        conn.execute("DELETE FROM memories")
        conn.execute("DELETE FROM memory_erasures")
    is_the_models(postgres_store, steps)


def test_scopes_are_of_one_set_of_readers() -> None:
    """Public places of a workspace share a scope, closed ones none; no place's scope is the opened memories'."""
    scopes: dict[str, tuple[str, ...]] = {}
    for place in PLACES:
        channel = place.channel if place.audience is Audience.MEMBERS else ""
        readers = (place.audience, place.platform, place.workspace, channel)
        if place.audience is not Audience.PRIVATE:
            assert scopes.setdefault(place.scope, readers) == readers
    assert not {PRIVATE_SCOPE, SHARED_SCOPE} & set(scopes)
