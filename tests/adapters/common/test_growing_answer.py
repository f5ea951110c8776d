"""What holds for every answer that grows, tried on platforms of a few lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.common.growing_answer import GrowingAnswer
from tests.makers import until


class Platform:
    """Holds one message that can be edited: all that it ever showed, in order, the whole answer behind a `!`."""

    def __init__(self, pause: float | None = 0.0) -> None:
        self.shown: list[str] = []
        self.pause = pause
        self.failures: list[Exception] = []
        self.free = asyncio.Event()
        self.free.set()
        self.answered = asyncio.Event()
        self.answered.set()
        self.asked = asyncio.Event()
        self.waiting = asyncio.Event()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait while the platform is busy with other answers."""
        self.waiting.set()
        await self.free.wait()
        yield

    async def grow(self, text: str) -> float | None:
        """Take a request, whose effect shows once it is answered."""
        await self._request(text)
        return self.pause

    async def finish(self, text: str) -> None:
        """Show the whole answer."""
        await self._request(f"{text}!")

    async def _request(self, text: str) -> None:
        self.asked.set()
        await self.answered.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.shown.append(text)


def answer(platform: Platform, first: float = 0.0) -> GrowingAnswer:
    """An answer that is shown there."""
    return GrowingAnswer(platform.grow, platform.finish, first=first, turn=platform.turn)


async def test_a_quick_answer_is_shown_once() -> None:
    """What is whole before the first text is due is shown whole at once."""

    async def quick() -> AsyncIterator[str]:
        yield "Yes"
        await asyncio.sleep(0.01)
        yield "Yes, of course"

    platform = Platform()
    await answer(platform, first=60.0).show(quick())
    assert platform.shown == ["Yes, of course!"]


async def test_showings_keep_the_rhythm() -> None:
    """After a showing the platform is left alone for as long as it said, whatever comes meanwhile."""
    platform = Platform(pause=60.0)

    async def chatty() -> AsyncIterator[str]:
        for count in range(1, 20):
            yield "word " * count
            await asyncio.sleep(0.001)

    await answer(platform).show(chatty())
    assert len(platform.shown) == 2


async def test_the_newest_text_is_shown() -> None:
    """Texts that come while the answer's turn is awaited replace each other; blank ones are not worth a turn."""
    platform = Platform()
    platform.free.clear()

    async def chatty() -> AsyncIterator[str]:
        yield ""
        yield " \n"
        await asyncio.sleep(0.01)
        assert not platform.waiting.is_set()
        for count in range(1, 100):
            yield "word " * count
            await asyncio.sleep(0)
        assert platform.waiting.is_set()
        platform.free.set()
        await until(lambda: platform.shown != [])
        yield "That's all"

    await answer(platform).show(chatty())
    assert (platform.shown[0], platform.shown[-1]) == ("word " * 99, "That's all!")


async def test_the_answer_goes_on_while_the_model_is_silent() -> None:
    """A text that came too late for one showing is shown by the next, whether or not another follows."""
    platform = Platform(pause=0.01)
    platform.answered.clear()

    async def halting() -> AsyncIterator[str]:
        yield "One"
        await platform.asked.wait()
        yield "One, two"
        platform.answered.set()
        await until(lambda: "One, two" in platform.shown)

    await answer(platform).show(halting())
    assert platform.shown[:2] == ["One", "One, two"]


async def test_the_end_waits_for_no_turn() -> None:
    """An answer that ends while its turn is awaited is shown whole at once."""
    platform = Platform()
    platform.free.clear()

    async def ending() -> AsyncIterator[str]:
        yield "Half"
        await platform.waiting.wait()
        yield "Whole"

    async with asyncio.timeout(5):
        await answer(platform).show(ending())
    assert platform.shown == ["Whole!"]


@pytest.mark.parametrize("stopped", [False, True])
async def test_no_request_is_cancelled(stopped: bool) -> None:
    """Where the answer ends amid a request, or the bot is stopped then, the request is heard out."""
    platform = Platform(pause=60.0)
    platform.answered.clear()

    async def ending() -> AsyncIterator[str]:
        yield "Half"
        await platform.asked.wait()
        if stopped:
            await asyncio.Event().wait()
        yield "Whole"

    showing = asyncio.create_task(answer(platform).show(ending()))
    await platform.asked.wait()
    if stopped:
        showing.cancel()
    await asyncio.sleep(0.01)
    assert not showing.done()
    platform.answered.set()
    await asyncio.wait([showing], timeout=5)
    assert showing.cancelled() == stopped
    assert platform.shown == (["Half"] if stopped else ["Half", "Whole!"])


