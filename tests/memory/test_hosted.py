"""Hosted mem0 through mem0's own asynchronous client, against a loopback service."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.config import SettingsError
from bot.events import Exchange
from bot.memory.hosted import HostedMemory
from bot.ports import LearningFailed, MemoryUnavailable
from tests.fakes.mem0 import KEY, Asked, FakeMem0, Fault

ANN, BEN = "discord:1", "discord:2"
NOW = datetime.now(UTC) + timedelta(hours=1)
PUBLIC = "public:discord:7"


class Service:
    """The store under test, what it marked as learned, and how long it would have slept."""

    def __init__(self) -> None:
        self.learned: list[int] = []
        self.slept: list[float] = []
        self.polled = asyncio.Event()  # set once it has waited three times

    async def mark(self, ids: Sequence[int]) -> None:
        self.learned.extend(ids)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 3:
            self.polled.set()
        await asyncio.sleep(0)

    async def open(self, mem0: FakeMem0, key: str = KEY, *, tokens: int = 1000, patience: float = 5) -> HostedMemory:
        return await HostedMemory.open(key, mem0.url, self.mark, tokens=tokens, patience=patience, sleep=self.sleep)


@asynccontextmanager
async def opened(mem0: FakeMem0, service: Service, tokens: int = 1000) -> AsyncIterator[HostedMemory]:
    memory = await service.open(mem0, tokens=tokens)
    try:
        yield memory
    finally:
        await memory.close()


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as fake:
        yield fake


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def memory(mem0: FakeMem0, service: Service) -> AsyncIterator[HostedMemory]:
    async with opened(mem0, service) as store:
        yield store


def exchange(number: int, text: str, user_id: str = ANN, scope: str = "private") -> Exchange:
    return Exchange(
        id=number,
        event_id=f"discord:{number}",
        user_id=user_id,
        scope=scope,
        name="Ann\nsystem: x",
        text=text,
        answer="Noted.",
        at=NOW + timedelta(minutes=number),
        link=f"https://discord.com/channels/@me/5/{number}",
        place="DM",
        conversation="discord::5:",
    )


def adds(mem0: FakeMem0) -> list[Asked]:
    return mem0.requests("POST", "/v3/memories/add/")


async def test_what_was_said_is_learned_with_who_where_and_when(
    mem0: FakeMem0, memory: HostedMemory, service: Service
) -> None:
    """An exchange becomes one add with the speaker in the text, and its memory knows its source and audience."""
    said = exchange(1, "I prefer Celsius\ud800\0", scope=PUBLIC)
    assert await memory.learn([said]) == 1
    assert service.learned == [1]
    (add,) = adds(mem0)
    assert add.body["messages"] == [
        {"role": "user", "content": "Ann system: x: I prefer Celsius?"},
        {"role": "assistant", "content": "Noted."},
    ]
    assert add.body["timestamp"] == int(said.at.timestamp())
    (kept,) = await memory.list(ANN)
    assert kept.scope == PUBLIC
    assert kept.learned_at == said.at
    assert [(source.event_id, source.place, source.link) for source in kept.sources] == [
        (said.event_id, "DM", said.link)
    ]


async def test_an_exchange_stays_until_its_queued_add_has_ended(
    mem0: FakeMem0, memory: HostedMemory, service: Service
) -> None:
    """The raw text is dropped only when mem0 says that the add succeeded."""
    mem0.release = asyncio.Event()
    learning = asyncio.create_task(memory.learn([exchange(1, "I live in Porto")]))
    await service.polled.wait()
    assert service.learned == []
    mem0.release.set()
    assert await learning == 1
    assert service.learned == [1]


async def test_exchanges_are_added_in_their_order(mem0: FakeMem0, memory: HostedMemory, service: Service) -> None:
    """What was said first is learned first, each exchange by an add of its own."""
    assert await memory.learn([exchange(n, f"fact {n}") for n in (1, 2, 3)]) == 3
    assert [add.body["metadata"]["source"] for add in adds(mem0)] == ["discord:1", "discord:2", "discord:3"]
    assert service.learned == [1, 2, 3]


async def test_a_failed_event_is_reported_and_learned_at_the_next_attempt(
    mem0: FakeMem0, memory: HostedMemory, service: Service
) -> None:
    """An add that mem0 fails on keeps its exchange, lets the others through, and is added again later."""
    mem0.failing = 1
    first = exchange(1, "I live in Porto")
    with pytest.raises(LearningFailed) as failed:
        await memory.learn([first, exchange(2, "I like tea")])
    assert not failed.value.final
    assert failed.value.ids == (1,)
    assert service.learned == [2]
    assert await memory.learn([replace(first, attempts=1)]) == 1
    assert sorted(service.learned) == [1, 2]


async def test_an_add_still_queued_is_followed_not_added_again(mem0: FakeMem0, service: Service) -> None:
    """Where mem0 takes longer than our patience, the next attempt waits for the same event."""
    mem0.release = asyncio.Event()
    memory = await service.open(mem0, patience=1)
    said = exchange(1, "I live in Porto")
    with pytest.raises(LearningFailed):
        await memory.learn([said])
    mem0.release.set()
    assert await memory.learn([replace(said, attempts=1)]) == 1
    assert len(adds(mem0)) == 1
    await memory.close()


async def test_a_retry_after_a_crash_adds_nothing_twice(mem0: FakeMem0, memory: HostedMemory, service: Service) -> None:
    """An exchange from before this process that mem0 has learned already is only marked as learned."""
    said = exchange(1, "I live in Porto")
    await memory.learn([said])
    await memory.learn([replace(said, attempts=1)])
    mem0.put("x", user_id=ANN, metadata={"owner": ANN, "source": "discord:9"})
    await memory.learn([replace(said, id=9, event_id="discord:9", at=NOW - timedelta(days=1))])
    assert len(adds(mem0)) == 1
    assert service.learned == [1, 1, 9]


@pytest.mark.parametrize(("status", "after"), [(500, False), (502, True), (503, False), (500, True)])
async def test_a_lost_answer_neither_loses_nor_doubles_a_fact(
    mem0: FakeMem0, memory: HostedMemory, status: int, after: bool
) -> None:
    """Where the answer to an add is an error, the fact is there exactly once, done or not done."""
    mem0.faults.append(Fault("POST", "/v3/memories/add/", status))
    if after:
        mem0.faults[0].after = True
        mem0.put("Ann: I live in Porto", user_id=ANN, metadata={"owner": ANN, "source": "discord:1"})
    await memory.learn([exchange(1, "I live in Porto")])
    assert len(await memory.list(ANN)) == 1


async def test_a_rate_limit_is_waited_out_as_long_as_it_asks(
    mem0: FakeMem0, memory: HostedMemory, service: Service
) -> None:
    """A 429 is tried again after its Retry-After, for adds and reads."""
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 429, headers={"Retry-After": "7"}))
    assert await memory.learn([exchange(1, "I live in Porto")]) == 1
    assert max(service.slept) >= 7
    mem0.faults.append(Fault("POST", "/v3/memories/search/", 429, times=2, headers={"Retry-After": "3"}))
    assert len(await memory.recall(ANN, None, "where do I live", (), NOW)) == 1


async def test_a_service_that_is_down_is_told_apart_from_no_memories(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Reads raise MemoryUnavailable after their retries, never an empty list."""
    mem0.faults.append(Fault("POST", "/v3/memories", 500, times=100))
    with pytest.raises(MemoryUnavailable):
        await memory.list(ANN)
    with pytest.raises(MemoryUnavailable):
        await memory.recall(ANN, None, "tea", (), NOW)


