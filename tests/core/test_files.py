"""The files of a message, opened between the platform and the request: limits, waits, and what is told of the rest."""

import asyncio
from dataclasses import replace

from bot.aio.room import Room
from bot.core.files import BYTES, FILES, TEXT, FileReader
from bot.events import MessageEvent
from bot.files.pdf import PAGES
from bot.files.values import Document, File, Picture, TextFile, Unopened
from bot.model import Attachment, Nearby
from tests.files import samples
from tests.makers import MONDAY, message
from tests.stubs import StubReplyHandle


def asked(reply: StubReplyHandle, *contents: bytes, size: int | None = None) -> MessageEvent:
    """A message with files, which the reply handle has."""
    files = []
    for number, content in enumerate(contents):
        reply.files[f"F{number}"] = content
        files.append(Attachment(f"F{number}", f"{number}.x", size=len(content) if size is None else size))
    return replace(message("look"), attachments=tuple(files))


def reasons(files: tuple[File, ...]) -> list[str]:
    """Why files aren't shown; empty for those that are."""
    return [file.reason if isinstance(file, Unopened) else "" for file in files]


async def test_each_file_is_opened_in_order() -> None:
    """Whatever takes longer; and what can't be fetched is told in its place."""
    reply = StubReplyHandle()
    event = asked(reply, samples.picture(), b"text", samples.pdf())
    del reply.files["F1"]
    kinds = [type(file) for file in await FileReader().open(event, reply)]
    assert kinds == [Picture, Unopened, Document]


async def test_only_so_many_and_so_much() -> None:
    """Ten files, twenty megabytes: past that nothing is fetched, and the reason says which it was."""
    reply = StubReplyHandle()
    found = await FileReader().open(asked(reply, *[b"x"] * (FILES + 2)), reply)
    assert [bool(reason) for reason in reasons(found)] == [False] * FILES + [True] * 2
    reply.opened.clear()
    event = asked(reply, b"a", b"b", b"c", size=BYTES // 2 + 1)
    assert reasons(await FileReader().open(event, reply)) == [
        "",
        *["is, with the files before it, larger than 20 MB"] * 2,
    ]
    assert reply.opened == ["F0"]


async def test_what_the_files_of_a_message_share() -> None:
    """The pages of a request, and the characters of its texts, are those of all of its files."""
    reply = StubReplyHandle()
    found = await FileReader().open(asked(reply, samples.pdf(60), samples.pdf(60), samples.pdf(40)), reply)
    assert reasons(found) == ["", f"has, with the PDFs before it, more than {PAGES} pages", ""]
    texts = await FileReader().open(asked(reply, b"x" * TEXT, b"y" * TEXT), reply)
    assert all(isinstance(file, TextFile) and TEXT // 2 <= len(file.text) < TEXT // 2 + 100 for file in texts)


async def test_a_file_that_does_not_arrive_is_not_waited_for() -> None:
    """The answer goes on without it."""

    class Slow(StubReplyHandle):
        async def open(self, file: Attachment, limit: int) -> bytes:
            await asyncio.sleep(0 if file.id == "F0" else 60)
            return await super().open(file, limit)

    reply = Slow()
    found = await FileReader(fetching=0.2).open(asked(reply, b"a", b"b"), reply)
    assert reasons(found) == ["", "couldn't be downloaded in time"]


async def test_files_around_the_question_come_after_its_own() -> None:
    """Within the same limits, none twice; those of other messages around it aren't opened."""
    reply = StubReplyHandle()
    event = asked(reply, *[b"x"] * (FILES - 1))
    reply.files |= {"N1": b"near", "N2": b"past the limit"}
    near = tuple(Attachment(key, f"{key}.x", size=4) for key in ("F0", "N1", "N2"))
    nearby = [Nearby("slack:1", "Ben", "b", "look", MONDAY, files=near), Nearby("slack:2", "Cid", "c", "hm", MONDAY)]
    reader = FileReader()
    own = await reader.open(event, reply)
    async with reader.with_nearby(own, event, nearby, reply) as found:
        assert [file.name for file in found] == [*(file.name for file in own), '"N1.x"', '"N2.x"']
        assert [bool(reason) for reason in reasons(found)] == [False] * FILES + [True]


async def test_nothing_is_opened_where_nobody_could_look() -> None:
    """Without a model, files are names."""
    reply = StubReplyHandle()
    event = asked(reply, b"x")
    reader = FileReader(enabled=False)
    async with reader.room(event), reader.with_nearby((), event, (), reply) as found:
        assert (await reader.open(event, reply), found, reply.opened) == ((), (), [])


async def test_room_is_given_in_turn() -> None:
    """No more than there is; whoever waits for much isn't passed by, and whoever gives up holds up nobody."""
    room, order = Room(10), list[str]()

    async def take(name: str, amount: int, seconds: float = 0.02) -> None:
        async with room.taken(amount):
            order.append(name)
            await asyncio.sleep(seconds)
            order.append(f"/{name}")

    first = asyncio.create_task(take("a", 6))
    await asyncio.sleep(0)
    waits = [asyncio.create_task(take("b", 8)), asyncio.create_task(take("c", 1))]
    given_up = asyncio.create_task(take("d", 3))
    await asyncio.sleep(0.005)
    assert order == ["a"]
    given_up.cancel()
    await asyncio.gather(first, *waits)
    assert order[:3] == ["a", "/a", "b"]
    assert order.count("c") == 1
    assert "d" not in order
    await take("all", 99)
    assert order[-2:] == ["all", "/all"]
