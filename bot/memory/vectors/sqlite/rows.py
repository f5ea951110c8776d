"""Writes memories: all statements that change the store's tables, inside a caller's transaction."""

import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.vectors.meta import Meta, signature_key, term_key
from bot.memory.vectors.payloads import decode, encode, sources_of, text_of, times
from bot.memory.vectors.sqlite import schema
from bot.memory.vectors.sqlite.schema import (
    MAX_PEOPLE,
    SEQ_BITS,
    TERM_BITS,
    Blocks,
)
from bot.memory.vectors.values import Record, Vector
from bot.text import keywords

#: One posting: the memory's `seq` within its person, and how often the term occurs in it (at most 255).
POSTING = np.dtype([("seq", "<u4"), ("tf", "u1")])
#: Postings per row, after which a term's continue in a new one, so that an add rewrites a few hundred bytes per term.
PART = 400

_PACK = struct.Struct("<IB").pack
_SEQ_MASK = (1 << SEQ_BITS) - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys and the vector layout of an opened store."""

    meta: Meta
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person's row. `version` counts all changes, `edits` those to stored rows, `revectored` those to vectors."""

    id: int
    salt: bytes
    next_seq: int
    count: int
    version: int
    edits: int
    revectored: int

    @property
    def rows(self) -> tuple[int, int]:
        """The first and last number that a memory of this person can have."""
        return self.id << SEQ_BITS, self.id << SEQ_BITS | _SEQ_MASK


def find_person(conn: sqlite3.Connection, layout: Layout, user_id: str) -> PersonRow | None:
    """The person's row; None if nothing is stored about them."""
    row = conn.execute(
        "SELECT id, salt, next_seq, count, version, edits, revectored FROM memory_people WHERE key = ?",
        (layout.meta.person_key(user_id),),
    ).fetchone()
    return PersonRow(*row) if row else None


def ensure_person(conn: sqlite3.Connection, layout: Layout, user_id: str) -> PersonRow:
    """The person's row, created if missing. Raises OverflowError beyond 8,388,607 people."""
    conn.execute(
        "INSERT INTO memory_people (key, salt) VALUES (?, randomblob(16)) ON CONFLICT DO NOTHING",
        (layout.meta.person_key(user_id),),
    )
    person = find_person(conn, layout, user_id)
    if person is None or person.id >= MAX_PEOPLE:
        raise OverflowError("the store holds the memories of 8,388,607 people at most")
    return person


def signature(person: PersonRow, text: str) -> int:
    """Equal for two memories of a person that say the same."""
    return signature_key(person.salt, keywords.signature(text))


def _columns(layout: Layout, person: PersonRow, payload: Mapping[str, Any], length: int) -> tuple[float | int, ...]:
    """What a memory's row holds about its payload, in the table's order."""
    meta = layout.meta
    kinds = (("audience", "audience"), ("run", "run_id"), ("conversation", "conversation"))
    hashes = (meta.digest(kind, str(payload[key])) if payload.get(key) is not None else 0 for kind, key in kinds)
    return *times(payload), length, *hashes, signature(person, text_of(payload))


def add(conn: sqlite3.Connection, layout: Layout, person: PersonRow, seq: int, records: Sequence[Record]) -> None:
    """Store memories as the person's numbers `seq` and up (their `next_seq`, counted up by the caller)."""
    rows = range(person.id << SEQ_BITS | seq, (person.id << SEQ_BITS | seq) + len(records))
    counts = [keywords.terms(text_of(record.payload)) for record in records]
    # Numbers only ever increase, so texts are only ever appended.
    (text,) = conn.execute("SELECT coalesce(max(id), 0) + 1 FROM memory_texts").fetchone()
    conn.executemany(
        "INSERT INTO memory_texts (id, payload) VALUES (?, ?)",
        [(text + number, encode(record.payload)) for number, record in enumerate(records)],
    )
    conn.executemany(
        "INSERT INTO memories (id, memory_id, text,"
        " created_at, seen_at, length, audience, run, conversation, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (row, record.memory_id, text + number, *_columns(layout, person, record.payload, counts[number].total()))
            for number, (row, record) in enumerate(zip(rows, records, strict=True))
        ],
    )
    write_vectors(conn, layout.blocks, rows[0], [record.vector for record in records])
    _add_postings(conn, person, dict(enumerate(counts, seq)))
    for row, record in zip(rows, records, strict=True):
        _add_sources(conn, layout, row, record.payload)


def finish(
    conn: sqlite3.Connection, layout: Layout, person: PersonRow, *, next_seq: int, change: int, edited: bool
) -> None:
    """Record what a transaction changed: the number of memories by `change`, and whether stored rows were `edited`."""
    conn.execute(
        "UPDATE memory_people"
        " SET next_seq = ?, count = count + ?, version = version + 1, edits = edits + ? WHERE id = ?",
        (next_seq, change, edited, person.id),
    )
    if edited:
        schema.drop_next(conn, layout.meta, person.id)