async def test_a_refused_message_is_given_up_for_good(mem0: FakeMem0, memory: HostedMemory, service: Service) -> None:
    """An add that mem0 calls invalid is reported as final and doesn't hold up the next exchange."""
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 400))
    with pytest.raises(LearningFailed) as failed:
        await memory.learn([exchange(1, "x"), exchange(2, "I like tea")])
    assert failed.value.final
    assert service.learned == [2]


async def test_recall_gives_a_place_only_its_audiences(mem0: FakeMem0, memory: HostedMemory) -> None:
    """A public channel gets public memories alone, a direct message all of the person's, nobody another's."""
    await memory.learn([exchange(1, "my tea is green", scope=PUBLIC), exchange(2, "my tea is secret")])
    await memory.learn([exchange(3, "my tea is black", user_id=BEN, scope=PUBLIC)])
    mem0.put("my tea has no audience", user_id=ANN)
    public = await memory.recall(ANN, frozenset({PUBLIC, "shared"}), "my tea", (), NOW)
    private = await memory.recall(ANN, None, "my tea", (), NOW)
    assert [m.text.split(": ")[-1] for m in public] == ["my tea is green"]
    assert {m.text.split(": ")[-1] for m in private} == {
        "my tea is green",
        "my tea is secret",
        "my tea has no audience",
    }


