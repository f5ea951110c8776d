"""Load: `python -m tests.benchmarks.load`, many people at once on a loopback Discord or Slack, with a loopback Claude.

Each person writes to the bot directly, the next message once the answer is there. Our bot is compared with itself with
memory switched off, with the floor (no memory, `load_floor`), and with the naive loop on mem0 (`load_naive`): each is a
child process, run in turn, everything else being in this process but Claude, which has one of its own. Nothing is
downloaded, and everything started is ended.

With `--gap` answers grow, so that their first word is shown before the last. With `--context` people mention the bot in
threads in which others have written, and it is compared with itself with contexts switched off.
"""

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks.load_bots import BOTS, Bot, Child
from tests.benchmarks.load_claude import PIECES, ClaudeProcess
from tests.benchmarks.load_people import Discord, Platform, Slack, talk

PLATFORMS: dict[str, Callable[[], Platform]] = {"discord": Discord, "slack": Slack}
#: Which bots answer where.
DIRECTLY, IN_THREADS = ["ours", "off", "floor", "naive"], ["ours", "aloof"]
#: Seconds: for the start, for one answer, and without a new fact until no more is awaited.
START, ANSWER, QUIET = 60.0, 150.0, 20.0


@dataclass(frozen=True)
class Measured:
    """One run of one bot; None where there is no such number.

    Attributes:
        listening: Seconds from the start of the process until the platform's events reach it.
        first: Seconds from its start to its first answer, Claude's own time taken off.
        rate: Answers a second.
        word50, word95: Seconds until the first word of an answer was shown, beyond Claude's time to its first.
        p50, p95, p99: Seconds that an answer took beyond Claude's own time.
        cpu: Processor milliseconds a message, learning included.
        rss: The most resident memory, in MB (2^20 bytes).
        unanswered: Messages without an answer.
        around: The share of the answers that were given with others' words.
        facts: The share of the messages' facts that are learned.
        calls: Extractions a message.
        learned: Seconds from the last answer until the last fact was learned.
    """

    listening: float
    first: float
    rate: float
    word50: float
    word95: float
    p50: float
    p95: float
    p99: float
    cpu: float
    rss: float
    unanswered: int
    around: float | None = None
    facts: float | None = None
    calls: float | None = None
    learned: float | None = None


#: What the others are compared with: the first of these that runs.
BASES = ("floor", "aloof")
#: (field, heading, format, whether the ratio to that is shown)
COLUMNS = (
    ("rate", "replies/s", "{:.1f}", True),
    ("word50", "word p50 s", "{:.3f}", True),
    ("word95", "p95 s", "{:.3f}", True),
    ("p50", "wait p50 s", "{:.3f}", True),
    ("p95", "p95 s", "{:.3f}", True),
    ("p99", "p99 s", "{:.3f}", True),
    ("cpu", "CPU ms/msg", "{:.1f}", True),
    ("rss", "RSS MB", "{:.0f}", True),
    ("listening", "listening s", "{:.2f}", True),
    ("first", "1st answer s", "{:.2f}", True),
    ("unanswered", "unanswered", "{:.0f}", False),
    ("around", "with context", "{:.0%}", False),
    ("facts", "facts", "{:.1%}", False),
    ("calls", "calls/msg", "{:.2f}", False),
    ("learned", "learned in s", "{:.1f}", False),
)


async def measure(bot: Bot, folder: Path, options: argparse.Namespace) -> Measured:
    """Run one bot under the load. Raises RuntimeError where it ends, TimeoutError where it never listens."""
    async with (
        ClaudeProcess(options.delay, options.extraction_delay, options.gap) as claude,
        PLATFORMS[options.platform]() as platform,
    ):
        platform.prepare(options.people, options.context)
        own = options.delay + options.gap * PIECES
        settings = {
            "ANTHROPIC_API_KEY": "sk-test",
            "ANTHROPIC_BASE_URL": claude.url,
            **platform.environment(),
        }
        under = options.under if bot is BOTS["ours"] else ""
        async with Child(bot, folder, settings, options.platform, under) as child:
            async with asyncio.timeout(START):
                while not platform.listening():
                    child.check()
                    await asyncio.sleep(0.005)
            listening = time.perf_counter() - child.spawned
            # The first message is one more person's, and warms everything up.
            await platform.ask(0, 0, START)
            first = time.perf_counter() - child.spawned - own
            await _learned(bot, child, claude, 1)
            before, cpu = await claude.counts(), child.cpu()
            seen = await talk(platform, options.people, options.messages, ANSWER)
            child.check()
            count = options.people * options.messages
            facts, when = await _learned(bot, child, claude, count + 1)
            after = await claude.counts()
            used = child.cpu() - cpu
    if not seen.waits:
        raise RuntimeError(f"nobody got an answer:\n{child.log()}")
    words = sorted(wait - options.delay for wait in seen.words)
    waits = sorted(wait - own for wait in seen.waits)
    return Measured(
        listening=listening,
        first=first,
        rate=seen.rate,
        word50=_percentile(words, 50),
        word95=_percentile(words, 95),
        p50=_percentile(waits, 50),
        p95=_percentile(waits, 95),
        p99=_percentile(waits, 99),
        cpu=used * 1000 / count,
        rss=child.peak / 2**20,
        unanswered=seen.unanswered,
        around=(after["around"] - before["around"]) / (after["chats"] - before["chats"]) if options.context else None,
        facts=(facts - 1) / count if bot.facts else None,
        calls=(after["extractions"] - before["extractions"]) / count if bot.facts else None,
        learned=max(0.0, when - seen.last) if bot.facts else None,
    )


