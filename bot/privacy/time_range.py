"""Which memories are from a range of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.model import Memory


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of time, and the memories from it.

    Attributes:
        whole: Memories that were edited within it, or learned within it alone.
        parts: Sources within it of memories that other messages have taught as well.
    """

    start: datetime
    end: datetime
    whole: tuple[Memory, ...]
    parts: tuple[str, ...]

    @classmethod
    def of(cls, memories: Iterable[Memory], start: datetime, end: datetime) -> "TimeRange":
        """Sort a person's memories by whether they are from the range `start` to before `end`."""

        def inside(at: datetime) -> bool:
            return start <= at < end

        def within(memory: Memory) -> bool:
            if memory.edited_at is not None and inside(memory.edited_at):
                return True
            times = [source.at for source in memory.sources] or [memory.learned_at]
            return all(inside(at) for at in times)

        whole, parts = [], []
        for memory in memories:
            if within(memory):
                whole.append(memory)
            else:
                parts += [source.event_id for source in memory.sources if inside(source.at)]
        return cls(start, end, tuple(whole), tuple(dict.fromkeys(parts)))
