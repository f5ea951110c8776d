"""What the SQLite store owes its people: nothing acknowledged is lost, and nothing erased is left in any file."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.memory.vectors.sqlite.store import SqliteStore
from bot.storage.sqlite import connect
from tests.memory.vectors.contract import (
    DIMS,
    by_words,
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

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The store's file, alone in its folder."""
    return tmp_path / "data" / "bot.db"


def on_disk(path: Path) -> bytes:
    """Every byte of every file in the folder."""
    return b"\n".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def vector_bytes(seed: int) -> bytes:
    """Some bytes of a vector as the store writes it."""
    found = np.array(vector(seed), dtype=np.float32)
    return bytes((found / np.float32(np.linalg.norm(found))).tobytes()[8:40])


def start(path: Path, user: str, count: int, do: str) -> "subprocess.Popen[str]":
    """Start a process that writes to the store."""
    command = [sys.executable, "-m", "tests.memory.vectors.store_process", str(path), user, str(count), do]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def healthy(path: Path) -> bool:
    """Whether SQLite finds the file in order."""
    conn = sqlite3.connect(path)
    try:
        return conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        conn.close()


@pytest.mark.parametrize("do", ["add", "churn"])
def test_kill_9_loses_nothing_acknowledged(path: Path, do: str) -> None:
    """A process killed in a write loop leaves every memory that it was told is stored, findable by word and meaning."""
    acknowledged: list[str] = []
    for round_ in range(2):
        process = start(path, f"p{round_}", 100_000, do)
        assert process.stdout is not None
        for _, line in zip(range(60 + 17 * round_), process.stdout, strict=False):
            acknowledged.append(line.strip())
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()
    assert len(acknowledged) > 120
    store = SqliteStore(path, DIMS, "model")
    for memory_id in acknowledged:
        user, number = memory_id.rsplit("-", 1)
        row = store.get(memory_id)
        assert row is not None
        assert row.payload["data"].startswith(f"{user} note {number}")
        assert store.search("", vector(int(number)), 1, {"user_id": user})[0].score == pytest.approx(1, abs=1e-5)
        assert memory_id in {row.id for row in store.find(user, f"note {number}")}
    store.close()
    assert healthy(path)


def test_threads_and_processes_together_lose_nothing(path: Path) -> None:
    """Two processes and many threads add, search and forget at once; nothing raises, and every memory is there."""
    store = SqliteStore(path, DIMS, "model")
    processes = [start(path, user, 150, "churn") for user in ("p0", "shared")]

    def work_alone(thread: int) -> None:
        user = f"t{thread}"
        for number in range(40):
            store.insert([vector(number)], [payload(f"{user} note {number}", user)], [f"{thread}-{number}"])
            found = store.search("note", vector(number), 100, {"user_id": user})
            assert f"{thread}-{number}" in {row.id for row in found}

    def work_together(thread: int) -> None:
        for number in range(40):
            memory_id = f"{thread}-{number}"
            store.insert([vector(number)], [payload(f"shared note {number}", "shared")], [memory_id])
            assert memory_id in {row.id for row in store.list({"user_id": "shared"})[0]}
            store.search("note", vector(number), 10, {"user_id": "shared"})
            if number % 4 == 3:
                assert store.forget("shared", [memory_id]) == 1

    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(work_together if thread % 2 else work_alone, thread) for thread in range(8)]
        for task in tasks:
            task.result()
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        assert len(out.split()) == 150
    assert [count(store, f"t{thread}") for thread in (0, 2, 4, 6)] == [40] * 4
    assert count(store, "p0") == 150
    assert count(store, "shared") == 150 + 4 * 30
    assert len(store.list({"user_id": "shared"})[0]) == count(store, "shared")
    assert len(by_words(store, "note", "shared")) == count(store, "shared")
    store.close()
    assert healthy(path)


def erase_by_id(store: SqliteStore, ids: list[str]) -> None:
    """Forget memories by their ids."""
    assert store.forget("ann", ids) == len(ids)


def erase_by_update(store: SqliteStore, ids: list[str]) -> None:
    """Give memories another text and vector."""
    for number, memory_id in enumerate(ids):
        change(store, memory_id, payload(f"replacement {number}"), vector(10_000 + number))


def erase_user(store: SqliteStore, ids: list[str]) -> None:
    """Forget the person."""
    assert store.forget_user("ann") == len(ids)


@pytest.mark.parametrize("erase", [erase_by_id, erase_by_update, erase_user])
def test_erased_text_and_vectors_are_in_no_file(path: Path, erase: Callable[[SqliteStore, list[str]], None]) -> None:
    """What was erased is in no byte of the database, its log or its index, while the store is still open."""
    store = SqliteStore(path, DIMS, "model")
    long = "zebracanary " * 900
    kept = fill(store, ["her keptcanary"], "bob")
    ids = fill(store, [f"xylocanary{number} lives here" for number in range(50)] + [long])
    before = on_disk(path)
    assert b"xylocanary7" in before
    assert b"zebracanary" in before
    assert vector_bytes(7) in before
    erase(store, ids)
    after = on_disk(path)
    assert b"keptcanary" in after
    for erased in (b"xylocanary", b"zebracanary", b"xylocanari", b"zebracanari"):
        assert erased not in after
    assert not [seed for seed in range(1, 51) if vector_bytes(seed) in after]
    assert (path.parent / "bot.db-wal").stat().st_size == 0
    assert texts(store.list({"user_id": "bob"})[0]) == ["her keptcanary"]
    assert kept
    store.close()


