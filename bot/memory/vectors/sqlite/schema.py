"""The memory store's tables, and how its keys and vectors are laid out in them.

A person's rows are contiguous: the number of a memory is `person << 32 | seq`, and `seq` counts up per person, so one
person's memories, vectors and keywords are each one range of a table, whatever everybody else has stored.

What must be erased without a trace is stored where SQLite never moves it (see `bot.storage.sqlite`):

- texts (a memory's whole payload) are appended to `memory_texts` and overwritten with NULL;
- vectors are in blobs of several, whose padding at the front fills the part that a b-tree cell holds itself: the
  vectors are only in overflow pages, which are never copied and are zeroed when freed;
- everything else in these tables is numbers and ids: people, scopes, events and keywords are there as keyed hashes.
"""

import secrets
import sqlite3
from dataclasses import dataclass

from bot.memory.vectors.meta import FORMAT, VERSION_TABLE, EmbedderChanged, Meta

#: A person's number has 23 bits, so that a posting's number fits into SQLite's 63.
MAX_PEOPLE = 1 << 23
SEQ_BITS = 32
TERM_BITS = 40  # 32 of a term's hash, 8 of the part that its postings have grown to


@dataclass(frozen=True, slots=True)
class Blocks:
    """How the vectors of one embedder are packed: `slots` vectors of `dims` float32 in a blob of `size` bytes.

    The blob begins with `pad` zero bytes, exactly those that SQLite keeps in the b-tree's cell (the "M" of
    https://www.sqlite.org/fileformat2.html#b_tree_pages), so that the vectors fill whole overflow pages.
    """

    table: str
    dims: int
    slots: int
    pad: int
    size: int

    @classmethod
    def of(cls, number: int, dims: int, page_size: int = 4096) -> "Blocks":
        """The layout for the embedder with that number in `memory_meta`."""
        overflow = page_size - 4
        in_cell = (page_size - 12) * 32 // 255 - 23
        pages = -(-8 * dims * 4 // overflow)
        payload = in_cell + pages * overflow
        # The record's header: its own length, the rowid's NULL, and the blob's length as a varint.
        header = 2 + _varint(2 * payload + 12)
        return cls(f"memory_vectors_{number}", dims, pages * overflow // (dims * 4), in_cell - header, payload - header)

    def place(self, person: int, seq: int) -> tuple[int, int]:
        """The row that holds the vector, and its offset in that row's blob, in bytes."""
        block, slot = divmod(seq, self.slots)
        return person << SEQ_BITS | block, self.pad + slot * self.dims * 4


def _varint(value: int) -> int:
    return max(1, -(-value.bit_length() // 7))


def revision(conn: sqlite3.Connection) -> str | None:
    """The revision of the store's tables; None if it has none yet."""
    if conn.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone() is None:
        return None
    found = conn.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    return None if found is None else str(found[0])


def create(conn: sqlite3.Connection, model: str, dims: int) -> Meta:
    """Return the store's meta, creating it if the tables are new; call inside a write transaction.

    An empty store switches to the given embedder. Raises EmbedderChanged if there are memories of another one.
    """
    if conn.execute("SELECT 1 FROM memory_meta").fetchone() is None:
        found = {"schema": FORMAT, "secret": secrets.token_bytes(32), "model": model, "dims": dims, "number": 1}
        conn.executemany("INSERT INTO memory_meta VALUES (?, ?)", found.items())
    meta = read(conn)
    if (meta.model, meta.dims) != (model, dims):
        if conn.execute("SELECT 1 FROM memories LIMIT 1").fetchone():
            raise EmbedderChanged(f"{meta.model} ({meta.dims})", f"{model} ({dims})")
        meta = switch(conn, meta, model, dims)
    create_vectors(conn, meta.number)
    return meta


def read(conn: sqlite3.Connection) -> Meta:
    """The store's meta."""
    found = dict(conn.execute("SELECT key, value FROM memory_meta"))
    return Meta(bytes(found["secret"]), str(found["model"]), int(found["dims"]), int(found["number"]))


def create_vectors(conn: sqlite3.Connection, number: int) -> None:
    """Create the table of an embedder's vectors."""
    conn.execute(f"CREATE TABLE IF NOT EXISTS memory_vectors_{number} (id INTEGER PRIMARY KEY, vectors BLOB NOT NULL)")


@dataclass(frozen=True, slots=True)
class Next:
    """The target of a change of the embedder in progress (`bot.memory.vectors.sqlite.reembed`)."""

    model: str
    dims: int


def read_next(conn: sqlite3.Connection) -> Next | None:
    """The target of a change in progress; None if there is none."""
    found = dict(conn.execute("SELECT key, value FROM memory_meta WHERE key IN ('next_model', 'next_dims')"))
    return Next(str(found["next_model"]), int(found["next_dims"])) if found else None


def begin_next(conn: sqlite3.Connection, meta: Meta, wanted: Next) -> None:
    """Start a change of the embedder, discarding another one in progress."""
    conn.execute(f"DROP TABLE IF EXISTS memory_vectors_{meta.number + 1}")
    conn.execute("DELETE FROM memory_reembedded")
    create_vectors(conn, meta.number + 1)
    conn.executemany(
        "INSERT OR REPLACE INTO memory_meta VALUES (?, ?)",
        [("next_model", wanted.model), ("next_dims", wanted.dims)],
    )


def drop_next(conn: sqlite3.Connection, meta: Meta, person: int) -> None:
    """Make a change in progress start over with a person whose stored memories have changed."""
    if read_next(conn) is None:
        return
    span = (person << SEQ_BITS, ((person + 1) << SEQ_BITS) - 1)
    conn.execute(f"DELETE FROM memory_vectors_{meta.number + 1} WHERE id BETWEEN ? AND ?", span)
    conn.execute("DELETE FROM memory_reembedded WHERE person = ?", (person,))


def switch(conn: sqlite3.Connection, meta: Meta, model: str, dims: int) -> Meta:
    """Use the next embedder's vectors from now on, and drop the former one's."""
    new = Meta(meta.secret, model, dims, meta.number + 1)
    create_vectors(conn, new.number)
    conn.executemany(
        "UPDATE memory_meta SET value = ? WHERE key = ?",
        [(new.model, "model"), (new.dims, "dims"), (new.number, "number")],
    )
    conn.execute("DELETE FROM memory_meta WHERE key IN ('next_model', 'next_dims')")
    conn.execute("DELETE FROM memory_reembedded")
    conn.execute(f"DROP TABLE IF EXISTS memory_vectors_{meta.number}")
    return new
