"""Changing the embedder embeds everything again, may be broken off, and never mixes two embedders' vectors."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.memory.vectors.meta import EmbedderChanged
from bot.memory.vectors.sqlite.reembed import BATCH, reembed
from bot.memory.vectors.sqlite.store import SqliteStore
from tests.memory.vectors.contract import (
    DIMS,
    change,
    count,
    payload,
)


class Hashed:
    """An embedder whose vector is drawn from the text; it can be told to fail after so many batches."""

    def __init__(self, name: str, dims: int = DIMS, fails_after: int | None = None) -> None:
        self.name = name
        self.dims = dims
        self.embedded: list[str] = []
        self._left = fails_after

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The text's vector."""
        seed = int.from_bytes(hashlib.sha256(f"{self.name} {text}".encode()).digest()[:4], "big")
        found: list[float] = np.random.default_rng(seed).normal(size=self.dims).tolist()
        return found

    def embed_batch(self, texts: Sequence[str], memory_action: str = "add") -> list[list[float]]:
        """The texts' vectors. Raises ConnectionError once it is to fail."""
        if self._left is not None:
            if self._left == 0:
                raise ConnectionError("the embedder's service is down")
            self._left -= 1
        self.embedded += texts
        return [self.embed(text) for text in texts]


def say(store: SqliteStore, embedder: Hashed, user: str, *texts: str) -> None:
    """Store texts under their own words as ids."""
    vectors = embedder.embed_batch(texts)
    store.insert(vectors, [payload(text, user) for text in texts], [f"{user} {text}" for text in texts])


def nearest(store: SqliteStore, embedder: Hashed, user: str, text: str) -> tuple[str, float]:
    """The id of the memory nearest by meaning alone, and its score."""
    found = store.search("", embedder.embed(text), 1, {"user_id": user})[0]
    assert found.score is not None
    return found.id, round(found.score, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The store's file."""
    return tmp_path / "bot.db"


def filled(path: Path, old: Hashed) -> None:
    """A store with a person of several batches and some of a few memories."""
    store = SqliteStore(path, old.dims, old.name)
    say(store, old, "ann", *(f"note {number}" for number in range(BATCH * 2 + 5)))
    for person in range(5):
        say(store, old, f"p{person}", "likes tea", "likes coffee")
    store.forget("ann", ["ann note 3", f"ann note {BATCH}"])
    store.close()


def test_every_memory_is_embedded_again(path: Path) -> None:
    """After the change each memory is found by the new embedder's vector, and progress has been told to the end."""
    old, new = Hashed("old"), Hashed("new", DIMS * 2)
    filled(path, old)
    told: list[tuple[int, int]] = []
    total = BATCH * 2 + 3 + 10
    assert reembed(path, new, lambda done, of: told.append((done, of))) == total
    assert told[-1] == (total, total)
    assert told == sorted(told)
    store = SqliteStore(path, new.dims, new.name)
    for number in (0, 2, 4, BATCH - 1, BATCH + 1, BATCH * 2 + 4):
        assert nearest(store, new, "ann", f"note {number}") == (f"ann note {number}", 1.0)
    assert nearest(store, new, "p4", "likes coffee")[0] == "p4 likes coffee"
    store.close()
    assert reembed(path, new) == 0
    with pytest.raises(EmbedderChanged):
        SqliteStore(path, old.dims, old.name)


def test_a_change_that_broke_off_goes_on(path: Path) -> None:
    """What was embedded before the service failed is not embedded again, and until the end the former one serves."""
    old = Hashed("old")
    filled(path, old)
    failing = Hashed("new", fails_after=3)
    with pytest.raises(ConnectionError):
        reembed(path, failing)
    store = SqliteStore(path, old.dims, old.name)
    assert nearest(store, old, "ann", "note 7") == ("ann note 7", 1.0)
    store.close()
    new = Hashed("new")
    reembed(path, new)
    assert sorted(failing.embedded + new.embedded) == sorted(
        [f"note {number}" for number in range(BATCH * 2 + 5) if number not in (3, BATCH)]
        + ["likes tea", "likes coffee"] * 5
    )
    store = SqliteStore(path, new.dims, new.name)
    assert nearest(store, new, "ann", "note 7") == ("ann note 7", 1.0)
    store.close()


def test_what_happens_meanwhile_is_not_lost(path: Path) -> None:
    """Memories added, edited and forgotten while the change is broken off are as they should be after it."""
    old = Hashed("old")
    filled(path, old)
    with pytest.raises(ConnectionError):
        reembed(path, Hashed("new", fails_after=3))
    store = SqliteStore(path, old.dims, old.name)
    say(store, old, "ann", "added meanwhile")
    change(store, "ann note 7", payload("xylocanary"), old.embed("xylocanary"))
    store.forget("ann", ["ann note 8"])
    store.forget_user("p0")
    new = Hashed("new")
    reembed(path, new)
    with pytest.raises(EmbedderChanged):
        say(store, old, "ann", "too late")
    with pytest.raises(EmbedderChanged):
        store.search("", old.embed("x"), 1, {"user_id": "ann"})
    store.close()
    store = SqliteStore(path, new.dims, new.name)
    assert nearest(store, new, "ann", "added meanwhile")[0] == "ann added meanwhile"
    assert nearest(store, new, "ann", "xylocanary")[0] == "ann note 7"
    assert nearest(store, new, "ann", "note 8")[1] < 0.99
    assert count(store, "p0") == 0
    store.close()


def test_what_is_forgotten_during_a_change_leaves_neither_vector(path: Path) -> None:
    """An erasure while a change is under way erases the new embedder's vectors too."""
    old = Hashed("old")
    filled(path, old)
    failing = Hashed("new", fails_after=3)
    with pytest.raises(ConnectionError):
        reembed(path, failing)

    def stored(text: str) -> bool:
        vector = np.array(failing.embed(text), dtype=np.float32)
        return (vector / np.float32(np.linalg.norm(vector))).tobytes()[8:40] in path.read_bytes()

    store = SqliteStore(path, old.dims, old.name)
    assert stored("note 7")
    store.forget("ann", ["ann note 7"])
    assert not stored("note 7")
    store.close()


def test_another_embedder_midway_begins_anew(path: Path) -> None:
    """Where a change broke off and a third embedder is wanted, only that one's vectors are there at the end."""
    filled(path, Hashed("old"))
    with pytest.raises(ConnectionError):
        reembed(path, Hashed("tried", fails_after=3))
    new = Hashed("new")
    assert reembed(path, new) == len(new.embedded)
    store = SqliteStore(path, new.dims, new.name)
    assert nearest(store, new, "ann", "note 7") == ("ann note 7", 1.0)
    store.close()
