"""Taking up what was left behind."""

import asyncio
from collections.abc import Callable, Collection

from bot.core.recovery import Recovery
from bot.events import MessageEvent
from bot.ports import JournalUnavailable, ReplyHandle
from tests.makers import message, until
from tests.stub_journal import StubInbox, StubOutbox, StubTurns
from tests.stubs import StubReplyHandle


class Left(StubInbox):
    """An inbox with events that nobody answers."""

    def __init__(self, *events: MessageEvent) -> None:
        super().__init__(StubTurns(), StubOutbox())
        self.left = list(events)
        self.broken = 0

    async def unanswered(self, platforms: Collection[str]) -> list[tuple[MessageEvent, str, int]]:
        if self.broken:
            self.broken -= 1
            raise JournalUnavailable("down")
        taken = [event for event in self.left if event.person.platform in platforms]
        self.left = [event for event in self.left if event not in taken]
        return [(event, event.place.key, 1) for event in taken]


class Takers:
    """The core, keeping what it was handed; `gate` holds its answers back."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.gate = asyncio.Event()

    async def resume(
        self, event: MessageEvent, conversation: str, attempts: int, make: Callable[[MessageEvent], ReplyHandle]
    ) -> None:
        self.taken.append(event.text)
        await self.gate.wait()


class Platform:
    """An adapter that can make a way back."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = asyncio.Event()
        if ready:
            self.ready.set()

    def reply_handle(self, event: MessageEvent) -> StubReplyHandle:
        return StubReplyHandle()

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        return event


async def test_what_was_left_is_taken_up_in_order_and_beside_each_other() -> None:
    """Every event that nobody answers is handed to the core, oldest first, and none waits for another."""
    inbox, takers = Left(message("one", number=1), message("two", number=2)), Takers()
    recovery = Recovery(inbox, takers, {"slack": Platform()}, None, every=0.01)
    work = asyncio.create_task(recovery.run())
    await until(lambda: takers.taken == ["one", "two"])
    work.cancel()
    takers.gate.set()
    await recovery.finish(5)


async def test_a_platform_that_is_down_is_waited_for() -> None:
    """An event of a platform that isn't connected here is left to others, and taken up once it is."""
    inbox, takers, platform = Left(message("one")), Takers(), Platform(ready=False)
    recovery = Recovery(inbox, takers, {"slack": platform}, None, every=0.01)
    work = asyncio.create_task(recovery.run())
    await asyncio.sleep(0.05)
    assert (takers.taken, len(inbox.left)) == ([], 1)
    platform.ready.set()
    await until(lambda: takers.taken == ["one"])
    work.cancel()
    await recovery.finish(0.01)


async def test_a_journal_that_fails_is_looked_at_again() -> None:
    """A journal out of reach ends nothing: the next look finds what was left."""
    inbox, takers = Left(message("one")), Takers()
    inbox.broken = 3
    recovery = Recovery(inbox, takers, {"slack": Platform()}, None, every=0.01)
    work = asyncio.create_task(recovery.run())
    await until(lambda: takers.taken == ["one"])
    work.cancel()
    await recovery.finish(0.01)
