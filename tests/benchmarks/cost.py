"""What learning and answers cost: `python -m tests.benchmarks.cost`.

Learning: the same ten messages of one person through our memory, in three bursts that are learned together as the
learner does, and through mem0 as it ships, with its own Anthropic class and one `add` a message. Both ask the loopback
Messages API, which bills characters / 4 and caches a marked prefix. Both are answered with the same facts; ours with
the fields that our schema adds, mem0's without the links between memories that it may ask for, so that ours isn't
flattered. Answers: through the whole bot and through the naive loop (`cost_answers`); and a
longer conversation, by the prompt cache (`cost_conversation`).
"""

import asyncio
import json
import logging
import math
import os
import tempfile
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.model import Exchange
from tests.benchmarks import cost_answers, cost_conversation
from tests.benchmarks.cost_answers import Costs
from tests.benchmarks.cost_sample import (
    BURSTS,
    EARLIER,
    HAIKU,
    MESSAGES,
    NEIGHBOUR,
    SONNET,
    Bill,
    StoredMessage,
    respond,
)
from tests.benchmarks.load_naive import EXTRACTS, open_memory
from tests.fakes.claude import FakeClaude
from tests.memory.embedding import settings
from tests.stubs import StubSpending

if TYPE_CHECKING:
    from bot.memory.embedded.extractor import Meter

TARGET = 0.15
PRICES = "{0.model}: ${0.input:.2f} in, ${0.output:.2f} out a million"
START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


async def shipped(folder: Path) -> Bill:
    """mem0 as it ships: one `add` a message."""
    async with FakeClaude(respond, record=False) as claude:
        os.environ["ANTHROPIC_BASE_URL"] = claude.url
        memory = open_memory(folder)
        for said in MESSAGES:
            turns = [{"role": "user", "content": said.text}, {"role": "assistant", "content": said.answer}]
            await memory.add(turns, user_id="nora")
        expect(len((await memory.get_all(filters={"user_id": "nora"}, top_k=100))["results"]))
        return Bill(calls=claude.calls, **claude.tokens)


async def ours(file: Path, *, warm: bool) -> Bill:
    """Our memory, a burst at a time; `warm`: after a lesson of somebody else's."""
    # These decide how mem0 is imported, without what its own store needs: not before `shipped` has it.
    from bot.chat.client import client
    from bot.memory.embedded.extractor import TIMEOUT, Extractor
    from bot.memory.embedded.memory import EmbeddedMemory
    from bot.memory.recall.embedder import WordLlamaEmbedder
    from bot.memory.vectors.sqlite.store import SqliteStore

    async with FakeClaude(respond, record=False) as claude:
        embedder = WordLlamaEmbedder()
        store = SqliteStore(file, embedder.dims, embedder.name)
        llm = Extractor(client(settings(file.parent, claude), TIMEOUT), EXTRACTS, StubSpending())
        memory = EmbeddedMemory(store, embedder, llm, tokens=1000, commit=lambda connection, exchanges: None)
        try:
            if warm:
                await memory.learn([exchange(0, NEIGHBOUR, "olaf")])
            before = read(llm.meter)
            waiting = [exchange(number, said, "nora") for number, said in enumerate(MESSAGES, 1)]
            for size in BURSTS:
                await memory.learn(waiting[:size])
                del waiting[:size]
            kept = await memory.list("nora")
            expect(len(kept))
            if not any(memory.superseded_by for memory in kept):
                raise RuntimeError("the moved shift has replaced nothing: no memories were shown")
            if read(llm.meter) != Bill(calls=claude.calls, **claude.tokens):
                raise RuntimeError("the meter and the service have counted differently")
            return read(llm.meter) - before
        finally:
            await memory.close()


def expect(kept: int) -> None:
    """Raise where not all facts were kept: what was not learned costs less."""
    if kept != sum(len(said.facts) for said in MESSAGES):
        raise RuntimeError(f"only {kept} facts were learned")