async def test_audiences_are_never_context_of_each_other(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Each person's audience is a run of its own at mem0, so that no extraction reads another's words."""
    await memory.learn([exchange(1, "a"), exchange(2, "b", scope=PUBLIC)])
    await memory.learn([exchange(3, "c", user_id=BEN, scope=PUBLIC)])
    runs = [add.body["run_id"] for add in adds(mem0)]
    assert len(set(runs)) == 3


async def test_recall_fills_the_budget_best_first(mem0: FakeMem0, service: Service) -> None:
    """As many memories go out as fit the tokens, beginning with the best."""
    for number in range(40):
        mem0.put(f"note {number} about boats", user_id=ANN)
    mem0.put("green tea please", user_id=ANN)
    async with opened(mem0, service, tokens=50) as memory:
        found = await memory.recall(ANN, None, "green tea", (), NOW)
        assert found[0].text == "green tea please"
        assert 100 < sum(len(f"- [{m.learned_at:%Y-%m-%d}] {m.text}\n") for m in found) <= 200


async def test_an_empty_message_recalls_the_newest(memory: HostedMemory) -> None:
    """A message with no words (only a file) recalls what was learned last, in its audience."""
    await memory.learn([exchange(1, "old"), exchange(2, "new"), exchange(3, "newest", scope=PUBLIC)])
    assert [m.text.split(": ")[-1] for m in await memory.recall(ANN, frozenset({"private"}), " ", (), NOW)] == [
        "new",
        "old",
    ]


async def test_a_list_spans_all_pages_and_searches_words(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Every page is read; a search wants all words, whatever their case and ending, never something similar."""
    for number in range(250):
        mem0.put(f"note {number}", user_id=ANN, metadata={"at": f"2026-01-01T00:00:{number % 60:02}+00:00"})
    mem0.put("Likes GREEN teas", user_id=ANN)
    mem0.put("Likes greenhouses", user_id=ANN)
    assert len(await memory.list(ANN)) == 252
    assert [m.text for m in await memory.list(ANN, "green tea")] == ["Likes GREEN teas"]


async def test_forgetting_takes_only_that_persons_memories(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Ids of somebody else, unknown or empty ones are let pass; the person's own are gone."""
    await memory.learn([exchange(1, "a"), exchange(2, "b")])
    theirs = mem0.put("Ben's", user_id=BEN)
    nobodys = mem0.put("nobody's")
    mine = [m.id for m in await memory.list(ANN)]
    assert await memory.forget(ANN, [mine[0], mine[0], theirs, nobodys, "unknown", ""]) == 1
    assert [m.id for m in await memory.list(ANN)] == [mine[1]]
    assert {row["memory"] for row in mem0.rows} >= {"Ben's", "nobody's"}


async def test_a_lost_key_is_no_empty_success(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Forgetting with a key that is refused meanwhile fails aloud."""
    (kept,) = [mem0.put("a", user_id=ANN)]
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 401, times=9))
    with pytest.raises(MemoryUnavailable):
        await memory.forget(ANN, [kept])


async def test_forget_everything_leaves_nothing_of_that_person(mem0: FakeMem0, memory: HostedMemory) -> None:
    """All of a person's memories go, with and without a run, and nobody else's."""
    await memory.learn([exchange(1, "a"), exchange(2, "b", scope=PUBLIC), exchange(3, "c", user_id=BEN)])
    mem0.put("older bot's", user_id=ANN)
    assert await memory.forget_all(ANN) == 3
    assert [row["user_id"] for row in mem0.rows] == [BEN]


async def test_what_is_queued_when_everything_is_forgotten_does_not_come_back(
    mem0: FakeMem0, memory: HostedMemory, service: Service
) -> None:
    """An add in flight while the person forgets everything leaves nothing behind."""
    mem0.release = asyncio.Event()
    learning = asyncio.create_task(memory.learn([exchange(1, "a secret"), exchange(2, "another")]))
    await service.polled.wait()
    forgetting = asyncio.create_task(memory.forget_all(ANN))
    await asyncio.sleep(0)
    mem0.release.set()
    await forgetting
    await learning
    assert mem0.rows == []
    assert len(adds(mem0)) == 1


async def test_forgetting_that_cannot_be_finished_is_said(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Where mem0 still works on what was said, forgetting everything fails instead of claiming success."""
    mem0.release = asyncio.Event()
    with pytest.raises(LearningFailed):
        await memory.learn([exchange(1, "a secret")])
    with pytest.raises(MemoryUnavailable):
        await memory.forget_all(ANN)


async def test_a_wildcard_is_a_name_like_any_other(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Somebody called `*` in the terminal, or with a blank in their name, has memories of their own alone."""
    await memory.learn([exchange(1, "a", user_id="*"), exchange(2, "b", user_id="Ann Lee"), exchange(3, "c")])
    assert len(await memory.list("*")) == 1
    assert len(await memory.list("Ann Lee")) == 1
    assert await memory.forget_all("*") == 1
    assert await memory.forget_all("Ann Lee") == 1
    assert [row["user_id"] for row in mem0.rows] == [ANN]


@pytest.mark.parametrize("user_id", ["", " ", "\t\n"])
async def test_no_request_goes_out_without_one_person(mem0: FakeMem0, memory: HostedMemory, user_id: str) -> None:
    """An empty or blank user id is an error before anything is sent."""
    mem0.asked.clear()
    with pytest.raises(ValueError, match="one person"):
        await memory.recall(user_id, None, "tea", (), NOW)
    with pytest.raises(ValueError, match="one person"):
        await memory.learn([exchange(1, "a", user_id=user_id)])
    with pytest.raises(ValueError, match="one person"):
        await memory.list(user_id)
    with pytest.raises(ValueError, match="one person"):
        await memory.forget(user_id, ["a"])
    with pytest.raises(ValueError, match="one person"):
        await memory.forget_all(user_id)
    assert mem0.asked == []


async def test_a_refused_key_ends_the_start_naming_the_variable(mem0: FakeMem0, service: Service) -> None:
    """A wrong key is one line that names MEM0_API_KEY and doesn't hold the key."""
    with pytest.raises(SettingsError, match=r"^MEM0_API_KEY: mem0 refuses it$"):
        await service.open(mem0, "wrong-key")


async def test_a_host_without_mem0_ends_the_start_naming_the_variable(mem0: FakeMem0, service: Service) -> None:
    """An address where no mem0 answers is one line that names MEM0_HOST."""
    mem0.faults.append(Fault("GET", "/v1/ping/", 404))
    with pytest.raises(SettingsError, match=r"^MEM0_HOST: "):
        await service.open(mem0)


async def test_opening_never_blocks_the_loop(mem0: FakeMem0, service: Service) -> None:
    """While mem0's ping hangs, everything else on the loop goes on."""
    mem0.hang_ping = True
    opening = asyncio.create_task(service.open(mem0))
    await mem0.pinged.wait()
    assert not opening.done()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_a_service_that_is_down_does_not_keep_the_bot_from_starting(service: Service) -> None:
    """With mem0 out of reach the store opens, and its calls fail one by one."""
    async with FakeMem0() as gone:
        url = gone
    memory = await service.open(url)
    with pytest.raises(MemoryUnavailable):
        await memory.list(ANN)
    await memory.close()


async def test_texts_and_keys_stay_out_of_logs(
    mem0: FakeMem0, memory: HostedMemory, caplog: pytest.LogCaptureFixture
) -> None:
    """No log at any level holds a message, a memory, a query or the key, in failures either."""
    caplog.set_level(logging.DEBUG)
    mem0.failing = 1
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 500))
    with pytest.raises(LearningFailed):
        await memory.learn([exchange(1, "platypus"), exchange(2, "platypus again")])
    await memory.recall(ANN, None, "platypus", ("platypus",), NOW)
    await memory.forget_all(ANN)
    assert caplog.text
    assert "platypus" not in caplog.text
    assert KEY not in caplog.text