async def _learned(bot: Bot, child: Child, claude: ClaudeProcess, wanted: int) -> tuple[int, float]:
    """Wait for so many facts, or until none has come for long: how many there are, and since when."""
    if bot.facts is None:
        return 0, 0.0
    found, since = 0, time.perf_counter()
    while found < wanted and time.perf_counter() - since < QUIET:
        child.check()
        now = bot.facts(child.data)
        if now > found or (await claude.counts())["open"]:
            since = time.perf_counter() if now > found else since
            found = max(found, now)
        if found < wanted:
            await asyncio.sleep(0.1)
    return found, since


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def median(runs: Sequence[Measured]) -> Measured:
    """The medians of each number."""
    values: dict[str, Any] = {}
    for field in fields(Measured):
        found = [value for run in runs if (value := getattr(run, field.name)) is not None]
        values[field.name] = statistics.median(found) if found else None
    return Measured(**values)


def table(results: dict[str, Measured]) -> str:
    """The numbers as Markdown, a line for each bot, with the ratio to what they are compared with beside them."""
    floor = next((results[name] for name in BASES if name in results), None)
    rows = [["", *(heading for _, heading, _, _ in COLUMNS)]]
    for name, result in results.items():
        row = [BOTS[name].name]
        for column, _, form, compared in COLUMNS:
            value = getattr(result, column)
            cell = "-" if value is None else form.format(value)
            if compared and floor and result is not floor and getattr(floor, column) > 0:
                cell += f" ({value / getattr(floor, column):.2f}x)"
            row.append(cell)
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


async def compare(options: argparse.Namespace) -> None:
    """Run the bots in turn, as often as asked, and print the medians."""
    stop = asyncio.current_task()
    assert stop is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.cancel)
    runs: dict[str, list[Measured]] = {name: [] for name in options.only}
    claude = f"Claude {options.delay:g} s, extraction {options.extraction_delay:g} s, {options.gap:g} s between pieces"
    where = f"in threads with {options.context} messages around" if options.context else "by direct message"
    base = next((BOTS[name].name for name in BASES if name in options.only), "")
    print(
        f"{options.people} people x {options.messages} messages on {options.platform} {where}; {claude}; "
        f"medians of {options.runs}{f'; ratios to {base}' if base else ''}"
    )
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        for turn in range(options.runs):
            for name in options.only:
                measured = await measure(BOTS[name], Path(folder) / f"{name}{turn}", options)
                runs[name].append(measured)
                if options.runs > 1:
                    print(f"run {turn + 1}\n{table({name: measured})}", file=sys.stderr)
    print(table({name: median(found) for name, found in runs.items()}))


def main() -> int:
    """Read the command line, compare, print; the exit code is 1 where a bot couldn't be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load", description=__doc__)
    parser.add_argument("--people", type=int, default=50, help="how many talk at once (50)")
    parser.add_argument("--messages", type=int, default=4, help="messages of each (4)")
    parser.add_argument("--platform", choices=PLATFORMS, default="discord")
    parser.add_argument("--delay", type=float, default=0.5, help="Claude's own time for an answer, seconds (0.5)")
    parser.add_argument("--extraction-delay", type=float, default=1.0, help="the same for an extraction (1)")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between Claude's pieces of 20 characters (0)")
    parser.add_argument(
        "--context", type=int, default=0, metavar="N", help="ask in threads with N messages of others (0: directly)"
    )
    parser.add_argument("--runs", type=int, default=1, help="runs of each bot, in turn (1)")
    parser.add_argument("--only", type=_names, help=f"which, by commas: {','.join(BOTS)}")
    parser.add_argument("--under", default="", metavar="COMMAND", help="run our bot under this command: a profiler")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds until all of it is given up (900)")
    options = parser.parse_args()
    able = IN_THREADS if options.context else DIRECTLY
    options.only = options.only or able
    if unable := set(options.only) - set(able):
        parser.error(f"not measured {'in threads' if options.context else 'directly'}: {', '.join(sorted(unable))}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(asyncio.wait_for(compare(options), options.limit))
        except (RuntimeError, TimeoutError, asyncio.CancelledError) as exc:
            print(f"not measured: {type(exc).__name__} {exc}", file=sys.stderr)
            return 1
    return 0


def _names(given: str) -> list[str]:
    names = given.split(",")
    if unknown := set(names) - set(BOTS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    sys.exit(main())