def replace(conn: sqlite3.Connection, layout: Layout, person: PersonRow, row: int, payload: Mapping[str, Any]) -> None:
    """Replace a memory's payload; the former one is erased."""
    ((text, stored),) = conn.execute(
        "SELECT text, payload FROM memories JOIN memory_texts ON memory_texts.id = text WHERE memories.id = ?", (row,)
    )
    former = decode(stored)
    if text_of(former) != text_of(payload):
        _remove_postings(conn, person, {row & _SEQ_MASK: keywords.terms(text_of(former))})
        _add_postings(conn, person, {row & _SEQ_MASK: keywords.terms(text_of(payload))})
    length = keywords.terms(text_of(payload)).total()
    # A longer text would move its neighbours, so it is appended instead.
    appended = conn.execute("INSERT INTO memory_texts (payload) VALUES (?)", (encode(payload),)).lastrowid
    conn.execute("UPDATE memory_texts SET payload = NULL WHERE id = ?", (text,))
    conn.execute(
        "UPDATE memories SET text = ?,"
        " created_at = ?, seen_at = ?, length = ?, audience = ?, run = ?, conversation = ?, signature = ? WHERE id = ?",
        (appended, *_columns(layout, person, payload, length), row),
    )
    conn.execute("DELETE FROM memory_sources WHERE memory = ?", (row,))
    _add_sources(conn, layout, row, payload)


def revector(conn: sqlite3.Connection, layout: Layout, person: PersonRow, row: int, vector: Vector) -> None:
    """Replace a memory's vector."""
    write_vectors(conn, layout.blocks, row, [vector])
    conn.execute("UPDATE memory_people SET revectored = revectored + 1 WHERE id = ?", (person.id,))


def erase(conn: sqlite3.Connection, layout: Layout, person: PersonRow, rows: Iterable[int]) -> int:
    """Erase memories of one person, with everything derived from them; return how many there were."""
    erased = 0
    counts: dict[int, dict[str, int]] = {}
    first, last = person.rows
    for row in rows:
        found = conn.execute(
            "SELECT text, payload FROM memories JOIN memory_texts ON memory_texts.id = text"
            " WHERE memories.id = ? AND memories.id BETWEEN ? AND ?",
            (row, first, last),
        ).fetchone()
        if found is None:
            continue
        text, stored = found
        counts[row & _SEQ_MASK] = keywords.terms(text_of(decode(stored)))
        conn.execute("UPDATE memory_texts SET payload = NULL WHERE id = ?", (text,))
        conn.execute("DELETE FROM memories WHERE id = ?", (row,))
        conn.execute("DELETE FROM memory_sources WHERE memory = ?", (row,))
        write_vectors(conn, layout.blocks, row, [np.zeros(layout.blocks.dims, dtype=np.float32)])
        erased += 1
    _remove_postings(conn, person, counts)
    return erased


def erase_person(conn: sqlite3.Connection, layout: Layout, person: PersonRow) -> int:
    """Erase everything about one person; return how many memories there were."""
    span = person.rows
    conn.execute(
        "UPDATE memory_texts SET payload = NULL WHERE id IN (SELECT text FROM memories WHERE id BETWEEN ? AND ?)", span
    )
    erased = conn.execute("DELETE FROM memories WHERE id BETWEEN ? AND ?", span).rowcount
    conn.execute("DELETE FROM memory_sources WHERE memory BETWEEN ? AND ?", span)
    conn.execute(f"DELETE FROM {layout.blocks.table} WHERE id BETWEEN ? AND ?", span)
    conn.execute(
        "DELETE FROM memory_postings WHERE id BETWEEN ? AND ?",
        (person.id << TERM_BITS, ((person.id + 1) << TERM_BITS) - 1),
    )
    conn.execute("DELETE FROM memory_people WHERE id = ?", (person.id,))
    schema.drop_next(conn, layout.meta, person.id)
    return erased


def write_vectors(conn: sqlite3.Connection, blocks: Blocks, first: int, vectors: Sequence[Vector]) -> None:
    """Write the vectors of consecutive rows in place, where they stay forever."""
    person, seq, done = first >> SEQ_BITS, first & _SEQ_MASK, 0
    while done < len(vectors):
        block, offset = blocks.place(person, seq + done)
        count = min(blocks.slots - (seq + done) % blocks.slots, len(vectors) - done)
        conn.execute(
            f"INSERT INTO {blocks.table} (id, vectors) VALUES (?, zeroblob(?)) ON CONFLICT DO NOTHING",
            (block, blocks.size),
        )
        with conn.blobopen(blocks.table, "vectors", block) as blob:
            blob.seek(offset)
            blob.write(np.concatenate(vectors[done : done + count]).astype("<f4").tobytes())
        done += count


def _add_sources(conn: sqlite3.Connection, layout: Layout, row: int, payload: Mapping[str, Any]) -> None:
    events = {layout.meta.digest("event", str(source["event_id"])) for source in sources_of(payload)}
    conn.executemany("INSERT INTO memory_sources VALUES (?, ?)", [(event, row) for event in events])


