"""Reads and writes memories on PostgreSQL: all statements about rows, inside a caller's transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from bot.memory.vectors.meta import Meta, signature_key, term_key
from bot.memory.vectors.payloads import decode, encode, sources_of, text_of, times
from bot.memory.vectors.postgres import erasure
from bot.memory.vectors.postgres.schema import PARTS, part_of, table
from bot.memory.vectors.values import Record, Row, Stored, Vector
from bot.storage.postgres_pool import Connection
from bot.text import keywords

#: Selects the fields of `Stored`.
STORED = "SELECT seq, memory_id, superseded_by, payload FROM"


def lock(conn: Connection, person: UUID) -> None:
    """Exclude other transactions, in all processes, from writing about a person until this one ends."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(person.bytes[:8], "big", signed=True),))


def term_keys(person: UUID, counts: Mapping[str, int]) -> Counter[int]:
    """Keywords as PostgreSQL's integers, with how often each occurs."""
    keyed: Counter[int] = Counter()
    for term, count in counts.items():
        keyed[term_key(person.bytes, term) - 2**31] += count
    return keyed


def literal(vector: Vector) -> str:
    """A vector as a pgvector literal."""
    return "[" + ",".join(map(str, vector.tolist())) + "]"


def signature(person: UUID, text: str) -> int:
    """Equal for two memories of a person that say the same."""
    return signature_key(person.bytes, keywords.signature(text))


def _columns(meta: Meta, person: UUID, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that derive from the payload."""
    text = text_of(payload)
    sources = sources_of(payload)
    created, seen = times(payload)
    terms = term_keys(person, keywords.terms(text))
    values: dict[str, Any] = {
        "created_at": created,
        "seen_at": seen,
        "length": terms.total(),
        "signature": signature(person, text),
        "sources": sorted({meta.digest("event", str(source["event_id"])) for source in sources}),
        "terms": sorted(terms.elements()),
        "payload": encode(payload),
    }
    for column, key in (("audience", "audience"), ("run", "run_id"), ("conversation", "conversation")):
        values[column] = meta.digest(column, str(payload[key])) if payload.get(key) is not None else 0
    return values


def reindex(conn: Connection) -> None:
    """Reindex memories whose keywords have changed with the rules."""
    for part in range(PARTS):
        own = table(part)
        stored = conn.cursor(binary=True).execute(f"SELECT seq, person, payload FROM {own}").fetchall()
        for seq, person, payload in stored:
            text = text_of(decode(payload))
            if not keywords.changed(text):
                continue
            terms = term_keys(person, keywords.terms(text))
            conn.execute(
                f"UPDATE {own} SET terms = %s::integer[], length = %s, signature = %s WHERE seq = %s",
                (sorted(terms.elements()), terms.total(), signature(person, text), seq),
            )


def table_of(person: UUID) -> str:
    """The table that holds a person's rows."""
    return table(part_of(person))


def add(conn: Connection, meta: Meta, person: UUID, record: Record) -> None:
    """Store one memory."""
    values = _columns(meta, person, record.payload)
    values |= {"person": person, "memory_id": record.memory_id, f"vector_{meta.number}": literal(record.vector)}
    values["part"] = part_of(person)
    names = ", ".join(values)
    marks = ", ".join(f"%({name})s" for name in values)
    seq = f"nextval('memories_seq') * {PARTS} + %(part)s"
    conn.execute(f"INSERT INTO {table_of(person)} (seq, {names}) VALUES ({seq}, {marks})", values)


def replace(conn: Connection, meta: Meta, person: UUID, seq: int, payload: Mapping[str, Any]) -> None:
    """Replace a memory's payload."""
    values = _columns(meta, person, payload)
    sets = ", ".join(f"{name} = %({name})s" for name in values)
    conn.execute(
        f"UPDATE {table_of(person)} SET {sets} WHERE person = %(person)s AND seq = %(seq)s",
        {**values, "person": person, "seq": seq},
    )


def revector(conn: Connection, meta: Meta, person: UUID, seq: int, vector: Vector) -> None:
    """Replace a memory's vector."""
    conn.execute(
        f"UPDATE {table_of(person)} SET vector_{meta.number} = %s WHERE person = %s AND seq = %s",
        (literal(vector), person, seq),
    )


def erase(conn: Connection, person: UUID, condition: str = "true", params: Sequence[Any] = ()) -> int:
    """Delete a person's memories that meet a condition, and record that their part has to be rewritten."""
    gone = conn.execute(f"DELETE FROM {table_of(person)} WHERE person = %s AND {condition}", (person, *params)).rowcount
    if gone:
        erasure.note(conn, part_of(person))
    return gone


def erase_person(conn: Connection, person: UUID) -> int:
    """Delete everything about a person; return how many memories there were."""
    gone = erase(conn, person)
    conn.execute("DELETE FROM memory_people WHERE person = %s", (person,))
    return gone


def fetch(conn: Connection, wanted: Sequence[int]) -> dict[int, Row]:
    """The memories with these numbers, by number."""
    found: dict[int, Row] = {}
    for part in {seq % PARTS for seq in wanted}:
        own = [seq for seq in wanted if seq % PARTS == part]
        rows = conn.cursor(binary=True).execute(f"{STORED} {table(part)} WHERE seq = ANY(%s::bigint[])", (own,))
        found |= {row[0]: to_row(row) for row in rows}
    return found


def to_stored(found: Any) -> Stored:
    """A row of STORED."""
    number, memory_id, superseded_by, payload = found
    return Stored(number, memory_id, superseded_by, bytes(payload))


def to_row(found: Any) -> Row:
    """A row of STORED, as mem0 reads it."""
    stored = to_stored(found)
    payload = decode(stored.payload)
    if stored.superseded_by is not None:
        payload["superseded_by"] = stored.superseded_by
    return Row(stored.memory_id, None, payload)
