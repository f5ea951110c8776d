"""Changes to stored memories, inside a writing transaction: removing sources, and moving to another person."""

import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any

from bot.memory.vectors import sources
from bot.memory.vectors.memories import Memories
from bot.memory.vectors.payloads import decode
from bot.memory.vectors.sources import Sources
from bot.memory.vectors.values import Record, Stored

#: The sources that a memory keeps ([]: it is erased), None if it isn't affected.
Judge = Callable[[dict[str, Any]], Sources | None]


def reduce(person: Memories, found: Iterable[Stored], judge: Judge, *, revive: bool = False) -> int:
    """Reduce memories to the sources that `judge` returns; return how many were affected.

    With `revive`, memories superseded by an erased one are in force again.
    """
    touched = 0
    gone: list[Stored] = []
    for stored in found:
        payload = decode(stored.payload)
        left = judge(payload)
        if left is None:
            continue
        touched += 1
        if left:
            person.replace(stored.number, sources.with_sources(payload, left))
        else:
            gone.append(stored)
    person.erase(gone)
    if revive:
        person.revive([stored.memory_id for stored in gone])
    return touched


def move(former: Memories, target: Memories, to: str, accounts: Collection[str] | None, home: str) -> int:
    """Move a person's memories to `target`, whose user id is `to`: all, or what these accounts taught; return how many.

    `home` is the account of sources that name none.
    """
    records: list[Record] = []
    moved: dict[str, str] = {}
    replaced: dict[str, str | None] = {}
    gone: list[Stored] = []
    for stored in former.all():
        payload = decode(stored.payload)
        parts = sources.parted(payload, accounts, home)
        if parts is None:
            continue
        going, staying = parts
        new_id = str(uuid.uuid4()) if staying else stored.memory_id
        changed = sources.with_sources(payload, going) if going else payload
        records.append(Record(new_id, former.vector(stored.number), {**changed, "user_id": to}))
        moved[stored.memory_id], replaced[new_id] = new_id, stored.superseded_by
        if staying:
            former.replace(stored.number, sources.with_sources(payload, staying))
        else:
            gone.append(stored)
    if not records:
        return 0
    former.erase(gone)
    if accounts is not None:
        former.revive([stored.memory_id for stored in gone])
    target.add(records)
    # A memory stays superseded only if both go together; otherwise it is in force again.
    target.superseded(
        {new_id: moved.get(by, by if accounts is None else None) for new_id, by in replaced.items() if by}
    )
    return len(records)