def exchange(number: int, said: StoredMessage, user_id: str) -> Exchange:
    """The exchange as it waits in the journal; a minute between two."""
    at = START + timedelta(minutes=number)
    name = user_id.title()
    return Exchange(number, f"e{number}", user_id, "private", name, said.text, said.answer, at, "", "DM", "c")


def read(meter: "Meter") -> Bill:
    """The extractor's meter as a bill."""
    return Bill(meter.calls, meter.input, meter.cache_creation, meter.cache_read, meter.output)


def report(mem0: Bill, cold: Bill, warm: Bill) -> None:
    """Print the table, what it leaves out, and how far the target is."""
    # Not run: the prefix is the same in each call, so with a cache that has run out, what was read is written.
    apart = replace(cold, cache_creation=cold.cache_creation + cold.cache_read, cache_read=0)
    rows = {
        "mem0 2.2.1, an add a message (never cached)": mem0,
        "ours, warm: others' lessons wrote the prefix": warm,
        "ours, cold: first burst writes, two read": cold,
        "ours, cold: bursts over 5 minutes apart": apart,
    }
    print(f"Learning {len(MESSAGES)} messages of one person in bursts of {BURSTS}; tokens are characters / 4.")
    print(f"{PRICES.format(HAIKU)}; cache write {HAIKU.write} x, read {HAIKU.read} x the input.\n")
    columns = ("calls", "input", "written", "read", "output", "$/1000 msgs", "ours/mem0")
    print(" " * 46 + "".join(f"{column:>12}" for column in columns))
    for name, bill in rows.items():
        counts = "".join(f"{count:>12,}" for count in asdict(bill).values())
        print(f"{name:<46}{counts}{bill.dollars(HAIKU):>12.4f}{bill.dollars(HAIKU) / mem0.dollars(HAIKU):>12.1%}")
    print(f"\nTarget: at most {TARGET:.0%}.")
    for name, bill in list(rows.items())[1:]:
        over = bill.dollars(HAIKU) / mem0.dollars(HAIKU) - TARGET
        print(f"  {name}: {'met' if over <= 0 else 'missed'} by {abs(over) * 100:.1f} points")
    remedies(mem0, cold, apart, warm)


