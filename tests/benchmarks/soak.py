"""Whether memory stays flat: people who keep talking, `python -m tests.benchmarks.soak [--seconds 180] [--people 20]`.

The bot runs as a child process against the loopback servers; its resident memory, its data folder's size and its open
files are read every few seconds. Bounded, and ends by itself. In the first half each message tells something new; in
the second people say again what they have said, so that nothing more is to be remembered. Printed: a row a tenth of
the run, then each half's growth in MB a thousand messages, its first third left out.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.fakes.claude import FakeClaude
from tests.fakes.discord import FakeDiscord
from tests.whole.process import BotProcess

EVERY = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the start, messages answered, MB resident, MB on disk, open files."""

    at: float
    answered: int
    resident: float
    disk: float
    files: int


class Soak:
    """A run; `answered` counts."""

    def __init__(self, people: int, seconds: float) -> None:
        self._people = people
        self._seconds = seconds
        self._begun = time.monotonic()
        self.answered = 0

    async def person(self, discord: FakeDiscord, name: str) -> None:
        """Write, wait for the answer, and again."""
        told: list[str] = []
        again = itertools.count()
        while (gone := time.monotonic() - self._begun) < self._seconds:
            number = self.answered
            text = f"My note number {number} is about topic {number % 97} and {name}."
            if gone < self._seconds / 2:
                told.append(text)
            else:
                text = told[next(again) % len(told)]
            message = await discord.dm(name, text)
            await discord.first_answer(message, within=60)
            self.answered += 1
            await asyncio.sleep(0.2)

    async def watch(self, pid: int, folder: Path) -> list[Sample]:
        """Look every few seconds until the people are done."""
        process = psutil.Process(pid)
        samples = []
        while time.monotonic() - self._begun < self._seconds:
            await asyncio.sleep(EVERY)
            resident = process.memory_info().rss / 2**20
            sample = Sample(time.monotonic() - self._begun, self.answered, resident, on_disk(folder), process.num_fds())
            samples.append(sample)
        return samples

    async def run(self) -> list[Sample]:
        """The whole of it."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            async with FakeClaude(record=False) as claude, FakeDiscord() as discord:
                env = {"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_BASE_URL": claude.url}
                env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
                env |= {"DISCORD_REQUESTS_PER_SECOND": "100000"}
                async with BotProcess(folder, env) as bot:
                    await bot.said("memory is ready")
                    self._begun = time.monotonic()
                    watching = asyncio.create_task(self.watch(bot.process.pid, folder / "data"))
                    await asyncio.gather(*(self.person(discord, f"p{number}") for number in range(self._people)))
                    return await watching


def on_disk(folder: Path) -> float:
    """MB of the files in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 2**20


def growth(samples: list[Sample]) -> float:
    """MB resident a thousand messages."""
    line = statistics.linear_regression(
        [sample.answered for sample in samples], [sample.resident for sample in samples]
    )
    return line.slope * 1000


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--people", type=int, default=20)
    options = parser.parse_args()
    samples = asyncio.run(Soak(options.people, options.seconds).run())
    print("| seconds | answered | resident MB | on disk MB | open files |\n| --- | --- | --- | --- | --- |")
    step = max(1, len(samples) // 10)
    for sample in samples[step - 1 :: step]:
        print(f"| {sample.at:.0f} | {sample.answered} | {sample.resident:.0f} | {sample.disk:.1f} | {sample.files} |")
    half = len(samples) // 2
    print(f"\ntelling something new: {growth(samples[half // 3 : half]):+.2f} MB resident a thousand messages")
    print(f"telling it again: {growth(samples[half + half // 3 :]):+.2f} MB resident a thousand messages")


if __name__ == "__main__":
    main()