async def test_only_the_end_may_be_left_to_show() -> None:
    """A platform that has had enough of an answer is asked once more, for the whole."""
    platform = Platform(pause=None)

    async def long() -> AsyncIterator[str]:
        for count in range(1, 20):
            yield "word " * count
            await asyncio.sleep(0.001)

    await answer(platform).show(long())
    assert platform.shown == ["word ", "word " * 19 + "!"]


async def test_a_refused_answer_is_not_read_on() -> None:
    """What a showing raises is raised, and the model is told to stop: nothing that it says can be shown."""
    platform = Platform()
    platform.failures.append(PermissionError("no"))
    closed: list[str] = []

    async def endless() -> AsyncIterator[str]:
        text = ""
        try:
            while True:
                yield (text := f"{text} word")
                await asyncio.sleep(0)
        finally:
            closed.append("closed")

    with pytest.raises(PermissionError):
        await answer(platform).show(endless())
    assert (platform.shown, closed) == ([], ["closed"])


async def test_a_refusal_at_the_end_is_raised() -> None:
    """A showing that fails after the last text has come says so, and the whole isn't tried."""
    platform = Platform()
    platform.answered.clear()
    platform.failures.append(PermissionError("no"))

    async def ending() -> AsyncIterator[str]:
        yield "Half"
        await platform.asked.wait()
        yield "Whole"
        asyncio.get_running_loop().call_later(0.01, platform.answered.set)

    with pytest.raises(PermissionError):
        await answer(platform).show(ending())
    assert platform.shown == []


async def test_what_fails_in_the_making_fails_the_answer() -> None:
    """An error of the snapshots' own is raised, whatever the platform said; half an answer isn't shown as whole."""
    platform = Platform()
    platform.failures.append(PermissionError("no"))

    async def broken() -> AsyncIterator[str]:
        yield "Half"
        await platform.asked.wait()
        raise KeyError

    growing = answer(platform)
    with pytest.raises(KeyError):
        await growing.show(broken())
    await growing.retry()
    assert platform.shown == []


async def test_a_whole_answer_is_kept_until_it_is_shown() -> None:
    """What could only not be shown is shown by a later try, once, however many of them fail."""

    async def quick() -> AsyncIterator[str]:
        yield "Whole"

    platform = Platform()
    growing = answer(platform, first=60.0)
    platform.failures += [ConnectionError(), ConnectionError()]
    with pytest.raises(ConnectionError):
        await growing.show(quick())
    with pytest.raises(ConnectionError):
        await growing.retry()
    await growing.retry()
    await growing.retry()
    assert platform.shown == ["Whole!"]


async def test_an_answer_given_anew_replaces_the_one_that_was_kept() -> None:
    """A text that could not be shown is forgotten once the model is asked again, even where that fails."""

    async def said(text: str) -> AsyncIterator[str]:
        yield text

    async def broken() -> AsyncIterator[str]:
        yield "New"
        raise KeyError

    platform = Platform()
    growing = answer(platform, first=60.0)
    platform.failures.append(ConnectionError())
    with pytest.raises(ConnectionError):
        await growing.show(said("Old"))
    with pytest.raises(KeyError):
        await growing.show(broken())
    await growing.retry()
    await growing.show(said("Newest"))
    await growing.retry()
    assert platform.shown == ["Newest!"]


async def test_a_platform_may_only_append() -> None:
    """Where nothing can be edited, what was appended adds up to the answer, and what takes it back follows."""
    appended = ""
    lengths: list[int] = []

    async def append(text: str) -> float:
        nonlocal appended
        appended += text[len(appended) :] if text.startswith(appended) else f"\n{text}"
        lengths.append(len(appended))
        return 0.0

    async def words() -> AsyncIterator[str]:
        for count in range(1, 6):
            yield "word " * count
            await until(lambda: 5 * count in lengths)  # noqa: B023 - awaited here
        yield "word word, in short."

    async def finish(text: str) -> None:
        await append(text)

    await GrowingAnswer(append, finish, first=0.0).show(words())
    assert appended == "word " * 5 + "\nword word, in short."
