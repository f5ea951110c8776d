"""Slack: all answers of a workspace share its rate limits, and their ends come first."""

import asyncio
import itertools
import json
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.errors import PaceExceeded
from adapters.slack.pace import PER_MINUTE, Pace
from bot.events import MessageEvent
from bot.ports import ReplyHandle
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault
from tests.fakes.slack_limits import METHODS, TIERS, Limits

pytestmark = pytest.mark.slow

ANN = "U0ANN"
GENERAL = "C0GENERAL"
SPECS = Path(__file__).parents[3].parent / "shared" / "specs" / "slack_rate_limit_tiers.json"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack that limits as Slack does."""
    async with FakeSlack(patience=60) as slack:
        yield slack


class Growing(ScriptedCore):
    """Gives each person an answer of three hundred words that takes `seconds`; notes how late each one ends."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.late: list[float] = []

    async def _snapshots(self, event: MessageEvent) -> AsyncIterator[str]:
        words = [f"{event.text}-{n}" for n in range(300)]
        for count in range(1, 300, 3):
            yield " ".join(words[:count])
            await asyncio.sleep(self.seconds / 100)
        yield " ".join(words)
        self.whole = asyncio.get_running_loop().time()
        self._ends[event.id] = self.whole

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer, and note how long after its last word the answer was shown."""
        await super().on_message(event, reply, admitted=admitted)
        self.late.append(asyncio.get_running_loop().time() - self._ends.get(event.id, 0.0))

    _ends: dict[str, float] = {}  # noqa: RUF012 - by event id


async def _asked(slack: FakeSlack, core: Growing, people: int) -> None:
    """Have so many people ask at once, and wait for the answers."""
    async with running(SlackAdapter(settings(slack), core)):
        for n in range(people):
            await slack.dm(f"U0P{n}", f"q{n}")
        async with asyncio.timeout(60):
            await slack.wait(lambda: len(core.late) == people)
    for n in range(people):
        (message,) = slack.answers(slack.dm_channel(f"U0P{n}"))
        assert message["text"] == " ".join(f"q{n}-{word}" for word in range(300))


@pytest.mark.parametrize(("people", "seconds"), [(3, 12.0), (15, 10.0), (60, 8.0)])
async def test_many_grow_at_once(slack: FakeSlack, people: int, seconds: float) -> None:
    """However many answers grow at once, each ends promptly, and Slack limits no call."""
    core = Growing(seconds)
    await _asked(slack, core, people)
    assert slack.limits is not None
    assert slack.limits.refused == {}
    assert max(core.late) < 5.0
    assert core.failures == []
    if people <= 15:
        assert slack.counts["chat.update"] >= 2 * people


async def test_no_edit_for_a_while(slack: FakeSlack) -> None:
    """Where Slack allows no edit for half a minute, what an answer lacks is posted at once, and once."""
    core = ScriptedCore()
    core.pieces, core.pause = ["One. ", "One. Two. ", "One. Two. Three. ", "One. Two. Three. Four. "], 0.8
    core.reply = lambda event: "One. Two. Three. Four. Five."
    slack.fail("chat.update", Fault(status=429, retry_after=30))
    async with running(SlackAdapter(settings(slack), core)):
        async with asyncio.timeout(8):
            await slack.dm(ANN, "hi")
            await slack.wait(lambda: core.sent)
    together = " ".join(message["text"] for message in slack.answers(slack.dm_channel(ANN)))
    assert together.split() == ["One.", "Two.", "Three.", "Four.", "Five."]
    assert slack.counts["chat.update"] == 1


async def test_retry_after_holds_for_all(slack: FakeSlack) -> None:
    """Where Slack limits one call, no other call of that method is made until it may be."""
    core = ScriptedCore()
    slack.fail("chat.postMessage", Fault(status=429, retry_after=2))
    async with running(SlackAdapter(settings(slack), core)):
        await slack.dm(ANN, "hi")
        await slack.wait(lambda: slack.counts["chat.postMessage"] == 1)
        await asyncio.sleep(0.1)
        for n in range(5):
            await slack.dm(f"U0P{n}", "hi")
        await asyncio.sleep(1.5)
        assert slack.counts["chat.postMessage"] == 1
        await slack.wait(lambda: len(core.sent) == 6)
    assert slack.counts["chat.postMessage"] == 7


class Clock:
    """A clock that whoever sleeps moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds


@pytest.mark.parametrize("method", sorted(PER_MINUTE))
async def test_never_beyond_the_limit(method: str) -> None:
    """However a method is called, in ten minutes no call meets Slack's limit, and its share is nearly used."""
    clock, numbers = Clock(), random.Random(7)
    pace, limits = Pace(clock, clock.sleep), Limits(clock)
    for count in itertools.count(1):
        channel = f"C{count % 20}"
        await pace.turn(method, channel)
        assert not limits.wait(method, channel)
        clock.now += numbers.expovariate(PER_MINUTE[method] / 20)
        if clock.now > 600:
            break
    assert count > PER_MINUTE[method] * 9


async def test_growing_leaves_room_for_ends() -> None:
    """While twenty answers grow for ten minutes, an end never waits, and each is edited now and then."""
    clock = Clock()
    pace, limits = Pace(clock, clock.sleep), Limits(clock)
    due = {}
    edits = dict.fromkeys(range(20), 0)
    for answer in edits:
        assert pace.begin()
        due[answer] = clock.now + pace.interval()
    while clock.now < 600:
        answer = min(due, key=lambda candidate: due[candidate])
        clock.now = max(clock.now, due[answer])
        if pace.may_edit():
            await pace.turn("chat.update", longest_wait=0)
            assert not limits.wait("chat.update")
            edits[answer] += 1
        due[answer] = clock.now + pace.interval()
    before = clock.now
    for _ in edits:
        pace.end()
        await pace.turn("chat.update", longest_wait=0)
        assert not limits.wait("chat.update")
    assert clock.now == before
    assert min(edits.values()) > 5


async def test_crowded() -> None:
    """A call that would wait for too long isn't made, and takes no turn from anybody."""
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    for _ in range(50):
        await pace.turn("chat.update", longest_wait=0)
    for _ in range(100):
        with pytest.raises(PaceExceeded):
            await pace.turn("chat.update", longest_wait=5)
    assert not pace.begin()
    await pace.turn("chat.update")
    assert clock.now == pytest.approx(61)


async def test_catching_up_leaves_room() -> None:
    """However much is caught up on, a call that somebody waits for is made at once; and catching up goes on."""
    clock = Clock()
    pace, limits = Pace(clock, clock.sleep), Limits(clock)
    for count in range(200):
        await pace.turn("conversations.replies", spare=15)
        assert not limits.wait("conversations.replies")
        if count % 20 == 0:
            await pace.turn("conversations.replies", longest_wait=0)
            assert not limits.wait("conversations.replies")
    assert clock.now < 6.5 * 61


@pytest.mark.skipif(not SPECS.exists(), reason="the services' own descriptions are not beside the repository")
def test_tiers_are_slacks() -> None:
    """The bot's figures and the test Slack's are those of Slack's tiers."""
    tiers: dict[str, str] = json.loads(SPECS.read_text())
    for figures in (PER_MINUTE, METHODS):
        for method, limit in figures.items():
            tier = re.fullmatch(r"Tier(\d)", tiers[method])
            assert tier is None or limit == TIERS[int(tier[1])], method
