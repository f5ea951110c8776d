"""What went over the wire between the bot and the fakes: each request, answer and event once, told apart by its shape.

The services' own descriptions are held against it (`tests/conformance`): neither may the bot ask for what a service
doesn't know, nor a fake answer what the service wouldn't.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: Lengths of a string or a list that are told apart: the services' limits lie between them.
_LENGTHS = (0, 1, 24, 45, 75, 100, 150, 255, 256, 1000, 2000, 3000, 4000, 12_000, 40_000)


@dataclass(frozen=True, slots=True)
class Record:
    """Something that was sent.

    Attributes:
        service: `discord`, `slack` or `mem0`.
        kind: `request`, `answer` (with its HTTP status) or `event`.
        name: The route (`POST /channels/{}/messages`), the method (`chat.update`) or the event's own name.
        data: The JSON, None where there was none.
    """

    service: str
    kind: str
    name: str
    data: Any
    status: int = 0


class Traffic:
    """Keeps what is new by its shape, until it is taken."""

    def __init__(self) -> None:
        self._known: set[object] = set()
        self._fresh: list[Record] = []
        self._paused = False

    def note(self, record: Record) -> None:
        """Keep a record, unless its like was there before."""
        key = (record.service, record.kind, record.name, record.status, _shape(record.data))
        if not self._paused and key not in self._known:
            self._known.add(key)
            self._fresh.append(record)

    def take(self) -> list[Record]:
        """What is new since the last time."""
        fresh, self._fresh = self._fresh, []
        return fresh

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep nothing of what a test sends wrongly on purpose."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False


#: Of this process.
TRAFFIC = Traffic()


def _shape(data: Any) -> object:
    if isinstance(data, dict):
        return tuple((key, _shape(value)) for key, value in sorted(data.items()))
    if isinstance(data, list):
        return ("list", _length(len(data)), frozenset(_shape(item) for item in data))
    if isinstance(data, str):
        return ("text", _length(len(data)))
    return (type(data).__name__, data) if isinstance(data, int) and abs(data) < 100 else type(data).__name__


def _length(count: int) -> int:
    return sum(count > length for length in _LENGTHS)
