"""A process that writes to a store until it is done or killed.

`python -m tests.memory.vectors.store_process PATH USER COUNT DO` prints each id once the store has acknowledged it.
DO is `add`, or `churn` to search, update and forget in between.
"""

import sys
from pathlib import Path

from bot.memory.vectors.sqlite.store import SqliteStore
from tests.memory.vectors.contract import (
    DIMS,
    change,
    payload,
    vector,
)


def main(path: Path, user: str, count: int, do: str) -> None:
    """Add `count` memories of one person."""
    store = SqliteStore(path, DIMS, "model")
    for number in range(count):
        memory_id = f"{user}-{number}"
        store.insert([vector(number)], [payload(f"{user} note {number}", user)], [memory_id])
        if do == "churn":
            assert memory_id in {row.id for row in store.search("note", vector(number), 20, {"user_id": user})}
            store.insert([vector(number)], [payload(f"passing {number}", user)], [f"{user}-gone-{number}"])
            change(store, memory_id, payload(f"{user} note {number}, edited", user), user=user)
            assert store.forget(user, [f"{user}-gone-{number}"]) == 1
        print(memory_id, flush=True)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
