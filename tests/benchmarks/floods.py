"""Whether one person's flood holds up another's answers: `python -m tests.benchmarks.floods [FLOOD …] [--seconds 3]`.

The core, its journal and its memory run in this process on one SQLite file, with a model that answers at once. Ben
writes every 50 ms while Ann floods; printed is, for each flood, how long it takes, and Ben's longest and median wait
in it, beside a quiet time. Bounded, and ends by itself.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from bot.commands.interactions import LimitedCommands
from bot.config import Settings
from bot.core.learning import Learner
from bot.events import CommandEvent, MessageEvent, PressEvent
from bot.journal import mark_learned
from bot.journal.opening import open_journal
from bot.loop import MemoryBot
from bot.memory.embedded.opening import open_embedded
from bot.model import Audience, Person, Place
from bot.privacy.changes import PlatformChanges
from tests.fakes import claude as fake
from tests.fakes.claude import FakeClaude
from tests.parts import make_bot, make_commands, make_privacy
from tests.stubs import StubChat, StubReplyHandle, StubSpending

ANN, BEN = Person("slack", "T1", "UANN"), Person("slack", "T1", "UBEN")
ANN_ELSEWHERE = Person("discord", "", "7")
#: How often Ben writes, in seconds.
EVERY = 0.05
MANY = "Tell me a lot."
#: Memories of somebody who has told much.
STOCK = 2000

Flood = Callable[[], Awaitable[object]]


def model(request: fake.Request) -> str:
    """A memory model that keeps each sentence, and makes a hundred facts of one."""
    said = [(number, user) for number, user, _ in fake.new_messages(fake.last_text(request))]
    many = [user for _, user in said if user.startswith(MANY)]
    if many:
        texts = (f"Fact {number} of {user} is about topic {number % 97}" for user in many for number in range(100))
        return fake.facts(*({"text": text} for text in texts))
    return fake.facts(*({"text": user, "source": number} for number, user in said))


class World:
    """One process of the bot; `ben` is how long he waited each time."""

    def __init__(self, bot: MemoryBot, commands: LimitedCommands, changes: PlatformChanges, learner: Learner) -> None:
        self.bot = bot
        self.commands = commands
        self.changes = changes
        self.learner = learner
        self.ben: list[float] = []
        self._numbers = itertools.count()

    def event(self, person: Person, text: str) -> MessageEvent:
        """A message in a person's own direct messages."""
        place = Place(person.platform, person.workspace, f"D{person.user}", None, Audience.PRIVATE, "DM")
        name = f"{person.key}:{next(self._numbers)}"
        return MessageEvent(name, person, place, text, person.user, datetime.now(UTC))

    async def says(self, person: Person, text: str) -> MessageEvent:
        """Say something and wait for the answer."""
        event = self.event(person, text)
        await self.bot.on_message(event, StubReplyHandle())
        return event

    async def beside(self, flood: Flood, seconds: float) -> float:
        """Ben writes until the flood is over, and for `seconds` at least; return how long the flood took."""
        self.ben = []
        begun = time.monotonic()

        async def timed() -> float:
            await flood()
            return time.monotonic() - begun

        flooding = asyncio.create_task(timed())
        while time.monotonic() - begun < seconds or not flooding.done():
            due = time.monotonic() + EVERY
            asked = time.monotonic()
            await self.says(BEN, "I write often.")
            self.ben.append(time.monotonic() - asked)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        return await flooding

    async def command(self, person: Person, name: str, argument: str = "") -> None:
        """Run a command, and press its first button where that is what it asks for."""
        place = self.event(person, "").place
        now = datetime.now(UTC)
        view = await self.commands.on_command(CommandEvent(person, place, name, argument, now))
        if view.buttons and view.buttons[0].danger:
            await self.commands.on_press(PressEvent(person, place, view.buttons[0].action, now))


async def told(world: World, count: int) -> list[MessageEvent]:
    """So many messages of Ann's, answered and learned."""
    events = [await world.says(ANN, f"My note {number} is about topic {number % 97}.") for number in range(count)]
    await world.learner.flush()
    return events


