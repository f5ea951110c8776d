"""What people may do with their memories, inside a writing transaction: losing sources, and going to another person."""

import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any

from bot.memory.vectors import sources
from bot.memory.vectors.memories import Memories
from bot.memory.vectors.payloads import decode
from bot.memory.vectors.sources import Sources
from bot.memory.vectors.values import Record, Stored

#: The sources that are left to a memory ([]: it is erased), None where it isn't concerned.
Judge = Callable[[dict[str, Any]], Sources | None]


def reduce(person: Memories, found: Iterable[Stored], judge: Judge, *, revive: bool = False) -> int:
    """Leave memories the sources that `judge` says; return how many it concerned.

    With `revive`, what an erased one had replaced is in force again.
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
    """Give a person's memories to `target`, called `to`: all, or what these accounts taught; return how many.

    `home` is the account that sources without one are of.
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
    # What has replaced a memory counts where both are: parted from it, the memory is in force.
    target.superseded(
        {new_id: moved.get(by, by if accounts is None else None) for new_id, by in replaced.items() if by}
    )
    return len(records)