def test_after_any_history_only_what_lives_is_on_disk(path: Path) -> None:
    """Through hundreds of adds, edits and erasures of many people, no erased text or vector stays in an unused byte."""
    store = SqliteStore(path, DIMS, "model")
    random = np.random.default_rng(11)
    live: dict[str, tuple[str, int, str]] = {}
    dead: list[tuple[str, int]] = []
    for step in range(900):
        user = f"u{random.integers(12)}"
        canary = f"canary{step:05d}q"
        mine = [memory_id for memory_id, (owner, _, _) in live.items() if owner == user]
        choice = random.integers(100)
        if choice < 62 or not mine:
            body = canary + " word" * int(random.integers(1, 300))
            store.insert([vector(step)], [payload(body, user)], [f"id{step}"])
            live[f"id{step}"] = (user, step, canary)
        elif choice < 80:
            memory_id = mine[int(random.integers(len(mine)))]
            assert store.forget(user, [memory_id]) == 1
            _, seed, text = live.pop(memory_id)
            dead.append((text, seed))
        elif choice < 98:
            memory_id = mine[int(random.integers(len(mine)))]
            _, seed, text = live[memory_id]
            change(store, memory_id, payload(canary + " edit" * int(choice), user), vector(step), user)
            live[memory_id] = (user, step, canary)
            dead.append((text, seed))
        else:
            assert store.forget_user(user) == len(mine)
            for memory_id in mine:
                _, seed, text = live.pop(memory_id)
                dead.append((text, seed))
    files = on_disk(path)
    assert len(dead) > 250
    assert [text for text, _ in dead if text.encode() in files] == []
    assert [seed for _, seed in dead if vector_bytes(seed) in files] == []
    assert all(text.encode() in files and vector_bytes(seed) in files for _, seed, text in live.values())
    store.close()
    assert healthy(path)


def test_the_words_of_an_index_are_not_on_disk(path: Path) -> None:
    """Neither keywords nor people, scopes or events are in the files but inside the payloads themselves."""
    store = SqliteStore(path, DIMS, "model")
    learned = make_lesson(exchange(77, scope="members:slack:T1:C9"))
    teach(store, learned, ("one", fact(learned, "hiking", exchange(77))))
    files = on_disk(path)
    payloads = files.count(b'"data":"hiking"')
    assert payloads >= 1
    assert files.count(b"hike") == 0
    assert files.count(b"members:slack:T1:C9") == 2 * payloads
    assert files.count(b'"discord:77"') == files.count(b"discord:77") == payloads
    store.close()


def test_an_erasure_cut_off_before_its_checkpoint_is_finished_at_the_next_start(path: Path) -> None:
    """A process that died between erasing and emptying the log leaves the text in it until the next start alone."""
    store = SqliteStore(path, DIMS, "model")
    ids = fill(store, ["xylocanary lives here"])
    reader = connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM memories").fetchone()
    assert store.forget("ann", ids) == 1  # the reader's old state keeps the log from being emptied
    assert b"xylocanary" in on_disk(path)
    reader.close()
    again = SqliteStore(path, DIMS, "model")
    assert b"xylocanary" not in on_disk(path)
    again.close()
    store.close()


def test_an_erasure_beside_a_long_reader_is_finished_by_a_later_write(path: Path) -> None:
    """A reader that keeps the log from being emptied delays that until the next write, no longer."""
    store = SqliteStore(path, DIMS, "model")
    ids = fill(store, ["xylocanary lives here"])
    reader = connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM memories").fetchone()
    assert store.forget("ann", ids) == 1
    reader.execute("ROLLBACK")
    fill(store, ["something else"], "bob")
    assert b"xylocanary" not in on_disk(path)
    reader.close()
    store.close()


def test_a_failed_write_changes_nothing(path: Path) -> None:
    """Where a transaction fails midway, all of it is undone, and the store goes on."""
    store = SqliteStore(path, DIMS, "model")
    fill(store, ["likes tea"])

    def fail(conn: Any) -> None:
        conn.execute("DELETE FROM memories")
        raise RuntimeError("midway")

    learned = make_lesson(exchange(1), commit=fail)
    with pytest.raises(RuntimeError, match="midway"):
        teach(store, learned, ("one", fact(learned, "owns a dog", exchange(1))))
    assert texts(store.list({"user_id": "ann"})[0]) == ["likes tea"]
    fill(store, ["goes on"], "bob")
    assert count(store, "bob") == 1
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        count(store, "bob")
