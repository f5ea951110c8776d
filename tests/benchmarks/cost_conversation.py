"""What a conversation of some length costs, by the prompt cache: through the real core, against the fake's bill.

Sixteen questions, a minute apart, by people known for weeks: one person in a direct message, or three by turns in a
thread of a channel. Each has as many memories in the request as the defaults allow. The same requests without a cache
are the same tokens at the full price.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bot.core.briefing import KNOWN
from bot.core.rules import ENDS
from bot.model import Audience, Person, Place
from tests.benchmarks.cost_answers import Bot, Counter, expect
from tests.benchmarks.cost_sample import EARLIER, HAIKU, SONNET, TALK, Bill, Price, respond
from tests.fakes.claude import FakeClaude, briefing
from tests.harness import Clock

TARGET = 0.5
PEOPLE = [Person("discord", "", str(number)) for number in range(1, 4)]
THREAD = Place("discord", "7", "C1", "T1", Audience.PUBLIC, "#general")
#: Where they have talked before.
ELSEWHERE = [replace(THREAD, channel=f"C{number}", thread=f"T{number}") for number in (2, 3, 4)]
MODELS = {"claude-sonnet-5-5": SONNET, "claude-haiku-5-5": HAIKU}


class Conversation(NamedTuple):
    """What its answers and learning from them took, and the most tokens of memories that a request held."""

    answers: Bill
    learning: Bill
    memories: int


async def measure(folder: Path, model: str, *, company: bool) -> Conversation:
    """One conversation, after all that was said before has been learned, and all caches have run out."""
    clock = Clock(0.0)
    people = PEOPLE if company else PEOPLE[:1]
    async with FakeClaude(respond, clock=clock) as claude, Bot.open(folder, claude, bot_model=model) as bot:
        nobody = Counter(claude)
        for person, elsewhere in zip(people, ELSEWHERE, strict=False):
            for start in range(0, len(EARLIER), 4):
                before = elsewhere if company else None
                await bot.talk(person, EARLIER[start : start + 4], nobody, before)
        clock.now += 3600
        counter, begun = Counter(claude), len(claude.chats)
        for number, said in enumerate(TALK):
            clock.now += 60
            await bot.say(people[number % len(people)], said, counter, THREAD if company else None)
            await counter.learn(bot.learn())  # a minute is long enough for each to be learned by itself
        told = [briefing(request).removesuffix(f"\n{ENDS}\n") for request in claude.chats[begun:]]
        held = [each.partition(f"{KNOWN}\n")[2] for each in told]
        expect(len(held) == len(TALK), all(held))
        return Conversation(counter.answers, counter.learning, max(map(len, held)) // 4)


def full(bill: Bill) -> Bill:
    """The same tokens without a cache."""
    return Bill(bill.calls, bill.input + bill.cache_creation + bill.cache_read, 0, 0, bill.output)


def apart(bill: Bill) -> Bill:
    """Not run: the same with more than five minutes between any two requests, so that all that was read is written."""
    return replace(bill, cache_creation=bill.cache_creation + bill.cache_read, cache_read=0)


def prompt(bill: Bill, price: Price) -> float:
    """Dollars for the prompts of a thousand messages."""
    return replace(bill, output=0).dollars(price, len(TALK))


async def report(folder: Path) -> None:
    """Measure all, and print what it costs and whether the target is met."""
    print(f"\n\nA conversation of {len(TALK)} messages, a minute apart, by people known for weeks.")
    print(
        "Dollars per 1,000: answers (apart: over five minutes between two; uncached), messages learned by Haiku 5.5.\n"
    )
    columns = (
        "input",
        "written",
        "read",
        "output",
        "answers",
        "apart",
        "uncached",
        "of prompts",
        "learned",
        "memories",
    )
    print(" " * 32 + "".join(f"{column:>11}" for column in columns))
    for company in (False, True):
        for model, price in MODELS.items():
            name = f"{price.model}, {'three in a thread' if company else 'alone'}"
            found = await measure(folder / name.replace(" ", "-"), model, company=company)
            bill = found.answers
            share = prompt(bill, price) / prompt(full(bill), price)
            counts = (bill.input, bill.cache_creation, bill.cache_read, bill.output)
            dollars = [each.dollars(price, len(TALK)) for each in (bill, apart(bill), full(bill))]
            learned = found.learning.dollars(HAIKU, len(TALK))
            row = "".join(f"{count:>11,}" for count in counts) + "".join(f"{each:>11.3f}" for each in dollars)
            print(f"{name:<32}{row}{share:>11.0%}{learned:>11.3f}{found.memories:>11,}")
            expect(found.memories <= 1000)
            if not company:
                print(f"{'':<32}target of at most {TARGET:.0%}: {'met' if share <= TARGET else 'missed'}")