def remedies(mem0: Bill, cold: Bill, apart: Bill, warm: Bill) -> None:
    """Print what would lower the ratio, and what the figures leave out."""
    from bot.memory.embedded.extraction_prompt import SCHEMA

    prefix = warm.cache_read // warm.calls
    max_dollars = TARGET * mem0.dollars(HAIKU)
    one_write = HAIKU.input * (HAIKU.write - HAIKU.read) * prefix / 1e6 * 1000  # $ for 1000 messages, had each its own
    alone = replace(warm, cache_read=0)  # prompts and answers, which no cache lowers
    shares = {
        "writing the prefix once": Bill(cache_creation=prefix),
        "reading it in each lesson": replace(warm, input=0, output=0),
        "prompts and answers": alone,
    }
    named = ", ".join(f"{name} {bill.dollars(HAIKU) / mem0.dollars(HAIKU):.1%}" for name, bill in shares.items())
    print(f"\nOf mem0's bill: {named}.\nThe prefix is {prefix:,} tokens.")
    print("What would lower it:")
    if warm.dollars(HAIKU) < max_dollars:
        needed = math.ceil(one_write / (max_dollars - warm.dollars(HAIKU)))
        print(f"- Sharing: the target is met once {needed} such messages, whosever, share one written prefix.")
    for name, bill in {"one write": cold, "a write in each burst": apart}.items():
        fits = prefix * (max_dollars - alone.dollars(HAIKU)) / (bill.dollars(HAIKU) - alone.dollars(HAIKU))
        print(f"- A shorter prefix: with {name}, one of at most {fits:,.0f} tokens meets it.")
    # Written once at twice the price, then read.
    hour = cold.dollars(HAIKU) + HAIKU.input * (2 - HAIKU.write) * cold.cache_creation / 1e6 * 1000 / len(MESSAGES)
    print(f"- The cache of an hour (write 2 x) for bursts over 5 minutes apart: {hour / mem0.dollars(HAIKU):.1%}.")
    schema = Bill(input=len(json.dumps(SCHEMA)) // 4 * warm.calls).dollars(HAIKU) / mem0.dollars(HAIKU)
    print("Not counted:")
    print(f"- our JSON schema, which the service may add to the prompt (at the full price {schema:.1%} more);")
    print("- thinking, off in ours; mem0's class leaves it to the model, which may bill it as output;")
    print("- links between memories in mem0's answers, and retries.")
    print("mem0's prompts hold the conversation's last ten messages; ours leave them out.")


def report_answers(naive: dict[str, Costs], ours: dict[str, Costs]) -> None:
    """Print what answers cost, of what their prompts consist, and the whole."""
    print(f"\n\nAnswering the same messages; {PRICES.format(SONNET)}.")
    print(f"New: the person's first. Known: after {len(EARLIER)} exchanges in the same conversation.\n")
    columns = ("input", "written", "read", "output", "$/1000 msgs", "of naive's")
    print(" " * 46 + "".join(f"{column:>12}" for column in columns))
    for who, mine in ours.items():
        theirs = naive[who].answers
        # Not run: the naive loop sends no recent turns, and so can't follow a conversation.
        following = replace(theirs, input=theirs.input + mine.turns // 4)
        fewer = replace(mine.answers, input=mine.answers.input - mine.memories // 8)
        rows = {"naive loop": theirs, "naive loop, with our recent turns": following, "ours": mine.answers}
        for name, bill in {**rows, "ours, half of the memories shown": fewer}.items():
            dollars = bill.dollars(SONNET)
            share = dollars / theirs.dollars(SONNET)
            tokens = (bill.input, bill.cache_creation, bill.cache_read, bill.output)
            counts = "".join(f"{count:>12,}" for count in tokens)
            print(f"{f'{who}: {name}':<46}{counts}{dollars:>12.3f}{share:>12.0%}")
    print("\nTokens in one of our prompts:")
    for who, mine in ours.items():
        parts = {"persona, rules and briefing": mine.fixed, "memories": mine.memories, "recent turns": mine.turns}
        print(f"- {who}: {', '.join(f'{part} {length // 4 // len(MESSAGES):,}' for part, length in parts.items())}")
    print(
        f"100 more in a prompt are ${SONNET.input / 10:.2f} for 1000 messages, in an answer ${SONNET.output / 10:.2f}."
    )
    print("\n1000 messages, answered and learned, in $:")
    print(" " * 46 + "".join(f"{column:>12}" for column in ("answers", "learning", "both")))
    for name, by_person in (("naive loop", naive), ("ours, others learn too", ours)):
        for who, costs in by_person.items():
            answers, learning = costs.answers.dollars(SONNET), costs.learning.dollars(HAIKU)
            print(f"{f'{who}: {name}':<46}{answers:>12.3f}{learning:>12.3f}{answers + learning:>12.3f}")


async def main(folder: Path) -> None:
    """Measure and report."""
    logging.getLogger("mem0").setLevel(logging.ERROR)  # else it tells of each optional library that is missing
    mem0 = await shipped(folder / "mem0")
    people = {"new": False, "known": True}
    naive = {who: await cost_answers.naive(folder / f"naive-{who}", known=known) for who, known in people.items()}
    cold = await ours(folder / "cold.db", warm=False)
    warm = await ours(folder / "warm.db", warm=True)
    whole = {who: await cost_answers.ours(folder / f"ours-{who}", known=known) for who, known in people.items()}
    report(mem0, cold, warm)
    report_answers(naive, whole)
    await cost_conversation.report(folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(Path(scratch)))
