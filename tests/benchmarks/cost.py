"""What learning costs: `python -m tests.benchmarks.cost`.

The same ten messages of one person through our memory, in three bursts that are learned together as the learner does,
and through mem0 as it ships, with its own Anthropic class and one `add` a message. Both ask the loopback Messages API,
which bills characters / 4 and caches a marked prefix. Both are answered with the same facts; ours with the fields that
our schema adds, mem0's without the links between memories that it may ask for, so that ours isn't flattered.
"""

import asyncio
import json
import logging
import math
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.model import Exchange
from tests.benchmarks.load_naive import EXTRACTS, open_memory
from tests.fakes.claude import FakeClaude, Request, last_text
from tests.memory.embedding import settings

if TYPE_CHECKING:
    from bot.memory.embedded.extractor import Meter

#: Haiku 5.5, dollars per million tokens.
INPUT, OUTPUT = 0.10, 0.50
#: Of the input's price: writing to the cache for five minutes, and reading from it.
WRITE, READ = 1.25, 0.10
TARGET = 0.15
BURSTS = (4, 3, 3)
START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class StoredMessage:
    """A message, its answer, the facts in it, and which earlier fact (by its text's beginning) the first replaces."""

    text: str
    answer: str
    facts: tuple[str, ...] = ()
    replaces: str = ""


MESSAGES = (
    StoredMessage(
        "Hi! I'm Nora, I just moved from Bergen to Ghent for a job at the university hospital.",
        "Welcome to Ghent, Nora! How are you settling in?",
        (
            "User's name is Nora",
            "Nora moved from Bergen to Ghent in November 2026 for a job at the university hospital",
        ),
    ),
    StoredMessage(
        "Slowly. My sister Ida is staying with me until Christmas to help unpack.",
        "That's kind of her. Boxes go twice as fast with two people and music.",
        ("Nora's sister Ida is staying with her in Ghent until Christmas 2026 to help unpack",),
    ),
    StoredMessage(
        "What's a good place for dinner tonight? I'm vegetarian, and Ida can't have nuts.",
        "Ghent is a fine city for that. Try a vegetarian place around the Vrijdagmarkt, and mention the nuts.",
        ("Nora is vegetarian", "Nora's sister Ida can't eat nuts"),
    ),
    StoredMessage("Perfect, thanks!", "Enjoy your evening, both of you."),
    StoredMessage(
        "My first shift is on Monday at seven. Could you give me three tips for a first day on a ward?",
        "1) Come ten minutes early. 2) Write down every name. 3) Ask where the coffee is: that's where the ward talks.",
        ("Nora's first shift at the university hospital in Ghent is on Monday, November 23, 2026 at seven",),
    ),
    StoredMessage("Ha, number three is the best one.", "It never fails."),
    StoredMessage(
        "How do I say 'I'm the new physiotherapist' in Dutch?",
        '"Ik ben de nieuwe kinesitherapeut": in Flanders that\'s the word, rather than "fysiotherapeut".',
        ("Nora works as a physiotherapist at the university hospital in Ghent and is learning Dutch phrases for it",),
    ),
    StoredMessage(
        "They moved my start to Wednesday, by the way.",
        "Two more days to unpack, then. I'll keep Wednesday in mind.",
        ("Nora's first shift at the hospital was moved to Wednesday, November 25, 2026",),
        replaces="Nora's first shift",
    ),
    StoredMessage(
        "I'm thinking of buying a bike. I used to race when I was a student.",
        "A city bike with good locks will serve you best here. What did you race?",
        ("Nora is thinking of buying a bike in Ghent", "Nora raced bikes when she was a student"),
    ),
    StoredMessage(
        "Cyclocross, mostly. Mud everywhere!",
        "Then you've moved to the right country: the season is in full swing.",
        ("Nora mostly raced cyclocross as a student",),
    ),
)
NEIGHBOUR = StoredMessage("I keep two hens.", "What are they called?", ("User keeps two hens",))


@dataclass(frozen=True)
class Bill:
    """Calls, and tokens by kind."""

    calls: int = 0
    input: int = 0
    cache_creation: int = 0
    cache_read: int = 0
    output: int = 0

    def __sub__(self, other: "Bill") -> "Bill":
        mine, theirs = asdict(self), asdict(other)
        return Bill(**{kind: mine[kind] - theirs[kind] for kind in mine})

    @property
    def dollars(self) -> float:
        """For a thousand messages."""
        inputs = self.input + WRITE * self.cache_creation + READ * self.cache_read
        return (INPUT * inputs + OUTPUT * self.output) / 1e6 * 1000 / len(MESSAGES)