def reindex(conn: sqlite3.Connection, person_id: int, salt: bytes) -> int:
    """Reindex a person's memories whose keywords have changed with the rules; return how many those were.

    Plain English is the same as before: these are texts beyond ASCII, and those with words that are now cut.
    """
    person = PersonRow(person_id, salt, 0, 0, 0, 0, 0)
    stored = conn.execute(
        "SELECT memories.id, payload FROM memories JOIN memory_texts ON memory_texts.id = text"
        " WHERE memories.id BETWEEN ? AND ?",
        person.rows,
    )
    texts = {row & _SEQ_MASK: text for row, payload in stored if keywords.changed(text := text_of(decode(payload)))}
    if not texts:
        return 0
    span = (person_id << TERM_BITS, ((person_id + 1) << TERM_BITS) - 1)
    parts = conn.execute("SELECT id, postings FROM memory_postings WHERE id BETWEEN ? AND ?", span).fetchall()
    _drop_postings(conn, parts, list(texts))
    counts = {seq: keywords.terms(text) for seq, text in texts.items()}
    _add_postings(conn, person, counts)
    conn.executemany(
        "UPDATE memories SET length = ?, signature = ? WHERE id = ?",
        [
            (counts[seq].total(), signature_key(salt, keywords.signature(text)), person_id << SEQ_BITS | seq)
            for seq, text in texts.items()
        ],
    )
    conn.execute("UPDATE memory_people SET version = version + 1, edits = edits + 1 WHERE id = ?", (person_id,))
    return len(texts)


def _term_rows(person: PersonRow, salt_term: int) -> tuple[int, int]:
    first = person.id << TERM_BITS | salt_term << (TERM_BITS - 32)
    return first, first | (1 << (TERM_BITS - 32)) - 1


def _by_key(person: PersonRow, counts: Mapping[str, int]) -> dict[int, int]:
    """Counts by the terms' keys, adding up those whose keys collide."""
    keyed: dict[int, int] = {}
    for term, count in counts.items():
        key = term_key(person.salt, term)
        keyed[key] = keyed.get(key, 0) + count
    return keyed


def _add_postings(conn: sqlite3.Connection, person: PersonRow, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Add memories (seq: their terms) to the keyword index."""
    new: dict[int, list[tuple[int, int]]] = {}
    for seq, terms in counts.items():
        for key, count in _by_key(person, terms).items():
            new.setdefault(key, []).append((seq, min(count, 255)))
    for key, entries in new.items():
        first, last = _term_rows(person, key)
        added = b"".join(_PACK(*entry) for entry in entries)
        part = conn.execute(
            "SELECT id, postings FROM memory_postings WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
            (first, last),
        ).fetchone()
        if part is None:
            conn.execute("INSERT INTO memory_postings VALUES (?, ?)", (first, added))
        elif len(part[1]) >= PART * POSTING.itemsize and part[0] < last:
            conn.execute("INSERT INTO memory_postings VALUES (?, ?)", (part[0] + 1, added))
        else:
            conn.execute("UPDATE memory_postings SET postings = ? WHERE id = ?", (part[1] + added, part[0]))


def _remove_postings(conn: sqlite3.Connection, person: PersonRow, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Remove memories (seq: their terms) from the keyword index."""
    gone: dict[int, list[int]] = {}
    for seq, terms in counts.items():
        for key in _by_key(person, terms):
            gone.setdefault(key, []).append(seq)
    for key, seqs in gone.items():
        parts = conn.execute(
            "SELECT id, postings FROM memory_postings WHERE id BETWEEN ? AND ?", _term_rows(person, key)
        ).fetchall()
        _drop_postings(conn, parts, seqs)


def _drop_postings(conn: sqlite3.Connection, parts: Iterable[tuple[int, bytes]], seqs: Sequence[int]) -> None:
    """Remove memories from these postings."""
    for part, stored in parts:
        postings = np.frombuffer(stored, dtype=POSTING)
        kept = postings[~np.isin(postings["seq"], seqs)]
        if len(kept) == len(postings):
            continue
        # Parts are found by range, so a gap among them does no harm.
        if len(kept):
            conn.execute("UPDATE memory_postings SET postings = ? WHERE id = ?", (kept.tobytes(), part))
        else:
            conn.execute("DELETE FROM memory_postings WHERE id = ?", (part,))


def postings(conn: sqlite3.Connection, person_id: int, salt: bytes, term: str) -> npt.NDArray[np.void]:
    """One person's postings of one term, of dtype `POSTING`."""
    base = person_id << TERM_BITS | term_key(salt, term) << (TERM_BITS - 32)
    parts = conn.execute(
        "SELECT postings FROM memory_postings WHERE id BETWEEN ? AND ?", (base, base | (1 << (TERM_BITS - 32)) - 1)
    )
    return np.frombuffer(b"".join(part for (part,) in parts), dtype=POSTING)