async def deletions(world: World) -> Flood:
    """150 messages that taught something are deleted one by one, at once."""
    events = await told(world, 150)
    return lambda: asyncio.gather(*(world.changes.on_deleted([event.id]) for event in events))


async def strangers(world: World) -> Flood:
    """500 messages that were never meant for the bot are deleted one by one, at once."""
    return lambda: asyncio.gather(*(world.changes.on_deleted([f"slack:T1:C9:{number}"]) for number in range(500)))


async def edits(world: World) -> Flood:
    """100 messages that taught something are edited, at once."""
    events = await told(world, 100)
    return lambda: asyncio.gather(
        *(world.changes.on_edited(replace(event, text=f"{event.text} Or not.")) for event in events)
    )


async def lesson(world: World) -> Flood:
    """A lesson of as many facts as one may teach."""
    await world.says(ANN, MANY)
    return world.learner.flush


async def stocked(world: World) -> None:
    """Ann has told much."""
    for number in range(STOCK // 100):
        await world.says(ANN, f"{MANY} Number {number}")
        await world.learner.flush()


async def everything(world: World) -> Flood:
    """Somebody with thousands of memories has everything forgotten."""
    await stocked(world)
    return lambda: world.command(ANN, "forget")


async def links(world: World) -> Flood:
    """200 times `/link`, at once."""
    return lambda: asyncio.gather(*(world.command(ANN, "link") for _ in range(200)))


async def codes(world: World) -> Flood:
    """200 times `/link` with a wrong code, at once, each by another account."""
    people = [Person("discord", "", str(number)) for number in range(200)]
    return lambda: asyncio.gather(*(world.command(person, "link", "K7QF-2M9X") for person in people))


async def lists(world: World) -> Flood:
    """200 times `/memories`, at once, by somebody with thousands of memories."""
    await stocked(world)
    return lambda: asyncio.gather(*(world.command(ANN, "memories") for _ in range(200)))


FLOODS: dict[str, Callable[[World], Awaitable[Flood]]] = {
    flood.__name__: flood for flood in (deletions, strangers, edits, lesson, everything, links, codes, lists)
}


@asynccontextmanager
async def opened(folder: Path, claude: FakeClaude) -> AsyncIterator[World]:
    """The bot on an empty folder."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
        bot_data_dir=folder,
        anthropic_api_key=SecretStr("sk-test"),
        anthropic_base_url=claude.url,
    )
    journal = await open_journal(settings)
    memory = await asyncio.to_thread(open_embedded, settings, mark_learned, StubSpending())
    learner = Learner(journal.outbox, memory)
    privacy = make_privacy(journal, memory, None, learner)
    commands = LimitedCommands(make_commands(journal, memory, privacy))
    bot = make_bot(journal, memory, StubChat(reply=lambda prompt: "Noted."), learner, privacy.identities)
    try:
        yield World(bot, commands, privacy.changes, learner)
    finally:
        await learner.stop(5)
        await memory.close()
        await journal.close()


async def main(names: list[str], seconds: float) -> None:
    """Run the floods, each on an empty folder."""
    print(
        f"{'flood':>12} {'takes':>8} {'longest wait':>13} {'median':>8} {'quiet, longest':>15} {'median':>8}  (seconds)"
    )
    async with FakeClaude(model) as claude:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                async with opened(Path(folder), claude) as world:
                    await world.says(BEN, "I write often.")
                    flood = await FLOODS[name](world)
                    await world.beside(lambda: asyncio.sleep(0), seconds)
                    quiet = max(world.ben), statistics.median(world.ben)
                    took = await world.beside(flood, 0.5)
                    row = (took, max(world.ben), statistics.median(world.ben), *quiet)
                    print("{:>12} {:8.2f} {:13.3f} {:8.3f} {:15.3f} {:8.3f}".format(name, *row), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("floods", nargs="*", metavar="FLOOD", help=", ".join(FLOODS))
    parser.add_argument("--seconds", type=float, default=3.0, help="of the quiet time before each")
    options = parser.parse_args()
    asyncio.run(main(options.floods or list(FLOODS), options.seconds))
