"""Events and memories for tests, with plain defaults; and waiting for what another task or process does."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.core.asides import INTRODUCTION, above
from bot.events import MessageEvent
from bot.model import Audience, Exchange, Memory, Person, Place, Source, Turn

MONDAY = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)

ANN = Person("slack", "T1", "UANN")
BOB = Person("slack", "T1", "UBOB")
DM = Place("slack", "T1", "D1", None, Audience.PRIVATE, "DM")
GENERAL = Place("slack", "T1", "C1", "100.1", Audience.PUBLIC, "#general")
SECRET = Place("slack", "T1", "C2", "200.1", Audience.MEMBERS, "#secret")


def message(text: str, *, number: int = 1, person: Person = ANN, place: Place = DM, name: str = "Ann") -> MessageEvent:
    """A message; `number` makes its id and its time (minutes after MONDAY)."""
    at = MONDAY + timedelta(minutes=number)
    return MessageEvent(f"slack:T1:{place.channel}:{number}", person, place, text, name, at)


def somebody(number: int) -> Person:
    """A person of their own: what each says is a thought of its own."""
    return Person("slack", "T1", f"U{number}")


def turn(author: str, text: str, *, person: Person = ANN, name: str = "Ann") -> Turn:
    """A recent turn."""
    return Turn(author, name, text, MONDAY, person.key if author == "user" else "")


def memory(text: str, *, number: int = 1, scope: str = "private", place: str = "DM") -> Memory:
    """A memory learned `number` days after MONDAY from the event `e<number>`."""
    at = MONDAY + timedelta(days=number)
    return Memory(f"m{number}", text, at, scope, (Source(f"e{number}", at, place, f"https://example.org/{number}"),))


def exchange(
    number: int, text: str = "hello", *, scope: str = "private", user_id: str = ANN.key, attempts: int = 0
) -> Exchange:
    """An exchange that waits to be learned."""
    at = MONDAY + timedelta(minutes=number)
    return Exchange(number, f"e{number}", user_id, scope, "Ann", text, "hi", at, "", "DM", "c", attempts)


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until `holds()`; raises TimeoutError where it doesn't within `seconds`."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is seen from outside, with no event to wait on
            await asyncio.sleep(0.005)


def alone(shown: str) -> str:
    """An answer as it was made: without the line below a person's first, which says that they are remembered."""
    return above(shown, INTRODUCTION)


def names(event: MessageEvent) -> tuple[str, ...]:
    """How the files of a message are called."""
    return tuple(file.name for file in event.attachments)