def respond(request: Request) -> str:
    """The facts of the messages under `## New Messages`, in the form that the request asks for."""
    before, _, new = last_text(request).partition("\n\n## New Messages\n")
    existing = json.loads(before.split("\n\n## Existing Memories\n", 1)[1])
    by_schema = "output_config" in request
    found: list[dict[str, Any]] = []
    told = [said for said in (*MESSAGES, NEIGHBOUR) if f"user: {said.text}\n" in new]
    if not told:
        raise ValueError("none of the messages is in the prompt")
    for number, said in enumerate(told, 1):
        for index, text in enumerate(said.facts):
            fact: dict[str, Any] = {"id": str(len(found)), "text": text, "attributed_to": "user"}
            if by_schema:
                fact["source"] = number
                old = [each["id"] for each in existing if said.replaces and each["text"].startswith(said.replaces)]
                fact |= {"supersedes": old} if old and not index else {}
            found.append(fact)
    return json.dumps({"memory": found})


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
        llm = Extractor(client(settings(file.parent, claude), TIMEOUT), EXTRACTS)
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
            if not any(each.superseded_by for each in kept):
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
    print(f"Haiku 5.5: ${INPUT:.2f} in, ${OUTPUT:.2f} out a million; cache write {WRITE} x, read {READ} x the input.\n")
    columns = ("calls", "input", "written", "read", "output", "$/1000 msgs", "ours/mem0")
    print(" " * 46 + "".join(f"{column:>12}" for column in columns))
    for name, bill in rows.items():
        counts = "".join(f"{count:>12,}" for count in asdict(bill).values())
        print(f"{name:<46}{counts}{bill.dollars:>12.4f}{bill.dollars / mem0.dollars:>12.1%}")
    print(f"\nTarget: at most {TARGET:.0%}.")
    for name, bill in list(rows.items())[1:]:
        over = bill.dollars / mem0.dollars - TARGET
        print(f"  {name}: {'met' if over <= 0 else 'missed'} by {abs(over) * 100:.1f} points")
    remedies(mem0, cold, apart, warm)


def remedies(mem0: Bill, cold: Bill, apart: Bill, warm: Bill) -> None:
    """Print what would lower the ratio, and what the figures leave out."""
    from bot.memory.embedded.extraction_prompt import SCHEMA

    prefix = warm.cache_read // warm.calls
    most = TARGET * mem0.dollars
    one_write = INPUT * (WRITE - READ) * prefix / 1e6 * 1000  # $ for 1000 messages, had each its own
    alone = replace(warm, cache_read=0)  # prompts and answers, which no cache lowers
    shares = {
        "writing the prefix once": Bill(cache_creation=prefix),
        "reading it in each lesson": replace(warm, input=0, output=0),
        "prompts and answers": alone,
    }
    named = ", ".join(f"{name} {bill.dollars / mem0.dollars:.1%}" for name, bill in shares.items())
    print(f"\nOf mem0's bill: {named}.\nThe prefix is {prefix:,} tokens.")
    print("What would lower it:")
    if warm.dollars < most:
        needed = math.ceil(one_write / (most - warm.dollars))
        print(f"- Sharing: the target is met once {needed} such messages, whosever, share one written prefix.")
    for name, bill in {"one write": cold, "a write in each burst": apart}.items():
        fits = prefix * (most - alone.dollars) / (bill.dollars - alone.dollars)
        print(f"- A shorter prefix: with {name}, one of at most {fits:,.0f} tokens meets it.")
    # Written once at twice the price, then read.
    hour = cold.dollars + INPUT * (2 - WRITE) * cold.cache_creation / 1e6 * 1000 / len(MESSAGES)
    print(f"- The cache of an hour (write 2 x) for bursts over 5 minutes apart: {hour / mem0.dollars:.1%}.")
    schema = Bill(input=len(json.dumps(SCHEMA)) // 4 * warm.calls).dollars / mem0.dollars
    print("Not counted:")
    print(f"- our JSON schema, which the service may add to the prompt (at the full price {schema:.1%} more);")
    print("- thinking, off in ours; mem0's class leaves it to the model, which may bill it as output;")
    print("- links between memories in mem0's answers, and retries.")
    print("mem0's prompts hold the conversation's last ten messages; ours leave them out.")


async def main(folder: Path) -> None:
    """Measure and report."""
    logging.getLogger("mem0").setLevel(logging.ERROR)  # else it tells of each optional library that is missing
    mem0 = await shipped(folder / "mem0")
    cold = await ours(folder / "cold.db", warm=False)
    warm = await ours(folder / "warm.db", warm=True)
    report(mem0, cold, warm)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(Path(scratch)))
